//! Presets: the current one, the requested one, watching its file, and saving.
//!
//! In a live show nothing here accesses the disk: presets are found and read by [`Loads`](super::loads::Loads), watched by the
//! thread `watch` and written by the thread `save`. Offline a preset is saved at once.

mod learned;

use std::collections::{HashSet, VecDeque};
use std::path::{Path, PathBuf};

use super::loads::{From, LoadRequest, Named, PresetQuery};
use crate::control::mapping::{ControlSpec, MidiEntry};
use crate::control::{Source, Write};
use crate::file;
use crate::params::{BENDS, Id, Params, Target, Value};
use crate::patch::effects::EffectEntry;
use crate::patch::folders::{HOME_VARIABLE, is_script};
use crate::patch::library::Library;
use crate::patch::modulators::Edits;
use crate::patch::preset::{Preset, PresetError};
use crate::patch::save::{Base, Written};
use crate::patch::saver::{Copies, Job, Origin, Saved, Saver};
use crate::patch::watch::Watch;
use learned::Learned;

/// What presets say about words over the picture.
const CAPTIONS: [Id; 5] = [Id::CaptionShow, Id::CaptionWords, Id::CaptionEvery, Id::CaptionSize, Id::CaptionPlace];

/// A requested preset that has not arrived.
struct Pending {
    query: PresetQuery,
    /// What was written since: it comes after the preset, so it wins.
    written: HashSet<Target>,
    /// Steps of the seed since, if no seed was written.
    seed_steps: f64,
}

/// News from the threads.
pub enum News {
    /// The current preset's file changed.
    Changed(Result<Preset, PresetError>),
    Saved(Saved),
}

/// The differences of a changed file.
pub struct Reload {
    pub writes: Vec<Write>,
    pub network: Option<PathBuf>,
    /// Whether its live code is another.
    pub has_new_code: bool,
}

/// The presets of a running show.
pub struct Presets {
    library: Library,
    playing: Preset,
    /// Its position in the list, from 1.
    number: Option<usize>,
    pending: Option<Pending>,
    learned: Learned,
    /// Live only.
    watch: Option<Watch>,
    /// Live only; offline, the step itself saves.
    saver: Option<Saver>,
    saved: VecDeque<Saved>,
    /// What the show itself has written last.
    written: Option<String>,
    /// The player's own copies of presets that this show has made.
    copies: Copies,
    /// How many versions before the file as saved the state was brought back to; `None` if it was not, or was changed since.
    back: Option<usize>,
    /// Whether the preset that plays is an older version than its file.
    is_older: bool,
    /// Of a take that is rendered: what the threads reported in this frame. Nothing is saved then.
    recorded: Option<VecDeque<News>>,
}

impl Presets {
    pub fn new(library: Library) -> Self {
        Presets {
            library,
            playing: Preset::default(),
            number: None,
            pending: None,
            learned: Learned::default(),
            watch: None,
            saver: None,
            saved: VecDeque::new(),
            written: None,
            copies: Copies::default(),
            back: None,
            is_older: false,
            recorded: None,
        }
    }

    /// As [`Presets::start`], after a take has been repeated.
    ///
    /// # Errors
    /// When a thread cannot be started.
    pub fn go_on(&mut self, network: Option<PathBuf>) -> std::io::Result<()> {
        self.recorded = None;
        self.start(network)
    }

    /// The take that was played has ended: files are watched and saved again.
    pub fn go_on_watching(&mut self) -> bool {
        self.recorded.take().is_some()
    }

    /// Takes the threads' news from a take from now on, and saves nothing.
    pub fn repeat(&mut self, news: VecDeque<News>) {
        self.recorded = Some(news);
    }

    /// Watches and saves on threads from now on. `network` is the one named in the current preset's file; the show may have
    /// been started with another one.
    ///
    /// # Errors
    /// When a thread cannot be started.
    pub fn start(&mut self, network: Option<PathBuf>) -> std::io::Result<()> {
        let watch = Watch::start(self.library.clone())?;
        watch.follow(&Preset { network, ..self.playing.clone() });
        (self.watch, self.saver) = (Some(watch), Some(Saver::start()?));
        Ok(())
    }

    pub fn library(&self) -> &Library {
        &self.library
    }

    pub fn playing(&self) -> &Preset {
        &self.playing
    }

    /// The position of the current preset in the list, from 1.
    pub fn number(&self) -> Option<usize> {
        self.number
    }

    /// A query for a preset with this name or number, or relative to the current one, `by` places on.
    pub fn query(&self, named: Option<Named>, by: isize) -> PresetQuery {
        let from = named.map(From::Named).unwrap_or_else(|| From::Playing(self.playing.path.clone()));
        PresetQuery { from, by }
    }

    /// Requests a preset. What is written from now on comes after it.
    pub fn go_to(&mut self, named: Named) -> LoadRequest {
        self.ask(self.query(Some(named), 0))
    }

    /// Requests the preset `by` places after the current or the already requested one.
    pub fn step_by(&mut self, by: isize) -> LoadRequest {
        let mut query = self.pending.as_ref().map_or_else(|| self.query(None, 0), |pending| pending.query.clone());
        query.by += by;
        self.ask(query)
    }

    /// Requests the current preset as its file says, or if that is what `/preset/revert` has just brought back, as the file
    /// was before it was saved the last time, and so on. `None` without a file.
    pub fn revert(&mut self) -> Option<LoadRequest> {
        let file = Some(&self.playing.path).filter(|file| !file.as_os_str().is_empty())?.clone();
        let back = self.back.map_or(0, |back| back + 1);
        Some(self.ask(PresetQuery { from: From::Saved { file, back }, by: 0 }))
    }

    /// What [`Presets::revert`] has requested plays, `back` versions before the file as saved. Returns the line for the player.
    pub fn reverted(&mut self, back: usize) -> String {
        (self.back, self.is_older) = (Some(back), back > 0);
        let name = &self.playing.name;
        match back {
            0 => format!("{name} is back as it was saved; once more for the version before that"),
            1 => format!("{name} is back as it was before it was saved the last time; save it to keep that"),
            n => format!("{name} is back as it was {n} times before; save it to keep that"),
        }
    }

    /// Notes that a hand has changed something: the next revert begins with the file as saved.
    pub fn touched(&mut self) {
        self.back = None;
    }

    fn ask(&mut self, query: PresetQuery) -> LoadRequest {
        self.pending = Some(Pending { query: query.clone(), written: HashSet::new(), seed_steps: 0.0 });
        LoadRequest::Preset(query)
    }

    /// Notes that a parameter was written.
    pub fn written(&mut self, target: Target) {
        if let Some(pending) = &mut self.pending {
            pending.written.insert(target);
        }
    }

    /// Notes that the seed was stepped.
    pub fn seed_stepped(&mut self, by: f64) {
        if let Some(pending) = &mut self.pending {
            pending.seed_steps += by;
        }
    }

    /// The requested preset will not arrive.
    pub fn cancel(&mut self) {
        self.pending = None;
    }

    /// Makes a preset current. Returns what to write over the defaults, ending with the values written since it was requested.
    pub fn play(&mut self, preset: Preset, number: Option<usize>, params: &Params) -> Vec<Write> {
        let pending = self.pending.take();
        let is_held = |target: &Target| pending.as_ref().is_some_and(|pending| pending.written.contains(target));
        let write = |target, value| Write { target, value, source: Source::Preset };
        let mut writes: Vec<Write> = Vec::new();
        for id in [Id::NetworkB, Id::StyleNetwork, Id::Input, Id::KeysFile, Id::KeysParams] {
            if !preset.params.iter().any(|(target, _)| target.id == id) {
                writes.push(write(id.into(), Value::Text(String::new())));
            }
        }
        for id in (0..BENDS).flat_map(Id::of_bend).filter(|id| id.is_channels() && !params.text(*id).is_empty()) {
            if !preset.params.iter().any(|(target, _)| target.id == id) {
                writes.push(write(id.into(), Value::Text(String::new())));
            }
        }
        // Words over the picture are the stage's, but those that the last preset has asked for go with it.
        let asked =
            self.playing.params.iter().map(|(target, _)| *target).filter(|target| CAPTIONS.contains(&target.id));
        let asked = asked.filter(|target| !preset.params.iter().any(|(kept, _)| kept == target));
        writes.extend(asked.filter_map(|target| Some(write(target, target.id.def().default_value()?))));
        let palette = Id::Palette.def().default_value();
        writes.extend(
            palette
                .filter(|_| !preset.params.iter().any(|(target, _)| target.id == Id::Palette))
                .map(|value| write(Id::Palette.into(), value)),
        );
        writes.extend(preset.params.iter().map(|(target, value)| write(*target, value.clone())));
        writes.sort_by_key(names_style);
        writes.retain(|write| !is_held(&write.target));
        if let Some(Pending { written, seed_steps, .. }) = &pending {
            let is_text = |target: &Target| matches!(params.value(*target), Some(Value::Text(_)) | None);
            // A name that was written is already being loaded.
            let held = written.iter().filter(|target| target.id.def().default_number().is_some() || !is_text(target));
            writes.extend(held.filter_map(|target| Some(write(*target, params.value(*target)?))));
            let seed = Target::from(Id::Seed);
            if *seed_steps != 0.0 && !written.contains(&seed) {
                let from = match writes.iter().find(|write| write.target == seed).map(|write| &write.value) {
                    Some(Value::Int(seed)) => *seed as f64,
                    Some(Value::Float(seed)) => *seed,
                    _ => Id::Seed.def().default_number().unwrap_or(0.0),
                };
                writes.push(write(seed, Value::Float(super::stepped_seed(from, *seed_steps))));
            }
        }
        self.number = number;
        (self.back, self.is_older) = (None, false);
        if preset.path != self.playing.path
            && let Some(watch) = &self.watch
        {
            watch.follow(&preset);
        }
        self.playing = preset;
        writes
    }

    /// Whether the network was named after the preset was requested.
    pub fn holds(&self, id: Id) -> bool {
        self.pending.as_ref().is_some_and(|pending| pending.written.contains(&Target::from(id)))
    }

    /// The current preset, from the file `old`, is played from `preset` and its patch from `code` from now on. What differs
    /// there is read like any other change.
    pub fn adopt(&mut self, old: &Path, preset: &Path, code: &Path) {
        if self.playing.path != old {
            return;
        }
        preset.clone_into(&mut self.playing.path);
        if let Some(script) = &mut self.playing.script {
            code.clone_into(&mut script.path);
        }
        self.look_again();
    }

    /// Reads the current preset's file again: an effect that it names can play now, so its lines mean something.
    pub fn look_again(&self) {
        if let Some(watch) = &self.watch {
            watch.follow(&self.playing);
        }
    }

    /// The next news from the threads. Never waits.
    pub fn poll(&mut self) -> Option<News> {
        if let Some(recorded) = &mut self.recorded {
            return recorded.pop_front();
        }
        if let Some(saved) = self.saved.pop_front().or_else(|| self.saver.as_mut()?.poll()) {
            return Some(News::Saved(saved));
        }
        let reload = self.watch.as_ref()?.poll()?;
        // What the show has written itself is known, and may name parameters that are gone at the moment.
        let is_own = reload.text.is_some() && reload.text == self.written;
        if reload.path != self.playing.path || is_own {
            return None;
        }
        self.written = None;
        Some(News::Changed(reload.result))
    }

    /// Takes the new contents of the file. Returns the differences to apply; the rest stays as played. `None` if there are
    /// none.
    pub fn reload(&mut self, mut preset: Preset) -> Option<Reload> {
        if preset.midi == self.learned.own(&self.playing.midi) {
            // Mappings that are not in the file stay active.
            preset.midi.clone_from(&self.playing.midi);
        } else {
            self.learned.forget();
        }
        // The show has just written the file itself.
        if preset == self.playing {
            return None;
        }
        let old = &self.playing.params;
        let changed = preset.params.iter().filter(|entry| !old.contains(entry)).cloned();
        let gone = old.iter().map(|(target, _)| *target);
        let gone = gone.filter(|target| !preset.params.iter().any(|(kept, _)| kept == target));
        let mut writes: Vec<Write> = gone
            .filter_map(|target| Some((target, target.id.def().default_value()?)))
            .chain(changed)
            .map(|(target, value)| Write { target, value, source: Source::Preset })
            .collect();
        writes.sort_by_key(names_style);
        (self.back, self.is_older) = (None, false);
        let network = preset.network.clone().filter(|_| preset.network != self.playing.network);
        let has_new_code = preset.script != self.playing.script;
        self.playing = preset;
        Some(Reload { writes, network, has_new_code })
    }

    /// Adds a learned mapping; `saves` if it goes into the preset's file. False if the disk is too slow for that.
    ///
    /// # Errors
    /// With a message if there is no folder for it.
    pub fn learn(&mut self, entry: &MidiEntry, saves: bool, params: &Params) -> Result<bool, String> {
        self.learned.learn(&mut self.playing.midi, entry, saves);
        self.save_map(saves, params)
    }

    /// Removes what this control plays; `None` if it plays nothing in this preset. Otherwise as [`Presets::learn`].
    pub fn forget(&mut self, control: &ControlSpec, saves: bool, params: &Params) -> Option<Result<bool, String>> {
        self.learned.remove(&mut self.playing.midi, control, saves).then(|| self.save_map(saves, params))
    }

    /// Undoes the last learned mapping. Returns the entry that was removed, if any; `None` if nothing was learned.
    pub fn undo(&mut self, saves: bool, params: &Params) -> Option<Option<MidiEntry>> {
        let gone = self.learned.undo(&mut self.playing.midi, saves)?;
        // Where there is no folder, nothing was saved that could be undone.
        let _ = self.save_map(saves, params);
        Some(gone)
    }

    /// A different preset is current: forgets what was learned in the last one.
    pub fn forget_learned(&mut self) {
        self.learned.forget();
    }

    fn save_map(&mut self, saves: bool, params: &Params) -> Result<bool, String> {
        if !saves || self.playing.path.as_os_str().is_empty() || is_script(&self.playing.path) {
            return Ok(true);
        }
        let (path, origin) = self.place()?;
        let job = self.job(path, origin, params);
        Ok(self.run(job))
    }

    /// Saves the current state: into the current preset, or as a new one with this name in the folder of the show or the player's own. A built-in preset is
    /// copied to the player's own. False if the disk is slow.
    ///
    /// # Errors
    /// With a message if the name is invalid, or there is no folder for it.
    pub fn save(
        &mut self,
        name: &str,
        params: &Params,
        network: PathBuf,
        effects: &[EffectEntry],
        modulators: &Edits,
    ) -> Result<bool, String> {
        let name = name.trim();
        let name = name.strip_suffix(".toml").unwrap_or(name);
        let is_code = is_script(&self.playing.path);
        if is_code && (name.is_empty() || name == self.playing.name) {
            let playing = &self.playing.name;
            return Err(format!("{playing} is a patch in Luau: save it with another name, as a preset that plays it"));
        }
        let (path, origin) = if name.is_empty() || name == self.playing.name {
            self.place()?
        } else if name.contains(['/', '\\', ':']) || name.starts_with('.') || name.chars().any(char::is_control) {
            return Err(format!("\"{name}\" is not a valid preset name: write it without / and .toml"));
        } else {
            (self.folder()?.join(format!("{name}.toml")), Origin::Other(self.playing.path.clone()))
        };
        let job = self.job(path, origin, params);
        Ok(self.run(Job {
            params: Some(Box::new(params.clone())),
            network: Some(network),
            effects: Some(effects.to_vec()),
            modulators: Some(modulators.clone()),
            ..job
        }))
    }

    /// A job that writes the mappings only.
    fn job(&self, path: PathBuf, origin: Origin, params: &Params) -> Job {
        Job {
            table: params.table().clone(),
            path,
            origin,
            params: None,
            network: None,
            midi: Some(self.learned.own(&self.playing.midi).to_vec()),
            effects: None,
            modulators: None,
            library: self.library.clone(),
            base: Base { text: self.playing.sources.texts.get(&self.playing.path).cloned(), is_older: self.is_older },
            own: self.playing.path.file_name().and_then(|name| Some(self.own().ok()?.join(name))),
            copies: self.copies.clone(),
        }
    }

    /// Where the current preset is saved.
    fn place(&self) -> Result<(PathBuf, Origin), String> {
        let file = &self.playing.path;
        match file.file_name().filter(|_| file::is_built_in(file)) {
            Some(name) => Ok((self.own()?.join(name), Origin::Copy(file.clone()))),
            None => Ok((file.clone(), Origin::Itself)),
        }
    }

    /// The folder for new presets: the show's, or else the player's own.
    fn folder(&self) -> Result<PathBuf, String> {
        self.library.folders().show().map_or_else(|| self.own(), |folder| Ok(folder.to_owned()))
    }

    fn own(&self) -> Result<PathBuf, String> {
        let own = self.library.folders().own().map(Path::to_owned);
        own.ok_or_else(|| format!("there is no folder for presets of your own: set {HOME_VARIABLE}"))
    }

    fn run(&mut self, job: Job) -> bool {
        if self.recorded.is_some() {
            return true;
        }
        if let Some(saver) = &mut self.saver {
            return saver.save(job);
        }
        self.saved.push_back(job.run());
        true
    }

    /// A preset was written: if it is the current one, or made from it, it becomes current.
    pub fn take_saved(&mut self, Written { mut preset, text }: Written, origin: &Origin, number: Option<usize>) {
        let is_playing = preset.path == self.playing.path;
        // What was learned while the disk was busy is still to be written.
        let is_newest = self.saver.as_ref().is_none_or(|saver| !saver.is_busy());
        let is_from = match origin {
            Origin::Itself => false,
            Origin::Other(from) => *from == self.playing.path,
            Origin::Copy(file) => *file == self.playing.path && is_newest,
        };
        if is_playing || is_from {
            self.written = Some(text);
        }
        if !(is_playing && is_newest || is_from) {
            return;
        }
        if !is_playing {
            self.number = number;
            if let Some(watch) = &self.watch {
                watch.follow(&preset);
            }
        }
        let playing = std::mem::take(&mut self.playing.midi);
        self.learned.saved(&mut preset.midi, playing);
        (self.back, self.is_older) = (None, false);
        self.playing = preset;
    }
}

/// Whether a write names a style: it comes behind the write that names the network.
fn names_style(write: &Write) -> bool {
    matches!((write.target.id, &write.value), (Id::StyleA | Id::StyleB, Value::Text(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn presets() -> Presets {
        Presets::new(Library::default())
    }

    fn preset(lines: &str) -> Preset {
        Preset::parse(&format!("[params]\n{lines}"), std::path::Path::new("a.toml")).unwrap()
    }

    fn named(name: &str) -> Named {
        Named { name: name.to_owned(), may_be_path: false, base: PathBuf::new() }
    }

    fn value(writes: &[Write], id: Id) -> Option<&Value> {
        writes.iter().rev().find(|write| write.target == id.into()).map(|write| &write.value)
    }

    #[test]
    fn what_was_written_after_requesting_a_preset_wins() {
        let (mut presets, mut params) = (presets(), Params::default());
        presets.written(Id::Psi.into());
        presets.go_to(named("a"));
        params.write(Id::WalkSpeed.into(), &Value::Float(2.0)).unwrap();
        [Id::WalkSpeed, Id::StyleNetwork].iter().for_each(|&id| presets.written(id.into()));
        presets.seed_stepped(1.0);
        presets.seed_stepped(1.0);
        let writes = presets.play(preset("\"/psi\" = 0.5\n\"/walk/speed\" = 1.0\n\"/seed\" = 7\n"), Some(1), &params);
        assert_eq!(value(&writes, Id::Psi), Some(&Value::Float(0.5)), "written before");
        assert_eq!(value(&writes, Id::WalkSpeed), Some(&Value::Float(2.0)));
        assert_eq!(value(&writes, Id::Seed), Some(&Value::Float(9.0)), "steps continue from the preset's seed");
        assert_eq!(
            (value(&writes, Id::StyleNetwork), value(&writes, Id::Input)),
            (None, Some(&Value::Text("".into())))
        );
        let writes = presets.play(preset("\"/walk/speed\" = 1.0\n"), None, &params);
        assert_eq!(value(&writes, Id::WalkSpeed), Some(&Value::Float(1.0)), "only once");
    }

    #[test]
    fn steps_add_up_until_the_preset_arrives() {
        let mut presets = presets();
        presets.go_to(named("b"));
        presets.step_by(1);
        let LoadRequest::Preset(query) = presets.step_by(1) else { panic!("a preset") };
        assert_eq!(query, PresetQuery { from: From::Named(named("b")), by: 2 });
        presets.cancel();
        let LoadRequest::Preset(query) = presets.step_by(-1) else { panic!("a preset") };
        assert_eq!(query, PresetQuery { from: From::Playing(PathBuf::new()), by: -1 });
    }

    #[test]
    fn a_reload_writes_what_changed_and_nothing_else() {
        let mut presets = presets();
        presets.play(preset("\"/psi\" = 0.5\n\"/seed\" = 7\n"), None, &Params::default());
        assert!(presets.reload(preset("\"/psi\" = 0.5\n\"/seed\" = 7\n")).is_none());
        let reload = presets.reload(preset("\"/psi\" = 0.25\n")).unwrap();
        assert_eq!(reload.writes.len(), 2);
        assert_eq!(value(&reload.writes, Id::Psi), Some(&Value::Float(0.25)));
        assert_eq!(value(&reload.writes, Id::Seed), Some(&Value::Float(0.0)), "what was removed goes to its default");
        assert!(reload.network.is_none());
    }

    #[test]
    fn only_valid_names_are_accepted() {
        let mut presets = presets();
        for wrong in ["a/b", ".hidden", "a:b", "a\nb"] {
            assert!(
                presets.save(wrong, &Params::default(), PathBuf::new(), &[], &Edits::default()).is_err(),
                "{wrong:?}"
            );
        }
    }
}
