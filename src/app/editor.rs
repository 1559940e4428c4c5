//! The live-coding editor over the picture: what it holds, and what becomes of what is typed.
//!
//! It has one document for the playing patch and one for each effect of the chain. Evaluating sends an event like any other
//! device ([`crate::params::Id::Eval`]); results come back as reports of the show. Files are read and written by
//! [`Files`]'s thread. [`paint`] draws all this and does what [`keys`] says; [`look`] has the colours. Runs on the main thread.

pub(super) mod keys;
mod look;
mod output;
mod paint;
mod pictures;

use std::collections::VecDeque;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bevy::input::keyboard::KeyboardInput;
use bevy_egui::egui;
use bevy_egui::helpers::{bevy_to_egui_key, bevy_to_egui_physical_key};
pub(super) use output::paint as paint_output;
pub(super) use paint::paint;
use pictures::Playing;

use super::keys::Chord;
use super::tiles::Tiles;
use crate::control::{Event, Source, Write};
use crate::params::{Id, Target, Value};
use crate::patch::edit::complete::Offer;
use crate::patch::edit::files::{Done, Files, Place, Saved};
use crate::patch::edit::notes::{Note, Notes, place};
use crate::patch::edit::{Language, Words, text};
use crate::patch::locate::shown;
use crate::show::{Report, Show, Summary};

/// How long what was evaluated lights up.
const FLASH: Duration = Duration::from_millis(450);
/// How long a line of the editor's own stays.
const SAYING: Duration = Duration::from_secs(8);
/// Sizes of the text: this many lines in the window's height.
const LINES: [f32; 9] = [60.0, 52.0, 44.0, 38.0, 32.0, 27.0, 23.0, 19.0, 16.0];
const USUAL: usize = 3;

/// A text that is open.
pub(super) struct Document {
    place: Place,
    /// The file's name, as messages have it.
    name: String,
    language: Language,
    text: String,
    /// The built-in effect of which this is a copy, until the chain plays the copy.
    copy_of: Option<PathBuf>,
    /// As it is on the disk.
    saved: Arc<str>,
    /// As the show last had it; the editor's own text may be newer. For patches.
    seen: Option<Arc<str>>,
    notes: Notes,
    is_loaded: bool,
    /// Different for every document.
    serial: u64,
    /// What is laid out in each window, and what it was made from.
    jobs: [Option<(u64, look::Job)>; 2],
    /// The byte at which the cursor stands.
    cursor: usize,
    /// What each line assigns to, and the text that this belongs to.
    assigned: (u64, Vec<look::Assigned>),
}

impl Document {
    fn is_changed(&self) -> bool {
        self.is_loaded && *self.text != *self.saved
    }

    /// Replaces the text by what is on the disk.
    fn take(&mut self, text: Arc<str>) {
        self.notes.follow(&self.text, &text);
        text.clone_into_string(&mut self.text);
        self.saved = text;
        self.is_loaded = true;
    }
}

/// `str::clone_into` for what is shared.
trait CloneInto {
    fn clone_into_string(&self, to: &mut String);
}

impl CloneInto for Arc<str> {
    fn clone_into_string(&self, to: &mut String) {
        to.clear();
        to.push_str(self);
    }
}

/// Lines that light up.
struct Flash {
    serial: u64,
    lines: Range<usize>,
    since: Instant,
}

/// How bright a line of a document lights up, 0 to 1.
fn glow(flashes: &[Flash], serial: u64, line: usize) -> f32 {
    let mine = flashes.iter().filter(|flash| flash.serial == serial && flash.lines.contains(&line));
    let left = mine.map(|flash| 1.0 - flash.since.elapsed().as_secs_f32() / FLASH.as_secs_f32());
    0.85 * left.fold(0.0, f32::max)
}

/// What can be typed, and what of it is chosen.
struct Popup {
    offer: Offer,
    chosen: Option<usize>,
}

/// A number that is being dragged.
struct Scrub {
    number: text::Number,
    /// Where the drag began, in points.
    from: f32,
    steps: f64,
}

/// The editor and its documents.
pub(super) struct Editor {
    is_shown: bool,
    documents: Vec<Document>,
    current: usize,
    size: usize,
    words: Words,
    files: Option<Files>,
    popup: Option<Popup>,
    /// What was typed and has not been handled.
    typed: VecDeque<egui::Event>,
    flashes: Vec<Flash>,
    /// A line of the editor's own, and since when.
    line: Option<(String, Instant)>,
    scrub: Option<Scrub>,
    /// The last galley, and where it was painted.
    painted: Option<(Arc<egui::Galley>, egui::Pos2)>,
    /// The lines that were seen of it.
    in_view: Range<usize>,
    /// What live code moves.
    coded: Vec<Target>,
    /// What Escape asks the show for before it closes the editor.
    before_closing: Option<Id>,
    /// Scrolls to the cursor in this frame.
    follows: bool,
    serials: u64,
    /// Pictures beside names.
    tiles: Tiles,
    playing: Playing,
}

impl Editor {
    pub fn new(tiles: Tiles) -> Self {
        Editor {
            is_shown: false,
            documents: Vec::new(),
            current: 0,
            size: USUAL,
            words: Words::default(),
            files: None,
            popup: None,
            typed: VecDeque::new(),
            flashes: Vec::new(),
            line: None,
            scrub: None,
            painted: None,
            coded: Vec::new(),
            in_view: 0..0,
            before_closing: None,
            follows: false,
            serials: 0,
            tiles,
            playing: Playing::default(),
        }
    }

    pub fn is_shown(&self) -> bool {
        self.is_shown
    }

    /// Shows it over the picture.
    pub fn open(&mut self, show: &Show) {
        self.is_shown = true;
        self.start(show);
        self.current = 0;
        self.follows = true;
    }

    fn hide(&mut self) {
        self.is_shown = false;
        self.typed.clear();
        self.popup = None;
        self.scrub = None;
    }

    /// Starts the thread for files, and asks for names.
    fn start(&mut self, show: &Show) {
        if self.files.is_none() {
            self.files = Files::start(show.library().clone())
                .inspect_err(|error| tracing::warn!("cannot start the editor's thread: {error}"))
                .ok();
        }
        if let Some(files) = &self.files {
            files.ask_names();
        }
    }

    /// A key was pressed; it is handled when the editor is painted. A slow frame may hold a whole chord, so what is held comes
    /// with each key.
    pub fn press(&mut self, input: &KeyboardInput, chord: Chord) {
        let Chord { command, shift, alt } = chord;
        let is_mac = cfg!(target_os = "macos");
        let modifiers = egui::Modifiers { alt, ctrl: command && !is_mac, shift, mac_cmd: command && is_mac, command };
        let text = input.text.as_ref().filter(|text| !text.is_empty() && !text.contains(char::is_control));
        if let Some(text) = text.filter(|_| !command && !alt) {
            self.typed.push_back(egui::Event::Text(text.to_string()));
        } else if let Some(key) =
            bevy_to_egui_key(&input.logical_key).or_else(|| bevy_to_egui_physical_key(&input.key_code))
        {
            let (physical_key, pressed, repeat) = (None, true, input.repeat);
            self.typed.push_back(egui::Event::Key { key, physical_key, pressed, repeat, modifiers });
        }
    }

    /// A key of the editor's own, whichever was pressed for it, in order with what else is typed: Escape, or another with Ctrl.
    pub fn command(&mut self, key: egui::Key) {
        let modifiers = if key == egui::Key::Escape { egui::Modifiers::NONE } else { egui::Modifiers::COMMAND };
        self.typed.push_back(egui::Event::Key { key, physical_key: None, pressed: true, repeat: false, modifiers });
    }

    /// Closes what lies on top: the names, then what the window says of errors and of learning, then the editor.
    fn escape(&mut self, events: &mut Vec<Event>) {
        if self.popup.take().is_some() {
            return;
        }
        match self.before_closing.take() {
            Some(id) => events.push(written(id, Value::Nothing)),
            None => self.hide(),
        }
    }

    /// What is left to say of an error: nothing while it is in view below its line, only the place if it is elsewhere in what is
    /// open, else all of it.
    fn rest_of(&self, error: String) -> Option<String> {
        let Some((file, _, message)) = place(&error) else { return Some(error) };
        let Some(at) = self.documents.iter().position(|document| document.name == file) else { return Some(error) };
        let is_it = |note: &&Note| note.is_error && message.starts_with(note.text.as_str());
        let Some(note) = self.documents[at].notes.iter().find(is_it) else { return Some(error) };
        let is_seen = at == self.current && self.in_view.contains(&note.line);
        (!is_seen).then(|| format!("a mistake in {file}, line {}", note.line + 1))
    }

    /// Whether a line that code has printed is in view.
    fn shows_printed(&self, printed: &str) -> bool {
        let Some(document) = self.documents.get(self.current) else { return false };
        let mut notes = document.notes.iter().filter(|note| !note.is_error && self.in_view.contains(&note.line));
        notes.any(|note| note.text.lines().last() == Some(printed))
    }

    /// Takes away what the editor shows itself.
    pub fn relieve(&self, status: &mut Summary) {
        let notice = status.notice.take().filter(|line| !self.shows_printed(line));
        status.notice = notice.and_then(|line| self.rest_of(line));
        status.faults = std::mem::take(&mut status.faults).into_iter().filter_map(|line| self.rest_of(line)).collect();
    }

    /// Makes the text larger or smaller; by 0, as it was at first.
    fn resize(&mut self, by: isize) {
        self.size = if by == 0 { USUAL } else { self.size.saturating_add_signed(by).min(LINES.len() - 1) };
        self.follows = true;
    }

    /// Follows what the show has done in its last step.
    pub fn follow(&mut self, show: &mut Show) {
        self.follow_patch(show);
        self.follow_effects(show);
        for report in show.reports() {
            self.take_report(report);
        }
        while let Some(done) = self.files.as_ref().and_then(Files::poll) {
            self.take_done(done, show);
        }
        let has_error = self.is_shown && show.errors().iter().any(|line| self.rest_of(line.clone()).is_some());
        self.before_closing = match has_error {
            true => Some(Id::ErrorRead),
            false => show.is_learning().then_some(Id::LearnCancel),
        };
        if self.is_shown || show.params().bool(Id::EditorOutput) {
            self.words.set_table(show.params().table());
            self.words.set_styles(show.styles());
            self.playing.follow(show);
            self.coded.clear();
            self.coded.extend(show.coded());
            self.load_current();
        }
        self.flashes.retain(|flash| flash.since.elapsed() < FLASH);
        self.line.take_if(|(_, since)| since.elapsed() > SAYING);
    }

    /// The first document is that of the playing patch.
    fn follow_patch(&mut self, show: &Show) {
        let preset = show.preset();
        let wanted = match &preset.script {
            Some(code) => Place::Patch { file: code.path.clone(), preset: preset.path.clone() },
            None => Place::NewPatch { preset: preset.path.clone() },
        };
        let seen = preset.script.as_ref().map(|code| code.text.clone());
        // A new patch has been saved, and its preset is about to be read again.
        let is_on_its_way = |known: &Place| match (known, &wanted) {
            (Place::Patch { preset: known, .. }, Place::NewPatch { preset }) => known == preset,
            _ => false,
        };
        if self.documents.first().is_none_or(|document| document.place != wanted && !is_on_its_way(&document.place)) {
            self.open_patch(wanted, seen.clone());
        }
        let document = &mut self.documents[0];
        let Some(text) = seen.filter(|text| document.seen.as_ref().is_none_or(|seen| !Arc::ptr_eq(seen, text))) else {
            return;
        };
        document.seen = Some(text.clone());
        if *text == *document.saved || *text == *document.text {
            document.saved = text;
        } else if document.is_changed() {
            let name = document.name.clone();
            self.say(format!("{name} has changed on disk; what stands here is kept, and saving it overwrites that"));
        } else {
            document.take(text);
        }
    }

    fn open_patch(&mut self, place: Place, text: Option<Arc<str>>) {
        let known = self.documents.iter().position(|document| document.place == place);
        let stays = self.documents.get(self.current).filter(|document| document.is_changed()).map(|d| d.serial);
        let document = match known {
            Some(known) => self.documents.remove(known),
            None => {
                let file = match &place {
                    Place::NewPatch { preset } => preset.with_extension("luau"),
                    other => other.origin().to_owned(),
                };
                let start = text.clone().unwrap_or_else(|| Arc::from(GREETING));
                self.document(place, &file, Language::Luau, Some(start), text)
            }
        };
        // Other patches stay open while there is something in them that is not saved.
        self.documents.retain(|old| old.language == Language::Wgsl || old.is_changed());
        self.documents.insert(0, document);
        let stay = self.documents.iter().position(|document| Some(document.serial) == stays);
        self.current = stay.unwrap_or(0);
        self.popup = None;
    }

    fn document(
        &mut self,
        place: Place,
        file: &Path,
        language: Language,
        text: Option<Arc<str>>,
        seen: Option<Arc<str>>,
    ) -> Document {
        self.serials += 1;
        Document {
            place,
            name: file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default(),
            language,
            text: text.as_deref().unwrap_or_default().to_owned(),
            is_loaded: text.is_some(),
            copy_of: None,
            saved: text.unwrap_or_else(|| Arc::from("")),
            seen,
            notes: Notes::default(),
            serial: self.serials,
            jobs: [None, None],
            cursor: 0,
            assigned: (0, Vec::new()),
        }
    }

    fn follow_effects(&mut self, show: &Show) {
        let files = show.effects().iter().filter_map(|entry| entry.file.as_deref());
        self.follow_files(&files.collect::<Vec<_>>());
    }

    /// One document for each file of the chain; those that are changed stay.
    fn follow_files(&mut self, files: &[&Path]) {
        for document in &mut self.documents {
            // The chain plays the copy by now.
            document.copy_of.take_if(|_| files.contains(&document.place.origin()));
        }
        let is_of = |document: &Document, file: &Path| {
            document.place.origin() == file || document.copy_of.as_deref() == Some(file)
        };
        let serial = self.documents.get(self.current).map(|document| document.serial);
        self.documents.retain(|document| {
            let is_played = files.iter().any(|file| is_of(document, file));
            document.language == Language::Luau || is_played || document.is_changed()
        });
        for file in files {
            if !self.documents.iter().any(|document| is_of(document, file)) {
                let place = Place::Effect { file: (*file).to_owned() };
                let document = self.document(place, file, Language::Wgsl, None, None);
                self.documents.push(document);
            }
        }
        self.current = self.documents.iter().position(|document| Some(document.serial) == serial).unwrap_or(0);
    }

    /// The text of an effect is read when it is looked at.
    fn load_current(&mut self) {
        if let (Some(document), Some(files)) = (self.documents.get_mut(self.current), &self.files)
            && !document.is_loaded
        {
            document.is_loaded = files.read(document.place.origin().to_owned());
        }
    }

    fn take_report(&mut self, report: &Report) {
        let Some(document) = self.documents.iter_mut().find(|document| document.name == report.file) else { return };
        let lines = report.lines.as_ref().map_or(0..usize::MAX, |lines| {
            (lines.start as usize).saturating_sub(1)..(lines.end as usize).saturating_sub(1)
        });
        document.notes.clear(lines.clone());
        // A text that has not been read yet may have any line.
        let last = if document.is_loaded { document.text.matches('\n').count() } else { usize::MAX };
        match &report.result {
            Err(line) => {
                let found = place(line).filter(|(file, ..)| *file == document.name);
                let (at, message) = found.map_or((lines.start, line.as_str()), |(_, at, rest)| (at - 1, rest));
                document.notes.put(at.min(last), message, true);
            }
            Ok(printed) if printed.is_empty() => {}
            Ok(printed) => document.notes.put(lines.end.saturating_sub(1).min(last), &printed.join("\n"), false),
        }
    }

    fn take_done(&mut self, done: Done, show: &mut Show) {
        match done {
            Done::Names(names) => self.words.set_names(names),
            Done::Read { file, text } => {
                let Some(document) = self.documents.iter_mut().find(|document| document.place.origin() == file) else {
                    return;
                };
                match text {
                    Ok(text) => document.take(text.into()),
                    Err(line) => self.say(line),
                }
            }
            Done::Saved(Ok(saved)) => self.take_saved(saved, show),
            Done::Saved(Err((_, line))) => self.say(line),
        }
    }

    fn take_saved(&mut self, saved: Saved, show: &mut Show) {
        let line = format!("saved {}", shown(&saved.file));
        let Some(document) = self.documents.iter_mut().find(|document| document.place == saved.from) else { return };
        document.saved = saved.text.into();
        match (&saved.from, saved.preset) {
            (Place::Patch { preset: old, .. } | Place::NewPatch { preset: old }, Some(preset)) => {
                document.place = Place::Patch { file: saved.file.clone(), preset: preset.clone() };
                show.adopt_patch(old, &preset, &saved.file);
            }
            (Place::Effect { file: old }, _) if *old != saved.file => {
                document.place = Place::Effect { file: saved.file };
                document.copy_of = Some(old.clone());
                show.find_effect_again(old);
            }
            _ => {}
        }
        self.say(line);
    }

    fn say(&mut self, line: String) {
        tracing::info!(target: "show", "{line}");
        self.line = Some((line, Instant::now()));
    }

    /// Saves the current document.
    fn save(&mut self) {
        let (Some(document), Some(files)) = (self.documents.get(self.current), &self.files) else { return };
        if !files.save(document.text.clone(), document.place.clone()) {
            self.say("the disk is slow: please save again".to_owned());
        }
    }

    /// Evaluates these bytes of the current document; an effect is saved, which compiles it.
    fn evaluate(&mut self, range: Range<usize>, how: &str, events: &mut Vec<Event>) {
        let Some(document) = self.documents.get_mut(self.current) else { return };
        let lines = text::line_of(&document.text, range.start)..text::line_of(&document.text, range.end) + 1;
        document.notes.clear_results();
        self.flashes.push(Flash { serial: document.serial, lines: lines.clone(), since: Instant::now() });
        if document.language == Language::Wgsl {
            return self.save();
        }
        let head = format!("--@ \"{}\":{} {how}\n", document.name, lines.start + 1);
        let code = head + &document.text[range];
        events.push(written(Id::Eval, Value::Text(code)));
    }

    /// Replaces a part of the current text.
    fn replace(&mut self, range: Range<usize>, with: &str) {
        let Some(document) = self.documents.get_mut(self.current) else { return };
        let old = document.text.clone();
        document.text.replace_range(range, with);
        document.notes.follow(&old, &document.text);
    }

    /// Points per character's height, for a window of this height.
    fn points(&self, height: f32) -> f32 {
        (height / LINES[self.size] / look::LINE_HEIGHT).clamp(8.0, 96.0)
    }
}

/// An event as a key makes it.
fn written(id: Id, value: Value) -> Event {
    Event::Write(Write { target: id.into(), value, source: Source::Key })
}

/// How a new patch begins.
const GREETING: &str =
    "-- A new patch. Ctrl-Enter plays the lines under the cursor, Ctrl-S saves, F1 lists the keys.\n\n";

#[cfg(test)]
mod test {
    use super::*;
    use crate::patch::library::Library;
    use crate::thumbnail::{self, Thumbnails};

    fn editor(text: &str) -> Editor {
        let thumbnails = Thumbnails::new(thumbnail::Options::new(Library::default()));
        let mut editor = Editor::new(Tiles::new(thumbnails));
        let file = PathBuf::from("/nowhere/my drift.luau");
        let place = Place::Patch { file: file.clone(), preset: file.clone() };
        let document = editor.document(place, &file, Language::Luau, Some(text.into()), None);
        editor.documents.push(document);
        editor
    }

    #[test]
    fn evaluating_sends_the_lines_with_their_place() {
        let mut editor = editor("psi = 1\n\nseed = 3\nwalk.speed = 2");
        let mut events = Vec::new();
        editor.evaluate(9..32, "bar", &mut events);
        let code = "--@ \"my drift.luau\":3 bar\nseed = 3\nwalk.speed = 2";
        assert_eq!(events, [written(Id::Eval, Value::Text(code.to_owned()))]);
        assert_eq!(editor.flashes[0].lines, 2..4);
    }

    #[test]
    fn an_effect_that_was_copied_keeps_its_document() {
        let mut editor = editor("");
        let (old, own) = (Path::new("built-in:fx/a.wgsl"), Path::new("/own/fx/a.wgsl"));
        editor.follow_files(&[old]);
        editor.current = 1;
        let serial = editor.documents[1].serial;
        editor.documents[1].place = Place::Effect { file: own.to_owned() };
        editor.documents[1].copy_of = Some(old.to_owned());
        let serials = |editor: &Editor| editor.documents.iter().map(|d| d.serial).collect::<Vec<_>>();
        for files in [[old], [own], [own]] {
            editor.follow_files(&files);
            assert_eq!((serials(&editor)[1..].to_vec(), editor.current), (vec![serial], 1), "{files:?}");
        }
        editor.follow_files(&[old]);
        assert_ne!(serials(&editor)[1], serial, "another file");
        assert_eq!(editor.current, 0);
    }

    #[test]
    fn escape_closes_what_lies_on_top() {
        let mut editor = editor("psi = 1");
        (editor.is_shown, editor.before_closing) = (true, Some(Id::ErrorRead));
        let offer = Offer { range: 0..3, items: Vec::new(), is_complete: false, is_preview: false };
        editor.popup = Some(Popup { offer, chosen: None });
        let mut events = Vec::new();
        editor.escape(&mut events);
        assert!(editor.popup.is_none() && editor.is_shown && events.is_empty(), "the names");
        editor.escape(&mut events);
        assert_eq!((editor.is_shown, &*events), (true, &[written(Id::ErrorRead, Value::Nothing)][..]), "an error");
        editor.escape(&mut events);
        assert_eq!((editor.is_shown, events.len()), (false, 1));
    }

    #[test]
    fn what_the_editor_shows_is_not_said_again() {
        let mut editor = editor("psi = 1\n\nseed = nil + 3\nprint(3)");
        let report = |lines, result: Result<Vec<String>, &str>| Report {
            file: "my drift.luau".to_owned(),
            lines: Some(lines),
            result: result.map_err(str::to_owned),
        };
        editor.take_report(&report(3..4, Err("my drift.luau:3: no")));
        editor.take_report(&report(4..5, Ok(vec!["2".to_owned(), "3".to_owned()])));
        let mut left = |in_view: Range<usize>, line: &str| {
            editor.in_view = in_view;
            let mut status =
                Summary { notice: Some(line.to_owned()), faults: vec![line.to_owned()], ..Summary::default() };
            editor.relieve(&mut status);
            (status.notice, status.faults.pop())
        };
        let error = "my drift.luau:3: no (3 times)";
        assert_eq!(left(0..4, error), (None, None));
        let place = "a mistake in my drift.luau, line 3";
        assert_eq!(left(0..2, error), (Some(place.to_owned()), Some(place.to_owned())), "scrolled away");
        assert_eq!(left(0..4, "3").0, None, "it is printed below its line");
        for other in ["my drift.luau:3: another", "other.luau:3: no", "no sound: gone", "2"] {
            assert_eq!(left(0..4, other), (Some(other.to_owned()), Some(other.to_owned())));
        }
    }

    #[test]
    fn reports_become_notes_at_their_lines_until_they_are_mended() {
        let mut editor = editor("psi = 1\n\nseed = nil + 3\nprint(3)");
        let report = |lines: Option<Range<u32>>, result: Result<Vec<String>, &str>| Report {
            file: "my drift.luau".to_owned(),
            lines,
            result: result.map_err(str::to_owned),
        };
        let notes = |editor: &Editor| {
            let notes = editor.documents[0].notes.iter();
            notes.map(|note| (note.line, note.text.clone(), note.is_error)).collect::<Vec<_>>()
        };
        editor.take_report(&report(Some(3..5), Err("my drift.luau:3: no")));
        assert_eq!(notes(&editor), [(2, "no".to_owned(), true)]);
        editor.take_report(&report(Some(1..2), Ok(Vec::new())));
        assert_eq!(notes(&editor).len(), 1, "another line says nothing about it");
        editor.take_report(&report(Some(3..5), Ok(vec!["3".to_owned()])));
        assert_eq!(notes(&editor), [(3, "3".to_owned(), false)]);
        editor.take_report(&report(Some(1..1), Err("my drift.luau:1: later")));
        editor.take_report(&report(None, Err("my drift.luau:99: beyond the end")));
        assert_eq!(notes(&editor), [(3, "beyond the end".to_owned(), true)]);
        editor.take_report(&Report { file: "other.luau".to_owned(), lines: None, result: Ok(Vec::new()) });
        assert_eq!(notes(&editor).len(), 1);
    }
}
