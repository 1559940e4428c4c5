//! How code looks: colours, and the text laid out with room for notes below its lines.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Range;
use std::sync::Arc;

use bevy_egui::egui::epaint::text::{LayoutJob, TextFormat};
use bevy_egui::egui::{
    Align, Color32, Context, FontId, Galley, Painter, Pos2, Rangef, Rect, Shape, Stroke, Vec2, pos2, vec2,
};

use super::Document;
use crate::app::hud::{PLAIN, WARM, mono};
use crate::params::{Id, Params, Target};
use crate::patch::edit::highlight::{self, Kind};
use crate::patch::edit::notes::Note;
use crate::patch::edit::{Words, text};

/// A line's height, in heights of its characters.
pub(super) const LINE_HEIGHT: f32 = 1.3;
/// Size of notes, as a share of the code's.
const NOTE_SIZE: f32 = 0.85;
/// Behind code: dark enough to read on white, where light is mixed as light and 4 in 100 of white are still grey.
pub(super) const PLATE: Color32 = Color32::from_rgba_premultiplied(8, 9, 11, 247);
/// Behind the line with the cursor.
const PLATE_HERE: Color32 = Color32::from_rgba_premultiplied(30, 35, 46, 250);
const PLATE_WRONG: Color32 = Color32::from_rgba_premultiplied(104, 16, 14, 250);
const WRONG: Color32 = Color32::from_rgb(255, 206, 198);
const RIGHT: Color32 = Color32::from_rgb(158, 222, 170);
/// Behind lines that are evaluated, for a moment: they can be read on it.
const FLASH: Color32 = Color32::from_rgba_premultiplied(110, 70, 14, 250);

fn colour(kind: Kind) -> Color32 {
    match kind {
        Kind::Comment => Color32::from_rgb(164, 171, 184),
        Kind::Text => Color32::from_rgb(166, 222, 148),
        Kind::Number => WARM,
        Kind::Keyword => Color32::from_rgb(208, 170, 255),
        Kind::Parameter => Color32::from_rgb(126, 204, 255),
        Kind::Function => Color32::from_rgb(250, 226, 150),
        Kind::Type => Color32::from_rgb(139, 220, 208),
        Kind::Name => PLAIN,
        Kind::Symbol => Color32::from_rgb(196, 202, 212),
    }
}

/// A text ready to be laid out, and the notes below its lines.
#[derive(Clone)]
pub(super) struct Job {
    pub layout: LayoutJob,
    /// Each with its line.
    pub notes: Vec<(usize, Arc<Galley>)>,
}

/// A line that assigns to a parameter, to all members of a family, or, where both have the same name, to one or the other.
#[derive(Debug, PartialEq)]
pub(super) struct Assigned {
    pub line: usize,
    pub to: Option<Target>,
    pub family: Option<Id>,
}

impl Assigned {
    /// What code moves of it: the parameter, or else the members of the family.
    fn moved<'a>(&self, coded: &'a [Target]) -> impl Iterator<Item = &'a Target> + use<'a> {
        let to = self.to.filter(|to| coded.contains(to));
        let family = self.family.filter(|_| to.is_none());
        let is_it = move |target: &&Target| to == Some(**target) || family == Some(target.id);
        // Triggers and texts have no place between two ends.
        coded.iter().filter(is_it).filter(|target| target.id.def().default_number().is_some())
    }
}

/// A number that changes with what it is made from.
pub(super) fn hash(of: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    hasher.finish()
}

/// Lays the document out for a window, from what was made before if nothing has changed.
pub(super) fn layout(document: &mut Document, screen: Screen, words: &Words, ctx: &Context, size: Size) -> Arc<Galley> {
    let bits = (size.points.to_bits(), size.width.to_bits(), ctx.pixels_per_point().to_bits());
    let key = hash((&document.text, document.notes.version(), words.changes(), bits));
    let job = match document.jobs[screen as usize].take() {
        Some((known, job)) if known == key => job,
        _ => job(document, words, ctx, size),
    };
    let galley = ctx.fonts_mut(|fonts| fonts.layout_job(job.layout.clone()));
    document.jobs[screen as usize] = Some((key, job));
    galley
}

/// Which window. Each has fonts of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Screen {
    Player,
    Output,
}

/// The size of the text, and the width that it may take; in points.
#[derive(Clone, Copy, Debug)]
pub(super) struct Size {
    pub points: f32,
    pub width: f32,
}

fn job(document: &Document, words: &Words, ctx: &Context, Size { points, width }: Size) -> Job {
    let text = &document.text;
    let notes: Vec<(usize, Arc<Galley>)> =
        document.notes.iter().map(|note| (note.line, note_galley(note, ctx, points, width))).collect();
    let row = points * LINE_HEIGHT;
    let mut layout = LayoutJob::default();
    layout.wrap.max_width = width;
    // Where a line with a note ends: what stands there is taller, so that the note has room below it.
    let ends: Vec<(usize, f32)> = notes
        .iter()
        .map(|(line, galley)| {
            let line = text::line(text, *line);
            let last = text[line.clone()].char_indices().last().map_or(line.end, |(at, _)| line.start + at);
            (last, row + galley.size().y + points * 0.5)
        })
        .collect();
    let mut append = |range: std::ops::Range<usize>, colour: Color32| {
        let mut start = range.start;
        let cuts = ends.iter().filter(|(at, _)| range.contains(at));
        let mut cuts: Vec<&(usize, f32)> = cuts.collect();
        cuts.sort_by_key(|(at, _)| *at);
        let mut piece = |range: std::ops::Range<usize>, height: f32| {
            let format = TextFormat {
                font_id: mono(points),
                color: colour,
                line_height: Some(height),
                valign: Align::TOP,
                ..TextFormat::default()
            };
            layout.append(&text[range], 0.0, format);
        };
        for (at, height) in cuts {
            let next = at + text[*at..].chars().next().map_or(0, char::len_utf8);
            if start < *at {
                piece(start..*at, row);
            }
            piece(*at..next, *height);
            start = next;
        }
        if start < range.end {
            piece(start..range.end, row);
        }
    };
    let mut at = 0;
    for token in highlight::coloured(text, document.language, words) {
        append(at..token.range.start, PLAIN);
        append(token.range.clone(), colour(token.kind));
        at = token.range.end;
    }
    append(at..text.len(), PLAIN);
    if text.is_empty() || text.ends_with('\n') {
        // The empty line at the end has a height too.
        let height = ends.iter().find(|(at, _)| *at == text.len()).map_or(row, |(_, height)| *height);
        let format = TextFormat { line_height: Some(height), ..TextFormat::simple(mono(points), PLAIN) };
        layout.append("", 0.0, format);
    }
    Job { layout, notes }
}

fn note_galley(note: &Note, ctx: &Context, points: f32, width: f32) -> Arc<Galley> {
    let colour = if note.is_error { WRONG } else { RIGHT };
    let font: FontId = mono(points * NOTE_SIZE);
    ctx.fonts_mut(|fonts| fonts.layout(note.text.clone(), font, colour, (width - points * 2.0).max(80.0)))
}

/// The rows of a galley, each with its line of the text and whether it is that line's last.
pub(super) fn rows(galley: &Galley, at: Pos2) -> impl Iterator<Item = (usize, bool, Rect)> + '_ {
    let mut line = 0;
    galley.rows.iter().map(move |row| {
        let found = (line, row.ends_with_newline, row.rect().translate(at.to_vec2()));
        line += usize::from(row.ends_with_newline);
        found
    })
}

/// The lines of the text that are seen between these heights; a note stands below its line.
pub(super) fn lines_between(galley: &Galley, at: Pos2, heights: Rangef) -> Range<usize> {
    let seen = rows(galley, at).filter(|(.., rect)| heights.contains(rect.center().y));
    seen.fold(0..0, |lines, (line, ..)| if lines.is_empty() { line..line + 1 } else { lines.start..line + 1 })
}

/// The plates behind the code, and the notes.
pub(super) fn plates(
    document: &Document,
    screen: Screen,
    (galley, at): (&Galley, Pos2),
    points: f32,
    here: Option<usize>,
    glow: impl Fn(usize) -> f32,
) -> Vec<Shape> {
    let mut shapes = Vec::new();
    let row_height = points * LINE_HEIGHT;
    let pad = points * 0.45;
    let errors = |line: usize| document.notes.of(line).is_some_and(|note| note.is_error);
    let mut last: Option<(usize, Rect)> = None;
    let mut ends = Vec::new();
    for (line, is_last, rect) in rows(galley, at) {
        let is_here = here == Some(line);
        let width = if is_here { rect.width().max(points * 0.6) } else { rect.width() };
        if width > 0.0 {
            let plate = Rect::from_min_size(pos2(rect.min.x - pad, rect.min.y), vec2(width + 2.0 * pad, row_height));
            let colour = if is_here { PLATE_HERE } else { PLATE };
            shapes.push(Shape::rect_filled(plate, 0.0, colour.lerp_to_gamma(FLASH, glow(line))));
            if errors(line) {
                let y = plate.max.y - 2.0;
                let (from, to) = (pos2(rect.min.x, y), pos2(rect.min.x + rect.width(), y));
                shapes.push(Shape::line_segment([from, to], Stroke::new(2.0, Color32::from_rgb(255, 92, 82))));
            }
        }
        last = Some((line, rect));
        if is_last {
            ends.extend(last);
        }
    }
    ends.extend(last.filter(|last| ends.last().is_none_or(|end| end.0 != last.0)));
    let Some((_, job)) = &document.jobs[screen as usize] else { return shapes };
    for (line, note) in &job.notes {
        let Some((_, rect)) = ends.iter().find(|(end, _)| end == line) else { continue };
        let is_error = errors(*line);
        let from = pos2(at.x + points, rect.min.y + row_height + points * 0.15);
        let plate = Rect::from_min_size(from, note.size()).expand2(vec2(pad, points * 0.1));
        shapes.push(Shape::rect_filled(plate, points * 0.15, if is_error { PLATE_WRONG } else { PLATE }));
        shapes.push(Shape::galley(from, note.clone(), WRONG));
    }
    shapes
}

/// Finds the lines that assign to parameters, if the text is another one.
pub(super) fn find_assigned(document: &mut Document, words: &Words) {
    let key = hash((&document.text, words.changes()));
    if document.assigned.0 == key {
        return;
    }
    let found = document.text.lines().enumerate().filter_map(|(line, code)| {
        let name = text::assigned(code)?;
        let (to, family) = (words.target(name), words.family(name));
        (to.is_some() || family.is_some()).then_some(Assigned { line, to, family })
    });
    document.assigned = (key, found.collect());
}

/// Most marks of a meter for a whole vector.
const MARKS: usize = 16;

/// Paints a meter beside each line whose parameter is `coded`, moved by live code: its range, and what plays now.
pub(super) fn meters(
    document: &Document,
    (galley, at): (&Galley, Pos2),
    points: f32,
    (params, coded): (&Params, &[Target]),
    painter: &Painter,
) {
    if document.assigned.1.is_empty() || coded.is_empty() {
        return;
    }
    // Where the lines end; a line may be wrapped.
    let mut ends: Vec<(usize, Rect)> = Vec::new();
    for (line, _, rect) in rows(galley, at) {
        ends.retain(|(known, _)| *known != line);
        ends.push((line, rect));
    }
    for assigned in &document.assigned.1 {
        let bound: Vec<Target> = assigned.moved(coded).take(MARKS).copied().collect();
        if let (Some((_, rect)), false) = (ends.iter().find(|(line, _)| *line == assigned.line), bound.is_empty()) {
            meter(&bound, pos2(rect.max.x, rect.min.y), points, params, painter);
        }
    }
}

fn meter(bound: &[Target], from: Pos2, points: f32, params: &Params, painter: &Painter) {
    let width = points * 5.5;
    let left = pos2(from.x + points * 1.4, from.y + points * LINE_HEIGHT * 0.5);
    let value = (bound.len() == 1).then(|| number(params.get(bound[0]), bound[0].id));
    let text = value.map(|value| painter.layout_no_wrap(value, mono(points * 0.75), PLAIN.gamma_multiply(0.8)));
    let text_width = text.as_ref().map_or(0.0, |text| text.size().x + points * 0.6);
    let height = points * LINE_HEIGHT;
    let size = vec2(width + text_width + points * 0.8, height);
    painter.rect_filled(
        Rect::from_min_size(pos2(from.x, left.y - height * 0.5), size + vec2(left.x - from.x - points * 0.4, 0.0)),
        0.0,
        PLATE,
    );
    let track = [left, left + vec2(width, 0.0)];
    painter.line_segment(track, Stroke::new((points * 0.12).max(1.0), Color32::from_rgb(120, 128, 142)));
    for target in bound {
        let x = left.x + width * target.id.def().to_travel(params.get(*target)) as f32;
        let tick = Rect::from_center_size(pos2(x, left.y), Vec2::new((points * 0.22).max(2.0), points * 0.8));
        painter.rect_filled(tick, 1.0, WARM);
    }
    if let Some(text) = text {
        let at = pos2(left.x + width + points * 0.6, left.y - text.size().y * 0.5);
        painter.galley(at, text, PLAIN);
    }
}

/// A number as a meter shows it: short, and of one width for a parameter.
fn number(value: f64, id: Id) -> String {
    let (low, high) = id.def().range();
    match id.def().kind {
        crate::params::Kind::Choice { options, .. } => {
            options.get(value.round() as usize).map_or_else(String::new, |word| (*word).to_owned())
        }
        crate::params::Kind::Int { .. } => format!("{value:.0}"),
        _ if high - low > 20.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod test {
    use super::*;
    use crate::params::Table;

    #[test]
    fn a_line_has_a_meter_of_what_it_moves_also_where_a_family_has_the_same_name() {
        let mut words = Words::default();
        words.set_table(Table::built_in());
        let of = |name: &str| Assigned { line: 0, to: words.target(name), family: words.family(name) };
        let layer = |index| Target { id: Id::PsiLayer, index };
        let moved = |name: &str, coded: &[Target]| of(name).moved(coded).copied().collect::<Vec<_>>();
        let (psi, speed) = (Target::from(Id::Psi), Target::from(Id::WalkSpeed));
        assert!(words.family("psi") == Some(Id::PsiLayer), "there is a psi for each layer, too");
        assert_eq!(moved("psi", &[speed, psi]), [psi]);
        assert_eq!(moved("psi", &[layer(1), psi, layer(2)]), [psi]);
        assert_eq!(moved("psi", &[layer(1), speed, layer(2)]), [layer(1), layer(2)]);
        assert_eq!(moved("psi[2]", &[layer(1), layer(2)]), [layer(2)]);
        assert_eq!(moved("walk.speed", &[psi, speed]), [speed]);
        assert!(moved("seed.next", &[Id::SeedNext.into()]).is_empty(), "a trigger has no place");
    }
}
