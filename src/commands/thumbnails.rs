//! `thumbnails`: draws small pictures, for [`crate::thumbnail`], whose child process this is, and for those that ship.
//!
//! Computes on one thread; for a show, at the lowest priority, so that the show does not notice.

mod draw;

use std::io::{self, BufRead, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc;

use anyhow::Context;

use super::overwrite::Overwrite;
use crate::file::built_in;
use crate::network::style_transfer::StyleNetwork;
use crate::patch::folders::{Folders, Kind};
use crate::patch::library::Library;
use crate::process;
use crate::thread::panic_message;
use crate::thumbnail::{ENDING, HELLO, Head, Request};
use draw::Artist;

#[derive(Debug, clap::Args)]
pub struct Options {
    /// Draw what ships, into this folder, and answer no requests
    #[arg(long, value_name = "DIR", value_parser = super::path())]
    out: Option<PathBuf>,
    /// Of what ships, draw only what has this in its name (repeatable)
    #[arg(long, value_name = "NAME", requires = "out")]
    only: Vec<String>,
    #[command(flatten)]
    overwrite: Overwrite,
}

/// # Errors
/// When a file cannot be written, or something that ships cannot be drawn.
pub fn run(options: &Options) -> anyhow::Result<()> {
    match &options.out {
        Some(out) => draw_shipped(out, options),
        None => serve(),
    }
}

/// Answers requests until they end.
fn serve() -> anyhow::Result<()> {
    // Before any other thread is started.
    process::become_idle();
    // One request waits at most: the next is sent after the answer.
    let (sender, requests) = mpsc::sync_channel(4);
    std::thread::Builder::new().name("requests".to_owned()).spawn(move || {
        for line in io::stdin().lock().lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
        // Whoever asked has gone, perhaps in the middle of a picture.
        process::end_at_once();
    })?;
    let mut artist = Artist::new(Library::open()?);
    let mut out = io::stdout().lock();
    writeln!(out, "{HELLO}")?;
    out.flush()?;
    for line in requests {
        let drawn = serde_json::from_str(&line).map_err(|error| error.to_string()).and_then(|request| {
            let drawn = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| artist.draw(&request)));
            match drawn {
                Ok(drawn) => drawn.map_err(|error| format!("{error:#}")),
                Err(panic) => {
                    // It may be in any state.
                    artist = Artist::new(Library::open().map_err(|error| error.to_string())?);
                    Err(panic_message(&*panic))
                }
            }
        });
        let (head, jpeg) = match drawn {
            Ok(jpeg) => (Head { bytes: jpeg.len(), error: None }, jpeg),
            Err(line) => (Head { bytes: 0, error: Some(line.chars().take(500).collect()) }, Vec::new()),
        };
        writeln!(out, "{}", serde_json::to_string(&head)?)?;
        out.write_all(&jpeg)?;
        out.flush()?;
    }
    Ok(())
}

/// Draws everything that ships.
fn draw_shipped(out: &Path, options: &Options) -> anyhow::Result<()> {
    let library = Library::new(Folders::default());
    let mut artist = Artist::new(library.clone());
    let mut all = shipped(&library)?;
    let is_meant = |name: &str| options.only.is_empty() || options.only.iter().any(|part| name.contains(part.as_str()));
    all.retain(|(place, _)| is_meant(&place.display().to_string()));
    let file_of = |place: &Path| out.join(format!("{}.{ENDING}", place.display()));
    options.overwrite.check(all.iter().map(|(place, _)| file_of(place)))?;
    for (place, request) in all {
        let jpeg = artist.draw(&request).with_context(|| place.display().to_string())?;
        let file = file_of(&place);
        std::fs::create_dir_all(file.parent().unwrap_or(out))
            .and_then(|()| std::fs::write(&file, &jpeg))
            .with_context(|| format!("cannot write {}", file.display()))?;
        say!("{} ({} bytes)", file.display(), jpeg.len());
    }
    Ok(())
}

/// What ships: where its picture lies, without extension, and what it is drawn from.
fn shipped(library: &Library) -> anyhow::Result<Vec<(PathBuf, Request)>> {
    let stem = |file: &Path| file.file_stem().unwrap_or_default().to_owned();
    let mut all = Vec::new();
    for file in library.files() {
        all.push((Path::new("presets").join(stem(&file)), Request::Preset { file }));
    }
    for network in Kind::Network.files_in(&Path::new(built_in::ROOT).join(Kind::Network.folder())) {
        all.push((Path::new("networks").join(stem(&network)), Request::Network { network: network.clone() }));
        // Other networks are not style networks.
        for style in 0..StyleNetwork::open(&network).map_or(0, |network| network.styles.len()) {
            let place = Path::new("styles").join(stem(&network)).join(style.to_string());
            all.push((place, Request::Style { network: network.clone(), style }));
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::thumbnail::{MOST_SHIPPED, SHIPPED, Thumbnail};

    /// If this fails, something was added: `latent-jockey thumbnails --out presets/thumbnails --only NAME`
    #[test]
    fn everything_that_ships_has_a_small_picture() {
        let all = shipped(&Library::default()).unwrap();
        assert!(all.len() > 60, "{}", all.len());
        for (place, _) in all {
            let file = Path::new(built_in::ROOT).join(SHIPPED).join(format!("{}.{ENDING}", place.display()));
            let bytes = crate::file::read(&file, MOST_SHIPPED as u64);
            let bytes = bytes.unwrap_or_else(|error| panic!("{}: {error}", file.display()));
            assert!(Thumbnail::from_jpeg(&bytes, "").is_some(), "{}", file.display());
        }
    }
}
