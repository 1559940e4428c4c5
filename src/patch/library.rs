//! The presets of a show: a list in natural order, and a way through it.
//!
//! If the show brings a folder of presets ([`Folders::show`]), the list is that folder. Otherwise it holds the presets that
//! ship and then the player's own; an own preset with the name of one that ships takes its place. Presets that are not in
//! the list are still found by name.
//!
//! The folders are read each time, so that presets added while playing are found. Loading reads a small file; it runs on the
//! thread that asks.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::folders::{Folders, Kind, is_path, without_hidden};
use super::locate::{self, LocateError, expand, name_of};
use super::preset::{Preset, PresetError, Reading};
use crate::file::{self, built_in};
use crate::params::SharedTable;

/// The presets of a show, and what they may name.
#[derive(Clone, Debug, Default)]
pub struct Library {
    folders: Arc<Folders>,
    /// The current table of parameters.
    tables: SharedTable,
}

impl Library {
    /// The presets of this machine, user and working directory: see [`Folders::here`].
    ///
    /// # Errors
    /// As [`Folders::here`].
    pub fn open() -> Result<Self, LocateError> {
        Ok(Library::new(Folders::here()?))
    }

    /// The presets of `folder`, and what is built in.
    ///
    /// # Errors
    /// [`LocateError::Folder`] when it cannot be read.
    pub fn scan(folder: &Path) -> Result<Self, LocateError> {
        locate::files(folder, Kind::Preset)?;
        Ok(Library::new(Folders::of_show(folder)))
    }

    pub fn new(folders: Folders) -> Self {
        Library { folders: Arc::new(folders), tables: SharedTable::default() }
    }

    /// Where everything that has a name is looked for.
    pub fn folders(&self) -> &Folders {
        &self.folders
    }

    /// The strongest folder of presets.
    pub fn folder(&self) -> &Path {
        self.folders.places().next().unwrap_or(Path::new(built_in::ROOT))
    }

    /// Whether a preset ships: it is built in, or lies in the folder next to the program. Accesses the disk.
    pub fn ships(&self, file: &Path) -> bool {
        let folder = file.parent().unwrap_or(Path::new(""));
        file::is_built_in(file) || self.folders.installed().is_some_and(|installed| same_file(installed, folder))
    }

    /// The table that presets are read with. A show publishes its own here, so that presets may name parameters that
    /// were added at run time.
    pub fn tables(&self) -> &SharedTable {
        &self.tables
    }

    /// Reads and checks a file, with the current table of parameters.
    ///
    /// # Errors
    /// As [`Preset::load`].
    pub fn read(&self, file: &Path) -> Result<Preset, PresetError> {
        Preset::load_with(file, &Reading::new(&self.tables.get(), &self.folders))
    }

    /// Checks the text of a preset from `file`, with the current table of parameters.
    ///
    /// # Errors
    /// As [`Preset::parse`].
    pub fn check_text(&self, text: &str, file: &Path) -> Result<Preset, PresetError> {
        Preset::parse_with(text, file, &Reading::new(&self.tables.get(), &self.folders))
    }

    /// The list of presets as files, in order.
    pub fn files(&self) -> Vec<PathBuf> {
        if let Some(show) = self.folders.show() {
            return Kind::Preset.files_in(show);
        }
        let shipped = [self.folders.installed(), Some(Path::new(built_in::ROOT))].into_iter().flatten();
        let mut list = without_hidden(shipped.flat_map(|folder| Kind::Preset.files_in(folder)).collect());
        list.sort_by(|a, b| file::natural(Path::new(&name_of(a)), Path::new(&name_of(b))));
        for own in self.folders.own().map(|own| Kind::Preset.files_in(own)).unwrap_or_default() {
            match list.iter_mut().find(|listed| name_of(listed) == name_of(&own)) {
                Some(listed) => *listed = own,
                None => list.push(own),
            }
        }
        list
    }

    /// The current presets' names.
    pub fn names(&self) -> Vec<String> {
        self.files().iter().map(|p| name_of(p)).collect()
    }

    /// The file for a name, ignoring case, with or without its leading number (`7-gallery`, `gallery`), or for a number.
    /// Never a path: for names from other programs.
    ///
    /// A number is the one that a preset's name begins with, the player's own first, or else the position in the list from 1.
    ///
    /// # Errors
    /// [`LocateError::Unknown`] with the nearest known name.
    pub fn named(&self, name: &str) -> Result<PathBuf, LocateError> {
        let list = self.files();
        let wanted = name.trim();
        let by_name = |files: &[PathBuf]| {
            let exact = files.iter().find(|p| name_of(p) == name);
            let any_case = || files.iter().find(|p| name_of(p).eq_ignore_ascii_case(wanted));
            let unnumbered = || files.iter().find(|p| numbered(&name_of(p)).1.eq_ignore_ascii_case(wanted));
            exact.or_else(any_case).or_else(unnumbered).cloned()
        };
        let number = || self.by_number(&list, wanted.parse().ok()?);
        let found = by_name(&list).or_else(number).or_else(|| by_name(&self.folders.all(Kind::Preset)));
        found.ok_or_else(|| LocateError::Unknown {
            what: Kind::Preset.word(),
            name: name.to_owned(),
            folders: self.folders.of(Kind::Preset).into_iter().filter(|folder| file::is_folder(folder)).collect(),
            known: list.iter().map(|p| name_of(p)).collect(),
        })
    }

    fn by_number(&self, list: &[PathBuf], number: usize) -> Option<PathBuf> {
        let is_own = |file: &&PathBuf| self.folders.own().is_some_and(|own| file.parent() == Some(own));
        let mut named = list.iter().filter(|file| numbered(&name_of(file)).0 == Some(number));
        let first = named.clone().find(is_own).or_else(|| named.next());
        first.or_else(|| list.get(number.checked_sub(1)?)).cloned()
    }

    /// The number by which [`Library::named`] finds a preset; `None` if there is none.
    pub fn number(&self, file: &Path) -> Option<usize> {
        let list = self.files();
        let position = list.iter().position(|listed| listed == file)?;
        self.number_at(&list, position)
    }

    /// The names of the list, each with its [`Library::number`].
    pub fn numbered_names(&self) -> Vec<(String, Option<usize>)> {
        let list = self.files();
        list.iter().enumerate().map(|(at, file)| (name_of(file), self.number_at(&list, at))).collect()
    }

    fn number_at(&self, list: &[PathBuf], position: usize) -> Option<usize> {
        let file = list.get(position)?;
        let numbers = [numbered(&name_of(file)).0, Some(position + 1)];
        numbers.into_iter().flatten().find(|number| self.by_number(list, *number).as_ref() == Some(file))
    }

    /// The file for a name or a number as in [`Library::named`], or for a path: for what the player types.
    ///
    /// # Errors
    /// [`LocateError::NoFile`] for a path that does not exist, otherwise [`LocateError::Unknown`].
    pub fn find(&self, query: &str) -> Result<PathBuf, LocateError> {
        let path = expand(Path::new(query));
        match self.named(query) {
            Ok(file) => Ok(file),
            Err(_) if file::is_file(&path) => Ok(path),
            Err(_) if query.contains(['/', '\\']) || path.extension().is_some() => {
                Err(LocateError::NoFile { what: Kind::Preset.word(), path })
            }
            Err(unknown) => Err(unknown),
        }
    }

    /// Reads and checks the preset that [`Library::find`] finds.
    ///
    /// # Errors
    /// When there is none, or it is invalid.
    pub fn load(&self, query: &str) -> Result<Preset, PresetError> {
        self.read(&self.find(query)?)
    }

    /// The first preset of the list.
    ///
    /// # Errors
    /// When there is none, or it is invalid.
    pub fn first(&self) -> Result<Preset, PresetError> {
        self.load("1")
    }

    /// The file `by` places after (or before) this one, wrapping around; from a file outside the list, the first or the
    /// last. `None` if there are no presets.
    pub fn neighbour(&self, from: &Path, by: isize) -> Option<PathBuf> {
        let files = self.files();
        let count = isize::try_from(files.len()).ok().filter(|&n| n > 0)?;
        // A built-in preset may have got a copy in the meantime.
        let is_from = |file: &Path| same_file(file, from) || file::is_built_in(from) && name_of(file) == name_of(from);
        let next = match files.iter().position(|file| is_from(file)) {
            Some(here) => (here as isize + by).rem_euclid(count),
            None if by < 0 => count - 1,
            None => 0,
        };
        Some(files[next as usize].clone())
    }

    /// The network file that the player names: a name, or a path.
    ///
    /// # Errors
    /// When there is no such file, with the nearest known name.
    pub fn network(&self, name: &str) -> Result<PathBuf, LocateError> {
        match self.folders.named(Kind::Network, name) {
            Err(_) if is_path(Kind::Network, name) => locate::network_of(&self.folders, Path::new(name)),
            found => found,
        }
    }

    /// The picture or folder of pictures that the player names: a name, or a path relative to the working directory or to
    /// `base`.
    ///
    /// # Errors
    /// When there is nothing with that name.
    pub fn picture(&self, name: &str, base: &Path) -> Result<PathBuf, LocateError> {
        let path = expand(Path::new(name));
        let is_there = |path: &Path| file::is_file(path) || file::is_folder(path);
        match self.folders.beside(base, Kind::Picture, name) {
            Ok(found) => Ok(found),
            Err(_) if !name.is_empty() && is_there(&path) => Ok(path),
            Err(_) if !name.is_empty() && is_there(&base.join(&path)) => Ok(base.join(&path)),
            Err(_) if name.contains(['/', '\\']) || path.extension().is_some() => {
                Err(LocateError::NoFile { what: Kind::Picture.word(), path })
            }
            Err(unknown) => Err(unknown),
        }
    }

    /// Checks every preset of the list and counts them.
    ///
    /// # Errors
    /// For the first invalid preset, or if there are no presets.
    pub fn check(&self) -> Result<usize, PresetError> {
        self.first()?;
        self.files().iter().map(|file| self.read(file).map(drop)).collect::<Result<Vec<()>, _>>().map(|all| all.len())
    }
}

/// The number that a name begins with, and the rest: 7 and `gallery` for `7-gallery`. A name without a number, or with
/// nothing else, is the rest as it is.
pub(crate) fn numbered(name: &str) -> (Option<usize>, &str) {
    let rest = name.trim_start_matches(|c: char| c.is_ascii_digit());
    let number = name[..name.len() - rest.len()].parse().ok();
    match rest.strip_prefix(['-', '_', ' ', '.']) {
        Some(rest) if !rest.is_empty() && number.is_some() => (number, rest),
        _ if rest.is_empty() => (number, name),
        _ => (None, name),
    }
}

fn same_file(a: &Path, b: &Path) -> bool {
    a == b || fs::canonicalize(a).ok().is_some_and(|a| fs::canonicalize(b).ok() == Some(a))
}

#[cfg(test)]
mod tests {
    use super::super::locate::test_folder;
    use super::*;

    #[test]
    fn presets_are_found_by_name_number_and_path() {
        let folder = test_folder("find", &["b.toml", "a.toml", "7.toml", "9-dusk.toml", "x.txt", ".hidden.toml"]);
        let library = Library::scan(&folder).unwrap();
        assert_eq!(library.names(), ["7", "9-dusk", "a", "b"]);
        let found = [("a", "a.toml"), ("B", "b.toml"), ("3", "a.toml"), ("7", "7.toml"), ("Dusk", "9-dusk.toml")];
        for (query, file) in found {
            assert_eq!(library.named(query), Ok(folder.join(file)), "{query}");
            assert_eq!(library.find(query), Ok(folder.join(file)), "{query}");
        }
        for (name, number, rest) in [
            ("7-gallery", Some(7), "gallery"),
            ("10-a-b", Some(10), "a-b"),
            ("03 dusk", Some(3), "dusk"),
            ("gallery", None, "gallery"),
            ("7", Some(7), "7"),
            ("7-", None, "7-"),
            ("3d", None, "3d"),
        ] {
            assert_eq!(numbered(name), (number, rest));
        }
        let path = folder.join("x.txt");
        assert_eq!(library.find(path.to_str().unwrap()).as_ref(), Ok(&path));
        assert!(library.named(path.to_str().unwrap()).is_err());
        for wrong in ["0", "5", "", "no/such.toml"] {
            assert!(library.find(wrong).is_err(), "{wrong}");
        }
        let told = library.load("bb").unwrap_err().to_string();
        assert_eq!(told, format!("no preset \"bb\" in {} or built in; did you mean \"b\"?", folder.display()));
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn neighbours_wrap_around() {
        let folder = test_folder("round", &["a.toml", "b.toml", "c.toml"]);
        let library = Library::scan(&folder).unwrap();
        let from = |name: &str, by| name_of(&library.neighbour(&library.find(name).unwrap(), by).unwrap());
        assert_eq!([from("a", 1), from("c", 1), from("a", -1), from("b", -4)], ["b", "a", "c", "a"]);
        let elsewhere = Path::new("elsewhere.toml");
        assert_eq!(library.neighbour(elsewhere, 1), Some(folder.join("a.toml")));
        assert_eq!(library.neighbour(elsewhere, -1), Some(folder.join("c.toml")));
        assert_eq!(library.check().unwrap(), 3);
        fs::write(folder.join("b.toml"), "wrong").unwrap();
        assert!(library.check().is_err());
        fs::remove_dir_all(&folder).unwrap();
        assert!(library.neighbour(elsewhere, 1).is_none());
        assert!(Library::scan(&folder).is_err());
    }

    /// A folder with these presets.
    fn presets(name: &str, presets: &[&str]) -> PathBuf {
        let files: Vec<String> = presets.iter().map(|preset| format!("{preset}.toml")).collect();
        test_folder(name, &files.iter().map(String::as_str).collect::<Vec<_>>())
    }

    #[test]
    fn what_lies_beside_a_preset_is_none() {
        let beside = ["a-keys", "a-keys-2", "net-directions", "keys", "KEYS-keys"];
        let folder = presets("beside", &[&["a", "keys-2", "two-keys-more"], &beside[..]].concat());
        let library = Library::scan(&folder).unwrap();
        assert_eq!(library.names(), ["a", "keys-2", "two-keys-more"]);
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn ten_presets_and_more_are_in_the_order_of_people() {
        let names: Vec<String> = (1..=12).map(|i| format!("p{i}")).collect();
        let folder = presets("ten", &names.iter().map(String::as_str).collect::<Vec<_>>());
        let library = Library::scan(&folder).unwrap();
        assert_eq!(library.names(), names);
        for (i, name) in names.iter().enumerate() {
            let file = library.named(&(i + 1).to_string()).unwrap();
            assert_eq!((name_of(&file), library.number(&file)), (name.clone(), Some(i + 1)));
        }
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_number_in_the_name_is_the_presets_number() {
        let folder = presets("gaps", &["1-a", "2-b", "4-d", "10-j", "dusk"]);
        let library = Library::scan(&folder).unwrap();
        let named = |number: &str| library.named(number).ok().map(|file| name_of(&file));
        let found = ["1", "2", "3", "4", "5", "10", "11"].map(named);
        let expected = [Some("1-a"), Some("2-b"), Some("4-d"), Some("4-d"), Some("dusk"), Some("10-j"), None];
        assert_eq!(found, expected.map(|name| name.map(str::to_owned)));
        let numbers: Vec<_> = library.files().iter().map(|file| library.number(file)).collect();
        assert_eq!(numbers, [Some(1), Some(2), Some(4), Some(10), Some(5)]);
        let (names, with_names): (Vec<_>, Vec<_>) = library.numbered_names().into_iter().unzip();
        assert_eq!((names, with_names), (library.names(), numbers));
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn own_presets_come_after_those_that_ship_or_take_their_place() {
        let folder = presets("own", &["3-weave", "01-intro", "dusk"]);
        let library = Library::new(Folders::default().with_own(&folder));
        let shipped: Vec<String> = Library::default().names();
        assert_eq!(library.names(), [shipped.clone(), vec!["01-intro".to_owned(), "dusk".to_owned()]].concat());
        let own = |name: &str| folder.join(format!("{name}.toml"));
        let last = (shipped.len() + 2).to_string();
        for (query, name) in
            [("3", "3-weave"), ("weave", "3-weave"), ("1", "01-intro"), (last.as_str(), "dusk"), ("dusk", "dusk")]
        {
            assert_eq!(library.find(query), Ok(own(name)), "{query}");
        }
        assert_eq!(library.find("vortex"), Ok("built-in:/1-vortex.toml".into()));
        assert_eq!(library.number(Path::new("built-in:/1-vortex.toml")), None, "the number 1 is the player's");
        assert_eq!(library.number(Path::new("built-in:/2-amber.toml")), Some(2));
        let next = |from: &Path| name_of(&library.neighbour(from, 1).unwrap());
        assert_eq!(
            [next(&own("01-intro")), next(&own("dusk")), next(Path::new("built-in:/2-amber.toml"))],
            ["dusk", "1-vortex", "3-weave"]
        );
        assert_eq!(next(Path::new("built-in:/3-weave.toml")), "4-ink", "copied in the meantime");
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn what_ships_is_whole_without_any_folder() {
        let library = Library::default();
        assert_eq!(library.check().unwrap(), library.files().len());
        let preset = library.load("1").unwrap();
        assert_eq!(preset.path, Path::new("built-in:/1-vortex.toml"));
        assert!(preset.network.is_some_and(|network| file::is_built_in(&network)));
        // A show's own list is not mixed with others, but they are found by name.
        let folder = presets("alone", &["mine"]);
        let library = Library::scan(&folder).unwrap();
        assert_eq!((library.names(), library.find("2").is_err()), (vec!["mine".to_owned()], true));
        assert!(library.find("vortex").is_ok());
        fs::remove_dir_all(folder).unwrap();
    }
}
