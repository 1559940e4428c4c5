//! Names to complete what is being typed: parameters with their range and help, functions, methods of signals, and in
//! strings the words that fit there.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use super::dotted;
use super::files::Names;
use super::highlight::{Kind, Language, keywords, tokens};
use super::text::assigned;
use crate::params::{Id, Kind as ParamKind, Table, Target};

/// The methods of signals, and what they do.
const METHODS: [(&str, &str, &str); 11] = [
    ("range", ":range(low, high)", "maps its values to this range"),
    ("smooth", ":smooth(secs)", "follows with this time constant"),
    ("env", ":env(attack, release)", "rises to each peak or step, then falls; in seconds"),
    ("slow", ":slow(n)", "n times slower"),
    ("fast", ":fast(n)", "n times faster"),
    ("delay", ":delay(beats)", "so many beats later"),
    ("quantize", ":quantize(step)", "in steps of this size"),
    ("clip", ":clip(low, high)", "not below or above"),
    ("above", ":above(x)", "1 where it is above x, otherwise 0"),
    ("abs", ":abs()", "without its sign"),
    ("floor", ":floor()", "rounded down"),
];

/// The audio signals with names of their own.
const AUDIO: [&str; 7] = ["bass", "mid", "high", "kick", "snare", "hat", "level"];
const WAVES: [&str; 7] = ["sine", "cosine", "tri", "saw", "square", "noise", "rand"];

/// Name, usage and help of every function of live code.
fn functions() -> &'static [(&'static str, &'static str, &'static str)] {
    #[cfg(feature = "luau")]
    return &crate::patch::script::FUNCTIONS;
    #[cfg(not(feature = "luau"))]
    return &[];
}

/// Everything that has a name.
#[derive(Clone, Debug, Default)]
pub struct Words {
    /// In the order of the table.
    parameters: Vec<(String, Id)>,
    by_name: HashMap<String, Id>,
    /// The first parts of names: `walk`, `fx.trails`.
    groups: HashSet<String>,
    version: Option<u64>,
    names: Names,
    styles: Vec<String>,
    /// Grows with each change.
    changes: u64,
}

impl Words {
    /// Learns the parameters of a table, if it is another one.
    pub fn set_table(&mut self, table: &Table) {
        if self.version == Some(table.version()) {
            return;
        }
        self.version = Some(table.version());
        self.changes += 1;
        let is_hidden = |id: &Id| id.def().address.starts_with("/eval") || *id == Id::Hush;
        self.parameters = table.ids().filter(|id| !is_hidden(id)).map(|id| (dotted(id.def().address), id)).collect();
        self.by_name = self.parameters.iter().cloned().collect();
        let parts =
            |name: &str| name.match_indices(['.', '[']).map(|(at, _)| name[..at].to_owned()).collect::<Vec<_>>();
        self.groups = self.parameters.iter().flat_map(|(name, _)| parts(name)).collect();
    }

    /// Learns the names of presets, networks and effects.
    pub fn set_names(&mut self, names: Names) {
        self.names = names;
        self.changes += 1;
    }

    /// Learns the names of the styles that play.
    pub fn set_styles(&mut self, styles: &[String]) {
        if self.styles != styles {
            self.styles = styles.to_vec();
            self.changes += 1;
        }
    }

    /// Grows with each change.
    pub fn changes(&self) -> u64 {
        self.changes
    }

    /// Whether a name in Luau is a parameter or a group of them.
    pub fn is_parameter(&self, name: &str) -> bool {
        self.by_name.contains_key(name) || self.groups.contains(name)
    }

    /// Whether a name in Luau is a function or a signal.
    pub fn is_function(&self, name: &str) -> bool {
        let first = name.split('.').next().unwrap_or(name);
        functions().iter().any(|(known, ..)| *known == first) || AUDIO.contains(&first)
    }

    /// The parameter that a name in code means, such as `walk.speed` or `z[3]`.
    pub fn target(&self, name: &str) -> Option<Target> {
        if let Some(id) = self.by_name.get(name) {
            return Some((*id).into());
        }
        let (group, rest) = name.split_once('[')?;
        let index = rest.strip_suffix(']')?.parse::<u16>().ok()?;
        let id = *self.by_name.get(&format!("{group}[n]"))?;
        (usize::from(index) < id.def().count).then_some(Target { id, index })
    }

    /// The family `/z/<n>` of a name such as `z`.
    pub fn family(&self, name: &str) -> Option<Id> {
        self.by_name.get(&format!("{name}[n]")).copied()
    }
}

/// Something that can be typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// What stands in the text then.
    pub text: String,
    /// Its range and unit, or how it is called.
    pub usage: String,
    pub help: String,
    /// What a small picture beside it can show.
    pub shows: Option<Shows>,
}

/// What a small picture can show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shows {
    Preset(String),
    Network(String),
    /// A style of the playing style network.
    Style(usize),
    /// A seed of the playing network.
    Seed(u32),
}

impl Item {
    fn new(text: impl Into<String>, usage: impl Into<String>, help: impl Into<String>) -> Item {
        Item { text: text.into(), usage: usage.into(), help: help.into(), shows: None }
    }

    /// A name, with the picture of what has it.
    fn named(name: &str, usage: &str, shows: impl FnOnce(String) -> Shows) -> Item {
        Item { shows: Some(shows(name.to_owned())), ..Item::new(name, usage, "") }
    }

    /// A seed, with its picture.
    fn seed(text: &str) -> Option<Item> {
        let seed = text.parse().ok()?;
        Some(Item { shows: Some(Shows::Seed(seed)), ..Item::new(text, "seed", "") })
    }
}

/// What can be typed at the cursor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// The bytes that an item replaces.
    pub range: Range<usize>,
    /// The best first.
    pub items: Vec<Item>,
    /// Whether what stands there is a name already.
    pub is_complete: bool,
    /// Whether there is nothing to choose, only a picture of what stands there.
    pub is_preview: bool,
}

/// Most items that are offered.
const MOST: usize = 40;

/// What can be typed at `at`. Unless it `is_asked` for, only where a name has begun. `now` is what a parameter plays.
pub fn offer(
    text: &str,
    at: usize,
    language: Language,
    words: &Words,
    now: &dyn Fn(Target) -> Option<String>,
    is_asked: bool,
) -> Option<Offer> {
    let all = tokens(text, language);
    // A token that the cursor is in, or at the end of.
    let inside = all.iter().find(|token| token.range.start < at && at <= token.range.end);
    let (typed, range, candidates) = match inside {
        Some(token) if token.kind == Kind::Comment => return None,
        Some(token) if token.kind == Kind::Number => {
            let before = text[..token.range.start].trim_end_matches(' ');
            if at == token.range.end && before.ends_with('=') && is_seed(text, token.range.start, words) {
                return preview(text, token.range.clone());
            }
            if !is_asked {
                return None;
            }
            (&text[at..at], at..at, of_luau(words, now))
        }
        Some(token) if token.kind == Kind::Text => {
            let is_closed = token.range.len() > 1 && text[..token.range.end].ends_with(&text[token.range.start..][..1]);
            if is_closed && at == token.range.end {
                return None;
            }
            let call = call_before(text, token.range.start);
            let is_pattern = ["seq", "names"].contains(&call);
            let before = &text[token.range.start + 1..at];
            let is_end = |c: char| is_pattern && (c.is_whitespace() || "[]<>{}(),|*/@!?".contains(c));
            let start = at - before.len() + before.rfind(is_end).map_or(0, |i| i + 1);
            if is_pattern && is_seed(text, token.range.start, words) {
                return preview(text, start..at);
            }
            let inner = words_for(text, token.range.start, call, is_pattern, words);
            (&text[start..at], start..at, inner)
        }
        _ => {
            let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == '.' && language == Language::Luau;
            let start =
                text[..at].rfind(|c| !is_part(c)).map_or(0, |i| i + text[i..].chars().next().map_or(1, char::len_utf8));
            let typed = &text[start..at];
            // A number such as 0.5 is no name.
            if typed.starts_with(|c: char| c.is_ascii_digit()) {
                return None;
            }
            // A word of the language is whole.
            if !is_asked && inside.is_some_and(|token| token.kind == Kind::Keyword && token.range.end == at) {
                return None;
            }
            let before = text[..start].trim_end_matches(' ');
            let items = match language {
                Language::Wgsl => of_wgsl(text, at),
                Language::Luau if before.ends_with(':') => {
                    METHODS.iter().map(|(name, usage, help)| Item::new(*name, *usage, *help)).collect()
                }
                Language::Luau if typed.is_empty() && is_asked && before.ends_with('=') => {
                    playing(text, at, words, now)
                }
                Language::Luau => of_luau(words, now),
            };
            (typed, start..at, items)
        }
    };
    if typed.is_empty() && !is_asked && inside.is_none_or(|token| token.kind != Kind::Text) {
        // After a colon, the methods are few.
        if !(language == Language::Luau && text[..at].ends_with(':') && at > 1) {
            return None;
        }
    }
    let items = ranked(candidates, typed);
    let is_complete = items.iter().any(|item| item.text == typed);
    let is_alone = items.len() == 1 && is_complete;
    (!items.is_empty() && !is_alone).then_some(Offer { range, items, is_complete, is_preview: false })
}

/// The picture of a seed that stands there.
fn preview(text: &str, range: Range<usize>) -> Option<Offer> {
    let items = vec![Item::seed(&text[range.clone()])?];
    Some(Offer { range, items, is_complete: true, is_preview: true })
}

/// Whether what begins at `start` is assigned to the seed.
fn is_seed(text: &str, start: usize, words: &Words) -> bool {
    assigned_before(text, start, words).is_some_and(|target| target.id == Id::Seed)
}

/// Those that match what has been typed: first those that begin so, then those with a part that does.
fn ranked(candidates: Vec<Item>, typed: &str) -> Vec<Item> {
    let typed = typed.to_lowercase();
    let rank = |item: &Item| {
        let text = item.text.to_lowercase();
        let has_part = || text.split(['.', ' ', '_', '-']).any(|part| part.starts_with(&typed));
        if text.starts_with(&typed) {
            Some(0)
        } else if typed.len() > 1 && has_part() {
            Some(1)
        } else {
            None
        }
    };
    let mut ranked: Vec<(usize, Item)> = candidates.into_iter().filter_map(|item| Some((rank(&item)?, item))).collect();
    ranked.sort_by_key(|(rank, _)| *rank);
    let mut seen = HashSet::new();
    ranked.retain(|(_, item)| seen.insert(item.text.clone()));
    ranked.into_iter().take(MOST).map(|(_, item)| item).collect()
}

fn of_luau(words: &Words, now: &dyn Fn(Target) -> Option<String>) -> Vec<Item> {
    let functions = functions().iter().map(|(name, usage, help)| Item::new(*name, *usage, *help));
    let audio = AUDIO.iter().map(|name| Item::new(*name, "a signal from 0 to 1", "the sound of the room"));
    let keywords = keywords(Language::Luau).iter().filter(|word| word.len() > 2).map(|word| Item::new(*word, "", ""));
    let parameters = words.parameters.iter().map(|(name, id)| parameter(name, *id, now));
    functions.chain(audio).chain(parameters).chain(keywords).collect()
}

fn parameter(name: &str, id: Id, now: &dyn Fn(Target) -> Option<String>) -> Item {
    let def = id.def();
    let unit = if def.unit.is_empty() { String::new() } else { format!(" {}", def.unit) };
    let now = now(id.into()).filter(|_| !def.is_family()).map(|now| format!(", now {now}")).unwrap_or_default();
    Item::new(name, format!("{}{unit}{now}", def.expects()), def.help)
}

/// After `seed =`: what plays now, and the words of a choice.
fn playing(text: &str, at: usize, words: &Words, now: &dyn Fn(Target) -> Option<String>) -> Vec<Item> {
    let start = text[..at].rfind('\n').map_or(0, |i| i + 1);
    let Some(target) = assigned(&text[start..]).and_then(|name| words.target(name)) else { return Vec::new() };
    let is_word = matches!(target.id.def().kind, ParamKind::Choice { .. } | ParamKind::Text { .. });
    let quoted = |word: &str| if is_word { format!("\"{word}\"") } else { word.to_owned() };
    let now = now(target).map(|now| Item {
        shows: Item::seed(&now).filter(|_| target.id == Id::Seed).and_then(|item| item.shows),
        ..Item::new(quoted(&now), "what plays now", target.id.def().help)
    });
    let others = words_of(target.id, words).into_iter().map(|item| Item { text: format!("\"{}\"", item.text), ..item });
    now.into_iter().chain(others).collect()
}

/// The function in whose call the string at `start` stands, if it is its argument.
fn call_before(text: &str, start: usize) -> &str {
    let before = text[..start].trim_end_matches(|c: char| c.is_whitespace());
    let Some(before) = before.strip_suffix('(') else { return "" };
    let is_part = |c: char| c.is_alphanumeric() || "_.".contains(c);
    &before[before.rfind(|c| !is_part(c)).map_or(0, |i| i + before[i..].chars().next().map_or(1, char::len_utf8))..]
}

/// The words for the string at `start`.
fn words_for(text: &str, start: usize, call: &str, is_pattern: bool, words: &Words) -> Vec<Item> {
    let plain = |all: &[String], usage: &str| all.iter().map(|word| Item::new(word, usage, "")).collect::<Vec<_>>();
    match call {
        "lfo" => return WAVES.iter().map(|wave| Item::new(*wave, "a wave", "")).collect(),
        "fx.add" => return plain(&words.names.effects, "effect"),
        "preset" => return words_of(Id::Preset, words),
        "network" | "style.network" => return words_of(Id::Network, words),
        "on" => return ["beat", "bar"].iter().map(|word| Item::new(*word, "", "")).collect(),
        "help" | "has" => return of_luau(words, &|_| None),
        _ => {}
    }
    let Some(target) = assigned_before(text, start, words) else { return Vec::new() };
    let whole = words_of(target.id, words);
    if !is_pattern {
        return whole;
    }
    // A pattern takes single words: a part of a name is enough.
    let parts = whole.iter().flat_map(|item| {
        let parts = item.text.split_whitespace().filter(|part| part.len() > 2);
        let part =
            |part: &str| Item { shows: item.shows.clone(), ..Item::new(part.to_lowercase(), &*item.text, &*item.help) };
        parts.map(part).collect::<Vec<_>>()
    });
    parts.collect()
}

/// What the last assignment before `start` assigns to: it may stand in a function on one line.
fn assigned_before(text: &str, start: usize, words: &Words) -> Option<Target> {
    let line = text[..start].rfind('\n').map_or(0, |i| i + 1);
    let equals = text[line..start].rfind('=')?;
    let before = text[line..line + equals].trim_end();
    let is_part = |c: char| c.is_alphanumeric() || "_.[]".contains(c);
    let from = before.rfind(|c| !is_part(c)).map_or(0, |i| i + before[i..].chars().next().map_or(1, char::len_utf8));
    words.target(&before[from..])
}

/// The words that a parameter takes.
fn words_of(id: Id, words: &Words) -> Vec<Item> {
    let plain = |all: &[String], usage: &str| all.iter().map(|word| Item::new(word, usage, "")).collect::<Vec<_>>();
    match id {
        Id::Network | Id::NetworkB | Id::StyleNetwork => {
            words.names.networks.iter().map(|name| Item::named(name, "network", Shows::Network)).collect()
        }
        Id::Preset => words.names.presets.iter().map(|name| Item::named(name, "preset", Shows::Preset)).collect(),
        Id::StyleA | Id::StyleB => {
            let styles = words.styles.iter().enumerate();
            styles.map(|(number, name)| Item::named(name, "style", |_| Shows::Style(number))).collect()
        }
        Id::FxAdd => plain(&words.names.effects, "effect"),
        _ => match id.def().kind {
            ParamKind::Choice { options, .. } => options.iter().map(|word| Item::new(*word, "", "")).collect(),
            _ => Vec::new(),
        },
    }
}

/// Names for an effect: what every effect can use, its parameters, and its own functions.
fn of_wgsl(text: &str, at: usize) -> Vec<Item> {
    let before = &text[..at];
    let start = before.rfind(|c: char| !(c.is_alphanumeric() || c == '_')).map_or(0, |i| i + 1);
    if before[..start].ends_with("p.") {
        return fields(text).collect();
    }
    let prelude = signatures(crate::screen::shader::PRELUDE).chain(signatures(text));
    let words = keywords(Language::Wgsl).iter().filter(|word| word.len() > 3).map(|word| Item::new(*word, "", ""));
    prelude.chain(words).collect()
}

/// The functions that a text declares.
fn signatures(text: &str) -> impl Iterator<Item = Item> + '_ {
    text.lines().filter_map(|line| {
        let rest = line.strip_prefix("fn ")?;
        let name = rest.split('(').next()?.trim();
        let usage = rest.split('{').next()?.trim();
        (!name.starts_with("lj_")).then(|| Item::new(name, usage, ""))
    })
}

/// The parameters that an effect declares: `size: f32, // 1..8 = 4: how large`.
fn fields(text: &str) -> impl Iterator<Item = Item> + '_ {
    let body = text.split_once("struct Params").map_or("", |(_, rest)| rest.split('}').next().unwrap_or_default());
    body.lines().filter_map(|line| {
        let (name, rest) = line.trim().split_once(':')?;
        let (_, comment) = rest.split_once("//").unwrap_or((rest, ""));
        let (usage, help) = comment.split_once(": ").unwrap_or((comment, ""));
        let is_name = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_');
        is_name.then(|| Item::new(name, usage.trim(), help.trim()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words() -> Words {
        let mut words = Words::default();
        words.set_table(Table::built_in());
        let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        words.set_names(Names {
            presets: list(&["tides", "stutter"]),
            networks: list(&["flowers128", "masters128", "painters8"]),
            effects: list(&["trails", "bloom"]),
        });
        words.set_styles(&["Starry Night".to_owned(), "Great Wave".to_owned()]);
        words
    }

    /// The text up to `|` is before the cursor.
    fn offered(text: &str, language: Language, is_asked: bool) -> Vec<String> {
        let at = text.find('|').unwrap();
        let text = text.replacen('|', "", 1);
        let now = |target: Target| (target.id == Id::Seed).then(|| "67".to_owned());
        let offer = offer(&text, at, language, &words(), &now, is_asked);
        offer.map(|offer| offer.items.into_iter().map(|item| item.text).collect()).unwrap_or_default()
    }

    #[test]
    fn names_fit_the_place() {
        let table: [(&str, &[&str]); 13] = [
            ("walk.sp|", &["walk.speed"]),
            ("x = walk.ki|", &["walk.kind"]),
            ("psi = bass:smo|", &["smooth"]),
            ("walk.kind = \"|\"", &["hold", "drift", "loop", "line", "keys"]),
            ("walk.kind = \"l|", &["loop", "line"]),
            ("walk.kind = seq(\"loop l|\", 4)", &["loop", "line"]),
            ("style.a = \"|\"", &["Starry Night", "Great Wave"]),
            ("style.a = names(\"wave st|\", 4)", &["starry"]),
            ("network = \"fl|\"", &["flowers128"]),
            ("preset(\"t|", &["tides"]),
            ("every(4, function() preset = \"st|", &["stutter"]),
            ("fx.add(\"|\")", &["trails", "bloom"]),
            ("lfo(\"s|", &["sine", "saw", "square"]),
        ];
        for (text, expected) in table {
            let mut found = offered(text, Language::Luau, false);
            found.sort_by_key(|name| expected.iter().position(|e| e == name));
            assert_eq!(found, expected, "{text}");
        }
        assert!(offered("speed|", Language::Luau, false).contains(&"walk.speed".to_owned()), "a part of a name");
    }

    #[test]
    fn nothing_is_offered_where_nothing_can_be_meant() {
        for text in ["|", "psi = |", "psi = 0.|", "psi = 12|", "-- walk.sp|", "psi = sine(8) |", "x = \"a\"|", "end|"] {
            assert_eq!(offered(text, Language::Luau, false), Vec::<String>::new(), "{text}");
        }
    }

    #[test]
    fn what_is_asked_for_begins_with_what_plays() {
        assert_eq!(offered("seed = |", Language::Luau, true), ["67"]);
        assert_eq!(offered("walk.kind = |", Language::Luau, true).len(), 5);
        assert!(offered("|", Language::Luau, true).len() == MOST);
    }

    #[test]
    fn names_and_seeds_say_what_their_picture_shows() {
        let shown = |text: &str, is_asked: bool| {
            let (at, text) = (text.find('|').unwrap(), text.replacen('|', "", 1));
            let now = |target: Target| (target.id == Id::Seed).then(|| "67".to_owned());
            let offer = offer(&text, at, Language::Luau, &words(), &now, is_asked)?;
            Some((offer.items.into_iter().find_map(|item| item.shows)?, offer.is_preview))
        };
        let preset = |name: &str| Shows::Preset(name.to_owned());
        for (text, is_asked, expected) in [
            ("preset(\"t|", false, (preset("tides"), false)),
            ("preset = \"st|\"", false, (preset("stutter"), false)),
            ("style.network = \"p|", false, (Shows::Network("painters8".to_owned()), false)),
            ("style.b = \"great|", false, (Shows::Style(1), false)),
            ("style.a = names(\"wave gre|\", 4)", false, (Shows::Style(1), false)),
            ("seed = |", true, (Shows::Seed(67), false)),
            ("seed = 6|", false, (Shows::Seed(6), true)),
            ("every(16, function() seed = 4294967295|", false, (Shows::Seed(u32::MAX), true)),
            ("seed = seq(\"67 [8 85|", false, (Shows::Seed(85), true)),
        ] {
            assert_eq!(shown(text, is_asked), Some(expected), "{text}");
        }
        for text in ["psi = 6|", "seed = 4294967296|", "seed = seed + 6|", "seed = 6.5|", "noise.seed = 6|", "x = 6|"] {
            assert_eq!(shown(text, false), None, "{text}");
        }
    }

    #[test]
    fn a_whole_name_says_so() {
        let text = "psi";
        let offer = offer(text, 3, Language::Luau, &words(), &|_| None, false).unwrap();
        assert!(offer.is_complete && offer.items.iter().any(|item| item.text == "psi.cutoff"));
        let item = offer.items.iter().find(|item| item.text == "psi").unwrap();
        assert!(item.usage.contains("-1") && item.help.contains("truncation"), "{item:?}");
    }

    #[test]
    fn effects_know_their_parameters_and_the_prelude() {
        let text = "struct Params {\n  size: f32, // 1..8 = 4: how large\n}\nfn own(a: f32) -> f32 {\n  return p.|";
        assert_eq!(offered(text, Language::Wgsl, false), Vec::<String>::new());
        assert_eq!(offered(&text.replace('|', "s|"), Language::Wgsl, false), ["size"]);
        assert_eq!(offered(&text.replace("p.|", "ow|"), Language::Wgsl, false), ["own"]);
        assert!(offered(&text.replace("p.|", "mirr|"), Language::Wgsl, false).contains(&"mirrored".to_owned()));
    }

    #[test]
    fn names_mean_parameters() {
        let words = words();
        assert_eq!(words.target("walk.speed"), Some(Id::WalkSpeed.into()));
        assert_eq!(words.target("z[3]"), Some(Target { id: Id::Z, index: 3 }));
        assert_eq!((words.target("z[5000]"), words.target("walk"), words.target("x")), (None, None, None));
        assert_eq!(words.family("z"), Some(Id::Z));
        assert!(words.is_parameter("walk") && !words.is_parameter("eval") && !words.is_parameter("wal"));
    }
}
