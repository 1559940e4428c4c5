//! The HUD: the state of the show, in a corner of the control window.
//!
//! [`rows`] has the text, in a fixed number of columns so that nothing moves as digits change; the rest paints it.
//! Painted by egui on the control window only; it takes no input and never covers the whole picture.

use bevy::prelude::*;
use bevy_egui::egui::epaint::text::{LayoutJob, TextFormat};
use bevy_egui::egui::{self, Align2, Color32, FontFamily, FontId, Painter, Pos2, Rect, Vec2};
use bevy_egui::{EguiContexts, egui::LayerId};

use super::meters::{self, meters};
use super::{Player, editor, list, map, panel as pages};
use crate::params::{Id, Params, Target, TimeBase};
use crate::show::Summary;

/// Columns of the panel, and of the labels on its left.
const COLUMNS: usize = 42;
const LABEL: usize = 10;
/// The column of the four beat dots, in the tempo row.
const BEATS: usize = 22;
/// How many modulated parameters are listed.
const MODULATED: usize = 4;
/// Largest part of the window's width and height that the panel may take.
const LARGEST: Vec2 = Vec2::new(0.5, 0.6);

pub(super) const PANEL: Color32 = Color32::from_rgba_premultiplied(8, 8, 10, 208);
pub(super) const DIM: Color32 = Color32::from_rgb(160, 164, 172);
pub(super) const PLAIN: Color32 = Color32::from_rgb(232, 234, 238);
pub(super) const WARM: Color32 = Color32::from_rgb(255, 186, 84);
pub(super) const COOL: Color32 = Color32::from_rgb(126, 200, 255);
pub(super) const RED: Color32 = Color32::from_rgb(255, 92, 82);

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
            let more = format!(" +{}", rest.len());
            let room = COLUMNS - LABEL - more.len();
            format!("{}{more}", fitted(first, room.min(first.chars().count())))
        }
    }
}

/// The text of the panel.
fn rows(status: &Summary, params: &Params, window_fps: f32) -> Vec<Row> {
    let row = |label, text: String| Row { label, text: fitted(&text, COLUMNS - LABEL), warm: false };
    let [width, height] = status.resolution;
    let per = match params.get_choice(Id::WalkSync) {
        TimeBase::Seconds => "/s",
        TimeBase::Beats => "/beat",
    };
    let mut rows = vec![
        row("window", format!("{window_fps:>5.1} fps")),
        row("pictures", format!("{:>5.1} /s  {:>6.1} ms", status.pictures_per_sec, status.synthesis_ms)),
        row("network", status.network.clone()),
        row("engine", format!("{}  {width} x {height}", status.engine)),
        row("preset", status.preset.clone()),
        row("seed", format!("{:<10}  psi {:>5.2}", params.int(Id::Seed), params.get(Id::Psi))),
        row("walk", format!("{:<10}  {:>+5.2} {per}", params.choice(Id::WalkKind), params.get(Id::WalkSpeed))),
        row("tempo", format!("{:>5.1} bpm{:>22}", status.bpm, status.tempo_from)),
    ];
    rows.extend(status.timecode.iter().map(|timecode| row("timecode", timecode.clone())));
    for device in &status.devices {
        rows.push(row(device.name, ports(&device.open)));
        if device.name == "audio" && !device.open.is_empty() {
            rows.push(row(meters::LABEL, meters::NAMES.to_owned()));
        }
    }
    rows.extend([
        row("last", status.last_message.clone()),
        Row {
            warm: status.dropped > 0 || status.refused > 0,
            ..row(
                "messages",
                format!(
                    "{:>5} in {:>5} lost {:>5} bad",
                    count(status.received),
                    count(status.dropped),
                    count(status.refused)
                ),
            )
        },
        row("skipped", format!("{:>5} pictures", count(status.skipped_pictures))),
    ]);
    rows.extend(params.moved().take(MODULATED).map(|target| row("moves", place(target, params))));
    rows.push(row("keys", "? all  L learn  M map  H hides".to_owned()));
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

/// Paints the HUD, or the list of keys instead.
pub(super) fn paint(mut contexts: EguiContexts, mut player: ResMut<Player>) {
    let Ok(ctx) = contexts.ctx_mut() else { return };
    let painter = ctx.layer_painter(LayerId::background());
    let player = &mut *player;
    if player.panel.is_shown() && !player.list_shown && !player.editor.is_shown() {
        let show = player.show.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner);
        notes(&painter, &show.status());
        pages::over(ctx, &mut player.panel, show, &mut player.pending);
        if player.panel.takes_editor() {
            player.editor.open(show);
        }
    } else if player.editor.is_shown() && !player.list_shown {
        let show = player.show.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner);
        notes(&painter, &show.status());
        editor::paint(ctx, &mut player.editor, show.params(), &mut player.pending);
    } else if player.list_shown {
        list::paint(&painter);
    } else if player.map_shown {
        let show = player.show.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner);
        map::paint(&painter, &show.map());
        notes(&painter, &show.status());
    } else if player.hud_shown {
        let fps = player.rate.per_sec();
        let show = player.show.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner);
        let status = show.status();
        panel(&painter, &status, &rows(&status, show.params(), fps));
        notes(&painter, &status);
    }
}

/// The size of a character of the monospace font, in points.
pub(super) fn character(painter: &Painter, size: f32) -> Vec2 {
    painter.layout_no_wrap("0".repeat(16), mono(size), PLAIN).size() / Vec2::new(16.0, 1.0)
}

pub(super) fn mono(size: f32) -> FontId {
    FontId::new(size, FontFamily::Monospace)
}

/// The panel in the top left corner.
fn panel(painter: &Painter, status: &Summary, rows: &[Row]) {
    let screen = painter.clip_rect();
    let mut size = (screen.height() / 54.0).clamp(9.0, 20.0);
    let margin = Vec2::splat(size * 0.8);
    let room = screen.size() * LARGEST - margin * 2.0;
    let cell = character(painter, size);
    let wanted = Vec2::new(cell.x * COLUMNS as f32, cell.y * rows.len() as f32);
    size *= (room / wanted).min_elem().clamp(0.1, 1.0);
    let cell = character(painter, size);

    let inner =
        Rect::from_min_size(screen.min + margin * 2.0, Vec2::new(cell.x * COLUMNS as f32, cell.y * rows.len() as f32));
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

/// What needs attention, at the bottom: the notice, loading and recording.
fn notes(painter: &Painter, status: &Summary) {
    let screen = painter.clip_rect();
    let size = (screen.height() / 50.0).clamp(10.0, 22.0);
    let notes = [
        (&status.notice, "", WARM),
        (&status.learning, "", COOL),
        (&status.pending, "on the beat: ", COOL),
        (&status.loading, "loading ", COOL),
        (&status.recording, "● recording ", RED),
        (&status.take, "● ", RED),
        (&status.streaming, "● streaming to ", RED),
        (&status.sharing, "● sharing ", COOL),
    ];
    let mut bottom = screen.max.y - size;
    for (text, before, colour) in notes {
        let Some(text) = text else { continue };
        let mut job = LayoutJob::simple(format!("{before}{text}"), mono(size), colour, screen.width() * 0.8);
        job.wrap.max_rows = 3;
        job.halign = egui::Align::Center;
        let galley = painter.layout_job(job);
        let area = Align2::CENTER_BOTTOM.anchor_size(Pos2::new(screen.center().x, bottom - size * 0.4), galley.size());
        painter.rect_filled(area.expand2(Vec2::new(size, size * 0.4)), size * 0.5, PANEL);
        painter.galley(area.center_top(), galley, colour);
        bottom = area.min.y - size * 0.8;
    }
}

#[cfg(test)]
mod test {
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

    #[test]
    fn every_row_fills_its_columns_whatever_the_figures() {
        let mut status = status();
        let few = rows(&status, &Params::default(), 60.0);
        (status.received, status.dropped, status.refused) = (u64::MAX, 123_456, 99_999);
        (status.synthesis_ms, status.pictures_per_sec, status.bpm) = (1234.5, 1000.0, 400.0);
        let many = rows(&status, &Params::default(), 999.9);
        for row in few.iter().chain(&many) {
            assert_eq!(row.text.chars().count(), COLUMNS - LABEL, "{row:?}");
            assert!(row.label.len() < LABEL && !row.text.contains('\n'), "{row:?}");
        }
        assert_eq!(few.len(), many.len());
        assert!(!few.iter().any(|row| row.warm) && many.iter().any(|row| row.warm));
        let unit = |rows: &[Row]| rows.iter().find_map(|row| row.text.find("lost"));
        assert_eq!(unit(&few), unit(&many));
    }

    #[test]
    fn what_is_modulated_is_marked_beside_the_knobs_place() {
        let mut params = Params::default();
        params.modulate(&[(Id::StyleBlend.into(), 0.5), (Id::PsiCutoff.into(), -1.0)]);
        let rows = rows(&status(), &params, 60.0);
        let moves: Vec<&str> = rows.iter().filter(|row| row.label == "moves").map(|row| row.text.as_str()).collect();
        assert_eq!(moves, ["/style/blend    |·······●·······", "/psi/cutoff     ●··············|"]);
    }

    #[test]
    fn long_names_are_cut_and_ports_counted() {
        assert_eq!(fitted("abc", 5), "abc  ");
        assert_eq!(fitted("abcdef", 5), "abcd…");
        assert_eq!(ports(&[]), "none");
        assert_eq!(ports(&["one".into(), "two".into(), "three".into()]), "one +2");
        assert!(ports(&status().devices[0].open).ends_with("… +1"));
        assert_eq!([count(12), count(99_999), count(100_000), count(u64::MAX)], ["12", "99999", "100k", "9999M"]);
    }
}
