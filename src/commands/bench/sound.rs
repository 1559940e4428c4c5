//! `bench --audio`: how long a sound takes to the picture that shows it.
//!
//! Clicks are played through the whole instrument as it plays live: the thread `audio`, the event queue, a modulator and
//! the engine. What a sound card and its driver add before that, and a display after it, is not measured.

use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;

use super::{Options, ms, percentiles, set, settle};
use crate::audio::listen::Input;
use crate::audio::outputs::OUTPUTS;
use crate::audio::{Gain, RATE, Track};
use crate::control::audio::AudioIn;
use crate::control::{self, Counts, Event};
use crate::modulate::SignalId;
use crate::params::{Id, Value};
use crate::patch::library::Library;
use crate::patch::preset::Preset;
use crate::show::{Mode, Show};

/// Seconds from one click to the next: what a click moves has come to rest by then.
const EVERY_SECS: f64 = 1.5;
/// The first click: before it, half a second of sound.
const FIRST_SECS: f64 = 1.0;
const CLICKS: usize = 12;
/// A picture that has not changed for this long rests.
const REST: Duration = Duration::from_millis(300);

/// Prints the time from a click to the event and to the first picture that shows it.
pub fn to_picture(mut preset: Preset, library: Library, options: &Options) -> anyhow::Result<()> {
    let hit = "[mod]\nhit = { source = \"audio.onset\", to = \"/psi\" }\n";
    preset.modulators = Preset::parse(hit, &preset.path)?.modulators;
    let mut show = Show::new(crate::show::Options {
        library,
        preset,
        network: None,
        seed: Some(85),
        engine: options.engine().build(),
        mode: Mode::Live,
        screen: None,
    })?;
    show.step(0.0, &[set(Id::WalkKind, Value::Text("hold".to_owned()))]);
    settle(&mut show);
    let file = std::env::temp_dir().join(format!("latent-jockey-clicks-{}.wav", std::process::id()));
    fs::write(&file, wav(&clicks())).with_context(|| format!("cannot write {}", file.display()))?;
    let track = Track::open(&file);
    let measured = track.map_err(Into::into).and_then(|track| measure(&mut show, track));
    let _ = fs::remove_file(&file);
    let (mut heard, mut shown) = measured?;
    report!("sound     {} from a click to its event", percentiles(&mut heard));
    match shown.is_empty() {
        true => report!("          too slow here: no picture came to rest between two clicks"),
        false => report!("          {} from a click to the finished picture", percentiles(&mut shown)),
    }
    Ok(())
}

/// Milliseconds from each click to its event, and to its picture.
fn measure(show: &mut Show, track: Track) -> anyhow::Result<(Vec<f64>, Vec<f64>)> {
    let (sender, events) = control::queue();
    let onset = OUTPUTS.iter().find(|output| output.signal == "audio.onset");
    let onset = onset.and_then(|output| SignalId::intern(output.signal)).context("no signal for onsets")?;
    let (mut heard, mut shown) = (Vec::new(), Vec::new());
    let started = Instant::now();
    let audio = AudioIn::start(
        Input::Track { track: Box::new(track), aloud: false },
        Gain::Auto,
        sender,
        Arc::<Counts>::default(),
    )?;
    let end = started + Duration::from_secs_f64(FIRST_SECS + EVERY_SECS * CLICKS as f64);
    let (mut last, mut batch) = (started, Vec::new());
    // Milliseconds since the newest click.
    let since_click = || {
        let secs = started.elapsed().as_secs_f64() - FIRST_SECS;
        if secs < 0.0 { f64::INFINITY } else { secs % EVERY_SECS * 1e3 }
    };
    // The picture before a click that was heard, and when that click sounded.
    let mut waits = None;
    let (mut serial, mut still_since) = (None, started);
    while Instant::now() < end {
        batch.clear();
        crate::commands::play::next_events(&events, last, &mut batch);
        let is_hit = |event: &Event| matches!(event, Event::Signal { id, value } if *id == onset && *value == 1.0);
        // The beginning of the sound is no click.
        if batch.iter().any(is_hit) && since_click() < 300.0 {
            heard.push(since_click());
            // A picture that still moves would be taken for the one that shows this click.
            if waits.is_none() && still_since.elapsed() > REST {
                waits = Some((serial, Instant::now() - Duration::from_secs_f64(since_click() / 1e3)));
            }
        }
        let now = Instant::now();
        show.step((now - last).as_secs_f64(), &batch);
        last = now;
        let newest = show.picture().map(|picture| picture.serial);
        if newest != serial {
            (serial, still_since) = (newest, Instant::now());
        }
        if let Some((before, click)) = waits
            && before != serial
        {
            waits = None;
            shown.push(ms(click.elapsed()));
        }
    }
    drop(audio);
    anyhow::ensure!(heard.len() * 2 > CLICKS, "{} of {CLICKS} clicks were heard", heard.len());
    Ok((heard, shown))
}

/// Clicks of 6 ms over a quiet tone.
fn clicks() -> Vec<i16> {
    let rate = f64::from(RATE);
    let secs = FIRST_SECS + EVERY_SECS * CLICKS as f64 + 1.0;
    let sample = |i: usize| {
        let t = i as f64 / rate;
        let since = if t < FIRST_SECS { f64::INFINITY } else { (t - FIRST_SECS) % EVERY_SECS };
        let click =
            if since < 0.006 { (since * 1500.0 * std::f64::consts::TAU).sin() * (-since / 0.0015).exp() } else { 0.0 };
        let tone = 0.01 * (t * 220.0 * std::f64::consts::TAU).sin();
        ((0.5 * click + tone) * f64::from(i16::MAX)) as i16
    };
    (0..(secs * rate) as usize).map(sample).collect()
}

/// Mono samples at [`RATE`] as a WAV file.
fn wav(samples: &[i16]) -> Vec<u8> {
    let bytes = 2 * samples.len() as u32;
    let mut file = Vec::with_capacity(44 + bytes as usize);
    file.extend(b"RIFF");
    file.extend((36 + bytes).to_le_bytes());
    file.extend(b"WAVEfmt ");
    file.extend(16u32.to_le_bytes());
    // PCM, one channel.
    file.extend([1, 0, 1, 0]);
    file.extend(RATE.to_le_bytes());
    file.extend((2 * RATE).to_le_bytes());
    file.extend([2, 0, 16, 0]);
    file.extend(b"data");
    file.extend(bytes.to_le_bytes());
    file.extend(samples.iter().flat_map(|sample| sample.to_le_bytes()));
    file
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clicks_are_a_sound_file() {
        let file = std::env::temp_dir().join(format!("latent-jockey-clicks-test-{}.wav", std::process::id()));
        let expected = clicks();
        fs::write(&file, wav(&expected)).unwrap();
        let found = Track::open(&file).unwrap().read_all().unwrap();
        fs::remove_file(file).unwrap();
        assert_eq!(found.len(), expected.len());
        let is_same = |(found, &expected): (&f32, &i16)| (found * 32_768.0 - f32::from(expected)).abs() < 0.5;
        assert!(found.iter().zip(&expected).all(is_same));
        assert!(expected.iter().any(|&sample| sample > 8000), "there are clicks");
    }
}
