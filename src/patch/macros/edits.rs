//! What was changed in a preset's macros while it plays, until it is saved.

use toml_edit::{DocumentMut, Item, TableLike};

use crate::control::mapping::MacroEntry;

/// Macros that move other targets than the preset's file says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MacroEdits(Vec<Edit>);

#[derive(Clone, Debug, PartialEq)]
struct Edit {
    entry: MacroEntry,
    /// As `[macro]` has it: the text behind `1 =`.
    text: String,
}

impl MacroEdits {
    /// Takes over `entries`, which `text` has, as lines of `[macro]`.
    pub fn set(&mut self, entries: &[MacroEntry], text: &str) {
        let document: DocumentMut = text.parse().unwrap_or_default();
        for entry in entries {
            let Some(text) = document.get(&(entry.number + 1).to_string()).and_then(Item::as_value) else { continue };
            let mut text = text.clone();
            text.decor_mut().clear();
            self.0.retain(|known| known.entry.number != entry.number);
            self.0.push(Edit { entry: entry.clone(), text: text.to_string() });
        }
    }

    /// The preset's own macros as edited.
    pub fn applied(&self, own: &[MacroEntry]) -> Vec<MacroEntry> {
        let stays = |entry: &&MacroEntry| self.0.iter().all(|edit| edit.entry.number != entry.number);
        own.iter().filter(stays).chain(self.0.iter().map(|edit| &edit.entry)).cloned().collect()
    }

    /// Forgets what `own` has by now, as after saving.
    pub fn settle(&mut self, own: &[MacroEntry]) {
        self.0.retain(|edit| !own.contains(&edit.entry));
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Brings `[macro]` up to date.
    pub(in crate::patch) fn write(&self, table: &mut dyn TableLike) {
        for Edit { entry, text } in &self.0 {
            let number = (entry.number + 1).to_string();
            let Ok(value) = text.parse::<toml_edit::Value>() else { continue };
            table.insert(&number, toml_edit::value(value));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::patch::preset::Preset;

    fn read(lines: &str) -> Vec<MacroEntry> {
        Preset::parse(&format!("[macro]\n{lines}"), Path::new("p.toml")).unwrap().macros
    }

    #[test]
    fn an_edit_takes_the_place_of_the_files_own_and_is_written_as_it_was_given() {
        let own = read("1 = \"/psi\"\n2 = \"/walk/speed\"");
        let mut edits = MacroEdits::default();
        let lines = "2 = { name = \"melt\", to = [\"/style/feedback\"] }\n8 = \"/tempo\"";
        edits.set(&read(lines), lines);
        edits.set(&read("8 = '/fit/zoom' # later"), "8 = '/fit/zoom' # later");
        let applied = edits.applied(&own);
        let names: Vec<(usize, &str)> = applied.iter().map(|entry| (entry.number, entry.name.as_str())).collect();
        assert_eq!(names, [(0, "psi"), (1, "melt"), (7, "fit zoom")]);

        let mut table = toml_edit::Table::new();
        edits.write(&mut table);
        let text = table.to_string();
        assert_eq!(text, "2 = { name = \"melt\", to = [\"/style/feedback\"] }\n8 = '/fit/zoom'\n");
        edits.settle(&read(&text));
        assert!(edits.is_empty());
    }
}
