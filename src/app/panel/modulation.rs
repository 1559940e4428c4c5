//! The page of modulators: what moves what, how far, its wave, its knobs; and adding one.

use std::collections::VecDeque;

use bevy_egui::egui::scroll_area::ScrollSource;
use bevy_egui::egui::{
    Align, Align2, Id as Name, Layout, Painter, Rect, RichText, ScrollArea, Shape, Stroke, Ui, UiBuilder, pos2, vec2,
};

use super::grip::{Hand, field};
use super::look::{CARD, LINE, left_of, right_of, wrapped};
use super::{about, list, row};
use crate::app::hud::{COOL, DIM, PLAIN, WARM};
use crate::modulate::modulator::{Modulator, PREFIX};
use crate::params::{Id, Params, Table, Target, Value};
use crate::show::Show;

/// How many frames of a wave are kept.
const WAVE: usize = 180;
/// How far and how fast a new modulator moves.
const DEPTH: f64 = 0.2;

/// Parameters that are offered while a target is typed.
const OFFERED: usize = 6;

/// A source that can be chosen, and what its entry needs besides a target.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Offer {
    word: &'static str,
    needs: &'static str,
}

const fn wave(word: &'static str) -> Offer {
    Offer { word, needs: "beats = 8.0" }
}

const fn sound(word: &'static str, needs: &'static str) -> Offer {
    Offer { word, needs }
}

/// The sources on buttons; presets may use all others.
const OFFERS: [Offer; 15] = [
    wave("sine"),
    wave("triangle"),
    wave("saw"),
    wave("square"),
    wave("sample-hold"),
    wave("smooth-random"),
    sound("audio.bass", "smooth = 0.1"),
    sound("audio.mid", "smooth = 0.1"),
    sound("audio.high", "smooth = 0.1"),
    sound("audio.level", "smooth = 0.1"),
    sound("audio.kick", ""),
    sound("audio.snare", ""),
    sound("audio.hat", ""),
    sound("audio.onset", ""),
    sound("audio.beat", ""),
];

/// What the page remembers.
#[derive(Default)]
pub(super) struct Modulation {
    /// The table that `rows` were found for.
    made: Option<u64>,
    cards: Vec<Card>,
    /// The source of the next one, by its place in [`OFFERS`].
    source: usize,
    /// Its target, as typed.
    to: String,
    found: Found,
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
            if card.wave.len() == WAVE {
                card.wave.pop_front();
            }
            card.wave.push_back(value as f32);
        }
        self.made = Some(table.version());
    }
}

fn card(modulator: &Modulator, table: &Table, wave: VecDeque<f32>) -> Card {
    let mut rows: Vec<Id> = modulator.knobs().filter_map(|knob| table.row(&modulator.address(knob))).collect();
    let depth = (!rows.is_empty()).then(|| rows.remove(0));
    let targets: Vec<String> = modulator.to.iter().map(Target::to_string).collect();
    let line = format!("{} → {}", modulator.word, targets.join(", "));
    Card { name: modulator.name.clone(), line, depth, rest: rows, wave }
}

/// The value of `/mod/add` for a source and a target, under a name that is free.
fn entry(offer: Offer, to: Target, is_taken: impl Fn(&str) -> bool) -> String {
    // A name is made of letters, digits, - and _.
    let word = offer.word.rsplit('.').next().unwrap_or(offer.word);
    let stem: String = format!("{word}{}", to.to_string().replace('/', "-")).chars().take(28).collect();
    let numbered = (2..).map(|n| format!("{stem}-{n}"));
    let name = std::iter::once(stem.clone()).chain(numbered).find(|name| !is_taken(name)).unwrap_or_default();
    let needs = if offer.needs.is_empty() { String::new() } else { format!(", {}", offer.needs) };
    format!("{name} = {{ source = \"{}\"{needs}, to = \"{to}\", depth = {DEPTH} }}", offer.word)
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
    let foot = about::place(area, &look);
    let words = OFFERS.iter().map(|offer| offer.word);
    let lines = wrapped(&look, words, area.width()).1;
    let form = look.row() * (lines as f32 + 3.4);
    let add = Rect::from_min_max(pos2(area.min.x, foot.min.y - form), pos2(area.max.x, foot.min.y));
    let cards = area.with_max_y(add.min.y - look.gap());
    if page.cards.is_empty() {
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
        ui.set_height(top - left.y);
    });
}

/// One modulator: its name, what it moves, its wave, and its knobs.
fn paint_card(ui: &mut Ui, rect: Rect, card: &Card, hand: &mut Hand<'_>) {
    let look = *hand.look;
    ui.painter().rect_filled(rect, look.round(), CARD);
    let head = rect.with_max_y(rect.min.y + look.row());
    let close = right_of(head, head.width() - look.size * 2.4).shrink(look.gap());
    let response = look.button(ui, close, ui.id().with(("remove", &card.name)), "×", false);
    if response.clicked() {
        hand.write(Id::ModRemove, Value::Text(card.name.clone()));
    }
    if response.hovered() {
        hand.grip.say(format!("removes {}", card.name), Id::ModRemove.def().help);
    }
    let wave = Rect::from_min_max(pos2(close.min.x - look.size * 11.0, head.min.y), pos2(close.min.x, head.max.y));
    paint_wave(ui.painter(), wave.shrink(look.gap()), &card.wave);
    let text = head.with_max_x(wave.min.x).shrink2(vec2(look.size * 0.5, 0.0));
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
    let (places, lines) = wrapped(&look, OFFERS.iter().map(|offer| offer.word), rect.width());
    for (i, place) in places {
        let at = place.translate(vec2(rect.min.x, top));
        if look.button(ui, at, ui.id().with(("source", i)), OFFERS[i].word, i == page.source).clicked() {
            page.source = i;
        }
    }
    top += look.row() * lines as f32;
    let line = Rect::from_min_size(pos2(rect.min.x, top + look.gap()), vec2(rect.width(), look.row()));
    let hint = RichText::new("which parameter: type a part of its name").font(look.font());
    let edit = field(&mut page.to, Name::new("target of a modulator"), &look).hint_text(hint);
    let response = ui.put(line, edit.desired_width(line.width()));
    hand.grip.is_typing |= response.has_focus();
    page.found.follow(&page.to, hand.params);
    let Found { targets: found, names, .. } = &page.found;
    let is_entered = response.lost_focus() && ui.input(|input| input.key_pressed(bevy_egui::egui::Key::Enter));
    let mut chosen = found.first().copied().filter(|_| is_entered);
    let (places, lines) = wrapped(&look, names.iter().map(String::as_str), line.width());
    for (i, place) in places.into_iter().filter(|(_, place)| lines == 1 || place.min.y < look.row()) {
        let at = place.translate(vec2(rect.min.x, line.max.y + look.gap()));
        if look.button(ui, at, ui.id().with(("target", i)), &names[i], false).clicked() {
            chosen = Some(found[i]);
        }
    }
    if let Some(target) = chosen {
        let table = hand.params.table();
        let is_taken = |name: &str| table.row(&format!("{PREFIX}{name}/depth")).is_some();
        let text = entry(OFFERS[page.source], target, is_taken);
        hand.write(Id::ModAdd, Value::Text(text));
        page.to.clear();
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::patch::preset::Preset;

    #[test]
    fn every_offer_is_an_entry_that_a_preset_takes() {
        for offer in OFFERS {
            let text = entry(offer, Id::WalkSpeed.into(), |_| false);
            let preset = Preset::parse(&format!("[mod]\n{text}"), Path::new("p.toml")).unwrap_or_else(|error| {
                panic!("{text}: {error}");
            });
            assert_eq!(preset.modulators[0].to, [Id::WalkSpeed.into()], "{text}");
        }
    }

    #[test]
    fn a_second_one_has_another_name() {
        let first = entry(OFFERS[0], Id::Psi.into(), |_| false);
        assert!(first.starts_with("sine-psi = "), "{first}");
        let second = entry(OFFERS[0], Id::Psi.into(), |name| name == "sine-psi");
        assert!(second.starts_with("sine-psi-2 = "), "{second}");
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
