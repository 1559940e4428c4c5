//! Reads and writes the files of an editor on the thread `editor`, so that no frame waits for a disk.
//!
//! Saving never overwrites what is built in: a patch or an effect that ships is saved among the player's own, where it is
//! found first. Jobs run in order; their results are polled.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, bounded};
use toml_edit::{DocumentMut, value};

use crate::file::{self, text};
use crate::patch::effects;
use crate::patch::folders::{HOME_VARIABLE, Kind, is_script};
use crate::patch::library::{Library, numbered};
use crate::patch::locate::name_of;
use crate::patch::save::replace;

/// Jobs, or results, that may wait.
const WAITING: usize = 16;

/// The names of what can be played.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    pub presets: Vec<String>,
    pub networks: Vec<String>,
    pub effects: Vec<String>,
}

/// What to do.
#[derive(Debug)]
enum Job {
    Names,
    Read(PathBuf),
    Save { text: String, to: Place },
}

/// Where a text belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// The patch in this file, which the preset plays; they are the same for a preset in Luau.
    Patch { file: PathBuf, preset: PathBuf },
    /// A patch for a preset that has none.
    NewPatch { preset: PathBuf },
    /// An effect.
    Effect { file: PathBuf },
}

impl Place {
    /// The file from which the text came, or the preset that is to play it.
    pub fn origin(&self) -> &Path {
        match self {
            Place::Patch { file, .. } | Place::Effect { file } => file,
            Place::NewPatch { preset } => preset,
        }
    }
}

/// A text on the disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Saved {
    pub from: Place,
    pub text: String,
    /// Where it is now.
    pub file: PathBuf,
    /// The preset that plays it from now on, for a patch.
    pub preset: Option<PathBuf>,
}

/// A finished job.
#[derive(Debug)]
pub enum Done {
    Names(Names),
    Read { file: PathBuf, text: Result<String, String> },
    Saved(Result<Saved, (Place, String)>),
}

/// The thread `editor`.
pub struct Files {
    jobs: Option<Sender<Job>>,
    results: Receiver<Done>,
    thread: Option<JoinHandle<()>>,
}

impl Files {
    /// # Errors
    /// When the thread cannot be started.
    pub fn start(library: Library) -> std::io::Result<Files> {
        let (jobs, todo) = bounded::<Job>(WAITING);
        let (done, results) = bounded(WAITING);
        let thread = std::thread::Builder::new().name("editor".to_owned()).spawn(move || {
            for job in todo {
                let result = match job {
                    Job::Names => Done::Names(names(&library)),
                    Job::Read(file) => {
                        let text = text::read(&file).map_err(|error| format!("{}: {error}", file.display()));
                        Done::Read { file, text }
                    }
                    Job::Save { text, to } => Done::Saved(save(&library, text, to)),
                };
                if done.send(result).is_err() {
                    return;
                }
            }
        })?;
        Ok(Files { jobs: Some(jobs), results, thread: Some(thread) })
    }

    /// Asks for the names of what can be played. False if too much is waiting.
    pub fn ask_names(&self) -> bool {
        self.ask(Job::Names)
    }

    /// Reads a text, which may be built in. False if too much is waiting.
    pub fn read(&self, file: PathBuf) -> bool {
        self.ask(Job::Read(file))
    }

    /// Saves a text. False if too much is waiting.
    pub fn save(&self, text: String, to: Place) -> bool {
        self.ask(Job::Save { text, to })
    }

    fn ask(&self, job: Job) -> bool {
        self.jobs.as_ref().is_some_and(|jobs| jobs.try_send(job).is_ok())
    }

    /// The next finished job, if any. Never waits.
    pub fn poll(&self) -> Option<Done> {
        self.results.try_recv().ok()
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        self.jobs = None;
        // What is being saved is on disk before the show ends; a full channel of results must not hold it up.
        while self.results.recv().is_ok() {}
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn names(library: &Library) -> Names {
    let of = |kind| -> Vec<String> { library.folders().files(kind).iter().map(|file| name_of(file)).collect() };
    let presets = library.names().iter().map(|name| numbered(name).1.to_owned()).collect();
    let scripts = effects::named_scripts().into_iter().map(|(name, _)| name);
    Names { presets, networks: of(Kind::Network), effects: of(Kind::Effect).into_iter().chain(scripts).collect() }
}

fn save(library: &Library, text: String, from: Place) -> Result<Saved, (Place, String)> {
    match write(library, &text, &from) {
        Ok((file, preset)) => Ok(Saved { from, text, file, preset }),
        Err(line) => Err((from, line)),
    }
}

/// Writes the text where it belongs. Returns its file and, for a patch, the preset.
fn write(library: &Library, text: &str, place: &Place) -> Result<(PathBuf, Option<PathBuf>), String> {
    let own = || {
        let own = library.folders().own().map(Path::to_owned);
        own.ok_or_else(|| format!("there is no folder of your own to save to: set {HOME_VARIABLE}"))
    };
    let in_own = |file: &Path| own().map(|own| own.join(file.file_name().unwrap_or_default()));
    match place {
        Place::Effect { file } if file::is_built_in(file) => {
            let target = own()?.join(Kind::Effect.folder()).join(file.file_name().unwrap_or_default());
            with_imports(file, text, &target)?;
            put(&target, text)?;
            Ok((target, None))
        }
        Place::Effect { file } => put(file, text).map(|()| (file.clone(), None)),
        Place::Patch { file, preset } if !file::is_built_in(file) => {
            put(file, text).map(|()| (file.clone(), Some(preset.clone())))
        }
        Place::Patch { file, .. } if is_script(place.origin()) && is_same(place) => {
            let target = in_own(file)?;
            put(&target, text)?;
            Ok((target.clone(), Some(target)))
        }
        Place::Patch { file, preset } => with_preset(text, &in_own(file)?, preset, &in_own(preset)?),
        Place::NewPatch { preset } => {
            let target = if file::is_built_in(preset) { in_own(preset)? } else { preset.clone() };
            let file = target.with_extension("luau");
            if file::is_file(&file) {
                return Err(format!("{} is there already and was left as it is", file.display()));
            }
            with_preset(text, &file, preset, &target)
        }
    }
}

/// Whether the patch is itself the preset.
fn is_same(place: &Place) -> bool {
    matches!(place, Place::Patch { file, preset } if file == preset)
}

/// Writes a patch, and beside it the preset that plays it, made from `from`.
fn with_preset(text: &str, file: &Path, from: &Path, preset: &Path) -> Result<(PathBuf, Option<PathBuf>), String> {
    let old = text::read(from).map_err(|error| format!("{}: {error}", from.display()))?;
    let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut document: DocumentMut = old.parse().map_err(|error| format!("{}: {error}", from.display()))?;
    if document.get("script").and_then(|item| item.as_str()) != Some(&name) {
        document["script"] = value(name);
    }
    put(file, text)?;
    put(preset, &document.to_string())?;
    Ok((file.to_owned(), Some(preset.to_owned())))
}

/// Copies what a built-in effect imports, so that its copy finds it too. What is there already stays.
fn with_imports(from: &Path, text: &str, to: &Path) -> Result<(), String> {
    let (from, to) = (from.parent().unwrap_or(Path::new("")), to.parent().unwrap_or(Path::new("")));
    let mut waiting: Vec<String> = imports(text);
    while let Some(name) = waiting.pop() {
        let (file, copy) = (from.join(&name), to.join(&name));
        let is_inside = Path::new(&name).components().all(|part| matches!(part, std::path::Component::Normal(_)));
        // A wrong import is reported when the effect is compiled.
        if let Ok(text) = text::read(&file)
            && is_inside
            && !file::is_file(&copy)
        {
            put(&copy, &text)?;
            waiting.extend(imports(&text));
        }
    }
    Ok(())
}

fn imports(text: &str) -> Vec<String> {
    text.lines()
        .filter_map(|line| Some(line.strip_prefix("//@")?.trim().strip_prefix("import ")?.trim().to_owned()))
        .collect()
}

fn put(file: &Path, text: &str) -> Result<(), String> {
    let folder = file.parent().unwrap_or(Path::new(""));
    let written = fs::create_dir_all(folder).and_then(|()| replace(file, text.as_bytes()));
    written.map_err(|error| format!("cannot save {}: {error}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::file::built_in;
    use crate::patch::folders::Folders;
    use crate::patch::locate::test_folder;
    use crate::screen::Shader;

    fn saved(library: &Library, text: &str, place: Place) -> Saved {
        save(library, text.to_owned(), place).unwrap()
    }

    fn shipped(name: &str) -> PathBuf {
        Path::new(built_in::ROOT).join(name)
    }

    #[test]
    fn what_is_built_in_is_saved_among_the_players_own() {
        let own = test_folder("files-own", &[]);
        let library = Library::new(Folders::default().with_own(&own));
        let preset = shipped("14-tides.luau");
        let place = Place::Patch { file: preset.clone(), preset };
        let done = saved(&library, "psi = 1\n", place);
        assert_eq!((&done.file, done.preset.as_ref()), (&own.join("14-tides.luau"), Some(&own.join("14-tides.luau"))));
        assert_eq!(fs::read_to_string(&done.file).unwrap(), "psi = 1\n");
        let effect = shipped("fx/trails.wgsl");
        let text = text::read(&effect).unwrap();
        let done = saved(&library, &text, Place::Effect { file: effect });
        assert_eq!(done.file, own.join("fx/trails.wgsl"));
        assert!(crate::patch::effects::load(&done.file).is_ok(), "with what it imports");
        let without = Library::new(Folders::default());
        let error = save(&without, String::new(), Place::Effect { file: shipped("fx/trails.wgsl") }).unwrap_err();
        assert!(error.1.contains(HOME_VARIABLE), "{}", error.1);
        fs::remove_dir_all(own).unwrap();
    }

    #[test]
    fn a_module_named_on_the_command_line_is_among_the_effects() {
        let is_offered = || names(&Library::new(Folders::default())).effects.contains(&"named_here".to_owned());
        assert!(!is_offered());
        let text = "fn effect(uv: vec2f) -> vec4f { return vec4f(1.0); }\n";
        let shader = Shader::parse(Path::new("/nowhere/named_here.pt"), text, &|_| Err(String::new())).unwrap();
        effects::name_script(shader);
        assert!(is_offered());
    }

    #[test]
    fn a_new_patch_is_named_by_its_preset() {
        let own = test_folder("files-new", &[]);
        let library = Library::new(Folders::default().with_own(&own));
        let place = Place::NewPatch { preset: shipped("6-flowers.toml") };
        let done = saved(&library, "psi = 1\n", place.clone());
        let preset = own.join("6-flowers.toml");
        assert_eq!((&done.file, done.preset.as_ref()), (&own.join("6-flowers.luau"), Some(&preset)));
        let read = library.read(&preset).unwrap();
        assert_eq!(&*read.script.unwrap().text, "psi = 1\n");
        assert!(read.network.is_some(), "the rest of the preset is kept");
        let error = save(&library, "psi = 2\n".to_owned(), place).unwrap_err().1;
        assert!(error.contains("there already"), "{error}");
        assert_eq!(fs::read_to_string(own.join("6-flowers.luau")).unwrap(), "psi = 1\n", "nothing is lost");
        fs::remove_dir_all(own).unwrap();
    }

    #[test]
    fn a_file_of_the_players_is_saved_in_place() {
        let own = test_folder("files-place", &[]);
        let file = own.join("mine.luau");
        fs::write(&file, "psi = 0\n").unwrap();
        let library = Library::new(Folders::default());
        let done = saved(&library, "psi = 1\n", Place::Patch { file: file.clone(), preset: file.clone() });
        assert_eq!((done.file, fs::read_to_string(&file).unwrap().as_str()), (file, "psi = 1\n"));
        let gone = own.join("file");
        fs::write(&gone, "").unwrap();
        let error = save(&library, String::new(), Place::Effect { file: gone.join("x.wgsl") }).unwrap_err().1;
        assert!(error.starts_with("cannot save"), "{error}");
        fs::remove_dir_all(own).unwrap();
    }

    #[test]
    fn the_thread_reads_and_lists() {
        let files = Files::start(Library::new(Folders::default())).unwrap();
        assert!(files.ask_names() && files.read(shipped("14-tides.luau")) && files.read(shipped("nothing.luau")));
        let Done::Names(names) = files.results.recv().unwrap() else { panic!("names") };
        assert!(names.presets.contains(&"tides".to_owned()) && names.effects.contains(&"trails".to_owned()));
        let Done::Read { text: Ok(text), .. } = files.results.recv().unwrap() else { panic!("a text") };
        assert!(text.contains("tide"));
        let Done::Read { text: Err(line), .. } = files.results.recv().unwrap() else { panic!("no text") };
        assert!(line.contains("nothing.luau"), "{line}");
    }
}
