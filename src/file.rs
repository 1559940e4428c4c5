//! Reads whole files from disks, sticks and shares, which other programs may be writing to, and those that are built in.
//!
//! Files are not mapped: if a mapped file shrinks, the process is killed, and if it is overwritten, its contents change
//! under the reader. A file that changes while it is read is refused. Blocks: runs on the loader's thread or before a show
//! starts.
//!
//! What ships has paths below [`built_in::ROOT`]; use the functions here instead of those of `std::fs`, and it is found
//! too.

pub mod built_in;
pub mod sources;
pub mod text;

use std::cmp::Ordering;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

pub use built_in::is_built_in;

/// An open file of which only the first bytes have been read.
#[derive(Debug)]
pub struct Opened {
    /// `None` for a built-in file, which is `head` as a whole.
    file: Option<File>,
    head: Vec<u8>,
    state: State,
}

/// Changes whenever the file is written to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct State {
    bytes: u64,
    /// `None` if the file system does not record it.
    modified: Option<SystemTime>,
}

impl State {
    /// The size of the file.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

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
        if is_built_in(path) {
            let head = built_in::get(path).ok_or(io::ErrorKind::NotFound)?.into_owned();
            let state = State { bytes: head.len() as u64, modified: None };
            return Ok(Opened { file: None, head, state });
        }
        // Check before opening: opening a pipe blocks until its other end is open.
        check_kind(&fs::metadata(path)?)?;
        let mut file = File::open(path)?;
        let state = State::of(&file.metadata()?);
        let mut start = Vec::new();
        file.by_ref().take(head).read_to_end(&mut start)?;
        Ok(Opened { file: Some(file), head: start, state })
    }

    /// The first bytes, or more.
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
        let Some(file) = &mut self.file else { return Ok(all) };
        let missing = bytes.saturating_sub(all.len() as u64);
        all.try_reserve_exact(usize::try_from(missing).unwrap_or(usize::MAX)).map_err(|_| {
            io::Error::new(io::ErrorKind::OutOfMemory, format!("not enough memory for its {}", megabytes(bytes)))
        })?;
        file.by_ref().take(missing).read_to_end(&mut all)?;
        if State::of(&file.metadata()?) != self.state || all.len() as u64 != bytes {
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

/// The size and the time of the last change, to recognise a file that was replaced. All zero if there is none.
pub fn state(path: &Path) -> State {
    if is_built_in(path) {
        return State { bytes: built_in::get(path).map_or(0, |bytes| bytes.len() as u64), modified: None };
    }
    fs::metadata(path).map(|metadata| State::of(&metadata)).unwrap_or_default()
}

/// Whether there is a file.
pub fn is_file(path: &Path) -> bool {
    if is_built_in(path) { built_in::get(path).is_some() } else { path.is_file() }
}

/// Whether there is a folder.
pub fn is_folder(path: &Path) -> bool {
    if is_built_in(path) { built_in::list(path).is_some() } else { path.is_dir() }
}

/// The files and folders in a folder, without hidden ones, in natural order.
///
/// # Errors
/// When it cannot be read.
pub fn list(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = match is_built_in(folder) {
        true => built_in::list(folder).ok_or(io::ErrorKind::NotFound)?,
        false => fs::read_dir(folder)?.flatten().map(|entry| entry.path()).collect(),
    };
    found.retain(|path| path.file_name().is_some_and(|name| !name.to_string_lossy().starts_with('.')));
    found.sort_by(|a, b| natural(a, b));
    Ok(found)
}

/// The order in which people number things: 2 comes before 10.
pub fn natural(a: &Path, b: &Path) -> Ordering {
    // Some different names count as the same (1 and 01).
    alphanumeric_sort::compare_path(a, b).then_with(|| a.cmp(b))
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

    #[test]
    fn built_in_files_are_files_too() {
        let network = Path::new("built-in:/networks/painters8.safetensors");
        let opened = Opened::new(network, 4).unwrap();
        assert!(opened.bytes() > 100_000 && read(network, 1 << 30).unwrap().len() as u64 == state(network).bytes);
        assert!(read(network, 1000).unwrap_err().to_string().contains("at most"));
        let missing = Path::new("built-in:/networks/none.pkl");
        assert_eq!(read(missing, 9).unwrap_err().kind(), io::ErrorKind::NotFound);
        assert!(is_file(network) && !is_folder(network) && !is_file(missing));
        let folder = network.parent().unwrap();
        assert!(is_folder(folder) && !is_file(folder) && list(folder).unwrap().contains(&network.to_owned()));
    }

    #[test]
    fn lists_are_in_the_order_of_people() {
        let folder = scratch("list");
        fs::create_dir_all(&folder).unwrap();
        let names = ["1-a", "2-b", "9", "10-c", "11", "020", "a", "p1", "p2", "p10"];
        names.iter().chain(&[".hidden"]).for_each(|name| fs::write(folder.join(name), "").unwrap());
        assert_eq!(list(&folder).unwrap(), names.map(|name| folder.join(name)));
        fs::remove_dir_all(folder).unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn endless_files_are_refused() {
        assert!(read(Path::new("/dev/zero"), 9).unwrap_err().to_string().contains("not a regular file"));
    }
}
