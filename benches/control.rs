//! What a message costs, and how long it is on its way: `cargo bench --no-default-features --bench control`.
//!
//! Decoding is set against rosc's in the same run. The way goes from a sender's socket through the thread `osc` and
//! the queue to a parameter, as in a running show.

use std::io::Write as _;
use std::net::{Ipv4Addr, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

use latent_jockey::control::mapping::Mapping;
use latent_jockey::control::osc::{self, OscServer};
use latent_jockey::control::{Counts, Event, midi, queue};
use latent_jockey::params::{Id, Params};

fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// Nanoseconds of one call: the best of several rounds, because the machine is shared.
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
        let ours = cost(|| osc::read(bytes, |part| drop(std::hint::black_box(part))));
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

    // 20,000 a second for three seconds, in bursts of 20 each millisecond; the show takes them 60 times a second.
    let before = Counts::read(&counts.received);
    let (started, mut sent, mut taken) = (Instant::now(), 0u64, 0);
    let mut next_frame = Duration::from_millis(16);
    while started.elapsed() < Duration::from_secs(3) {
        while sent < started.elapsed().as_millis() as u64 * 20 {
            socket.send(b"/psi\0\0\0\0,f\0\0\x3f\x00\x00\x00")?;
            sent += 1;
        }
        if started.elapsed() >= next_frame {
            next_frame += Duration::from_millis(16);
            taken += events.try_iter().count();
        }
        std::thread::sleep(Duration::from_micros(300));
    }
    std::thread::sleep(Duration::from_millis(50));
    taken += events.try_iter().count();
    let received = Counts::read(&counts.received) - before;
    let dropped = Counts::read(&counts.dropped);
    say(&format!("a flood of {sent}: {received} received, {taken} taken, {dropped} dropped by the queue"));
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    decoding();
    midi_messages();
    way()
}
