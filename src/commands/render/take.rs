//! `render TAKE`: what was played, again, at any size and frame rate.
//!
//! The show is simulated with the frames of the take, not with those of the video: what is played stays what was played. Each
//! frame of the video shows the picture that is nearest in time. The pictures that the engine skipped live are not drawn
//! here either, so that effects which see their own last picture, and the style loop, go the same way.
//!
//! The video is made in [pieces](crate::record::pieces), so that the same command goes on where it was stopped, and several
//! can share the work. [`super::lead`] brings a show to the first frame of a run of pieces.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use indicatif::ProgressBar;

use super::frames::{Frames, Part, times};
use super::lead::{Arrived, Lead};
use super::{Options, framed};
use crate::engine::memo::Memo;
use crate::image::fit::Composer;
use crate::patch::library::Library;
use crate::patch::locate;
use crate::record::Heard;
use crate::record::pieces::{Description, Pieces};
use crate::record::recorder::COARSE;
use crate::record::states::States;
use crate::record::take::Take;
use crate::show::{Mode, Show};

/// What a show remembers is kept so often while a video is rendered, so that little is drawn again if that is stopped.
const KEEP_EVERY: Duration = Duration::from_secs(30);

/// Addresses in one line about those that are gone.
const GONE: usize = 8;

/// The size at which a take was played when it began.
fn size_of(take: &Take) -> Option<[u32; 2]> {
    let sizes = take.frames[..=take.start].iter().rev().filter_map(|frame| frame.more.as_ref()?.size);
    sizes.into_iter().next().filter(|size| !size.contains(&0))
}

fn refuse_what_is_in_the_take(options: &Options) -> anyhow::Result<()> {
    let given = [
        ("--seconds", options.seconds.is_some()),
        ("--audio-gain", options.audio_gain.is_some()),
        ("--audio-offset", options.audio_offset != 0.0),
        ("--network", options.overrides.network.is_some()),
        ("--seed", options.overrides.seed.is_some()),
    ];
    if let Some((name, _)) = given.iter().find(|(_, is_given)| *is_given) {
        let instead = if *name == "--seconds" { ": use --from and --to" } else { "" };
        bail!("{name} does not go with a take, which holds what was played{instead}");
    }
    Ok(())
}

/// Joins what was rendered before, without rendering anything.
pub(super) fn join(out: &Path, options: &Options) -> anyhow::Result<()> {
    put_together(&Pieces::find(out, options.codec())?, options)
}

/// Joins the pieces, unless there is a file by now that they would replace.
fn put_together(pieces: &Pieces, options: &Options) -> anyhow::Result<()> {
    options.overwrite.check([pieces.out()])?;
    say!("{}", pieces.join()?);
    Ok(())
}

/// Says what is odd about a take.
pub(in crate::commands) fn warn_of(take: &Take, named: &str) {
    if take.is_cut {
        warn!("{named}: the last line was cut off; what is there is played");
    }
    let own = env!("CARGO_PKG_VERSION");
    if take.header.program != own {
        warn!("{named} was played with version {}; this is {own}, whose pictures may differ", take.header.program);
    }
    let gone: Vec<&str> = take.unknown().into_iter().collect();
    if !gone.is_empty() {
        let (first, more) = gone.split_at(gone.len().min(GONE));
        let more = if more.is_empty() { String::new() } else { format!(" and {} more", more.len()) };
        let first = first.join(", ");
        warn!("{named} plays {first}{more}, which this version does not have: what it moved stays where it is");
    }
}

pub(super) fn run(options: &Options) -> anyhow::Result<()> {
    let named = &options.preset;
    refuse_what_is_in_the_take(options)?;
    if options.join {
        return join(options.out.as_deref().context("--join needs --out")?, options);
    }
    let take = Take::read(&locate::expand(Path::new(named)))?;
    warn_of(&take, named);
    let times = times(&take);
    let last = times.last().copied().unwrap_or_default();
    let part = Part::new(options.from, options.to, last, options.fps);
    ensure!(part.first < part.end, "{named} lasts {last:.2} s: there is nothing between --from and --to");
    let places = take.locate()?;
    let (engine, screen) = options.overrides.engine.build_with_screen(Mode::Offline);
    options.overrides.engine.name_effects(&*engine)?;
    if engine.name() != take.header.engine {
        warn!("{named} was played on the {} engine; this is {}", take.header.engine, engine.name());
    }
    let takes_light = options.takes_light()?;
    if takes_light && screen.is_none() {
        warn!("{COARSE}");
    }
    let library = Library::open()?;
    let begin = || Show::of_take(&take, places.clone(), library.clone(), engine.clone(), screen.clone());
    let size = match options.size.map(|(width, height)| [width, height]).or_else(|| size_of(&take)) {
        Some(size) => size,
        None => {
            let [height, width] = begin()?.network().picture_size();
            [width as u32, height as u32]
        }
    };
    let frames = Frames::new(&take, times, part, options.fps, options.smooth);
    let sound = sound(options, &take, &frames, part)?;
    let start = || -> anyhow::Result<Show> {
        let mut show = begin()?;
        show.set_output_size(size);
        show.want_light(takes_light);
        Ok(show)
    };
    let mut settings = settings(options, &take, engine.name(), part);
    if takes_light {
        let bits = if screen.is_some() { "16 bits" } else { "8 bits" };
        settings.insert("the pictures".to_owned(), bits.to_owned());
    }
    let key = key(&settings, size, screen.is_some(), options);
    let lead = Lead {
        take: &take,
        frames: &frames,
        start: &start,
        watches: screen.is_some(),
        takes_light,
        run_up: options.run_up,
        states: vec![States::new(&take.path.with_extension("take-states"), &key)],
    };
    let stop = super::super::interrupted();
    let Some(out) = &options.out else {
        return Job { lead, options, size, stop, pieces: None }.keep_states();
    };
    let description = Description {
        settings,
        width: size[0],
        height: size[1],
        fps: options.fps,
        frames: part.end - part.first,
        sound,
        ..Description::default()
    };
    let (pieces, remark) = Pieces::plan(out, options.codec(), description)?;
    // Said before hours of work.
    options.overwrite.check_rendering(out, options.codec(), pieces.is_begun())?;
    remark.iter().for_each(|remark| warn!("{remark}"));
    pieces.claim(options.restart)?.iter().for_each(|remark| warn!("{remark}"));
    let mut lead = lead;
    lead.states.push(States::new(pieces.folder(), &key));
    Job { lead, options, size, stop, pieces: Some(&pieces) }.render(&pieces)
}

/// The track that was heard, or the one that is given.
fn sound(options: &Options, take: &Take, frames: &Frames, part: Part) -> anyhow::Result<Option<Heard>> {
    let first_secs = part.first as f64 / options.fps;
    if let Some(track) = &options.audio {
        ensure!(track.is_file(), "--audio: {} is not there", track.display());
        return Ok(Some(Heard { track: std::path::absolute(track)?, at_secs: first_secs, loops: false }));
    }
    let (Some(first), Some(last)) = (frames.shown.first(), frames.shown.last()) else { return Ok(None) };
    let Some((path, at_start)) = take.track(*first..last + 1, &frames.times) else { return Ok(None) };
    let used = take.files.iter().find(|used| used.sound && Path::new(&used.path) == path);
    let found =
        used.map_or_else(|| Err(format!("{} is not named in the take", path.display())), |used| take.find(used));
    match found {
        Ok(track) => {
            Ok(Some(Heard { track: std::path::absolute(track)?, at_secs: at_start + first_secs, loops: true }))
        }
        Err(line) => {
            warn!("without the sound that was heard: {line}");
            Ok(None)
        }
    }
}

/// What the video depends on besides its size, by what a person calls it.
fn settings(options: &Options, take: &Take, engine: &str, part: Part) -> BTreeMap<String, String> {
    let precision = options.overrides.engine.settings.precision;
    let mut settings = BTreeMap::new();
    let mut add = |name: &str, value: String| drop(settings.insert(name.to_owned(), value));
    add("the take", take.fingerprint()[..16].to_owned());
    add("the version", env!("CARGO_PKG_VERSION").to_owned());
    add("--engine", engine.to_owned());
    add("--precision", format!("{precision:?}").to_lowercase());
    add("the first frame", part.first.to_string());
    if options.smooth {
        add("--smooth", "on".to_owned());
    }
    if let Some(secs) = options.run_up {
        add("--run-up", secs.to_string());
    }
    settings
}

/// Stands for what the pictures depend on. Without `--smooth`, those that are drawn do not depend on the video's frames.
fn key(settings: &BTreeMap<String, String>, size: [u32; 2], has_screen: bool, options: &Options) -> String {
    let mut parts = vec![format!("{size:?} {has_screen}")];
    for name in ["the take", "the version", "--engine", "--precision"] {
        parts.extend(settings.get(name).cloned());
    }
    if options.smooth {
        parts.extend(settings.get("the first frame").cloned());
        parts.push(options.fps.to_string());
    }
    let text = parts.join(" ");
    // The name of a file begins with the first digits.
    format!("{:016x} {text}", fnv(text.as_bytes()))
}

/// FNV-1a: the same in every version of Rust.
fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

/// A rendering.
struct Job<'a> {
    lead: Lead<'a>,
    options: &'a Options,
    size: [u32; 2],
    stop: Arc<AtomicBool>,
    pieces: Option<&'a Pieces>,
}

/// Why a run of pieces ended.
#[derive(PartialEq, Eq)]
enum Ended {
    Whole,
    Stopped,
}

impl Job<'_> {
    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    fn render(&self, pieces: &Pieces) -> anyhow::Result<()> {
        let own = match self.options.part {
            Some((number, parts)) => pieces.part(number, parts),
            None => 0..pieces.count(),
        };
        let missing = pieces.missing(own.clone());
        let frames = |run: &Range<u64>| pieces.frames_of(run).count() as u64;
        let (all, left) = (frames(&own), missing.iter().map(frames).sum::<u64>());
        if left > 0 && left < all {
            warn!("going on: {} of {all} frames are there already, in {}", all - left, pieces.folder().display());
        }
        let bar = super::super::progress(all);
        bar.set_position(all - left);
        bar.reset_eta();
        for run in missing {
            if self.render_run(pieces, run, &bar)? == Ended::Stopped {
                bar.finish_and_clear();
                let there = all - pieces.missing(own.clone()).iter().map(frames).sum::<u64>();
                bail!(
                    "stopped after {there} of {all} frames, which are in {}: the same command goes on from there",
                    pieces.folder().display()
                );
            }
        }
        bar.finish_and_clear();
        match self.options.part {
            Some((number, parts)) => {
                say!(
                    "part {number} of {parts}: {all} frames of {} are there; --join joins all parts",
                    pieces.out().display()
                );
            }
            None => put_together(pieces, self.options)?,
        }
        Ok(())
    }

    fn render_run(&self, pieces: &Pieces, run: Range<u64>, bar: &ProgressBar) -> anyhow::Result<Ended> {
        let Lead { take, frames, .. } = &self.lead;
        let wanted = pieces.frames_of(&run);
        let shown = &frames.shown[wanted.start as usize..wanted.end as usize];
        bar.set_message("leading up to it");
        let Some(Arrived { mut show, next, is_exact }) = self.lead.to(shown[0], &|| self.is_stopped())? else {
            return Ok(Ended::Stopped);
        };
        let mut composer = Composer::new(self.size[0], self.size[1]);
        let mut writer = pieces.writer(run);
        let mut keeper = Keeper { job: self, is_exact, last: Instant::now(), own: None };
        let (mut number, mut owed) = (0, 0);
        for i in next..take.frames.len() {
            if self.is_stopped() {
                return Ok(Ended::Stopped);
            }
            self.lead.play(&mut show, i)?;
            if i >= shown[0] {
                bar.set_message("");
            }
            let due = shown[number..].iter().take_while(|at| **at <= i).count();
            (number, owed) = (number + due, owed + due);
            // A frame before the first picture shows the first picture.
            let Some(picture) = show.picture().filter(|_| owed > 0) else {
                keeper.step(&mut show, i, false)?;
                continue;
            };
            let pixels = framed(&mut composer, &show, picture);
            let mut is_whole = false;
            for _ in 0..std::mem::take(&mut owed) {
                is_whole |= writer.write(pixels)?;
                bar.inc(1);
            }
            if number == shown.len() {
                keeper.end();
                return Ok(Ended::Whole);
            }
            keeper.step(&mut show, i, is_whole)?;
        }
        bail!("{} holds no picture: {}", take.path.display(), super::no_picture(&show))
    }

    /// Draws the whole take only to keep what is remembered.
    fn keep_states(&self) -> anyhow::Result<()> {
        let Lead { take, states, .. } = &self.lead;
        let end = take.frames.len();
        let newest = states.first().and_then(|states| states.before(end).first().copied());
        let from = newest.map_or(0, |at| (at + 1).min(end - 1));
        let Some(Arrived { mut show, next, is_exact }) = self.lead.to(from, &|| self.is_stopped())? else {
            bail!("stopped");
        };
        let bar = super::super::progress(end as u64);
        bar.set_position(next as u64);
        bar.reset_eta();
        let mut keeper = Keeper { job: self, is_exact, last: Instant::now(), own: None };
        for i in next..end {
            if self.is_stopped() {
                bar.finish_and_clear();
                bail!("stopped: the same command goes on from the last state");
            }
            self.lead.play(&mut show, i)?;
            keeper.step(&mut show, i, false)?;
            bar.inc(1);
        }
        bar.finish_and_clear();
        let kept = states.first().map_or(0, |states| states.before(end).len());
        if kept == 0 {
            say!("nothing in {} feeds back: parts need no states", take.path.display());
        } else {
            say!("{}: {kept} states", take.path.with_extension("take-states").display());
        }
        Ok(())
    }
}

/// Keeps what a show remembers, where that is wanted.
struct Keeper<'a> {
    job: &'a Job<'a>,
    /// What is remembered is what it would be if everything before was drawn.
    is_exact: bool,
    last: Instant,
    /// The newest state in the folder of the pieces.
    own: Option<usize>,
}

impl Keeper<'_> {
    /// After frame `i`, with which a piece may have become whole.
    fn step(&mut self, show: &mut Show, i: usize, is_whole: bool) -> anyhow::Result<()> {
        let Lead { frames, states, .. } = &self.job.lead;
        let mark = |i: usize| self.job.options.checkpoint_every.map_or(0.0, |secs| (frames.times[i] / secs).floor());
        let is_due = i > 0 && mark(i) > mark(i - 1);
        let is_time = is_whole && self.last.elapsed() >= KEEP_EVERY;
        if !self.is_exact || !(is_due || is_time) || !show.remembers() {
            return Ok(());
        }
        let mut memo = Memo::new();
        show.memo(&mut memo).context("the state of the show")?;
        let bytes = memo.into_bytes();
        let keep = |states: &States| states.write(i, &bytes).context("the state of the show cannot be written");
        if let Some(beside) = states.first().filter(|_| is_due) {
            keep(beside)?;
        }
        if let Some(own) = states.get(1).filter(|_| is_time && self.job.pieces.is_some()) {
            keep(own)?;
            if let Some(old) = self.own.replace(i) {
                own.remove(old);
            }
            self.last = Instant::now();
        }
        Ok(())
    }

    /// The pieces are whole: nothing has to go on from its own state.
    fn end(&self) {
        if let (Some(states), Some(frame)) = (self.job.lead.states.get(1), self.own) {
            states.remove(frame);
        }
    }
}
