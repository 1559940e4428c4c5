//! Are other programs' OSC messages understood and applied at the right time, and are questions answered?
//! Uses liblo's `oscsend` where it is installed; bundles with time tags come from rosc's encoder.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use crate::common::rig::PATIENCE;
use latent_jockey::control::mapping::{Mapping, MidiOptions, OscEntry};
use latent_jockey::control::osc::feeds::Feeds;
use latent_jockey::control::osc::{Feedback, Options, OscError, OscServer, Out};
use latent_jockey::control::query::Dims;
use latent_jockey::control::scene::Scene;
use latent_jockey::control::{Counts, Event, EventSender, Events, Listen, Listener, Snapshot, queue};
use latent_jockey::params::{Id, Params, Table, Value};
use rosc::{OscBundle, OscMessage, OscPacket, OscTime, OscType};

fn bind(sender: EventSender, counts: &Arc<Counts>) -> OscServer {
    OscServer::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), sender, counts.clone()).expect("a free port")
}

fn next(events: &Events) -> (String, Value) {
    match events.recv_timeout(PATIENCE).expect("an event") {
        Event::Write(write) => (write.target.to_string(), write.value),
        Event::Unknown { address, value, .. } => (address, value),
        other => panic!("{other:?}"),
    }
}

fn snapshot<'a>(params: &'a Params, feeds: Feeds, mapping: &'a Mapping) -> Snapshot<'a> {
    Snapshot { params, feeds, mapping, preset: None, dims: Dims::default(), scene: Scene::default() }
}

fn packet(address: &str, args: Vec<OscType>) -> OscPacket {
    OscPacket::Message(OscMessage { addr: address.to_owned(), args })
}

#[test]
fn oscsend_of_liblo_moves_parameters() {
    if Command::new("oscsend").output().is_err() {
        println!("skipped: oscsend not found");
        return;
    }
    let (sender, events) = queue();
    let server = bind(sender, &Arc::default());
    let port = server.local_addr().port().to_string();
    let table: &[(&[&str], &str, Value)] = &[
        (&["/psi", "f", "0.5"], "/psi", Value::Float(0.5)),
        (&["/psi", "d", "2.5"], "/psi", Value::Float(2.5)),
        (&["/seed", "i", "7"], "/seed", Value::Int(7)),
        (&["/seed", "h", "4000000000"], "/seed", Value::Int(4_000_000_000)),
        (&["/freeze", "T"], "/freeze", Value::Bool(true)),
        (&["/freeze", "F"], "/freeze", Value::Bool(false)),
        (&["/tap", "N"], "/tap", Value::Nothing),
        (&["/tap", "I"], "/tap", Value::Nothing),
        (&["/tap"], "/tap", Value::Nothing),
        (&["/walk/kind", "s", "loop"], "/walk/kind", Value::Text("loop".to_owned())),
        (&["/walk/kind", "S", "line"], "/walk/kind", Value::Text("line".to_owned())),
        (&["/walk/kind", "c", "x"], "/walk/kind", Value::Text("x".to_owned())),
        (&["/z", "fff", "1", "-1", "0.5"], "/z", Value::List(vec![1.0, -1.0, 0.5])),
        (&["/z/3", "f", "1.5"], "/z/3", Value::Float(1.5)),
        (&["/latent-jockey/psi", "f", "0.25"], "/psi", Value::Float(0.25)),
        (&["/{psi,nothing}", "f", "0.75"], "/psi", Value::Float(0.75)),
        (&["/1/fader3", "f", "0.5"], "/1/fader3", Value::Float(0.5)),
        (&["/t", "ifsTFNI", "1", "2.5", "hello"], "/t", Value::Int(1)),
        (&["/d", "dhcm", "2.5", "5000000000", "x", "90404000"], "/d", Value::Float(2.5)),
    ];
    for (arguments, address, value) in table {
        assert!(Command::new("oscsend").args(["127.0.0.1", &port]).args(*arguments).status().unwrap().success());
        assert_eq!(next(&events), ((*address).to_owned(), value.clone()), "oscsend {arguments:?}");
    }
}

#[test]
fn bundles_wait_for_their_time() {
    let (sender, events) = queue();
    let counts = Arc::default();
    let server = bind(sender, &counts);
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let send = |ahead: Duration, address: &str| {
        let timetag = OscTime::try_from(SystemTime::now() + ahead).unwrap();
        let content = vec![packet(address, vec![OscType::Float(1.0)])];
        let bytes = rosc::encoder::encode(&OscPacket::Bundle(OscBundle { timetag, content })).unwrap();
        socket.send_to(&bytes, server.local_addr()).unwrap();
    };
    // Where the machine stops one of us for longer than that, all may be due at once: then they are sent again.
    let is_in_order = || {
        let started = Instant::now();
        send(Duration::from_millis(400), "/later");
        send(Duration::from_millis(200), "/sooner");
        send(Duration::ZERO, "/now");
        let arrivals = [(); 3].map(|()| (next(&events).0, started.elapsed().as_millis()));
        for (address, at_ms) in &arrivals {
            let least = [("/sooner", 190), ("/later", 390)].iter().find(|(late, _)| late == address);
            assert!(least.is_none_or(|(_, ms)| at_ms >= ms), "{arrivals:?}");
        }
        arrivals.map(|(address, _)| address) == ["/now", "/sooner", "/later"]
    };
    assert!((0..20).any(|_| is_in_order()), "never in the order of their times");
    // A clock an hour ahead: applied at once, counted, and reported.
    send(Duration::from_secs(3600), "/foreign");
    assert_eq!(next(&events).0, "/foreign");
    assert_eq!(Counts::read(&counts.foreign_clock), 1);
    let line = "OSC: the time tags of 127.0.0.1 are 60 minutes ahead of our clock, so its messages are applied at once";
    assert_eq!(events.recv_timeout(PATIENCE), Ok(Event::Notice(line.to_owned())));
}

fn tagged(ahead: Duration, address: &str) -> Vec<u8> {
    let timetag = OscTime::try_from(SystemTime::now() + ahead).expect("a time");
    let content = vec![packet(address, vec![OscType::Float(1.0)])];
    rosc::encoder::encode(&OscPacket::Bundle(OscBundle { timetag, content })).expect("a bundle")
}

fn start(listen: Listen, ignores_tags: bool, outs: &[String]) -> (OscServer, Events) {
    let (events, queue) = queue();
    let outs = outs.iter().map(|out| Out::parse(out).expect("a receiver")).collect();
    (
        OscServer::start(Options { listen, ignores_tags, outs, events, counts: Arc::default() }).expect("a free port"),
        queue,
    )
}

/// A phone's clock is two seconds ahead.
#[test]
fn a_clock_that_is_ahead_is_reported_or_ignored() {
    let here = Listen::Loopback { port: 0 };
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let (server, events) = start(here, false, &[]);
    let sent = Instant::now();
    for _ in 0..2 {
        socket.send_to(&tagged(Duration::from_secs(4), "/psi"), server.local_addr()).unwrap();
    }
    let Ok(Event::Notice(line)) = events.recv_timeout(PATIENCE) else { panic!("no line") };
    let ahead = line.strip_prefix("OSC: the time tags of 127.0.0.1 are ").and_then(|rest| rest.split_once(' '));
    let (secs, rest) = ahead.expect(&line);
    // As long as they have left when they are read.
    assert!(secs.parse::<f64>().is_ok_and(|secs| secs > 0.0 && secs <= 4.0), "{line}");
    let expected = "s ahead of our clock, so its messages wait that long: set its clock, or ignore time tags with \
                    --osc-ignore-time-tags";
    assert_eq!(rest, expected);
    // Said once, and the messages wait.
    assert_eq!([next(&events).0, next(&events).0], ["/psi", "/psi"]);
    assert!(sent.elapsed() > Duration::from_millis(3900), "{:?}", sent.elapsed());

    let (server, events) = start(here, true, &[]);
    let is_at_once = || {
        let sent = Instant::now();
        socket.send_to(&tagged(Duration::from_secs(4), "/psi"), server.local_addr()).unwrap();
        let event = events.recv_timeout(PATIENCE);
        assert!(matches!(event, Ok(Event::Write(_))), "{event:?}");
        sent.elapsed() < Duration::from_secs(3)
    };
    assert!((0..5).any(|_| is_at_once()), "the time tag counts");
}

/// Programs understand `localhost` as either loopback.
#[test]
fn both_loopbacks_are_heard_and_answered() {
    let (server, events) = start(Listen::Loopback { port: 0 }, false, &[]);
    let Ok(client) = UdpSocket::bind((std::net::Ipv6Addr::LOCALHOST, 0)) else {
        assert_eq!(server.addresses().len(), 1, "a machine without IPv6");
        return;
    };
    let [four, six] = server.addresses() else { panic!("{:?}", server.addresses()) };
    assert!(four.is_ipv4() && six.is_ipv6() && four.port() == six.port());
    let bytes = rosc::encoder::encode(&packet("/psi", vec![OscType::Float(0.5)])).unwrap();
    client.send_to(&bytes, six).unwrap();
    assert_eq!(next(&events), ("/psi".to_owned(), Value::Float(0.5)));
    UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().send_to(&bytes, four).unwrap();
    assert_eq!(next(&events), ("/psi".to_owned(), Value::Float(0.5)));
    let question = rosc::encoder::encode(&packet("/get", vec![OscType::String("/psi".to_owned())])).unwrap();
    client.send_to(&question, six).unwrap();
    client.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    let (mut feedback, params, mapping) = (server.feedback(), Params::default(), Mapping::default());
    let until = Instant::now() + PATIENCE;
    let from = loop {
        feedback.step(&snapshot(&params, Feeds::default(), &mapping), 0.01);
        if let Ok((_, from)) = client.recv_from(&mut [0; 4096]) {
            break from;
        }
        assert!(Instant::now() < until, "no answer over ::1");
    };
    assert_eq!(from, *six, "answers come from the port that listens");
    let (server, _events) = start(Listen::At((Ipv4Addr::LOCALHOST, 0).into()), false, &[]);
    assert_eq!(server.addresses().len(), 1, "an address that was given is the only one");
}

/// TouchOSC and Lemur listen on a port of their own.
#[test]
fn changes_go_to_the_port_that_a_client_names() {
    let (server, _events) = start(Listen::Loopback { port: 0 }, false, &[]);
    let (mut feedback, mut params, mapping) = (server.feedback(), Params::default(), Mapping::default());
    let [asking, listening] = [(); 2].map(|()| UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap());
    listening.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    asking.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    let port = OscType::Int(listening.local_addr().unwrap().port().into());
    let ask = |address: &str, args: Vec<OscType>| {
        asking.send_to(&rosc::encoder::encode(&packet(address, args)).unwrap(), server.local_addr()).unwrap();
    };
    let mut step = |params: &Params| feedback.step(&snapshot(params, Feeds::default(), &mapping), 0.01);
    ask("/subscribe", vec![OscType::String("/psi".to_owned()), port.clone()]);
    let (until, mut value) = (Instant::now() + PATIENCE, 0.0);
    let mut buffer = [0; 4096];
    let heard = loop {
        value += 0.01;
        params.write(Id::Psi.into(), &Value::Float(value)).unwrap();
        step(&params);
        if let Ok((len, from)) = listening.recv_from(&mut buffer) {
            assert_eq!(from, server.local_addr());
            break flat(rosc::decoder::decode_udp(&buffer[..len]).unwrap().1);
        }
        assert!(Instant::now() < until, "nothing came to the port that was named");
    };
    assert_eq!(heard[0].0, "/psi");
    assert!(asking.recv_from(&mut buffer).is_err(), "and nothing to the other");
    ask("/dump", vec![OscType::String("/walk/speed".to_owned()), port.clone()]);
    let dumped = loop {
        step(&params);
        if let Ok((len, _)) = listening.recv_from(&mut buffer) {
            break flat(rosc::decoder::decode_udp(&buffer[..len]).unwrap().1);
        }
        assert!(Instant::now() < until, "no dump came");
    };
    assert_eq!(dumped[0].0, "/walk/speed");
    ask("/unsubscribe", vec![port]);
    // Queued behind it: once this is answered, the other has been handled.
    ask("/get", vec![OscType::String("/psi".to_owned())]);
    while asking.recv_from(&mut buffer).is_err() {
        step(&params);
        assert!(Instant::now() < until, "no answer");
    }
    params.write(Id::Psi.into(), &Value::Float(-1.0)).unwrap();
    step(&params);
    assert!(listening.recv_from(&mut buffer).is_err(), "unsubscribed");
}

#[test]
fn receivers_are_sent_everything_without_asking() {
    let client = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    client.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    let to = client.local_addr().unwrap();
    let mut mapping = Mapping::new(&[], &[OscEntry::plain("/1/fader".to_owned(), Id::Psi.into())]);
    let mut params = Params::default();
    let heard = || {
        let (mut buffer, mut all) = ([0; 65_536], Vec::new());
        while let Ok((len, _)) = client.recv_from(&mut buffer) {
            all.extend(flat(rosc::decoder::decode_udp(&buffer[..len]).unwrap().1));
        }
        all
    };
    // From the command line.
    let (server, _events) = start(Listen::Loopback { port: 0 }, false, &[to.to_string()]);
    let mut feedback = server.feedback();
    let step = |feedback: &mut Feedback, params: &Params, mapping: &Mapping| {
        feedback.publish(&snapshot(params, Feeds::default(), mapping), 100.0);
    };
    // A frame sends some hundred messages at most.
    let mut first = Vec::new();
    loop {
        step(&mut feedback, &params, &mapping);
        let more = heard();
        if more.is_empty() {
            break;
        }
        first.extend(more);
    }
    for address in ["/psi", "/1/fader", "/walk/kind", "/preset", "/beat"] {
        assert!(first.iter().any(|(known, _)| known == address), "{address} is not among {first:?}");
    }
    step(&mut feedback, &params, &mapping);
    assert_eq!(heard(), [], "nothing has changed");
    params.write(Id::Psi.into(), &Value::Float(0.25)).unwrap();
    step(&mut feedback, &params, &mapping);
    let quarter = vec![OscType::Float(0.25)];
    assert_eq!(
        heard(),
        [("/psi".to_owned(), quarter.clone()), ("/1/fader".to_owned(), quarter)],
        "long after a minute"
    );

    // From a preset, and only below its addresses.
    let (server, _events) = start(Listen::Loopback { port: 0 }, false, &[]);
    let mut feedback = server.feedback();
    let mut out = Out::parse(&to.to_string()).unwrap();
    out.prefixes = vec!["/walk".to_owned(), "/psi".to_owned()];
    mapping.set_outs(&[out]);
    step(&mut feedback, &params, &mapping);
    let first = heard();
    assert!(first.iter().any(|(known, _)| known == "/walk/speed") && first.iter().any(|(known, _)| known == "/psi"));
    assert!(first.iter().all(|(known, _)| known.starts_with("/walk/") || known.starts_with("/psi")), "{first:?}");
    mapping.set_outs(&[]);
    params.write(Id::Psi.into(), &Value::Float(0.5)).unwrap();
    step(&mut feedback, &params, &mapping);
    assert_eq!((heard(), feedback.subscribers()), (Vec::new(), 0), "another preset");
}

/// What a person types who does not know OSC yet.
#[test]
fn mistakes_in_an_address_are_explained() {
    let (server, events) = start(Listen::Loopback { port: 0 }, false, &[]);
    let (mut feedback, params, mapping) = (server.feedback(), Params::default(), Mapping::default());
    feedback.step(&snapshot(&params, Feeds::default(), &mapping), 0.01);
    for (bytes, expected) in [
        (&b"psi\0,f\0\0\x3f\0\0\0"[..], "no address psi: OSC addresses begin with a slash, as in /psi"),
        (b"/psi 0.9\0\0\0\0", "no parameter /psi 0.9: the value goes behind the address"),
        (b"/psi/0.9\0\0\0\0", "no parameter /psi/0.9: the value goes behind the address"),
    ] {
        // A sender for each, as they are shown one a second.
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        socket.send_to(bytes, server.local_addr()).unwrap();
        let event = events.recv_timeout(PATIENCE);
        assert!(matches!(&event, Ok(Event::Notice(line)) if line.contains(expected)), "{event:?}");
    }
}

#[test]
fn questions_are_answered_and_changes_reported() {
    let (sender, _events) = queue();
    let server = bind(sender, &Arc::default());
    let mut feedback = server.feedback();
    let mut params = Params::default();
    let client = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    client.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    let ask = |address: &str, args| {
        let bytes = rosc::encoder::encode(&packet(address, args)).unwrap();
        client.send_to(&bytes, server.local_addr()).unwrap();
    };
    let text = |text: &str| vec![OscType::String(text.to_owned())];
    let ranged = "'/1/fader' = { to = '/psi', range = [0, 2], invert = true }";
    let ranged: BTreeMap<String, MidiOptions> = toml::from_str(ranged).unwrap();
    let aliases: Vec<OscEntry> =
        ranged.iter().map(|(address, options)| OscEntry::new(address, options, Table::built_in()).unwrap()).collect();
    let mapping = Mapping::new(&[], &aliases);
    let mut feeds = Feeds { beat: 7.2, fps: 24.5, ..Feeds::default() };
    // Frames continue until an answer arrives.
    let heard = |feedback: &mut Feedback, (params, feeds): (&Params, Feeds)| {
        let mut buffer = [0; 65_536];
        for frame in 0..3000 {
            // Time stands while it is the machine that is waited for: nothing must expire.
            let dt = if frame < 100 { 1.0 / 60.0 } else { 0.0 };
            feedback.step(&snapshot(params, feeds, &mapping), dt);
            if let Ok((len, from)) = client.recv_from(&mut buffer) {
                assert_eq!(from, server.local_addr(), "answers come from the port that listens");
                return flat(rosc::decoder::decode_udp(&buffer[..len]).unwrap().1);
            }
        }
        Vec::new()
    };
    let said = |address: &str, arg: OscType| (address.to_owned(), vec![arg]);

    for (asked, answer) in [
        ("/psi", said("/psi", OscType::Float(0.7))),
        ("/latent-jockey/psi", said("/psi", OscType::Float(0.7))),
        ("/walk/kind", said("/walk/kind", OscType::String("drift".to_owned()))),
        ("/beat", said("/beat", OscType::Int(7))),
        ("/latent-jockey/fps", said("/fps", OscType::Float(24.5))),
        ("/1/fader", said("/1/fader", OscType::Float(0.65))),
    ] {
        ask("/get", text(asked));
        assert_eq!(heard(&mut feedback, (&params, feeds)), [answer], "/get {asked}");
    }
    // What plays, where modulation moves a value: the value itself stays.
    params.modulate(&[(Id::Psi.into(), 0.1)]);
    for (asked, answer) in [
        ("/psi", said("/effective/psi", OscType::Float(1.0))),
        ("/walk/speed", said("/effective/walk/speed", OscType::Float(0.25))),
        ("/walk/kind", said("/effective/walk/kind", OscType::String("drift".to_owned()))),
    ] {
        ask("/get/effective", text(asked));
        assert_eq!(heard(&mut feedback, (&params, feeds)), [answer], "/get/effective {asked}");
    }
    ask("/get", text("/psi"));
    assert_eq!(heard(&mut feedback, (&params, feeds)), [said("/psi", OscType::Float(0.7))]);
    params.modulate(&[]);
    ask("/dump", text("/walk"));
    let walk = heard(&mut feedback, (&params, feeds));
    assert!(walk.iter().all(|(address, _)| address.starts_with("/walk/")) && walk.len() >= 4, "{walk:?}");
    assert!(walk.contains(&("/walk/kind".to_owned(), text("drift"))));
    // Unknown addresses are named.
    ask("/get", text("/nothing"));
    let waited = Instant::now();
    let step =
        |feedback: &mut Feedback, params: &Params, feeds, dt| feedback.step(&snapshot(params, feeds, &mapping), dt);
    while step(&mut feedback, &params, feeds, 0.0).map(|(address, _)| address).as_deref() != Some("/nothing") {
        assert!(waited.elapsed() < PATIENCE, "the wrong address was not told");
    }

    let subscribe = |feedback: &mut Feedback, params: &Params, feeds, address: &str, args| {
        ask(address, args);
        // Queued behind it: once this is answered, the other has been handled.
        ask("/get", text("/tempo"));
        assert_eq!(heard(feedback, (params, feeds)), [("/tempo".to_owned(), vec![OscType::Float(120.0)])]);
    };
    subscribe(&mut feedback, &params, feeds, "/latent-jockey/subscribe", vec![]);
    assert_eq!(feedback.subscribers(), 1);
    params.write(Id::Psi.into(), &Value::Float(1.5)).unwrap();
    let both = [said("/psi", OscType::Float(1.5)), said("/1/fader", OscType::Float(0.25))];
    assert_eq!(heard(&mut feedback, (&params, feeds)), both, "an alias follows its parameter");
    params.write(Id::Freeze.into(), &Value::Bool(true)).unwrap();
    assert_eq!(heard(&mut feedback, (&params, feeds)), [said("/freeze", OscType::Int(1))]);
    params.set_text(Id::Preset, "3-weave");
    assert_eq!(heard(&mut feedback, (&params, feeds)), [("/preset".to_owned(), text("3-weave"))]);
    params.write(Id::ZVector.into(), &Value::List(vec![1.0, 2.0])).unwrap();
    let z = vec![OscType::Float(1.0), OscType::Float(2.0)];
    assert_eq!(heard(&mut feedback, (&params, feeds)), [("/z".to_owned(), z)]);
    feeds.beat = 8.0;
    assert_eq!(heard(&mut feedback, (&params, feeds)), [said("/beat", OscType::Int(8))]);

    // It expires unless renewed; renewing does not add a second subscription.
    step(&mut feedback, &params, feeds, 40.0);
    subscribe(&mut feedback, &params, feeds, "/subscribe", text("/"));
    assert_eq!(feedback.subscribers(), 1);
    step(&mut feedback, &params, feeds, 40.0);
    assert_eq!(feedback.subscribers(), 1, "renewed");
    step(&mut feedback, &params, feeds, 21.0);
    assert_eq!(feedback.subscribers(), 0, "expired");

    // Only addresses below the prefix.
    subscribe(&mut feedback, &params, feeds, "/subscribe", text("/latent-jockey/walk"));
    params.write(Id::Psi.into(), &Value::Float(0.5)).unwrap();
    params.write(Id::WalkSpeed.into(), &Value::Float(1.0)).unwrap();
    assert_eq!(heard(&mut feedback, (&params, feeds)), [said("/walk/speed", OscType::Float(1.0))]);
    subscribe(&mut feedback, &params, feeds, "/unsubscribe", vec![]);
    assert_eq!(feedback.subscribers(), 0);
}

fn flat(packet: OscPacket) -> Vec<(String, Vec<OscType>)> {
    match packet {
        OscPacket::Message(message) => vec![(message.addr, message.args)],
        OscPacket::Bundle(bundle) => bundle.content.into_iter().flat_map(flat).collect(),
    }
}

#[test]
fn a_taken_port_is_reported_with_its_owner() {
    let (sender, _events) = queue();
    let server = bind(sender.clone(), &Arc::default());
    let error = OscServer::bind(server.local_addr(), sender.clone(), Arc::default()).err().expect("the port is taken");
    assert!(matches!(error, OscError::Taken { .. }));
    if cfg!(target_os = "linux") {
        assert!(error.to_string().contains(&format!("(process {})", std::process::id())), "{error}");
    }
    // Dropping the server frees the port.
    let address = server.local_addr();
    drop(server);
    assert!(OscServer::bind(address, sender, Arc::default()).is_ok());
}

#[test]
fn dumps_are_rate_limited_per_sender() {
    let (sender, _events) = queue();
    let counts = Arc::default();
    let server = bind(sender, &counts);
    let mut feedback = server.feedback();
    let dump = rosc::encoder::encode(&packet("/dump", vec![OscType::String("/psi".to_owned())])).unwrap();
    let clients = [(); 2].map(|()| UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap());
    for _ in 0..40 {
        clients[0].send_to(&dump, server.local_addr()).unwrap();
    }
    clients[1].send_to(&dump, server.local_addr()).unwrap();
    let end = Instant::now() + PATIENCE;
    while Counts::read(&counts.received) < 41 && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(5));
    }
    let (params, feeds, mapping) = (Params::default(), Feeds::default(), Mapping::default());
    feedback.step(&snapshot(&params, feeds, &mapping), 0.0);
    assert!(Counts::read(&counts.dropped) > 20, "{counts:?}");
    clients[1].set_read_timeout(Some(PATIENCE)).unwrap();
    assert!(clients[1].recv_from(&mut [0; 65_536]).is_ok(), "the other is answered");
}
