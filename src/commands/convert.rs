//! `convert`: writes a network of any known format as one safetensors file in our own form.
//!
//! The network is lowered first, so that only what plays is converted. The new file is written under a temporary name,
//! opened and lowered again, and then moved into place atomically.

use std::fs::{self, File};
use std::io::{BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, bail, ensure};

use super::overwrite::Overwrite;
use crate::engine::score::Discriminator;
use crate::network::canonical::{self, Precision};
use crate::network::checkpoint::{Checkpoint, TensorRef};
use crate::network::style_transfer::StyleNetwork;
use crate::network::{self, Network, NetworkError};
use crate::patch::locate;

#[derive(Debug, clap::Args)]
pub struct Options {
    /// The network: a file, or the name of one that ships or is yours
    #[arg(value_name = "IN")]
    network: PathBuf,
    /// The file to write
    #[arg(value_name = "OUT.safetensors", value_parser = super::path())]
    out: PathBuf,
    /// Store weights as 16-bit floats: half the size, nearly the same picture
    #[arg(long)]
    half: bool,
    #[command(flatten)]
    overwrite: Overwrite,
}

pub fn run(options: &Options) -> anyhow::Result<()> {
    let Options { network, out, half, overwrite } = options;
    let precision = if *half { Precision::Half } else { Precision::Full };
    let file = locate::network(network)?;
    convert(&file, out, precision, overwrite.is_on())?;
    let [before, after] = [&file, out].map(|file| crate::file::state(file).bytes());
    let started = Instant::now();
    check(&Checkpoint::open(out)?)?;
    say!(
        "{}: {:.1} MB ({} has {:.1} MB), opens in {:.0} ms",
        out.display(),
        after as f64 / 1e6,
        file.display(),
        before as f64 / 1e6,
        started.elapsed().as_secs_f64() * 1e3
    );
    Ok(())
}

/// Writes the network in `file`, with its discriminator if it has one, to `out` in our own form.
///
/// # Errors
/// When `file` holds no network that plays, or `out` does not end in `.safetensors`, exists and may not be overwritten,
/// or cannot be written. `out` is then unchanged.
pub fn convert(file: &Path, out: &Path, precision: Precision, overwrite: bool) -> anyhow::Result<()> {
    let is_named_so = out.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("safetensors"));
    ensure!(is_named_so, "{}: expected a name that ends in .safetensors", out.display());
    ensure!(overwrite || !out.exists(), "{} already exists; --overwrite replaces it", out.display());
    let mut checkpoint = Checkpoint::open(file)?;
    if let Some(network) = check(&checkpoint)? {
        keep_estimates(&mut checkpoint, &network);
    }
    // A discriminator that cannot score is left out.
    let judge = Checkpoint::open_discriminator(file)?.filter(|judge| Discriminator::lower(judge).is_ok());
    let name = out.file_name().unwrap_or_default().to_string_lossy();
    let aside = out.with_file_name(format!(".{name}.{}.tmp", std::process::id()));
    let written = write_aside(&checkpoint, judge.as_ref(), precision, &aside)
        .and_then(|()| Ok(check(&Checkpoint::open(&aside)?).map(drop)?))
        .and_then(|()| put_in_place(&aside, out, overwrite));
    if written.is_err() {
        // The first error is the one to report.
        let _ = fs::remove_file(&aside);
    }
    written
}

/// Checks that the network plays. Returns the generator, or `None` for a style network.
fn check(checkpoint: &Checkpoint) -> Result<Option<Network>, NetworkError> {
    match StyleNetwork::recognises(checkpoint) {
        true => StyleNetwork::from_checkpoint(checkpoint).map(|_| None),
        false => network::lower(checkpoint).map(Some),
    }
}

/// Keeps estimates of what the file lacks, so that the new file opens faster.
fn keep_estimates(checkpoint: &mut Checkpoint, network: &Network) {
    let w_avg = &network.mapping.w_avg;
    if let Some(tensor) = TensorRef::of_numbers(vec![w_avg.len()], w_avg.iter().copied()) {
        checkpoint.tensors.entry("mapping.w_avg".to_owned()).or_insert(tensor);
    }
}

fn write_aside(
    checkpoint: &Checkpoint,
    judge: Option<&Checkpoint>,
    precision: Precision,
    aside: &Path,
) -> anyhow::Result<()> {
    let failed = || format!("cannot write {}", aside.display());
    let mut file = BufWriter::with_capacity(1 << 20, File::create(aside).with_context(failed)?);
    canonical::write(checkpoint, judge, precision, &mut file).with_context(failed)?;
    file.flush().with_context(failed)?;
    file.get_ref().sync_all().with_context(failed)
}

/// Moves the finished file into place atomically.
fn put_in_place(aside: &Path, out: &Path, overwrite: bool) -> anyhow::Result<()> {
    if !overwrite {
        // Unlike a rename, a link never replaces a file created in the meantime.
        match fs::hard_link(aside, out) {
            // A leftover name is hidden and harmless.
            Ok(()) => return fs::remove_file(aside).or(Ok(())),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                bail!("{} already exists; --overwrite replaces it", out.display())
            }
            // Some file systems have no links.
            Err(_) => {}
        }
    }
    fs::rename(aside, out).with_context(|| format!("cannot write {}", out.display()))
}
