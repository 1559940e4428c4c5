//! `render`: a preset or a take as a video or a folder of pictures, offline and reproducible.

mod take;

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use anyhow::{Context, bail, ensure};

use crate::audio::Gain;
use crate::control::audio::Playback;
use crate::image::fit::Composer;
use crate::record::take::Take;
use crate::record::{self, Sink};
use crate::show::{Mode, Show};

#[derive(Debug, clap::Args)]
pub struct Options {
    /// The preset: a name, its number, or a file; or a network's file, as with --network; or a take
    #[arg(value_name = "PRESET|TAKE")]
    preset: String,
    /// A video (.mp4, .mkv, .mov) or a folder for PNGs
    #[arg(long, value_name = "FILE|DIR", value_parser = super::path())]
    out: PathBuf,
    /// Length [default: the track's, or 10 seconds]
    #[arg(long, value_name = "S")]
    seconds: Option<f64>,
    #[arg(long, default_value_t = 30.0, value_name = "F")]
    fps: f64,
    /// Width and height of the frames [default: the picture's own; of a take, the size at which it was played]
    #[arg(long, value_parser = super::parse_size, value_name = "WxH")]
    size: Option<(u32, u32)>,
    /// Play this track: what is heard moves the picture as in a show, and the video gets the sound
    #[arg(long, value_name = "FILE")]
    audio: Option<PathBuf>,
    /// Loudness of the music in dB of full scale, instead of adapting to it
    #[arg(long, value_name = "DB", value_parser = super::parse_gain, allow_negative_numbers = true, requires = "audio")]
    audio_gain: Option<Gain>,
    /// Milliseconds by which the picture hears the sound earlier (or later, if negative)
    #[arg(long, value_name = "MS", default_value_t = 0.0, allow_negative_numbers = true, requires = "audio")]
    audio_offset: f64,
    /// Of a take: begin here, in seconds such as 12.5 or as 1:30
    #[arg(long, value_name = "TIME", value_parser = take::parse_moment)]
    from: Option<f64>,
    /// Of a take: end before this time
    #[arg(long, value_name = "TIME", value_parser = take::parse_moment)]
    to: Option<f64>,
    /// Of a take: draw only this many seconds of what leads up to the first frame, where feedback needs it [default: all]
    #[arg(long, value_name = "S")]
    run_up: Option<f64>,
    /// Of a take: draw every frame of the video, also where the engine was too slow for it live. Feedback may go another way
    #[arg(long)]
    smooth: bool,
    #[command(flatten)]
    overrides: super::Overrides,
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
    if Take::is_named(Path::new(&options.preset)) {
        return take::run(options);
    }
    let of_takes = [("--from", options.from), ("--to", options.to), ("--run-up", options.run_up)];
    if let Some((name, _)) = of_takes.iter().find(|(_, given)| given.is_some()) {
        bail!("{name} is for takes (.take), and {} is a preset", options.preset);
    }
    ensure!(!options.smooth, "--smooth is for takes (.take), and {} is a preset", options.preset);
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
    // The first frame is at time 0.
    show.step(0.0, &[]);
    let (mut sink, remark) = Sink::open(&options.out, width, height, options.fps)?;
    if let Some(remark) = remark {
        warn!("{remark}");
    }
    let stop = super::interrupted();
    let frames = (seconds * options.fps).round().max(1.0) as u64;
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
            show.step(1.0 / options.fps, events);
        }
        if let Some(failure) = show.failure() {
            bail!("frame {frame}: {failure}");
        }
        let picture = show.picture().with_context(|| no_picture(&show))?;
        let pixels = composer.compose(&picture.rgba, picture.width, picture.height, show.fit(), show.brightness());
        sink.write(pixels)?;
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
