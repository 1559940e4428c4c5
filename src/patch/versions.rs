//! What a preset was before it was saved over: its last versions, in the folder `backups` beside it.
//!
//! `backups/dusk.1.toml` is what `dusk.toml` was before it was saved the last time, `backups/dusk.9.toml` nine times ago;
//! what is older is removed. They are not in the list of presets, and can be played by their paths. Accesses the disk.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::save::replace;

/// How many versions are kept of each preset.
pub const VERSIONS: usize = 9;

/// The folder beside a preset.
const FOLDER: &str = "backups";

/// Where the version of `preset` is that was saved over `back` times ago, from 1.
pub fn path(preset: &Path, back: usize) -> PathBuf {
    let part = |part: Option<&std::ffi::OsStr>| part.unwrap_or_default().to_string_lossy().into_owned();
    let name = format!("{}.{back}.{}", part(preset.file_stem()), part(preset.extension()));
    preset.with_file_name(FOLDER).join(name)
}

/// Keeps what the file `preset` is now, before it becomes `new`. Does nothing if there is no such file, or no difference.
///
/// # Errors
/// When it cannot be kept. The file itself is never touched.
pub fn keep(preset: &Path, new: &[u8]) -> io::Result<()> {
    let old = match fs::read(preset) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        old => old?,
    };
    if old == new {
        return Ok(());
    }
    let newest = path(preset, 1);
    fs::create_dir_all(newest.parent().unwrap_or(Path::new("")))?;
    // Written first, under a name that is free: a full disk loses no older version.
    let aside = path(preset, 0);
    replace(&aside, &old)?;
    for back in (1..VERSIONS).rev() {
        match fs::rename(path(preset, back), path(preset, back + 1)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    fs::rename(aside, newest)
}

#[cfg(test)]
mod tests {
    use super::super::locate::test_folder;
    use super::*;

    #[test]
    fn the_last_versions_are_kept_in_order() {
        let folder = test_folder("versions", &[]);
        let preset = folder.join("my dusk.toml");
        keep(&preset, b"0").unwrap();
        assert!(!folder.join("backups").exists(), "a new preset has no version before");
        for version in 0..12u8 {
            fs::write(&preset, [version]).unwrap();
            keep(&preset, &[version]).unwrap();
            keep(&preset, &[version + 1]).unwrap();
        }
        let kept = |back| fs::read(path(&preset, back)).ok();
        assert_eq!(path(&preset, 1), folder.join("backups/my dusk.1.toml"));
        assert_eq!((kept(1), kept(2), kept(9)), (Some(vec![11]), Some(vec![10]), Some(vec![3])));
        assert_eq!((kept(0), kept(10), fs::read(&preset).unwrap()), (None, None, vec![11]));
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn where_nothing_can_be_kept_the_file_stays_as_it_is() {
        let folder = test_folder("no-versions", &["a.toml", "backups"]);
        let preset = folder.join("a.toml");
        fs::write(&preset, "old").unwrap();
        assert!(keep(&preset, b"new").is_err(), "a file is in the place of the folder");
        assert_eq!(fs::read_to_string(&preset).unwrap(), "old");
        fs::remove_dir_all(&folder).unwrap();
    }
}
