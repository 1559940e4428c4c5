//! `caption`: pictures get captions, in a table that people may edit.

use std::path::{Path, PathBuf};

use anyhow::{bail, ensure};
use rayon::prelude::*;

use crate::caption::Captioner;
use crate::caption::table::Table;
use crate::image::file::{self, FileError};

/// Pictures that are captioned before their rows are written.
const AT_ONCE: usize = 16;

#[derive(Debug, clap::Args)]
pub struct Options {
    /// Pictures, and folders of them
    #[arg(required = true, value_name = "FILES", value_parser = super::path())]
    files: Vec<PathBuf>,
    /// Add the captions to this table; rows that it has are kept as they are
    #[arg(long, value_name = "FILE.csv", value_parser = super::path())]
    out: Option<PathBuf>,
    #[command(flatten)]
    captioner: CaptionerOptions,
}

/// Which network captions pictures.
#[derive(Clone, Debug, clap::Args)]
pub struct CaptionerOptions {
    /// Another captioner than the one that ships
    #[arg(long, value_name = "FILE.safetensors", value_parser = super::path())]
    captioner: Option<PathBuf>,
}

impl CaptionerOptions {
    /// Opens it.
    ///
    /// # Errors
    /// When this build has none, or the file is none.
    pub(super) fn open(&self) -> anyhow::Result<Captioner> {
        Ok(Captioner::open(self.captioner.as_deref())?)
    }
}

pub fn run(options: &Options) -> anyhow::Result<()> {
    let captioner = options.captioner.open()?;
    let mut table = options.out.as_deref().map(Table::open).transpose()?;
    // Pictures and folders that cannot be read.
    let mut bad = 0;
    let mut written = 0;
    let mut files = Vec::new();
    for place in &options.files {
        match pictures(place) {
            Ok(found) => files.extend(found),
            Err(error) => {
                bad += 1;
                warn!("latent-jockey: {error:#}");
            }
        }
    }
    let all = files.len() + bad;
    files.retain(|file| table.as_ref().is_none_or(|table| table.get(file).is_none()));
    let kept = all - bad - files.len();
    let bar = super::progress(files.len() as u64);
    for some in files.chunks(AT_ONCE) {
        let look = |file: &PathBuf| -> Result<_, FileError> { Ok(captioner.caption(&file::read(file)?.into_rgb8())) };
        let captions: Vec<_> = some.par_iter().map(look).collect();
        for (file, caption) in some.iter().zip(captions) {
            bar.inc(1);
            match (caption, &mut table) {
                (Ok(caption), Some(table)) => {
                    table.add(file, &caption)?;
                    written += 1;
                }
                (Ok(caption), None) => {
                    let guess = if caption.is_guess() { ", a guess" } else { "" };
                    bar.suspend(|| say!("{}: {} ({:.2}{guess})", file.display(), caption.text, caption.mean));
                }
                (Err(error), _) => {
                    bad += 1;
                    bar.suspend(|| warn!("latent-jockey: {error}"));
                }
            }
        }
    }
    bar.finish_and_clear();
    if let Some(out) = &options.out {
        let kept = if kept > 0 { format!(", {kept} kept") } else { String::new() };
        say!("{}: {written} captions{kept}", out.display());
    }
    ensure!(bad == 0, "{bad} of {all} have no caption");
    Ok(())
}

/// The pictures of a folder in natural order, without those in folders inside it; a file is itself.
pub(super) fn pictures(place: &Path) -> anyhow::Result<Vec<PathBuf>> {
    if !place.is_dir() {
        return Ok(vec![place.to_owned()]);
    }
    let is_picture = |path: &PathBuf| {
        let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or("");
        file::ENDINGS.iter().any(|known| known.eq_ignore_ascii_case(ending)) && path.is_file()
    };
    let found: Vec<PathBuf> = crate::file::list(place)?.into_iter().filter(is_picture).collect();
    if found.is_empty() {
        bail!("{}: no pictures in this folder ({})", place.display(), file::ENDINGS.join(", "));
    }
    Ok(found)
}
