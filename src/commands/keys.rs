//! `keys`: lists what keys do, and checks the player's own.

use std::path::PathBuf;

use crate::control::keys::{Action, BINDINGS, Binding, Keys, TENS};
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
    let mut keys = Keys::default();
    keys.set_own(own.map(|own| own.bindings).unwrap_or_default().into());
    for binding in keys.all_own() {
        say!("  {:<14}{}", binding.key.to_string(), binding.does);
    }
    if !keys.all_own().is_empty() {
        say!("the rest:");
    }
    for binding in keys.as_listed() {
        say!("  {:<14}{}", binding.key.to_string(), binding.help);
    }
    Ok(())
}

/// The keys as a table in Markdown: what each does, and how a file of keys writes the same.
pub fn table() -> String {
    let mut table = "| key | what it does | in `keys.toml` |\n| --- | --- | --- |\n".to_owned();
    for Binding { key, action, help } in BINDINGS {
        let key = key.to_string();
        let key = if key == "\\" { "`\\`".to_owned() } else { key };
        table += &format!("| {key} | {help} | `{}` |\n", written(*action));
    }
    table
}

/// An action as a file of keys writes it.
fn written(action: Action) -> String {
    match action {
        Action::Fire(id) | Action::Toggle(id) | Action::NextChoice(id) => format!("\"{}\"", id.def().address),
        Action::Nudge(id, by) => format!("{{ to = \"{}\", step = {by} }}", id.def().address),
        Action::Set(id, number) => format!("{{ to = \"{}\", value = {number} }}", id.def().address),
        Action::Window(word) => format!("\"{word}\""),
        Action::Tens => format!("\"{TENS}\""),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::params::{Id, Params, Value};
    use crate::patch::folders::Folders;

    #[test]
    fn every_key_can_be_written_in_a_file_and_does_the_same_there() {
        let text: String = BINDINGS.iter().map(|b| format!("'{}' = {}\n", b.key, written(b.action))).collect();
        let file = std::env::temp_dir().join(format!("latent-jockey-all-keys-{}.toml", std::process::id()));
        std::fs::write(&file, &text).unwrap();
        let read = KeyFile::read(Path::new(&file), Table::built_in(), &Folders::default());
        std::fs::remove_file(&file).unwrap();
        let mut keys = Keys::default();
        keys.set_own(read.unwrap_or_else(|error| panic!("{text}\n{error}")).bindings.into());
        let (listed, mut params) = (Keys::default(), Params::default());
        // On a multiple of the steps.
        for id in [Id::Psi, Id::WalkSpeed] {
            params.write(id.into(), &Value::Float(0.5)).unwrap();
        }
        for binding in BINDINGS {
            assert_eq!(keys.window(binding.key), listed.window(binding.key), "{}", binding.key);
            let press = |keys: &Keys| {
                let mut out = Vec::new();
                keys.clone().press(binding.key, &params, &mut out).unwrap();
                let mut after = params.clone();
                out.iter().for_each(|write| drop(after.write(write.target, &write.value)));
                out.first().map(|write| (write.target, after.base(write.target), after.text(Id::Preset).to_owned()))
            };
            assert_eq!(press(&keys), press(&listed), "{}", binding.key);
        }
    }
}
