//! `style`: a style network paints over a picture, then over its own painting, again and again.
//!
//! Saves the numbered passes, a contact sheet, a video, and a table and a plot of how far each pass has moved. The same
//! command gives the same bytes, and resumes a run that was stopped. A folder of pictures gives a folder for each.

mod journal;
pub mod measure;
mod plot;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use anyhow::{Context, bail, ensure};
use image::RgbaImage;

use super::overwrite::Overwrite;
use crate::effects::style::{Keep, StyleLoop, StyleSettings};
use crate::engine::cpu::Cpu;
use crate::footage::clip::is_clip;
use crate::image::Image;
use crate::image::convert::byte_from_float;
use crate::image::file;
use crate::image::resample::Resizer;
use crate::network::style_transfer::StyleNetwork;
use crate::patch::library::Library;
use crate::patch::locate;
use crate::record::{Sink, sheet};
use crate::show::picture::{self, LeftOut};
use journal::Journal;

/// Pictures on a contact sheet.
const SHEET: usize = 24;

#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// A picture (PNG, JPEG or WebP), or a folder of pictures; or the name of one that ships or is yours
    #[arg(value_parser = super::path())]
    image: PathBuf,
    /// Number of passes
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    passes: u32,
    /// Output folder; one with passes of the same command is gone on with
    #[arg(long, value_name = "DIR", value_parser = super::path())]
    out: PathBuf,
    /// The style network: a file, or the name of one that ships or is yours
    #[arg(long, default_value = "painters8", value_name = "FILE")]
    network: PathBuf,
    /// The style: its name, or its number from 0
    #[arg(long, default_value = "0")]
    style: String,
    /// A second style to blend with
    #[arg(long, value_name = "STYLE")]
    blend_with: Option<String>,
    /// Share of the second style, 0 to 1
    #[arg(long, default_value_t = 0.5, requires = "blend_with")]
    blend: f32,
    /// Save every K-th pass (the first and the last are always saved)
    #[arg(long, default_value_t = 1, value_name = "K", value_parser = clap::value_parser!(u32).range(1..))]
    every: u32,
    /// Shorter side of the paintings in pixels
    #[arg(long, default_value_t = 512, value_parser = clap::value_parser!(u16).range(16..=4096))]
    size: u16,
    /// Zoom factor from pass to pass
    #[arg(long, default_value_t = 1.0)]
    zoom: f32,
    /// Rotation from pass to pass, in degrees
    #[arg(long, default_value_t = 0.0, allow_negative_numbers = true)]
    rotate: f32,
    /// Share of the original mixed into every pass, 0 to 1
    #[arg(long, default_value_t = 0.0)]
    original: f32,
    /// Keep this share of the original's colour, 0 to 1
    #[arg(long, default_value_t = 0.0)]
    keep: f32,
    /// Frames per second of the video; 0 for no video
    #[arg(long, default_value_t = 12.0)]
    fps: f64,
    #[command(flatten)]
    overwrite: Overwrite,
}

/// # Errors
/// When a file cannot be read or written, the network is not a style network, or DIR holds the passes of another command.
pub fn run(options: &Options) -> anyhow::Result<()> {
    for (name, share) in [("blend", options.blend), ("original", options.original), ("keep", options.keep)] {
        ensure!((0.0..=1.0).contains(&share), "--{name} takes 0 to 1, got {share}");
    }
    ensure!((0.25..=4.0).contains(&options.zoom), "--zoom takes 0.25 to 4, got {}", options.zoom);
    ensure!(options.rotate.is_finite() && options.fps.is_finite(), "--rotate and --fps take numbers");
    let file = locate::network(&options.network)?;
    let network = Arc::new(StyleNetwork::open(&file)?);
    let weights = crate::file::read(&file, u64::MAX).with_context(|| format!("cannot read {}", file.display()))?;
    let weights = journal::fingerprint(&weights);
    let settings = settings(options, &network)?;
    let place = place(&options.image)?;
    let pictures = pictures(&place)?;
    if let Some(left_out) = LeftOut::of(&place) {
        warn!("{}: {left_out}", place.display());
    }
    let is_folder = crate::file::is_folder(&place);
    for picture in &pictures {
        let stem = picture.file_stem().unwrap_or_default();
        let out = if is_folder { options.out.join(stem) } else { options.out.clone() };
        let style = StyleLoop::new(Arc::new(Cpu::default()), network.clone());
        let made = Run { options, settings, network: &network, weights, picture, out: &out }.go(style)?;
        say!("{made}");
    }
    Ok(())
}

/// The file or folder that the player means: a path, or a name.
fn place(image: &Path) -> anyhow::Result<PathBuf> {
    let library = Library::open()?;
    Ok(image.to_str().map_or_else(|| Ok(image.to_owned()), |name| library.picture(name, Path::new("")))?)
}

/// The pictures to paint over, in natural order.
fn pictures(image: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = picture::pictures_of(image)?;
    found.retain(|file| !is_clip(file));
    ensure!(!found.is_empty(), "{} holds no pictures; style takes no videos", image.display());
    let repeated = found.windows(2).find(|pair| pair[0].file_stem() == pair[1].file_stem());
    if let Some([a, b]) = repeated {
        bail!("{} and {} would go into the same folder", a.display(), b.display());
    }
    Ok(found)
}

/// The settings of the style loop for each pass: full feedback, and one second per pass.
fn settings(options: &Options, network: &StyleNetwork) -> anyhow::Result<StyleSettings> {
    let a = style_number(&options.style, network)?;
    let b = options.blend_with.as_deref().map_or(Ok(a), |style| style_number(style, network))?;
    Ok(StyleSettings {
        a,
        b,
        blend: if options.blend_with.is_some() { options.blend } else { 0.0 },
        amount: 1.0,
        passes: 1,
        feedback: 1.0 - options.original,
        size: usize::from(options.size),
        keep: options.keep,
        keep_what: Keep::Colour,
        // The experiment is about what the network does.
        dark: 0.0,
        zoom: options.zoom.powi(2),
        rotate: options.rotate * 2.0,
        // The loop takes steps of at most half a second.
        dt_secs: 0.5,
        ..StyleSettings::default()
    })
}

fn style_number(style: &str, network: &StyleNetwork) -> anyhow::Result<usize> {
    let names = || network.styles.iter().map(|s| s.name.as_str());
    if let Some(number) = names().position(|name| name.eq_ignore_ascii_case(style)) {
        return Ok(number);
    }
    match style.parse::<usize>() {
        Ok(number) if number < network.styles.len() => Ok(number),
        Ok(number) => bail!("{} has styles 0 to {}, not {number}", network.name, network.styles.len() - 1),
        Err(_) => bail!("{} has no style {style:?}; it has {}", network.name, names().collect::<Vec<_>>().join(", ")),
    }
}

/// One picture and where its passes go.
struct Run<'a> {
    options: &'a Options,
    settings: StyleSettings,
    network: &'a StyleNetwork,
    /// Fingerprint of the network's file, to distinguish files of the same name.
    weights: u64,
    picture: &'a Path,
    out: &'a Path,
}

impl Run<'_> {
    fn go(&self, mut style: StyleLoop) -> anyhow::Result<String> {
        let original = file::read_image(self.picture)?;
        let mut content = Image::default();
        let (height, width) = self.settings.working_size(original.height, original.width);
        Resizer::default().resize(&original, height, width, &mut content);
        std::fs::create_dir_all(self.out).with_context(|| format!("cannot make the folder {}", self.out.display()))?;
        let mut journal = Journal::open(self.out, &self.command(&original), self.options.overwrite)?;
        let bar = super::progress(self.options.passes.into());
        bar.set_message(self.picture.file_name().unwrap_or_default().to_string_lossy().into_owned());
        let mut last = match journal.painting(height, width) {
            Some(painting) => {
                style.resume(&painting);
                painting
            }
            None => {
                journal.restart();
                save(&content, &self.file(0))?;
                content.clone()
            }
        };
        bar.set_position(journal.passes().into());
        let mut next = Image::default();
        let stop = super::interrupted();
        for pass in journal.passes() + 1..=self.options.passes {
            style.process(&content, &self.settings, &mut next)?;
            let saved = self.is_saved(pass);
            if saved {
                save(&next, &self.file(pass))?;
            }
            journal.add(measure::measure(pass, &content, &last, &next), &next, saved)?;
            std::mem::swap(&mut last, &mut next);
            bar.inc(1);
            if stop.load(Ordering::Relaxed) && pass < self.options.passes {
                journal.write(&last)?;
                bar.finish_and_clear();
                bail!("stopped after pass {pass}; run the same command to resume");
            }
        }
        journal.write(&last)?;
        self.sum_up(&journal)?;
        let video = self.video()?;
        bar.finish_and_clear();
        Ok(format!("{}: {} passes, sheet.png, passes.csv, passes.svg{video}", self.out.display(), journal.passes()))
    }

    /// Everything that the passes depend on.
    fn command(&self, original: &Image) -> String {
        let StyleSettings { a, b, blend, feedback, size, keep, zoom, rotate, .. } = self.settings;
        let bytes: Vec<u8> = original.data.iter().flat_map(|v| v.to_le_bytes()).collect();
        format!(
            "network {} {:016x} styles {a} {b} blend {blend} feedback {feedback} size {size} keep {keep} zoom {zoom} rotate {rotate} every {} picture {}x{} {:016x}",
            self.network.name,
            self.weights,
            self.options.every,
            original.width,
            original.height,
            journal::fingerprint(&bytes)
        )
    }

    fn is_saved(&self, pass: u32) -> bool {
        pass <= 1 || pass.is_multiple_of(self.options.every) || pass == self.options.passes
    }

    /// Pass 0 is the original picture.
    fn file(&self, pass: u32) -> PathBuf {
        self.out.join(format!("pass_{pass:04}.png"))
    }

    fn saved(&self) -> Vec<PathBuf> {
        let all = (0..=self.options.passes).filter(|&pass| self.is_saved(pass)).map(|pass| self.file(pass));
        all.filter(|file| file.is_file()).collect()
    }

    /// The contact sheet, the table and the plot.
    fn sum_up(&self, journal: &Journal) -> anyhow::Result<()> {
        let saved = self.saved();
        // Denser at the start, where most of the change happens.
        let place = |i: usize| {
            let t = i as f64 / (SHEET - 1) as f64;
            (t * t * (saved.len() - 1) as f64).round() as usize
        };
        let mut shown: Vec<usize> = if saved.len() <= SHEET {
            (0..saved.len()).collect()
        } else {
            (0..SHEET).map(|i| place(i).max(i)).collect()
        };
        shown.dedup();
        let open = |file: &PathBuf| {
            image::open(file).map(|i| i.to_rgba8()).with_context(|| format!("cannot read {}", file.display()))
        };
        let pictures = shown.iter().map(|&i| open(&saved[i])).collect::<anyhow::Result<Vec<RgbaImage>>>()?;
        write(&self.out.join("passes.csv"), &plot::table(journal.rows()))?;
        write(&self.out.join("passes.svg"), &plot::svg(journal.rows()))?;
        let sheet_file = self.out.join("sheet.png");
        sheet::contact_sheet(&pictures)
            .save(&sheet_file)
            .with_context(|| format!("cannot write {}", sheet_file.display()))
    }

    /// Makes a video of the saved passes. Returns what to append to the summary line.
    fn video(&self) -> anyhow::Result<String> {
        let saved = self.saved();
        if self.options.fps <= 0.0 || saved.len() < 2 || !ffmpeg_is_there() {
            return Ok(String::new());
        }
        let (width, height) =
            image::image_dimensions(&saved[0]).with_context(|| format!("cannot read {}", saved[0].display()))?;
        let (mut sink, _) = Sink::open(&self.out.join("passes.mp4"), width, height, self.options.fps)?;
        for file in &saved {
            let frame = image::open(file).with_context(|| format!("cannot read {}", file.display()))?.to_rgba8();
            sink.write(frame.as_raw())?;
        }
        sink.finish()?;
        Ok(", passes.mp4".to_owned())
    }
}

/// Without ffmpeg there is no video; a second folder of PNGs would be pointless.
fn ffmpeg_is_there() -> bool {
    let quiet = std::process::Stdio::null;
    std::process::Command::new("ffmpeg")
        .arg("-version")
        .stdout(quiet())
        .stderr(quiet())
        .status()
        .is_ok_and(|s| s.success())
}

fn save(image: &Image, file: &Path) -> anyhow::Result<()> {
    let plane = image.height * image.width;
    let bytes = (0..plane).flat_map(|i| [0, 1, 2].map(|c| byte_from_float(image.data[c * plane + i]))).collect();
    let picture = image::RgbImage::from_raw(image.width as u32, image.height as u32, bytes)
        .with_context(|| format!("{} x {} x {} is not a picture", image.channels, image.height, image.width))?;
    picture.save(file).with_context(|| format!("cannot write {}", file.display()))
}

fn write(file: &Path, text: &str) -> anyhow::Result<()> {
    std::fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
}
