//! The page of modulators: what moves what, how far, its wave, its knobs; and adding one.

use std::collections::VecDeque;

use bevy_egui::egui::scroll_area::ScrollSource;
use bevy_egui::egui::{
    Align, Align2, Id as Name, Layout, Painter, Rect, RichText, ScrollArea, Shape, Stroke, StrokeKind, Ui, UiBuilder,
    pos2, vec2,
};

use super::grip::{Hand, field};
use super::look::{CARD, LINE, Look, left_of, right_of, wrapped};
use super::{about, list, row};
use crate::app::hud::{COOL, DIM, PLAIN, RED, WARM};
use crate::modulate::KINDS;
use crate::modulate::modulator::{Modulator, PREFIX};
use crate::modulate::source::{Kind, Knob, TextKey};
use crate::params::{Id, Params, Table, Target, Value};
use crate::patch::edit::dotted;
use crate::show::Show;

/// How many frames of a wave are kept.
const WAVE: usize = 180;
/// How far and how fast a new modulator moves.
const DEPTH: f64 = 0.2;

/// Parameters that are offered while a target is typed.
const OFFERED: usize = 6;

/// How long a new one takes for one cycle or step, in beats.
const BEATS: f64 = 8.0;
/// Signals of the sound, and what an entry that follows one needs.
const SIGNALS: [(&str, &str); 9] = [
    ("audio.bass", ", smooth = 0.1"),
    ("audio.mid", ", smooth = 0.1"),
    ("audio.high", ", smooth = 0.1"),
    ("audio.level", ", smooth = 0.1"),
    ("audio.kick", ""),
    ("audio.snare", ""),
    ("audio.hat", ""),
    ("audio.onset", ""),
    ("audio.beat", ""),
];

/// A source that can be chosen, and what its entry needs besides a target.
#[derive(Clone, Debug)]
struct Offer {
    word: &'static str,
    needs: String,
    /// What has to be written for it.
    text: Option<&'static TextKey>,
}

/// The sources on buttons: those of every kind. Presets may follow any signal.
fn offers() -> Vec<Offer> {
    let of_kind = |kind: &&'static Kind| -> Vec<Offer> {
        let offer = |word: &&'static str| Offer { word, needs: needs(kind), text: kind.text };
        kind.words.iter().map(offer).collect()
    };
    let signal = |&(word, needs): &(&'static str, &str)| Offer { word, needs: needs.to_owned(), text: None };
    KINDS.iter().flat_map(of_kind).chain(SIGNALS.iter().map(signal)).collect()
}

/// The knobs that an entry of a kind must have: of each choice one, in beats if it can be.
fn needs(kind: &Kind) -> String {
    let choices = kind.knobs.iter().filter(|group| group.len() > 1);
    let one = |group: &&[Knob]| match group.iter().find(|knob| knob.name == "beats") {
        Some(beats) => format!(", {} = {BEATS:?}", beats.name),
        None => format!(", {} = {:?}", group[0].name, group[0].default),
    };
    choices.map(one).collect()
}

/// What the page remembers.
pub(super) struct Modulation {
    /// The table that `rows` were found for.
    made: Option<u64>,
    cards: Vec<Card>,
    /// What live code moves, and the targets that this was made from.
    coded: Vec<Coded>,
    bound: Vec<Target>,
    offers: Vec<Offer>,
    /// The source of the next one, by its place in `offers`.
    source: usize,
    /// What is written for it, if its kind takes a text.
    text: String,
    /// Its target, as typed.
    to: String,
    found: Found,
}

impl Default for Modulation {
    fn default() -> Self {
        Modulation {
            made: None,
            cards: Vec::new(),
            coded: Vec::new(),
            bound: Vec::new(),
            offers: offers(),
            source: 0,
            text: String::new(),
            to: String::new(),
            found: Found::default(),
        }
    }
}

/// A parameter, or the members of a family, that live code moves.
#[derive(Clone, Debug, PartialEq)]
struct Coded {
    /// `/psi: code`, `/z: code, 512 of them`
    line: String,
    /// The first of them.
    target: Target,
    /// The line of code that lets go of them.
    release: String,
    /// Where the first was in the last frames, 0 to 1.
    wave: VecDeque<f32>,
}

/// What is bound, one for each parameter or family.
fn coded(bound: &[Target]) -> Vec<Coded> {
    let mut all: Vec<Coded> = Vec::new();
    for (at, target) in bound.iter().enumerate() {
        if bound[..at].iter().any(|before| before.id == target.id) {
            continue;
        }
        let family: Vec<Target> = bound.iter().filter(|other| other.id == target.id).copied().collect();
        let stem = target.id.def().address.trim_end_matches("/<n>");
        let line = match family.len() {
            1 => format!("{target}: code"),
            count => format!("{stem}: code, {count} of them"),
        };
        let release = family.iter().map(|target| format!("{} = nil\n", dotted(&target.to_string()))).collect();
        all.push(Coded { line, target: *target, release, wave: VecDeque::new() });
    }
    all
}

/// What a typed target names, until another is typed or the table changes.
#[derive(Default)]
struct Found {
    made: Option<(u64, String)>,
    targets: Vec<Target>,
    names: Vec<String>,
}

impl Found {
    fn follow(&mut self, typed: &str, params: &Params) {
        let version = params.table().version();
        if self.made.as_ref().is_some_and(|(known, text)| *known == version && text == typed) {
            return;
        }
        let groups = if typed.trim().is_empty() { Vec::new() } else { list::groups(params.table()) };
        self.targets = targets(typed, &groups, params);
        self.names = self.targets.iter().map(Target::to_string).collect();
        self.made = Some((version, typed.to_owned()));
    }
}

/// A modulator that plays.
struct Card {
    name: String,
    /// `sine → /psi, /walk/speed`
    line: String,
    depth: Option<Id>,
    rest: Vec<Id>,
    /// Its values in the last frames, 0 to 1.
    wave: VecDeque<f32>,
}

impl Modulation {
    /// Follows what live code has bound.
    fn follow_code(&mut self, bound: impl Iterator<Item = Target>, params: &Params) {
        let last = self.bound.len();
        self.bound.extend(bound);
        let is_same = self.bound[..last] == self.bound[last..];
        self.bound.drain(..last);
        if !is_same {
            let before = std::mem::replace(&mut self.coded, coded(&self.bound));
            for old in before {
                self.coded
                    .iter_mut()
                    .filter(|new| new.target == old.target)
                    .for_each(|new| new.wave.clone_from(&old.wave));
            }
        }
        for coded in &mut self.coded {
            // Triggers and texts have no place between two ends.
            if coded.target.id.def().default_number().is_some() {
                keep(&mut coded.wave, coded.target.id.def().to_travel(params.get(coded.target)) as f32);
            }
        }
    }

    fn follow<'a>(&mut self, playing: impl Iterator<Item = (&'a Modulator, f64)>, table: &Table) {
        let is_old = self.made != Some(table.version());
        let mut before = if is_old { std::mem::take(&mut self.cards) } else { Vec::new() };
        for (i, (modulator, value)) in playing.enumerate() {
            if is_old {
                let wave = before.iter_mut().find(|card| card.name == modulator.name);
                let wave = wave.map(|card| std::mem::take(&mut card.wave)).unwrap_or_default();
                self.cards.push(card(modulator, table, wave));
            }
            let Some(card) = self.cards.get_mut(i) else { break };
            keep(&mut card.wave, value as f32);
        }
        self.made = Some(table.version());
    }
}

/// Appends to a wave, and forgets what is older than it may be.
fn keep(wave: &mut VecDeque<f32>, value: f32) {
    if wave.len() == WAVE {
        wave.pop_front();
    }
    wave.push_back(value);
}

fn card(modulator: &Modulator, table: &Table, wave: VecDeque<f32>) -> Card {
    let mut rows: Vec<Id> = modulator.knobs().filter_map(|knob| table.row(&modulator.address(knob))).collect();
    let depth = (!rows.is_empty()).then(|| rows.remove(0));
    let targets: Vec<String> = modulator.to.iter().map(Target::to_string).collect();
    let line = format!("{} → {}", modulator.word, targets.join(", "));
    Card { name: modulator.name.clone(), line, depth, rest: rows, wave }
}

/// The value of `/mod/add` for a source, what is written for it, and a target, under a name that is free.
fn entry(offer: &Offer, text: &str, to: Target, is_taken: impl Fn(&str) -> bool) -> String {
    // A name is made of letters, digits, - and _.
    let word = offer.word.rsplit('.').next().unwrap_or(offer.word);
    let stem: String = format!("{word}{}", to.to_string().replace('/', "-")).chars().take(28).collect();
    let numbered = (2..).map(|n| format!("{stem}-{n}"));
    let name = std::iter::once(stem.clone()).chain(numbered).find(|name| !is_taken(name)).unwrap_or_default();
    let text = offer.text.map(|key| format!(", {} = {text:?}", key.name)).unwrap_or_default();
    format!("{name} = {{ source = \"{}\"{}{text}, to = \"{to}\", depth = {DEPTH} }}", offer.word, offer.needs)
}

/// What a typed target names: an address in full, or the first parameters that a search finds.
fn targets(typed: &str, groups: &[list::Group], params: &Params) -> Vec<Target> {
    let can_move = |target: &Target| target.id.def().learnable && target.id.def().default_number().is_some();
    if let Some(target) = params.table().resolve(typed.trim()).filter(can_move) {
        return vec![target];
    }
    if typed.trim().is_empty() {
        return Vec::new();
    }
    let view = list::View { search: typed.to_owned(), ..list::View::default() };
    let found = list::items(groups, &view, |id| id.def().count).into_iter().filter_map(|item| match item {
        list::Item::Row(target) => Some(target),
        _ => None,
    });
    found.filter(can_move).take(OFFERED).collect()
}

/// Draws the page.
pub(super) fn show(ui: &mut Ui, page: &mut Modulation, show: &Show, hand: &mut Hand<'_>) {
    let look = *hand.look;
    let area = ui.max_rect();
    page.follow(show.modulators(), show.params().table());
    page.follow_code(show.coded(), show.params());
    let foot = about::place(area, &look);
    let words = page.offers.iter().map(|offer| offer.word);
    let lines = wrapped(&look, words, area.width()).1;
    let texts = page.offers[page.source].text.iter().count();
    let form = look.row() * ((lines + texts) as f32 + 3.4);
    let add = Rect::from_min_max(pos2(area.min.x, foot.min.y - form), pos2(area.max.x, foot.min.y));
    let cards = area.with_max_y(add.min.y - look.gap());
    if page.cards.is_empty() && page.coded.is_empty() {
        let at = cards.with_max_y(cards.min.y + look.row());
        look.line(ui.painter(), at, Align2::LEFT_CENTER, "nothing moves by itself in this preset", DIM);
    }
    self::cards(ui, page, cards, hand);
    self::add(ui, page, add, hand);
    about::show(ui, foot, "what moves what · depth is a part of the parameter's range, negative turns it around", hand);
}

fn cards(ui: &mut Ui, page: &Modulation, rect: Rect, hand: &mut Hand<'_>) {
    let look = *hand.look;
    let mut inner = ui.new_child(UiBuilder::new().max_rect(rect).layout(Layout::top_down(Align::Min)));
    let scroll = ScrollArea::vertical().id_salt("modulators").auto_shrink(false);
    let scroll = scroll.scroll_source(ScrollSource::SCROLL_BAR | ScrollSource::MOUSE_WHEEL);
    scroll.show_viewport(&mut inner, |ui, _| {
        let width = rect.width() - look.size * 1.2;
        let left = ui.min_rect().min;
        let mut top = left.y;
        for card in &page.cards {
            let height = look.row() * (2.0 + card.rest.len() as f32) + look.gap();
            let at = Rect::from_min_size(pos2(left.x, top), vec2(width, height));
            if ui.is_rect_visible(at) {
                paint_card(ui, at, card, hand);
            }
            top += height + look.gap() * 2.0;
        }
        for coded in &page.coded {
            let at = Rect::from_min_size(pos2(left.x, top), vec2(width, look.row()));
            if ui.is_rect_visible(at) {
                paint_coded(ui, at, coded, hand);
            }
            top += look.row() + look.gap() * 2.0;
        }
        ui.set_height(top - left.y);
    });
}

/// What live code moves: its name, its wave, and a button that lets go of it.
fn paint_coded(ui: &Ui, rect: Rect, coded: &Coded, hand: &mut Hand<'_>) {
    let look = *hand.look;
    ui.painter().rect_filled(rect, look.round(), CARD);
    let (text, wave, close) = parts(rect, &look);
    if look.button(ui, close, ui.id().with(("let go", coded.target)), "×", false).clicked() {
        hand.write(Id::Eval, Value::Text(coded.release.clone()));
    }
    if ui.rect_contains_pointer(rect) {
        hand.grip.say(coded.line.clone(), "live code moves it, until other code does; × lets go of it");
    }
    paint_wave(ui.painter(), wave, &coded.wave);
    look.line(ui.painter(), text, Align2::LEFT_CENTER, &coded.line, WARM);
}

/// The first line of a card: its text, its wave, and the button at its right.
fn parts(head: Rect, look: &Look) -> (Rect, Rect, Rect) {
    let close = right_of(head, head.width() - look.size * 2.4).shrink(look.gap());
    let from = close.min.x - (look.size * 11.0).min(head.width() * 0.25);
    let wave = Rect::from_min_max(pos2(from, head.min.y), pos2(close.min.x, head.max.y));
    let text = head.with_max_x(wave.min.x).shrink2(vec2(look.size * 0.5, 0.0));
    (text, wave.shrink(look.gap()), close)
}

/// One modulator: its name, what it moves, its wave, and its knobs.
fn paint_card(ui: &mut Ui, rect: Rect, card: &Card, hand: &mut Hand<'_>) {
    let look = *hand.look;
    ui.painter().rect_filled(rect, look.round(), CARD);
    let head = rect.with_max_y(rect.min.y + look.row());
    let (text, wave, close) = parts(head, &look);
    let response = look.button(ui, close, ui.id().with(("remove", &card.name)), "×", false);
    if response.clicked() {
        hand.write(Id::ModRemove, Value::Text(card.name.clone()));
    }
    if response.hovered() {
        hand.grip.say(format!("removes {}", card.name), Id::ModRemove.def().help);
    }
    paint_wave(ui.painter(), wave, &card.wave);
    let name = look.line(ui.painter(), left_of(text, text.width() * 0.4), Align2::LEFT_CENTER, &card.name, WARM);
    let line = text.with_min_x(name.max.x + look.size);
    look.line(ui.painter(), line, Align2::LEFT_CENTER, &card.line, PLAIN);
    for (i, id) in card.depth.iter().chain(&card.rest).enumerate() {
        let from = pos2(rect.min.x + look.size * 0.5, head.max.y + look.row() * i as f32);
        let at = Rect::from_min_size(from, vec2(rect.width() - look.size, look.row()));
        let label = id.def().address.strip_prefix(PREFIX).and_then(|rest| rest.split_once('/')).map(|(_, knob)| knob);
        row::show(ui, at, (*id).into(), label.unwrap_or_default(), hand);
    }
}

/// The last frames of a wave, the newest at the right.
fn paint_wave(painter: &Painter, rect: Rect, wave: &VecDeque<f32>) {
    painter.hline(rect.x_range(), rect.center().y, (1.0, LINE));
    let step = rect.width() / (WAVE - 1) as f32;
    let from = rect.max.x - step * wave.len().saturating_sub(1) as f32;
    let at =
        |(i, value): (usize, &f32)| pos2(from + step * i as f32, rect.max.y - rect.height() * value.clamp(0.0, 1.0));
    let points: Vec<_> = wave.iter().enumerate().map(at).collect();
    if let Some(last) = points.last().copied() {
        painter.add(Shape::line(points, Stroke::new(1.5, COOL)));
        painter.circle_filled(last, 3.0, COOL);
    }
}

/// The form at the bottom: a source, a target, and the button that adds the modulator.
fn add(ui: &mut Ui, page: &mut Modulation, rect: Rect, hand: &mut Hand<'_>) {
    let look = *hand.look;
    ui.painter().hline(rect.x_range(), rect.min.y, (1.0, LINE));
    let head = Rect::from_min_size(rect.min, vec2(rect.width(), look.row()));
    look.note(ui.painter(), head, Align2::LEFT_CENTER, "add: what moves", DIM);
    let mut top = head.max.y;
    let (places, lines) = wrapped(&look, page.offers.iter().map(|offer| offer.word), rect.width());
    for (i, place) in places {
        let at = place.translate(vec2(rect.min.x, top));
        let word = page.offers[i].word;
        if look.button(ui, at, ui.id().with(("source", i)), word, i == page.source).clicked() && i != page.source {
            page.source = i;
            page.offers[i].text.map_or("", |key| key.example).clone_into(&mut page.text);
        }
    }
    top += look.row() * lines as f32;
    let is_written = match page.offers[page.source].text {
        Some(key) => {
            let line = Rect::from_min_size(pos2(rect.min.x, top), vec2(rect.width(), look.row()));
            top += look.row();
            written(ui, line, key, &mut page.text, hand)
        }
        None => true,
    };
    let line = Rect::from_min_size(pos2(rect.min.x, top + look.gap()), vec2(rect.width(), look.row()));
    let hint = RichText::new("which parameter: type a part of its name").font(look.font());
    let edit = field(&mut page.to, Name::new("target of a modulator"), &look).hint_text(hint);
    let response = ui.put(line, edit.desired_width(line.width()));
    hand.grip.is_typing |= response.has_focus();
    page.found.follow(&page.to, hand.params);
    let Found { targets: found, names, .. } = &page.found;
    let is_entered = response.lost_focus() && ui.input(|input| input.key_pressed(bevy_egui::egui::Key::Enter));
    let mut chosen = found.first().copied().filter(|_| is_entered && is_written);
    let (places, lines) = wrapped(&look, names.iter().map(String::as_str), line.width());
    for (i, place) in places.into_iter().filter(|(_, place)| lines == 1 || place.min.y < look.row()) {
        let at = place.translate(vec2(rect.min.x, line.max.y + look.gap()));
        if look.button(ui, at, ui.id().with(("target", i)), &names[i], false).clicked() && is_written {
            chosen = Some(found[i]);
        }
    }
    if let Some(target) = chosen {
        let table = hand.params.table();
        let is_taken = |name: &str| table.row(&format!("{PREFIX}{name}/depth")).is_some();
        let text = entry(&page.offers[page.source], page.text.trim(), target, is_taken);
        hand.write(Id::ModAdd, Value::Text(text));
        page.to.clear();
    }
}

/// The text that a source takes, after its name. Whether it is valid; if not, the foot says why.
fn written(ui: &mut Ui, line: Rect, key: &TextKey, text: &mut String, hand: &mut Hand<'_>) -> bool {
    let look = *hand.look;
    let label = left_of(line, look.width_of(key.name) + look.size);
    look.line(ui.painter(), label, Align2::LEFT_CENTER, key.name, DIM);
    let edit = field(text, Name::new("text of a modulator"), &look);
    let at = right_of(line, label.width()).shrink2(vec2(0.0, look.gap() * 0.5));
    let response = ui.put(at, edit.desired_width(at.width()));
    hand.grip.is_typing |= response.has_focus();
    let checked = (key.check)(text.trim());
    if let Err(why) = &checked {
        ui.painter().rect_stroke(at, look.round(), Stroke::new(1.5, RED), StrokeKind::Inside);
        hand.grip.say(format!("{} is not complete", key.name), why);
    }
    checked.is_ok()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::patch::preset::Preset;

    #[test]
    fn every_kind_is_offered_as_an_entry_that_a_preset_takes() {
        let offers = offers();
        let mut offered = Vec::new();
        for offer in &offers {
            let example = offer.text.map_or("", |key| key.example);
            let text = entry(offer, example, Id::WalkSpeed.into(), |_| false);
            let preset = Preset::parse(&format!("[mod]\n{text}"), Path::new("p.toml")).unwrap_or_else(|error| {
                panic!("{text}: {error}");
            });
            let modulator = &preset.modulators[0];
            assert_eq!((&*modulator.to, &*modulator.text), (&[Id::WalkSpeed.into()][..], example), "{text}");
            offered.push(modulator.kind);
        }
        assert!(KINDS.iter().all(|kind| offered.contains(kind)), "{offers:?}");
    }

    #[test]
    fn a_second_one_has_another_name() {
        let sine = &offers()[0];
        let first = entry(sine, "", Id::Psi.into(), |_| false);
        assert!(first.starts_with("sine-psi = "), "{first}");
        let second = entry(sine, "", Id::Psi.into(), |name| name == "sine-psi");
        assert!(second.starts_with("sine-psi-2 = "), "{second}");
    }

    #[test]
    fn what_code_moves_is_named_once_and_can_be_let_go() {
        let z = |index| Target { id: Id::Z, index };
        let found = coded(&[Id::Psi.into(), z(0), Id::WalkSpeed.into(), z(3)]);
        let lines: Vec<&str> = found.iter().map(|coded| coded.line.as_str()).collect();
        assert_eq!(lines, ["/psi: code", "/z: code, 2 of them", "/walk/speed: code"]);
        assert_eq!(found[1].release, "z[0] = nil\nz[3] = nil\n");
        assert_eq!(coded(&[z(7)])[0].line, "/z/7: code");
        let (mut page, params, psi) = (Modulation::default(), Params::default(), Id::Psi.into());
        page.follow_code(std::iter::once(psi), &params);
        page.follow_code([psi, z(0)].into_iter(), &params);
        let waves: Vec<usize> = page.coded.iter().map(|coded| coded.wave.len()).collect();
        assert_eq!(waves, [2, 1], "the first goes on");
        page.follow_code(std::iter::empty(), &params);
        assert!(page.coded.is_empty());
    }

    #[test]
    fn a_target_is_found_by_a_part_of_its_name() {
        let params = Params::default();
        let groups = list::groups(params.table());
        let found = |typed: &str| targets(typed, &groups, &params).iter().map(Target::to_string).collect::<Vec<_>>();
        assert_eq!(found("/psi"), ["/psi"], "in full: only that one");
        assert_eq!(found("walk spe")[0], "/walk/speed");
        assert_eq!(found("/z/3"), ["/z/3"]);
        assert!(found("e").len() == OFFERED && found("").is_empty());
        assert!(found("network").iter().all(|name| name != "/network"), "texts do not move");
    }
}
