//! A constant frame rate from steps of any length.
//!
//! Counts in the show's time, so the same steps give the same frames. A picture that lands within half a frame of a place
//! takes that place: a display that shows every frame a little early or late loses none.

/// Where a picture goes, and how many frames before it repeat the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// Counted from 0.
    pub place: u64,
    /// Whether the picture differs from the one before.
    pub is_new: bool,
}

/// Decides which frames of a recording are due.
#[derive(Clone, Debug)]
pub struct Pace {
    fps: f64,
    /// Since the first picture.
    secs: f64,
    /// The last place that was due; `None` before the first picture.
    due: Option<u64>,
    /// The last place that a picture was taken for.
    taken: u64,
    /// Longest run of places without a picture.
    longest: u64,
    repeated: u64,
}

impl Pace {
    /// `fps` frames a second. A picture that stays is taken again at least every `longest_secs`, so that what is written
    /// never falls further behind.
    pub fn new(fps: f64, longest_secs: f64) -> Self {
        let longest = ((fps * longest_secs) as u64).max(1);
        Pace { fps, secs: 0.0, due: None, taken: 0, longest, repeated: 0 }
    }

    /// One step of the show, `dt` seconds after the last one, with a picture that `is_new` or the same as before. The
    /// first picture is at time 0.
    pub fn step(&mut self, dt: f64, is_new: bool) -> Option<Due> {
        let Some(due) = self.due else {
            (self.due, self.taken) = (Some(0), 0);
            return Some(Due { place: 0, is_new: true });
        };
        self.secs += dt.max(0.0);
        let place = (self.secs * self.fps + 0.5) as u64;
        if place <= due {
            return None;
        }
        self.due = Some(place);
        // Of the places since the last one, all but the newest had no picture of their own.
        self.repeated += place - due - u64::from(is_new);
        (is_new || place - self.taken >= self.longest).then(|| {
            self.taken = place;
            Due { place, is_new }
        })
    }

    /// How many frames are due so far.
    pub fn frames(&self) -> u64 {
        self.due.map_or(0, |due| due + 1)
    }

    /// How many of them repeat the one before because there was no new picture.
    pub fn repeated(&self) -> u64 {
        self.repeated
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Places and whether they have a new picture, for steps with new pictures (`dt > 0`) and without (`dt < 0`).
    fn places(fps: f64, steps: &[f64]) -> (Vec<u64>, u64, u64) {
        let mut pace = Pace::new(fps, 1e9);
        let taken = steps.iter().filter_map(|dt| pace.step(dt.abs(), *dt > 0.0)).map(|due| due.place).collect();
        (taken, pace.frames(), pace.repeated())
    }

    #[test]
    fn every_display_rate_gives_the_same_frame_rate() {
        // The first picture, then a second of steps.
        let second = |rate: u32| vec![1.0 / f64::from(rate); rate as usize + 1];
        for (rate, taken, repeated) in [(30, 31, 0), (60, 31, 0), (144, 31, 0), (25, 26, 5), (10, 11, 20), (7, 8, 23)] {
            let (places, frames, counted) = places(30.0, &second(rate));
            assert_eq!((places.len(), frames, counted), (taken, 31, repeated), "{rate} a second");
            assert!(places.windows(2).all(|pair| pair[0] < pair[1]));
        }
    }

    #[test]
    fn jitter_of_less_than_half_a_frame_costs_nothing() {
        let mut early = 0.0;
        let steps: Vec<f64> = (0..200)
            .map(|i: u32| {
                let jitter = f64::from(i.wrapping_mul(2_654_435_761) >> 16) / 65_536.0 * 0.9 - 0.45;
                // The first picture is where time begins.
                let jitter = if i == 0 { 0.0 } else { jitter };
                let dt = (1.0 + jitter - early) / 30.0;
                early = jitter;
                dt
            })
            .collect();
        let (places, frames, repeated) = places(30.0, &steps);
        assert_eq!((frames, repeated), (200, 0));
        assert_eq!(places, (0..200).collect::<Vec<u64>>());
    }

    #[test]
    fn a_picture_that_stays_is_counted_as_repeated() {
        let frame = 1.0 / 30.0;
        let steps = [frame, frame, -frame, -frame, frame, 5.0 * frame, -frame];
        assert_eq!(places(30.0, &steps), (vec![0, 1, 4, 9], 11, 2 + 4 + 1));
    }

    #[test]
    fn a_picture_that_stays_is_taken_now_and_then() {
        let mut pace = Pace::new(30.0, 0.25);
        let taken: Vec<Due> = (0..30).filter_map(|_| pace.step(1.0 / 30.0, false)).collect();
        let places: Vec<u64> = taken.iter().map(|due| due.place).collect();
        assert_eq!(places, [0, 7, 14, 21, 28]);
        assert_eq!(taken.iter().filter(|due| due.is_new).count(), 1, "the first one");
        assert_eq!((pace.frames(), pace.repeated()), (30, 29));
    }
}
