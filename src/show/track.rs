//! The track of keys: what is added to it, where on it the show is, and its file.
//!
//! A track is counted in seconds or beats of the show, so that the same show has the same pictures live and in a render. Keys are
//! written on a thread of their own; a file that somebody saves is read again, as set lists are.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Show;
use super::deck::Seek;
use super::loads::{Kind, LoadRequest};
use super::status::About;
use crate::file::is_built_in;
use crate::latent::track::{Key, Track};
use crate::modulate::Ease;
use crate::params::{Id, KEY_LENGTHS, Params, Target, TimeBase, TrackEnd, TrackTake, Value, WalkKind};
use crate::patch::locate::name_of;
use crate::patch::track::{Job, KeyEntry, Latent, MOST, Saved, Saver, movable};

/// How often `/keys/time` says where the show is, in seconds.
const SHOWN_EVERY: f64 = 0.1;

/// On the way to a key, in seconds or beats.
#[derive(Clone, Copy, Debug)]
struct Glide {
    done: f64,
    length: f64,
}

/// The track of a running show.
#[derive(Default)]
pub(super) struct Keys {
    entries: Arc<Vec<KeyEntry>>,
    /// The lengths of the entries.
    lengths: Track,
    /// The file that they are in.
    file: Option<PathBuf>,
    /// In seconds or beats from the first key.
    time: f64,
    glide: Option<Glide>,
    /// The numbers that the key of a glide moves, as they were when it began.
    before: Vec<(Target, f64)>,
    /// `/keys/time` as it was last shown; another value was written by someone.
    shown: f64,
    since_secs: f64,
    /// Live only.
    saver: Option<Saver>,
    /// What is to be written as soon as the thread is free.
    pending: Option<Job>,
    /// Increases with every track that is gone to: what was written for another one is not this one's file.
    generation: u64,
}

/// Whether the track is what moves the picture.
fn plays(params: &Params) -> bool {
    params.get_choice::<WalkKind>(Id::WalkKind) == WalkKind::Keys
}

impl Keys {
    /// Writes keys from now on.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn start(&mut self) -> std::io::Result<()> {
        self.saver = Some(Saver::start()?);
        Ok(())
    }

    fn set(&mut self, entries: Vec<KeyEntry>) {
        self.lengths.keys = entries.iter().map(|key| Key { rows: Vec::new(), length: key.length }).collect();
        self.entries = entries.into();
    }

    /// Goes on by `dt` seconds; returns where that is on the track. While it glides to a key, it stays there.
    fn step(&mut self, dt: f64, params: &mut Params) -> Seek {
        let (end, length) = (params.get_choice::<TrackEnd>(Id::KeysEnd), self.length(params));
        let written = params.base(Id::KeysTime);
        let is_written = written != self.shown;
        if is_written {
            (self.time, self.shown, self.since_secs) = (written, written, 0.0);
        }
        if is_written || !plays(params) {
            self.glide = None;
        } else {
            let mut passed = dt * params.get_choice::<TimeBase>(Id::KeysSync).per_second(params.get(Id::Tempo));
            if let Some(glide) = &mut self.glide {
                glide.done += passed;
                // What is left of this frame belongs to the track.
                passed = (glide.done - glide.length).max(0.0);
                self.glide = self.glide.filter(|glide| glide.done < glide.length);
            }
            self.time += passed * params.get(Id::KeysSpeed);
            self.since_secs += dt;
            self.time = match end {
                _ if length <= 0.0 => 0.0,
                TrackEnd::Loop => self.time.rem_euclid(length),
                TrackEnd::PingPong => self.time.rem_euclid(2.0 * length),
                TrackEnd::Hold => self.time.clamp(0.0, length),
            };
        }
        if self.since_secs >= SHOWN_EVERY {
            self.show(params);
        }
        let ease = params.get_choice::<Ease>(Id::KeysEase);
        let glide = self.glide.map(|glide| ease.apply(glide.done / glide.length));
        Seek { time: self.time + params.get(Id::KeysScrub) * length, glide }
    }

    /// Shows where it is in `/keys/time`.
    fn show(&mut self, params: &mut Params) {
        self.since_secs = 0.0;
        // It is a number within the range.
        let _ = params.write(Id::KeysTime.into(), &Value::Float((self.time * 100.0).round() / 100.0));
        self.shown = params.base(Id::KeysTime);
    }

    fn length(&self, params: &Params) -> f64 {
        self.lengths.length(params.get_choice(Id::KeysEnd))
    }

    /// The numbers that the keys move, where the track is now: those of the key before, on the way to those of the next. While it
    /// glides to a key they are on their way from where they were.
    fn values(&self, seek: Seek, params: &Params, mut write: impl FnMut(Target, f64)) {
        let Some(place) = self.lengths.place(seek.time, params.get_choice(Id::KeysEnd)) else { return };
        let part = params.get_choice::<Ease>(Id::KeysEase).apply(place.part);
        let [from, to] = [place.key, place.next].map(|key| &self.entries[key].params);
        let find =
            |list: &[(Target, f64)], target| list.iter().find(|(known, _)| *known == target).map(|(_, value)| *value);
        for (target, value) in from {
            let value = value + part * (find(to, *target).unwrap_or(*value) - value);
            let before = seek.glide.and_then(|glide| Some((find(&self.before, *target)?, glide)));
            write(*target, before.map_or(value, |(before, glide)| before + glide * (value - before)));
        }
    }

    /// Goes to a key: with a glide of this length, if there is one.
    fn go_to(&mut self, number: usize, glide: Option<f64>, params: &mut Params) {
        self.time = self.lengths.time_of(number);
        self.glide = glide.map(|length| Glide { done: 0.0, length });
        self.before.clear();
        self.before.extend(self.entries[number].params.iter().map(|(target, _)| (*target, params.base(*target))));
        self.show(params);
    }
}

impl Show {
    /// Loads the track that `/keys/file` names; nothing ends it.
    pub(super) fn go_to_track(&mut self) {
        let named = self.named(Id::KeysFile);
        if !named.name.trim().is_empty() {
            return self.loads.request(LoadRequest::Track(named));
        }
        self.loads.cancel(Kind::Track);
        self.status.mended(Kind::Track);
        self.reread.follow(Id::KeysFile, None);
        (self.keys.file, self.keys.glide) = (None, None);
        self.keys.generation += 1;
        self.play_track(Vec::new());
    }

    /// A track has been read.
    pub(super) fn take_track(&mut self, file: &Path, entries: Vec<KeyEntry>) {
        self.reread.follow(Id::KeysFile, Some(file));
        let before = self.keys.file.replace(file.to_owned());
        if before.as_deref() != Some(file) {
            self.keys.generation += 1;
        } else if self.keys.pending.is_some() || self.keys.saver.as_ref().is_some_and(Saver::is_busy) {
            // What was read is older than what is being written, and is read again then.
            return;
        }
        if before.is_some_and(|before| before != file) {
            (self.keys.time, self.keys.glide) = (0.0, None);
            self.keys.show(&mut self.params);
        }
        self.play_track(entries);
    }

    fn play_track(&mut self, entries: Vec<KeyEntry>) {
        if *self.keys.entries != entries {
            self.keys.set(entries);
        }
        self.place_track();
    }

    /// Gives the decks the keys: they have changed, or the network has.
    pub(super) fn place_track(&mut self) {
        let at_once = self.secs == 0.0;
        match self.decks.set_track(&self.keys.entries, &self.params, at_once) {
            Some(line) => self.status.fault(Kind::Track, format!("{line}: it is passed over")),
            None => self.status.mended(Kind::Track),
        }
    }

    /// Keeps the latent of this moment.
    pub(super) fn add_key(&mut self) {
        if self.keys.entries.len() >= MOST {
            return self
                .status
                .refuse(&format!("/keys/add: the track has {MOST} keys already, the most that it takes"));
        }
        let mut params = Vec::new();
        for address in self.params.text(Id::KeysParams).split_whitespace() {
            let target = self.params.table().resolve(address).ok_or_else(|| format!("{address} is not a parameter"));
            match target.and_then(|target| movable(target).map(|()| target)) {
                Ok(target) => params.push((target, self.params.base(target))),
                Err(line) => return self.status.refuse(&format!("/keys/params: {line}")),
            }
        }
        let w_dim = self.decks.network().mapping.w_dim;
        let [w, ws] = self.decks.latent(&self.params);
        let at = match self.params.get_choice(Id::KeysTake) {
            TrackTake::W => Latent::W(w),
            TrackTake::Ws => Latent::Ws(ws.chunks_exact(w_dim.max(1)).map(<[f32]>::to_vec).collect()),
        };
        let mut entries = self.keys.entries.to_vec();
        entries.push(KeyEntry { at, length: self.params.get(Id::KeysLength), params });
        self.status.notice(format!("key {} is kept", entries.len() - 1));
        self.change_track(entries);
    }

    /// Removes a key.
    pub(super) fn remove_key(&mut self) {
        let mut entries = self.keys.entries.to_vec();
        match self.key_number(Id::KeysRemove) {
            Ok(number) => {
                entries.remove(number);
                self.status.notice(format!("key {number} is removed"));
                self.change_track(entries);
            }
            Err(line) => self.status.refuse(&line),
        }
    }

    /// Moves a key in time.
    pub(super) fn move_key(&mut self) {
        let text = self.params.text(Id::KeysMove).trim();
        let address = Id::KeysMove.def().address;
        let words = text.split_once(char::is_whitespace);
        let Some((number, time)) = words.and_then(|(number, time)| Some((number, time.trim().parse::<f64>().ok()?)))
        else {
            let line = format!("{address} takes the number of a key and a time, such as 3 12.5, got {text:?}");
            return self.status.refuse(&line);
        };
        match self.numbered(number, address) {
            Ok(0) => self.status.refuse(&format!("{address}: the first key stays at 0")),
            Ok(number) if time.is_finite() => {
                let mut lengths = self.keys.lengths.clone();
                lengths.move_key(number, time, KEY_LENGTHS);
                let mut entries = self.keys.entries.to_vec();
                for (entry, key) in entries.iter_mut().zip(&lengths.keys) {
                    entry.length = key.length;
                }
                self.change_track(entries);
            }
            Ok(_) => self.status.refuse(&format!("{address}: {time} is no time")),
            Err(line) => self.status.refuse(&line),
        }
    }

    /// Goes to a key: the picture glides there if the track is seen, and bends forget what they remember if it jumps.
    pub(super) fn go_to_key(&mut self) {
        match self.key_number(Id::KeysGoto) {
            Ok(number) => {
                let length = self.params.get(Id::KeysGlide);
                let glide = (length > 0.0 && plays(&self.params) && self.decks.begin_glide()).then_some(length);
                self.keys.go_to(number, glide, &mut self.params);
                if glide.is_none() {
                    self.output.forget_bends();
                }
            }
            Err(line) => self.status.refuse(&line),
        }
    }

    /// The key that a text names; the last, if it names none.
    fn key_number(&self, id: Id) -> Result<usize, String> {
        self.numbered(self.params.text(id).trim(), id.def().address)
    }

    fn numbered(&self, text: &str, address: &str) -> Result<usize, String> {
        let count = self.keys.entries.len();
        let Some(last) = count.checked_sub(1) else { return Err(format!("{address}: the track has no keys")) };
        let number = if text.is_empty() { Some(last) } else { text.parse().ok() };
        number.filter(|number| *number <= last).ok_or_else(|| format!("{address} takes 0 to {last}, got {text:?}"))
    }

    fn change_track(&mut self, entries: Vec<KeyEntry>) {
        self.keys.set(entries);
        if self.keys.saver.is_some() && self.controls.may_save() {
            self.keys.pending = self.job();
        }
        self.place_track();
    }

    /// Writes the track: into its file, or into a new one beside the preset that plays, or in the player's folder. `None`, with a
    /// line, if there is no such folder.
    fn job(&mut self) -> Option<Job> {
        let known = self.keys.file.clone().filter(|file| !is_built_in(file));
        let preset = self.presets.playing();
        let name = format!("{}-keys.toml", name_of(&preset.path));
        let ships = self.presets.library().ships(&preset.path);
        let folder = if ships { self.presets.library().folders().own() } else { preset.path.parent() };
        let Some(folder) = folder.map(Path::to_owned) else {
            self.status.notice("there is no folder of your own for the keys: they are not saved".to_owned());
            return None;
        };
        Some(Job {
            is_new: known.is_none(),
            file: known.unwrap_or_else(|| folder.join(name)),
            keys: self.keys.entries.clone(),
            generation: self.keys.generation,
        })
    }

    /// The lengths of the keys that the show has; their rows are empty.
    pub fn track(&self) -> &Track {
        &self.keys.lengths
    }

    /// The file that the keys are in.
    pub fn track_file(&self) -> Option<&Path> {
        self.keys.file.as_deref()
    }

    /// Where the show is on the track, in seconds or beats from the first key.
    pub fn track_time(&self) -> f64 {
        let length = self.keys.length(&self.params);
        let time = self.keys.time + self.params.get(Id::KeysScrub) * length;
        match self.params.get_choice(Id::KeysEnd) {
            _ if length <= 0.0 => 0.0,
            TrackEnd::Loop => time.rem_euclid(length),
            TrackEnd::PingPong => length - (time.rem_euclid(2.0 * length) - length).abs(),
            TrackEnd::Hold => time.clamp(0.0, length),
        }
    }

    /// Moves along the track, and writes it if it has changed. `dt` is 0 while the picture is frozen.
    pub(super) fn step_track(&mut self, dt: f64) {
        let seek = self.keys.step(dt, &mut self.params);
        self.decks.seek(seek);
        if plays(&self.params) && dt > 0.0 {
            let params = &mut self.params;
            let mut moved = std::mem::take(&mut self.moved);
            self.keys.values(seek, params, |target, value| moved.push((target, value)));
            for (target, value) in moved.drain(..) {
                // A row that has gone with its effect is passed over.
                if params.write(target, &Value::Float(value)).is_ok() {
                    self.presets.written(target);
                    self.morph.let_go(target);
                }
            }
            self.moved = moved;
        }
        self.save_track();
    }

    fn save_track(&mut self) {
        while let Some(Saved { generation, result }) = self.keys.saver.as_mut().and_then(Saver::poll) {
            match result {
                // Another preset plays in the meantime.
                Ok(_) if generation != self.keys.generation => self.status.mended(About::Saving),
                Ok(file) => {
                    self.status.mended(About::Saving);
                    if self.keys.file.as_ref() != Some(&file) {
                        self.status.notice(format!("the keys are in {}", file.display()));
                        let beside = file.strip_prefix(self.base()).unwrap_or(&file).to_string_lossy().into_owned();
                        self.params.set_text(Id::KeysFile, &beside);
                    }
                    self.reread.follow(Id::KeysFile, Some(&file));
                    self.keys.file = Some(file);
                }
                Err(line) => self.status.error(About::Saving, line),
            }
        }
        let Some(mut job) = self.keys.pending.take() else { return };
        // The first key has made the file in the meantime.
        if job.is_new
            && job.generation == self.keys.generation
            && let Some(file) = self.keys.file.as_ref().filter(|file| !is_built_in(file))
        {
            (job.file, job.is_new) = (file.clone(), false);
        }
        if let Some(saver) = &mut self.keys.saver {
            self.keys.pending = saver.save(job).err();
        }
    }
}
