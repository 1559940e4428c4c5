//! What a show remembers of its pictures at some frame of a take, in files: from there a rendering can go on.
//!
//! Each file is for one take, version, engine and size, which its name and its first line say; another one is not found.

use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;

const ENDING: &str = "state";
/// Digits of the key in a file's name.
const DIGITS: usize = 16;

/// A folder of states of one rendering.
#[derive(Clone, Debug)]
pub struct States {
    folder: PathBuf,
    key: String,
}

impl States {
    /// `key` stands for everything that the pictures depend on.
    pub fn new(folder: &Path, key: &str) -> States {
        States { folder: folder.to_owned(), key: key.to_owned() }
    }

    fn prefix(&self) -> &str {
        self.key.get(..DIGITS).unwrap_or(&self.key)
    }

    fn file(&self, frame: usize) -> PathBuf {
        self.folder.join(format!("{}-{frame:09}.{ENDING}", self.prefix()))
    }

    /// The frames before `before` after which a state was kept, the newest first.
    pub fn before(&self, before: usize) -> Vec<usize> {
        let listing = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let names = listing.map(|entry| entry.file_name().to_string_lossy().into_owned());
        let frame_of = |name: String| {
            let number = name.strip_prefix(self.prefix())?.strip_prefix('-')?.strip_suffix(&format!(".{ENDING}"))?;
            number.parse::<usize>().ok()
        };
        let mut frames: Vec<usize> = names.filter_map(frame_of).filter(|frame| *frame < before).collect();
        frames.sort_unstable_by(|a, b| b.cmp(a));
        frames
    }

    /// The state after a frame.
    ///
    /// # Errors
    /// When it cannot be read, or is damaged.
    pub fn read(&self, frame: usize) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        // Its end holds a checksum.
        GzDecoder::new(io::BufReader::new(fs::File::open(self.file(frame))?)).read_to_end(&mut bytes)?;
        match bytes.strip_prefix(self.key.as_bytes()) {
            Some(rest) => Ok(rest.to_vec()),
            None => Err(io::Error::new(io::ErrorKind::InvalidData, "it is of another rendering")),
        }
    }

    /// Keeps the state after a frame.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, frame: usize, state: &[u8]) -> io::Result<()> {
        fs::create_dir_all(&self.folder)?;
        let file = self.file(frame);
        let aside = self.folder.join(format!("part-{frame}-{}", std::process::id()));
        let write = || -> io::Result<()> {
            let mut out = GzEncoder::new(io::BufWriter::new(fs::File::create(&aside)?), Compression::fast());
            out.write_all(self.key.as_bytes())?;
            out.write_all(state)?;
            out.finish()?.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
            fs::rename(&aside, &file)
        };
        write().inspect_err(|_| drop(fs::remove_file(&aside)))
    }

    /// Forgets the state after a frame.
    pub fn remove(&self, frame: usize) {
        let _ = fs::remove_file(self.file(frame));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_found_again_and_a_damaged_or_foreign_one_is_not_used() {
        let folder = std::env::temp_dir().join(format!("latent-jockey-states-{}", std::process::id()));
        let key = "0123456789abcdef, and much more";
        let states = States::new(&folder, key);
        assert!(states.before(100).is_empty());
        let big: Vec<u8> = (0..100_000u32).map(|i| (i.wrapping_mul(i) >> 7) as u8).collect();
        [3, 20, 7].iter().for_each(|frame| states.write(*frame, &big).unwrap());
        assert_eq!((states.before(100), states.before(20)), (vec![20, 7, 3], vec![7, 3]));
        assert_eq!(states.read(7).unwrap(), big);
        assert!(States::new(&folder, "another key of a show").before(100).is_empty());
        let same_name = States::new(&folder, "0123456789abcdef, and others");
        assert_eq!(same_name.before(8), [7, 3]);
        assert!(same_name.read(7).is_err());
        let file = states.file(7);
        let mut bytes = fs::read(&file).unwrap();
        bytes[4000] ^= 1;
        fs::write(&file, &bytes).unwrap();
        assert!(states.read(7).is_err(), "a flipped bit");
        bytes[4000] ^= 1;
        fs::write(&file, &bytes[..bytes.len() - 3]).unwrap();
        assert!(states.read(7).is_err(), "cut off");
        states.remove(20);
        assert_eq!(states.before(100), [7, 3]);
        fs::remove_dir_all(folder).unwrap();
    }
}
