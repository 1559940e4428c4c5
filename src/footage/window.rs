//! Which pictures of a clip are kept in memory, and which is decoded next. Plain arithmetic.
//!
//! A short clip is kept whole. Of a longer one, a window moves along: three quarters of it lie ahead in the direction of play,
//! beyond the end too, so that a clip goes round without a gap.

use super::reel::Aim;

/// Bytes of one clip's pictures.
const MOST_BYTES: usize = 192 << 20;
/// Fewest pictures in memory.
const FEWEST: u64 = 24;

#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    /// Number of pictures of the clip.
    pub count: u64,
    /// How many of them are kept.
    pub most: u64,
}

impl Window {
    /// For a clip of `count` pictures of so many bytes.
    pub fn new(count: u64, bytes: usize) -> Self {
        let most = ((MOST_BYTES / bytes.max(1)) as u64).max(FEWEST).min(count);
        Window { count, most }
    }

    /// How far ahead of `aim` a picture lies in the direction of play.
    pub fn ahead(&self, frame: u64, aim: Aim) -> u64 {
        let (from, to) = if aim.backward { (frame, aim.frame) } else { (aim.frame, frame) };
        (to + self.count - from % self.count) % self.count
    }

    /// How far ahead pictures are wanted.
    fn reach(&self) -> u64 {
        if self.most == self.count { self.count } else { self.most * 3 / 4 }
    }

    /// Whether a picture is worth keeping.
    pub fn wants(&self, frame: u64, aim: Aim) -> bool {
        self.ahead(frame, aim) < self.reach()
    }

    /// The first picture ahead that is missing.
    pub fn next(&self, aim: Aim, is_there: &dyn Fn(u64) -> bool) -> Option<u64> {
        let place = |by: u64| {
            let from = aim.frame % self.count;
            if aim.backward { (from + self.count - by) % self.count } else { (from + by) % self.count }
        };
        (0..self.reach()).map(place).find(|frame| !is_there(*frame))
    }

    /// Where decoding begins, so that this picture comes soon: backward, a stretch before it is decoded with it.
    pub fn start(&self, frame: u64, backward: bool) -> u64 {
        let stretch = (self.most / 4).clamp(1, 48);
        if backward { frame.saturating_sub(stretch - 1) } else { frame }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn aim(frame: u64, backward: bool) -> Aim {
        Aim { frame, backward }
    }

    #[test]
    fn what_is_next_lies_ahead_and_goes_round() {
        let window = Window { count: 100, most: 40 };
        let none = |_| false;
        assert_eq!(window.next(aim(10, false), &none), Some(10));
        assert_eq!(
            window.next(aim(90, false), &|frame| frame >= 90),
            Some(0),
            "the beginning, before the end is reached"
        );
        assert_eq!(window.next(aim(90, false), &|frame| !(20..90).contains(&frame)), None, "30 are ahead");
        assert_eq!(window.next(aim(5, true), &|frame| frame <= 5), Some(99));
        assert_eq!(window.start(99, true), 90);
        assert_eq!([window.start(3, true), window.start(3, false)], [0, 3]);
        assert!(
            window.wants(19, aim(90, false)) && !window.wants(20, aim(90, false)) && !window.wants(89, aim(90, false))
        );
        assert_eq!([window.ahead(95, aim(5, true)), window.ahead(95, aim(5, false))], [10, 90]);
    }

    #[test]
    fn a_short_clip_is_kept_whole() {
        let window = Window::new(200, 512 * 512 * 3);
        assert_eq!((window.most, window.next(aim(150, false), &|frame| frame != 149)), (200, Some(149)));
        let long = Window::new(10_000, 512 * 512 * 3);
        assert_eq!(long.most, 256);
        assert_eq!(Window::new(10_000, 4096 * 4096 * 3).most, FEWEST);
        assert_eq!(Window::new(1, 3).most, 1);
    }
}
