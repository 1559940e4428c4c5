//! `render TAKE`: what was played, again, at any size and frame rate.
//!
//! The show is simulated with the frames of the take, not with those of the video: what is played stays what was played. Each
//! frame of the video shows the picture that is nearest in time. The pictures that the engine skipped live are not drawn
//! here either, so that effects which see their own last picture, and the style loop, go the same way.

use std::path::Path;
use std::sync::atomic::Ordering;

use anyhow::{Context, bail, ensure};

use super::{Options, no_picture};
use crate::image::fit::Composer;
use crate::patch::library::Library;
use crate::patch::locate;
use crate::record::Sink;
use crate::record::take::Take;
use crate::show::Show;

/// A time in seconds, such as 12.5, or as 1:30 or 1:02:03.5.
pub(super) fn parse_moment(text: &str) -> Result<f64, String> {
    let wrong = || format!("expected a time in seconds such as 12.5, or as 1:30, got {text:?}");
    let parts: Vec<&str> = text.trim().split(':').collect();
    let (last, before) = parts.split_last().ok_or_else(wrong)?;
    let mut secs: f64 = last.parse().ok().filter(|s: &f64| s.is_finite() && *s >= 0.0).ok_or_else(wrong)?;
    if before.len() > 2 || (!before.is_empty() && secs >= 60.0) {
        return Err(wrong());
    }
    for (part, unit) in before.iter().rev().zip([60.0, 3600.0]) {
        secs += part.parse::<u32>().map(f64::from).map_err(|_| wrong())? * unit;
    }
    Ok(secs)
}

/// The frames of a video: number `first` and those after it, before `end`, each at its number divided by the frame rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Part {
    first: u64,
    end: u64,
}

impl Part {
    /// Parts that follow one another have the frames of the whole. `last` is the time of the take's last frame.
    fn new(from: Option<f64>, to: Option<f64>, last: f64, fps: f64) -> Part {
        const SLACK: f64 = 1e-6;
        let ceil = |secs: f64| (secs * fps - SLACK).ceil().max(0.0) as u64;
        let all = (last * fps + SLACK).floor() as u64 + 1;
        let end = to.map_or(all, |to| ceil(to).min(all));
        Part { first: ceil(from.unwrap_or(0.0)).min(end), end }
    }
}

/// The times of a take's frames in seconds; the one with which it begins is at 0.
fn times(take: &Take) -> Vec<f64> {
    let mut now = 0.0;
    let times: Vec<f64> = take
        .frames
        .iter()
        .map(|frame| {
            now += frame.dt;
            now
        })
        .collect();
    let start = times[take.start];
    times.into_iter().map(|time| time - start).collect()
}

/// The size at which a take was played when it began.
fn size_of(take: &Take) -> Option<(u32, u32)> {
    let sizes = take.frames[..=take.start].iter().rev().filter_map(|frame| frame.more.as_ref()?.size);
    sizes.into_iter().next().filter(|size| !size.contains(&0)).map(|[width, height]| (width, height))
}

pub(super) fn run(options: &Options) -> anyhow::Result<()> {
    let named = &options.preset;
    let given = [
        ("--seconds", options.seconds.is_some()),
        ("--audio", options.audio.is_some()),
        ("--network", options.overrides.network.is_some()),
        ("--seed", options.overrides.seed.is_some()),
    ];
    if let Some((name, _)) = given.iter().find(|(_, is_given)| *is_given) {
        let instead = if *name == "--seconds" { ": use --from and --to" } else { "" };
        bail!("{name} does not go with a take, which holds what was played{instead}");
    }
    let take = Take::read(&locate::expand(Path::new(named)))?;
    if take.is_cut {
        warn!("{named}: the last line was cut off; rendering what is there");
    }
    let own = env!("CARGO_PKG_VERSION");
    if take.header.program != own {
        warn!("{named} was played with version {}; this is {own}, whose pictures may differ", take.header.program);
    }
    let times = times(&take);
    let last = times.last().copied().unwrap_or_default();
    let part = Part::new(options.from, options.to, last, options.fps);
    ensure!(part.first < part.end, "{named} lasts {last:.2} s: there is nothing between --from and --to");
    let places = take.locate()?;
    let (engine, screen) = options.overrides.engine.build_with_screen();
    if engine.name() != take.header.engine {
        warn!("{named} was played on the {} engine; this is {}", take.header.engine, engine.name());
    }
    let mut show = Show::of_take(&take, places, Library::open()?, engine, screen)?;
    let [height, width] = show.network().picture_size().map(|side| side as u32);
    let (width, height) = options.size.or_else(|| size_of(&take)).unwrap_or((width, height));
    show.set_output_size([width, height]);
    let (mut sink, remark) = Sink::open(&options.out, width, height, options.fps)?;
    if let Some(remark) = remark {
        warn!("{remark}");
    }

    let first_at = part.first as f64 / options.fps;
    // The frame that the first one shows.
    let middle = |i: usize| times.get(i + 1).map_or(f64::INFINITY, |next| (times[i] + next) / 2.0);
    let begin = (0..times.len()).find(|i| first_at < middle(*i)).unwrap_or(0);
    let last_drawn = take.frames[..=begin].iter().rposition(|frame| frame.is_drawn);
    let run_up = options.run_up.unwrap_or(if take.remembers(begin) { f64::INFINITY } else { 0.0 });
    let stop = super::super::interrupted();
    let bar = super::super::progress(part.end - part.first);
    bar.set_message(if begin > 0 { "leading up to it" } else { "" });
    let mut composer = Composer::new(width, height);
    let (mut next, mut owed) = (part.first, 0);
    for (i, frame) in take.frames.iter().enumerate() {
        if next >= part.end || stop.load(Ordering::Relaxed) {
            break;
        }
        let leads_up = i < begin && Some(i) != last_drawn && times[i] < first_at - run_up;
        let is_seen = i >= begin && (next as f64) / options.fps < middle(i);
        show.repeat(frame, if options.smooth && i >= begin { is_seen } else { frame.is_drawn && !leads_up });
        if let Some(failure) = show.failure() {
            bail!("at {:.2} s: {failure}", times[i]);
        }
        if i == begin {
            bar.set_message("");
        }
        if i < begin {
            continue;
        }
        // A frame before the first picture shows the first picture.
        while next < part.end && next as f64 / options.fps < middle(i) {
            (next, owed) = (next + 1, owed + 1);
        }
        let Some(picture) = show.picture() else { continue };
        if owed > 0 {
            let pixels = composer.compose(&picture.rgba, picture.width, picture.height, show.fit(), show.brightness());
            for _ in 0..std::mem::take(&mut owed) {
                sink.write(pixels)?;
                bar.inc(1);
            }
        }
    }
    ensure!(show.picture().is_some(), "{named} holds no picture: {}", no_picture(&show));
    if next < part.end {
        bar.println("stopped; finishing the file");
    }
    bar.finish_and_clear();
    let summary = sink.finish().context("the video")?;
    say!("{summary}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_seconds_or_minutes() {
        for (text, secs) in [("0", 0.0), ("12.5", 12.5), ("1:30", 90.0), ("1:02:03.5", 3723.5), ("90", 90.0)] {
            assert_eq!(parse_moment(text), Ok(secs), "{text}");
        }
        for wrong in ["", "-1", "a", "1:60", "1:2:3:4", "1:-3", "inf", "1.5:00"] {
            assert!(parse_moment(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn parts_make_up_the_whole() {
        let part = |from, to| Part::new(from, to, 9.0, 30.0);
        assert_eq!(part(None, None), Part { first: 0, end: 271 });
        let moments = [0.0, 2.5, 2.51, 7.77, 20.0];
        let mut next = 0;
        for pair in moments.windows(2) {
            let part = part(Some(pair[0]), Some(pair[1]));
            assert_eq!(part.first, next, "{pair:?}");
            next = part.end;
        }
        assert_eq!(next, 271);
        let after = part(Some(30.0), None);
        assert_eq!(after.first, after.end, "nothing is left there");
    }
}
