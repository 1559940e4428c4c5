//! Thumbnails on the disk, one JPEG for each tag. Several instances may use the folder at once: files are written aside and
//! renamed, and what one removes the other draws again. Runs on the thread `thumbnails`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::ENDING;

/// Most files, some 40 MB.
const MOST_FILES: usize = 4000;
/// The folder is looked through after so many new files, and before the first.
const EVERY: usize = 64;

/// The folder, if there is one that can be written.
#[derive(Debug)]
pub struct Cache {
    folder: Option<PathBuf>,
    most: usize,
    stored: usize,
}

/// In the platform's cache folder.
pub fn default_folder() -> Option<PathBuf> {
    Some(dirs::cache_dir()?.join("latent-jockey/thumbnails"))
}

impl Cache {
    pub fn new(folder: Option<PathBuf>) -> Self {
        Cache { folder, most: MOST_FILES, stored: 0 }
    }

    fn file(&self, tag: &str) -> Option<PathBuf> {
        Some(self.folder.as_ref()?.join(tag).with_extension(ENDING))
    }

    /// The file's bytes; `None` if it is not there.
    pub fn load(&self, tag: &str) -> Option<Vec<u8>> {
        let file = self.file(tag)?;
        let bytes = crate::file::read(&file, super::MOST_BYTES as u64).ok()?;
        // What is used stays longest.
        if let Ok(open) = fs::File::options().append(true).open(&file) {
            let _ = open.set_modified(SystemTime::now());
        }
        Some(bytes)
    }

    /// Keeps a picture. After a failure no further one is kept, which is said in one line.
    pub fn store(&mut self, tag: &str, jpeg: &[u8]) {
        let Some(file) = self.file(tag) else { return };
        if let Err(error) = write(&file, jpeg) {
            tracing::warn!("{}: {error}; thumbnails will be drawn again at the next start", file.display());
            self.folder = None;
        }
        if self.stored.is_multiple_of(EVERY) {
            self.prune();
        }
        self.stored += 1;
    }

    /// Removes a file that is broken.
    pub fn remove(&self, tag: &str) {
        if let Some(file) = self.file(tag) {
            let _ = fs::remove_file(file);
        }
    }

    /// Removes the oldest quarter if there are too many, and what a killed instance left.
    fn prune(&self) {
        let Some(entries) = self.folder.as_ref().and_then(|folder| fs::read_dir(folder).ok()) else { return };
        let mut files: Vec<(SystemTime, PathBuf)> = entries
            .flatten()
            .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
            .collect();
        if files.len() <= self.most {
            return;
        }
        files.sort();
        for (_, file) in &files[..files.len() - self.most * 3 / 4] {
            // Another instance may have been faster.
            let _ = fs::remove_file(file);
        }
    }
}

fn write(file: &Path, jpeg: &[u8]) -> io::Result<()> {
    let aside = file.with_extension(format!("{}.part", std::process::id()));
    fs::create_dir_all(file.parent().unwrap_or(Path::new("")))?;
    fs::write(&aside, jpeg)?;
    fs::rename(&aside, file).inspect_err(|_| drop(fs::remove_file(&aside)))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("latent-jockey-thumbs-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        folder
    }

    #[test]
    fn what_was_kept_is_found_by_another_instance() {
        let folder = folder("kept");
        let mut cache = Cache::new(Some(folder.clone()));
        assert_eq!(cache.load("a"), None);
        cache.store("a", b"picture");
        cache.store("a", b"picture 2");
        assert_eq!(Cache::new(Some(folder.clone())).load("a").as_deref(), Some(&b"picture 2"[..]));
        let names: Vec<_> = fs::read_dir(&folder).unwrap().flatten().map(|entry| entry.file_name()).collect();
        assert_eq!(names, ["a.jpg"], "nothing is left aside");
        cache.remove("a");
        assert_eq!(cache.load("a"), None);
        fs::remove_dir_all(folder).unwrap();
        Cache::new(None).store("a", b"x");
    }

    #[test]
    fn the_oldest_go_when_there_are_too_many() {
        let folder = folder("bounded");
        let mut cache = Cache { most: 8, ..Cache::new(Some(folder.clone())) };
        let now = SystemTime::now();
        for i in 0..9u32 {
            cache.store(&i.to_string(), b"x");
            let file = fs::File::options().append(true).open(folder.join(format!("{i}.jpg"))).unwrap();
            file.set_modified(now - Duration::from_secs(1000 - u64::from(i))).unwrap();
        }
        // Its file is as new as can be.
        assert!(cache.load("0").is_some());
        cache.stored = EVERY;
        cache.store("9", b"x");
        let left: Vec<u32> = (0..10).filter(|i| cache.load(&i.to_string()).is_some()).collect();
        assert_eq!(left, [0, 5, 6, 7, 8, 9]);
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_given_up() {
        let folder = folder("broken");
        fs::write(&folder, "a file").unwrap();
        let mut cache = Cache::new(Some(folder.clone()));
        cache.store("a", b"x");
        assert!(cache.folder.is_none());
        fs::remove_file(folder).unwrap();
    }
}
