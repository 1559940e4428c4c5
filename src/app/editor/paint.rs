//! Paints the editor by egui and handles its keys and the pointer.
//!
//! What is typed is taken from egui before its text field sees it, and handled in order.

use std::ops::Range;

use bevy_egui::egui::text::{CCursor, CCursorRange};
use bevy_egui::egui::{
    Align2, Area, Color32, Context, CursorIcon, Event as Input, Frame, Id, Key, LayerId, Margin, Order, Painter,
    PointerButton, Rect, ScrollArea, Sense, Shape, Stroke, TextBuffer, TextEdit, Ui, pos2, vec2,
};

use super::keys::{self, Command};
use super::look::{Screen, Size};
use super::pictures::Pictures;
use super::{Document, Editor, Popup, Scrub, glow, look, written};
use crate::app::hud::{DIM, PLAIN, WARM, mono};
use crate::control::Event;
use crate::params::{Id as Param, Params, Target, Value};
use crate::patch::edit::complete::offer;
use crate::patch::edit::{Language, text};

/// Points that a number is dragged for one step.
const PER_STEP: f32 = 6.0;
/// Most names in view.
const NAMES: usize = 9;
/// Most names in view that have pictures.
const PICTURED: usize = 6;
/// Longest value that is offered, in characters.
const LONGEST_VALUE: usize = 24;

/// Paints the editor over the picture in `screen`, a part of the window in points, and turns what is typed into events. Returns
/// where free room ends at the bottom.
pub(in crate::app) fn paint(
    ctx: &Context,
    screen: Rect,
    editor: &mut Editor,
    params: &Params,
    events: &mut Vec<Event>,
) -> f32 {
    // Ctrl with plus and minus is the size of the text.
    ctx.options_mut(|options| options.zoom_with_keyboard = false);
    let points = editor.points(screen.height());
    take_keys(ctx, editor, params, events);
    let mut bottom = screen.max.y;
    scrub(ctx, editor, events);
    let layer = Area::new(Id::new("editor")).order(Order::Middle).fixed_pos(screen.min).constrain(false);
    layer.show(ctx, |ui| {
        ui.set_clip_rect(screen);
        ui.set_min_size(screen.size());
        ui.set_max_size(screen.size());
        tabs(ui, editor, points);
        field(ui, editor, params, points);
        if let Some((line, _)) = &editor.line {
            bottom = saying(ui, line, points).min.y;
        }
    });
    names(ctx, editor, points);
    bottom
}

/// The id of a document's text field, which has its own cursor and undo.
fn id_of(document: &Document) -> Id {
    Id::new(("editor", document.serial))
}

/// The selected bytes of the current document; empty at the cursor.
fn selected(ctx: &Context, document: &Document) -> Range<usize> {
    let range = TextEdit::load_state(ctx, id_of(document)).and_then(|state| state.cursor.char_range());
    let [from, to] = range.map_or([0, 0], |range| range.sorted_cursors().map(|cursor| cursor.index));
    text::byte_of(&document.text, from)..text::byte_of(&document.text, to)
}

/// Puts the cursor at a byte.
fn put_cursor(ctx: &Context, document: &Document, at: usize) {
    let mut state = TextEdit::load_state(ctx, id_of(document)).unwrap_or_default();
    let cursor = CCursor::new(text::character_of(&document.text, at));
    state.cursor.set_char_range(Some(CCursorRange::one(cursor)));
    TextEdit::store_state(ctx, id_of(document), state);
}

/// Replaces bytes of the current document and puts the cursor behind the new ones.
fn type_over(ctx: &Context, editor: &mut Editor, range: Range<usize>, with: &str) {
    let at = range.start + with.len();
    editor.replace(range, with);
    editor.follows = true;
    if let Some(document) = editor.documents.get(editor.current) {
        put_cursor(ctx, document, at);
    }
}

/// Handles what was typed, in its order: a slow frame may hold a whole line, with Enter in it. What only the text field knows
/// (arrows, the clipboard, undo) is left to it; what comes after that waits for the next frame.
fn take_keys(ctx: &Context, editor: &mut Editor, params: &Params, events: &mut Vec<Event>) {
    // The keys come from elsewhere, each with what was held; of the text field's own only the clipboard is kept.
    ctx.input_mut(|input| input.events.retain(|event| !matches!(event, Input::Key { .. } | Input::Text(_))));
    while let Some(event) = editor.typed.pop_front() {
        if !key(ctx, editor, &event, params, events) {
            editor.typed.push_front(event);
            break;
        }
    }
    let passed = editor.typed.iter().take_while(|event| is_passed(event)).count();
    let passed: Vec<Input> = editor.typed.drain(..passed).collect();
    ctx.input_mut(|input| input.events.extend(passed));
}

/// Whether the text field handles this.
fn is_passed(event: &Input) -> bool {
    match event {
        Input::Key { key, modifiers, .. } => {
            let is_command = modifiers.command || modifiers.ctrl || modifiers.alt;
            let moves = [
                Key::ArrowLeft,
                Key::ArrowRight,
                Key::ArrowUp,
                Key::ArrowDown,
                Key::Home,
                Key::End,
                Key::PageUp,
                Key::PageDown,
                Key::Delete,
            ];
            let edits = [Key::A, Key::Z, Key::Y, Key::K, Key::W, Key::Backspace];
            moves.contains(key) || is_command && edits.contains(key) || *key == Key::Tab && modifiers.shift
        }
        _ => false,
    }
}

/// Handles a key or a character. False if it is the text field's.
fn key(ctx: &Context, editor: &mut Editor, event: &Input, params: &Params, events: &mut Vec<Event>) -> bool {
    let Some(document) = editor.documents.get(editor.current) else { return true };
    let selection = selected(ctx, document);
    let (key, modifiers) = match event {
        Input::Text(new) => {
            if !new.is_empty() && !new.contains(['\n', '\r']) {
                type_over(ctx, editor, selection, new);
                offer_names(ctx, editor, params, false);
            }
            return true;
        }
        Input::Key { key, modifiers, .. } => (*key, *modifiers),
        _ => return !is_passed(event),
    };
    let is_plain = !(modifiers.command || modifiers.ctrl || modifiers.alt);
    if is_plain && !modifiers.shift && choose(ctx, editor, key) {
        return true;
    }
    if let Some(command) = keys::command(key, modifiers) {
        return command != Command::Field && obey(ctx, editor, command, &selection, params, events);
    }
    let (text, language, at) = (&editor.documents[editor.current].text, document_language(editor), selection.start);
    match key {
        Key::Enter if is_plain => {
            let new = format!("\n{}", text::indent_after(text, at, language));
            editor.popup = None;
            type_over(ctx, editor, selection, &new);
        }
        Key::Tab if is_plain && !modifiers.shift => type_over(ctx, editor, selection, "  "),
        Key::Backspace if is_plain => {
            let before = text[..at].chars().next_back().map_or(0, char::len_utf8);
            let gone = if selection.is_empty() { at - before..at } else { selection };
            type_over(ctx, editor, gone, "");
            if editor.popup.is_some() {
                offer_names(ctx, editor, params, false);
            }
        }
        _ => return !is_passed(event),
    }
    true
}

/// Does what a key of the editor's table says. False if there is nothing to do it with.
fn obey(
    ctx: &Context,
    editor: &mut Editor,
    command: Command,
    selection: &Range<usize>,
    params: &Params,
    events: &mut Vec<Event>,
) -> bool {
    let count = editor.documents.len();
    let (text, language, at) = (&editor.documents[editor.current].text, document_language(editor), selection.start);
    let mut evaluate = |range: Option<Range<usize>>, how: &str, editor: &mut Editor| {
        if let Some(range) = range {
            editor.popup = None;
            editor.evaluate(range, how, events);
        }
    };
    match command {
        Command::Whole => evaluate(Some(0..text.len()), "file", editor),
        Command::Block if !selection.is_empty() => {
            evaluate(Some(text::whole_lines(text, selection.clone())), "", editor)
        }
        Command::Block => evaluate(text::block(text, at, language), "", editor),
        Command::Statement => evaluate(text::statement(text, at, language), "", editor),
        Command::Hush => {
            events.push(written(Param::Hush, Value::Nothing));
            editor.say("hush: everything that live code plays has ended".to_owned());
        }
        Command::TakeBack => events.push(written(Param::EvalUndo, Value::Nothing)),
        Command::Save => editor.save(),
        Command::Comment => comment(ctx, editor),
        Command::Names => offer_names(ctx, editor, params, true),
        Command::Next => open(editor, (editor.current + 1) % count),
        Command::Previous => open(editor, (editor.current + count - 1) % count),
        Command::Larger => editor.resize(1),
        Command::Smaller => editor.resize(-1),
        Command::Usual => editor.resize(0),
        Command::Hide => editor.hide(),
        Command::Escape => editor.escape(events),
        Command::Field => return false,
    }
    true
}

fn document_language(editor: &Editor) -> Language {
    editor.documents.get(editor.current).map_or(Language::Luau, |document| document.language)
}

fn open(editor: &mut Editor, at: usize) {
    editor.current = at;
    editor.popup = None;
    editor.scrub = None;
    editor.painted = None;
    editor.follows = true;
}

/// Comments the selected lines out, or in again.
fn comment(ctx: &Context, editor: &mut Editor) {
    let Some(document) = editor.documents.get(editor.current) else { return };
    let selection = selected(ctx, document);
    let lines = text::whole_lines(&document.text, selection.clone());
    let changed = text::toggle_comment(&document.text, lines.clone(), document.language);
    let (end, grown) = (document.text.len(), changed.len() as isize - document.text.len() as isize);
    let at = selection.end.saturating_add_signed(grown).clamp(lines.start, changed.len());
    editor.replace(0..end, &changed);
    put_cursor(ctx, &editor.documents[editor.current], at);
}

/// Moves through the names, or takes one. False if the key is for something else.
fn choose(ctx: &Context, editor: &mut Editor, key: Key) -> bool {
    let Some(popup) = editor.popup.as_mut().filter(|popup| !popup.offer.is_preview) else { return false };
    let count = popup.offer.items.len();
    match (key, popup.chosen) {
        (Key::ArrowDown, chosen) => popup.chosen = Some(chosen.map_or(0, |chosen| (chosen + 1) % count)),
        (Key::ArrowUp, chosen) => popup.chosen = Some(chosen.map_or(count - 1, |chosen| (chosen + count - 1) % count)),
        (Key::Tab, chosen) => take(ctx, editor, chosen.unwrap_or(0)),
        (Key::Enter, Some(chosen)) => take(ctx, editor, chosen),
        _ => return false,
    }
    true
}

fn take(ctx: &Context, editor: &mut Editor, chosen: usize) {
    let Some(popup) = editor.popup.take() else { return };
    if let Some(item) = popup.offer.items.get(chosen) {
        type_over(ctx, editor, popup.offer.range, &item.text);
    }
}

/// What a parameter plays, in a few characters.
fn now(params: &Params, target: Target) -> Option<String> {
    let text = match params.effective(target)? {
        Value::Float(x) => format!("{}", (x * 1000.0).round() / 1000.0),
        Value::Nothing => return None,
        Value::List(_) => return None,
        value => value.to_string(),
    };
    (!text.is_empty() && text.len() <= LONGEST_VALUE).then_some(text)
}

fn offer_names(ctx: &Context, editor: &mut Editor, params: &Params, is_asked: bool) {
    let Some(document) = editor.documents.get(editor.current) else { return };
    let selection = selected(ctx, document);
    let now = |target: Target| now(params, target);
    let found = offer(&document.text, selection.start, document.language, &editor.words, &now, is_asked);
    editor.popup = found.filter(|_| selection.is_empty()).map(|offer| {
        let chosen = (!offer.is_complete).then_some(0);
        Popup { offer, chosen }
    });
}

/// Drags a number under the pointer while Ctrl or Alt is held, and evaluates its statement.
fn scrub(ctx: &Context, editor: &mut Editor, events: &mut Vec<Event>) {
    let (held, fine, at, is_down, is_pressed) = ctx.input(|input| {
        let pointer = &input.pointer;
        let held = input.modifiers.command || input.modifiers.alt || input.modifiers.ctrl;
        let is_pressed = pointer.button_pressed(PointerButton::Primary);
        (held, input.modifiers.shift, pointer.latest_pos(), pointer.primary_down(), is_pressed)
    });
    let Some(at) = at else { return };
    if !is_down {
        editor.scrub = None;
    }
    if editor.scrub.is_none() && held {
        let Some(document) = editor.documents.get(editor.current) else { return };
        let Some((galley, origin)) = &editor.painted else { return };
        let off = at - *origin;
        if !galley.rect.expand(4.0).contains(off.to_pos2()) {
            return;
        }
        let byte = text::byte_of(&document.text, galley.cursor_from_pos(off).index);
        let Some(number) = text::number(&document.text, byte, document.language) else { return };
        ctx.set_cursor_icon(CursorIcon::ResizeHorizontal);
        if is_pressed {
            editor.scrub = Some(Scrub { number, from: at.x, steps: 0.0 });
            editor.popup = None;
        }
    }
    let Some(scrub) = &mut editor.scrub else { return };
    ctx.set_cursor_icon(CursorIcon::ResizeHorizontal);
    let steps = f64::from(((at.x - scrub.from) / PER_STEP).trunc());
    if steps == scrub.steps {
        return;
    }
    let is_first = scrub.steps == 0.0;
    scrub.steps = steps;
    let new = scrub.number.stepped(steps, fine);
    let old = scrub.number.range.clone();
    scrub.number.range = old.start..old.start + new.len();
    editor.replace(old.clone(), &new);
    let document = &editor.documents[editor.current];
    if document.language == Language::Luau
        && let Some(range) = text::statement(&document.text, old.start, document.language)
    {
        // All of a drag is undone at once.
        editor.evaluate(range, if is_first { "" } else { "again" }, events);
        editor.flashes.pop();
    }
}

/// The list of what is open, at the top.
fn tabs(ui: &mut Ui, editor: &mut Editor, points: f32) {
    let size = points * 0.85;
    let mut at = ui.max_rect().min + vec2(points * 1.5, points * 0.8);
    let painter = ui.painter().clone();
    let mut chosen = None;
    for (i, document) in editor.documents.iter().enumerate() {
        let mark = if document.is_changed() { " •" } else { "" };
        let is_wrong = document.notes.has_errors();
        let is_current = i == editor.current;
        let colour = match (is_wrong, is_current) {
            (true, _) => Color32::from_rgb(255, 128, 116),
            (_, true) => PLAIN,
            _ => DIM,
        };
        let galley = painter.layout_no_wrap(format!("{}{mark}", document.name), mono(size), colour);
        let rect = Rect::from_min_size(at, galley.size()).expand2(vec2(points * 0.6, points * 0.2));
        let response = ui.interact(rect, Id::new(("editor tab", document.serial)), Sense::click());
        painter.rect_filled(rect, 0.0, look::PLATE);
        if is_current {
            let y = rect.max.y - 1.0;
            painter.line_segment([pos2(rect.min.x, y), pos2(rect.max.x, y)], Stroke::new(2.0, WARM));
        }
        painter.galley(at, galley, colour);
        if response.clicked() {
            chosen = Some(i);
        }
        at.x = rect.max.x + points * 0.9;
    }
    if let Some(chosen) = chosen {
        open(editor, chosen);
    }
    ui.add_space(points * 2.6);
}

/// The text itself.
fn field(ui: &mut Ui, editor: &mut Editor, params: &Params, points: f32) {
    let follows = std::mem::take(&mut editor.follows);
    let is_scrubbing = editor.scrub.is_some();
    let Editor { documents, current, words, flashes, painted, in_view, coded, .. } = editor;
    let Some(document) = documents.get_mut(*current) else { return };
    let id = id_of(document);
    let ctx = ui.ctx().clone();
    let margin = points * 1.5;
    let mut text = std::mem::take(&mut document.text);
    let before = text.clone();
    let mut is_typed = false;
    ui.visuals_mut().selection.bg_fill = Color32::from_rgba_unmultiplied(92, 140, 200, 130);
    ui.visuals_mut().text_cursor.stroke = Stroke::new((points * 0.14).max(2.0), WARM);
    ui.visuals_mut().text_cursor.preview = false;
    // On stage it must be found at once.
    ui.visuals_mut().text_cursor.blink = false;
    let height = ui.max_rect().height() - points * 2.6;
    ScrollArea::vertical().id_salt(id).auto_shrink(false).max_height(height).show(ui, |ui| {
        ui.set_clip_rect(ui.clip_rect().expand2(vec2(margin, 0.0)));
        let below = ui.painter().add(Shape::Noop);
        let size = Size { points, width: ui.max_rect().width() - 2.0 * margin };
        let mut layouter = |ui: &Ui, buffer: &dyn TextBuffer, _: f32| {
            buffer.as_str().clone_into(&mut document.text);
            look::layout(document, Screen::Player, words, ui.ctx(), size)
        };
        let frame = Frame::NONE.inner_margin(Margin::symmetric(margin as i8, 0));
        let field = TextEdit::multiline(&mut text)
            .id(id)
            .font(mono(points))
            .frame(frame)
            .desired_width(f32::INFINITY)
            .lock_focus(true)
            .interactive(!is_scrubbing)
            .layouter(&mut layouter);
        // Before it is shown: what is typed right after opening it belongs into it.
        if !ui.memory(|memory| memory.has_focus(id)) {
            ui.memory_mut(|memory| memory.request_focus(id));
        }
        let output = field.show(ui);
        is_typed = output.response.changed();
        let (galley, at) = (output.galley, output.galley_pos);
        text.clone_into(&mut document.text);
        if is_typed {
            document.notes.follow(&before, &text);
            document.notes.clear_results();
        }
        let cursor = output.cursor_range.map(|range| range.primary);
        if let Some(cursor) = cursor {
            document.cursor = text::byte_of(&text, cursor.index);
        }
        let here = cursor.map(|_| text::line_of(&text, document.cursor));
        let glow = |line: usize| glow(flashes, document.serial, line);
        ui.painter().set(below, Shape::Vec(look::plates(document, Screen::Player, (&galley, at), points, here, glow)));
        look::find_assigned(document, words);
        look::meters(document, (&galley, at), points, (params, coded), ui.painter());
        if let Some(cursor) = cursor.filter(|_| follows) {
            let rect = galley.pos_from_cursor(cursor).translate(at.to_vec2());
            ui.scroll_to_rect(rect.expand(points * 2.0), None);
        }
        *in_view = look::lines_between(&galley, at, ui.clip_rect().y_range());
        // Room to scroll the last lines up.
        ui.add_space(height * 0.4);
        *painted = Some((galley, at));
    });
    if is_typed {
        offer_names(&ctx, editor, params, false);
    } else if let Some(popup) = &editor.popup {
        let document = &editor.documents[editor.current];
        let selection = selected(&ctx, document);
        if selection != (popup.offer.range.end..popup.offer.range.end) {
            editor.popup = None;
        }
    }
}

/// A line of the editor's own, at the bottom left; returns its plate.
fn saying(ui: &Ui, line: &str, points: f32) -> Rect {
    let painter = ui.painter();
    let screen = ui.max_rect();
    let galley = painter.layout(line.to_owned(), mono(points * 0.85), PLAIN, screen.width() * 0.6);
    let from = Align2::LEFT_BOTTOM.anchor_size(screen.left_bottom() + vec2(points * 1.5, -points), galley.size()).min;
    let plate = Rect::from_min_size(from, galley.size()).expand(points * 0.4);
    painter.rect_filled(plate, 0.0, look::PLATE);
    painter.galley(from, galley, PLAIN);
    plate
}

/// The names that can be typed, below the cursor.
fn names(ctx: &Context, editor: &mut Editor, points: f32) {
    let Editor { popup, painted, documents, current, tiles, playing, .. } = editor;
    let (Some(popup), Some((galley, at))) = (popup, painted) else { return };
    let Some(document) = documents.get(*current) else { return };
    let screen = ctx.content_rect();
    let layer = LayerId::new(Order::Foreground, Id::new("editor names"));
    let painter = ctx.layer_painter(layer);
    let start = CCursor::new(text::character_of(&document.text, popup.offer.range.start));
    let cursor = galley.pos_from_cursor(start).translate(at.to_vec2());
    let chosen = popup.chosen.unwrap_or(0);
    let count = if popup.offer.items.iter().any(|item| item.shows.is_some()) { PICTURED } else { NAMES };
    let first = chosen.saturating_sub(count - 1);
    let shown = popup.offer.items.iter().enumerate().skip(first).take(count);
    let size = points * 0.9;
    let with_pictures = shown.clone().map(|(_, item)| item);
    let pictures = Pictures::new(ctx, tiles, playing, with_pictures, (size, popup.offer.is_preview));
    let beside = pictures.width(size);
    let name_width = shown.clone().map(|(_, item)| item.text.chars().count()).max().unwrap_or(0);
    let line = |painter: &Painter, text: String, colour| painter.layout_no_wrap(text, mono(size), colour);
    let columns = ((screen.width() * 0.7 - beside) / (size * 0.6)) as usize;
    let lines: Vec<_> = shown
        .map(|(i, item)| {
            let is_chosen = popup.chosen == Some(i);
            let colour = if is_chosen { PLAIN } else { Color32::from_rgb(126, 204, 255) };
            let room = columns.saturating_sub(name_width + 2);
            let usage: String = item.usage.chars().take(room).collect();
            let usage = line(&painter, usage, if is_chosen { PLAIN } else { DIM });
            (is_chosen, line(&painter, format!("{:<name_width$}  ", item.text), colour), usage)
        })
        .collect();
    let help = popup.offer.items.get(chosen).map(|item| item.help.as_str()).filter(|help| !help.is_empty());
    let widest = lines.iter().map(|(_, name, usage)| beside + name.size().x + usage.size().x).fold(0.0, f32::max);
    let help = help.map(|help| {
        let width = widest.max(points * 30.0).min(screen.width() * 0.7);
        painter.layout(help.to_owned(), mono(size * 0.92), Color32::from_rgb(250, 226, 150), width)
    });
    let row = (size * 1.35).max(pictures.size.y + size * 0.3);
    let help_size = help.as_ref().map_or(vec2(0.0, 0.0), |help| help.size() + vec2(0.0, size * 0.6));
    let panel = vec2(widest.max(help_size.x), row * lines.len() as f32 + help_size.y) + vec2(size, size * 0.6);
    let below = cursor.min.y + points * look::LINE_HEIGHT + 2.0;
    let y = if below + panel.y > screen.max.y { cursor.min.y - panel.y - 2.0 } else { below };
    let x = (cursor.min.x - size * 0.5).min(screen.max.x - panel.x).max(screen.min.x);
    let area = Rect::from_min_size(pos2(x, y.max(screen.min.y)), panel);
    painter.rect_filled(area, size * 0.2, Color32::from_rgba_premultiplied(15, 18, 24, 246));
    painter.rect_stroke(
        area,
        size * 0.2,
        Stroke::new(1.0, Color32::from_rgb(70, 78, 92)),
        bevy_egui::egui::StrokeKind::Inside,
    );
    let mut from = area.min + vec2(size * 0.5, size * 0.3);
    for (i, (is_chosen, name, usage)) in lines.into_iter().enumerate() {
        if is_chosen {
            let bar = Rect::from_min_size(pos2(area.min.x + 1.0, from.y), vec2(panel.x - 2.0, row));
            painter.rect_filled(bar, 0.0, Color32::from_rgb(42, 62, 92));
        }
        pictures.paint(&painter, i, from.to_vec2(), row);
        let text_at = from + vec2(beside, (row - name.size().y) / 2.0);
        let usage_at = text_at + vec2(name.size().x, 0.0);
        painter.galley(text_at, name, PLAIN);
        painter.galley(usage_at, usage, DIM);
        from.y += row;
    }
    if let Some(help) = help {
        painter.galley(from + vec2(0.0, size * 0.4), help, PLAIN);
    }
}
