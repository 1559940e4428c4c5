//! What one control does: takeover, relative steps, 14-bit pairs, presses.

use super::curve::{settled, travel_of, value_at};
use super::entry::{MidiEntry, Mode, Relative, Takeover};
use super::{Control, Turn};
use crate::control::midi::{Data, Kind as Midi, Message};
use crate::params::{Kind, Params, Value};

/// How close a knob must come to the value to pick it up.
const NEAR: f64 = 1.0 / 127.0;
/// The travel of one step of an endless encoder.
const STEP: f64 = 1.0 / 128.0;
/// A button that sends a controller counts as pressed from this value.
const PRESSED: u8 = 64;

/// The effect of a message.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Action {
    Nothing,
    Write(Value),
    /// The knob has not reached the value yet; where it is, in the parameter's travel.
    Wait(Turn, f64),
}

/// What a control did, whatever the message.
enum Input {
    /// Travel 0 to 1.
    Position(f64),
    /// Velocity 0 to 1.
    Press(f64),
    Release,
    Program(u8),
    Steps(i32),
}

/// The state of one entry between messages, for each control that uses it: two equal controllers, or two channels of one,
/// have a knob each.
#[derive(Clone, Debug, Default)]
pub(super) struct Memory(Vec<Hand>);

/// The state of one control.
#[derive(Clone, Debug, Default)]
struct Hand {
    port: u8,
    channel: u8,
    /// The knob's last position.
    last: Option<f64>,
    /// The value that the knob wrote last. While the parameter still has it, the knob has picked it up.
    expected: Option<f64>,
    /// Travel of the value while it is scaled.
    scaled: f64,
    pressed: bool,
    /// A key or button is down.
    held: bool,
    pair: Pair,
}

/// After a pause of this many microseconds, a message starts a new pair.
const PAUSE_US: u64 = 30_000;
/// Maximum microseconds between a leading low half and its high half.
const TOGETHER_US: u64 = 5000;
/// After this many low halves without a high one, low halves are complete by themselves.
const ALONE: u8 = 3;

/// The halves of a 14-bit pair. MIDI sends the high half first, and the value is complete with its low half; some
/// senders reverse that, which shows in what comes first after a pause.
#[derive(Clone, Copy, Debug, Default)]
struct Pair {
    high: Option<u8>,
    low: Option<u8>,
    low_first: bool,
    /// The last message was a low half after a pause.
    low_began: bool,
    /// Low halves since the last high one.
    lows: u8,
    at_us: u64,
}

impl Pair {
    /// Processes a half that arrived at `at_us` by the driver's clock. Returns the travel 0 to 1 once the pair is
    /// complete. A sender that never sends a low half has 7 bits.
    fn take(&mut self, is_high: bool, value: u8, at_us: u64) -> Option<f64> {
        let gap = at_us.saturating_sub(std::mem::replace(&mut self.at_us, at_us));
        let (begins, low_began) = (gap > PAUSE_US, std::mem::take(&mut self.low_began));
        if is_high {
            if self.high.is_none() {
                self.low_first = self.low.is_some() && !begins;
            } else if begins {
                self.low_first = false;
            } else if low_began && gap <= TOGETHER_US {
                self.low_first = true;
            }
            (self.high, self.lows) = (Some(value), 0);
        } else {
            self.lows = self.lows.saturating_add(1);
            self.low_first &= self.lows < ALONE;
            (self.low, self.low_began) = (Some(value), begins);
        }
        match (self.high?, self.low) {
            (high, None) => Some(f64::from(high) / 127.0),
            (high, Some(low)) => {
                (is_high == self.low_first).then(|| f64::from(u16::from(high) << 7 | u16::from(low)) / 16_383.0)
            }
        }
    }
}

impl Memory {
    pub fn act(&mut self, entry: &MidiEntry, message: &Message, params: &Params) -> Action {
        let is_its = |hand: &Hand| hand.port == message.port && hand.channel == message.channel;
        let place = self.0.iter().position(is_its).unwrap_or_else(|| {
            self.0.push(Hand { port: message.port, channel: message.channel, ..Hand::default() });
            self.0.len() - 1
        });
        self.0[place].act(entry, message, params)
    }

    /// The controller at `port` is gone: nothing is known of its knobs when it comes back. The value that a gate
    /// takes if it was held.
    pub fn forget(&mut self, entry: &MidiEntry, port: u8) -> Option<Value> {
        let was_held = self.0.iter().any(|hand| hand.port == port && hand.held);
        self.0.retain(|hand| hand.port != port);
        release(entry).filter(|_| was_held)
    }
}

impl Hand {
    fn act(&mut self, entry: &MidiEntry, message: &Message, params: &Params) -> Action {
        let Some(input) = self.input(entry, message) else { return Action::Nothing };
        match input {
            Input::Press(_) => self.held = true,
            Input::Release => self.held = false,
            _ => {}
        }
        let write = |value: Option<Value>| value.map_or(Action::Nothing, Action::Write);
        match input {
            Input::Position(position) => self.position(entry, position, params),
            Input::Press(velocity) => write(press(entry, velocity, params)),
            Input::Release => write(release(entry)),
            Input::Program(program) => Action::Write(program_value(entry, program)),
            Input::Steps(steps) => write(stepped(entry, steps, params)),
        }
    }

    /// What the message means for this entry; `None` while a pair is incomplete or a button stays pressed.
    fn input(&mut self, entry: &MidiEntry, message: &Message) -> Option<Input> {
        Some(match message.kind {
            Midi::NoteOn { velocity, .. } => Input::Press(f64::from(velocity) / 127.0),
            Midi::NoteOff { .. } => Input::Release,
            Midi::PitchBend { bend } => Input::Position((bend + 1.0) / 2.0),
            Midi::ChannelPressure { pressure } | Midi::PolyPressure { pressure, .. } => {
                Input::Position(f64::from(pressure) / 127.0)
            }
            Midi::ProgramChange { program } => Input::Program(program),
            Midi::ControlChange { controller, value } => {
                if let Control::Cc14(high) = entry.control.control {
                    Input::Position(self.pair.take(controller == high, value, message.at_us)?)
                } else if let Some(relative) = entry.relative {
                    Input::Steps(steps(relative, value))
                } else if is_button(entry) {
                    let pressed = value >= PRESSED;
                    if std::mem::replace(&mut self.pressed, pressed) == pressed {
                        return None;
                    }
                    if pressed { Input::Press(f64::from(value) / 127.0) } else { Input::Release }
                } else {
                    Input::Position(f64::from(value) / 127.0)
                }
            }
            Midi::Nrpn { data: Data::Step(steps), .. } => Input::Steps(steps.into()),
            Midi::Nrpn { data: Data::High(value), .. } => {
                Input::Position(self.pair.take(true, value, message.at_us)?)
            }
            Midi::Nrpn { data: Data::Low(value), .. } => {
                Input::Position(self.pair.take(false, value, message.at_us)?)
            }
            Midi::Clock | Midi::Start | Midi::Continue | Midi::Stop | Midi::SongPosition { .. } => return None,
        })
    }

    fn position(&mut self, entry: &MidiEntry, position: f64, params: &Params) -> Action {
        let def = &params.def(entry.to.id);
        let travel_curve = entry.curve.as_ref();
        if def.kind == Kind::Trigger {
            // A wheel or pressure fires once each time it passes its centre.
            let pressed = position >= 0.5;
            let fires = !std::mem::replace(&mut self.pressed, pressed) && pressed;
            return if fires { Action::Write(Value::Nothing) } else { Action::Nothing };
        }
        let is_number = matches!(def.kind, Kind::Float { .. } | Kind::Int { .. } | Kind::Choice { .. });
        let last = self.last.replace(position);
        if entry.takeover == Takeover::Jump || !is_number {
            return Action::Write(value_at(travel_curve, position));
        }
        let base = params.base(entry.to);
        let value_travel = travel_of(travel_curve, def, base);
        let is_ours = self.expected.is_some_and(|expected| (base - expected).abs() <= 1e-9 * (1.0 + expected.abs()));
        let meets = (position - value_travel).abs() <= NEAR || settled(def, &value_at(travel_curve, position)) == base;
        let travel = match entry.takeover {
            Takeover::Scale => {
                let from = if is_ours { self.scaled } else { value_travel };
                last.map(|last| scaled(from, last, position)).or(meets.then_some(position))
            }
            Takeover::Pickup | Takeover::Jump => {
                // A fast turn can jump over the value without coming close.
                let passed = last.is_some_and(|last| (last - value_travel) * (position - value_travel) <= 0.0);
                (is_ours || meets || passed).then_some(position)
            }
        };
        let Some(travel) = travel else {
            self.expected = None;
            let turn = if position < value_travel { Turn::Right } else { Turn::Left };
            return Action::Wait(turn, def.to_travel(settled(def, &value_at(travel_curve, position))));
        };
        let value = value_at(travel_curve, travel);
        self.expected = Some(settled(def, &value));
        self.scaled = travel;
        Action::Write(value)
    }
}

/// Where a value at `from` moves when its knob moves, so that both reach the end together.
fn scaled(from: f64, last: f64, position: f64) -> f64 {
    if position > last {
        1.0 - (1.0 - from) * (1.0 - position) / (1.0 - last)
    } else if position < last {
        from * position / last
    } else {
        from
    }
}

fn steps(relative: Relative, value: u8) -> i32 {
    let value = i32::from(value);
    match relative {
        Relative::Twos if value >= 64 => value - 128,
        Relative::Signed if value >= 64 => 64 - value,
        Relative::Offset => value - 64,
        Relative::Twos | Relative::Signed => value,
    }
}

/// Whether a controller is read as a button.
fn is_button(entry: &MidiEntry) -> bool {
    entry.mode.is_some() || entry.value.is_some() || entry.to.id.def().kind == Kind::Trigger
}

fn press(entry: &MidiEntry, velocity: f64, params: &Params) -> Option<Value> {
    if let Some(value) = &entry.value {
        return Some(value.clone());
    }
    let travel_curve = entry.curve.as_ref();
    let kind = entry.to.id.def().kind;
    let mode = entry.mode.unwrap_or(if matches!(kind, Kind::Bool { .. }) { Mode::Toggle } else { Mode::Trigger });
    Some(match (mode, kind) {
        (_, Kind::Trigger) => Value::Nothing,
        (Mode::Trigger, Kind::Bool { .. }) | (Mode::Gate, _) => value_at(travel_curve, 1.0),
        (Mode::Trigger, _) => value_at(travel_curve, velocity),
        (Mode::Toggle, _) => {
            let is_high = travel_of(travel_curve, &params.def(entry.to.id), params.base(entry.to)) >= 0.5;
            value_at(travel_curve, if is_high { 0.0 } else { 1.0 })
        }
    })
}

fn release(entry: &MidiEntry) -> Option<Value> {
    let is_gate = entry.mode == Some(Mode::Gate) && entry.value.is_none() && entry.to.id.def().kind != Kind::Trigger;
    is_gate.then(|| value_at(entry.curve.as_ref(), 0.0))
}

fn program_value(entry: &MidiEntry, program: u8) -> Value {
    if let Some(value) = &entry.value {
        return value.clone();
    }
    match entry.to.id.def().kind {
        // Presets are counted from 1, as controllers show their programs.
        Kind::Text { .. } => Value::Int(i64::from(program) + 1),
        Kind::Int { .. } | Kind::Choice { .. } if entry.curve.is_none() => Value::Int(i64::from(program)),
        Kind::Trigger => Value::Nothing,
        _ => value_at(entry.curve.as_ref(), f64::from(program) / 127.0),
    }
}

fn stepped(entry: &MidiEntry, steps: i32, params: &Params) -> Option<Value> {
    let def = &params.def(entry.to.id);
    let base = params.base(entry.to);
    let (min, max) = entry.curve.map_or(def.range(), |travel_curve| {
        (travel_curve.from.min(travel_curve.to), travel_curve.from.max(travel_curve.to))
    });
    let direction = entry.curve.map_or(1.0, |travel_curve| (travel_curve.to - travel_curve.from).signum());
    if steps == 0 {
        return None;
    }
    Some(match def.kind {
        Kind::Trigger => return (steps > 0).then_some(Value::Nothing),
        Kind::Bool { .. } => Value::Bool(f64::from(steps) * direction > 0.0),
        Kind::Int { .. } | Kind::Choice { .. } => Value::Float((base + f64::from(steps) * direction).clamp(min, max)),
        _ => {
            let travel = travel_of(entry.curve.as_ref(), def, base) + f64::from(steps) * STEP;
            value_at(entry.curve.as_ref(), travel.clamp(0.0, 1.0))
        }
    })
}
