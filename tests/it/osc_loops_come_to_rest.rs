//! Do two instruments that are subscribed to each other, or a client that returns all it hears, come to rest? What we sent
//! is no input when it comes back; a real hand still counts at once.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::common::rig::PATIENCE;
use latent_jockey::control::mapping::Mapping;
use latent_jockey::control::osc::feeds::Feeds;
use latent_jockey::control::osc::{Feedback, OscServer};
use latent_jockey::control::query::Dims;
use latent_jockey::control::scene::Scene;
use latent_jockey::control::{Counts, Event, Events, Snapshot, queue};
use latent_jockey::params::{Id, Params, Value};

/// An instrument without pictures.
struct Instrument {
    server: OscServer,
    feedback: Feedback,
    events: Events,
    params: Params,
    mapping: Mapping,
    notices: Vec<String>,
}

impl Instrument {
    fn new() -> Instrument {
        let (sender, events) = queue();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let server = OscServer::bind(address, sender, Arc::new(Counts::default())).expect("a free port");
        let feedback = server.feedback();
        let (params, mapping, notices) = (Params::default(), Mapping::default(), Vec::new());
        Instrument { server, feedback, events, params, mapping, notices }
    }

    fn port(&self) -> u16 {
        self.server.local_addr().port()
    }

    /// One frame; returns the writes that arrived.
    fn frame(&mut self) -> usize {
        let mut writes = 0;
        for event in self.events.try_iter() {
            match event {
                Event::Write(write) => {
                    self.params.write(write.target, &write.value).expect("a sensible write");
                    writes += 1;
                }
                Event::Notice(line) => self.notices.push(line),
                other => panic!("{other:?}"),
            }
        }
        let feeds = Feeds::default();
        let (dims, scene) = (Dims::default(), Scene::default());
        let snapshot = Snapshot { params: &self.params, feeds, mapping: &self.mapping, preset: None, dims, scene };
        self.feedback.step(&snapshot, 0.005);
        writes
    }

    fn set_psi(&mut self, value: f64) {
        self.params.write(Id::Psi.into(), &Value::Float(value)).expect("a number");
    }

    fn psi(&self) -> f64 {
        self.params.base(Id::Psi)
    }

    /// Has changes sent to this port, on behalf of whoever listens there.
    fn subscribe(&mut self, port: u16) {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let question = [&b"/subscribe\0\0,i\0\0\0\0"[..], &port.to_be_bytes()].concat();
        socket.send_to(&question, self.server.local_addr()).expect("sent");
        for _ in 0..12_000 {
            self.frame();
            if self.feedback.subscribers() == 1 {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        panic!("not subscribed");
    }
}

#[test]
fn two_instruments_that_hear_each_other_agree() {
    let (mut a, mut b) = (Instrument::new(), Instrument::new());
    a.subscribe(b.port());
    b.subscribe(a.port());
    // A fader moves on one of them; values are on their way in both directions all the time.
    for i in 0..100 {
        a.set_psi(f64::from(i) / 100.0);
        a.frame();
        std::thread::sleep(Duration::from_millis(2));
        b.frame();
        std::thread::sleep(Duration::from_millis(2));
    }
    let (mut quiet, until) = (0, Instant::now() + PATIENCE);
    while quiet < 150 {
        quiet = if a.frame() + b.frame() == 0 { quiet + 1 } else { 0 };
        assert!(Instant::now() < until, "messages long after the last move");
        std::thread::sleep(Duration::from_millis(2));
    }
    assert!((a.psi() - 0.99).abs() < 1e-6 && (b.psi() - 0.99).abs() < 1e-6, "{} and {}", a.psi(), b.psi());
    // A hand on the other one counts at once.
    b.set_psi(0.5);
    let until = Instant::now() + PATIENCE;
    while a.psi() != 0.5 && Instant::now() < until {
        b.frame();
        a.frame();
        std::thread::sleep(Duration::from_millis(2));
    }
    assert_eq!((a.psi(), b.psi()), (0.5, 0.5));
    let line = format!("OSC: 127.0.0.1:{} sends back what it receives; these echoes are ignored", b.port());
    assert_eq!(a.notices, [line], "said once");
}

/// It listens on one port, sends from another, and takes its time.
#[test]
fn a_client_that_returns_everything_moves_nothing() {
    let mut a = Instrument::new();
    let listening = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listening.set_nonblocking(true).expect("a socket");
    let sending = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    a.subscribe(listening.local_addr().expect("an address").port());
    let (mut flying, mut buffer, mut arrived) = (std::collections::VecDeque::new(), [0; 65_536], 0);
    for i in 0..200 {
        if i < 100 {
            a.set_psi(f64::from(i) / 100.0);
        }
        arrived += a.frame();
        while let Ok(len) = listening.recv(&mut buffer) {
            flying.push_back((i + 10, buffer[..len].to_vec()));
        }
        while let Some((_, bytes)) = flying.pop_front_if(|(at, _)| *at <= i) {
            sending.send_to(&bytes, a.server.local_addr()).expect("sent");
        }
        std::thread::sleep(Duration::from_millis(2));
        if i < 100 {
            assert!((a.psi() - f64::from(i) / 100.0).abs() < 1e-6, "{} after {i} moves", a.psi());
        }
    }
    assert_eq!(arrived, 0, "echoes were taken for input");
    // A touch of its own.
    sending.send_to(b"/psi\0\0\0\0,f\0\0\x3f\0\0\0", a.server.local_addr()).expect("sent");
    let until = Instant::now() + PATIENCE;
    while a.psi() != 0.5 && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(2));
        a.frame();
    }
    assert_eq!(a.psi(), 0.5);
}
