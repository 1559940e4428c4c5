//! `keys`: lists what keys do, and checks the player's own.

use std::path::PathBuf;

use crate::control::keys::{BINDINGS, Does};
use crate::params::Table;
use crate::patch::key_file::{self, KeyFile};
use crate::patch::library::Library;

#[derive(Debug, clap::Args)]
pub struct Options {
    /// A file of keys [default: keys.toml of the show's folder, or of your own]
    #[arg(value_name = "FILE", value_parser = super::path())]
    file: Option<PathBuf>,
}

/// # Errors
/// When the file is not valid.
pub fn run(options: &Options) -> anyhow::Result<()> {
    let library = Library::open()?;
    let file = options.file.clone().or_else(|| key_file::find(library.folders()));
    let own = file.map(|file| KeyFile::read(&file, Table::built_in(), library.folders())).transpose()?;
    match (&own, library.folders().own()) {
        (Some(own), _) => say!("from {}:", own.path.display()),
        (None, Some(folder)) => say!("to change keys, write {}", folder.join(key_file::NAME).display()),
        (None, None) => {}
    }
    let own = own.map(|own| own.bindings).unwrap_or_default();
    for binding in &own {
        let does = match &binding.does {
            Does::Nothing => "nothing".to_owned(),
            Does::Window(word) => (*word).to_owned(),
            Does::Press(address) => address.clone(),
            Does::Step(address, step) => format!("{address} by {step}"),
            Does::Set(address, value) => format!("{address} {value}"),
        };
        say!("  {:<12}{does}", binding.key.to_string());
    }
    if !own.is_empty() {
        say!("the rest:");
    }
    for binding in BINDINGS.iter().filter(|binding| own.iter().all(|own| own.key != binding.key)) {
        say!("  {:<12}{}", binding.key.to_string(), binding.help);
    }
    Ok(())
}
