//! The names of all effects, read from the disk by a thread of their own.

use crate::app::lister::Lister;
use crate::patch::effects;
use crate::patch::folders::Kind;
use crate::patch::library::Library;
use crate::screen::header;

/// Names, and one line about each.
pub(super) struct Names(pub Lister<Vec<(String, String)>>);

impl Default for Names {
    fn default() -> Self {
        Names(Lister::new("effect names", list))
    }
}

fn list(library: &Library) -> Vec<(String, String)> {
    let files = library.folders().files(Kind::Effect);
    let one = |file: &std::path::PathBuf| {
        let text = crate::file::text::read(file).ok();
        let help = text.and_then(|text| header::read(&text).ok()).map(|header| header.help).unwrap_or_default();
        (file.file_stem().unwrap_or_default().to_string_lossy().into_owned(), help)
    };
    let shaders = files.iter().map(one).filter(|(name, _)| name != TEMPLATE);
    shaders.chain(effects::named_scripts()).collect()
}

/// A file to be copied, not to be played.
const TEMPLATE: &str = "template";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::patch::folders::Folders;

    #[test]
    fn every_effect_that_ships_is_offered_with_its_help() {
        let library = Library::new(Folders::of_show(std::path::Path::new("/nowhere")));
        let names = list(&library);
        assert!(names.iter().any(|(name, help)| name == "bloom" && !help.is_empty()), "{names:?}");
        assert!(names.iter().all(|(name, _)| name != TEMPLATE));
    }
}
