//! A source that follows a signal: an audio band, a sensor, anything that arrives under a name.

use super::signals::{SignalId, Signals};
use super::source::{Kind, Polarity, Setup, Source, Time};

/// `source = "audio.kick"`: the name of any signal.
pub static KIND: Kind = Kind { words: &[], knobs: &[], text: None, polarity: Polarity::Unipolar, build };

fn build(setup: &Setup<'_>) -> Box<dyn Source> {
    Box::new(Follow { signal: SignalId::intern(setup.word) })
}

/// Returns the newest value of a signal, clamped to 0..1.
pub struct Follow {
    /// `None` if the process has too many signals; the value is then 0.
    signal: Option<SignalId>,
}

impl Source for Follow {
    fn step(&mut self, _: Time, signals: &Signals) -> f64 {
        self.signal.map_or(0.0, |id| signals.get(id).clamp(0.0, 1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_follower_returns_the_newest_value() {
        let mut follow = build(&Setup { word: "test.follow", text: "", seed: 0, chosen: &[] });
        let id = SignalId::find("test.follow").expect("building it registers the signal");
        let mut signals = Signals::default();
        for (sent, expected) in [(0.25, 0.25), (1.0, 1.0), (7.0, 1.0), (-3.0, 0.0)] {
            signals.set(id, sent);
            assert_eq!(follow.step(Time::default(), &signals), expected, "{sent}");
        }
    }
}
