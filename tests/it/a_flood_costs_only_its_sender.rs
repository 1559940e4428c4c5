//! Does a flood of OSC messages cost anybody but its sender? Neither its unknown addresses nor its events may keep another
//! sender's messages from arriving, or the show from its frames.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::common::rig::PATIENCE;
use latent_jockey::control::mapping::{Mapping, OscEntry};
use latent_jockey::control::osc::feeds::Feeds;
use latent_jockey::control::osc::{Feedback, OscServer};
use latent_jockey::control::query::Dims;
use latent_jockey::control::scene::Scene;
use latent_jockey::control::{Counts, Event, Events, QUEUE, Snapshot, Source, Write, queue};
use latent_jockey::params::{Id, Params, Value};

struct Rig {
    server: OscServer,
    feedback: Feedback,
    mapping: Mapping,
    events: Events,
    counts: Arc<Counts>,
}

impl Rig {
    /// A server, and a show whose preset has the alias `/1/fader`.
    fn new() -> Rig {
        let (sender, events) = queue();
        let counts = Arc::new(Counts::default());
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let server = OscServer::bind(address, sender, counts.clone()).expect("a free port");
        let feedback = server.feedback();
        let mapping = Mapping::new(&[], &[OscEntry::plain("/1/fader".to_owned(), Id::Psi.into())]);
        let mut rig = Rig { server, feedback, mapping, events, counts };
        rig.frame();
        rig
    }

    fn frame(&mut self) {
        let (params, feeds) = (Params::default(), Feeds::default());
        let (mapping, dims, scene) = (&self.mapping, Dims::default(), Scene::default());
        let snapshot = Snapshot { params: &params, feeds, mapping, preset: None, dims, scene };
        self.feedback.step(&snapshot, 0.01);
    }

    fn socket(&self) -> UdpSocket {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        socket.connect(self.server.local_addr()).expect("the loopback");
        socket
    }

    /// The events up to the first one that is the last.
    fn events_until(&self, is_last: impl Fn(&Event) -> bool) -> Vec<Event> {
        let until = Instant::now() + PATIENCE;
        let mut events = Vec::new();
        while let Ok(event) = self.events.recv_deadline(until) {
            events.push(event);
            if events.last().is_some_and(&is_last) {
                break;
            }
        }
        events
    }

    /// Waits until this many messages have been counted, understood or refused.
    fn wait_for(&self, messages: u64) {
        let until = Instant::now() + PATIENCE;
        let counted = || Counts::read(&self.counts.received) + Counts::read(&self.counts.refused);
        while counted() < messages && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(2));
        }
        assert_eq!(counted(), messages);
    }
}

fn message(address: &str, value: f32) -> Vec<u8> {
    let mut out = address.as_bytes().to_vec();
    out.resize((out.len() + 1).next_multiple_of(4), 0);
    out.extend(b",f\0\0");
    out.extend(value.to_be_bytes());
    out
}

fn bundle(parts: &[Vec<u8>]) -> Vec<u8> {
    let mut out = b"#bundle\0\0\0\0\0\0\0\0\x01".to_vec();
    for part in parts {
        out.extend((part.len() as u32).to_be_bytes());
        out.extend(part);
    }
    out
}

#[test]
fn unknown_addresses_never_reach_the_show() {
    let rig = Rig::new();
    let socket = rig.socket();
    let shapes: Vec<Vec<u8>> = (0..100).map(|i| message(&format!("/avatar/parameters/v2/Shape{i}"), 0.5)).collect();
    let started = Instant::now();
    // One after another: a socket loses what nobody reads in time.
    for i in 1..=60 {
        socket.send(&bundle(&shapes)).expect("the loopback takes it");
        rig.wait_for(100 * i);
    }
    socket.send(&message("/1/fader", 0.25)).expect("sent");
    rig.wait_for(6001);
    // A message is counted before its event is in the queue; the last one ends the wait.
    let (notices, events): (Vec<_>, Vec<_>) = rig
        .events_until(|event| matches!(event, Event::Unknown { .. }))
        .into_iter()
        .partition(|event| matches!(event, Event::Notice(_)));
    let alias = Event::Unknown { address: "/1/fader".to_owned(), value: Value::Float(0.25), source: Source::Osc };
    assert_eq!(events, [alias], "an alias of the preset still plays");
    // One a second.
    assert!(!notices.is_empty() && notices.len() as u64 <= 2 + started.elapsed().as_secs(), "{notices:?}");
    assert_eq!(Counts::read(&rig.counts.refused), 6000);
}

#[test]
fn a_flood_evicts_nobody_elses_messages() {
    let rig = Rig::new();
    let (player, flooder) = (rig.socket(), rig.socket());
    for i in 0..10 {
        player.send(&message("/psi", i as f32 / 10.0)).expect("sent");
    }
    rig.wait_for(10);
    // Nobody reads the queue.
    let many = bundle(&vec![message("/z/1", 0.5); 1000]);
    for i in 1..=20 {
        flooder.send(&many).expect("the loopback takes it");
        rig.wait_for(10 + 1000 * i);
    }
    assert!(Counts::read(&rig.counts.dropped) > 0, "the flood was larger than its lane");
    let writes = |id: Id, event: &Event| matches!(event, Event::Write(write) if write.target.id == id);
    // Messages are handled in order: once the player's next one is here, so is everything before it.
    player.send(&message("/walk/speed", 0.5)).expect("sent");
    let mut events = rig.events_until(|event| writes(Id::WalkSpeed, event));
    events.pop();
    let psi: Vec<&Event> = events.iter().filter(|event| writes(Id::Psi, event)).collect();
    let expected: Vec<Event> = (0..10)
        .map(|i| Value::Float(f64::from(i as f32 / 10.0)))
        .map(|value| Event::Write(Write { target: Id::Psi.into(), value, source: Source::Osc }))
        .collect();
    assert_eq!(psi, expected.iter().collect::<Vec<_>>());
    assert!(events.len() <= 10 + 2 * QUEUE, "and the flood itself is bounded");
}

/// A browser asks for an address that does not exist: the search for the nearest one is not in the frame, but on `osc`.
#[test]
fn questions_about_unknown_addresses_are_reported() {
    let mut rig = Rig::new();
    let socket = rig.socket();
    socket.send(b"/get\0\0\0\0,s\0\0/psy\0\0\0\0").expect("sent");
    rig.wait_for(1);
    let until = Instant::now() + PATIENCE;
    let line = std::iter::from_fn(|| {
        let params = Params::default();
        let (mapping, feeds) = (&rig.mapping, Feeds::default());
        let (dims, scene) = (Dims::default(), Scene::default());
        let snapshot = Snapshot { params: &params, feeds, mapping, preset: None, dims, scene };
        latent_jockey::control::Listener::publish(&mut rig.feedback, &snapshot, 0.01);
        Some(rig.events.recv_timeout(Duration::from_millis(10)).ok())
    })
    .find(|event| event.is_some() || Instant::now() > until)
    .flatten();
    let expected = "no parameter /psy; did you mean \"/psi\"?";
    assert!(matches!(&line, Some(Event::Notice(line)) if line.ends_with(expected)), "{line:?}");
}
