//! Does sound reach the show as signals, live and offline? Is a source that is missing, silent or pulled out reported once,
//! and found again? A private JACK server stands in for sound cards.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::common::rig::PATIENCE;
use latent_jockey::audio::Gain;
use latent_jockey::audio::listen::Input;
use latent_jockey::control::audio::{AudioIn, Playback};
use latent_jockey::control::keys::Key;
use latent_jockey::control::{Counts, Device, Event, EventSender, Events, QUEUE, queue};
use latent_jockey::modulate::{SignalId, Signals};

use crate::common::fixture;

fn listen(word: &str, sender: EventSender) -> AudioIn {
    let input = Input::of(word).expect("a source or a track");
    AudioIn::start(input, Gain::Auto, sender, Arc::new(Counts::default())).expect("a thread")
}

fn signal(name: &str) -> SignalId {
    SignalId::intern(name).expect("a signal")
}

/// The frames of a track at 30 per second: the value of a signal in each.
fn frames(track: &Path, name: &str, count: u32) -> Vec<f64> {
    let mut playback = Playback::open(track, Gain::Auto).expect("a track");
    let (mut signals, id) = (Signals::default(), signal(name));
    let values = (1..=count).map(|frame| {
        for event in playback.advance(f64::from(frame) / 30.0).expect("the track goes on") {
            let Event::Signal { id, value } = event else { panic!("{event:?}") };
            signals.set(*id, *value);
        }
        signals.get(id)
    });
    values.collect()
}

#[test]
fn a_click_shows_in_the_next_frames_of_a_render() {
    let track = fixture("audio/click_120.flac");
    // Clicks at 0.5 s, 1.0 s, …: frames 15, 30, …; a click is heard 10 to 20 ms after it began.
    let onset = frames(&track, "audio.onset", 120);
    for (i, level) in onset.iter().enumerate().skip(20) {
        let frame = i + 1;
        match frame % 15 {
            1 => assert!(*level > 0.8, "frame {frame}: {level}"),
            0 => assert!(*level < 0.1, "frame {frame}: {level}"),
            _ => {}
        }
    }
    assert_eq!(onset, frames(&track, "audio.onset", 120), "the same track gives the same frames");
}

#[test]
fn after_its_end_a_track_is_silent() {
    let track = fixture("audio/waltz_138.ogg");
    let level = frames(&track, "audio.level", 30 * 15);
    assert!(level[30 * 5] > 0.1, "{}", level[30 * 5]);
    assert!(level[30 * 15 - 1] < 0.01, "{}", level[30 * 15 - 1]);
    let playback = Playback::open(&track, Gain::Auto).expect("a track");
    assert!((playback.secs().expect("a length") - 13.4).abs() < 0.01);
}

#[test]
fn what_is_no_sound_is_named() {
    let error = |path: &Path| Playback::open(path, Gain::Auto).err().expect("not a track").to_string();
    let missing = fixture("audio/missing.flac");
    assert!(error(&missing).starts_with(&format!("cannot open {}: ", missing.display())), "{}", error(&missing));
    let text = fixture("audio/truth.json");
    let expected =
        format!("{}: not a sound file that can be read (FLAC, WAV, AIFF, MP3, Ogg Vorbis, M4A): ", text.display());
    assert!(error(&text).starts_with(&expected) && error(&text).lines().count() == 1, "{}", error(&text));
    assert!(Input::of("missing.flac").is_err(), "what ends like a sound file is none either");
    assert!(Input::of(text.to_str().expect("a path")).is_err(), "a file that exists is no device");
}

#[test]
fn a_track_plays_as_if_it_were_live() {
    let (sender, events) = queue();
    let (started, until) = (Instant::now(), Instant::now() + PATIENCE);
    let audio = listen(fixture("audio/song_128_m20.flac").to_str().expect("a path"), sender);
    let (mut signals, mut kicks) = (Signals::default(), 0);
    while let Ok(event) = events.recv_deadline(until) {
        let Event::Signal { id, value } = event else { panic!("{event:?}") };
        kicks += u32::from(id == signal("audio.kick") && value == 1.0);
        signals.set(id, value);
        if kicks == 4 {
            break;
        }
    }
    assert_eq!(kicks, 4);
    // Two a second: not read at once, but as fast as it sounds.
    let took = started.elapsed().as_secs_f64();
    assert!(took > 1.2, "four kicks of a song at 128 bpm in {took:.2} s");
    assert!(signals.get(signal("audio.bass")) > 0.1);
    let status = audio.status();
    let took = started.elapsed().as_secs_f64();
    assert_eq!(status.name, "audio");
    assert!(
        status.open[0].ends_with(" dB song_128_m20.flac") && "▁▂▃▄▅▆▇█".contains(&status.open[0][..3]),
        "{status:?}"
    );
    // A hundred a second, and no more.
    assert!((100..=(took * 100.0) as u64 + 60).contains(&status.received), "{status:?} after {took:.2} s");
}

#[test]
fn a_busy_show_loses_levels_and_no_notes() {
    let (sender, events) = queue();
    let note = Event::Key(Key::Char('a'));
    sender.send(note.clone(), &Counts::default());
    let audio = listen(fixture("audio/song_128_m20.flac").to_str().expect("a path"), sender);
    // More than its lane of the queue holds.
    let until = Instant::now() + PATIENCE;
    while audio.status().dropped == 0 && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(10));
    }
    let mut batch = Vec::new();
    events.take_waiting(&mut batch);
    assert_eq!(batch[0], note);
    assert!(audio.status().dropped > 0 && batch.len() <= QUEUE + 1, "{} events, {:?}", batch.len(), audio.status());
}

#[test]
fn a_source_that_is_missing_is_one_notice() {
    let (sender, events) = queue();
    let audio = listen("no such source", sender);
    let told = events.recv_timeout(PATIENCE);
    let is_it = |event: &Event| matches!(event, Event::Fault { line, .. } if line.starts_with("audio: no sound input"));
    assert!(told.as_ref().is_ok_and(is_it), "{told:?}");
    // Longer than it takes to look for it again.
    assert_eq!(notices(&events, Duration::from_millis(2500)), Vec::<String>::new());
    assert!(audio.status().open.is_empty());
    // It stops.
    drop(audio);
}

fn notices(events: &Events, wait: Duration) -> Vec<String> {
    let until = Instant::now() + wait;
    let mut notices = Vec::new();
    while let Ok(event) = events.recv_deadline(until) {
        if let Event::Notice(text) | Event::Fault { line: text, .. } = event {
            notices.push(text);
        }
    }
    notices
}

#[cfg(target_os = "linux")]
mod jack {
    use std::process::{Child, Command, Stdio};

    use latent_jockey::audio::aloud::Aloud;
    use nix::sys::signal::{Signal, kill};
    use nix::unistd::Pid;

    use super::*;

    const SERVER: &str = "JACK_DEFAULT_SERVER";

    /// The server's name must be in the environment before JACK's library starts: the test binary runs once more.
    #[test]
    fn a_source_comes_and_goes() {
        run("it_comes_and_goes", "latent-jockey-sound");
    }

    #[test]
    fn a_track_sounds_while_there_is_an_output() {
        run("it_sounds", "latent-jockey-aloud");
    }

    #[allow(clippy::print_stdout, reason = "what is skipped, and what the child said")]
    fn run(test: &str, server: &str) {
        if Command::new("jackd").arg("--version").output().is_err() {
            println!("skipped: jackd not found");
            return;
        }
        let name = format!("{}::{test}", module_path!().split_once("::").expect("a module of the crate").1);
        let output = Command::new(std::env::current_exe().expect("this test"))
            .args(["--exact", &name, "--ignored", "--nocapture"])
            .env(SERVER, server)
            .env("JACK_NO_START_SERVER", "1")
            .output()
            .expect("the test runs");
        let text = String::from_utf8_lossy(&output.stdout);
        println!("{text}{}", String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success() && text.contains("1 passed"), "see above");
    }

    #[test]
    #[ignore = "needs its own environment: run by a_track_sounds_while_there_is_an_output"]
    fn it_sounds() {
        let name = std::env::var(SERVER).expect("the name of a private server");
        let server = Server::start(&name);
        let end = Instant::now() + Duration::from_secs(20);
        while let Err(why) = Aloud::open() {
            assert!(Instant::now() < end, "{why}");
            std::thread::sleep(Duration::from_millis(20));
        }
        let (sender, events) = queue();
        let track = fixture("audio/click_120.flac");
        let mut input = Input::of(track.to_str().expect("a path")).expect("a track");
        let Input::Track { aloud, .. } = &mut input else { panic!("a track") };
        *aloud = true;
        let audio = AudioIn::start(input, Gain::Auto, sender, Arc::new(Counts::default())).expect("a thread");
        let position = || Duration::from_secs_f64(audio.history().written() as f64 / 48_000.0);
        let until = |what: &str, is_so: &dyn Fn() -> bool| {
            let end = Instant::now() + Duration::from_secs(20);
            while !is_so() {
                assert!(Instant::now() < end, "{what}: at {:?}", position());
                std::thread::sleep(Duration::from_millis(20));
            }
        };
        until("the output takes nothing", &|| position() > Duration::from_secs(1));
        assert_eq!(notices(&events, Duration::from_millis(300)), Vec::<String>::new());
        drop(server);
        let mut told = Vec::new();
        while told.is_empty() {
            told = notices(&events, Duration::from_secs(3));
        }
        assert!(told[0].starts_with("audio: the sound output: "), "{told:?}");
        assert!(told[0].ends_with("only the instrument hears click_120.flac"), "{told:?}");
        let before = position();
        until("it stands without an output", &|| position() > before + Duration::from_secs(1));
    }

    /// A JACK server; dropping it pulls the plug.
    struct Server(Child);

    impl Server {
        fn start(name: &str) -> Server {
            let arguments = ["-r", "-n", name, "-d", "dummy", "-r", "44100", "-p", "256"];
            let child = Command::new("jackd").args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
            Server(child.expect("jackd starts"))
        }
    }

    impl Drop for Server {
        fn drop(&mut self) {
            // SIGTERM, not SIGKILL: JACK has eight server slots per machine, and a killed server keeps its slot.
            let _ = kill(Pid::from_raw(self.0.id() as i32), Signal::SIGTERM);
            let _ = self.0.wait();
        }
    }

    #[test]
    #[ignore = "needs its own environment: run by a_source_comes_and_goes"]
    fn it_comes_and_goes() {
        let name = std::env::var(SERVER).expect("the name of a private server");
        let (sender, events) = queue();
        let server = Server::start(&name);
        let audio = listen("jack:input", sender);
        let mut seen = Vec::new();
        let mut wait_for = |part: &str| {
            let until = Instant::now() + Duration::from_secs(20);
            while let Ok(event) = events.recv_deadline(until) {
                if let Event::Notice(line) | Event::Fault { line, .. } = event {
                    let found = line.contains(part);
                    seen.push(line);
                    if found {
                        return;
                    }
                }
            }
            panic!("no line with {part:?}: {seen:?}");
        };
        wait_for("(jack:input), 44100 Hz, 2 channels");
        assert!(audio.status().open[0].ends_with("JACK Input"), "{:?}", audio.status());
        // Nothing is connected to it.
        wait_for("sends only zeros");
        drop(server);
        wait_for("; waiting for it");
        assert!(audio.status().open.is_empty());
        let server = Server::start(&name);
        wait_for("(jack:input), 44100 Hz, 2 channels");
        drop((audio, server));
    }
}
