//! The names of all effects, read from the disk by a thread of their own, so that no frame waits for it.

use crossbeam_channel::{Receiver, bounded};

use crate::patch::folders::Kind;
use crate::patch::library::Library;
use crate::screen::header;

/// Names and what is known about each, as they were when the page was opened.
#[derive(Default)]
pub(super) struct Names {
    coming: Option<Receiver<Vec<(String, String)>>>,
    known: Option<Vec<(String, String)>>,
}

impl Names {
    /// Asks for them once, and takes them when they are there.
    pub fn follow(&mut self, library: &Library) {
        if let Some(coming) = &self.coming
            && let Ok(names) = coming.try_recv()
        {
            (self.known, self.coming) = (Some(names), None);
        }
        if self.known.is_some() || self.coming.is_some() {
            return;
        }
        let (send, receive) = bounded(1);
        let library = library.clone();
        // Nobody waits for them when the show has ended.
        let work = move || drop(send.send(list(&library)));
        match std::thread::Builder::new().name("names".to_owned()).spawn(work) {
            Ok(_) => self.coming = Some(receive),
            Err(error) => {
                tracing::warn!("cannot start the thread names: {error}");
                self.known = Some(Vec::new());
            }
        }
    }

    /// Each name, and one line about it.
    pub fn get(&self) -> &[(String, String)] {
        self.known.as_deref().unwrap_or_default()
    }
}

fn list(library: &Library) -> Vec<(String, String)> {
    let files = library.folders().files(Kind::Effect);
    let one = |file: &std::path::PathBuf| {
        let text = crate::file::text::read(file).ok();
        let help = text.and_then(|text| header::read(&text).ok()).map(|header| header.help).unwrap_or_default();
        (file.file_stem().unwrap_or_default().to_string_lossy().into_owned(), help)
    };
    files.iter().map(one).filter(|(name, _)| name != TEMPLATE).collect()
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
