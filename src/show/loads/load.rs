//! What can be loaded, and how: files are found, read and prepared for the engine.
//!
//! Accesses the disk: runs on the worker threads, or in the step itself if the show is offline.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::Recorded;
use crate::caption::table::{self as captions, Row, Table, TableError};
use crate::effects;
use crate::effects::input::Content;
use crate::effects::style::{StyleLoop, StyleSettings};
use crate::engine::cpu::Cpu;
use crate::engine::{Engine, EngineError, Inputs, Program};
use crate::file::State;
use crate::file::sources::{self, Query, Sources};
use crate::file::text::{self, TextError};
use crate::footage::{Source, clip, live};
use crate::image::{Fit, Image, file};
use crate::network::blend::{Pair, Share};
use crate::network::clusters::{self, Clusters};
use crate::network::style_transfer::StyleNetwork;
use crate::network::{self, Network, NetworkError};
use crate::patch::directions;
use crate::patch::effects::{self as effects_of, EffectEntry};
use crate::patch::folders::Kind as Of;
use crate::patch::folders::Kind as Folder;
use crate::patch::key_file::KeyFile;
use crate::patch::library::Library;
use crate::patch::locate::{LocateError, expand, name_of};
use crate::patch::preset::{Preset, PresetError};
use crate::patch::set::{self, Set};
use crate::patch::track::{self, KeyEntry};
use crate::patch::versions;
use crate::record::take::Landed;
use crate::screen::{Compiled, Workshop};
use crate::show::picture::{self, LeftOut, PictureError};
use crate::show::slideshow::Slide;
use crate::thread::panic_message;

/// The kinds of loads. The newest request of each kind wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    Network,
    Style,
    Picture,
    Preset,
    Effects,
    /// A preset that waits for the crossfader.
    Armed,
    /// A set list.
    Set,
    /// The player's own keys.
    Keys,
    /// The directions of the network that plays.
    Directions,
    /// The clusters of its channels.
    Clusters,
    /// A track of keys.
    Track,
    /// A blend of the network that plays with a second one.
    Blend,
    /// Live code: it comes with its preset and is not loaded, but its faults are reported like theirs.
    Code,
}

impl Kind {
    const WORDS: [(Kind, &str); 13] = [
        (Kind::Network, "network"),
        (Kind::Style, "style"),
        (Kind::Picture, "picture"),
        (Kind::Preset, "preset"),
        (Kind::Effects, "effects"),
        (Kind::Armed, "armed"),
        (Kind::Set, "set"),
        (Kind::Keys, "keys"),
        (Kind::Directions, "directions"),
        (Kind::Clusters, "clusters"),
        (Kind::Track, "track"),
        (Kind::Blend, "blend"),
        (Kind::Code, "code"),
    ];

    /// Its word in a take.
    pub fn word(self) -> &'static str {
        Kind::WORDS.iter().find(|(kind, _)| *kind == self).map_or("", |(_, word)| word)
    }

    /// Whether something of this kind is seen by itself when it lands. What is found out about a network comes with it.
    pub fn is_seen(self) -> bool {
        !matches!(self, Kind::Directions | Kind::Clusters)
    }

    /// The kind with this word.
    pub fn of_word(word: &str) -> Option<Kind> {
        Kind::WORDS.iter().find(|(_, known)| *known == word).map(|(kind, _)| *kind)
    }
}

/// A name, or a path if that is allowed, as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    pub name: String,
    /// Names from untrusted clients are only looked up in the library.
    pub may_be_path: bool,
    /// Where a relative path may start, besides the working directory.
    pub base: PathBuf,
}

/// Where a network is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    Named(Named),
    /// Already found when a preset was read.
    File(PathBuf),
}

/// A preset of the library, by its name or position in the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PresetQuery {
    pub from: From,
    /// This many places on, wrapping around.
    pub by: isize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum From {
    /// The file of the current preset.
    Playing(PathBuf),
    Named(Named),
    /// The current preset as saved, or `back` versions before that.
    Saved {
        file: PathBuf,
        back: usize,
    },
}

/// A second network, and how much of it.
#[derive(Clone, Debug)]
pub struct Second {
    pub named: Named,
    pub share: Share,
}

/// The network that plays with a second one mixed in, or by itself again.
#[derive(Clone, Debug)]
pub struct BlendRequest {
    /// As it is in its file.
    pub network: Arc<Network>,
    pub second: Option<Second>,
    /// Whether it plays by itself at the moment.
    pub is_alone: bool,
}

/// Something that the show wants to play.
#[derive(Clone, Debug)]
pub enum LoadRequest {
    Network(Place),
    Blend(BlendRequest),
    Style {
        named: Named,
        /// The picture size and the settings that it will first be used with.
        resolution: usize,
        settings: Box<StyleSettings>,
    },
    Picture {
        slide: Slide,
        /// Side of the resulting square, in pixels.
        side: usize,
    },
    Preset(PresetQuery),
    /// A preset for the crossfader.
    Armed(PresetQuery),
    /// A set list, by its name or path.
    Set(Named),
    /// The player's own keys, by their path.
    Keys(Named),
    /// A track of keys, by its name beside the preset or its path.
    Track(Named),
    /// The directions of this network.
    Directions(Arc<Network>),
    /// The clusters of its channels.
    Clusters(Arc<Network>),
    /// A chain of effects from files, in order; each file is read again.
    Effects {
        entries: Vec<EffectEntry>,
        /// The folder of the preset.
        base: PathBuf,
    },
}

impl LoadRequest {
    pub fn kind(&self) -> Kind {
        match self {
            LoadRequest::Network(_) => Kind::Network,
            LoadRequest::Blend(_) => Kind::Blend,
            LoadRequest::Style { .. } => Kind::Style,
            LoadRequest::Picture { .. } => Kind::Picture,
            LoadRequest::Preset(_) => Kind::Preset,
            LoadRequest::Armed(_) => Kind::Armed,
            LoadRequest::Set(_) => Kind::Set,
            LoadRequest::Keys(_) => Kind::Keys,
            LoadRequest::Directions(_) => Kind::Directions,
            LoadRequest::Clusters(_) => Kind::Clusters,
            LoadRequest::Track(_) => Kind::Track,
            LoadRequest::Effects { .. } => Kind::Effects,
        }
    }

    /// Whether both request the same thing.
    pub fn is_same(&self, other: &LoadRequest) -> bool {
        match (self, other) {
            (LoadRequest::Network(a), LoadRequest::Network(b)) => a == b,
            (LoadRequest::Style { named: a, .. }, LoadRequest::Style { named: b, .. }) => a == b,
            (LoadRequest::Picture { slide: a, side: s }, LoadRequest::Picture { slide: b, side: t }) => {
                (a, s) == (b, t)
            }
            (LoadRequest::Directions(a), LoadRequest::Directions(b))
            | (LoadRequest::Clusters(a), LoadRequest::Clusters(b)) => Arc::ptr_eq(a, b),
            (LoadRequest::Preset(a), LoadRequest::Preset(b)) | (LoadRequest::Armed(a), LoadRequest::Armed(b)) => a == b,
            // Their files may have changed in between.
            _ => false,
        }
    }

    /// The name as written.
    pub fn name(&self) -> String {
        match self {
            LoadRequest::Style { named, .. }
            | LoadRequest::Network(Place::Named(named))
            | LoadRequest::Set(named)
            | LoadRequest::Track(named)
            | LoadRequest::Keys(named) => named.name.clone(),
            LoadRequest::Blend(BlendRequest { second: Some(second), .. }) => second.named.name.clone(),
            LoadRequest::Picture { slide, .. } => slide.place.name.clone(),
            _ => self.label(),
        }
    }

    /// What the HUD calls it while it is loading.
    pub fn label(&self) -> String {
        let path = match self {
            LoadRequest::Network(Place::File(file)) => file,
            LoadRequest::Network(Place::Named(named))
            | LoadRequest::Style { named, .. }
            | LoadRequest::Set(named)
            | LoadRequest::Track(named)
            | LoadRequest::Keys(named) => Path::new(&named.name),
            LoadRequest::Picture { slide, .. } => Path::new(&slide.place.name),
            LoadRequest::Preset(query) | LoadRequest::Armed(query) => match &query.from {
                From::Named(named) => Path::new(&named.name),
                From::Playing(file) | From::Saved { file, .. } => file,
            },
            LoadRequest::Directions(network) | LoadRequest::Clusters(network) => &network.path,
            LoadRequest::Blend(BlendRequest { second: Some(second), .. }) => Path::new(&second.named.name),
            LoadRequest::Blend(BlendRequest { network, .. }) => &network.path,
            LoadRequest::Effects { .. } => Path::new("effects"),
        };
        path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default()
    }
}

/// A file's identity when it was loaded. The same file need not be loaded again when requested again; a replaced file must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    pub file: PathBuf,
    state: State,
    /// How a picture was fitted.
    shape: Option<(Fit, usize)>,
}

impl Identity {
    pub fn of(file: &Path, shape: Option<(Fit, usize)>) -> Self {
        Identity { file: file.to_owned(), state: crate::file::state(file), shape }
    }
}

/// Something that is ready to play.
pub enum Loaded {
    Network {
        network: Arc<Network>,
        program: Box<dyn Program>,
    },
    /// What plays from now on; `None` if that plays already.
    Blend(Option<(Arc<Network>, Box<dyn Program>)>),
    Style(Box<StyleLoop>),
    Picture {
        content: Arrived,
        count: usize,
        /// What `captions.csv` beside it says of it; empty for nothing.
        words: String,
        /// With a folder's first picture: which files are not read, and what is wrong with the captions.
        notice: Option<String>,
    },
    Preset {
        preset: Box<Preset>,
        number: Option<usize>,
    },
    Set(Arc<Set>),
    Keys(Box<KeyFile>),
    Track {
        file: PathBuf,
        keys: Vec<KeyEntry>,
        /// What they were read from.
        sources: Sources,
    },
    Directions {
        network: Arc<Network>,
        directions: directions::Loaded,
        /// What the names were read from.
        sources: Sources,
    },
    Clusters {
        network: Arc<Network>,
        clusters: Arc<Clusters>,
    },
    Effects {
        /// As requested, with the newest text of each file.
        entries: Vec<EffectEntry>,
        /// Those of the entries that can run.
        compiled: Vec<(String, Arc<Compiled>)>,
        /// One line for each that cannot.
        problems: Vec<String>,
        /// What they were read from.
        sources: Sources,
    },
}

/// What has come for the input.
#[derive(Debug)]
pub enum Arrived {
    New(Content),
    /// That very file is already playing, from another place.
    Same,
    /// It was live when the take was played, and nobody has it now.
    Gone,
}

/// The result of a request; `None` if that very file is already playing.
pub type Outcome = Result<Option<(Identity, Loaded)>, LoadError>;

/// Why something cannot be played.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error(transparent)]
    Network(#[from] NetworkError),
    #[error("{}: {source}", file.display())]
    Engine { file: PathBuf, source: EngineError },
    #[error(transparent)]
    Picture(#[from] PictureError),
    #[error(transparent)]
    Preset(#[from] PresetError),
    #[error(transparent)]
    Locate(#[from] LocateError),
    #[error("no older version of the preset {name} is kept")]
    NoVersion { name: String },
    #[error("cannot read {}: {reason}", file.display())]
    Version { file: PathBuf, reason: String },
    #[error("{line}")]
    Track { file: PathBuf, line: String },
    #[error("there are no presets to go to")]
    NoPresets,
    #[error("{name}: loading panicked ({panic}); please report this")]
    Panicked { name: String, panic: String },
    #[error("{name}: the loading thread has ended; please report this")]
    NoThread { name: String },
    /// It could not be played when the take was played, either.
    #[error("{line}")]
    Recorded { line: String },
}

impl LoadError {
    /// The first problem in one line, for the HUD.
    pub fn headline(&self) -> String {
        self.to_string().lines().next().unwrap_or_default().to_owned()
    }

    /// The text file that has to be mended.
    pub fn file(&self) -> Option<&Path> {
        match self {
            LoadError::Preset(
                PresetError::Read { path, .. } | PresetError::Wrong { path, .. } | PresetError::Empty { path },
            )
            | LoadError::Track { file: path, .. } => Some(path),
            _ => None,
        }
    }
}

/// The progress of a load.
#[derive(Debug, Default)]
pub struct Progress(AtomicU8);

impl Progress {
    pub const READING: &str = "reading";
    const STAGES: [&str; 2] = [Progress::READING, "building"];

    fn set(&self, stage: u8) {
        self.0.store(stage, Ordering::Relaxed);
    }

    /// The stage: `reading` a file, or `building` what the engine needs.
    pub fn stage(&self) -> &'static str {
        Progress::STAGES[usize::from(self.0.load(Ordering::Relaxed)).min(1)]
    }
}

/// The entries with the files that their names stood for last: an effect that was copied to be edited was looked for again.
fn found_last(entries: &[EffectEntry], base: &Path, sources: &Sources) -> Vec<EffectEntry> {
    let found = |entry: &EffectEntry| {
        let (kind, name) = (Folder::Effect.word().to_owned(), entry.source.clone());
        sources.found.get(&Query { kind, base: base.to_owned(), name }).cloned()
    };
    entries.iter().map(|entry| EffectEntry { file: found(entry).or(entry.file.clone()), ..entry.clone() }).collect()
}

/// What loading needs.
#[derive(Clone)]
pub struct Context {
    pub engine: Arc<dyn Engine>,
    pub library: Library,
    /// Compiles effects from files; `None` without a graphics device.
    pub workshop: Option<Arc<Workshop>>,
    /// The texts of a take that is playing, which come before those on the disk.
    pub sources: Option<Arc<Sources>>,
    /// Whether the show plays live: then cameras and streams can be seen.
    pub is_live: bool,
    /// The networks that were mixed last, so that a knob opens no file.
    pub pair: Arc<Mutex<Option<(Identity, Pair)>>>,
}

impl Context {
    fn network_file(&self, named: &Named) -> Result<PathBuf, LocateError> {
        if !named.may_be_path {
            return self.library.folders().named(Of::Network, &named.name);
        }
        // As a preset names its generator: beside it or in its own `networks` first.
        let beside = Some(&named.base).filter(|base| !base.as_os_str().is_empty());
        match beside.map(|base| self.library.folders().file_from(base, Of::Network, &named.name)) {
            Some(Ok(file)) => Ok(file),
            _ => self.library.network(&named.name),
        }
    }

    fn picture_place(&self, named: &Named) -> Result<PathBuf, LocateError> {
        if named.may_be_path {
            self.library.picture(&named.name, &named.base)
        } else {
            self.library.folders().named(Of::Picture, &named.name)
        }
    }

    /// Opens a generator and prepares it for the engine.
    ///
    /// # Errors
    /// When the file holds no network that can be played, or the engine cannot run it.
    pub fn network(&self, file: &Path, progress: &Progress) -> Result<(Arc<Network>, Box<dyn Program>), LoadError> {
        progress.set(0);
        let network = network::open_by(&*self.engine, file)?;
        progress.set(1);
        let program = self.program(&network)?;
        Ok((Arc::new(network), program))
    }

    fn program(&self, network: &Network) -> Result<Box<dyn Program>, LoadError> {
        let failed = |source| LoadError::Engine { file: network.path.clone(), source };
        let program = self.engine.prepare(network.plan.clone()).map_err(failed)?;
        effects::compile(&*program).map_err(failed)?;
        Ok(program)
    }

    /// Mixes the network in `file` into the one that plays, and prepares what comes of it for the engine.
    fn blend(&self, request: &BlendRequest, file: &Path, progress: &Progress) -> Result<Loaded, LoadError> {
        let first = &request.network;
        // Only a panic, which was told, can have left it half-way; then it is opened again.
        let mut kept = self.pair.lock().unwrap_or_else(PoisonError::into_inner);
        let network = match &request.second {
            Some(second) => {
                let identity = Identity::of(file, None);
                let known = kept.take().filter(|(known, pair)| *known == identity && pair.is_of(first));
                let (identity, mut pair) = match known {
                    Some(known) => known,
                    None => (identity, Pair::open(first, file)?),
                };
                progress.set(1);
                let network = pair.blend(second.share)?;
                *kept = Some((identity, pair));
                network
            }
            None => {
                *kept = None;
                first.clone()
            }
        };
        drop(kept);
        let is_same = request.is_alone && Arc::ptr_eq(&network, first);
        let program = if is_same { None } else { Some(self.program(&network)?) };
        Ok(Loaded::Blend(program.map(|program| (network, program))))
    }

    /// Loads what is requested, unless it is the same as `playing`.
    fn load(&self, request: &LoadRequest, playing: Option<&Identity>, progress: &Progress) -> Outcome {
        progress.set(0);
        match request {
            LoadRequest::Network(place) => {
                let file = match place {
                    Place::File(file) => file.clone(),
                    Place::Named(named) => self.network_file(named)?,
                };
                let identity = Identity::of(&file, None);
                if playing == Some(&identity) {
                    return Ok(None);
                }
                let (network, program) = self.network(&file, progress)?;
                Ok(Some((identity, Loaded::Network { network, program })))
            }
            LoadRequest::Blend(blend) => {
                let file = match &blend.second {
                    Some(second) => self.network_file(&second.named)?,
                    None => blend.network.path.clone(),
                };
                let loaded = self.blend(blend, &file, progress)?;
                Ok(Some((Identity::of(&file, None), loaded)))
            }
            LoadRequest::Style { named, resolution, settings } => {
                let file = self.network_file(named)?;
                let identity = Identity::of(&file, None);
                if playing == Some(&identity) {
                    return Ok(None);
                }
                let style = self.style(&file, *resolution, settings, progress)?;
                Ok(Some((identity, Loaded::Style(style))))
            }
            LoadRequest::Picture { slide, side } => {
                if let Some(source) = Source::parse(&slide.place.name) {
                    return self.live(&source, slide, *side, playing);
                }
                let place = self.picture_place(&slide.place)?;
                let pictures = picture::pictures_of(&place)?;
                let left_out = Some(&place).filter(|_| slide.index == 0).and_then(|place| LeftOut::of(place));
                if let Some(left_out) = &left_out {
                    tracing::warn!("{}: {left_out}", place.display());
                }
                let left_out = left_out.map(|left_out| left_out.headline());
                let at = slide.index.rem_euclid(pictures.len() as i64) as usize;
                let identity = Identity::of(&pictures[at], Some((slide.fit, *side)));
                let content = match playing == Some(&identity) {
                    true => Arrived::Same,
                    false => Arrived::New(content(&pictures[at], *side, slide.fit)?),
                };
                let (words, wrong) = match words_of(&pictures[at]) {
                    Ok(words) => (words, None),
                    Err(error) => (String::new(), Some(error.to_string())),
                };
                let lines = [left_out, wrong.filter(|_| slide.index == 0)];
                let notice = lines.into_iter().flatten().reduce(|a, b| format!("{a}; {b}"));
                Ok(Some((identity, Loaded::Picture { content, count: pictures.len(), words, notice })))
            }
            LoadRequest::Effects { entries, base } => {
                let (mut loaded, read) = sources::observe(|| self.effects(entries, base, true));
                if let Loaded::Effects { sources, .. } = &mut loaded {
                    *sources = read;
                }
                Ok(Some((Identity::of(Path::new("effects"), None), loaded)))
            }
            LoadRequest::Directions(network) => {
                let (directions, sources) = sources::observe(|| self.directions(network));
                let loaded = Loaded::Directions { network: network.clone(), directions, sources };
                Ok(Some((Identity::of(&network.path, None), loaded)))
            }
            LoadRequest::Clusters(network) => Ok(Some((Identity::of(&network.path, None), self.clusters(network)?))),
            LoadRequest::Track(named) => {
                let file = named.base.join(expand(Path::new(&named.name)));
                let (keys, sources) = sources::observe(|| track::read(&file, &self.library.tables().get()));
                let keys = keys.map_err(|line| LoadError::Track { file: file.clone(), line })?;
                Ok(Some((Identity::of(&file, None), Loaded::Track { file, keys, sources })))
            }
            LoadRequest::Keys(named) => {
                let file = expand(Path::new(&named.name));
                let keys = KeyFile::read(&file, &self.library.tables().get(), self.library.folders())?;
                Ok(Some((Identity::of(&file, None), Loaded::Keys(Box::new(keys)))))
            }
            LoadRequest::Set(named) => {
                let file = set::find(self.library.folders(), &named.name, named.may_be_path)?;
                let set = Arc::new(Set::read(&file, &self.library)?);
                Ok(Some((Identity::of(&file, None), Loaded::Set(set))))
            }
            LoadRequest::Preset(query) | LoadRequest::Armed(query) => {
                let file = self.preset_file(query)?;
                let preset = match query.from {
                    From::Saved { back, .. } if back > 0 => self.version(&file, back)?,
                    _ => self.library.read(&file)?,
                };
                let (preset, number) = (Box::new(preset), self.library.number(&file));
                Ok(Some((Identity::of(&file, None), Loaded::Preset { preset, number })))
            }
        }
    }

    /// Finds the directions of a network. Its pictures are drawn by one thread of the cpu engine: slowly, and beside the show.
    fn directions(&self, network: &Network) -> directions::Loaded {
        let mut program = None;
        directions::load(network, |ws| {
            let program = match &mut program {
                Some(program) => program,
                None => program.insert(Cpu::new(1).program(network.plan.clone()).ok()?),
            };
            let mut picture = Image::default();
            program.draw(&Inputs { ws, ..Inputs::default() }, &mut picture).ok()?;
            Some(picture.data)
        })
    }

    /// Finds the clusters of a network's channels, as [`Context::directions`] draws.
    fn clusters(&self, network: &Arc<Network>) -> Result<Loaded, LoadError> {
        let found = clusters::of(network, || Ok(Box::new(Cpu::new(1).program(network.plan.clone())?)));
        let found = found.map_err(|source| LoadError::Engine { file: network.path.clone(), source })?;
        Ok(Loaded::Clusters { network: network.clone(), clusters: Arc::new(found) })
    }

    /// Opens a camera, a screen or a stream, unless it is playing.
    fn live(&self, source: &Source, slide: &Slide, side: usize, playing: Option<&Identity>) -> Outcome {
        let name = source.name();
        if !slide.place.may_be_path {
            return Err(PictureError::Remote { name }.into());
        }
        if !self.is_live {
            return Err(PictureError::Live { name }.into());
        }
        let identity = Identity::of(Path::new(&slide.place.name), Some((slide.fit, side)));
        let content = match playing == Some(&identity) {
            true => Arrived::Same,
            false => Arrived::New(Content::Moving(live::open(source, side, slide.fit).map_err(PictureError::from)?)),
        };
        Ok(Some((identity, Loaded::Picture { content, count: 1, words: String::new(), notice: None })))
    }

    /// Reads and compiles a chain. An effect whose file is broken keeps its last good version; where its mistake is, is logged if
    /// it `is_news`. In a take it was broken then, too.
    fn effects(&self, requested: &[EffectEntry], base: &Path, is_news: bool) -> Loaded {
        let (mut entries, mut compiled, mut problems) = (Vec::new(), Vec::new(), Vec::new());
        for entry in requested {
            let mut entry = entry.clone();
            let file = match entry.file.take() {
                Some(file) => Ok(file),
                None => effects_of::find(self.library.folders(), base, &entry.source),
            };
            let file = match file {
                Ok(file) => entry.file.insert(file).clone(),
                Err(error) => {
                    problems.push(error.to_string());
                    continue;
                }
            };
            match effects_of::load(&file) {
                Ok(shader) => entry.shader = Some(shader),
                Err(error) => {
                    if is_news {
                        tracing::warn!("{}", error.block());
                    }
                    problems.push(error.to_string());
                }
            }
            if let (Some(shader), Some(workshop)) = (&entry.shader, &self.workshop) {
                match workshop.compile(shader) {
                    Ok(done) => compiled.push((entry.name.clone(), done)),
                    Err(line) => problems.push(format!("{}.wgsl: {line}", shader.name)),
                }
            }
            entries.push(entry);
        }
        if self.workshop.is_none() && !entries.is_empty() {
            problems = vec!["no graphics adapter, not even a software one: the effects are skipped".to_owned()];
        }
        Loaded::Effects { entries, compiled, problems, sources: Sources::default() }
    }

    /// Loads what landed when a take was played: the same file, and the texts of then. `places` says where files are now.
    pub fn repeat(&self, request: &LoadRequest, landed: &Landed, recorded: &Recorded) -> Outcome {
        if let Some(line) = &landed.error {
            return Err(LoadError::Recorded { line: line.clone() });
        }
        let file = PathBuf::from(landed.file.clone().unwrap_or_default());
        let place = recorded.places.get(&file).unwrap_or(&file);
        let progress = Progress::default();
        let loaded = match request {
            LoadRequest::Picture { slide, side } => {
                let identity = Identity::of(&file, Some((slide.fit, *side)));
                let source = Source::parse(&landed.file.clone().unwrap_or_default());
                let content = match source {
                    _ if landed.same => Arrived::Same,
                    Some(_) => Arrived::Gone,
                    None => Arrived::New(content(place, *side, slide.fit)?),
                };
                let count = landed.count.unwrap_or(1);
                let words = landed.words.clone();
                return Ok(Some((identity, Loaded::Picture { content, count, words, notice: None })));
            }
            _ if landed.same => return Ok(None),
            LoadRequest::Network(_) => {
                let (network, program) = self.network(place, &progress)?;
                Loaded::Network { network, program }
            }
            LoadRequest::Blend(blend) => self.blend(blend, place, &progress)?,
            LoadRequest::Style { resolution, settings, .. } => {
                Loaded::Style(self.style(place, *resolution, settings, &progress)?)
            }
            LoadRequest::Effects { entries, base } => {
                let entries = found_last(entries, base, &recorded.sources);
                sources::answer(&recorded.sources, || self.effects(&entries, base, false))
            }
            LoadRequest::Directions(network) => {
                let directions = sources::answer(&recorded.sources, || self.directions(network));
                Loaded::Directions { network: network.clone(), directions, sources: Sources::default() }
            }
            LoadRequest::Clusters(network) => self.clusters(network)?,
            LoadRequest::Track(_) => {
                let keys = sources::answer(&recorded.sources, || track::read(&file, &self.library.tables().get()));
                let keys = keys.map_err(|line| LoadError::Track { file: file.clone(), line })?;
                Loaded::Track { file: file.clone(), keys, sources: Sources::default() }
            }
            LoadRequest::Keys(_) => {
                let (tables, folders) = (self.library.tables().get(), self.library.folders());
                let keys = sources::answer(&recorded.sources, || KeyFile::read(&file, &tables, folders))?;
                Loaded::Keys(Box::new(keys))
            }
            LoadRequest::Set(_) => {
                Loaded::Set(Arc::new(sources::answer(&recorded.sources, || Set::read(&file, &self.library))?))
            }
            LoadRequest::Preset(_) | LoadRequest::Armed(_) => {
                let preset = Box::new(sources::answer(&recorded.sources, || self.library.read(&file))?);
                Loaded::Preset { preset, number: landed.number }
            }
        };
        Ok(Some((Identity::of(&file, None), loaded)))
    }

    fn style(
        &self,
        file: &Path,
        resolution: usize,
        settings: &StyleSettings,
        progress: &Progress,
    ) -> Result<Box<StyleLoop>, LoadError> {
        let network = StyleNetwork::open(file)?;
        progress.set(1);
        let mut style = Box::new(StyleLoop::new(self.engine.clone(), Arc::new(network)));
        let failed = |source| LoadError::Engine { file: file.to_owned(), source };
        style.prepare(resolution, resolution, settings).map_err(failed)?;
        Ok(style)
    }

    fn preset_file(&self, query: &PresetQuery) -> Result<PathBuf, LoadError> {
        let from = match &query.from {
            From::Playing(file) | From::Saved { file, .. } => file.clone(),
            From::Named(named) if named.may_be_path => self.library.find(&named.name)?,
            From::Named(named) => self.library.named(&named.name)?,
        };
        if query.by == 0 { Ok(from) } else { self.library.neighbour(&from, query.by).ok_or(LoadError::NoPresets) }
    }

    /// A preset as it was before it was saved, `back` times ago.
    fn version(&self, file: &Path, back: usize) -> Result<Preset, LoadError> {
        let version = versions::path(file, back);
        match text::read(&version) {
            Ok(text) => {
                let mut preset = self.library.check_text(&text, file)?;
                // A take repeats it with this text.
                preset.sources.texts.insert(version, text.into());
                Ok(preset)
            }
            Err(TextError::Read(error)) if error.kind() == std::io::ErrorKind::NotFound => {
                Err(LoadError::NoVersion { name: name_of(file) })
            }
            Err(error) => Err(LoadError::Version { file: version, reason: error.to_string() }),
        }
    }

    /// As [`Context::load`]; a panic becomes an error.
    pub fn load_whole(&self, request: &LoadRequest, playing: Option<&Identity>, progress: &Progress) -> Outcome {
        let loading = std::panic::AssertUnwindSafe(|| match &self.sources {
            Some(sources) => sources::answer(sources, || self.load(request, playing, progress)),
            None => self.load(request, playing, progress),
        });
        std::panic::catch_unwind(loading)
            .unwrap_or_else(|panic| Err(LoadError::Panicked { name: request.label(), panic: panic_message(&*panic) }))
    }
}

/// What `captions.csv` beside a picture says of it, with a question mark if that is a guess; empty for nothing.
fn words_of(picture: &Path) -> Result<String, TableError> {
    let table = picture.parent().map(|folder| Table::open(&folder.join(captions::NAME))).transpose()?;
    let row = table.as_ref().and_then(|table| table.get(picture)).filter(|row| !row.caption.trim().is_empty());
    Ok(row.map_or_else(String::new, Row::shown))
}

/// Reads a picture, or opens a video, for a square of `side` pixels.
fn content(file: &Path, side: usize, fit: Fit) -> Result<Content, PictureError> {
    Ok(match clip::is_clip(file) {
        true => Content::Moving(clip::open(file, side, fit)?),
        false => Content::Still(file::read_square(file, side, fit)?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::cpu::Cpu;

    #[test]
    fn a_network_that_a_preset_names_lies_beside_it_or_in_the_library() {
        let root = std::env::temp_dir().join(format!("latent-jockey-beside-{}", std::process::id()));
        let (library, own) = (root.join("library"), root.join("show"));
        for file in [library.join("networks/a.pth"), own.join("networks/a.pth"), own.join("b.pth")] {
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, "").unwrap();
        }
        std::fs::write(library.join("networks/c.pth"), "").unwrap();
        let library_of = Library::scan(&library).unwrap();
        let context = Context {
            engine: Arc::new(Cpu::new(1)),
            library: library_of,
            workshop: None,
            sources: None,
            is_live: false,
            pair: Arc::default(),
        };
        let found = |name: &str, may_be_path: bool, base: &Path| {
            context.network_file(&Named { name: name.to_owned(), may_be_path, base: base.to_owned() }).ok()
        };
        assert_eq!(found("a", true, &own), Some(own.join("networks/a.pth")));
        assert_eq!(found("b.pth", true, &own), Some(own.join("b.pth")));
        assert_eq!(found("c", true, &own), Some(library.join("networks/c.pth")));
        assert_eq!(found("a", true, Path::new("")), Some(library.join("networks/a.pth")));
        // Names from elsewhere are the library's alone.
        assert_eq!(found("a", false, &own), Some(library.join("networks/a.pth")));
        assert_eq!(found("b.pth", false, &own), None);
        std::fs::remove_dir_all(root).unwrap();
    }
}
