//! `render`: a preset as a video or a folder of pictures, offline and reproducible.

use std::path::PathBuf;
use std::sync::atomic::Ordering;

use anyhow::{Context, bail, ensure};

use crate::image::fit::Composer;
use crate::record::Sink;
use crate::show::{Mode, Show};

#[derive(Debug, clap::Args)]
pub struct Options {
    /// The preset: a name, its number, or a file; or a network's file, as with --network
    preset: String,
    /// A video (.mp4, .mkv, .mov) or a folder for PNGs
    #[arg(long, value_name = "FILE|DIR", value_parser = super::path())]
    out: PathBuf,
    #[arg(long, default_value_t = 10.0, value_name = "S")]
    seconds: f64,
    #[arg(long, default_value_t = 30.0, value_name = "F")]
    fps: f64,
    /// Width and height of the frames [default: the picture's own]
    #[arg(long, value_parser = super::parse_size, value_name = "WxH")]
    size: Option<(u32, u32)>,
    #[command(flatten)]
    overrides: super::Overrides,
}

fn no_picture(show: &Show) -> String {
    show.failure().unwrap_or("the network gave no picture").to_owned()
}

pub fn run(options: &Options) -> anyhow::Result<()> {
    ensure!(options.fps > 0.0 && options.fps <= 1000.0, "--fps takes 1 to 1000, got {}", options.fps);
    ensure!(
        options.seconds > 0.0 && options.seconds <= 86_400.0,
        "--seconds takes up to a day, got {}",
        options.seconds
    );
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
    let frames = (options.seconds * options.fps).round().max(1.0) as u64;
    let bar = super::progress(frames);
    let mut composer = Composer::new(width, height);
    for frame in 0..frames {
        if stop.load(Ordering::Relaxed) {
            bar.println("stopped; finishing the file");
            break;
        }
        if frame > 0 {
            show.step(1.0 / options.fps, &[]);
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
    say!("{}", sink.finish()?);
    Ok(())
}
