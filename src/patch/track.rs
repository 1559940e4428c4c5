//! Tracks of keys as files: `NAME-keys.toml` beside the preset.
//!
//! ```toml
//! [[keys]]
//! length = 4                  # seconds or beats to the next key
//! seed = 12                   # or w = [...], or ws = [[...], ...], as /keys/add writes them,
//!                             # or file = "projected_w.npz", beside this file
//! params = { "/psi" = 0.9 }   # numbers that the track moves too
//! ```
//!
//! A track is written with every digit, so that one that is read again plays the same pictures.

use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use toml::{Table as Toml, Value};

use super::locate::{expand, name_of};
use crate::file::text as file_text;
use crate::network::projected;
use crate::params::{KEY_LENGTHS, Kind, Remote, Saving, Scope, Table, Target};

/// Most keys of a track.
pub const MOST: usize = 256;
/// Most numbers that a key moves beside its latent.
const MOST_PARAMS: usize = 32;

/// Where a key is.
#[derive(Clone, Debug, PartialEq)]
pub enum Latent {
    Seed(u32),
    /// `[w_dim]`, before truncation.
    W(Vec<f32>),
    /// `[num_ws, w_dim]`, as the layers read them.
    Ws(Vec<Vec<f32>>),
    /// A file, by its name beside the track, and what is in it: a row of w, or the rows of ws.
    File(String, Vec<Vec<f32>>),
}

impl Latent {
    /// The numbers, and whether they are ws; `None` for a seed.
    pub fn rows(&self) -> Option<(Vec<f32>, bool)> {
        match self {
            Latent::Seed(_) => None,
            Latent::W(w) => Some((w.clone(), false)),
            Latent::Ws(ws) => Some((ws.concat(), true)),
            Latent::File(_, rows) => Some((rows.concat(), rows.len() > 1)),
        }
    }
}

/// One key of a file.
#[derive(Clone, Debug, PartialEq)]
pub struct KeyEntry {
    pub at: Latent,
    pub length: f64,
    pub params: Vec<(Target, f64)>,
}

/// Whether a file is named like a track, so that it is no preset: `dusk-keys.toml`, or `dusk-keys-2.toml` where that was taken.
pub fn is_track(file: &Path) -> bool {
    let name = name_of(file).to_lowercase();
    let name = name.rsplit_once('-').filter(|(_, n)| n.parse::<u32>().is_ok()).map_or(name.as_str(), |(name, _)| name);
    name.ends_with("-keys")
}

/// Reads a track.
///
/// # Errors
/// In one line, with the file: when it cannot be read, or the first thing that is wrong in it.
pub fn read(file: &Path, table: &Table) -> Result<Vec<KeyEntry>, String> {
    let text = file_text::read(file).map_err(|error| format!("{}: {error}", file.display()))?;
    parse(&text, file.parent().unwrap_or(Path::new("")), table).map_err(|line| format!("{}: {line}", file.display()))
}

/// Reads the text of a track that lies in a folder. An address that is no parameter at the moment is passed over.
///
/// # Errors
/// The first thing that is wrong, in one line.
pub fn parse(text: &str, base: &Path, table: &Table) -> Result<Vec<KeyEntry>, String> {
    let whole: Toml = text.parse().map_err(|error: toml::de::Error| {
        let line = error.span().map_or(1, |span| text[..span.start.min(text.len())].lines().count().max(1));
        format!("line {line}: {}", error.message().replace('\n', ", "))
    })?;
    if let Some(key) = whole.keys().find(|key| *key != "keys") {
        return Err(format!("unknown key {key:?}; a track holds [[keys]]"));
    }
    let keys = match whole.get("keys") {
        None => return Ok(Vec::new()),
        Some(Value::Array(keys)) if keys.len() <= MOST => keys,
        Some(Value::Array(keys)) => return Err(format!("expected at most {MOST} keys, found {}", keys.len())),
        Some(_) => return Err("keys are a list: write each one under [[keys]]".to_owned()),
    };
    keys.iter().enumerate().map(|(n, key)| entry(key, base, table).map_err(|line| format!("key {n}: {line}"))).collect()
}

fn entry(key: &Value, base: &Path, table: &Table) -> Result<KeyEntry, String> {
    const KEYS: [&str; 6] = ["length", "seed", "w", "ws", "file", "params"];
    let key = key.as_table().ok_or("expected a table")?;
    if let Some(unknown) = key.keys().find(|name| !KEYS.contains(&name.as_str())) {
        return Err(format!("unknown key {unknown:?}; expected {}", KEYS.join(", ")));
    }
    let number = |value: &Value| match value {
        Value::Integer(number) => Some(*number as f64),
        Value::Float(number) if number.is_finite() => Some(*number),
        _ => None,
    };
    let [shortest, longest] = KEY_LENGTHS;
    let length = key.get("length").map_or(Some(4.0), number).filter(|length| (shortest..=longest).contains(length));
    let length = length.ok_or_else(|| format!("length: expected a number from {shortest} to {longest}"))?;
    let numbers = |value: &Value| {
        let list = value.as_array().filter(|list| !list.is_empty());
        list.and_then(|list| list.iter().map(|x| number(x).map(|x| x as f32)).collect::<Option<Vec<f32>>>())
    };
    let at = match (key.get("seed"), key.get("w"), key.get("ws"), key.get("file")) {
        (Some(seed), None, None, None) => {
            let seed = seed.as_integer().and_then(|seed| u32::try_from(seed).ok());
            Latent::Seed(seed.ok_or("seed: expected a whole number from 0 to 4294967295")?)
        }
        (None, Some(w), None, None) => Latent::W(numbers(w).ok_or("w: expected a list of numbers")?),
        (None, None, Some(ws), None) => {
            let rows = ws.as_array().filter(|rows| !rows.is_empty());
            let rows: Option<Vec<Vec<f32>>> = rows.and_then(|rows| rows.iter().map(numbers).collect());
            let rows = rows.filter(|rows| rows.iter().all(|row| row.len() == rows[0].len()));
            Latent::Ws(rows.ok_or("ws: expected a list of lists of numbers, all as long")?)
        }
        (None, None, None, Some(file)) => {
            let name = file.as_str().ok_or("file: expected the name of a file")?;
            let rows =
                projected::open(&base.join(expand(Path::new(name)))).map_err(|line| format!("{name}: {line}"))?;
            Latent::File(name.to_owned(), rows)
        }
        _ => return Err("expected one of seed, w, ws and file".to_owned()),
    };
    let mut params = Vec::new();
    if let Some(value) = key.get("params") {
        let values = value.as_table().ok_or("params: expected a table of addresses and numbers")?;
        if values.len() > MOST_PARAMS {
            return Err(format!("params: expected at most {MOST_PARAMS}, found {}", values.len()));
        }
        for (address, value) in values {
            let value = number(value).ok_or_else(|| format!("params: {address}: expected a number, found {value}"))?;
            if let Some(target) = table.resolve(address) {
                params.push((target, movable(target).map(|()| value)?));
            }
        }
    }
    Ok(KeyEntry { at, length, params })
}

/// Whether a track can move a parameter.
///
/// # Errors
/// Why not, in one line.
pub fn movable(target: Target) -> Result<(), String> {
    let address = target.id.def().address;
    let def = target.id.def();
    let is_number = matches!(def.kind, Kind::Float { .. } | Kind::Int { .. });
    // What moves by itself can do no more than a preset that others have sent.
    let is_of_picture = def.scope == Scope::Picture && def.saving == Saving::Saved && def.remote == Remote::Allowed;
    if is_number && is_of_picture && !address.starts_with("/keys") {
        Ok(())
    } else {
        Err(format!("{target} cannot be moved by keys: expected a number of the picture that presets keep"))
    }
}

/// The text of a track.
pub fn text(keys: &[KeyEntry]) -> String {
    let list =
        |numbers: &[f32]| format!("[{}]", numbers.iter().map(|x| format!("{x:?}")).collect::<Vec<_>>().join(", "));
    let mut text = "# A track of keys: /walk/kind keys plays it. It is read again when it is saved.\n".to_owned();
    for key in keys {
        // Writing to a string cannot fail.
        let _ = write!(text, "\n[[keys]]\nlength = {:?}\n", key.length);
        let _ = match &key.at {
            Latent::Seed(seed) => writeln!(text, "seed = {seed}"),
            Latent::File(name, _) => writeln!(text, "file = {}", Value::String(name.clone())),
            Latent::W(w) => writeln!(text, "w = {}", list(w)),
            Latent::Ws(ws) => {
                let rows: Vec<String> = ws.iter().map(|row| format!("  {},\n", list(row))).collect();
                writeln!(text, "ws = [\n{}]", rows.concat())
            }
        };
        if !key.params.is_empty() {
            let params: Vec<String> = key.params.iter().map(|(to, value)| format!("\"{to}\" = {value:?}")).collect();
            let _ = writeln!(text, "params = {{ {} }}", params.join(", "));
        }
    }
    text
}

/// Writes a track: a temporary file, then renamed.
///
/// # Errors
/// When it cannot be written.
pub fn write(file: &Path, text: &str) -> io::Result<()> {
    let aside = PathBuf::from(format!("{}.{}.part", file.display(), std::process::id()));
    std::fs::create_dir_all(file.parent().unwrap_or(Path::new("")))?;
    std::fs::write(&aside, text)?;
    std::fs::rename(aside, file)
}

/// Writes tracks on the thread `save keys`.
#[derive(Debug)]
pub struct Saver {
    jobs: Sender<Job>,
    results: Receiver<Saved>,
    is_busy: bool,
    _thread: JoinHandle<()>,
}

/// A track to be written.
#[derive(Debug)]
pub struct Job {
    pub file: PathBuf,
    /// Whether it must not replace a file that is there: then a number is put behind its name.
    pub is_new: bool,
    pub keys: Arc<Vec<KeyEntry>>,
    /// Given back with the result.
    pub generation: u64,
}

/// What became of a [`Job`].
#[derive(Debug)]
pub struct Saved {
    pub generation: u64,
    /// The file that was written, or one line.
    pub result: Result<PathBuf, String>,
}

impl Saver {
    /// # Errors
    /// When the thread cannot be started.
    pub fn start() -> io::Result<Saver> {
        let (jobs, todo) = bounded::<Job>(1);
        let (done, results) = bounded(4);
        let run = move || {
            for job in todo {
                let generation = job.generation;
                if done.send(Saved { generation, result: job.run() }).is_err() {
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new().name("save keys".to_owned()).spawn(run)?;
        Ok(Saver { jobs, results, is_busy: false, _thread: thread })
    }

    /// Gives it a track to write.
    ///
    /// # Errors
    /// The same track, while it has another one to write: try again when that is done.
    pub fn save(&mut self, job: Job) -> Result<(), Job> {
        if self.is_busy {
            return Err(job);
        }
        self.jobs.try_send(job).map_err(TrySendError::into_inner)?;
        self.is_busy = true;
        Ok(())
    }

    /// Whether a track is being written.
    pub fn is_busy(&self) -> bool {
        self.is_busy
    }

    /// What became of the last one, once.
    pub fn poll(&mut self) -> Option<Saved> {
        let saved = self.results.try_recv().ok()?;
        self.is_busy = false;
        Some(saved)
    }
}

impl Job {
    fn run(self) -> Result<PathBuf, String> {
        let stem = name_of(&self.file);
        let numbered = (2..1000).map(|n| self.file.with_file_name(format!("{stem}-{n}.toml")));
        let mut names = std::iter::once(self.file.clone()).chain(numbered.filter(|_| self.is_new));
        let file = names.find(|file| !self.is_new || !file.exists()).ok_or("no name is free for the keys")?;
        write(&file, &text(&self.keys)).map_err(|error| format!("cannot write {}: {error}", file.display()))?;
        Ok(file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::params::Id;

    #[test]
    fn a_track_comes_back_as_it_was_written() {
        let base = &Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/latent");
        let rows = projected::open(&base.join("projected_w.npz")).unwrap();
        let keys = vec![
            KeyEntry { at: Latent::Seed(12), length: 4.0, params: Vec::new() },
            KeyEntry { at: Latent::W(vec![0.1, -1.5e-9, 3.0]), length: 0.5, params: vec![(Id::Psi.into(), 0.9)] },
            KeyEntry {
                at: Latent::Ws(vec![vec![1.0 / 3.0, 2.0], vec![f32::MIN_POSITIVE, 0.0]]),
                length: 2.0,
                params: Vec::new(),
            },
            KeyEntry { at: Latent::File("projected_w.npz".into(), rows), length: 1.0, params: Vec::new() },
        ];
        assert_eq!(parse(&text(&keys), base, Table::built_in()), Ok(keys));
        assert_eq!(parse("", base, Table::built_in()), Ok(Vec::new()));
        let later = "[[keys]]\nseed = 1\nparams = { \"/fx/gone/amount\" = 1 }\n";
        assert_eq!(parse(later, base, Table::built_in()).map(|keys| keys[0].params.len()), Ok(0));
    }

    #[test]
    fn a_new_track_replaces_no_file() {
        let folder = std::env::temp_dir().join(format!("latent-jockey-keys-{}", std::process::id()));
        let file = folder.join("a-keys.toml");
        let save =
            |is_new: bool| Job { file: file.clone(), is_new, keys: Arc::default(), generation: 0 }.run().unwrap();
        assert_eq!([save(true), save(true), save(false)], [file.clone(), folder.join("a-keys-2.toml"), file.clone()]);
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_mistake_is_named() {
        let base = Path::new("nowhere");
        for (text, expected) in [
            ("[[keys]]\nseed = \n", "line 2: "),
            ("key = 1", "unknown key \"key\""),
            ("[[keys]]\n", "key 0: expected one of seed, w, ws and file"),
            ("[[keys]]\nseed = 1\nw = [1.0]\n", "key 0: expected one of seed, w, ws and file"),
            ("[[keys]]\nseed = 1\n[[keys]]\nseed = -1\n", "key 1: seed: expected a whole number"),
            ("[[keys]]\nseed = 1\nlength = 0\n", "key 0: length: expected a number from 0.05 to 600"),
            ("[[keys]]\nws = [[1.0], [1.0, 2.0]]\n", "key 0: ws: expected a list of lists"),
            ("[[keys]]\nseed = 1\nparams = { \"/preset\" = 1 }\n", "key 0: /preset cannot be moved by keys"),
            ("[[keys]]\nfile = \"sefa.tiff\"\n", "key 0: sefa.tiff: "),
            ("[[keys]]\nseed = 1\nspeed = 2\n", "key 0: unknown key \"speed\""),
        ] {
            let found = parse(text, base, Table::built_in()).unwrap_err();
            assert!(found.starts_with(expected), "{text:?}: {found}");
        }
    }
}
