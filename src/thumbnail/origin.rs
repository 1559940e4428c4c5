//! Which files a thumbnail is drawn from, and how their contents name it. Reads small files; runs on the thread `thumbnails`.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::key::is_path;
use super::{ENDING, Key, SHIPPED};
use crate::file::{self, State, built_in};
use crate::params::{Id, Table, Value};
use crate::patch::folders::{Folders, Kind};
use crate::patch::library::Library;
use crate::patch::preset::Preset;
use crate::patch::track::{self, KeyEntry};

/// Changes when thumbnails are drawn in another way.
const FORMAT: u32 = 1;
/// Largest file that is compared with the one that ships.
const MOST_BYTES: u64 = 64 << 20;

/// What is to be drawn: a line of JSON for the child process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Request {
    Preset { file: PathBuf },
    Style { network: PathBuf, style: usize },
    Network { network: PathBuf },
    Seed { network: PathBuf, seed: u32 },
    Track { network: PathBuf, file: PathBuf, number: usize },
}

/// Where a thumbnail comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    pub request: Request,
    /// Different for different contents.
    pub tag: String,
    /// The one that ships, if all of these files are as they ship.
    pub shipped: Option<PathBuf>,
}

/// What is known of networks that are as long as the ones of their names that ship. They are large, and looked at again and
/// again: each is compared once, until it is written to.
#[derive(Default)]
pub struct Compared(HashMap<PathBuf, (State, bool)>);

impl Compared {
    /// Whether a network is the one that ships.
    fn is_as_shipped(&mut self, path: &Path) -> bool {
        let Some(ours) = of_its_length(Kind::Network, path) else { return file::is_built_in(path) };
        let state = file::state(path);
        match self.0.get(path) {
            Some((known, is_same)) if *known == state => *is_same,
            _ => {
                let is_same = is_same(&ours, path);
                self.0.insert(path.to_owned(), (state, is_same));
                is_same
            }
        }
    }
}

impl Origin {
    /// Looks up what a key means now.
    ///
    /// # Errors
    /// One line, when there is no such file, or it is not a preset.
    pub fn of(key: &Key, library: &Library, compared: &mut Compared) -> Result<Origin, String> {
        let folders = library.folders();
        let network = |name: &str| {
            if is_path(name) { library.network(name) } else { folders.named(Kind::Network, name) }
                .map_err(|error| error.to_string())
        };
        let mut origin = match key {
            Key::Preset(name) => {
                let file = if is_path(name) { library.find(name) } else { library.named(name) };
                of_preset(&file.map_err(|error| error.to_string())?, library, compared)?
            }
            Key::Style { network: name, style } => {
                let network = network(name)?;
                let ships = Path::new("styles").join(stem(&network)).join(style.to_string());
                of_network(Request::Style { network: network.clone(), style: *style }, &network, Some(&ships), compared)
            }
            Key::Network(name) => {
                let network = network(name)?;
                let ships = Path::new("networks").join(stem(&network));
                of_network(Request::Network { network: network.clone() }, &network, Some(&ships), compared)
            }
            Key::Seed { network: name, seed } => {
                let network = network(name)?;
                of_network(Request::Seed { network: network.clone(), seed: *seed }, &network, None, compared)
            }
            Key::Track { network: name, file, number } => of_key(&network(name)?, file, *number)?,
        };
        origin.shipped.take_if(|shipped| !file::is_file(shipped));
        Ok(origin)
    }
}

fn of_network(request: Request, network: &Path, ships: Option<&Path>, compared: &mut Compared) -> Origin {
    let mut contents = Contents::new(&request);
    contents.add_file(network);
    let ships = ships.filter(|_| compared.is_as_shipped(network));
    Origin { request, tag: contents.tag(), shipped: ships.map(shipped) }
}

fn of_key(network: &Path, file: &Path, number: usize) -> Result<Origin, String> {
    let keys = track::read(file, Table::built_in())?;
    let key = keys.get(number).ok_or_else(|| format!("{} has no key {number}", file.display()))?;
    let request = Request::Track { network: network.to_owned(), file: file.to_owned(), number };
    let mut contents = Contents::new(&request);
    contents.add_file(network);
    // Not its length: a key that is moved in time looks the same.
    contents.add(track::text(&[KeyEntry { length: 1.0, params: Vec::new(), at: key.at.clone() }]).as_bytes());
    Ok(Origin { request, tag: contents.tag(), shipped: None })
}

fn of_preset(file: &Path, library: &Library, compared: &mut Compared) -> Result<Origin, String> {
    let preset = library.read(file).map_err(|error| error.headline())?;
    let request = Request::Preset { file: file.to_owned() };
    let mut contents = Contents::new(&request);
    let mut is_shipped = true;
    for (path, text) in &preset.sources.texts {
        contents.add(text.as_bytes());
        is_shipped &= is_as_shipped(kind_of(path), path);
    }
    for network in networks(&preset, library.folders()) {
        contents.add_file(&network);
        is_shipped &= compared.is_as_shipped(&network);
    }
    let ships = is_shipped.then(|| shipped(&Path::new("presets").join(stem(file))));
    Ok(Origin { request, tag: contents.tag(), shipped: ships })
}

/// The files of the networks that a preset names.
fn networks(preset: &Preset, folders: &Folders) -> Vec<PathBuf> {
    let base = preset.path.parent().unwrap_or(Path::new(""));
    let others = preset.params.iter().filter_map(|(target, value)| match value {
        Value::Text(name) if matches!(target.id, Id::NetworkB | Id::StyleNetwork) && !name.is_empty() => Some(name),
        _ => None,
    });
    let others = others.filter_map(|name| folders.file_from(base, Kind::Network, name).ok());
    preset.network.iter().cloned().chain(others).collect()
}

fn stem(file: &Path) -> &Path {
    Path::new(file.file_stem().unwrap_or_default())
}

/// A thumbnail that ships, by its place without extension.
fn shipped(place: &Path) -> PathBuf {
    let mut file = Path::new(built_in::ROOT).join(SHIPPED).join(place).into_os_string();
    // A name may have a dot.
    file.push(".");
    file.push(ENDING);
    file.into()
}

/// The kind of a text that a preset was read from. The names of directions lie beside their network.
fn kind_of(text: &Path) -> Kind {
    match text.parent() {
        _ if Kind::Effect.ends(text) => Kind::Effect,
        Some(folder) if folder.ends_with(Kind::Network.folder()) => Kind::Network,
        _ => Kind::Preset,
    }
}

/// Whether a file has the contents of the one of this name that ships.
fn is_as_shipped(kind: Kind, path: &Path) -> bool {
    file::is_built_in(path) || of_its_length(kind, path).is_some_and(|ours| is_same(&ours, path))
}

/// The file of this name that ships, if it is as long; `None` for what is built in itself.
fn of_its_length(kind: Kind, path: &Path) -> Option<PathBuf> {
    if file::is_built_in(path) {
        return None;
    }
    // What effects share lies below their folder.
    let folder = path.ancestors().find(|folder| kind == Kind::Effect && folder.ends_with(kind.folder()));
    let name = folder.and_then(|folder| path.strip_prefix(folder).ok()).or(path.file_name().map(Path::new));
    let ours = Path::new(built_in::ROOT).join(kind.folder()).join(name.unwrap_or(Path::new("")));
    (file::is_file(&ours) && file::state(&ours).bytes() == file::state(path).bytes()).then_some(ours)
}

fn is_same(ours: &Path, path: &Path) -> bool {
    let read = |path: &Path| file::read(path, MOST_BYTES).ok();
    read(ours).is_some_and(|ours| read(path) == Some(ours))
}

/// What a thumbnail depends on, as one number.
struct Contents(Sha256);

impl Contents {
    fn new(request: &Request) -> Self {
        let mut contents = Contents(Sha256::new());
        contents.add(format!("{FORMAT} {}", env!("CARGO_PKG_VERSION")).as_bytes());
        let what = match request {
            Request::Preset { .. } => "preset".to_owned(),
            Request::Style { style, .. } => format!("style {style}"),
            Request::Network { .. } => "network".to_owned(),
            Request::Seed { seed, .. } => format!("seed {seed}"),
            Request::Track { .. } => "key".to_owned(),
        };
        contents.add(what.as_bytes());
        contents
    }

    fn add(&mut self, bytes: &[u8]) {
        self.0.update((bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
    }

    /// A large file, by its name, size and time.
    fn add_file(&mut self, path: &Path) {
        let state: State = file::state(path);
        self.add(path.as_os_str().as_encoded_bytes());
        self.add(format!("{state:?}").as_bytes());
    }

    /// 32 hexadecimal digits.
    fn tag(self) -> String {
        self.0.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("latent-jockey-origin-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(folder.join("networks")).unwrap();
        folder
    }

    #[test]
    fn a_tag_changes_with_whatever_the_picture_is_drawn_from() {
        let folder = folder("tag");
        let library = Library::scan(&folder).unwrap();
        let preset = folder.join("a.toml");
        let tag = |key: &Key| Origin::of(key, &library, &mut Compared::default()).map(|origin| origin.tag);
        let key = Key::Preset("a".into());
        assert!(tag(&key).unwrap_err().contains("no preset \"a\""));
        let mut tags = Vec::new();
        for text in ["network = \"flowers128\"", "network = \"flowers128\"\nparams = { \"/psi\" = 0.5 }"] {
            fs::write(&preset, text).unwrap();
            tags.push(tag(&key).unwrap());
            assert_eq!(tag(&Key::Preset(preset.display().to_string())), tag(&key), "the same by its path");
        }
        if cfg!(feature = "luau") {
            fs::write(&preset, "network = \"flowers128\"\nscript = \"a.luau\"").unwrap();
            for code in ["psi = 1", "psi = 0.5"] {
                fs::write(folder.join("a.luau"), code).unwrap();
                tags.push(tag(&key).unwrap());
            }
        }
        fs::write(folder.join("networks/flowers128.pkl"), "x").unwrap();
        tags.push(tag(&key).unwrap());
        for key in [
            Key::Network("flowers128".into()),
            Key::Seed { network: "flowers128".into(), seed: 1 },
            Key::Seed { network: "flowers128".into(), seed: 2 },
            Key::Style { network: "painters8".into(), style: 1 },
            Key::Style { network: "painters8".into(), style: 2 },
        ] {
            tags.push(tag(&key).unwrap());
        }
        let different: std::collections::HashSet<&String> = tags.iter().collect();
        assert_eq!(different.len(), tags.len(), "{tags:?}");
        fs::write(&preset, "netwrok = \"flowers128\"").unwrap();
        assert!(tag(&key).unwrap_err().contains("netwrok"));
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn what_ships_has_a_picture_that_ships_until_it_is_changed() {
        let folder = folder("shipped");
        let library = Library::new(Folders::default().with_own(&folder));
        let key = Key::Preset("1-vortex".into());
        let origin = |key: &Key| Origin::of(key, &library, &mut Compared::default()).unwrap();
        let ours = Path::new("built-in:/thumbnails/presets/1-vortex.jpg");
        assert_eq!(origin(&key).shipped.as_deref(), Some(ours));
        // A copy of the same contents.
        let text = file::read(Path::new("built-in:/1-vortex.toml"), 1 << 20).unwrap();
        fs::write(folder.join("1-vortex.toml"), &text).unwrap();
        assert_eq!(origin(&key).request, Request::Preset { file: folder.join("1-vortex.toml") });
        assert_eq!(origin(&key).shipped.as_deref(), Some(ours));
        fs::write(folder.join("1-vortex.toml"), [text, b"\n".to_vec()].concat()).unwrap();
        assert_eq!(origin(&key).shipped, None);
        assert_eq!(origin(&Key::Seed { network: "flowers128".into(), seed: 0 }).shipped, None);
        // In the sources, effects and what they share are files.
        fs::create_dir_all(folder.join("fx/lib")).unwrap();
        for name in ["12-undertow.toml", "fx/flow.wgsl", "fx/lib/relief.wgsl", "fx/lib/sharp.wgsl"] {
            let text = file::read(&Path::new(built_in::ROOT).join(name), 1 << 20).unwrap();
            fs::write(folder.join(name), text).unwrap();
        }
        let key = Key::Preset("12-undertow".into());
        assert!(origin(&key).shipped.is_some());
        fs::write(folder.join("fx/lib/relief.wgsl"), "// another\n").unwrap();
        assert_eq!(origin(&key).shipped, None);
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn in_the_sources_all_presets_have_the_pictures_that_ship() {
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("presets");
        let library = Library::new(Folders::default().with_own(&sources));
        let mut compared = Compared::default();
        for file in library.files() {
            let key = Key::Preset(stem(&file).to_string_lossy().into_owned());
            let origin = Origin::of(&key, &library, &mut compared).unwrap();
            // The registry's package is without the large networks.
            let is_whole = sources.join("networks/nebulae256.safetensors").exists();
            assert!(origin.shipped.is_some() || !is_whole, "{}", file.display());
            assert!(file.starts_with(&sources) || !is_whole, "{}", file.display());
        }
    }

    #[test]
    fn a_network_is_compared_with_the_one_that_ships_when_it_has_changed() {
        let folder = folder("compared");
        let network = folder.join("networks/painters8.safetensors");
        let ours = file::read(Path::new("built-in:/networks/painters8.safetensors"), MOST_BYTES).unwrap();
        let time = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000);
        let write = |bytes: &[u8], later: u64| {
            fs::write(&network, bytes).unwrap();
            let file = fs::File::options().write(true).open(&network).unwrap();
            file.set_modified(time + std::time::Duration::from_secs(later)).unwrap();
        };
        let mut compared = Compared::default();
        write(&ours, 0);
        assert!(compared.is_as_shipped(&network));
        let other = vec![0; ours.len()];
        write(&other, 0);
        assert!(compared.is_as_shipped(&network), "not read again: size and time are as before");
        assert!(!Compared::default().is_as_shipped(&network), "another one");
        write(&other, 2);
        assert!(!compared.is_as_shipped(&network));
        write(&ours[1..], 3);
        assert!(!compared.is_as_shipped(&network), "of another length");
        write(&ours, 4);
        assert!(compared.is_as_shipped(&network));
        fs::remove_dir_all(folder).unwrap();
    }
}
