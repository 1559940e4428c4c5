//! `shader`: checks effects, for editors and CI.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::bail;

use crate::engine::gpu::Device;
use crate::patch::effects;
use crate::screen::Workshop;

#[derive(Debug, clap::Args)]
pub struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Check effects: their text, what they declare, and that they run on this machine's graphics device, if there is one
    Check {
        /// Effects (.wgsl)
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
}

pub fn run(options: &Options) -> anyhow::Result<()> {
    let Command::Check { files } = &options.command;
    let workshop = match Device::open(false) {
        Ok(device) => Some(Workshop::new(Arc::new(device))),
        Err(error) => {
            warn!("{error}: the effects are checked, but not run");
            None
        }
    };
    let mut wrong = 0;
    for file in files {
        let shader = match effects::load(file) {
            Ok(shader) => shader,
            Err(error) => {
                say!("{}", error.block());
                wrong += 1;
                continue;
            }
        };
        match workshop.as_ref().map(|workshop| workshop.compile(&shader)) {
            Some(Err(line)) => {
                say!("{}: {line}", file.display());
                wrong += 1;
            }
            Some(Ok(_)) | None => say!("{}: fine, {} parameters", file.display(), shader.rows(&shader.name).len()),
        }
    }
    if wrong > 0 {
        bail!("{wrong} of {} effects cannot play", files.len());
    }
    Ok(())
}
