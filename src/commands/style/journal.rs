//! The progress of a run, kept on disk so that it can be resumed.
//!
//! `passes.csv` holds the measurements and `resume.bin` the last painting at full precision, both written whenever a pass is
//! saved. A resumed run gives the same bytes as an uninterrupted one.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};

use super::measure::Measured;
use super::{Overwrite, plot};
use crate::image::Image;

/// Files that runs leave.
const FILES: [&str; 5] = ["pass_0000.png", "passes.csv", "passes.svg", "passes.mp4", "sheet.png"];

/// Size of the header in bytes: the pass, its height and its width.
const HEADER: usize = 12;

/// The rows so far, and their files.
pub struct Journal {
    folder: PathBuf,
    command: String,
    rows: Vec<Measured>,
    painting: Option<Image>,
}

impl Journal {
    /// Reads what an earlier run of the same command left in `folder`. `command` describes everything that the passes depend on.
    ///
    /// # Errors
    /// When the folder holds the passes of another command, and they may not be replaced.
    pub fn open(folder: &Path, command: &str, overwrite: Overwrite) -> anyhow::Result<Journal> {
        let mut journal =
            Journal { folder: folder.to_owned(), command: command.to_owned(), rows: Vec::new(), painting: None };
        let Ok(bytes) = fs::read(journal.file()) else {
            overwrite.check(FILES.map(|name| folder.join(name)))?;
            journal.claim()?;
            return Ok(journal);
        };
        let Some((found, state)) = split(&bytes) else { return Ok(journal) };
        if found != command {
            ensure!(
                overwrite.is_on(),
                "{} holds the passes of another command ({found}); use another folder, or --overwrite",
                folder.display()
            );
            journal.claim()?;
            return Ok(journal);
        }
        let Some((pass, painting)) = painting(state) else { return Ok(journal) };
        let table = fs::read_to_string(folder.join("passes.csv")).unwrap_or_default();
        let rows: Vec<Measured> = table.lines().filter_map(plot::parse).take_while(|row| row.pass <= pass).collect();
        if rows.len() == pass as usize {
            (journal.rows, journal.painting) = (rows, Some(painting));
        }
        Ok(journal)
    }

    fn file(&self) -> PathBuf {
        self.folder.join("resume.bin")
    }

    /// Says whose passes will be in the folder, so that they are known again if this run ends before the first is kept.
    fn claim(&self) -> anyhow::Result<()> {
        replace(&self.file(), format!("{}\n", self.command).as_bytes())
    }

    /// Number of finished passes.
    pub fn passes(&self) -> u32 {
        self.rows.len() as u32
    }

    pub fn rows(&self) -> &[Measured] {
        &self.rows
    }

    /// The last painting, if there is one of this size.
    pub fn painting(&mut self, height: usize, width: usize) -> Option<Image> {
        self.painting.take().filter(|p| (p.height, p.width) == (height, width))
    }

    /// Starts over.
    pub fn restart(&mut self) {
        self.rows.clear();
    }

    /// Adds a pass, and writes everything if its picture was saved.
    ///
    /// # Errors
    /// When writing fails.
    pub fn add(&mut self, row: Measured, painting: &Image, saved: bool) -> anyhow::Result<()> {
        // Rounded as in the table, so that a run resumed from the table plots the same curves.
        self.rows.push(plot::parse(&plot::line(&row)).unwrap_or(row));
        if saved { self.write(painting) } else { Ok(()) }
    }

    /// Writes the table and the last painting. An interruption leaves either the old ones or the new ones.
    ///
    /// # Errors
    /// When writing fails.
    pub fn write(&self, painting: &Image) -> anyhow::Result<()> {
        let mut bytes = format!("{}\n", self.command).into_bytes();
        for number in [self.passes(), painting.height as u32, painting.width as u32] {
            bytes.extend(number.to_le_bytes());
        }
        bytes.extend(painting.data.iter().flat_map(|v| v.to_le_bytes()));
        replace(&self.folder.join("passes.csv"), plot::table(&self.rows).as_bytes())?;
        replace(&self.file(), &bytes)
    }
}

fn split(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let end = bytes.iter().position(|&b| b == b'\n')?;
    Some((std::str::from_utf8(&bytes[..end]).ok()?, &bytes[end + 1..]))
}

fn painting(state: &[u8]) -> Option<(u32, Image)> {
    let (header, numbers) = state.split_at_checked(HEADER)?;
    let number = |i: usize| header[4 * i..].first_chunk::<4>().map(|b| u32::from_le_bytes(*b));
    let (pass, height, width) = (number(0)?, number(1)? as usize, number(2)? as usize);
    let data: Vec<f32> = numbers.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
    let expected = height.checked_mul(width)?.checked_mul(3)?;
    let image = Image { channels: 3, height, width, data };
    (image.data.len() == expected).then_some((pass, image))
}

fn replace(file: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let aside = file.with_extension("tmp");
    fs::write(&aside, bytes).with_context(|| format!("cannot write {}", aside.display()))?;
    fs::rename(&aside, file).with_context(|| format!("cannot write {}", file.display()))
}

/// A hash that distinguishes two pictures (FNV-1a, 64 bits).
pub fn fingerprint(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &b| (hash ^ u64::from(b)).wrapping_mul(0x0000_0100_0000_01b3))
}
