//! Closes a rendering to a loop: its last picture leads on to its first.
//!
//! The show plays for a while before the first frame, and the w's of that time are kept. At the end the w's go over to them, each on
//! an arc about the mean, so that what would be the next frame is the first. This closes any walk, and all that moves the w's. Random
//! noise goes round a circle of two noises, which keeps its strength (see [`NoiseMode::Loop`]). Nothing else is closed.

use super::stage::Request;
use crate::engine::NoiseMode;
use crate::latent::track::arc;
use crate::modulate::Ease;

/// A rendering on its way round.
pub(super) struct Closing {
    /// Frames of the loop.
    frames: usize,
    /// The ws of the frames before it.
    before: Vec<Vec<f32>>,
    /// How many there are before it.
    lead: usize,
    /// The frame that comes, counted from the first before the loop.
    next: usize,
    mixed: Vec<f32>,
}

impl Closing {
    /// A loop of so many frames, after `lead` that are not shown, of which there are less than in the loop.
    pub fn new(frames: usize, lead: usize) -> Closing {
        Closing { frames, before: Vec::with_capacity(lead), lead, next: 0, mixed: Vec::new() }
    }

    /// Closes the request of the next frame; `centre` is the mean w.
    pub fn close(&mut self, request: &mut Request, centre: &[f32]) {
        let at = self.next;
        self.next += 1;
        if at < self.lead {
            self.before.push(request.ws.clone());
        }
        let turn = (at as f64 - self.lead as f64) / self.frames as f64;
        if let NoiseMode::Random { seed } = request.noise.mode {
            // The seed of the show, without the number of the picture.
            request.noise.mode = NoiseMode::Loop { seed: seed & 0xffff_ffff, turn: turn.rem_euclid(1.0) as f32 };
        }
        // From the frame on whose next round is the first before the loop.
        let Some(arrived) = at.checked_sub(self.frames) else { return };
        let Some(before) = self.before.get(arrived).filter(|before| before.len() == request.ws.len()) else { return };
        let share = Ease::Smooth.apply(arrived as f64 / self.lead as f64);
        self.mixed.clear();
        let w_dim = centre.len().max(1);
        for (w, other) in request.ws.chunks_exact(w_dim).zip(before.chunks_exact(w_dim)) {
            arc(w, other, share, centre, &mut self.mixed);
        }
        if self.mixed.len() == request.ws.len() {
            request.ws.clone_from(&self.mixed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_frame_after_the_last_is_the_first() {
        let request = |at: usize| Request { ws: vec![at as f32, 1.0, 2.0 * at as f32, -1.0], ..Request::default() };
        let mut closing = Closing::new(10, 4);
        let mut close = |at: usize| {
            let mut request = request(at);
            closing.close(&mut request, &[0.0, 0.0]);
            request.ws
        };
        let all: Vec<Vec<f32>> = (0..15).map(&mut close).collect();
        assert!((0..11).all(|at| all[at] == request(at).ws), "at first nothing changes");
        assert!((11..14).all(|at| all[at] != request(at).ws && all[at] != request(at - 10).ws));
        assert_eq!(all[14], request(14).ws, "the loop is over");
        // What would be frame 14, the first again, is where the way leads to.
        let distance = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(distance(&all[13], &request(4).ws) < distance(&all[12], &request(4).ws));
    }
}
