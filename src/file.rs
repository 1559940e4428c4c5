//! Reads whole files from disks, sticks and shares, which other programs may be writing to.
//!
//! Files are not mapped: if a mapped file shrinks, the process is killed, and if it is overwritten, its contents change
//! under the reader. A file that changes while it is read is refused. Blocks: runs on the loader's thread or before a show
//! starts.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;
use std::time::SystemTime;

/// An open file of which only the first bytes have been read.
#[derive(Debug)]
pub struct Opened {
    file: File,
    head: Vec<u8>,
    state: State,
}

/// Changes whenever the file is written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct State {
    bytes: u64,
    /// `None` if the file system does not record it.
    modified: Option<SystemTime>,
}

impl State {
    fn of(metadata: &fs::Metadata) -> State {
        State { bytes: metadata.len(), modified: metadata.modified().ok() }
    }
}

impl Opened {
    /// Opens a file and reads its first `head` bytes, or fewer if it is shorter.
    ///
    /// # Errors
    /// When it cannot be read, or is a folder or a pipe or device.
    pub fn new(path: &Path, head: u64) -> io::Result<Opened> {
        // Check before opening: opening a pipe blocks until its other end is open.
        check_kind(&fs::metadata(path)?)?;
        let mut file = File::open(path)?;
        let state = State::of(&file.metadata()?);
        let mut start = Vec::new();
        file.by_ref().take(head).read_to_end(&mut start)?;
        Ok(Opened { file, head: start, state })
    }

    /// The first bytes.
    pub fn head(&self) -> &[u8] {
        &self.head
    }

    /// Its size when it was opened.
    pub fn bytes(&self) -> u64 {
        self.state.bytes
    }

    /// Reads the whole file.
    ///
    /// # Errors
    /// When it is larger than `most` bytes, memory runs out, it cannot be read, or its size or modification time changed
    /// while it was read.
    pub fn read(mut self, most: u64) -> io::Result<Vec<u8>> {
        let State { bytes, .. } = self.state;
        if bytes > most {
            let found = format!("it has {}; at most {} are read", megabytes(bytes), megabytes(most));
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, found));
        }
        let mut all = self.head;
        let missing = bytes.saturating_sub(all.len() as u64);
        all.try_reserve_exact(usize::try_from(missing).unwrap_or(usize::MAX)).map_err(|_| {
            io::Error::new(io::ErrorKind::OutOfMemory, format!("not enough memory for its {}", megabytes(bytes)))
        })?;
        self.file.by_ref().take(missing).read_to_end(&mut all)?;
        if State::of(&self.file.metadata()?) != self.state || all.len() as u64 != bytes {
            let reason = "it changed while it was read; load it again when it is complete";
            return Err(io::Error::new(io::ErrorKind::InvalidData, reason));
        }
        Ok(all)
    }
}

/// Reads a whole file.
///
/// # Errors
/// As [`Opened::new`] and [`Opened::read`].
pub fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    Opened::new(path, 0)?.read(most)
}

fn check_kind(metadata: &fs::Metadata) -> io::Result<()> {
    match (metadata.is_dir(), metadata.is_file()) {
        (true, _) => Err(io::Error::new(io::ErrorKind::IsADirectory, "this is a folder")),
        (_, true) => Ok(()),
        _ => Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file")),
    }
}

fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scratch(name: &str) -> std::path::PathBuf {
        std::env::temp_dir().join(format!("latent-jockey-file-{name}-{}", std::process::id()))
    }

    #[test]
    fn a_file_that_changes_after_it_was_opened_is_refused() {
        let path = scratch("changes");
        let changes: [&dyn Fn(); 3] = [
            &|| File::options().write(true).open(&path).unwrap().set_len(10).unwrap(),
            &|| fs::write(&path, [1; 200]).unwrap(),
            &|| {
                let earlier = SystemTime::now() - std::time::Duration::from_secs(60);
                File::options().write(true).open(&path).unwrap().set_modified(earlier).unwrap();
            },
        ];
        for change in changes {
            fs::write(&path, [7; 100]).unwrap();
            let opened = Opened::new(&path, 4).unwrap();
            assert_eq!((opened.head(), opened.bytes()), (&[7; 4][..], 100));
            change();
            let message = opened.read(1000).unwrap_err().to_string();
            assert!(message.contains("changed while it was read"), "{message}");
        }
        fs::remove_file(path).unwrap();
    }

    #[test]
    fn whole_files_are_read_and_others_named() {
        let path = scratch("whole");
        fs::write(&path, b"0123456789").unwrap();
        for head in [0, 3, 10, 50] {
            assert_eq!(Opened::new(&path, head).unwrap().read(10).unwrap(), b"0123456789");
        }
        assert!(read(&path, 9).unwrap_err().to_string().contains("at most"));
        assert!(read(&std::env::temp_dir(), 9).unwrap_err().to_string().contains("folder"));
        fs::remove_file(path).unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn endless_files_are_refused() {
        assert!(read(Path::new("/dev/zero"), 9).unwrap_err().to_string().contains("not a regular file"));
    }
}
