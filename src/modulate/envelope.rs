//! An envelope: rises and falls once for each note, beat or rise of a signal.

use super::signals::{self, SignalId, Signals};
use super::source::{Kind, Knob, Polarity, Setup, Source, TextKey, Time};
use crate::params::Curve;

const ATTACK: Knob = Knob {
    name: "attack",
    min: 0.0,
    max: 10.0,
    default: 0.01,
    unit: "s",
    curve: Curve::Square,
    smoothing_secs: 0.0,
    help: "how long it rises",
};
const DECAY: Knob = Knob {
    name: "decay",
    min: 0.01,
    max: 30.0,
    default: 0.5,
    unit: "s",
    curve: Curve::Square,
    smoothing_secs: 0.0,
    help: "how long it falls, to a twentieth",
};

/// What starts it.
static ON: TextKey = TextKey { name: "on", example: "audio.kick", check };

/// `source = "envelope"`, with `on = "audio.kick"`, `"note 36"` or `"beat"`.
pub static KIND: Kind =
    Kind { words: &["envelope"], knobs: &[&[ATTACK], &[DECAY]], text: Some(&ON), polarity: Polarity::Unipolar, build };

fn check(text: &str) -> Result<(), String> {
    if text == "beat" || note_of(text).is_some() || signals::is_name(text) {
        return Ok(());
    }
    Err(format!("on takes the name of a signal such as audio.kick, a note such as note 36, or beat; got {text:?}"))
}

fn build(setup: &Setup<'_>) -> Box<dyn Source> {
    let on = match (setup.text, note_of(setup.text)) {
        ("beat", _) => On::Beat,
        (_, Some(note)) => On::Signal(SignalId::intern(&signal_of(note))),
        (name, None) => On::Signal(SignalId::intern(name)),
    };
    Box::new(Envelope { on, attack: ATTACK.default, decay: DECAY.default, last: None, level: 0.0, peak: 0.0 })
}

/// The note of `note 36`.
pub fn note_of(text: &str) -> Option<u8> {
    text.strip_prefix("note ")?.trim().parse().ok().filter(|note| *note < 128)
}

/// The name of the signal that is a note's velocity.
pub fn signal_of(note: u8) -> String {
    format!("midi.note{note}")
}

enum On {
    Beat,
    /// `None` if the process has too many signals.
    Signal(Option<SignalId>),
}

/// Above this a signal counts as on.
const THRESHOLD: f64 = 0.05;

struct Envelope {
    on: On,
    attack: f64,
    decay: f64,
    /// The signal, or the beat, of the last frame.
    last: Option<f64>,
    level: f64,
    /// What it rises to; 0 while it falls.
    peak: f64,
}

impl Source for Envelope {
    fn turn(&mut self, knobs: &[f64]) {
        if let [attack, decay] = *knobs {
            (self.attack, self.decay) = (attack, decay);
        }
    }

    fn step(&mut self, t: Time, signals: &Signals) -> f64 {
        let now = match self.on {
            On::Beat => t.beat.floor(),
            On::Signal(id) => id.map_or(0.0, |id| signals.get(id).clamp(0.0, 1.0)),
        };
        let last = self.last.replace(now);
        let peak = match self.on {
            On::Beat => f64::from(u8::from(last != Some(now))),
            On::Signal(_) if now > THRESHOLD && last.is_none_or(|last| last <= THRESHOLD) => now,
            On::Signal(_) => 0.0,
        };
        if peak > 0.0 {
            self.peak = peak;
        }
        if self.peak > 0.0 {
            self.level += if self.attack > 0.0 { self.peak * t.dt / self.attack } else { self.peak };
            if self.level >= self.peak {
                (self.level, self.peak) = (self.peak, 0.0);
            }
        } else {
            // e⁻³ is a twentieth.
            self.level *= (-3.0 * t.dt / self.decay).exp();
        }
        self.level
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn envelope(on: &str) -> Box<dyn Source> {
        let mut envelope = build(&Setup { word: "envelope", text: on, seed: 0, chosen: &[0, 0] });
        envelope.turn(&[0.2, 1.0]);
        envelope
    }

    #[test]
    fn it_rises_and_falls_once_for_each_hit() {
        let mut source = envelope("note 36");
        let id = SignalId::find("midi.note36").expect("building it registers the signal");
        let mut signals = Signals::default();
        let mut step = |velocity: f64| {
            signals.set(id, velocity);
            (source.step(Time { secs: 0.0, beat: 0.0, dt: 0.1 }, &signals) * 1e3).round() / 1e3
        };
        assert_eq!([0.0, 0.8, 0.8, 0.8].map(&mut step), [0.0, 0.4, 0.8, 0.593], "held notes do not start it again");
        assert_eq!((0..9).map(|_| step(0.0)).last(), Some(0.04));
        assert_eq!([0.5, 0.5].map(&mut step), [0.29, 0.5]);
    }

    #[test]
    fn it_starts_on_each_beat() {
        let mut source = envelope("beat");
        let mut step = |beat: f64| source.step(Time { secs: 0.0, beat, dt: 0.2 }, &Signals::default());
        assert_eq!([step(0.0), step(1.0)], [1.0, 1.0]);
        assert!(step(1.5) < 0.6 && step(1.9) < 0.4 && step(2.0) == 1.0);
    }
}
