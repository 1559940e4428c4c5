//! `bench --latent`: what directions, mixing and bends cost a frame. Stretches with and without them take turns in one run, so that
//! whatever else the machine does falls on all.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::ensure;

use super::{Options, median, ms};
use crate::control::{Event, Source, Write};
use crate::engine::bend::{self, Kind};
use crate::params::{DIR_KNOBS, Id, Target, Value, WalkKind};
use crate::patch::library::Library;
use crate::patch::preset::Preset;
use crate::show::{Mode, Show};

/// Stretches of each kind.
const TURNS: usize = 12;
/// From frame to frame, in seconds.
const FRAME: f64 = 1.0 / 30.0;
/// Frames at the beginning of a stretch, in which everything arrives, and memory is touched for the first time.
const SETTLE: usize = 8;

/// What is measured, by the parameters that are not at rest.
const WHAT: [(&str, [bool; 3]); 5] = [
    ("nothing", [false, false, false]),
    ("16 directions", [true, false, false]),
    ("mixing", [false, true, false]),
    ("three bends", [false, false, true]),
    ("all of it", [true, true, true]),
];

/// Plays the network offline, with a walk that makes a new picture in every frame.
pub fn cost(network: PathBuf, library: Library, options: &Options) -> anyhow::Result<()> {
    let mut show = Show::new(crate::show::Options {
        library,
        preset: Preset { network: Some(network), ..Preset::default() },
        network: None,
        seed: Some(85),
        engine: options.engine().build(),
        screen: None,
        mode: Mode::Offline,
    })?;
    let layers = bend::layers(&show.network().plan).len();
    ensure!(layers > 0, "{} has no layers that can be bent", show.network().name);
    show.step(0.0, &[set(Id::WalkKind.into(), WalkKind::Drift as usize as f64), set(Id::WalkSpeed.into(), 1.0)]);
    let mut millis = [const { Vec::<f64>::new() }; WHAT.len()];
    for _ in 0..TURNS {
        for ((_, on), millis) in WHAT.iter().zip(&mut millis) {
            show.step(0.0, &events(*on, layers));
            (0..SETTLE).for_each(|_| show.step(0.5, &[]));
            let started = Instant::now();
            while started.elapsed().as_secs_f64() < options.seconds / TURNS as f64 {
                let before = Instant::now();
                show.step(FRAME, &[]);
                millis.push(ms(before.elapsed()));
            }
        }
    }
    if let Some(line) = show.failure() {
        anyhow::bail!("{line}");
    }
    let engine = show.status().engine;
    report!("latent    {} · {engine} engine, bends on {layers} layers: first, middle and last", show.network().name);
    let medians = millis.each_mut().map(|millis| median(millis));
    for ((what, _), millis) in WHAT.iter().zip(medians) {
        report!("  {what:<14}{millis:.2} ms a frame, {:.3} times as long", millis / medians[0].max(1e-9));
    }
    Ok(())
}

/// What sets the directions, the second walk and the bends, on or at rest.
fn events([directions, mixing, bends]: [bool; 3], layers: usize) -> Vec<Event> {
    let of = |is_on: bool, value: f64| if is_on { value } else { 0.0 };
    let knobs = (0..DIR_KNOBS as u16).map(|index| set(Target { id: Id::Dir, index }, of(directions, 0.5)));
    let mut events: Vec<Event> = knobs.collect();
    events.push(set(Id::MixAmount.into(), of(mixing, 0.5)));
    events.push(set(Id::MixWalkKind.into(), WalkKind::Drift as usize as f64));
    let slots = [(Kind::Rotate, 0.1, 0), (Kind::Blur, 1.5, layers / 2), (Kind::Feedback, 0.7, layers - 1)];
    for (n, (kind, amount, layer)) in slots.into_iter().enumerate() {
        let [kinds, layers, amounts, ..] = Id::of_bend(n);
        events.push(set(kinds.into(), of(bends, kind as usize as f64)));
        events.push(set(layers.into(), layer as f64));
        events.push(set(amounts.into(), amount));
    }
    events
}

fn set(target: Target, value: f64) -> Event {
    Event::Write(Write { target, value: Value::Float(value), source: Source::Osc })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::params::Params;

    #[test]
    fn what_is_on_is_off_again() {
        let mut params = Params::default();
        let mut play = |on: [bool; 3]| {
            for event in events(on, 13) {
                let Event::Write(Write { target, value, .. }) = event else { panic!("writes only") };
                params.write(target, &value).unwrap();
            }
            let knobs = (0..DIR_KNOBS as u16).filter(|index| params.base(Target { id: Id::Dir, index: *index }) != 0.0);
            let bent = (0..bend::SLOTS).filter(|n| params.base(Id::of_bend(*n)[0]) != 0.0);
            (knobs.count(), params.base(Id::MixAmount) != 0.0, bent.count())
        };
        for (what, expected) in
            WHAT.iter().zip([(0, false, 0), (16, false, 0), (0, true, 0), (0, false, 3), (16, true, 3)])
        {
            assert_eq!(play(what.1), expected, "{}", what.0);
        }
    }
}
