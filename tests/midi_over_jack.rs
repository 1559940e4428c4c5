//! Are MIDI ports over JACK opened, lost and found again, and do their messages arrive? A private JACK server stands in for
//! controllers and hubs. A file of its own, so that CI can build it with the window, in the only build that has JACK.
#![cfg(feature = "jack")]
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "helpers of tests")]

use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use latent_jockey::control::lights::Lights;
use latent_jockey::control::mapping::Mapping;
use latent_jockey::control::midi::{Kind, Message, MidiInputs, MidiOutputs, PortRule, Profiles};
use latent_jockey::control::{Counts, Event, Events, queue};
use latent_jockey::params::{Id, Params};
use midir::os::unix::{VirtualInput, VirtualOutput};
use midir::{MidiInput, MidiInputConnection, MidiOutput, MidiOutputConnection};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

const SERVER: &str = "JACK_DEFAULT_SERVER";

#[test]
fn controllers_come_and_go() {
    run_with_jack("they_come_and_go");
}

#[test]
fn an_event_may_hold_several_messages() {
    run_with_jack("several_messages_in_an_event");
}

#[test]
fn a_port_that_returns_everything_plays_nothing() {
    run_with_jack("a_loop_settles");
}

/// The server's name must be in the environment before JACK's library starts: the test binary runs once more.
fn run_with_jack(test: &str) {
    if Command::new("jackd").arg("--version").output().is_err() {
        println!("skipped: jackd not found");
        return;
    }
    let own = std::env::current_exe().unwrap();
    let output = Command::new(own)
        .args(["--exact", test, "--ignored", "--nocapture"])
        .env(SERVER, format!("latent-jockey-{test}"))
        .env("JACK_NO_START_SERVER", "1")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    print!("{text}{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success());
    assert!(text.contains("1 passed"), "{test} is no test");
}

struct Server(Child);

impl Server {
    fn start() -> Server {
        let name = std::env::var(SERVER).expect("set by the test that started this one");
        let child = Command::new("jackd")
            .args(["-r", "-p", "128", "-n", &name, "-d", "dummy", "-r", "48000", "-p", "512"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("jackd starts");
        Server(child)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // SIGTERM, not SIGKILL: JACK has eight server slots per machine, and a killed server keeps its slot.
        let _ = kill(Pid::from_raw(self.0.id() as i32), Signal::SIGTERM);
        let _ = self.0.wait();
    }
}

fn controller(name: &str) -> MidiOutputConnection {
    let until = Instant::now() + PATIENCE;
    loop {
        match MidiOutput::new(name) {
            Ok(output) => return output.create_virtual("out").expect("a port of our own"),
            Err(error) if Instant::now() > until => panic!("{error}"),
            Err(_) => std::thread::sleep(Duration::from_millis(100)),
        }
    }
}

fn await_notice(events: &Events, wanted: &str) {
    let until = Instant::now() + PATIENCE;
    let mut seen = Vec::new();
    while let Ok(event) = events.recv_deadline(until) {
        if matches!(&event, Event::Notice(text) | Event::Fault { line: text, .. } if text.contains(wanted)) {
            return;
        }
        seen.push(event);
    }
    panic!("no notice with {wanted:?} in {seen:?}");
}

fn next_message(events: &Events) -> Message {
    let until = Instant::now() + PATIENCE;
    loop {
        match events.recv_deadline(until).expect("a message") {
            Event::Midi(message) => return message,
            other => drop(other),
        }
    }
}

#[test]
#[ignore = "started by an_event_may_hold_several_messages"]
fn several_messages_in_an_event() {
    let server = Server::start();
    let mut keys = controller("Keys");
    let (sender, events) = queue();
    let inputs = MidiInputs::start(PortRule::default(), sender, Arc::new(Counts::default()));
    await_notice(&events, "Keys:out is connected");
    port_of(&mut keys, 1, &events);
    while events.try_recv().is_ok() {}
    // Running status, a clock in a message, SysEx between two of them.
    keys.send(&[0xb0, 16, 1, 16, 2, 17, 0xf8, 3, 0xf0, 0x7e, 1, 0xf7, 0x95, 60, 100, 60, 0]).unwrap();
    keys.send(&[0xc0, 9]).unwrap();
    let control = |controller, value| Kind::ControlChange { controller, value };
    let heard: Vec<Kind> = (0..7).map(|_| next_message(&events).kind).collect();
    let note = [Kind::NoteOn { note: 60, velocity: 100 }, Kind::NoteOff { note: 60 }];
    let expected = [control(16, 1), control(16, 2), Kind::Clock, control(17, 3), note[0], note[1]];
    assert_eq!(heard[..6], expected);
    assert_eq!(heard[6], Kind::ProgramChange { program: 9 });
    drop((inputs, keys, server));
}

/// Sends a controller's message until it is heard: a port that was just connected may lose the first ones.
fn port_of(controller: &mut MidiOutputConnection, value: u8, events: &Events) -> u8 {
    for _ in 0..30 {
        controller.send(&[0xb0, 3, value]).unwrap();
        let until = Instant::now() + Duration::from_millis(300);
        while let Ok(event) = events.recv_deadline(until) {
            let Event::Midi(message) = event else { continue };
            if message.kind == (Kind::ControlChange { controller: 3, value }) {
                std::thread::sleep(Duration::from_millis(50));
                return message.port;
            }
        }
    }
    panic!("nothing is heard of {value}");
}

/// A controller that returns what it is sent, and can be touched.
struct Loop {
    out: Arc<Mutex<MidiOutputConnection>>,
    /// What it was sent so far.
    sent: Arc<AtomicUsize>,
    _in: MidiInputConnection<()>,
}

impl Loop {
    fn new(name: &str) -> Loop {
        let (out, sent) = (Arc::new(Mutex::new(controller(name))), Arc::new(AtomicUsize::new(0)));
        let (returns, count) = (out.clone(), sent.clone());
        let back = move |_: u64, bytes: &[u8], (): &mut ()| {
            count.fetch_add(1, Ordering::Relaxed);
            returns.lock().unwrap().send(bytes).unwrap();
        };
        let _in = MidiInput::new(name).unwrap().create_virtual("in", back, ()).expect("a port of our own");
        Loop { out, sent, _in }
    }

    fn touch(&self, bytes: &[u8]) {
        self.out.lock().unwrap().send(bytes).unwrap();
    }
}

/// As much of the show as it takes: messages move parameters, and lights follow them.
struct Player {
    events: Events,
    profiles: Arc<Profiles>,
    outputs: MidiOutputs,
    mapping: Mapping,
    lights: Lights,
    params: Params,
    messages: usize,
    notices: Vec<String>,
    /// Every write, as text.
    writes: Vec<String>,
}

impl Player {
    fn play(&mut self, secs: f64) {
        let frame = Duration::from_millis(16);
        for _ in 0..(secs / frame.as_secs_f64()) as usize {
            std::thread::sleep(frame);
            for event in self.events.try_iter().collect::<Vec<_>>() {
                match &event {
                    Event::MidiPort { port, name, open } => {
                        let profile = self.profiles.of_port(name).filter(|_| *open);
                        self.mapping.set_profile(*port, profile.map(|profile| profile.entries()));
                        self.lights.set_profile(*port, profile);
                    }
                    Event::Notice(text) | Event::Fault { line: text, .. } => self.notices.push(text.clone()),
                    Event::Midi(message) => {
                        self.messages += 1;
                        self.lights.heard(message);
                        let mut writes = Vec::new();
                        self.mapping.apply(&event, &self.params, &mut writes);
                        for write in writes {
                            self.params.write(write.target, &write.value).unwrap();
                            self.writes.push(format!("{} {}", write.target, write.value));
                        }
                    }
                    _ => {}
                }
            }
            let board = self.outputs.board();
            let preset = self.writes.iter().rev().find_map(|write| write.strip_prefix("/preset ")?.parse().ok());
            self.lights.step(frame.as_secs_f64(), &self.params, &self.mapping, preset.or(Some(1)), &board);
        }
    }
}

#[test]
#[ignore = "started by a_port_that_returns_everything_plays_nothing"]
fn a_loop_settles() {
    let server = Server::start();
    let apc = Loop::new("APC MINI");
    let (sender, events) = queue();
    let counts = Arc::new(Counts::default());
    let inputs = MidiInputs::start(PortRule::default(), sender.clone(), counts.clone());
    let profiles = Arc::new(Profiles::shipped());
    let outputs = MidiOutputs::start(&inputs, profiles.clone(), PortRule::default(), sender, counts);
    let mut player = Player {
        events,
        profiles,
        outputs,
        mapping: Mapping::default(),
        lights: Lights::default(),
        params: Params::default(),
        messages: 0,
        notices: Vec::new(),
        writes: Vec::new(),
    };
    let sent = || apc.sent.load(Ordering::Relaxed);
    player.play(4.0);
    assert!(sent() > 40, "it was lit: {} messages", sent());
    assert_eq!((player.messages, player.writes.len()), (0, 0), "{:?}", player.writes);
    let before = sent();
    player.play(1.0);
    assert_eq!(sent() - before, 0, "messages a second");
    let told = player.notices.iter().filter(|notice| notice.contains("sends back")).count();
    assert_eq!(told, 1, "{:?}", player.notices);

    // Real touches play, once each: a preset, and a switch that is pressed several times.
    let press = |note| {
        apc.touch(&[0x90, note, 127]);
        apc.touch(&[0x80, note, 127]);
    };
    press(57);
    player.play(1.0);
    assert_eq!(player.writes, ["/preset 2"]);
    for on in [true, false, true] {
        press(38);
        player.play(0.15);
        assert_eq!(player.params.base(Id::Freeze) != 0.0, on);
    }
    player.play(1.0);
    assert_eq!(player.writes.len(), 4, "{:?}", player.writes);
    // A touch with the very value of the light: the pad's light is 1.
    apc.touch(&[0x90, 58, 5]);
    player.play(0.1);
    assert_eq!(player.writes.last().unwrap(), "/preset 3");
    player.play(1.0);
    let (before, messages) = (sent(), player.messages);
    player.play(1.0);
    assert_eq!((sent() - before, player.messages - messages), (0, 0), "messages a second");
    assert_eq!(player.writes.len(), 5, "{:?}", player.writes);
    drop((player, inputs, apc, server));
}

#[test]
#[ignore = "started by controllers_come_and_go"]
fn they_come_and_go() {
    let server = Server::start();
    let mut nano = controller("nanoKONTROL2");
    let (sender, events) = queue();
    let inputs = MidiInputs::start(PortRule::default(), sender, Arc::new(Counts::default()));
    await_notice(&events, "nanoKONTROL2:out is connected");
    assert!(inputs.names().list().iter().any(|name| name == "nanoKONTROL2:out"));

    port_of(&mut nano, 0, &events);
    while events.try_recv().is_ok() {}
    let mut latencies = Vec::new();
    for value in 0..128 {
        let sent = Instant::now();
        nano.send(&[0xb0, 16, value]).unwrap();
        let message = next_message(&events);
        latencies.push(sent.elapsed());
        assert_eq!(message.kind, Kind::ControlChange { controller: 16, value });
    }
    latencies.sort();
    println!("sent to event: median {:?}, longest {:?}", latencies[64], latencies[127]);
    let number = {
        nano.send(&[0x95, 60, 100]).unwrap();
        let message = next_message(&events);
        assert_eq!((message.channel, message.kind), (5, Kind::NoteOn { note: 60, velocity: 100 }));
        message.port
    };

    // A second one appears later and gets its own number.
    let mut twister = controller("Twister");
    await_notice(&events, "Twister:out is connected");
    let first = port_of(&mut twister, 1, &events);
    assert_ne!(first, number);

    // Unplugged and plugged in again: the same name, the same number.
    drop(nano);
    await_notice(&events, "nanoKONTROL2:out is gone");
    let mut nano = controller("nanoKONTROL2");
    await_notice(&events, "nanoKONTROL2:out is connected");
    assert_eq!(port_of(&mut nano, 2, &events), number);

    // Of two equal ones the first is pulled and comes back: each keeps its number.
    let mut second = controller("Twister");
    await_notice(&events, "Twister");
    let other = port_of(&mut second, 3, &events);
    assert!(![first, number].contains(&other));
    drop(twister);
    await_notice(&events, "Twister:out is gone");
    assert_eq!(port_of(&mut second, 4, &events), other);
    let mut twister = controller("Twister");
    await_notice(&events, "Twister:out is connected");
    assert_eq!(port_of(&mut twister, 5, &events), first);

    // A whole hub is unplugged, with two devices of the same kind on it.
    drop((nano, twister, second));
    for _ in 0..3 {
        await_notice(&events, "is gone");
    }
    let mut twister = controller("Twister");
    await_notice(&events, "Twister:out is connected");
    assert_eq!(port_of(&mut twister, 6, &events), first);
    drop((inputs, twister, server));
}
