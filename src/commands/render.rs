//! `render`: a preset or a take as a video or a folder of pictures, offline and reproducible.

pub(super) mod frames;
mod lead;
mod take;

pub(super) use take::warn_of;

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use anyhow::{Context, bail, ensure};
use clap::builder::{PossibleValuesParser, TypedValueParser};

use super::overwrite::Overwrite;
use crate::audio::Gain;
use crate::caption::watch;
use crate::control::Event;
use crate::control::audio::Playback;
use crate::image::fit::Composer;
use crate::params::{Choice, Codec};
use crate::record::recorder::COARSE;
use crate::record::take::Take;
use crate::record::video::VideoSettings;
use crate::record::{self, Pixels, Sink};
use crate::show::stage::Picture;
use crate::show::{Mode, Show};

#[derive(Debug, clap::Args)]
pub struct Options {
    /// The preset: a name, its number, or a file; or a network's file, as with --network; or a take; or a
    /// snapshot, which shows how it came to its picture
    #[arg(value_name = "PRESET|TAKE|SNAPSHOT")]
    preset: String,
    /// A video (.mp4, .mov, .mkv, .webm, .gif, .webp) or a folder for PNGs, or EXRs with --codec exr
    #[arg(long, value_name = "FILE|DIR", value_parser = super::path(), required_unless_present = "checkpoint_every")]
    out: Option<PathBuf>,
    /// How it is encoded [default: what the file's ending suggests]
    #[arg(long, value_name = "NAME", value_parser = codec(), requires = "out")]
    codec: Option<Codec>,
    /// Length [default: the track's, or 10 seconds]
    #[arg(long, value_name = "S")]
    seconds: Option<f64>,
    #[arg(long, default_value_t = 30.0, value_name = "F")]
    fps: f64,
    /// Width and height of the frames [default: the picture's own; of a take, the size at which it was played]
    #[arg(long, value_parser = super::parse_size, value_name = "WxH")]
    size: Option<(u32, u32)>,
    /// Play this track: what is heard moves the picture as in a show, and the video gets the sound. Of a take: only the
    /// sound, from the take's beginning, instead of the track that was heard
    #[arg(long, value_name = "FILE")]
    audio: Option<PathBuf>,
    /// Loudness of the music in dB of full scale, instead of adapting to it
    #[arg(long, value_name = "DB", value_parser = super::parse_gain, allow_negative_numbers = true, requires = "audio")]
    audio_gain: Option<Gain>,
    /// Milliseconds by which the picture hears the sound earlier (or later, if negative)
    #[arg(long, value_name = "MS", default_value_t = 0.0, allow_negative_numbers = true, requires = "audio")]
    audio_offset: f64,
    /// Close the video to a loop: its end leads on to its beginning, for all that moves in latent space and for random noise
    #[arg(long = "loop")]
    closes: bool,
    /// Of a take: begin here, in seconds such as 12.5 or as 1:30
    #[arg(long, value_name = "TIME", value_parser = parse_moment)]
    from: Option<f64>,
    /// Of a take: end before this time
    #[arg(long, value_name = "TIME", value_parser = parse_moment)]
    to: Option<f64>,
    /// Of a take: draw only this many seconds of what leads up to the first frame, where feedback needs it [default: all]
    #[arg(long, value_name = "S")]
    run_up: Option<f64>,
    /// Of a take: draw every frame of the video, also where the engine was too slow for it live. Feedback may go another way
    #[arg(long)]
    smooth: bool,
    /// Of a take: render only this part, such as 3/16, for several machines or processes. --join joins them
    #[arg(long, value_name = "N/PARTS", value_parser = parse_part, requires = "out", conflicts_with = "join")]
    part: Option<(u64, u64)>,
    /// Of a take: join the parts that were rendered, and render nothing
    #[arg(long, requires = "out", conflicts_with = "restart")]
    join: bool,
    /// Of a take: begin again, where a rendering was stopped
    #[arg(long, requires = "out")]
    restart: bool,
    /// Of a take: keep what style loops and effects remember every so often, so that parts can begin there. Without --out,
    /// only that
    #[arg(long, value_name = "S", value_parser = parse_interval)]
    checkpoint_every: Option<f64>,
    #[command(flatten)]
    overwrite: Overwrite,
    #[command(flatten)]
    overrides: super::Overrides,
}

impl Options {
    fn codec(&self) -> Codec {
        self.codec.unwrap_or(Codec::Auto)
    }

    /// Whether more than 8 bits of the pictures are written.
    fn takes_light(&self) -> anyhow::Result<bool> {
        let planned = self.out.as_deref().map(|out| record::codec::plan(out, self.codec())).transpose()?;
        Ok(planned.is_some_and(|(_, codec, _)| codec == Codec::Exr))
    }
}

/// A picture as a frame of the video: in linear light where it has that.
fn framed<'a>(composer: &'a mut Composer, show: &Show, picture: &Picture) -> Pixels<'a> {
    let Picture { width, height, rgba, light, .. } = picture;
    if light.is_empty() {
        Pixels::Coded(composer.compose(rgba, *width, *height, show.fit(), show.brightness()))
    } else {
        Pixels::Light(composer.compose_light(light, *width, *height, show.fit(), show.brightness()))
    }
}

/// A codec by its name.
fn codec() -> impl TypedValueParser<Value = Codec> {
    PossibleValuesParser::new(Codec::WORDS).map(|word| Codec::from_word(&word).unwrap_or(Codec::Auto))
}

/// `3/16`: the third of sixteen parts.
fn parse_part(text: &str) -> Result<(u64, u64), String> {
    let wrong = || format!("expected a part such as 3/16, from 1/16 to 16/16, got {text:?}");
    let (number, parts) = text.split_once('/').ok_or_else(wrong)?;
    let number_of = |text: &str| text.trim().parse::<u64>().ok();
    let (number, parts) = number_of(number).zip(number_of(parts)).ok_or_else(wrong)?;
    if (1..=parts).contains(&number) { Ok((number, parts)) } else { Err(wrong()) }
}

/// Seconds, at least a hundredth.
pub(super) fn parse_interval(text: &str) -> Result<f64, String> {
    let secs = text.trim().parse().ok().filter(|secs: &f64| (0.01..=86_400.0).contains(secs));
    secs.ok_or_else(|| format!("expected 0.01 to 86400 seconds, got {text:?}"))
}

/// Frames that lead up to a loop, and in which it closes: a quarter of it, and at most three seconds.
fn lead_of(frames: u64, fps: f64) -> u64 {
    (frames / 4).min((3.0 * fps) as u64)
}

/// Length without `--seconds` and without a track.
const SECONDS: f64 = 10.0;

fn no_picture(show: &Show) -> String {
    show.failure().unwrap_or("the network gave no picture").to_owned()
}

pub fn run(options: &Options) -> anyhow::Result<()> {
    ensure!(options.fps > 0.0 && options.fps <= 1000.0, "--fps takes 1 to 1000, got {}", options.fps);
    ensure!(
        (-1000.0..=1000.0).contains(&options.audio_offset),
        "--audio-offset takes up to a second (1000), got {}",
        options.audio_offset
    );
    let named = Path::new(&options.preset);
    if Take::is_named(named) || Take::is_in_picture(named) {
        ensure!(!options.closes, "--loop is for presets, and {} is a take", options.preset);
        return take::run(options);
    }
    let of_takes = [
        ("--from", options.from.is_some()),
        ("--to", options.to.is_some()),
        ("--run-up", options.run_up.is_some()),
        ("--smooth", options.smooth),
        ("--part", options.part.is_some()),
        ("--join", options.join),
        ("--restart", options.restart),
        ("--checkpoint-every", options.checkpoint_every.is_some()),
    ];
    if let Some((name, _)) = of_takes.iter().find(|(_, is_given)| *is_given) {
        bail!("{name} is for takes (.take), and {} is a preset", options.preset);
    }
    let out = options.out.as_deref().context("--out is missing")?;
    options.overwrite.check_rendering(out, options.codec(), false)?;
    let audio = options.audio.as_deref();
    let mut playback = audio.map(|track| Playback::open(track, options.audio_gain.unwrap_or_default())).transpose()?;
    let seconds = match (options.seconds, &playback) {
        (Some(seconds), _) => seconds,
        (None, None) => SECONDS,
        (None, Some(playback)) => playback.secs().context("this track does not say how long it is: add --seconds")?,
    };
    ensure!(seconds > 0.0 && seconds <= 86_400.0, "--seconds takes up to a day, got {seconds}");
    let mut show = options.overrides.show(Some(&options.preset), Mode::Offline)?;
    let [height, width] = show.network().picture_size().map(|side| side as u32);
    let (width, height) = options.size.unwrap_or((width, height));
    show.set_output_size([width, height]);
    let takes_light = options.takes_light()?;
    show.want_light(takes_light);
    let frames = (seconds * options.fps).round().max(1.0) as u64;
    let lead = if options.closes { lead_of(frames, options.fps) } else { 0 };
    if options.closes {
        show.close_loop(frames as usize, lead as usize);
    }
    let (mut captions, looker) = watch::Offline::new();
    show.tap(looker);
    let mut play = |show: &mut Show, dt: f64, events: &[Event]| match captions.event(show.params(), dt) {
        None => show.step(dt, events),
        Some(Event::Notice(line)) => {
            warn!("{line}");
            show.step(dt, events);
        }
        Some(seen) => show.step(dt, &[events, &[seen]].concat()),
    };
    // The first frame is at time 0.
    play(&mut show, 0.0, &[]);
    for _ in 0..lead {
        play(&mut show, 1.0 / options.fps, &[]);
    }
    let open = [
        ("the sound", playback.is_some()),
        ("live code", show.preset().script.is_some()),
        ("modulators outside latent space", !show.preset().modulators.is_empty()),
        ("what effects or bends remember", show.remembers()),
    ];
    let open: Vec<&str> =
        open.into_iter().filter(|(_, is_there)| *is_there && options.closes).map(|(name, _)| name).collect();
    if !open.is_empty() {
        warn!("the loop may show where it closes: it cannot close {}", open.join(", "));
    }
    if takes_light && show.picture().is_some_and(|picture| picture.light.is_empty()) {
        warn!("{COARSE}");
    }
    let settings = VideoSettings { codec: options.codec(), ..VideoSettings::new(width, height, options.fps) };
    let (mut sink, remark) = Sink::open_with(out, settings)?;
    if let Some(remark) = remark {
        warn!("{remark}");
    }
    let stop = super::interrupted();
    let bar = super::progress(frames);
    let mut composer = Composer::new(width, height);
    for frame in 0..frames {
        if stop.load(Ordering::Relaxed) {
            bar.println("stopped; finishing the file");
            break;
        }
        if frame > 0 {
            let events = match &mut playback {
                Some(playback) => playback.advance(frame as f64 / options.fps + options.audio_offset / 1000.0)?,
                None => &[],
            };
            play(&mut show, 1.0 / options.fps, events);
        }
        if let Some(failure) = show.failure() {
            bail!("frame {frame}: {failure}");
        }
        let picture = show.picture().with_context(|| no_picture(&show))?;
        sink.write_pixels(framed(&mut composer, &show, picture))?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    let mut summary = sink.finish()?;
    if let Some(track) = audio {
        record::add_sound(&mut summary, track);
    }
    say!("{summary}");
    Ok(())
}

/// A time in seconds, such as 12.5, or as 1:30 or 1:02:03.5.
fn parse_moment(text: &str) -> Result<f64, String> {
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
    fn parts_are_numbered_from_one() {
        assert_eq!((parse_part("3/16"), parse_part("1/1")), (Ok((3, 16)), Ok((1, 1))));
        for wrong in ["", "3", "0/4", "5/4", "-1/4", "1/0", "a/b", "1/2/3"] {
            assert!(parse_part(wrong).is_err(), "{wrong}");
        }
        assert!(parse_interval("0").is_err() && parse_interval("nan").is_err() && parse_interval("0.5").is_ok());
    }
}
