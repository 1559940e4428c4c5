//! What a live recording is called, and what lies beside it: its take, and the network's picture.
//!
//! All of them have the same stem and number: `x.mp4`, `x.take`, `x-network.mp4`; if any of these is taken, `x-2.mp4`,
//! `x-2.take`, `x-2-network.mp4`.

use std::path::{Path, PathBuf};

use super::codec::ENDINGS;
use super::take;

/// The parts of a recording.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Beside {
    /// A take.
    pub take: bool,
    /// The network's picture, as a file of its own.
    pub network: bool,
    /// The take that is written already, or about to be: the recording may have its name.
    pub running: Option<PathBuf>,
}

impl Beside {
    /// A name for the recording that leaves all files alone that are there: `path`, or with a number.
    pub fn fresh(&self, path: &Path) -> PathBuf {
        let is_own = |take: &Path| self.running.as_deref().is_some_and(|running| is_same(running, take));
        let may_have_take = |take: &Path| !self.take || is_own(take) || is_free(take);
        let is_whole = |path: &Path| {
            is_free(path) && may_have_take(&take_of(path)) && (!self.network || is_free(&network_of(path)))
        };
        if is_whole(path) {
            return path.to_owned();
        }
        let (stem, ending) = split(path);
        let numbered = (2u64..).map(|number| path.with_file_name(format!("{stem}-{number}{ending}")));
        numbered.into_iter().find(|path| is_whole(path)).unwrap_or_else(|| path.to_owned())
    }
}

/// A path that does not exist yet: `x.mp4`, otherwise `x-2.mp4` and so on.
pub fn fresh(path: &Path) -> PathBuf {
    Beside::default().fresh(path)
}

/// The names of a recording and a take that begin together: if the take is to lie [beside](take_of) the recording, both get
/// the same number; otherwise they have nothing to do with each other, and `None` is returned.
pub fn pair(recording: &Path, take: &Path, network: bool) -> Option<(PathBuf, PathBuf)> {
    let take = if take.extension().is_none() { take.with_extension(take::ENDING) } else { take.to_owned() };
    if !is_same(&take_of(recording), &take) {
        return None;
    }
    let recording = Beside { take: true, network, running: None }.fresh(recording);
    let take = take_of(&recording);
    Some((recording, take))
}

/// Whether two paths name one place, which need not exist.
fn is_same(a: &Path, b: &Path) -> bool {
    let [a, b] = [a, b].map(|path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned()));
    a == b
}

/// The take beside a recording.
pub fn take_of(recording: &Path) -> PathBuf {
    recording.with_file_name(format!("{}.{}", split(recording).0, take::ENDING))
}

/// The network's picture beside the recording of the output.
pub fn network_of(recording: &Path) -> PathBuf {
    let (stem, ending) = split(recording);
    recording.with_file_name(format!("{stem}-network{ending}"))
}

/// Whether nothing is there, or an empty folder.
fn is_free(path: &Path) -> bool {
    match path.read_dir() {
        Ok(mut folder) => folder.next().is_none(),
        Err(_) => path.symlink_metadata().is_err(),
    }
}

/// The name without the ending of a video, and that ending: in the name of a folder, a dot ends nothing.
fn split(path: &Path) -> (String, String) {
    let ending = path.extension().map(|ending| ending.to_string_lossy().into_owned());
    let known = ending.filter(|ending| ENDINGS.contains(&&*ending.to_ascii_lowercase()));
    let name = |name: Option<&std::ffi::OsStr>| name.unwrap_or_default().to_string_lossy().into_owned();
    match known {
        Some(ending) => (name(path.file_stem()), format!(".{ending}")),
        None => (name(path.file_name()), String::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_existing_file_is_never_taken() {
        let folder = std::env::temp_dir().join(format!("latent-jockey-fresh-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("frames")).unwrap();
        let file = folder.join("a b.mp4");
        assert_eq!(fresh(&file), file);
        std::fs::write(&file, "").unwrap();
        assert_eq!(fresh(&file), folder.join("a b-2.mp4"));
        std::fs::write(folder.join("a b-2.mp4"), "").unwrap();
        assert_eq!(fresh(&file), folder.join("a b-3.mp4"));
        assert_eq!(fresh(&folder.join("frames")), folder.join("frames"), "an empty folder is free");
        std::fs::write(folder.join("frames/frame_000001.png"), "").unwrap();
        assert_eq!(fresh(&folder.join("frames")), folder.join("frames-2"));
        // What lies beside it counts too.
        let (take, network) = (folder.join("a b-3.take"), folder.join("a b-4-network.mp4"));
        for beside in [&take, &network] {
            std::fs::write(beside, "").unwrap();
        }
        let with = |take, network| Beside { take, network, running: None }.fresh(&file);
        assert_eq!(with(true, false), folder.join("a b-4.mp4"));
        assert_eq!(with(false, true), folder.join("a b-3.mp4"));
        assert_eq!(with(true, true), folder.join("a b-5.mp4"));
        // A take that runs already is its own.
        let own = Beside { take: true, network: false, running: Some(take) };
        assert_eq!(own.fresh(&file), folder.join("a b-3.mp4"));
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_recording_and_a_take_of_one_name_get_one_number() {
        let folder = std::env::temp_dir().join(format!("latent-jockey-pair-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let at = |name: &str| folder.join(name);
        let paired = |recording: &str, take: &str| pair(&at(recording), &at(take), false);
        for take in ["x.take", "x"] {
            assert_eq!(paired("x.mp4", take), Some((at("x.mp4"), at("x.take"))), "{take}");
            assert_eq!(paired("x", take), Some((at("x"), at("x.take"))), "{take}: a folder of pictures");
        }
        assert_eq!((paired("x.mp4", "y.take"), paired("x.mp4", "x.log")), (None, None));
        // Either of them is there from before.
        for old in ["x.take", "x-2.mp4"] {
            std::fs::write(at(old), "").unwrap();
        }
        assert_eq!(paired("x.mp4", "x.take"), Some((at("x-3.mp4"), at("x-3.take"))));
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn what_lies_beside_has_the_same_stem() {
        for (path, take, network) in [
            ("/a/x.mp4", "/a/x.take", "/a/x-network.mp4"),
            ("x-2.MKV", "x-2.take", "x-2-network.MKV"),
            ("set 1.5", "set 1.5.take", "set 1.5-network"),
        ] {
            assert_eq!(take_of(Path::new(path)), Path::new(take));
            assert_eq!(network_of(Path::new(path)), Path::new(network));
        }
    }
}
