//! Where presets, networks, pictures, controllers and effects are looked for.
//!
//! There are four places, each laid out like the folder `presets` of the sources: presets at the top, the rest in
//! `networks`, `pictures`, `controllers` and `fx`. Of two files of the same kind and name, the one in the stronger place
//! is used:
//!
//! 1. the show's: the folder named by [`PRESETS_VARIABLE`], or `presets` in the working directory. One without presets
//!    brings its effects, networks and the like, but no list of presets;
//! 2. the player's own: the folder named by [`HOME_VARIABLE`], or `latent-jockey` in the platform's configuration folder
//!    (`~/.config`, `~/Library/Application Support`, `%APPDATA%`);
//! 3. the installed: `../share/latent-jockey` seen from the program, or `presets` next to it or in a folder above it;
//! 4. what is built into the program: see [`crate::file::built_in`].
//!
//! To find the files of a [`Kind`], here that of effects:
//!
//! - [`Folders::files`]: all of them, one for each name, in natural order;
//! - [`Folders::named`]: the one with a name (its file's name without extension), or an error with the nearest known name;
//! - [`Folders::beside`]: the same for a name in a preset: its own `fx` first;
//! - [`Folders::all`]: all of them, strongest first, also those that a stronger one hides.
//!
//! Each is a path. Read it with [`crate::file::read`] or [`crate::file::text::read`], which know built-in files as well; do
//! not watch it if [`crate::file::is_built_in`]. A [`Library`](super::library::Library) has the [`Folders`] of a show, and
//! whatever reads a preset is given them as [`Reading::folders`](super::preset::Reading).

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use super::locate::{LocateError, expand, name_of};
use crate::file::sources::{self, Query};
use crate::file::{self, built_in};

/// The environment variable that names the show's folder.
pub const PRESETS_VARIABLE: &str = "LATENT_JOCKEY_PRESETS";

/// The environment variable that names the player's own folder.
pub const HOME_VARIABLE: &str = "LATENT_JOCKEY_HOME";

/// Extension of patches in Luau, which play like presets.
const SCRIPT_ENDING: &str = "luau";

/// Extensions of pictures and of videos, which play like them.
static PICTURES: LazyLock<Vec<&str>> =
    LazyLock::new(|| [crate::image::file::ENDINGS, crate::footage::clip::ENDINGS].concat());

/// Whether a path is that of a patch in Luau.
pub fn is_script(path: &Path) -> bool {
    path.extension().and_then(OsStr::to_str).is_some_and(|ending| ending.eq_ignore_ascii_case(SCRIPT_ENDING))
}

/// What is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Preset,
    /// Generators and style networks.
    Network,
    /// Pictures and videos, and folders of them.
    Picture,
    /// Profiles of MIDI controllers.
    Controller,
    /// Shaders.
    Effect,
}

impl Kind {
    /// What messages call it.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Preset => "preset",
            Kind::Network => "network",
            Kind::Picture => "picture",
            Kind::Controller => "controller profile",
            Kind::Effect => "effect",
        }
    }

    /// Its folder in each place.
    pub fn folder(self) -> &'static str {
        match self {
            Kind::Preset => "",
            Kind::Network => "networks",
            Kind::Picture => "pictures",
            Kind::Controller => "controllers",
            Kind::Effect => "fx",
        }
    }

    fn in_place(self, place: &Path) -> PathBuf {
        // Joining nothing would add a slash.
        if self.folder().is_empty() { place.to_owned() } else { place.join(self.folder()) }
    }

    /// Its extensions.
    pub fn endings(self) -> &'static [&'static str] {
        match self {
            Kind::Preset if cfg!(feature = "luau") => &["toml", SCRIPT_ENDING],
            Kind::Preset => &["toml"],
            Kind::Controller => &["toml"],
            Kind::Network => &["safetensors", "pkl", "pt", "pth", "ckpt", "model", "bin"],
            Kind::Picture => &PICTURES,
            Kind::Effect => &["wgsl"],
        }
    }

    /// Whether a path ends like such a file.
    pub fn ends(self, path: &Path) -> bool {
        let ending = path.extension().and_then(OsStr::to_str).unwrap_or("");
        self.endings().iter().any(|e| e.eq_ignore_ascii_case(ending))
    }

    fn is_one(self, path: &Path) -> bool {
        self.ends(path) && file::is_file(path) || self == Kind::Picture && file::is_folder(path)
    }

    /// Those in a folder, in natural order; none if it cannot be read.
    pub fn files_in(self, folder: &Path) -> Vec<PathBuf> {
        let found = file::list(folder).unwrap_or_default();
        let mut files: Vec<PathBuf> = found.into_iter().filter(|path| self.is_one(path)).collect();
        if self == Kind::Preset {
            files.retain(|path| !super::set::is_set(path) && !super::key_file::is_keys(path));
            files.retain(|path| !super::track::is_track(path) && !super::directions::is_names(path));
            // `drift.luau` beside `drift.toml` is a part of that preset.
            let presets: Vec<PathBuf> = files.iter().filter(|path| !is_script(path)).cloned().collect();
            files.retain(|path| !is_script(path) || !presets.contains(&path.with_extension("toml")));
        }
        files
    }
}

/// The places in which files are looked for, besides what is built in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Folders {
    show: Option<PathBuf>,
    /// In place of `show`, if that has no presets.
    bare: Option<PathBuf>,
    own: Option<PathBuf>,
    installed: Option<PathBuf>,
}

impl Folders {
    /// The folders of this machine, user and working directory.
    ///
    /// # Errors
    /// [`LocateError::NoFolder`] when [`PRESETS_VARIABLE`] names a folder that is not there.
    pub fn here() -> Result<Self, LocateError> {
        let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let own = set(HOME_VARIABLE).or_else(|| Some(dirs::config_dir()?.join("latent-jockey")));
        let installed = installed();
        let (show, bare) = match set(PRESETS_VARIABLE) {
            // Those that ship are no show's own: what is saved goes to the player's folder and takes their place.
            Some(named) if installed.as_deref().is_some_and(|installed| is_same(installed, &named)) => (None, None),
            Some(named) if named.is_dir() => (Some(named), None),
            Some(folder) => return Err(LocateError::NoFolder { folder }),
            None => of_working_directory(PathBuf::from("presets"), installed.as_deref()),
        };
        Ok(Folders { show, bare, own, installed })
    }

    /// A show's folder and what is built in.
    pub fn of_show(folder: &Path) -> Self {
        Folders { show: Some(folder.to_owned()), ..Folders::default() }
    }

    /// With this folder as the player's own.
    pub fn with_own(self, folder: &Path) -> Self {
        Folders { own: Some(folder.to_owned()), ..self }
    }

    /// With this folder as the one next to the program.
    pub fn with_installed(self, folder: &Path) -> Self {
        Folders { installed: Some(folder.to_owned()), ..self }
    }

    /// The folder of the show, if it brings one: its presets are the whole list.
    pub fn show(&self) -> Option<&Path> {
        self.show.as_deref()
    }

    /// The player's own folder, which need not exist; `None` on a machine without a home folder.
    pub fn own(&self) -> Option<&Path> {
        self.own.as_deref()
    }

    /// The folder installed with the program: see [`self`].
    pub fn installed(&self) -> Option<&Path> {
        self.installed.as_deref()
    }

    /// All places, strongest first.
    pub fn places(&self) -> impl Iterator<Item = &Path> {
        let disk = [&self.show, &self.bare, &self.own, &self.installed];
        disk.into_iter().filter_map(|place| place.as_deref()).chain([Path::new(built_in::ROOT)])
    }

    /// The folders with files of a kind, strongest first. They need not exist.
    pub fn of(&self, kind: Kind) -> Vec<PathBuf> {
        let mut folders = Vec::new();
        for place in self.places() {
            folders.push(kind.in_place(place));
            if kind == Kind::Effect && Some(place) == self.installed() {
                // In the sources they lie with the other shaders.
                folders.extend(place.parent().map(|sources| sources.join("shaders/fx")));
            }
        }
        folders
    }

    /// All files of a kind, strongest place first, in natural order within each.
    pub fn all(&self, kind: Kind) -> Vec<PathBuf> {
        self.of(kind).iter().flat_map(|folder| kind.files_in(folder)).collect()
    }

    /// One file for each name, in natural order.
    pub fn files(&self, kind: Kind) -> Vec<PathBuf> {
        let mut files = without_hidden(self.all(kind));
        files.sort_by(|a, b| file::natural(Path::new(&name_of(a)), Path::new(&name_of(b))));
        files
    }

    /// The file with this name, ignoring case. Never a path: for names from other programs.
    ///
    /// # Errors
    /// [`LocateError::Unknown`] with the nearest known name.
    pub fn named(&self, kind: Kind, name: &str) -> Result<PathBuf, LocateError> {
        looked_up(kind, Path::new(""), name, || {
            find(&self.all(kind), name).ok_or_else(|| self.unknown(kind, name, &[]))
        })
    }

    /// The file with this name, as a preset in the folder `base` means it: its own first. Never a path.
    ///
    /// # Errors
    /// [`LocateError::Unknown`] with the nearest known name.
    pub fn beside(&self, base: &Path, kind: Kind, name: &str) -> Result<PathBuf, LocateError> {
        looked_up(kind, base, name, || {
            let own = kind.files_in(&kind.in_place(base));
            find(&own, name).or_else(|| find(&self.all(kind), name)).ok_or_else(|| self.unknown(kind, name, &own))
        })
    }

    /// The file that a preset in the folder `base` names: a name as in [`Folders::beside`], or a path, relative to `base`.
    ///
    /// # Errors
    /// [`LocateError::NoFile`] for a path that leads nowhere, otherwise as [`Folders::beside`].
    pub fn file_from(&self, base: &Path, kind: Kind, named: &str) -> Result<PathBuf, LocateError> {
        if !is_path(kind, named) {
            return self.beside(base, kind, named);
        }
        looked_up(kind, base, named, || {
            let path = expand(Path::new(named));
            let path = if file::is_built_in(&path) { path } else { base.join(path) };
            if file::is_file(&path) { Ok(path) } else { Err(LocateError::NoFile { what: kind.word(), path }) }
        })
    }

    fn unknown(&self, kind: Kind, name: &str, beside: &[PathBuf]) -> LocateError {
        let all = beside.iter().cloned().chain(self.files(kind));
        LocateError::Unknown {
            what: kind.word(),
            name: name.to_owned(),
            folders: self.of(kind).into_iter().filter(|folder| file::is_folder(folder)).collect(),
            known: without_hidden(all.collect()).iter().map(|path| name_of(path)).collect(),
        }
    }
}

/// The file that a name stood for when a take was played, or else what `look` finds.
fn looked_up(
    kind: Kind,
    base: &Path,
    name: &str,
    look: impl FnOnce() -> Result<PathBuf, LocateError>,
) -> Result<PathBuf, LocateError> {
    let query = Query { kind: kind.word().to_owned(), base: base.to_owned(), name: name.to_owned() };
    let path = sources::found(&query).map_or_else(look, Ok)?;
    sources::note_found(&query, &path);
    Ok(path)
}

/// The file of this name, or the first that differs only in case.
fn find(files: &[PathBuf], name: &str) -> Option<PathBuf> {
    let exact = files.iter().find(|path| name_of(path) == name);
    exact.or_else(|| files.iter().find(|path| name_of(path).eq_ignore_ascii_case(name.trim()))).cloned()
}

/// The first file of each name.
pub(super) fn without_hidden(files: Vec<PathBuf>) -> Vec<PathBuf> {
    let mut names = std::collections::HashSet::new();
    files.into_iter().filter(|path| names.insert(name_of(path))).collect()
}

/// Whether what is written is a path, not a name: it contains a separator or ends like such a file.
pub(super) fn is_path(kind: Kind, named: &str) -> bool {
    named.contains(['/', '\\']) || kind.ends(Path::new(named))
}

/// The folder as that of a show, or as one without presets; neither if it is the installed one. It need not exist.
fn of_working_directory(folder: PathBuf, installed: Option<&Path>) -> (Option<PathBuf>, Option<PathBuf>) {
    if installed.is_some_and(|installed| is_same(installed, &folder)) {
        return (None, None);
    }
    if Kind::Preset.files_in(&folder).is_empty() { (None, Some(folder)) } else { (Some(folder), None) }
}

/// Whether both are one folder.
fn is_same(a: &Path, b: &Path) -> bool {
    std::fs::canonicalize(a).ok().is_some_and(|a| std::fs::canonicalize(b).ok() == Some(a))
}

/// The folder installed with this program.
fn installed() -> Option<PathBuf> {
    installed_with(&std::env::current_exe().and_then(std::fs::canonicalize).ok()?)
}

/// `../share/latent-jockey`, or `presets` next to the program or in a folder above it: the first that has presets.
fn installed_with(program: &Path) -> Option<PathBuf> {
    let shared = program.ancestors().nth(2).map(|prefix| prefix.join("share/latent-jockey"));
    let above = program.ancestors().skip(1).map(|folder| folder.join("presets"));
    shared.into_iter().chain(above).find(|folder| !Kind::Preset.files_in(folder).is_empty())
}

#[cfg(test)]
mod tests {
    use super::super::locate::test_folder;
    use super::*;

    #[test]
    fn what_is_installed_lies_in_share_or_above_the_program() {
        let folder = test_folder("installed", &[]);
        let program = folder.join("usr/bin/latent-jockey");
        let with_preset = |at: &str| {
            let place = folder.join(at);
            std::fs::create_dir_all(&place).unwrap();
            assert_ne!(installed_with(&program), Some(place.clone()), "without presets");
            std::fs::write(place.join("a.toml"), "").unwrap();
            assert_eq!(installed_with(&program), Some(place));
        };
        // Each is stronger than the one before.
        with_preset("presets");
        with_preset("usr/presets");
        with_preset("usr/bin/presets");
        with_preset("usr/share/latent-jockey");
    }

    #[test]
    fn the_stronger_place_wins_and_what_ships_is_always_there() {
        let folder = test_folder("places", &[]);
        let (show, own) = (folder.join("show"), folder.join("own"));
        for file in ["show/networks/a.pkl", "own/networks/A.pkl", "own/networks/b.pkl", "own/networks/painters8.pt"] {
            std::fs::create_dir_all(folder.join(file).parent().unwrap()).unwrap();
            std::fs::write(folder.join(file), "").unwrap();
        }
        let folders = Folders::of_show(&show).with_own(&own);
        let named = |name: &str| folders.named(Kind::Network, name).unwrap();
        assert_eq!(named("a"), show.join("networks/a.pkl"));
        assert_eq!(named("A"), own.join("networks/A.pkl"), "exactly so");
        assert_eq!(named("B"), own.join("networks/b.pkl"));
        assert_eq!(named("painters8"), own.join("networks/painters8.pt"));
        assert_eq!(named("flowers128"), Path::new("built-in:/networks/flowers128.safetensors"));
        let names: Vec<String> = folders.files(Kind::Network).iter().map(|path| name_of(path)).collect();
        assert_eq!(
            names,
            ["A", "a", "b", "flowers128", "mandalas256", "masters128", "multistyle26", "nebulae256", "painters8"]
        );
        assert_eq!(folders.all(Kind::Network).len(), 10, "with the hidden one");
        let beside = folders.beside(&own, Kind::Network, "a").unwrap();
        assert_eq!(beside, own.join("networks/A.pkl"), "a preset's own come first");
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_folder_without_presets_brings_the_rest() {
        let folder = test_folder("bare", &[]);
        let presets = folder.join("presets");
        std::fs::create_dir_all(presets.join("fx")).unwrap();
        std::fs::write(presets.join("fx/ripple.wgsl"), "").unwrap();
        let (show, bare) = of_working_directory(presets.clone(), None);
        let folders = Folders { show, bare, ..Folders::default() };
        assert_eq!(folders.show(), None, "the presets that ship are listed");
        assert_eq!(folders.named(Kind::Effect, "ripple").unwrap(), presets.join("fx/ripple.wgsl"));
        std::fs::write(presets.join("a.toml"), "").unwrap();
        assert_eq!(of_working_directory(presets.clone(), None), (Some(presets.clone()), None));
        assert_eq!(of_working_directory(presets.clone(), Some(&presets)), (None, None));
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn every_kind_that_ships_is_found() {
        let folders = Folders::default();
        for (kind, name) in [
            (Kind::Preset, "6-flowers"),
            (Kind::Network, "masters128"),
            (Kind::Picture, "paintings"),
            (Kind::Controller, "apc-mini"),
        ] {
            let path = folders.named(kind, name).unwrap();
            assert!(file::is_built_in(&path), "{}", path.display());
        }
        assert!(folders.named(Kind::Picture, "README").is_err());
    }
}
