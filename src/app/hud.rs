//! The HUD: what is played, in a corner of the control window, and the lines that need attention.
//!
//! [`rows`] has the text, in a fixed number of columns so that nothing moves as digits change; the rest paints it.
//! Painted by egui on the control window only; it takes no input and never covers the whole picture.

use bevy_egui::egui::epaint::text::{LayoutJob, TextFormat};
use bevy_egui::egui::{Align2, Color32, FontFamily, FontId, Painter, Pos2, Rect, Vec2};

use super::meters::{self, meters};
use super::stage::Rate;
use crate::control::keys::Key;
use crate::image::words::Place;
use crate::params::{Id, Params, Target, TimeBase};
use crate::show::{Show, Summary};

/// Columns of the panel, and of the labels on its left.
const COLUMNS: usize = 42;
const LABEL: usize = 10;
/// The column of the four beat dots, in the tempo row.
const BEATS: usize = 22;
/// How many modulated parameters are listed.
const MODULATED: usize = 4;
/// Largest part of the window's width and height that the panel may take.
const LARGEST: Vec2 = Vec2::new(0.5, 0.6);

/// Behind all text: dark enough that every colour below can be read on it over a white picture.
pub(super) const PANEL: Color32 = Color32::from_rgba_premultiplied(8, 8, 11, 247);
pub(super) const DIM: Color32 = Color32::from_rgb(166, 170, 178);
pub(super) const PLAIN: Color32 = Color32::from_rgb(232, 234, 238);
pub(super) const WARM: Color32 = Color32::from_rgb(255, 186, 84);
pub(super) const COOL: Color32 = Color32::from_rgb(126, 200, 255);
pub(super) const RED: Color32 = Color32::from_rgb(255, 112, 100);

/// One line: its label, its text, and whether it needs attention.
#[derive(Clone, Debug, PartialEq)]
struct Row {
    label: &'static str,
    text: String,
    warm: bool,
}

/// Truncates (with an ellipsis) or pads to exactly `columns` characters. Line breaks become spaces.
pub(super) fn fitted(text: &str, columns: usize) -> String {
    let clean = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    if text.chars().count() <= columns {
        return format!("{:<columns$}", clean.collect::<String>());
    }
    clean.take(columns.saturating_sub(1)).chain(['…']).collect()
}

/// A count in at most five characters: 12345, then 123k, 12M.
fn count(n: u64) -> String {
    match n {
        0..100_000 => n.to_string(),
        100_000..10_000_000 => format!("{}k", n / 1000),
        _ => format!("{}M", (n / 1_000_000).min(9999)),
    }
}

fn ports(ports: &[String]) -> String {
    match ports {
        [] => "none".to_owned(),
        [only] => only.clone(),
        [first, rest @ ..] => {
            let more = format!(" and {} more", rest.len());
            let room = COLUMNS - LABEL - more.len();
            format!("{}{more}", fitted(first, room.min(first.chars().count())))
        }
    }
}

/// What is played beside the parameters, in words.
#[derive(Clone, Debug, Default, PartialEq)]
struct Playing {
    /// The styles of the style network, if one paints.
    styles: Vec<String>,
    /// The chain of effects.
    effects: Vec<String>,
}

impl Playing {
    fn of(show: &Show) -> Self {
        let is_painting = !show.params().text(Id::StyleNetwork).is_empty();
        Playing {
            styles: if is_painting { show.styles().to_vec() } else { Vec::new() },
            effects: show.effects().iter().map(|entry| entry.name.clone()).collect(),
        }
    }
}

/// Pictures per second below which the engine is too slow for a show.
const SLOW_PICTURES: f32 = 8.0;

/// The text of the panel: what is played, then what is heard, and what is measured only where something is wrong.
fn rows(status: &Summary, playing: &Playing, params: &Params, rate: &Rate) -> Vec<Row> {
    let row = |label, text: String| Row { label, text: fitted(&text, COLUMNS - LABEL), warm: false };
    let per = match params.get_choice(Id::WalkSync) {
        TimeBase::Seconds => "/s",
        TimeBase::Beats => "/beat",
    };
    let mut rows = vec![
        row("preset", status.preset.clone()),
        row("network", status.network.clone()),
        row("seed", format!("{:<10}  psi {:>5.2}", params.int(Id::Seed), params.get(Id::Psi))),
        row("walk", format!("{:<10}  speed {:>+5.2} {per}", params.choice(Id::WalkKind), params.get(Id::WalkSpeed))),
    ];
    if !playing.styles.is_empty() {
        rows.push(row("style", styles(&playing.styles, params)));
        let turn = params.get(Id::FeedbackRotate);
        let turn = if turn == 0.0 { String::new() } else { format!("  turn {turn:+.0}°/s") };
        let (feedback, zoom) = (params.get(Id::StyleFeedback), params.get(Id::FeedbackZoom));
        rows.push(row("feedback", format!("{feedback:.2}  zoom {zoom:.2}/s{turn}")));
    }
    if !playing.effects.is_empty() {
        rows.push(row("effects", playing.effects.join(", ")));
    }
    rows.push(row("tempo", format!("{:>5.1} bpm{:>22}", status.bpm, status.tempo_from)));
    rows.extend(status.timecode.iter().map(|timecode| row("timecode", timecode.clone())));
    for device in status.devices.iter().filter(|device| !device.open.is_empty()) {
        rows.push(row(device.name, ports(&device.open)));
        if device.name == "audio" {
            rows.push(row(meters::LABEL, meters::NAMES.to_owned()));
        }
    }
    rows.extend(params.moved().take(MODULATED).map(|target| row("moves", place(target, params))));
    if !status.last_message.is_empty() {
        rows.push(row("last", status.last_message.clone()));
    }
    rows.extend(wrong(status, rate).into_iter().map(|(label, text)| Row { warm: true, ..row(label, text) }));
    rows.push(row("keys", "? all  Tab stage  H hides".to_owned()));
    rows
}

/// The styles that play, each with its share.
fn styles(names: &[String], params: &Params) -> String {
    let name = |id: Id| names[params.int(id).rem_euclid(names.len() as i64) as usize].as_str();
    let share = (params.get(Id::StyleBlend) * 100.0).round();
    match (name(Id::StyleA), name(Id::StyleB)) {
        (a, b) if a == b || share == 0.0 => a.to_owned(),
        (_, b) if share == 100.0 => b.to_owned(),
        (a, b) => format!("{a} {:.0}  {b} {share:.0}", 100.0 - share),
    }
}

/// What is wrong with the machine: labels and texts.
fn wrong(status: &Summary, rate: &Rate) -> Vec<(&'static str, String)> {
    let mut rows = Vec::new();
    if rate.is_slow() {
        rows.push(("window", format!("{:>5.1} fps", rate.per_sec())));
    }
    if status.pictures_per_sec > 0.0 && status.pictures_per_sec < SLOW_PICTURES {
        let [width, height] = status.resolution;
        let ms = status.synthesis_ms;
        rows.push(("pictures", format!("{:.1} /s  {ms:.0} ms  {width}x{height}", status.pictures_per_sec)));
        rows.push(("engine", status.engine.clone()));
    }
    if status.dropped > 0 || status.refused > 0 {
        let (lost, bad) = (count(status.dropped), count(status.refused));
        rows.push(("messages", format!("{:>5} in {lost:>5} lost {bad:>5} bad", count(status.received))));
    }
    rows
}

/// A modulated parameter and its travel, with the knob's place `|` and what plays `●`.
fn place(target: Target, params: &Params) -> String {
    const TRACK: usize = 16;
    let def = target.id.def();
    let column = |travel: f64| (travel.clamp(0.0, 1.0) * (TRACK - 1) as f64).round() as usize;
    let (base, plays) = (column(params.travel(target)), column(def.to_travel(params.get(target))));
    let mark = |i| match i {
        _ if i == plays => '●',
        _ if i == base => '|',
        _ => '·',
    };
    format!("{} {}", fitted(&target.to_string(), COLUMNS - LABEL - TRACK - 1), (0..TRACK).map(mark).collect::<String>())
}

/// The size of a character of the monospace font, in points.
pub(super) fn character(painter: &Painter, size: f32) -> Vec2 {
    painter.layout_no_wrap("0".repeat(16), mono(size), PLAIN).size() / Vec2::new(16.0, 1.0)
}

pub(super) fn mono(size: f32) -> FontId {
    FontId::new(size, FontFamily::Monospace)
}

/// Paints the panel in the top left corner, or at the bottom where words for the audience are at the top.
pub(super) fn panel(painter: &Painter, show: &Show, status: &Summary, rate: &Rate) {
    let anchor = if show.words_at() == Some(Place::Top) { Align2::LEFT_BOTTOM } else { Align2::LEFT_TOP };
    paint(painter, status, &rows(status, &Playing::of(show), show.params(), rate), anchor);
}

fn paint(painter: &Painter, status: &Summary, rows: &[Row], anchor: Align2) {
    let screen = painter.clip_rect();
    let mut size = (screen.height() / 54.0).clamp(9.0, 20.0);
    let margin = Vec2::splat(size * 0.8);
    let room = screen.size() * LARGEST - margin * 2.0;
    let cell = character(painter, size);
    let wanted = Vec2::new(cell.x * COLUMNS as f32, cell.y * rows.len() as f32);
    size *= (room / wanted).min_elem().clamp(0.1, 1.0);
    let cell = character(painter, size);

    let size_of_text = Vec2::new(cell.x * COLUMNS as f32, cell.y * rows.len() as f32);
    let inner = anchor.align_size_within_rect(size_of_text, screen.shrink2(margin * 2.0));
    painter.rect_filled(inner.expand2(margin), size * 0.6, PANEL);
    for (line, row) in rows.iter().enumerate() {
        let at = inner.min + Vec2::new(0.0, cell.y * line as f32);
        if row.label == meters::LABEL {
            meters(painter, at + Vec2::new(cell.x * LABEL as f32, 0.0), cell, &status.heard);
        }
        let mut job = LayoutJob::default();
        let text = if row.warm { WARM } else { PLAIN };
        job.append(&fitted(row.label, LABEL), 0.0, TextFormat::simple(mono(size), DIM));
        job.append(&row.text, 0.0, TextFormat::simple(mono(size), text));
        painter.galley(at, painter.layout_job(job), PLAIN);
        if row.label == "tempo" {
            beats(painter, at + cell * Vec2::new(BEATS as f32 + 1.0, 0.5), cell, status.beat);
        }
    }
}

/// Four dots, with the current beat lit and fading until the next.
fn beats(painter: &Painter, first: Pos2, cell: Vec2, beat: f64) {
    let running = beat.rem_euclid(4.0);
    for dot in 0..4u8 {
        let since = running - f64::from(dot);
        let glow = if (0.0..1.0).contains(&since) { 1.0 - 0.7 * since as f32 } else { 0.0 };
        let colour = DIM.gamma_multiply(0.4).lerp_to_gamma(WARM, glow);
        painter.circle_filled(first + Vec2::new(cell.x * 2.0 * f32::from(dot), 0.0), cell.y * 0.24, colour);
    }
}

/// What needs attention besides errors, with what stands before each, and its colour.
fn needs(status: &Summary) -> [(&Option<String>, &'static str, Color32); 8] {
    [
        (&status.notice, "", WARM),
        (&status.learning, "", COOL),
        (&status.pending, "", COOL),
        (&status.loading, "loading ", COOL),
        (&status.recording, "● recording ", RED),
        (&status.take, "● ", RED),
        (&status.streaming, "● streaming to ", RED),
        (&status.sharing, "● sharing ", COOL),
    ]
}

/// Whether anything needs attention.
pub(super) fn has_notes(status: &Summary) -> bool {
    !status.faults.is_empty() || needs(status).iter().any(|(text, ..)| text.is_some())
}

/// How many errors are shown at once.
const MOST_FAULTS: usize = 3;

/// The errors, the newest first, with how they are put away behind the last one.
fn faults(faults: &[String], key: Option<Key>) -> Vec<String> {
    let mut lines: Vec<String> = faults.iter().take(MOST_FAULTS).cloned().collect();
    let more = faults.len() - lines.len();
    if let Some(last) = lines.last_mut() {
        let key = key.map(|key| if key == Key::Escape { "Esc".to_owned() } else { key.to_string() });
        let read = key.map_or("a click: read".to_owned(), |key| format!("{key} or a click: read"));
        let and = if more > 0 { format!("and {more} more   ") } else { String::new() };
        *last = format!("{last}   {and}({read})");
    }
    lines
}

/// Where lines for the player stand: away from the words for the audience.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stands {
    /// In the middle, one above the other.
    Bottom,
    /// At the bottom right, beside the HUD.
    Corner,
    /// At the right, where the HUD and the editor leave room, one below the other.
    Top,
}

impl Stands {
    /// Beside words there, or none, and beside the HUD if it is shown.
    pub fn beside(words: Option<Place>, has_hud: bool) -> Stands {
        match words {
            Some(Place::Bottom) => Stands::Top,
            Some(Place::Top) if has_hud => Stands::Corner,
            _ => Stands::Bottom,
        }
    }

    /// The part of the width that a line may take.
    fn widest(self) -> f32 {
        if self == Stands::Bottom { 0.8 } else { 0.46 }
    }
}

/// Paints what needs attention: what is wrong, the notice, loading and recording. `key` says that errors were read. Returns where
/// the errors stand, to be clicked.
pub(super) fn notes(painter: &Painter, status: &Summary, key: Option<Key>, stands: Stands) -> Option<Rect> {
    let needs = needs(status).into_iter();
    let needs = needs.filter_map(|(text, before, colour)| Some((format!("{before}{}", text.as_ref()?), colour, false)));
    let faults = faults(&status.faults, key).into_iter().map(|line| (line, RED, true));
    // From the top: the newest error is above the others.
    let lines: Vec<_> = needs.rev().chain(faults).collect();
    let (screen, size) = (painter.clip_rect(), note_size(painter));
    let mut clicked: Option<Rect> = None;
    let mut paint = |(text, colour, is_fault): (String, Color32, bool), edge: f32| {
        let plate = note(painter, text, colour, stands, edge);
        if is_fault {
            clicked = Some(clicked.map_or(plate, |known| known.union(plate)));
        }
        plate
    };
    match stands {
        Stands::Bottom | Stands::Corner => {
            lines.into_iter().rev().fold(screen.max.y - size, |edge, line| paint(line, edge).min.y - size * 0.4);
        }
        Stands::Top => {
            lines.into_iter().fold(screen.min.y + size, |edge, line| paint(line, edge).max.y + size * 0.4);
        }
    }
    clicked
}

fn note_size(painter: &Painter) -> f32 {
    (painter.clip_rect().height() / 50.0).clamp(12.0, 22.0)
}

/// Paints one line that ends at `edge`, or begins there at the top; returns its plate.
fn note(painter: &Painter, text: String, colour: Color32, stands: Stands, edge: f32) -> Rect {
    let (screen, size) = (painter.clip_rect(), note_size(painter));
    let mut job = LayoutJob::simple(text, mono(size), colour, screen.width() * stands.widest());
    job.wrap.max_rows = 3;
    let pad = Vec2::new(size, size * 0.4);
    let (anchor, at) = match stands {
        Stands::Bottom => (Align2::CENTER_BOTTOM, Pos2::new(screen.center().x, edge - pad.y)),
        Stands::Corner => (Align2::RIGHT_BOTTOM, Pos2::new(screen.max.x - size - pad.x, edge - pad.y)),
        Stands::Top => (Align2::RIGHT_TOP, Pos2::new(screen.max.x - size - pad.x, edge + pad.y)),
    };
    job.halign = anchor.x();
    let galley = painter.layout_job(job);
    let area = anchor.anchor_size(at, galley.size());
    let plate = area.expand2(pad);
    painter.rect_filled(plate, size * 0.5, PANEL);
    painter.galley(Pos2::new(at.x, area.min.y), galley, colour);
    plate
}

/// Paints one short line on a plate, and returns that.
pub(super) fn saying(painter: &Painter, area: Rect, stands: Stands, text: &str) -> Rect {
    let (anchor, at) = match stands {
        Stands::Bottom => (Align2::CENTER_BOTTOM, area.center_bottom() - Vec2::new(0.0, 18.0)),
        Stands::Corner => (Align2::RIGHT_BOTTOM, area.right_bottom() - Vec2::new(28.0, 18.0)),
        Stands::Top => (Align2::RIGHT_TOP, area.right_top() + Vec2::new(-28.0, 18.0)),
    };
    let size = 14.0;
    let galley = painter.layout_no_wrap(text.to_owned(), FontId::new(size, FontFamily::Proportional), PLAIN);
    let area = anchor.anchor_size(at, galley.size());
    let plate = area.expand2(Vec2::new(size, size * 0.5));
    painter.rect_filled(plate, size, PANEL);
    painter.galley(area.min, galley, PLAIN);
    plate
}

#[cfg(test)]
mod test {
    use bevy_egui::egui::{Context, LayerId, RawInput};

    use super::*;
    use crate::control::DeviceStatus;

    fn status() -> Summary {
        Summary {
            network: "a network with a name that is far too long for a panel".to_owned(),
            devices: vec![DeviceStatus {
                name: "midi",
                open: vec!["a controller with an even longer name than that".to_owned(), "two".to_owned()],
                ..DeviceStatus::default()
            }],
            last_message: "/z [0.1,\n0.2]".to_owned(),
            ..Summary::default()
        }
    }

    fn rate() -> Rate {
        Rate::new(std::time::Instant::now())
    }

    fn rows_of(status: &Summary, params: &Params) -> Vec<Row> {
        rows(status, &Playing::default(), params, &rate())
    }

    #[test]
    fn every_row_fills_its_columns_whatever_the_figures() {
        let mut status = status();
        let few = rows_of(&status, &Params::default());
        (status.received, status.dropped, status.refused) = (u64::MAX, 123_456, 99_999);
        (status.synthesis_ms, status.pictures_per_sec, status.bpm) = (1234.5, 0.7, 400.0);
        let many = rows_of(&status, &Params::default());
        for row in few.iter().chain(&many) {
            assert_eq!(row.text.chars().count(), COLUMNS - LABEL, "{row:?}");
            assert!(row.label.len() < LABEL && !row.text.contains('\n'), "{row:?}");
        }
        assert!(!few.iter().any(|row| row.warm), "nothing is measured while all is well");
        let warm: Vec<&str> = many.iter().filter(|row| row.warm).map(|row| row.label).collect();
        assert_eq!(warm, ["pictures", "engine", "messages"]);
    }

    #[test]
    fn what_is_played_comes_first_and_in_words() {
        let mut params = Params::default();
        let names = ["starry", "wave", "scream"].map(str::to_owned);
        let playing = Playing { styles: names.to_vec(), effects: vec!["trails".to_owned(), "glow".to_owned()] };
        for (id, value) in [(Id::StyleB, 1.0), (Id::StyleBlend, 0.4)] {
            params.write(id.into(), &crate::params::Value::Float(value)).unwrap();
        }
        params.settle();
        let rows = rows(&status(), &playing, &params, &rate());
        let text = |label: &str| rows.iter().find(|row| row.label == label).map(|row| row.text.trim_end());
        assert_eq!(rows[0].label, "preset");
        assert_eq!(text("style"), Some("starry 60  wave 40"));
        assert_eq!(text("feedback"), Some("0.40  zoom 1.12/s"));
        assert_eq!(text("effects"), Some("trails, glow"));
    }

    #[test]
    fn the_newest_errors_are_shown_with_how_they_are_put_away() {
        let lines = |count: usize| (0..count).map(|i| format!("error {i}")).collect::<Vec<_>>();
        assert!(faults(&[], Some(Key::Escape)).is_empty());
        assert_eq!(faults(&lines(1), Some(Key::Escape)), ["error 0   (Esc or a click: read)"]);
        let five = faults(&lines(5), Some(Key::Function(2)));
        assert_eq!(five, ["error 0", "error 1", "error 2   and 2 more   (F2 or a click: read)"]);
        assert_eq!(faults(&lines(1), None), ["error 0   (a click: read)"]);
    }

    #[test]
    fn lines_for_the_player_stand_away_from_the_words_for_the_audience() {
        for (words, has_hud, is_at_top, is_right) in [
            (None, true, false, false),
            (Some(Place::Bottom), false, true, true),
            (Some(Place::Bottom), true, true, true),
            (Some(Place::Middle), false, false, false),
            (Some(Place::Top), false, false, false),
            (Some(Place::Top), true, false, true),
        ] {
            let ctx = Context::default();
            let screen = Rect::from_min_size(Pos2::ZERO, Vec2::new(1280.0, 720.0));
            ctx.begin_pass(RawInput { screen_rect: Some(screen), ..RawInput::default() });
            let painter = ctx.layer_painter(LayerId::background());
            let faults = vec!["no sound ".repeat(40), "no room".to_owned()];
            let status = Summary { notice: Some("saved".to_owned()), faults, ..Summary::default() };
            let plates = notes(&painter, &status, None, Stands::beside(words, has_hud)).expect("two errors");
            assert!(screen.contains_rect(plates), "{plates:?}");
            assert_eq!(plates.center().y < 240.0, is_at_top, "{words:?}: {plates:?}");
            assert_eq!(plates.center().y > 480.0, !is_at_top, "{words:?}: {plates:?}");
            assert_eq!(plates.min.x > 640.0, is_right, "{words:?}: {plates:?}");
            let _ = ctx.end_pass();
        }
    }

    #[test]
    fn every_colour_can_be_read_over_a_white_picture() {
        // Light is mixed as light; contrast as in WCAG 2.1, which asks for 4.5.
        let linear = |byte: u8| {
            let c = f64::from(byte) / 255.0;
            if c <= 0.04045 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) }
        };
        let luminance = |c: Color32| 0.2126 * linear(c.r()) + 0.7152 * linear(c.g()) + 0.0722 * linear(c.b());
        let behind = luminance(PANEL) + 1.0 - f64::from(PANEL.a()) / 255.0;
        for colour in [DIM, PLAIN, WARM, COOL, RED] {
            let contrast = (luminance(colour) + 0.05) / (behind + 0.05);
            assert!(contrast >= 4.5, "{colour:?}: {contrast:.2}");
        }
    }

    #[test]
    fn what_is_modulated_is_marked_beside_the_knobs_place() {
        let mut params = Params::default();
        params.modulate(&[(Id::StyleBlend.into(), 0.5), (Id::PsiCutoff.into(), -1.0)]);
        let rows = rows_of(&status(), &params);
        let moves: Vec<&str> = rows.iter().filter(|row| row.label == "moves").map(|row| row.text.as_str()).collect();
        assert_eq!(moves, ["/style/blend    |·······●·······", "/psi/cutoff     ●··············|"]);
    }

    #[test]
    fn long_names_are_cut_and_ports_counted() {
        assert_eq!(fitted("abc", 5), "abc  ");
        assert_eq!(fitted("abcdef", 5), "abcd…");
        assert_eq!(ports(&[]), "none");
        assert_eq!(ports(&["one".into(), "two".into(), "three".into()]), "one and 2 more");
        assert!(ports(&status().devices[0].open).ends_with("… and 1 more"));
        assert_eq!([count(12), count(99_999), count(100_000), count(u64::MAX)], ["12", "99999", "100k", "9999M"]);
    }
}
