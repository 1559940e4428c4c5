//! Can any datagram stop the OSC server? Every kind of garbage is sent to a real server; after each kind a good message
//! must still arrive.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::{Duration, Instant};

use crate::common::rig::PATIENCE;
use latent_jockey::control::osc::OscServer;
use latent_jockey::control::{Counts, Event, Events, Source, Write, queue};
use latent_jockey::params::{Id, Value};

const GOOD: &[u8] = b"/psi\0\0\0\0,f\0\0\x3f\x00\x00\x00";

struct Rig {
    server: OscServer,
    socket: UdpSocket,
    events: Events,
    counts: Arc<Counts>,
}

impl Rig {
    fn new() -> Rig {
        let (sender, events) = queue();
        let counts = Arc::new(Counts::default());
        let server =
            OscServer::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), sender, counts.clone()).expect("a free port");
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        Rig { server, socket, events, counts }
    }

    fn send(&self, datagram: &[u8]) {
        self.socket.send_to(datagram, self.server.local_addr()).expect("the loopback takes it");
    }

    /// Whether a good message, not sent before, arrives now. Resent if a full socket has lost it.
    fn lives(&self) -> bool {
        static NUMBER: AtomicI32 = AtomicI32::new(0);
        (0..60).any(|_| {
            let number = NUMBER.fetch_add(1, Ordering::Relaxed);
            self.send(&[b"/seed\0\0\0,i\0\0", &number.to_be_bytes()[..]].concat());
            let value = Value::Int(i64::from(number));
            let wanted = Event::Write(Write { target: Id::Seed.into(), value, source: Source::Osc });
            let until = Instant::now() + Duration::from_secs(1);
            std::iter::from_fn(|| self.events.recv_deadline(until).ok()).any(|event| event == wanted)
        })
    }
}

fn bundle(parts: &[&[u8]]) -> Vec<u8> {
    let mut out = b"#bundle\0\0\0\0\0\0\0\0\x01".to_vec();
    for part in parts {
        out.extend((part.len() as u32).to_be_bytes());
        out.extend(*part);
    }
    out
}

fn kinds_of_garbage() -> Vec<(&'static str, Vec<Vec<u8>>)> {
    let mut state = 88_172_645_463_325_252u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 24) as u8
    };
    let good = bundle(&[GOOD, GOOD]);
    let with_size = |size: u32| {
        let mut out = bundle(&[]);
        out.extend(size.to_be_bytes());
        out.extend([0; 32]);
        out
    };
    let deep = (0..2000).fold(GOOD.to_vec(), |inner, _| bundle(&[&inner]));
    let brackets = |one: u8| [b"/psi\0\0\0\0,".to_vec(), vec![one; 30_000], vec![0; 7]].concat();
    vec![
        ("nothing", vec![vec![]]),
        ("stumps of a bundle", (1..=good.len()).map(|len| good[..len].to_vec()).collect()),
        ("stumps of a message", (1..GOOD.len()).map(|len| GOOD[..len].to_vec()).collect()),
        ("a bundle 2,000 deep", vec![deep]),
        ("30,000 brackets", vec![brackets(b'['), brackets(b']')]),
        ("sizes that lie", [0, 3, 5, 0x7FFF_FFFC, 0xFFFF_FFFC, 0xFFFF_FFFF].map(with_size).to_vec()),
        ("random bytes", (0..2000).map(|i| (0..i % 200).map(|_| random()).collect()).collect()),
        ("the longest datagrams", vec![vec![0; 65_507], vec![b'/'; 65_507], vec![b'#'; 65_507], vec![0xff; 65_507]]),
        ("many messages in one", vec![bundle(&[&b"/x\0\0"[..]; 8000])]),
        ("patterns that reach everything", vec![bundle(&[&b"/{z,w}/*\0\0\0\0,f\0\0\x3f\x80\0\0"[..]; 500])]),
        ("patterns that make slow matchers slow", vec![[b"/z/".to_vec(), b"*?".repeat(120), vec![0; 4]].concat()]),
        ("blobs that lie", vec![b"/z\0\0,b\0\0\xff\xff\xff\xff".to_vec(), b"/z\0\0,b\0\0\x7f\xff\xff\xff".to_vec()]),
    ]
}

#[test]
fn osc_garbage_never_stops_the_server() {
    let rig = Rig::new();
    assert!(rig.lives(), "a good message arrives at all");
    for (kind, datagrams) in kinds_of_garbage() {
        for datagram in &datagrams {
            rig.send(datagram);
        }
        assert!(rig.lives(), "dead after {kind}");
    }
    assert!(Counts::read(&rig.counts.refused) > 100);
    // Refusals are counted one by one, and summarised when reported.
    while rig.events.try_recv().is_ok() {}
    let started = Instant::now();
    (0..500).for_each(|_| rig.send(b"garbage"));
    assert!(rig.lives());
    let notices = rig.events.try_iter().filter(|event| matches!(event, Event::Notice(_))).count();
    // One a second.
    assert!(notices as u64 <= 2 + started.elapsed().as_secs(), "{notices} notices");
}

#[test]
fn a_bad_message_in_a_bundle_leaves_its_neighbours_alone() {
    let rig = Rig::new();
    rig.send(&bundle(&[GOOD, b"/psi\0\0\0\0,Q\0\0", GOOD]));
    let is_write = |event: &Event| matches!(event, Event::Write(_));
    let until = Instant::now() + PATIENCE;
    let writes = std::iter::from_fn(|| rig.events.recv_deadline(until).ok()).filter(is_write).take(2).count();
    assert_eq!(writes, 2);
    assert_eq!(Counts::read(&rig.counts.refused), 1);
}

#[test]
fn a_flood_drops_the_oldest_and_keeps_the_newest() {
    let rig = Rig::new();
    // Nobody reads the queue. More messages than it holds, the last one different.
    let many = bundle(&[GOOD; 2000]);
    let wait_until = |what: &str, is_so: &dyn Fn() -> bool| {
        let until = Instant::now() + PATIENCE;
        while !is_so() {
            assert!(Instant::now() < until, "{what}: {:?}", rig.counts);
            std::thread::sleep(Duration::from_millis(2));
        }
    };
    // One after another: a socket loses what nobody reads in time.
    for i in 1..=8 {
        rig.send(&many);
        wait_until("received", &|| Counts::read(&rig.counts.received) >= 2000 * i);
    }
    let last = b"/psi\0\0\0\0,f\0\0\x3f\x80\x00\x00";
    rig.send(last);
    // Its first datagram went into the lane of those that send only once.
    let kept = 2000 + latent_jockey::control::QUEUE;
    // A message is counted before its event is in the queue, where it takes the place of an older one.
    wait_until("dropped", &|| Counts::read(&rig.counts.dropped) >= 16_001 - kept as u64);
    let events: Vec<Event> = rig.events.try_iter().collect();
    assert_eq!(events.len(), kept);
    let newest = Event::Write(Write { target: Id::Psi.into(), value: Value::Float(1.0), source: Source::Osc });
    assert_eq!(events.last(), Some(&newest));
    assert_eq!(Counts::read(&rig.counts.dropped), 16_001 - kept as u64);
}
