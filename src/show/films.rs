//! What moves in the input: where a clip is, and when a source has a picture.
//!
//! The place in a clip is a number of seconds that the show counts, so that the same show has the same pictures live and in a
//! render. Accesses no disk and never waits.

use super::loads::Kind;
use super::status::Status;
use crate::effects::input::{Content, Moment};
use crate::footage::{Footage, Length, News};
use crate::params::{Id, Params, Value};

/// How often `/input/time` says where the clip is, in seconds.
const SHOWN_EVERY: f64 = 0.1;

/// How far a frame of the show has come.
#[derive(Clone, Copy)]
pub(super) struct Passed {
    /// Seconds since the last one.
    pub dt: f64,
    /// Of the show's clock.
    pub beat: f64,
}

/// What moves now, and what it fades from.
#[derive(Default)]
pub(super) struct Films {
    now: Option<Film>,
    before: Option<Film>,
    /// `/input/time` as it was last shown; another value was written by someone.
    shown: f64,
    since_secs: f64,
    /// The beat of the last frame.
    beat: f64,
}

struct Film {
    footage: Footage,
    /// Of a clip, 0 to its length.
    secs: f64,
    moment: Moment,
    /// Whether it has not been seen yet: its first picture is that of the place where it begins.
    is_new: bool,
}

impl Film {
    /// Goes on by `secs` of show time that are `beats` of its tempo.
    fn advance(&mut self, length: Length, secs: f64, beats: f64, params: &Params) {
        if std::mem::take(&mut self.is_new) {
            return;
        }
        let beats_long = params.get(Id::InputBeats);
        let own = if beats_long > 0.0 { beats / beats_long * length.secs() } else { secs };
        self.secs = (self.secs + own * params.get(Id::InputSpeed)).rem_euclid(length.secs());
    }

    /// Says which picture is seen. Offline every picture comes in time, and none is counted as missing.
    fn look(&mut self, params: &Params, is_offline: bool) {
        let Some(length) = self.footage.length() else {
            let frame = self.footage.newest();
            self.moment = Moment { frame, is_there: frame > 0 };
            return;
        };
        let frame = length.frame_at(self.secs + params.get(Id::InputScrub) * length.secs());
        self.footage.aim(frame, params.get(Id::InputSpeed) < 0.0);
        self.moment = Moment { frame, is_there: is_offline || self.footage.has(frame) };
    }
}

impl Films {
    /// Something new is played, or nothing; the last one goes on while it fades out. If it is the `same` in another shape, it
    /// goes on where it is.
    pub fn play(&mut self, content: Option<&Content>, same: bool, params: &mut Params, beat: f64) {
        if let Some(gone) = std::mem::replace(&mut self.before, self.now.take()) {
            gone.footage.close();
        }
        let Some(Content::Moving(footage)) = content else { return };
        let place = self.before.as_ref().filter(|_| same).map(|before| before.secs);
        let mut film = Film { footage: footage.clone(), secs: 0.0, moment: Moment::default(), is_new: true };
        if let Some(length) = footage.length() {
            let beats_long = params.get(Id::InputBeats);
            // One that follows the tempo begins where it would be had it always played: its first picture is on a beat.
            let begins = if beats_long > 0.0 { beat / beats_long * length.secs() } else { 0.0 };
            let written = params.base(Id::InputTime);
            let asked = if written == self.shown { begins } else { written };
            film.secs = place.unwrap_or(asked).rem_euclid(length.secs());
        }
        self.now = Some(film);
        self.show(params);
    }

    /// Whether the newest one can be seen; until then nothing fades.
    pub fn can_fade(&self) -> bool {
        self.now.as_ref().is_none_or(|film| film.footage.length().is_some() || film.footage.newest() > 0)
    }

    /// A frame of the show, `dt` seconds later. What was `faded` out ends.
    /// While something `is_loading`, a new place is for that.
    pub fn step(&mut self, time: Passed, faded: f32, params: &mut Params, [is_loading, is_offline]: [bool; 2]) {
        let Passed { dt, beat } = time;
        let beats = beat - std::mem::replace(&mut self.beat, beat);
        if faded >= 1.0
            && let Some(gone) = self.before.take()
        {
            gone.footage.close();
        }
        let written = params.base(Id::InputTime);
        let jumps = written != self.shown && !is_loading;
        if let Some((film, length)) = self.now.as_mut().and_then(|film| film.footage.length().map(|l| (film, l))) {
            if jumps {
                film.secs = written.rem_euclid(length.secs());
                film.is_new = false;
                self.shown = written;
                self.since_secs = 0.0;
            } else {
                film.advance(length, dt, beats, params);
            }
        }
        if let Some((film, length)) = self.before.as_mut().and_then(|film| film.footage.length().map(|l| (film, l))) {
            film.advance(length, dt, beats, params);
        }
        for film in [&mut self.now, &mut self.before].into_iter().flatten() {
            film.look(params, is_offline);
        }
        self.since_secs += dt;
        if self.since_secs >= SHOWN_EVERY && !jumps && !is_loading {
            self.show(params);
        }
    }

    /// Shows where the clip is in `/input/time`.
    fn show(&mut self, params: &mut Params) {
        self.since_secs = 0.0;
        let Some(film) = self.now.as_ref().filter(|film| film.footage.length().is_some()) else { return };
        let shown = Value::Float((film.secs * 100.0).round() / 100.0);
        // It is a number within the range.
        let _ = params.write(Id::InputTime.into(), &shown);
        self.shown = params.base(Id::InputTime);
    }

    /// Where they are: the newest and the previous one.
    pub fn moments(&self) -> [Moment; 2] {
        [&self.now, &self.before].map(|film| film.as_ref().map_or_else(Moment::default, |film| film.moment))
    }

    /// Says that a source is lost, and takes that line away when it is back.
    pub fn tell(&self, status: &mut Status) {
        match self.now.as_ref().and_then(|film| film.footage.take_news()) {
            Some(News::Lost(line)) => status.fault(Kind::Picture, line),
            Some(News::Back) => status.mended(Kind::Picture),
            Some(News::Told(line)) => status.notice(line),
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A clip of 2 seconds at 10 pictures a second.
    fn clip() -> Content {
        Content::Moving(Footage::of_colours(1, 10.0, &[[0; 3]; 20]))
    }

    fn set(params: &mut Params, id: Id, value: f64) {
        params.write(id.into(), &Value::Float(value)).unwrap();
        params.settle();
    }

    fn frame(films: &Films) -> u64 {
        films.moments()[0].frame
    }

    #[test]
    fn a_clip_goes_round_at_its_speed_and_says_where_it_is() {
        let (mut films, mut params) = (Films::default(), Params::default());
        films.play(Some(&clip()), false, &mut params, 0.0);
        let step = |films: &mut Films, params: &mut Params, dt| {
            films.step(Passed { dt, beat: 0.0 }, 1.0, params, [false; 2]);
            frame(films)
        };
        assert_eq!([0.0, 0.05, 0.05, 1.8, 0.1].map(|dt| step(&mut films, &mut params, dt)), [0, 0, 1, 19, 0]);
        set(&mut params, Id::InputSpeed, -2.0);
        assert_eq!([0.0, 0.1].map(|dt| step(&mut films, &mut params, dt)), [0, 18]);
        assert_eq!(params.base(Id::InputTime), 1.8);
        // Someone writes another time.
        set(&mut params, Id::InputSpeed, 0.0);
        set(&mut params, Id::InputTime, 0.55);
        assert_eq!([0.1, 0.1].map(|dt| step(&mut films, &mut params, dt)), [5, 5]);
        set(&mut params, Id::InputTime, 7.0);
        assert_eq!(step(&mut films, &mut params, 0.0), 10, "the times go round too");
        assert_eq!(step(&mut films, &mut params, 1.0), 10);
        assert_eq!(params.base(Id::InputTime), 1.0, "and what is shown is within the clip");
        set(&mut params, Id::InputScrub, 0.75);
        assert_eq!(step(&mut films, &mut params, 0.0), 5);
    }

    #[test]
    fn a_clip_follows_the_tempo() {
        let (mut films, mut params) = (Films::default(), Params::default());
        set(&mut params, Id::InputBeats, 4.0);
        films.play(Some(&clip()), false, &mut params, 5.0);
        films.step(Passed { dt: 0.0, beat: 5.0 }, 1.0, &mut params, [false; 2]);
        assert_eq!(frame(&films), 5, "a beat after its beginning");
        for (beat, expected) in [(6.0, 10), (8.0, 0), (9.0, 5), (8.9, 4), (12.0, 0)] {
            films.step(Passed { dt: 0.01, beat }, 1.0, &mut params, [false; 2]);
            assert_eq!(frame(&films), expected, "{beat}");
        }
    }

    #[test]
    fn the_previous_one_goes_on_until_it_has_faded() {
        let (mut films, mut params) = (Films::default(), Params::default());
        let first = clip();
        films.play(Some(&first), false, &mut params, 0.0);
        films.step(Passed { dt: 0.1, beat: 0.0 }, 1.0, &mut params, [false; 2]);
        assert_eq!(frame(&films), 0, "the first picture is seen");
        films.step(Passed { dt: 0.5, beat: 0.0 }, 1.0, &mut params, [false; 2]);
        films.play(Some(&clip()), false, &mut params, 0.0);
        films.step(Passed { dt: 0.0, beat: 0.0 }, 0.5, &mut params, [false; 2]);
        films.step(Passed { dt: 0.1, beat: 0.0 }, 0.5, &mut params, [false; 2]);
        assert_eq!(films.moments().map(|moment| moment.frame), [1, 6]);
        films.step(Passed { dt: 0.1, beat: 0.0 }, 1.0, &mut params, [false; 2]);
        assert_eq!(films.moments().map(|moment| moment.frame), [2, 0], "it has ended");
        films.play(Some(&clip()), true, &mut params, 0.0);
        films.step(Passed { dt: 0.1, beat: 0.0 }, 0.5, &mut params, [false; 2]);
        assert_eq!(frame(&films), 2, "the same one goes on");
        // A time that was written before it came is where it begins.
        set(&mut params, Id::InputTime, 1.5);
        films.step(Passed { dt: 0.0, beat: 0.0 }, 1.0, &mut params, [true, false]);
        assert_eq!(frame(&films), 2, "that is for what is loading");
        films.play(Some(&clip()), false, &mut params, 0.0);
        films.step(Passed { dt: 0.0, beat: 0.0 }, 0.5, &mut params, [false; 2]);
        assert_eq!(frame(&films), 15);
    }
}
