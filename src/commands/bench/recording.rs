//! `bench --record`: what a recording costs the show. Stretches with and without one take turns in one run, so that whatever
//! else the machine does falls on both.

use std::path::Path;
use std::time::{Duration, Instant};

use super::{Options, median, ms, set};
use crate::params::{Id, Value};
use crate::patch::library::Library;
use crate::patch::preset::Preset;
use crate::show::{Mode, Show};

/// Stretches of each kind.
const TURNS: usize = 4;
/// Left out at the beginning of each: a recording is starting.
const SETTLE: Duration = Duration::from_millis(700);
/// A display of 60 frames a second.
const FRAME: Duration = Duration::from_micros(16_667);
/// The size of the output.
const SIZE: [u32; 2] = [1280, 720];

/// What was measured in stretches of one kind.
#[derive(Default)]
struct Measured {
    /// Milliseconds of each step.
    steps: Vec<f64>,
    pictures: u64,
    secs: f64,
}

impl Measured {
    fn median(&mut self) -> f64 {
        median(&mut self.steps)
    }

    fn rate(&self) -> f64 {
        self.pictures as f64 / self.secs
    }
}

/// Plays the preset as in a window of 1280x720 at 60 frames a second, with and without a recording.
pub fn cost(preset: Preset, library: Library, options: &Options) -> anyhow::Result<()> {
    let (engine, screen) = options.engine().build_with_window();
    let is_shared = screen.as_ref().is_some_and(|device| device.is_shared());
    let name = preset.name.clone();
    let mut show = Show::new(crate::show::Options {
        library,
        preset,
        network: None,
        seed: Some(85),
        engine,
        screen,
        mode: Mode::Live,
    })?;
    show.set_output_size(SIZE);
    let folder = std::env::temp_dir().join(format!("latent-jockey-bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let measured = measure(&mut show, &folder.join("bench.mkv"), options.seconds);
    let ended = show.end_recording();
    let _ = std::fs::remove_dir_all(&folder);
    let ([mut off, mut on], lines) = measured?;
    for line in lines.iter().chain(&ended) {
        let told = line.split_once(": ").map_or(line.as_str(), |(_, told)| told);
        report!("recorded  {told}");
    }
    let place = if is_shared { "its pictures stay on the card as for a window" } else { "without a window's device" };
    report!("recording {name} at {}x{}, {place}", SIZE[0], SIZE[1]);
    for (what, measured) in [("without", &mut off), ("with", &mut on)] {
        let (median, rate) = (measured.median(), measured.rate());
        let p99 = measured.steps[measured.steps.len() * 99 / 100];
        report!("  {what:<8}{rate:.1} pictures/s, a step of the show takes {median:.3} ms, p99 {p99:.3} ms");
    }
    report!(
        "  ratio   {:.3} of the pictures, {:.3} times the step",
        on.rate() / off.rate().max(1e-9),
        on.median() / off.median().max(1e-9)
    );
    Ok(())
}

/// Stretches in turn: without, with. Also what was told about the recordings.
fn measure(show: &mut Show, file: &Path, seconds: f64) -> anyhow::Result<([Measured; 2], Vec<String>)> {
    let mut measured = [Measured::default(), Measured::default()];
    let mut lines = Vec::new();
    show.step(0.0, &[set(Id::RecordFile, Value::Text(file.display().to_string()))]);
    // The first pictures touch memory for the first time.
    play(show, 1.0, &mut Measured::default());
    for _ in 0..TURNS {
        for (i, measured) in measured.iter_mut().enumerate() {
            if i == 1 {
                show.step(0.0, &[set(Id::RecordStart, Value::Nothing)]);
            }
            play(show, SETTLE.as_secs_f64(), &mut Measured::default());
            play(show, seconds / TURNS as f64, measured);
            if i == 1 {
                anyhow::ensure!(show.is_recording(), "{}", show.status().notice.unwrap_or_default());
                lines.extend(show.end_recording());
            }
        }
    }
    Ok((measured, lines))
}

fn play(show: &mut Show, secs: f64, measured: &mut Measured) {
    let started = Instant::now();
    let serial = |show: &Show| show.picture().map_or(0, |picture| picture.serial);
    let (before, mut last) = (serial(show), started);
    while started.elapsed().as_secs_f64() < secs {
        std::thread::sleep(FRAME.saturating_sub(last.elapsed()));
        let now = Instant::now();
        show.step((now - last).as_secs_f64(), &[]);
        measured.steps.push(ms(now.elapsed()));
        last = now;
    }
    measured.pictures += serial(show) - before;
    measured.secs += started.elapsed().as_secs_f64();
}
