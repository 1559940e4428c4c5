//! Presets: TOML files that say which network plays, with which values, and what controls them.
//!
//! A preset is read strictly and as a whole: unknown keys or addresses, values of the wrong kind and numbers out of
//! range are reported with line and column, and nothing of an invalid file is played. Reading a preset loads no
//! network and changes no parameter. A patch in Luau is a preset too: its code sets everything else.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use toml_edit::{Document, TableLike};

use super::check::{Checker, key_span, typed};
use super::directions::{self, Named};
use super::effects::{self, EffectEntry};
use super::folders::{Folders, Kind, is_script};
use super::library::numbered;
use super::locate::{LocateError, name_of};
use super::palette;
use super::{macros, modulators, slips, smooth};
use crate::control::mapping::{MacroEntry, MappingError, MidiEntry, OscEntry};
use crate::control::osc::{self, MAX_OUTS, Out};
use crate::engine::bend::Channels;
use crate::file::is_built_in;
use crate::file::sources::{self, Sources};
use crate::file::text::{self, TextError};
use crate::modulate::Modulator;
use crate::params::{Id, Saving, Table, Target, Value};

/// The top-level keys of a preset.
const KEYS: &[&str] = &[
    "name",
    "description",
    "network",
    "script",
    "params",
    "midi",
    "osc",
    "osc-out",
    "mod",
    "macro",
    "smooth",
    "effects",
];

/// How many problems of one file are listed.
const TOLD: usize = 8;

/// A preset, checked.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Preset {
    /// The file it came from.
    pub path: PathBuf,
    /// The name given in the file, otherwise the file's name without its extension.
    pub name: String,
    pub description: Option<String>,
    /// The file of its network; `None` keeps the one that is playing.
    pub network: Option<PathBuf>,
    /// Its live code.
    pub script: Option<Code>,
    /// Values in file order, each of its parameter's kind and within its range.
    pub params: Vec<(Target, Value)>,
    /// MIDI mappings, which override the default map.
    pub midi: Vec<MidiEntry>,
    /// OSC aliases: addresses that other programs already send, and the parameters they control.
    pub osc: Vec<OscEntry>,
    /// Receivers that are sent every change over OSC.
    pub osc_out: Vec<Out>,
    /// What moves parameters by itself; the numbers of their knobs are among `params`.
    pub modulators: Vec<Modulator>,
    /// What its macros move; those that it does not mention move what they do by default.
    pub macros: Vec<MacroEntry>,
    /// How fast parameters follow what is written, in seconds, where not as usual.
    pub smooth: Vec<(Target, f64)>,
    /// The names for the directions of its network.
    pub directions: Vec<Named>,
    /// The chain of effects; their numbers are among `params`.
    pub effects: Vec<EffectEntry>,
    /// The texts that it was read from: its own and those of the files that it names.
    pub sources: Sources,
}

/// The text of a patch in Luau.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Code {
    pub path: PathBuf,
    pub text: Arc<str>,
}

impl Code {
    /// The file's name, for messages.
    pub fn name(&self) -> String {
        self.path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    }
}

/// What a preset may name.
#[derive(Clone, Copy, Debug)]
pub struct Reading<'a> {
    /// The parameters of the instrument.
    pub table: &'a Table,
    /// Where its files are looked for, besides its own folder.
    pub folders: &'a Folders,
    /// Whether addresses that are no parameters are passed over. They may belong to an effect that is gone at the moment.
    pub skips_unknown: bool,
}

impl<'a> Reading<'a> {
    pub fn new(table: &'a Table, folders: &'a Folders) -> Self {
        Reading { table, folders, skips_unknown: false }
    }
}

/// One thing wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Counted from 1.
    pub line: usize,
    /// In characters, counted from 1.
    pub column: usize,
    pub message: String,
}

/// Why a preset is invalid. Displayed with one line per problem; [`PresetError::headline`] is the first line.
#[derive(Debug, thiserror::Error)]
pub enum PresetError {
    #[error("cannot read the preset {}: {source}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("{}", lines(path, problems))]
    Wrong { path: PathBuf, problems: Vec<Problem> },
    /// A file that is being saved is empty for a moment; only a file that stays empty is reported.
    #[error("{}: the file is empty", path.display())]
    Empty { path: PathBuf },
    #[error(transparent)]
    Locate(#[from] LocateError),
}

impl PresetError {
    /// The first problem in one line, for the HUD.
    pub fn headline(&self) -> String {
        self.to_string().lines().next().unwrap_or_default().to_owned()
    }
}

fn lines(path: &Path, problems: &[Problem]) -> String {
    let one = |p: &Problem| format!("{}:{}:{}: {}", path.display(), p.line, p.column, p.message);
    let mut lines: Vec<String> = problems.iter().take(TOLD).map(one).collect();
    if problems.len() > TOLD {
        lines.push(format!("{}: and {} more", path.display(), problems.len() - TOLD));
    }
    lines.join("\n")
}

impl Preset {
    /// Reads and checks a file, which may name the built-in parameters and files.
    ///
    /// # Errors
    /// When the file cannot be read, or is not a valid preset: see [`Preset::parse`].
    pub fn load(path: &Path) -> Result<Self, PresetError> {
        Preset::load_with(path, &Reading::new(Table::built_in(), &Folders::default()))
    }

    /// As [`Preset::load`], for an instrument with other parameters and files.
    ///
    /// # Errors
    /// As [`Preset::load`].
    pub fn load_with(path: &Path, reading: &Reading) -> Result<Self, PresetError> {
        Preset::parse_with(&read_text(path)?, path, reading)
    }

    /// Checks the text of a preset. `origin` is its file, for messages and as the base of relative paths.
    ///
    /// # Errors
    /// [`PresetError::Wrong`] with all the problems, in file order.
    pub fn parse(text: &str, origin: &Path) -> Result<Self, PresetError> {
        Preset::parse_with(text, origin, &Reading::new(Table::built_in(), &Folders::default()))
    }

    /// As [`Preset::parse`], for an instrument with other parameters and files.
    ///
    /// # Errors
    /// As [`Preset::parse`].
    pub fn parse_with(text: &str, origin: &Path, reading: &Reading) -> Result<Self, PresetError> {
        let (parsed, mut sources) = sources::observe(|| Preset::check_with(text, origin, reading));
        sources.texts.insert(origin.to_owned(), text.into());
        parsed.map(|preset| Preset { sources, ..preset })
    }

    fn check_with(text: &str, origin: &Path, reading: &Reading) -> Result<Self, PresetError> {
        let mut check = Checker::new(text, reading);
        if is_script(origin) {
            return of_code(text, origin, check);
        }
        let preset = match Document::parse(text) {
            Ok(document) => Some(read(&document, origin, &mut check)),
            Err(error) => {
                match slips::find(text, error.span().map_or(0, |span| span.start)) {
                    Some((at, message)) => check.report(Some(at..at), message),
                    None => check.report(error.span(), error.message().replace('\n', ", ")),
                }
                None
            }
        };
        let mut problems = check.problems;
        problems.sort_by_key(|p| (p.line, p.column));
        match preset {
            Some(preset) if problems.is_empty() => Ok(preset),
            _ => Err(PresetError::Wrong { path: origin.to_owned(), problems }),
        }
    }
}

/// The text of a preset's file.
///
/// # Errors
/// When it cannot be read, or is in an encoding that is not known: see [`text`].
pub(super) fn read_text(path: &Path) -> Result<String, PresetError> {
    let path = path.to_owned();
    text::read(&path).map_err(|error| match error {
        TextError::Read(source) => PresetError::Read { path, source },
        TextError::Encoding(text::NotText { line, column, message }) => {
            PresetError::Wrong { path, problems: vec![Problem { line, column, message }] }
        }
    })
}

fn read(document: &Document<&str>, origin: &Path, check: &mut Checker) -> Preset {
    let top: &dyn TableLike = document.as_table();
    check.only_keys(top, "in a preset", KEYS);
    // First: the rest may name the knobs of effects and modulators.
    let base = origin.parent().unwrap_or(Path::new(""));
    let folders = check.folders();
    let network = network(top, origin, check);
    let directions = named_directions(network.as_deref(), check);
    let effects = effects::read(top.get("effects"), origin, folders, check);
    let modulators = modulators::read(check.table(top, "mod"), check);
    let mut params = check.table(top, "params").map(|t| values(t, base, check)).unwrap_or_default();
    params.extend(modulators::values(&modulators, check.params()));
    params.extend(effects.values);
    Preset {
        path: origin.to_owned(),
        name: check.string(top, "name").unwrap_or_else(|| name_of(origin)),
        description: check.string(top, "description"),
        network,
        directions,
        script: script(top, origin, check),
        params,
        midi: check.table(top, "midi").map(|t| controls(t, check)).unwrap_or_default(),
        osc: check.table(top, "osc").map(|t| aliases(t, check)).unwrap_or_default(),
        osc_out: check.table(top, "osc-out").map(|t| outs(t, check)).unwrap_or_default(),
        macros: check.table(top, "macro").map(|t| macros::read(t, check)).unwrap_or_default(),
        smooth: check.table(top, "smooth").map(|t| smooth::read(t, check)).unwrap_or_default(),
        modulators: modulators.into_iter().map(|(modulator, _)| modulator).collect(),
        effects: effects.entries,
        sources: Sources::default(),
    }
}

/// The names for the directions of a network, whose rows the file may name. A file of names that is broken is no mistake of the
/// preset: it is reported when the network plays.
fn named_directions(network: Option<&Path>, check: &mut Checker) -> Vec<Named> {
    const FOLDER: &str = "/dir/";
    let Some(network) = network else { return Vec::new() };
    let Ok(names) = directions::names(network) else {
        check.skip(FOLDER.to_owned());
        return Vec::new();
    };
    let rows: Vec<_> = names.iter().map(Named::row).collect();
    if let Ok(table) = check.params().with(&rows) {
        check.set_params(table);
    }
    names
}

/// A patch in Luau as a preset. Its network, if it says `network = "..."` on a line of its own, is known before the code
/// runs; the comment at its top describes it.
fn of_code(text: &str, origin: &Path, mut check: Checker) -> Result<Preset, PresetError> {
    let named = |line: &str| {
        let rest = line.strip_prefix("network")?.trim_start().strip_prefix('=')?.trim_start();
        let quote = rest.chars().next().filter(|c| *c == '"' || *c == '\'')?;
        rest[1..].split_once(quote).map(|(name, _)| name.to_owned())
    };
    let mut network = None;
    let named = text.lines().enumerate().find_map(|(i, line)| Some((i + 1, named(line)?)));
    if let Some((line, name)) = named {
        match check.folders().file_from(origin.parent().unwrap_or(Path::new("")), Kind::Network, &name) {
            Ok(file) => network = Some(file),
            Err(error) => check.problems.push(Problem { line, column: 1, message: error.to_string() }),
        }
    }
    if !check.problems.is_empty() {
        return Err(PresetError::Wrong { path: origin.to_owned(), problems: check.problems });
    }
    // So are its effects: their parameters are names before the code runs.
    let added = text.lines().filter_map(|line| {
        let rest = line.strip_prefix("fx.add(")?;
        let quote = rest.chars().next().filter(|c| *c == '"' || *c == '\'')?;
        rest[1..].split_once(quote).map(|(name, _)| name)
    });
    let effects = effects::named(added, origin, check.folders());
    let directions = named_directions(network.as_deref(), &mut check);
    let description = text.lines().next().and_then(|line| line.strip_prefix("--")).map(|line| line.trim().to_owned());
    let script = Some(Code { path: origin.to_owned(), text: text.into() });
    let name = numbered(&name_of(origin)).1.to_owned();
    let path = origin.to_owned();
    Ok(Preset { path, name, description, network, directions, script, effects, ..Preset::default() })
}

fn script(top: &dyn TableLike, origin: &Path, check: &mut Checker) -> Option<Code> {
    let named = check.string(top, "script")?;
    let span = top.get("script").and_then(|item| item.span());
    if !is_script(Path::new(&named)) {
        check.report(span, format!("script takes a file such as \"drift.luau\"; got \"{named}\""));
        return None;
    }
    let beside = origin.parent().unwrap_or(Path::new("")).join(&named);
    let path = if is_built_in(Path::new(&named)) { PathBuf::from(&named) } else { beside };
    match read_text(&path) {
        Ok(text) => Some(Code { path, text: text.into() }),
        Err(error) => {
            check.report(span, error.headline().replace("the preset ", ""));
            None
        }
    }
}

fn network(top: &dyn TableLike, origin: &Path, check: &mut Checker) -> Option<PathBuf> {
    let named = check.string(top, "network")?;
    match check.folders().file_from(origin.parent().unwrap_or(Path::new("")), Kind::Network, &named) {
        Ok(file) => Some(file),
        Err(error) => {
            check.report(top.get("network").and_then(|item| item.span()), error.to_string());
            None
        }
    }
}

fn values(table: &dyn TableLike, base: &Path, check: &mut Checker) -> Vec<(Target, Value)> {
    let mut values: Vec<(Target, Value)> = Vec::new();
    for (address, item) in table.iter() {
        let span = key_span(table, address);
        let Some(target) = check.target(address, span.clone()) else { continue };
        if let Saving::Elsewhere(instead) = target.id.def().saving {
            check.report(span, format!("{target} cannot be set under [params]: {instead}"));
        } else if values.iter().any(|(t, _)| *t == target) {
            check.report(span, format!("{target} already has a value"));
        } else {
            let read = typed(target, item).and_then(|value| match value {
                Value::Text(text) if target.id == Id::Palette => palette::of(&text, base).map(Value::Text),
                Value::Text(text) if target.id.is_channels() => Channels::parse(&text).map(|_| Value::Text(text)),
                value => Ok(value),
            });
            match read {
                Ok(value) => values.push((target, value)),
                Err(message) => check.report(item.span().or(span), message),
            }
        }
    }
    values
}

fn controls(table: &dyn TableLike, check: &mut Checker) -> Vec<MidiEntry> {
    let mut controls = Vec::new();
    for (control, item) in table.iter() {
        let span = key_span(table, control);
        let Some(options) = check.entry(item, span.clone()) else { continue };
        match MidiEntry::new(control, &options, check.params()) {
            Ok(entry) => controls.push(entry),
            Err(MappingError::Address { .. }) if check.skips(&options.to) => {}
            Err(error @ MappingError::Control { .. }) => check.report(span, error.to_string()),
            Err(error) => check.report(item.span().or(span), error.to_string()),
        }
    }
    controls
}

fn aliases(table: &dyn TableLike, check: &mut Checker) -> Vec<OscEntry> {
    let mut aliases = Vec::new();
    for (alias, item) in table.iter() {
        let span = key_span(table, alias);
        if let Some(message) = bad_alias(alias, check.params()) {
            check.report(span, message);
            continue;
        }
        let Some(options) = check.entry(item, span.clone()) else { continue };
        match OscEntry::new(alias, &options, check.params()) {
            Ok(entry) => aliases.push(entry),
            Err(MappingError::Address { .. }) if check.skips(&options.to) => {}
            Err(error) => check.report(item.span().or(span), error.to_string()),
        }
    }
    aliases
}

/// The receivers of `[osc-out]`: `"HOST:PORT" = "/"`, or a list of addresses.
fn outs(table: &dyn TableLike, check: &mut Checker) -> Vec<Out> {
    const TAKES: &str = "takes an address and everything below it, such as \"/\" or \"/walk\", or a list of them";
    let mut outs: Vec<Out> = Vec::new();
    for (host, item) in table.iter() {
        let span = key_span(table, host);
        let mut out = match Out::parse(host) {
            Ok(out) => out,
            Err(error) => {
                check.report(span, error.to_string());
                continue;
            }
        };
        let prefixes: Option<Vec<&str>> = match (item.as_str(), item.as_array()) {
            (Some(prefix), _) => Some(vec![prefix]),
            (_, Some(list)) => list.iter().map(|prefix| prefix.as_str()).collect(),
            _ => None,
        };
        match prefixes.filter(|list| !list.is_empty() && list.iter().all(|prefix| prefix.starts_with('/'))) {
            Some(prefixes) => {
                out.prefixes = prefixes.into_iter().map(str::to_owned).collect();
                outs.push(out);
            }
            None => check.report(item.span().or(span), format!("{out} {TAKES}")),
        }
    }
    if outs.len() > MAX_OUTS {
        check.report(key_span(table, ""), format!("at most {MAX_OUTS} receivers can be sent to"));
    }
    outs
}

/// Why this address cannot be an alias, if it cannot.
fn bad_alias(alias: &str, table: &Table) -> Option<String> {
    if !alias.starts_with('/') || alias.len() < 2 {
        Some(format!("an OSC address starts with /; got \"{alias}\""))
    } else if let Some(c) = alias.chars().find(|c| c.is_whitespace() || "#*,?[]{}".contains(*c)) {
        Some(format!("an OSC address cannot contain {c:?}; got \"{alias}\""))
    } else if table.resolve(alias).is_some() {
        Some(format!("{alias} is already a parameter of the instrument"))
    } else if osc::is_reserved(alias) {
        Some(format!("{alias} is reserved by the instrument"))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::super::locate::test_folder;
    use super::*;
    use crate::params::Id;

    fn problems(text: &str) -> Vec<String> {
        match Preset::parse(text, Path::new("p.toml")) {
            Err(error) => error.to_string().lines().map(str::to_owned).collect(),
            Ok(preset) => panic!("accepted: {preset:?}"),
        }
    }

    #[test]
    fn a_complete_preset_is_read() {
        let text = r#"
            name = "Dusk"
            network = "n"
            [params]
            "/psi" = 0.8
            "/seed" = 7
            "/freeze" = true
            "/walk/kind" = "loop"
            "/z/3" = -1
            "/z" = [0.5, 1]
            [midi]
            "cc 21" = "/walk/speed"
            "ch 2 cc 22" = { to = "/psi", range = [0.2, 1], takeover = "jump" }
            [midi."note 36"]
            to = "/preset"
            value = "dusk"
            [osc]
            "/1/fader3" = "/psi"
            "/1/fader4" = { to = "/psi", range = [0, 1] }
        "#;
        let folder = test_folder("whole", &["networks/n.safetensors"]);
        let preset = Preset::parse(text, &folder.join("dusk.toml")).unwrap();
        assert_eq!((preset.name.as_str(), preset.network), ("Dusk", Some(folder.join("networks/n.safetensors"))));
        let expected: [(Target, Value); 6] = [
            (Id::Psi.into(), Value::Float(0.8)),
            (Id::Seed.into(), Value::Int(7)),
            (Id::Freeze.into(), Value::Bool(true)),
            (Id::WalkKind.into(), Value::Text("loop".into())),
            (Target { id: Id::Z, index: 3 }, Value::Float(-1.0)),
            (Id::ZVector.into(), Value::List(vec![0.5, 1.0])),
        ];
        assert_eq!(preset.params, expected);
        let controls: Vec<String> = preset.midi.iter().map(|e| format!("{} {}", e.control, e.to)).collect();
        assert_eq!(controls, ["cc 21 /walk/speed", "ch 2 cc 22 /psi", "note 36 /preset"]);
        assert_eq!(preset.osc[0], OscEntry::plain("/1/fader3".to_owned(), Id::Psi.into()));
        assert_eq!((preset.osc[1].address.as_str(), preset.osc[1].to), ("/1/fader4", Id::Psi.into()));
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn an_empty_preset_takes_its_files_name() {
        assert_eq!(Preset::parse("", Path::new("presets/dusk.toml")).unwrap().name, "dusk");
    }

    #[test]
    fn each_mistake_is_located_with_the_right_word() {
        let table = [
            (
                "nework = \"x\"",
                "p.toml:1:1: unknown key \"nework\" in a preset, which takes name, description, network, script, params, midi, osc, osc-out, mod, macro, smooth, effects; did you mean \"network\"?",
            ),
            ("[params]\n\"/psy\" = 1", "p.toml:2:1: \"/psy\" is not a parameter; did you mean \"/psi\"?"),
            ("[params]\n  \"/psi\" = 2.5", "p.toml:2:12: /psi takes a number from -1 to 2; got 2.5"),
            ("[params]\n\"/psi\" = nan", "p.toml:2:10: /psi takes a number from -1 to 2; got NaN"),
            ("[params]\n\"/psi\" = \"0.5\"", "p.toml:2:10: /psi takes a number from -1 to 2; got \"0.5\""),
            ("[params]\n\"/psi/cutoff\" = 3.0", "p.toml:2:17: /psi/cutoff takes a whole number from 0 to 64; got 3.0"),
            ("[params]\n\"/freeze\" = 1", "p.toml:2:13: /freeze takes true or false; got 1"),
            ("[params]\n\"/freeze\" = \"of\"", "p.toml:2:13: /freeze takes true or false; got \"of\""),
            (
                "[params]\n\"/walk/kind\" = \"drfit\"",
                "p.toml:2:16: /walk/kind takes one of hold, drift, loop, line, keys; got \"drfit\"; did you mean \"drift\"?",
            ),
            ("[params]\n\"/z\" = [1, \"a\"]", "p.toml:2:8: /z takes a list of at most 1024 numbers; got a list of 2"),
            ("[params]\n\"/z/1024\" = 1", "p.toml:2:1: \"/z/1024\" is not a parameter: /z/<n> takes n from 0 to 1023"),
            (
                "[params]\n\"/seed/next\" = 1",
                "p.toml:2:16: /seed/next is a trigger and has no value: map it under [midi] or [osc] instead",
            ),
            (
                "[params]\n\"/network\" = \"x\"",
                "p.toml:2:1: /network cannot be set under [params]: write network = \"...\" at the top of the file",
            ),
            ("[params]\n\"/psi\" = 1\n\"/latent-jockey/psi\" = 0", "p.toml:3:1: /psi already has a value"),
            ("network = 3", "p.toml:1:11: network takes a quoted string; got 3"),
            ("params = 3", "p.toml:1:10: [params] takes a table; got 3"),
            (
                "[osc-out]\n\"tablet\" = \"/\"",
                "p.toml:2:1: \"tablet\" is not HOST:PORT, such as 192.168.1.20:9001 or tablet.local:9001: it has no port",
            ),
            (
                "[osc-out]\n\"tablet:9001\" = true",
                "p.toml:2:17: tablet:9001 takes an address and everything below it, such as \"/\" or \"/walk\", or a list of them",
            ),
            (
                "[osc-out]\n\"tablet:9001\" = [\"psi\"]",
                "p.toml:2:17: tablet:9001 takes an address and everything below it, such as \"/\" or \"/walk\", or a list of them",
            ),
            ("[osc]\n\"fader\" = \"/psi\"", "p.toml:2:1: an OSC address starts with /; got \"fader\""),
            ("[osc]\n\"/a b\" = \"/psi\"", "p.toml:2:1: an OSC address cannot contain ' '; got \"/a b\""),
            ("[osc]\n\"/seed\" = \"/psi\"", "p.toml:2:1: /seed is already a parameter of the instrument"),
            ("[osc]\n\"/a\" = \"/psy\"", "p.toml:2:8: \"/psy\" is not a parameter; did you mean \"/psi\"?"),
            ("[midi]\n\"cc 21\" = \"/psy\"", "p.toml:2:11: \"/psy\" is not a parameter; did you mean \"/psi\"?"),
            (
                "[midi]\n\"cc 21\" = { to = \"/psi\", rnage = [0, 1] }",
                "p.toml:2:26: unknown key \"rnage\" in an entry, which takes to, range, curve, invert, takeover, relative, mode, value; did you mean \"range\"?",
            ),
            (
                "[midi]\n\"cc 21\" = { to = \"/psi\", takeover = \"grab\" }",
                "p.toml:2:37: unknown variant `grab`, expected one of `jump`, `pickup`, `scale`",
            ),
            (
                "[midi]\n\"cc 21\" = { to = \"/psi\", range = [0, 3] }",
                "p.toml:2:11: range [0, 3] is not a valid range for /psi, which goes from -1 to 2",
            ),
            ("[midi.\"cc 21\"]\nrange = [0, 1]", "p.toml:1:1: missing field `to`"),
            (
                "[osc]\n\"/a\" = { to = \"/psi\", mode = \"gate\" }",
                "p.toml:2:8: mode is for MIDI, not for an OSC address",
            ),
        ];
        for (text, message) in table {
            assert_eq!(problems(text), [message], "{text}");
        }
    }

    #[test]
    fn an_invalid_control_is_reported_at_its_key() {
        let found = problems("[midi]\n  \"cc 121\" = \"/psi\"");
        assert_eq!(found.len(), 1);
        assert!(found[0].starts_with("p.toml:2:3: \"cc 121\" is not a control: "), "{found:?}");
    }

    #[test]
    fn all_problems_are_reported_at_once_in_file_order() {
        let found = problems("[osc]\n\"/a\" = 1\n[params]\n\"/psi\" = 9\n\"/psy\" = 1\n");
        let places: Vec<&str> = found.iter().filter_map(|l| l.split(": ").next()).collect();
        assert_eq!(places, ["p.toml:2:8", "p.toml:4:10", "p.toml:5:1"]);
        let many: String = (0..20).map(|i| format!("k{i} = 1\n")).collect();
        assert_eq!(problems(&many).len(), TOLD + 1);
        assert_eq!(problems(&many)[TOLD], "p.toml: and 12 more");
    }

    #[test]
    fn broken_toml_names_its_line() {
        let found = problems("[params]\n\"/psi\" = \n");
        assert_eq!(found.len(), 1);
        assert!(found[0].starts_with("p.toml:2:"), "{found:?}");
    }

    #[test]
    fn an_unknown_network_names_its_line_and_the_nearest_one() {
        let folder = test_folder("unknown", &["networks/flowers64.safetensors"]);
        let origin = folder.join("p.toml");
        let error = Preset::parse("\nnetwork = \"flowres64\"", &origin).unwrap_err().to_string();
        assert!(error.starts_with(&format!("{}:2:11: no network \"flowres64\"", origin.display())), "{error}");
        assert!(error.ends_with("did you mean \"flowers64\"?"), "{error}");
        std::fs::remove_dir_all(folder).unwrap();
    }
}
