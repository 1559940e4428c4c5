//! The show as a page.

use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use anyhow::Context;
use image::RgbImage;

use super::ShowOptions;
use crate::record::slides::{Slides, Words};

/// The page, beside its place until it is whole.
pub struct Page<'a> {
    slides: Slides<BufWriter<File>>,
    part: PathBuf,
    out: &'a Path,
}

impl<'a> Page<'a> {
    pub fn begin(out: &'a Path, options: &ShowOptions, title: &str) -> anyhow::Result<Page<'a>> {
        let mut part = out.as_os_str().to_owned();
        part.push(".part");
        let part = PathBuf::from(part);
        let title = options.title.as_deref().unwrap_or(title);
        let file = File::create(&part).with_context(|| format!("cannot write {}", part.display()))?;
        let slides = Slides::begin(BufWriter::new(file), title, options.stay, options.side);
        Ok(Page { slides: slides.with_context(|| format!("cannot write {}", part.display()))?, part, out })
    }

    pub fn add(&mut self, picture: &RgbImage, words: &Words) -> anyhow::Result<()> {
        self.slides.add(picture, words).with_context(|| format!("cannot write {}", self.part.display()))
    }

    /// Puts it in its place, which it returns.
    pub fn end(self) -> anyhow::Result<&'a Path> {
        let wrong = || format!("cannot write {}", self.out.display());
        self.slides.end().with_context(wrong)?;
        std::fs::rename(&self.part, self.out).with_context(wrong)?;
        Ok(self.out)
    }
}
