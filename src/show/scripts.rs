//! Live code in a show: the preset's patch, lines evaluated from elsewhere, and what waits for the beat.
//!
//! Owns the machine, which is made when the first code arrives. Runs in the step and accesses no disk: the text of a patch
//! comes with its preset, read by the thread that loads or watches it. Everything here is a function of the show's events
//! and time.

#[cfg_attr(not(feature = "luau"), path = "scripts/absent.rs")]
mod machine;

use std::collections::VecDeque;
use std::ops::Range;

use crate::control::Event;
use crate::control::mapping::{MidiEntry, OscEntry};
use crate::modulate::expr::Frame;
use crate::modulate::source::seed_of;
use crate::modulate::{SignalId, Signals, Time};
use crate::params::{Id, Params, Target, Value};
use crate::patch::edit::notes::place;
use crate::patch::preset::Code;
use machine::Machine;

/// What came of a piece of code.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// The name of its file.
    pub file: String,
    /// Its lines in the file, from 1; `None` for a whole file. Empty for what failed later, in a handler.
    pub lines: Option<Range<u32>>,
    /// What it printed, or the line for the player, which names file and line.
    pub result: Result<Vec<String>, String>,
}

/// Most reports between two frames.
const MAX_REPORTS: usize = 64;
/// Evaluations that may wait for their beat.
const MAX_WAITING: usize = 16;
/// The name of code that does not say where it comes from.
const LIVE: &str = "live";
/// Beats in a bar.
const BAR: f64 = 4.0;

/// A piece of code, and where it comes from.
#[derive(Clone, Debug, Default, PartialEq)]
struct Piece {
    file: String,
    /// Its first line, from 1.
    line: u32,
    is_whole: bool,
    text: String,
    /// It waits for a multiple of this many beats; 0 plays at once.
    every: f64,
    /// For undo, it counts as one with the evaluation of the same lines before it.
    is_again: bool,
}

impl Piece {
    /// Reads the optional first line `--@ drift.luau:12 bar`: file, line, and `beat`, `bar`, `file` or `again`.
    fn read(code: &str) -> Piece {
        let mut piece = Piece { file: LIVE.to_owned(), line: 1, text: code.to_owned(), ..Piece::default() };
        let Some((head, rest)) = code.strip_prefix("--@").and_then(|rest| rest.split_once('\n')) else { return piece };
        rest.clone_into(&mut piece.text);
        // A name with spaces stands in quotes, its line behind them.
        let quoted = head.trim_start().strip_prefix('"').and_then(|rest| rest.split_once('"'));
        let (name, head) = quoted.map_or((None, head), |(name, rest)| (Some(name), rest));
        for word in head.split_whitespace() {
            match word {
                "beat" => piece.every = 1.0,
                "bar" => piece.every = BAR,
                "file" => piece.is_whole = true,
                "again" => piece.is_again = true,
                place => {
                    let (file, line) = place.rsplit_once(':').unwrap_or((place, "1"));
                    match line.parse() {
                        Ok(line) => (piece.file, piece.line) = (file.to_owned(), line),
                        Err(_) => place.clone_into(&mut piece.file),
                    }
                }
            }
        }
        if let Some(name) = name {
            name.clone_into(&mut piece.file);
        }
        // Names from elsewhere are short, and one line.
        piece.file = piece.file.chars().filter(|c| !c.is_control()).take(64).collect();
        piece
    }
}

/// The live code of a show.
#[derive(Default)]
pub struct Scripts {
    machine: Option<Machine>,
    /// What patches may ask for: the names of the styles, the dimensions of z and w, and the numbers
    /// of layers and of classes.
    styles: Vec<String>,
    styles_of: String,
    dims: [usize; 4],
    /// Names of styles that are not loaded yet, for their parameters.
    awaited: Vec<(Target, String)>,
    /// The name of the preset's patch, if it has one.
    playing: Option<String>,
    /// The network that its file names, so that a reload does not load it again over another one.
    network: Option<Value>,
    /// Whether the show was started with another network than the one that its first patch names.
    holds_network: bool,
    /// Whether what was written last is from the patch's file.
    is_from_file: bool,
    /// Set by a panic, until code is evaluated again.
    is_off: bool,
    /// Whether a patch itself has asked for the next preset: then it plays on.
    leads: bool,
    waiting: VecDeque<Piece>,
    /// Where the last evaluated piece comes from.
    last: Option<(String, u32)>,
    reports: Vec<Report>,
    beat: f64,
    /// Number of evaluations.
    count: u64,
}

impl Scripts {
    /// Ends the patch of the last preset, unless the patch has asked for this one. Lines evaluated from elsewhere play on.
    pub fn change_preset(&mut self) {
        self.awaited.clear();
        if !std::mem::take(&mut self.leads)
            && let (Some(machine), Some(file)) = (&mut self.machine, self.playing.take())
        {
            machine.end(&file);
        }
    }

    /// Notes whether the next preset was asked for by a patch.
    pub fn lead(&mut self, leads: bool) {
        self.leads = leads;
    }

    /// Plays a preset's patch. The last good version plays on if it fails.
    ///
    /// # Errors
    /// With the line for the player.
    pub fn play(&mut self, code: &Code, params: &mut Params, time: Time) -> Result<(), String> {
        let file = code.name();
        let is_new = self.playing.as_ref() != Some(&file);
        if is_new {
            if let (Some(machine), Some(old)) = (&mut self.machine, self.playing.take()) {
                machine.end(&old);
            }
            // The same patch plays the same way each time.
            self.machine()?.reseed(seed_of(&file));
            self.network = None;
        }
        self.playing = Some(file.clone());
        self.is_from_file = true;
        let piece = Piece { file, line: 1, is_whole: true, text: code.text.to_string(), ..Piece::default() };
        self.run(&piece, params, time).map(|_| ())
    }

    /// The preset has no patch any more.
    pub fn end(&mut self) {
        if let (Some(machine), Some(file)) = (&mut self.machine, self.playing.take()) {
            machine.end(&file);
        }
    }

    /// Evaluates code from elsewhere, now or on the beat that its first line names. Returns what it printed, or `None` if
    /// it waits.
    ///
    /// # Errors
    /// With the line for the player.
    pub fn evaluate(&mut self, code: &str, params: &mut Params, time: Time) -> Option<Result<Vec<String>, String>> {
        let piece = Piece::read(code);
        if piece.every > 0.0 {
            if self.waiting.len() == MAX_WAITING {
                return Some(self.drop_piece(&piece));
            }
            self.waiting.push_back(piece);
            return None;
        }
        Some(self.run(&piece, params, time))
    }

    /// Evaluates the next piece whose beat has come.
    pub fn release(&mut self, params: &mut Params, time: Time) -> Option<Result<Vec<String>, String>> {
        let (last, beat) = (self.beat, time.beat);
        let has_come = |every: f64| beat < last || (beat / every).floor() != (last / every).floor();
        let i = self.waiting.iter().position(|piece| has_come(piece.every));
        let Some(piece) = i.and_then(|i| self.waiting.remove(i)) else {
            self.beat = beat;
            return None;
        };
        Some(self.run(&piece, params, time))
    }

    fn run(&mut self, piece: &Piece, params: &mut Params, time: Time) -> Result<Vec<String>, String> {
        self.count += 1;
        self.is_off = false;
        let place = (piece.file.clone(), piece.line);
        let is_again = self.last.replace(place.clone()) == Some(place) && piece.is_again;
        let result = self.machine().and_then(|machine| {
            machine.evaluate((&piece.file, piece.line, piece.is_whole), &piece.text, params, time)?;
            if is_again {
                machine.join_undo();
            }
            Ok(machine.take_output())
        });
        self.report_on(piece, &result);
        result
    }

    /// Too much waits for its beat already.
    fn drop_piece(&mut self, piece: &Piece) -> Result<Vec<String>, String> {
        self.count += 1;
        let Piece { file, line, .. } = piece;
        let waiting = format!("{MAX_WAITING} pieces of code wait for their beat already");
        let result = Err(format!("{file}:{line}: this is dropped: {waiting}"));
        self.report_on(piece, &result);
        result
    }

    fn report_on(&mut self, piece: &Piece, result: &Result<Vec<String>, String>) {
        let end = piece.line + piece.text.trim_end_matches('\n').matches('\n').count() as u32 + 1;
        let lines = (!piece.is_whole).then_some(piece.line..end);
        self.report(Report { file: piece.file.clone(), lines, result: result.clone() });
    }

    fn report(&mut self, report: Report) {
        if self.reports.len() < MAX_REPORTS {
            self.reports.push(report);
        }
    }

    /// Moves what came of code since the last call to `reports`.
    pub fn take_reports(&mut self, reports: &mut Vec<Report>) {
        reports.append(&mut self.reports);
    }

    /// The names of the styles that play.
    pub fn styles(&self) -> &[String] {
        &self.styles
    }

    /// Takes back the last evaluation. False if there is none.
    pub fn undo(&mut self) -> bool {
        self.machine.as_mut().is_some_and(Machine::undo)
    }

    /// Ends everything that plays.
    pub fn hush(&mut self) {
        self.waiting.clear();
        if let Some(machine) = &mut self.machine {
            machine.hush();
        }
    }

    /// Ends everything that plays, until code is evaluated again.
    pub fn panic(&mut self) {
        let was_playing = self.machine.as_ref().is_some_and(|machine| !machine.is_idle());
        self.hush();
        self.is_off = was_playing;
    }

    /// Whether a panic has ended live code.
    pub fn is_off(&self) -> bool {
        self.is_off
    }

    /// Takes an event. Returns whether a patch listens to it, and the signal that it sets.
    pub fn hear(&mut self, event: &Event) -> (bool, Option<(SignalId, f64)>) {
        self.machine.as_mut().map_or((false, None), |machine| machine.hear(event))
    }

    /// Calls the handlers that are due, then evaluates what is bound: its values are those of the parameters from now on.
    /// Without handlers this enters no Lua, and does not allocate.
    pub fn step(&mut self, time: Time, signals: &Signals, params: &mut Params) {
        let Some(machine) = &mut self.machine else { return };
        machine.call(params, time, signals);
    }

    /// As the second half of [`Scripts::step`], after what handlers wrote has been written.
    pub fn bind(&mut self, time: Time, signals: &Signals, params: &mut Params) {
        let Some(machine) = &mut self.machine else { return };
        let values = machine.step(&Frame { time, signals, params });
        params.bind(values);
    }

    /// The parameters that are bound, each once.
    pub fn coded(&self) -> impl Iterator<Item = Target> + '_ {
        self.machine.iter().flat_map(Machine::coded)
    }

    /// Moves what was written since the last call to `writes`; names of styles only once their network has come.
    pub fn take_writes(&mut self, writes: &mut Vec<(Target, Value)>, style_is_coming: bool) {
        if !style_is_coming {
            writes.extend(self.awaited.drain(..).map(|(target, word)| (target, Value::Text(word))));
        }
        if let Some(machine) = &mut self.machine {
            machine.take_writes(writes);
        }
        if std::mem::take(&mut self.is_from_file) {
            let is_held = std::mem::take(&mut self.holds_network);
            writes.retain(|(target, value)| {
                let is_network = *target == Target::from(Id::Network);
                let is_known = is_network && self.network.replace(value.clone()).as_ref() == Some(value);
                !(is_known || is_network && is_held)
            });
        }
    }

    /// The show was started with another network than its first patch names.
    pub fn hold_network(&mut self) {
        self.holds_network = true;
    }

    /// What failed since the last call, each in one line.
    pub fn take_fault(&mut self) -> Option<String> {
        let line = self.machine.as_mut()?.take_fault()?;
        if let Some((file, number, _)) = place(&line) {
            let number = number as u32;
            self.report(Report { file: file.to_owned(), lines: Some(number..number), result: Err(line.clone()) });
        }
        Some(line)
    }

    /// What handlers printed since the last call.
    pub fn take_output(&mut self) -> Vec<String> {
        self.machine.as_mut().map(Machine::take_output).unwrap_or_default()
    }

    /// Tells patches the dimensions of z and w.
    pub fn surround(&mut self, dims: [usize; 4]) {
        self.dims = dims;
        self.tell();
    }

    /// Tells patches the names of the styles of a network with this name.
    pub fn set_styles(&mut self, styles: Vec<String>, network: &str) {
        self.styles = styles;
        network.clone_into(&mut self.styles_of);
        self.tell();
        if let Some(machine) = &mut self.machine {
            machine.write_words_again();
        }
    }

    fn tell(&mut self) {
        if let Some(machine) = &mut self.machine {
            machine.surround(&self.styles, &self.styles_of, self.dims);
        }
    }

    /// The number of a style; keeps the name for later while its network `is_loading`, whatever the one before calls its own.
    pub fn style_number(&mut self, target: Target, word: &str, is_loading: bool) -> Option<f64> {
        if is_loading {
            self.await_style(target, word);
            return None;
        }
        machine::style_number(&self.styles, word)
    }

    /// The styles that have been named while their network is still loading.
    pub fn awaited(&self) -> &[(Target, String)] {
        &self.awaited
    }

    /// Keeps the name of a style until its network plays.
    pub fn await_style(&mut self, target: Target, word: &str) {
        self.forget_awaited(target);
        self.awaited.push((target, word.to_owned()));
    }

    /// Another value was written.
    pub fn forget_awaited(&mut self, target: Target) {
        self.awaited.retain(|(known, _)| *known != target);
    }

    /// No style network comes.
    pub fn forget_all_awaited(&mut self) {
        self.awaited.clear();
    }

    /// The machine, made if there is none.
    fn machine(&mut self) -> Result<&mut Machine, String> {
        match &mut self.machine {
            Some(machine) => Ok(machine),
            empty => {
                let machine = empty.insert(Machine::new()?);
                machine.surround(&self.styles, &self.styles_of, self.dims);
                Ok(machine)
            }
        }
    }

    /// Whether mappings or addresses may have changed since the last call.
    pub fn has_news(&mut self) -> bool {
        self.machine.as_mut().is_some_and(Machine::has_news)
    }

    /// The mappings of patches, if they have changed since the last call.
    pub fn new_maps(&mut self, params: &Params) -> Option<(Vec<MidiEntry>, Vec<OscEntry>)> {
        self.machine.as_mut()?.new_maps(params.table())
    }

    /// The mappings of patches.
    pub fn maps(&self, params: &Params) -> (Vec<MidiEntry>, Vec<OscEntry>) {
        self.machine.as_ref().map(|machine| machine.maps(params.table())).unwrap_or_default()
    }

    /// The OSC addresses that patches listen to.
    pub fn addresses(&self) -> Vec<String> {
        self.machine.as_ref().map(Machine::addresses).unwrap_or_default()
    }

    /// Number of evaluations so far.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// What waits for its beat.
    pub fn pending(&self) -> Option<String> {
        let piece = self.waiting.front()?;
        let left = piece.every - self.beat.rem_euclid(piece.every);
        Some(format!("code from {} in {left:.1} beats", piece.file))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_says_where_code_comes_from() {
        let piece = |file: &str, line, is_whole, text: &str, every| Piece {
            file: file.to_owned(),
            line,
            is_whole,
            text: text.to_owned(),
            every,
            is_again: false,
        };
        let table = [
            ("psi = 1", piece("live", 1, false, "psi = 1", 0.0)),
            ("--@ drift.luau:12 bar\npsi = 1", piece("drift.luau", 12, false, "psi = 1", 4.0)),
            ("--@ drift.luau file\npsi = 1\n", piece("drift.luau", 1, true, "psi = 1\n", 0.0)),
            ("--@ beat\n", piece("live", 1, false, "", 1.0)),
            ("--@ \"my drift.luau\":12 bar\nx", piece("my drift.luau", 12, false, "x", 4.0)),
            ("--@ a:b.luau:3\nx", piece("a:b.luau", 3, false, "x", 0.0)),
            ("-- a comment\nx", piece("live", 1, false, "-- a comment\nx", 0.0)),
        ];
        for (code, expected) in table {
            assert_eq!(Piece::read(code), expected, "{code:?}");
        }
        assert!(Piece::read("--@ drift.luau:3 again\nx").is_again);
    }
}
