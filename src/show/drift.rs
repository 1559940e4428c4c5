//! How the still pictures of the input drift: a window of each shrinks or grows slowly while it is seen, as in documentary films
//! (the Ken Burns effect).
//!
//! Just counting: which window follows from the picture's number, the time it has been seen, and the parameters.

use std::f64::consts::PI;

use crate::image::resample::Window;
use crate::params::{Id, Params, TimeBase};

/// How long a picture drifts that is not followed by another one, in seconds.
const STAY_SECS: f64 = 8.0;
/// From the way of one picture to that of the next, in radians: no two of many go the same way.
const GOLDEN_ANGLE: f64 = PI * (3.0 - 2.236_067_977_499_79);

/// The newest picture, and the one it fades from.
#[derive(Debug, Default)]
pub(super) struct Drifts {
    now: Drift,
    before: Drift,
}

#[derive(Clone, Copy, Debug, Default)]
struct Drift {
    /// Of the picture in its folder.
    number: i64,
    /// 0 where it begins, 1 when it is due to be gone; beyond that it goes back and forth.
    along: f64,
}

impl Drift {
    /// What is seen of it; at most `amount` of its width is left out.
    fn window(&self, amount: f64) -> Window {
        let there = 0.5 - 0.5 * (PI * self.along).cos();
        // Every other one goes backwards.
        let there = if self.number.rem_euclid(2) == 0 { there } else { 1.0 - there };
        let room = amount * there / 2.0;
        let (sin, cos) = (self.number as f64 * GOLDEN_ANGLE).sin_cos();
        let [left, top] = [cos, sin].map(|way| (room * (1.0 + way)) as f32);
        Window { left, top, size: (1.0 - 2.0 * room) as f32 }
    }
}

impl Drifts {
    /// Another picture is seen, its folder's `number`th, or none. If it is the same in another shape, it `goes_on`.
    pub fn play(&mut self, number: i64, goes_on: bool) {
        self.before = self.now;
        if !goes_on {
            self.now = Drift { number, along: 0.0 };
        }
    }

    /// A frame of the show, `dt` seconds later: a picture takes as long as it stays, and as it fades out.
    pub fn step(&mut self, dt: f64, params: &Params) {
        let every = params.get(Id::InputEvery);
        let stays = every / params.get_choice::<TimeBase>(Id::InputSync).per_second(params.get(Id::Tempo));
        let secs = if every > 0.0 { stays } else { STAY_SECS } + params.get(Id::InputFade);
        for drift in [&mut self.now, &mut self.before] {
            drift.along += dt / secs;
        }
    }

    /// What is seen of the newest picture, and of the previous one.
    pub fn windows(&self, params: &Params) -> [Window; 2] {
        let amount = params.get(Id::InputDrift);
        if amount > 0.0 { [self.now, self.before].map(|drift| drift.window(amount)) } else { [Window::WHOLE; 2] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::params::Value;

    fn set(params: &mut Params, id: Id, value: f64) {
        params.write(id.into(), &Value::Float(value)).unwrap();
        params.settle();
    }

    #[test]
    fn a_window_stays_in_the_picture_and_takes_as_long_as_the_picture() {
        let (mut drifts, mut params) = (Drifts::default(), Params::default());
        drifts.play(4, false);
        assert_eq!(drifts.windows(&params), [Window::WHOLE; 2], "off");
        set(&mut params, Id::InputDrift, 0.2);
        set(&mut params, Id::InputEvery, 4.0);
        set(&mut params, Id::InputFade, 1.0);
        set(&mut params, Id::InputSync, 1.0);
        // Four beats of 120 bpm, and a second: the middle after one and a half, the end after three.
        let mut sizes = Vec::new();
        for _ in 0..6 {
            let [now, _] = drifts.windows(&params);
            assert!(now.left >= 0.0 && now.top >= 0.0 && now.left.max(now.top) + now.size <= 1.0, "{now:?}");
            sizes.push(now.size);
            drifts.step(0.5, &params);
        }
        assert!((sizes[0] - 1.0).abs() < 1e-6 && (sizes[3] - 0.9).abs() < 1e-6, "{sizes:?}");
        assert!(sizes.windows(2).all(|pair| pair[0] > pair[1]), "{sizes:?}");
        let [end, _] = drifts.windows(&params);
        assert!((end.size - 0.8).abs() < 1e-6, "{end:?}");
        // The next one goes the other way, and the last one goes on.
        drifts.play(5, false);
        let [now, before] = drifts.windows(&params);
        assert_eq!(before, end);
        assert!((now.size - 0.8).abs() < 1e-6 && (now.left, now.top) != (end.left, end.top), "{now:?}");
        drifts.step(0.5, &params);
        let next = drifts.windows(&params);
        assert!(next[0].size > 0.8 && next[1].size > 0.8, "{next:?}");
        // In another shape it goes on.
        drifts.play(5, true);
        assert_eq!(drifts.windows(&params), [next[0]; 2]);
    }
}
