//! A source that follows a signal: an audio band, a sensor, whatever arrives under a name.

use super::signals::{SignalId, Signals};
use super::source::{Kind, Polarity, Setup, Source, Time};

/// `source = "audio.kick"`: any name of a signal.
pub static KIND: Kind = Kind { words: &[], knobs: &[], polarity: Polarity::Unipolar, build };

fn build(setup: &Setup<'_>) -> Box<dyn Source> {
    Box::new(Follow { signal: SignalId::intern(setup.word) })
}

/// Gives the newest value of a signal, kept from 0 to 1.
pub struct Follow {
    /// `None` when the process has no room for one more signal: it rests at 0.
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
    fn a_follower_gives_the_newest_value() {
        let mut follow = build(&Setup { word: "test.follow", seed: 0, chosen: &[] });
        let id = SignalId::find("test.follow").expect("building it makes the signal known");
        let mut signals = Signals::default();
        for (sent, expected) in [(0.25, 0.25), (1.0, 1.0), (7.0, 1.0), (-3.0, 0.0)] {
            signals.set(id, sent);
            assert_eq!(follow.step(Time::default(), &signals), expected, "{sent}");
        }
    }
}
