//! The show as a preset: `/input` plays a folder of pictures, with the captions of its table.
//!
//! Pictures that are drawn for the show are written into a folder beside the preset; a folder of one's own is played where it is.
//! The preset is written last, so that what it names is there.

use std::fs;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, ensure};
use image::RgbImage;

use super::{Overwrite, Said, ShowOptions};
use crate::caption::table::{NAME, Table};
use crate::patch::locate::name_of;
use crate::patch::track;

/// The network of a preset that plays a folder: a preset needs one, and it is not seen.
const UNSEEN: &str = "flowers128";
/// How far pictures drift.
const DRIFT: f64 = 0.15;
/// Longest time that `/input/every` counts.
const LONGEST: f64 = 600.0;
/// A picture is wide if its width is more than this many heights, and upright if its height is more than this many widths.
const WIDE: f64 = 1.2;

/// What a preset plays.
pub enum Plays {
    /// Pictures that are there.
    Folder(PathBuf),
    /// Pictures of this network, as presets name it.
    Network(String),
}

/// A preset, and its pictures.
pub struct Playing<'a> {
    options: &'a ShowOptions,
    out: &'a Path,
    network: String,
    /// What plays.
    folder: PathBuf,
    /// The same until it is whole, if it is written here.
    part: Option<PathBuf>,
    table: Table,
    count: usize,
    wide: usize,
    upright: usize,
    has_words: bool,
    /// Longest side of a picture, in pixels.
    longest: u32,
}

impl<'a> Playing<'a> {
    pub fn begin(out: &'a Path, options: &'a ShowOptions, plays: &Plays) -> anyhow::Result<Playing<'a>> {
        ensure!(
            options.beats.is_some() || options.stay <= LONGEST,
            "{}: a preset shows a picture for at most {LONGEST} seconds, got --stay {}",
            out.display(),
            options.stay
        );
        let (network, folder, part) = match plays {
            Plays::Folder(folder) => (UNSEEN.to_owned(), folder.clone(), None),
            Plays::Network(network) => {
                let folder = out.with_file_name(format!("{}-slides", name_of(out)));
                check_folder(&folder, options.overwrite)?;
                let part = out.with_file_name(format!("{}-slides.{}.part", name_of(out), std::process::id()));
                fs::create_dir_all(&part).with_context(|| format!("cannot make the folder {}", part.display()))?;
                (network.clone(), folder, Some(part))
            }
        };
        let table = Table::open(&part.as_ref().unwrap_or(&folder).join(NAME))?;
        let (count, wide, upright, longest, has_words) = (0, 0, 0, 0, false);
        Ok(Playing { options, out, network, folder, part, table, count, wide, upright, has_words, longest })
    }

    pub fn add(&mut self, picture: &RgbImage, said: &Said, file: &Path) -> anyhow::Result<()> {
        let file = match &self.part {
            Some(part) => {
                let png = part.join(file);
                picture.save(&png).with_context(|| format!("cannot write {}", png.display()))?;
                png
            }
            None => file.to_owned(),
        };
        if let Some(caption) = &said.caption {
            self.table.add(&file, caption)?;
        }
        let (width, height) = picture.dimensions();
        self.count += 1;
        let [across, high] = [width, height].map(f64::from);
        self.wide += usize::from(across > WIDE * high);
        self.upright += usize::from(high > WIDE * across);
        self.has_words |= !said.words().caption.is_empty();
        self.longest = self.longest.max(width).max(height);
        Ok(())
    }

    pub fn end(self) -> anyhow::Result<()> {
        let text = self.text()?;
        let Playing { out, folder, part, table, count, .. } = self;
        // Where files that are open cannot be moved.
        drop(table);
        if let Some(part) = part {
            let wrong = || format!("cannot write {}", folder.display());
            if folder.is_dir() {
                fs::remove_dir_all(&folder).with_context(wrong)?;
            }
            fs::rename(&part, &folder).with_context(wrong)?;
        }
        track::write(out, &text).with_context(|| format!("cannot write {}", out.display()))?;
        say!("{}: plays {count} pictures of {}", out.display(), folder.display());
        Ok(())
    }

    fn text(&self) -> anyhow::Result<String> {
        let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
        let (stays, unit) = match self.options.beats {
            Some(beats) => (beats, "beats"),
            None => (self.options.stay, "seconds"),
        };
        // Beats are half a second here, if the tempo is as usual.
        let secs = if self.options.beats.is_some() { stays / 2.0 } else { stays };
        let fade = (secs / 4.0).min(2.0);
        let mut lines = vec![
            format!("# A slide show of {}, by latent-jockey slides.", counted(self.count)),
            format!("name = {}", quoted(&name_of(self.out))),
            "# Seen when /input/amount goes down.".to_owned(),
            format!("network = {}", quoted(&self.network)),
            String::new(),
            "[params]".to_owned(),
            format!("\"/input\" = {}", quoted(&self.place()?)),
            format!("\"/input/every\" = {stays:?}"),
            format!("\"/input/sync\" = {}", quoted(unit)),
            format!("\"/input/fade\" = {fade:?}"),
            format!("\"/input/drift\" = {DRIFT:?}"),
        ];
        // Larger than what is made anyway.
        if self.longest > 512 {
            lines.push("\"/input/size\" = \"1024\"".to_owned());
        }
        if 2 * self.wide > self.count {
            lines.push("# Wide pictures are seen whole on a wide screen.".to_owned());
            lines.push("\"/input/fit\" = \"mirror\"".to_owned());
            lines.push("\"/fit\" = \"cover\"".to_owned());
        } else if 2 * self.upright > self.count {
            lines.push("# Upright pictures are seen whole.".to_owned());
            lines.push("\"/input/fit\" = \"mirror\"".to_owned());
        }
        if self.has_words {
            lines.push("\"/caption/show\" = true".to_owned());
        }
        lines.push(String::new());
        Ok(lines.join("\n"))
    }

    /// The folder as the preset names it: from its own folder if it lies there, with forward slashes.
    fn place(&self) -> anyhow::Result<String> {
        let folder = std::path::absolute(&self.folder)?;
        let preset = std::path::absolute(self.out)?;
        let inside = preset.parent().and_then(|base| folder.strip_prefix(base).ok()).filter(|p| *p != Path::new(""));
        let Some(inside) = inside else {
            let whole = folder.to_str().with_context(|| format!("{}: not UTF-8", folder.display()))?;
            return Ok(whole.to_owned());
        };
        let parts = inside.components().filter_map(|part| match part {
            Component::Normal(name) => name.to_str(),
            _ => None,
        });
        Ok(format!("./{}", parts.collect::<Vec<_>>().join("/")))
    }
}

/// Checks that a folder of drawn pictures may be replaced: it holds nothing that this command has not made.
fn check_folder(folder: &Path, overwrite: Overwrite) -> anyhow::Result<()> {
    if !folder.exists() {
        return Ok(());
    }
    ensure!(overwrite.is_on(), "{} already exists; --overwrite replaces it", folder.display());
    let is_own = |file: &Path| {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        name == NAME || (name.contains("-seed") && name.ends_with(".png"))
    };
    let entries = fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let other = entries.flatten().map(|entry| entry.path()).find(|file| !is_own(file));
    let other = other.map(|file| file.display().to_string());
    ensure!(other.is_none(), "{} is no picture of a slide show: choose another name", other.unwrap_or_default());
    Ok(())
}

fn counted(pictures: usize) -> String {
    if pictures == 1 { "one picture".to_owned() } else { format!("{pictures} pictures") }
}
