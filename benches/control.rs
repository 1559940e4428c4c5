//! The cost and latency of a message: `cargo bench --no-default-features --bench control`.
//!
//! Decoding is compared with rosc's in the same run. Latency is measured from a sender's socket through the thread `osc`
//! and the queue to a parameter, and finally through a running show.

use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

use latent_jockey::commands::play;
use latent_jockey::control::mapping::Mapping;
use latent_jockey::control::osc::{self, OscServer};
use latent_jockey::control::{Counts, Event, Events, QUEUE, midi, queue};
use latent_jockey::engine::cpu::Cpu;
use latent_jockey::params::{Id, Params, Table};
use latent_jockey::patch::library::Library;
use latent_jockey::show::{Devices, Mode, Options, Show};

fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// Nanoseconds per call: the best of several rounds, because the machine is shared.
fn cost(mut call: impl FnMut()) -> f64 {
    const CALLS: u32 = 20_000;
    let round = |call: &mut dyn FnMut()| {
        let started = Instant::now();
        (0..CALLS).for_each(|_| call());
        started.elapsed().as_secs_f64() * 1e9 / f64::from(CALLS)
    };
    (0..15).map(|_| round(&mut call)).fold(f64::INFINITY, f64::min)
}

fn bundle(parts: &[&[u8]]) -> Vec<u8> {
    let mut out = b"#bundle\0\0\0\0\0\0\0\0\x01".to_vec();
    for part in parts {
        out.extend((part.len() as u32).to_be_bytes());
        out.extend(*part);
    }
    out
}

fn decoding() {
    let float: &[u8] = b"/walk/speed\0,f\0\0\x3f\x00\x00\x00";
    let three = bundle(&[float, b"/psi\0\0\0\0,f\0\0\x3f\x00\x00\x00", b"/z/3\0\0\0\0,f\0\0\x3f\x00\x00\x00"]);
    let mut vector = [b"/z\0\0,".to_vec(), vec![b'f'; 512]].concat();
    vector.resize((vector.len() + 1).next_multiple_of(4), 0);
    vector.extend([0x3e; 512 * 4]);
    let pattern: &[u8] = b"/walk/s*\0\0\0\0,f\0\0\x3f\x00\x00\x00";
    let wide: &[u8] = b"/z/*\0\0\0\0,f\0\0\x3f\x00\x00\x00";
    say("reading a datagram, nanoseconds         ours     rosc");
    for (name, bytes) in [
        ("one float", float),
        ("a bundle of three", &three),
        ("/z with 512 floats", &vector),
        ("the pattern /walk/s*", pattern),
        ("the pattern /z/*, 1024 members", wide),
    ] {
        let ours = cost(|| osc::read(bytes, Table::built_in(), |part| drop(std::hint::black_box(part))));
        let rosc = cost(|| drop(std::hint::black_box(rosc::decoder::decode_udp(bytes))));
        say(&format!("  {name:34} {ours:8.0} {rosc:8.0}"));
    }
}

fn midi_messages() {
    let (mut mapping, mut params, mut writes) = (Mapping::default(), Params::default(), Vec::with_capacity(16));
    let mut value = 0;
    let ns = cost(|| {
        value = (value + 1) & 127;
        let Some(message) = midi::parse(&[0xb0, 17, value], 0, 0) else { return };
        mapping.apply(&Event::Midi(message), &params, &mut writes);
        for write in writes.drain(..) {
            let _ = params.write(write.target, &write.value);
        }
    });
    say(&format!("a knob, from MIDI bytes to the parameter: {ns:.0} ns"));
}

fn way() -> Result<(), Box<dyn std::error::Error>> {
    let (sender, events) = queue();
    let counts = Arc::new(Counts::default());
    let server = OscServer::bind((Ipv4Addr::LOCALHOST, 0).into(), sender, counts.clone())?;
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    socket.connect(server.local_addr())?;
    let mut params = Params::default();
    let mut micros = Vec::new();
    for i in 0..2000u32 {
        std::thread::sleep(Duration::from_micros(500));
        let value = (i as f32 / 2000.0).to_be_bytes();
        let started = Instant::now();
        socket.send(&[b"/psi\0\0\0\0,f\0\0", &value[..]].concat())?;
        if let Event::Write(write) = events.recv_timeout(Duration::from_secs(1))? {
            params.write(write.target, &write.value)?;
        }
        micros.push(started.elapsed().as_secs_f64() * 1e6);
    }
    micros.sort_by(f64::total_cmp);
    let (p50, p99) = (micros[micros.len() / 2], micros[micros.len() * 99 / 100]);
    say(&format!(
        "from a packet to the parameter: median {p50:.0} us, 99% within {p99:.0} us (psi {})",
        params.base(Id::Psi)
    ));

    Ok(())
}

/// A show that plays on this thread like `play --headless`, and its statistics.
struct Playing {
    show: Show,
    events: Events,
    steps: u32,
    pictures: u64,
}

impl Playing {
    /// Runs frames for `secs` seconds; `after` sees the parameters after each.
    fn play(&mut self, secs: u64, mut after: impl FnMut(&Params)) {
        let (started, mut last) = (Instant::now(), Instant::now());
        let mut batch = Vec::with_capacity(QUEUE);
        let mut serial = self.show.picture().map_or(0, |p| p.serial);
        (self.steps, self.pictures) = (0, 0);
        while started.elapsed() < Duration::from_secs(secs) {
            batch.clear();
            play::next_events(&self.events, last, &mut batch);
            let now = Instant::now();
            self.show.step((now - last).as_secs_f64(), &batch);
            last = now;
            self.steps += 1;
            after(self.show.params());
            let newest = self.show.picture().map_or(0, |p| p.serial);
            self.pictures += u64::from(newest != serial);
            serial = newest;
        }
    }
}

/// End-to-end latency while pictures are made: to the effective value, without and with a flood of 20,000 messages per
/// second. The flood's cost is compared with the same flood to a port that nobody reads, because sending costs too.
fn while_playing(secs: u64) -> Result<(), Box<dyn std::error::Error>> {
    let library = Library::default();
    let preset = library.load("6")?;
    let engine = Arc::new(Cpu::default());
    let mut show =
        Show::new(Options { library, preset, network: None, seed: None, engine, screen: None, mode: Mode::Live })?;
    let (sender, events) = queue();
    let counts = Arc::<Counts>::default();
    let osc = OscServer::bind((Ipv4Addr::LOCALHOST, 0).into(), sender, counts.clone())?;
    let to = osc.local_addr();
    let mut devices = Devices::default();
    devices.plug(osc);
    show.connect(devices);
    let mut playing = Playing { show, events, steps: 0, pictures: 0 };
    playing.play(1, |_| {});

    // An int without smoothing that changes nothing: noise seeds only matter for random noise.
    let (asked, sent) = crossbeam_channel::bounded::<(u32, Instant)>(64);
    let way = std::thread::spawn(move || -> std::io::Result<()> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        socket.connect(to)?;
        for i in 1..=400u32 {
            // Out of step with the frames.
            std::thread::sleep(Duration::from_micros(9000 + u64::from(i * 7919 % 8000)));
            let _ = asked.try_send((i, Instant::now()));
            socket.send(&[b"/noise/seed\0,i\0\0", &i.to_be_bytes()[..]].concat())?;
        }
        Ok(())
    });
    let (mut micros, mut waiting) = (Vec::new(), None);
    playing.play(7, |params| {
        let value = params.get(Id::NoiseSeed) as u32;
        while let Some((i, at)) = waiting.take().or_else(|| sent.try_recv().ok()) {
            if value < i {
                waiting = Some((i, at));
                break;
            }
            micros.push(at.elapsed().as_secs_f64() * 1e6);
        }
    });
    way.join().map_err(|_| "the sender failed")??;
    micros.sort_by(f64::total_cmp);
    let (p50, p90) = (micros[micros.len() / 2], micros[micros.len() * 9 / 10]);
    say(&format!(
        "while pictures are made, from a packet to the effective value and a frame with it: median {p50:.0} us, 90% within {p90:.0} us"
    ));

    let deaf = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    for (name, to) in [("to a port where nobody reads", deaf.local_addr()?), ("to the show", to)] {
        let before = [&counts.received, &counts.dropped].map(Counts::read);
        let sender = std::thread::spawn(move || flood(to, secs));
        playing.play(secs, |_| {});
        let sent = sender.join().map_err(|_| "the sender failed")??;
        let after = [&counts.received, &counts.dropped].map(Counts::read);
        say(&format!(
            "  a flood of {sent} in {secs} s {name:29} {:5.2} pictures/s {:5.0} frames/s; {} received, {} dropped by the queue",
            playing.pictures as f64 / secs as f64,
            f64::from(playing.steps) / secs as f64,
            after[0] - before[0],
            after[1] - before[1],
        ));
    }
    Ok(())
}

/// Sends 20,000 messages per second in bursts of 20; returns how many were sent.
fn flood(to: SocketAddr, secs: u64) -> std::io::Result<u64> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    socket.connect(to)?;
    let (started, mut sent) = (Instant::now(), 0u64);
    while started.elapsed() < Duration::from_secs(secs) {
        while sent < started.elapsed().as_millis() as u64 * 20 {
            let value = (sent % 1000) as f32 / 1000.0;
            // A full port refuses messages, which is fine.
            let _ = socket.send(&[b"/walk/radius\0\0\0\0,f\0\0", &value.to_be_bytes()[..]].concat());
            sent += 1;
        }
        std::thread::sleep(Duration::from_micros(500));
    }
    Ok(sent)
}

/// Microseconds of a frame with 600 bindings or assignments of live code: the median, as the machine is shared.
#[cfg(feature = "luau")]
fn live_code() -> Result<(), latent_jockey::patch::script::ScriptError> {
    use latent_jockey::modulate::expr::Frame;
    use latent_jockey::modulate::{Signals, Time};
    use latent_jockey::patch::script::{Chunk, Script};

    let lines = format!("function frame(t)\n{}end", "psi = t\nwalk.speed = t\nz[3] = t\n".repeat(200));
    say("\nlive code, microseconds a frame            median      evaluation");
    for (name, text) in [
        ("600 bindings, 0.7 + 0.3 * sine(n)", "for i = 0, 599 do z[i] = 0.7 + 0.3 * sine(i + 1) end"),
        ("600 bindings, lfo:range:smooth", "for i = 0, 599 do z[i] = lfo('tri', i + 1):range(0.1, 2):smooth(0.2) end"),
        (
            "600 bindings, noise ^ 2 * bass - sine / 2",
            "for i = 0, 599 do z[i] = noise(i + 1) ^ 2 * bass - sine(3) / 2 end",
        ),
        ("600 bindings, seq", "for i = 0, 599 do z[i] = seq('1 2 [3 4] ~', 4) end"),
        ("an empty frame()", "function frame() end"),
        ("600 assignments in a loop", "function frame(t) local z = z for i = 0, 599 do z[i] = t end end"),
        ("600 lines of assignments", lines.as_str()),
    ] {
        let (mut script, mut params, signals) = (Script::new(1)?, Params::default(), Signals::default());
        let mut time = Time::default();
        let started = Instant::now();
        script.evaluate(&Chunk { file: "bench", text, line: 1, is_whole: true }, &mut params, time)?;
        let evaluation = started.elapsed();
        let mut frames: Vec<Duration> = (0..1200)
            .map(|_| {
                (time.beat, time.secs, time.dt) = (time.beat + 1.0 / 30.0, time.secs + 1.0 / 60.0, 1.0 / 60.0);
                let started = Instant::now();
                script.call(&mut params, time, &signals);
                for (target, value) in script.drain_writes() {
                    let _ = params.write(target, &value);
                }
                let values = script.step(&Frame { time, signals: &signals, params: &params }).values();
                params.bind(values);
                let took = started.elapsed();
                params.step(1.0 / 60.0);
                took
            })
            .collect();
        frames.sort_unstable();
        let micros = |took: Duration| took.as_secs_f64() * 1e6;
        say(&format!("{name:42} {:8.1} {:12.0}", micros(frames[600]), micros(evaluation)));
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    decoding();
    midi_messages();
    way()?;
    #[cfg(feature = "luau")]
    live_code()?;
    // `FLOOD_SECS=60` for a full minute.
    let secs = std::env::var("FLOOD_SECS").ok().and_then(|secs| secs.parse().ok()).unwrap_or(5);
    while_playing(secs)
}
