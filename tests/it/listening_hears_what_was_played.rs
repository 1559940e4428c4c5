//! Does the analysis hear the drums, beats and tempo that were really played?
//!
//! The fixtures are the songs on which its thresholds were tuned. The songs made here are not: other drums, other
//! instruments, other tempos.

use std::f64::consts::TAU;

use latent_jockey::audio::{Features, HOP_SECS, RATE};
use serde_json::Value;

use crate::common::fixture;
use crate::common::heard::{beat_measure, beats, f_measure, features, latency, samples, times};

/// What was played in a fixture.
struct Truth(Value);

impl Truth {
    fn of(name: &str) -> (Truth, Vec<Features>) {
        let text = std::fs::read_to_string(fixture("audio/truth.json")).expect("the truth is there");
        let all: Value = serde_json::from_str(&text).expect("the truth is JSON");
        let truth = all[name].clone();
        let found = features(&samples(truth["file"].as_str().expect("a file")));
        (Truth(truth), found)
    }

    fn times(&self, of: &str) -> Vec<f64> {
        let times = self.0.pointer(of).and_then(Value::as_array);
        times.unwrap_or_else(|| panic!("no {of}")).iter().map(|time| time.as_f64().expect("a time")).collect()
    }

    /// The onsets of all instruments; what sounds together counts once.
    fn onsets(&self) -> Vec<f64> {
        let kinds = self.0["onsets"].as_object().expect("onsets").keys();
        together(kinds.flat_map(|kind| self.times(&format!("/onsets/{kind}"))).collect())
    }
}

/// Sorted times; those within 30 ms count once.
fn together(mut times: Vec<f64>) -> Vec<f64> {
    times.sort_by(f64::total_cmp);
    times.dedup_by(|later, earlier| *later - *earlier < 0.03);
    times
}

/// The F-measures of kick, snare and hat.
fn drums(found: &[Features], [kick, snare, hat]: [&[f64]; 3]) -> [f64; 3] {
    [
        f_measure(kick, &times(found, |f| f.hits.kick)),
        f_measure(snare, &times(found, |f| f.hits.snare)),
        f_measure(hat, &times(found, |f| f.hits.hat)),
    ]
}

#[track_caller]
fn at_least(what: &str, found: f64, limit: f64) {
    assert!(found >= limit, "{what}: {found}, expected at least {limit}");
}

#[test]
fn a_song_is_heard_at_every_loudness() {
    let (truth, found) = Truth::of("song_128_m20");
    let expected = ["kick", "snare", "hat"].map(|kind| truth.times(&format!("/onsets/{kind}")));
    at_least("onsets", f_measure(&truth.onsets(), &times(&found, |f| f.hits.onset)), 0.98);
    let [kick, snare, hat] = drums(&found, expected.each_ref().map(Vec::as_slice));
    at_least("kick", kick, 0.95);
    at_least("snare", snare, 0.95);
    at_least("hat", hat, 0.88);
    at_least("beats", beat_measure(&truth.times("/beats"), &beats(&found)), 1.0);
    let late = |kind: usize, hit: fn(&Features) -> bool| latency(&expected[kind], &times(&found, hit));
    for (median, most) in [late(0, |f| f.hits.kick), late(1, |f| f.hits.snare), late(2, |f| f.hits.hat)] {
        assert!(median < 0.026 && most < 0.031, "{median} s, {most} s late");
    }
    let (median, most) = latency(&truth.onsets(), &times(&found, |f| f.hits.onset));
    assert!(median < 0.012 && most < 0.017, "{median} s, {most} s late");
    // The same at -40 and -3 dB of full scale.
    let song = samples("song_128_m20.flac");
    for gain_db in [-20.0, 17.0] {
        let gain = 10f32.powf(gain_db / 20.0);
        let other = features(&song.iter().map(|x| x * gain).collect::<Vec<_>>());
        for band in 0..11 {
            let mean = |found: &[Features]| found[400..].iter().map(|f| f.levels[band]).sum::<f64>();
            let ratio = mean(&other) / mean(&found);
            assert!((0.98..1.02).contains(&ratio), "{gain_db} dB, band {band}: {ratio}");
        }
        let hits = |found: &[Features]| found.iter().map(|f| f.hits).collect::<Vec<_>>();
        assert_eq!(hits(&other), hits(&found), "{gain_db} dB");
    }
}

#[test]
fn tempo_and_beats_are_found_and_found_again() {
    // Beats per minute at the end; F-measure of all beats from the fifth second on.
    for (name, bpm, measure) in [("click_120", 120.0, 1.0), ("waltz_138", 138.0, 1.0), ("tempo_100_140", 140.0, 0.75)] {
        let (truth, found) = Truth::of(name);
        let last = found.last().expect("hops");
        assert!((last.bpm - bpm).abs() < 0.5 && last.confidence > 0.9, "{name}: {} {}", last.bpm, last.confidence);
        at_least(name, beat_measure(&truth.times("/beats"), &beats(&found)), measure);
        let from = if name == "tempo_100_140" { 9.6 } else { 0.0 };
        let right = found.iter().find(|f| f.secs() > from && (f.bpm / bpm - 1.0).abs() < 0.04).expect("the tempo");
        println!("{name}: the tempo is right after {:.2} s", right.secs() - from);
        assert!(right.secs() - from < if from > 0.0 { 4.0 } else { 1.2 });
    }
}

#[test]
fn what_has_no_beat_gets_none() {
    let (_, found) = Truth::of("drone");
    assert!(beats(&found).is_empty());
    assert!(times(&found, |f| f.hits.kick || f.hits.snare || f.hits.hat).len() <= 1);
    let (_, found) = Truth::of("silence");
    assert!(found.iter().all(|f| f.level == 0.0 && !f.hits.onset && f.no_signal == (f.secs() >= 2.0)));
}

#[test]
fn the_noise_of_a_room_does_not_dance() {
    let mut noise = Noise(7);
    for (rms_db, most) in [(-90.0, 0.0), (-75.0, 0.25)] {
        // Uniform noise has a root mean square of 0.577.
        let gain = 10f64.powf(rms_db / 20.0) / 0.577;
        let found = features(&(0..RATE * 6).map(|_| (gain * noise.next()) as f32).collect::<Vec<_>>());
        let loudest = found.iter().flat_map(|f| f.levels).fold(0.0, f64::max);
        assert!(loudest <= most, "{rms_db} dB: {loudest}");
        assert!(found.iter().all(|f| !f.hits.onset && f.confidence < 0.25), "{rms_db} dB");
    }
}

/// White noise, -1 to 1.
struct Noise(u32);

impl Noise {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        f64::from(self.0 >> 8) / f64::from(1 << 23) - 1.0
    }
}

/// A song that is being made.
struct Song {
    samples: Vec<f64>,
    noise: Noise,
    bpm: f64,
}

impl Song {
    fn new(bpm: f64, secs: f64) -> Song {
        Song { samples: vec![0.0; (secs * f64::from(RATE)) as usize], noise: Noise(bpm as u32), bpm }
    }

    fn at(&self, beat: f64) -> f64 {
        beat * 60.0 / self.bpm
    }

    /// Adds a sound at a beat: a function of the seconds since then.
    fn add(&mut self, beat: f64, secs: f64, gain: f64, mut sound: impl FnMut(f64, &mut Noise) -> f64) -> f64 {
        let time = self.at(beat);
        let start = (time * f64::from(RATE)).round() as usize;
        for i in 0..(secs * f64::from(RATE)) as usize {
            if let Some(sample) = self.samples.get_mut(start + i) {
                *sample += gain * sound(i as f64 / f64::from(RATE), &mut self.noise);
            }
        }
        time
    }

    /// A long, soft kick: its pitch falls from 110 to 46 Hz.
    fn kick(&mut self, beat: f64, gain: f64) -> f64 {
        self.add(beat, 0.4, gain, |t, _| {
            let turns = 46.0 * t + 64.0 * 0.035 * (1.0 - (-t / 0.035).exp());
            (TAU * turns).sin() * (-t / 0.13).exp() * (1.0 - (-t / 0.001).exp())
        })
    }

    /// A clap: four bursts of noise, the last with a tail.
    fn clap(&mut self, beat: f64, gain: f64) -> f64 {
        let (mut slow, mut slower) = (0.0, 0.0);
        self.add(beat, 0.25, gain, move |t, noise| {
            let x = noise.next();
            slow += 0.5 * (x - slow);
            slower += 0.08 * (slow - slower);
            let burst = if t < 0.03 { (-(t % 0.01) / 0.004).exp() } else { (-(t - 0.03) / 0.06).exp() };
            2.0 * (slow - slower) * burst
        })
    }

    /// A tight snare: two tones and bright noise.
    fn snare(&mut self, beat: f64, gain: f64) -> f64 {
        let mut slow = 0.0;
        self.add(beat, 0.2, gain, move |t, noise| {
            let x = noise.next();
            slow += 0.15 * (x - slow);
            let tones = (TAU * 220.0 * t).sin() + 0.6 * (TAU * 390.0 * t).sin();
            0.6 * tones * (-t / 0.03).exp() + 0.8 * (x - slow) * (-t / 0.07).exp()
        })
    }

    /// A metallic hat: six square waves, most of the low end removed.
    fn hat(&mut self, beat: f64, gain: f64, secs: f64) -> f64 {
        let mut last = [0.0; 3];
        self.add(beat, 5.0 * secs, gain, move |t, noise| {
            let squares = [2713.0, 3541.0, 4219.0, 5417.0, 6733.0, 8011.0].map(|hz: f64| (TAU * hz * t).sin().signum());
            let mut x = squares.iter().sum::<f64>() / 6.0 + 0.5 * noise.next();
            for before in &mut last {
                (x, *before) = (x - *before, x);
            }
            0.15 * x * (-t / secs).exp()
        })
    }

    /// An electric piano by frequency modulation.
    fn keys(&mut self, beat: f64, secs: f64, gain: f64, notes: &[f64]) -> f64 {
        let hz: Vec<f64> = notes.iter().map(|note| 440.0 * 2f64.powf((note - 69.0) / 12.0)).collect();
        self.add(beat, secs, gain, move |t, _| {
            let voice = |hz: &f64| (TAU * hz * t + 1.5 * (-t / 0.2).exp() * (TAU * 2.0 * hz * t).sin()).sin();
            let fade = (1.0 - (-t / 0.004).exp()) * (-t / 0.5).exp() * ((secs - t) / 0.03).clamp(0.0, 1.0);
            hz.iter().map(voice).sum::<f64>() / hz.len() as f64 * fade
        })
    }

    /// A voice with vibrato, slowly swelling.
    fn voice(&mut self, beat: f64, secs: f64, gain: f64, note: f64) {
        let hz = 440.0 * 2f64.powf((note - 69.0) / 12.0);
        self.add(beat, secs, gain, move |t, _| {
            let turn = TAU * hz * t + 6.0 * (TAU * 5.5 * t).sin();
            let swell = (t / 0.3).min(1.0) * ((secs - t) / 0.2).clamp(0.0, 1.0);
            (1..8).map(|h| (turn * f64::from(h)).sin() / f64::from(h * h)).sum::<f64>() * swell
        });
    }

    /// A wide pad of detuned saws, ducked on every beat as by a kick in its side chain.
    fn pumping_pad(&mut self, beat: f64, secs: f64, gain: f64, notes: &[f64]) {
        let hz: Vec<f64> = notes.iter().map(|note| 440.0 * 2f64.powf((note - 69.0) / 12.0)).collect();
        let (beat_secs, mut slow) = (60.0 / self.bpm, 0.0);
        self.add(beat, secs, gain, move |t, _| {
            let saw = |hz: f64| 2.0 * (hz * t).fract() - 1.0;
            let wide: f64 = hz.iter().map(|hz| saw(hz * 0.996) + saw(*hz) + saw(hz * 1.005)).sum();
            slow += 0.12 * (wide / (3.0 * hz.len() as f64) - slow);
            let since = t % beat_secs;
            let duck = 1.0 - 0.85 * (-since / 0.09).exp();
            slow * duck * (t / 0.2).min(1.0) * ((secs - t) / 0.1).clamp(0.0, 1.0)
        });
    }

    /// With a short echo, softly clipped.
    fn finish(mut self) -> Vec<f32> {
        for (delay, gain) in [(0.031, 0.18), (0.047, 0.12), (0.079, 0.1)] {
            let delay = (delay * f64::from(RATE)) as usize;
            for i in (delay..self.samples.len()).rev() {
                self.samples[i] += gain * self.samples[i - delay];
            }
        }
        self.samples.iter().map(|x| (0.7 * x).tanh() as f32 * 0.6).collect()
    }
}

/// F-measures of what was heard in a song, and what else is worth knowing.
#[derive(Debug)]
#[allow(dead_code, reason = "printed")]
struct Score {
    onset: f64,
    kick: f64,
    snare: f64,
    hat: f64,
    beat: f64,
    /// At the end.
    bpm: f64,
    /// Seconds until the beat was certain.
    confident_after: Option<f64>,
}

fn score(song: Song, played: [&[f64]; 3], others: &[f64], beat_count: usize) -> Score {
    let expected: Vec<f64> = (0..beat_count).map(|beat| song.at(beat as f64)).collect();
    let end = song.samples.len() as f64 / f64::from(RATE);
    let found = features(&song.finish());
    // The first tenth of a second reports nothing, and the last hop is not complete.
    let inside = |times: &[f64]| -> Vec<f64> {
        times.iter().copied().filter(|t| (0.1..end - 0.05 - HOP_SECS).contains(t)).collect()
    };
    let played = played.map(inside);
    let [kick, snare, hat] = drums(&found, played.each_ref().map(Vec::as_slice));
    let all = together(played.iter().flatten().copied().chain(inside(others)).collect());
    Score {
        onset: f_measure(&all, &times(&found, |f| f.hits.onset)),
        beat: beat_measure(&inside(&expected), &beats(&found)),
        bpm: found.last().map_or(0.0, |f| f.bpm),
        confident_after: found.iter().find(|f| f.confidence > 0.5).map(Features::secs),
        kick,
        snare,
        hat,
    }
}

#[test]
fn a_house_track_with_claps_is_heard() {
    let mut song = Song::new(124.0, 20.0);
    let [mut kick, mut clap, mut hat, mut keys] = [const { Vec::new() }; 4];
    for beat in 0..41 {
        let beat = f64::from(beat);
        kick.push(song.kick(beat, 0.9));
        if beat % 2.0 == 1.0 {
            clap.push(song.clap(beat, 0.6));
        }
        hat.push(song.hat(beat + 0.5, 0.8, 0.05));
        if beat % 4.0 == 0.0 {
            let root = [57.0, 53.0, 60.0, 55.0][(beat / 4.0) as usize % 4];
            for place in [0.0, 0.75, 1.5, 2.5] {
                keys.push(song.keys(beat + place, 0.3, 0.35, &[root, root + 3.0, root + 7.0, root + 10.0]));
            }
            song.voice(beat + 1.0, 1.2, 0.12, root + 12.0);
        }
    }
    let score = score(song, [&kick, &clap, &hat], &keys, 41);
    println!("{score:?}");
    assert!((score.bpm - 124.0).abs() < 0.5, "{}", score.bpm);
    at_least("beats", score.beat, 0.95);
    at_least("kick", score.kick, 0.8);
    at_least("onset", score.onset, 0.8);
}

#[test]
fn a_slow_break_with_swing_is_heard() {
    let mut song = Song::new(92.0, 22.0);
    let [mut kick, mut snare, mut hat, mut bass] = [const { Vec::new() }; 4];
    for bar in 0..8 {
        let bar = f64::from(4 * bar);
        kick.extend([0.0, 1.66, 2.0].map(|place| song.kick(bar + place, 0.9)));
        snare.extend([1.0, 3.0].map(|place| song.snare(bar + place, 0.6)));
        // Swung eighths: the second comes two thirds into the beat.
        for beat in 0..4 {
            hat.extend([0.0, 0.66].map(|place| song.hat(bar + f64::from(beat) + place, 0.5, 0.02)));
        }
        bass.extend(
            [(0.0, 33.0), (1.66, 36.0), (2.66, 38.0)].map(|(place, note)| song.keys(bar + place, 0.4, 0.6, &[note])),
        );
        song.voice(bar, 2.4, 0.15, 69.0);
    }
    let score = score(song, [&kick, &snare, &hat], &bass, 33);
    println!("{score:?}");
    assert!((score.bpm - 92.0).abs() < 0.5, "{}", score.bpm);
    at_least("beats", score.beat, 0.9);
    // Bass notes as loud as the kick count as kicks, and a kick right after another does not.
    at_least("kick", score.kick, 0.5);
    at_least("snare", score.snare, 0.9);
    at_least("onset", score.onset, 0.9);
}

#[test]
fn drum_and_bass_is_heard() {
    let mut song = Song::new(172.0, 18.0);
    let [mut kick, mut snare, mut hat, mut keys] = [const { Vec::new() }; 4];
    for bar in 0..12 {
        let bar = f64::from(4 * bar);
        kick.extend([0.0, 2.5].map(|place| song.kick(bar + place, 0.9)));
        snare.extend([1.0, 3.0].map(|place| song.snare(bar + place, 0.7)));
        for eighth in 0..8 {
            hat.push(song.hat(bar + 0.5 * f64::from(eighth), 0.5, 0.02));
        }
        keys.push(song.keys(bar, 1.2, 0.4, &[45.0, 52.0, 60.0]));
    }
    let score = score(song, [&kick, &snare, &hat], &keys, 48);
    println!("{score:?}");
    let octave = (score.bpm / 172.0).log2();
    assert!((octave - octave.round()).abs() < 0.01, "{}", score.bpm);
    at_least("kick", score.kick, 0.7);
    at_least("snare", score.snare, 0.8);
    at_least("onset", score.onset, 0.8);
}

#[test]
fn a_shuffle_with_a_walking_bass_is_heard() {
    let mut song = Song::new(112.0, 22.0);
    let [mut kick, mut snare, mut ride, mut others] = [const { Vec::new() }; 4];
    for bar in 0..10 {
        let notes = [[40.0, 43.0, 45.0, 46.0], [45.0, 48.0, 50.0, 52.0]][bar as usize % 2];
        let bar = f64::from(4 * bar);
        kick.extend([0.0, 2.0, 2.67].map(|place| song.kick(bar + place, 0.7)));
        snare.extend([1.0, 3.0].map(|place| song.snare(bar + place, 0.5)));
        ride.extend([0.0, 1.0, 1.67, 2.0, 3.0, 3.67].map(|place| song.hat(bar + place, 0.4, 0.08)));
        for (beat, note) in notes.into_iter().enumerate() {
            others.push(song.keys(bar + beat as f64, 0.45, 0.4, &[note]));
        }
        others.push(song.keys(bar + 1.67, 0.6, 0.3, &[64.0, 68.0, 71.0]));
    }
    let score = score(song, [&kick, &snare, &ride], &others, 41);
    println!("{score:?}");
    assert!((score.bpm - 112.0).abs() < 0.5, "{}", score.bpm);
    at_least("beats", score.beat, 0.9);
    at_least("snare", score.snare, 0.8);
    at_least("onset", score.onset, 0.8);
}

#[test]
fn two_step_with_swing_and_a_pumping_pad_is_heard() {
    let mut song = Song::new(133.0, 22.0);
    let [mut kick, mut snare, mut hat, mut others] = [const { Vec::new() }; 4];
    for bar in 0..12 {
        let root = [50.0, 46.0, 53.0, 48.0][bar as usize % 4];
        let fill = bar % 4 == 3;
        let bar = f64::from(4 * bar);
        // The kick leaves out the third beat; every second sixteenth comes a third late.
        kick.extend([0.0, 1.58, 2.5].map(|place| song.kick(bar + place, 0.8)));
        snare.extend([1.0, 3.0].map(|place| song.snare(bar + place, 0.55)));
        if fill {
            snare.push(song.snare(bar + 3.58, 0.4));
        }
        for eighth in 0..8 {
            let place = bar + 0.5 * f64::from(eighth);
            hat.push(song.hat(place, if eighth % 2 == 1 { 0.6 } else { 0.3 }, 0.03));
            if eighth % 3 == 1 {
                hat.push(song.hat(place + 0.33, 0.25, 0.015));
            }
        }
        song.pumping_pad(bar, 4.0 * 60.0 / 133.0, 0.35, &[root, root + 7.0, root + 15.0]);
        others.extend([0.0, 1.58, 2.83].map(|place| song.keys(bar + place, 0.3, 0.45, &[root - 12.0])));
        for (place, note) in [(0.5, 74.0), (1.33, 77.0), (2.0, 72.0)] {
            song.voice(bar + place, 0.3, 0.12, note);
        }
    }
    let score = score(song, [&kick, &snare, &hat], &others, 48);
    println!("{score:?}");
    assert!((score.bpm - 133.0).abs() < 0.5, "{}", score.bpm);
    at_least("beats", score.beat, 0.9);
    at_least("onset", score.onset, 0.8);
}
