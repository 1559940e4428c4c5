//! What is shown of a take, or of the walk of a preset: it is played without drawing, and the latents of its moments are noted.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{bail, ensure};

use super::super::render::frames::{Frames, Part, times};
use super::super::render::warn_of;
use crate::engine::Engine;
use crate::engine::gpu::Device;
use crate::explore::studio::{Moment, Settings};
use crate::network::Network;
use crate::params::Id;
use crate::patch::folders::Kind;
use crate::patch::library::Library;
use crate::patch::locate;
use crate::record::take::{Frame, Take};
use crate::show::{Mode, Options, Show};

/// Most moments: some hundred megabytes of latents.
const MOST: u64 = 5000;
/// Length of a walk where nobody says it, in seconds.
const SECS: f64 = 60.0;
/// A walk is played in steps of this many seconds, as `render` does.
const STEP: f64 = 1.0 / 30.0;
/// Times do not divide exactly.
const SLACK: f64 = 1e-6;

/// What is browsed instead of seeds.
pub(super) enum Source {
    Take(PathBuf),
    /// A preset, by its name or file.
    Walk(String),
}

impl Source {
    /// What the player means: a take, a preset's file, or the name of a preset where no network has it. `None` for a network.
    pub fn of(named: &Path) -> Option<Source> {
        let path = locate::expand(named);
        if Take::is_named(&path) {
            return Some(Source::Take(path));
        }
        let text = named.to_str()?;
        if Kind::Preset.ends(&path) {
            return Some(Source::Walk(text.to_owned()));
        }
        let is_walk =
            locate::network(named).is_err() && Library::open().is_ok_and(|library| library.find(text).is_ok());
        is_walk.then(|| Source::Walk(text.to_owned()))
    }

    /// What it is called.
    fn name(&self) -> String {
        match self {
            Source::Take(path) => path.display().to_string(),
            Source::Walk(name) => name.clone(),
        }
    }
}

/// The moments of one network.
pub(super) struct Moments {
    pub network: Arc<Network>,
    pub moments: Vec<Moment>,
    /// How many there were of other networks.
    pub others: usize,
}

/// The moments of the source, one every so many seconds, for so many seconds at most; of a take, all of it if nobody says how
/// many. If several networks were played, those of the one with the most moments. What goes wrong while it is played costs a line.
///
/// # Errors
/// When it cannot be played, and when there would be too many of them.
pub(super) fn moments(
    source: &Source,
    (engine, screen): (Arc<dyn Engine>, Option<Arc<Device>>),
    every: f64,
    seconds: Option<f64>,
) -> anyhow::Result<Moments> {
    let mut noted = Noted::default();
    let show = match source {
        Source::Take(path) => {
            let take = Take::read(path)?;
            warn_of(&take, &source.name());
            let times = times(&take);
            let last = times.last().copied().unwrap_or_default();
            let part = Part::new(None, seconds, last, 1.0 / every);
            check_count(part.end)?;
            // The same pictures as in a video of so many frames per second.
            let frames = Frames::new(&take, times, part, 1.0 / every, false);
            // Before the first picture, a video shows that one.
            let first = frames.drawn.iter().position(|is_drawn| *is_drawn);
            let shown = frames.shown.iter().map(|i| frames.last_drawn(*i).or(first).unwrap_or(*i));
            let shown: Vec<usize> = shown.collect();
            let mut played = Show::of_take(&take, take.locate()?, Library::open()?, engine, screen)?;
            let mut n = 0;
            for (i, frame) in take.frames.iter().enumerate().take(shown.last().map_or(0, |last| last + 1)) {
                if frame.is_drawn {
                    played.pass_over(frame);
                } else {
                    played.repeat(frame, false);
                }
                while shown.get(n) == Some(&i) {
                    noted.note(&mut played, n as f64 * every);
                    n += 1;
                }
            }
            played
        }
        Source::Walk(name) => {
            let (library, preset) = super::super::presets(Some(name))?;
            let options = Options { library, preset, network: None, seed: None, engine, screen, mode: Mode::Offline };
            let mut played = Show::new(options)?;
            let seconds = seconds.unwrap_or(SECS);
            let count = (seconds / every - SLACK).ceil().max(1.0) as u64;
            check_count(count)?;
            let mut steps = 0;
            for n in 0..count {
                let until = (n as f64 * every / STEP).round() as u64;
                while steps <= until {
                    let dt = if steps == 0 { 0.0 } else { STEP };
                    played.pass_over(&Frame { dt, is_drawn: true, more: None });
                    steps += 1;
                }
                noted.note(&mut played, n as f64 * every);
            }
            played
        }
    };
    if let Some(failure) = show.failure() {
        warn!("{}: {failure}", source.name());
    }
    let all: usize = noted.by_network.iter().map(|(_, moments)| moments.len()).sum();
    let longest = noted.by_network.into_iter().rev().max_by_key(|(_, moments)| moments.len());
    let Some((network, moments)) = longest else { bail!("{}: nothing is played there", source.name()) };
    let others = all - moments.len();
    Ok(Moments { network, moments, others })
}

fn check_count(count: u64) -> anyhow::Result<()> {
    ensure!(
        count <= MOST,
        "{count} pictures are too many: choose a larger --every, or fewer --seconds, for at most {MOST}"
    );
    Ok(())
}

/// The moments of each network, in the order in which they were played first.
#[derive(Default)]
struct Noted {
    by_network: Vec<(Arc<Network>, Vec<Moment>)>,
}

impl Noted {
    fn note(&mut self, show: &mut Show, secs: f64) {
        let (network, [w, ws]) = show.latent();
        let params = show.params();
        let settings = Settings { psi: params.get(Id::Psi) as f32, class: params.get(Id::Class) };
        let moment = Moment { secs, seed: params.int(Id::Seed).max(0) as u32, settings, w, ws };
        match self.by_network.iter_mut().find(|(known, _)| known.path == network.path) {
            Some((_, moments)) => moments.push(moment),
            None => self.by_network.push((network, vec![moment])),
        }
    }
}
