//! What the hand on the panel holds: a slider, a text that is being typed. And what every row needs to be drawn.

use bevy_egui::egui::text::{CCursor, CCursorRange};
use bevy_egui::egui::{Align, Frame, Id, Margin, Rect, TextEdit, TextureId, Ui};

use super::look::Look;
use super::slider::Held;
use super::written;
use crate::app::tiles::Tiles;
use crate::control::Event;
use crate::params::{Kind, Params, Target, Value};
use crate::show::Show;
use crate::thumbnail::Key;

/// What is held between frames.
#[derive(Default)]
pub(super) struct Grip {
    pub held: Option<(Target, Held)>,
    typing: Option<Typing>,
    /// Whether a text field has the keys.
    pub is_typing: bool,
    /// What the pointer is over.
    pub over: Option<Target>,
    /// What is said about something else that it is over.
    pub said: Option<Said>,
}

/// Two lines for the foot of the page.
pub(super) struct Said {
    pub title: String,
    pub help: String,
}

/// A value that is being typed.
struct Typing {
    target: Target,
    text: String,
    is_new: bool,
    /// It was in view in the last frame.
    is_drawn: bool,
}

impl Grip {
    /// Begins a frame.
    pub fn begin(&mut self) {
        self.typing.take_if(|typing| !std::mem::take(&mut typing.is_drawn));
        self.is_typing = self.typing.is_some();
        self.over = None;
        self.said = None;
    }

    /// Says something about what the pointer is over.
    pub fn say(&mut self, title: String, help: &str) {
        self.said = Some(Said { title, help: help.to_owned() });
    }

    /// Whether this value is being typed.
    pub fn types(&self, target: Target) -> bool {
        self.typing.as_ref().is_some_and(|typing| typing.target == target)
    }

    /// Begins to type a value, which is `text` now.
    pub fn type_value(&mut self, target: Target, text: String) {
        self.typing = Some(Typing { target, text, is_new: true, is_drawn: true });
        self.is_typing = true;
    }

    /// Draws the field of the value that is being typed. Returns what was typed, when Enter is pressed.
    pub fn field(&mut self, ui: &mut Ui, rect: Rect, look: &Look) -> Option<Value> {
        let typing = self.typing.as_mut()?;
        typing.is_drawn = true;
        let id = Id::new("typed value");
        let field = field(&mut typing.text, id, look).horizontal_align(Align::Min);
        let output = field.desired_width(rect.width()).show(
            &mut ui.new_child(
                bevy_egui::egui::UiBuilder::new()
                    .max_rect(rect)
                    .layout(bevy_egui::egui::Layout::left_to_right(Align::Center)),
            ),
        );
        let response = output.response.response;
        if std::mem::take(&mut typing.is_new) {
            response.request_focus();
            let mut state = output.state;
            let all = CCursorRange::two(CCursor::new(0), CCursor::new(typing.text.chars().count()));
            state.cursor.set_char_range(Some(all));
            state.store(ui.ctx(), id);
            return None;
        }
        if !response.lost_focus() {
            return None;
        }
        let is_done = ui.input(|input| input.key_pressed(bevy_egui::egui::Key::Enter));
        let typed = is_done.then(|| value(&typing.text, typing.target));
        self.typing = None;
        typed
    }
}

/// A field for one line, in the panel's looks.
pub(super) fn field<'t>(text: &'t mut String, id: Id, look: &Look) -> TextEdit<'t> {
    let margin = Margin::symmetric((look.size * 0.5) as i8, (look.size * 0.25) as i8);
    let frame = Frame::new().fill(bevy_egui::egui::Color32::from_rgb(6, 6, 9)).inner_margin(margin);
    TextEdit::singleline(text)
        .id(id)
        .font(look.font())
        .vertical_align(Align::Center)
        .frame(frame.corner_radius(look.round()).stroke((1.0, super::look::LINE)))
}

/// What typed characters stand for: a number with a point or a comma, otherwise the text, which the parameter may refuse.
fn value(text: &str, target: Target) -> Value {
    let is_text = matches!(target.id.def().kind, Kind::Text { .. });
    match text.trim().replace(',', ".").parse::<f64>() {
        Ok(number) if !is_text && number.is_finite() => Value::Float(number),
        _ => Value::Text(text.trim().to_owned()),
    }
}

/// What a row is drawn with.
pub(super) struct Hand<'a> {
    pub show: &'a Show,
    pub params: &'a Params,
    /// The parameter that waits for a control.
    pub learns: Option<Target>,
    pub grip: &'a mut Grip,
    pub pictures: &'a Tiles,
    pub events: &'a mut Vec<Event>,
    pub look: &'a Look,
}

impl Hand<'_> {
    /// The picture of something, once it is there.
    pub fn picture(&self, ui: &Ui, key: Option<&Key>) -> Option<TextureId> {
        self.pictures.get(ui.ctx(), key?).map(|(texture, _)| texture)
    }

    pub fn write(&mut self, target: impl Into<Target>, value: Value) {
        self.events.push(written(target, value));
    }

    /// Writes the default, if there is one.
    pub fn reset(&mut self, target: Target) {
        match target.id.def().default_value() {
            Some(Value::Text(_)) | None => {}
            Some(value) => self.write(target, value),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::params::Id as Param;

    #[test]
    fn numbers_are_typed_with_a_point_or_a_comma() {
        let psi = |text: &str| value(text, Param::Psi.into());
        assert_eq!(psi(" 0,25 "), Value::Float(0.25));
        assert_eq!(psi("-1.5"), Value::Float(-1.5));
        assert_eq!(psi("much"), Value::Text("much".to_owned()), "the parameter says what it takes");
        assert_eq!(psi("inf"), Value::Text("inf".to_owned()));
        assert_eq!(value("3", Param::Preset.into()), Value::Text("3".to_owned()), "names may be numbers");
    }

    #[test]
    fn a_field_that_is_scrolled_away_lets_the_keys_go() {
        let mut grip = Grip::default();
        grip.type_value(Param::Psi.into(), "0.7".to_owned());
        grip.begin();
        assert!(grip.is_typing && grip.types(Param::Psi.into()));
        grip.begin();
        assert!(!grip.is_typing && !grip.types(Param::Psi.into()));
    }
}
