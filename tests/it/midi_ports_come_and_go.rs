//! Are MIDI ports opened, lost and found again, and do their messages arrive? Is a missing MIDI system reported just once?
//! With the feature `jack`, a private JACK server stands in for controllers and hubs.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::Receiver;
use latent_jockey::control::midi::{MidiInputs, PortRule};
use latent_jockey::control::{Counts, Event, queue};

fn notices(events: &Receiver<Event>, wait: Duration) -> Vec<String> {
    let until = Instant::now() + wait;
    let mut notices = Vec::new();
    while let Ok(event) = events.recv_deadline(until) {
        if let Event::Notice(text) = event {
            notices.push(text);
        }
    }
    notices
}

#[test]
fn no_midi_system_is_one_notice() {
    if latent_jockey::control::midi::ports().is_ok() {
        println!("skipped: this machine has a MIDI system");
        return;
    }
    let (sender, events) = queue();
    let started = Instant::now();
    let inputs = MidiInputs::start(PortRule::default(), sender, Arc::new(Counts::default()));
    // Long enough for several scans.
    let told = notices(&events, Duration::from_secs(3));
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].starts_with("no MIDI system: ") && told[0].ends_with("; going on without"), "{told:?}");
    assert_eq!(inputs.names().list(), Vec::<String>::new());
    drop(inputs);
    assert!(started.elapsed() < Duration::from_secs(4), "stops at once");
}

#[cfg(feature = "jack")]
mod jack {
    use std::process::{Child, Command, Stdio};

    use super::*;
    use latent_jockey::control::midi::{Kind, Message};
    use midir::os::unix::VirtualOutput;
    use midir::{MidiOutput, MidiOutputConnection};
    use nix::sys::signal::{Signal, kill};
    use nix::unistd::Pid;

    const SERVER: &str = "JACK_DEFAULT_SERVER";

    /// The server's name must be in the environment before JACK's library starts: the test runs itself once more.
    #[test]
    fn controllers_come_and_go() {
        if Command::new("jackd").arg("--version").output().is_err() {
            println!("skipped: jackd not found");
            return;
        }
        let own = std::env::current_exe().unwrap();
        let status = Command::new(own)
            .args(["--exact", "jack::with_a_server_of_our_own", "--ignored", "--nocapture"])
            .env(SERVER, "latent-jockey-test")
            .env("JACK_NO_START_SERVER", "1")
            .status();
        assert!(status.unwrap().success());
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
        let until = Instant::now() + Duration::from_secs(10);
        loop {
            match MidiOutput::new(name) {
                Ok(output) => return output.create_virtual("out").expect("a port of our own"),
                Err(error) if Instant::now() > until => panic!("{error}"),
                Err(_) => std::thread::sleep(Duration::from_millis(100)),
            }
        }
    }

    fn await_notice(events: &Receiver<Event>, wanted: &str) {
        let until = Instant::now() + Duration::from_secs(15);
        let mut seen = Vec::new();
        while let Ok(event) = events.recv_deadline(until) {
            if matches!(&event, Event::Notice(text) if text.contains(wanted)) {
                return;
            }
            seen.push(event);
        }
        panic!("no notice with {wanted:?} in {seen:?}");
    }

    fn next_message(events: &Receiver<Event>) -> Message {
        let until = Instant::now() + Duration::from_secs(5);
        loop {
            match events.recv_deadline(until).expect("a message within five seconds") {
                Event::Midi(message) => return message,
                other => drop(other),
            }
        }
    }

    #[test]
    #[ignore = "started by controllers_come_and_go"]
    fn with_a_server_of_our_own() {
        let server = Server::start();
        let mut nano = controller("nanoKONTROL2");
        let (sender, events) = queue();
        let inputs = MidiInputs::start(PortRule::default(), sender, Arc::new(Counts::default()));
        await_notice(&events, "nanoKONTROL2:out is connected");
        assert!(inputs.names().list().iter().any(|name| name == "nanoKONTROL2:out"));

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
        twister.send(&[0xb0, 0, 1]).unwrap();
        assert_ne!(next_message(&events).port, number);

        // Unplugged and plugged in again: the same name, the same number.
        drop(nano);
        await_notice(&events, "nanoKONTROL2:out is gone");
        let mut nano = controller("nanoKONTROL2");
        await_notice(&events, "nanoKONTROL2:out is connected");
        nano.send(&[0xc0, 7]).unwrap();
        let message = next_message(&events);
        assert_eq!((message.port, message.kind), (number, Kind::ProgramChange { program: 7 }));

        // A whole hub is unplugged, with two devices of the same kind on it.
        let second = controller("Twister");
        await_notice(&events, "Twister");
        drop((nano, twister, second));
        for _ in 0..3 {
            await_notice(&events, "is gone");
        }
        let mut twister = controller("Twister");
        await_notice(&events, "Twister:out is connected");
        twister.send(&[0xb0, 17, 3]).unwrap();
        assert_eq!(next_message(&events).kind, Kind::ControlChange { controller: 17, value: 3 });
        drop((inputs, twister, server));
    }
}
