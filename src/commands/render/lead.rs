//! Brings a show to a frame of a take, so that what follows is what it would be if everything before had been drawn.
//!
//! Controls, walks, modulators and live code are played again from the beginning, without drawing: that is quick, and exact.
//! What has been drawn matters only where a style loop, effects or a fade remember it. Then drawing begins at the last frame
//! before which nothing was remembered, or at a state that was kept.

use super::frames::Frames;
use crate::engine::memo::Memo;
use crate::record::states::States;
use crate::record::take::Take;
use crate::show::Show;

/// The limit on flashes knows so many seconds: one in which it counts, and one and a half in which it damps.
const WATCHED_SECS: f64 = 4.0;

/// What is needed to bring a show to a frame.
pub(super) struct Lead<'a> {
    pub take: &'a Take,
    pub frames: &'a Frames,
    /// The show before its first frame.
    pub start: &'a dyn Fn() -> anyhow::Result<Show>,
    /// Whether the limit on flashes watches what is drawn.
    pub watches: bool,
    /// Whether pictures are needed in linear light, which no state holds.
    pub takes_light: bool,
    /// Draws only so many seconds, where the show remembers.
    pub run_up: Option<f64>,
    /// Where states are: those beside the take, then those of the video.
    pub states: Vec<States>,
}

/// A show on its way.
pub(super) struct Arrived {
    pub show: Show,
    /// The next frame that it plays.
    pub next: usize,
    /// Whether it remembers what it would if everything before had been drawn.
    pub is_exact: bool,
}

impl Lead<'_> {
    /// Plays a frame, and draws it if it is one of those.
    ///
    /// # Errors
    /// When the show fails.
    pub fn play(&self, show: &mut Show, i: usize) -> anyhow::Result<()> {
        show.repeat(&self.take.frames[i], self.frames.drawn[i]);
        self.check(show, i)
    }

    fn pass_over(&self, show: &mut Show, i: usize) -> anyhow::Result<()> {
        if self.frames.drawn[i] {
            show.pass_over(&self.take.frames[i]);
        } else {
            show.repeat(&self.take.frames[i], false);
        }
        self.check(show, i)
    }

    fn check(&self, show: &Show, i: usize) -> anyhow::Result<()> {
        match show.failure() {
            Some(failure) => anyhow::bail!("at {:.2} s: {failure}", self.frames.times[i]),
            None => Ok(()),
        }
    }

    /// The frame with which drawing begins at the latest, if the picture of frame `shown` is the first that is shown.
    fn first(&self, shown: usize) -> usize {
        let times = &self.frames.times;
        let is_watched = |i: &usize| times[*i] >= times[shown] - WATCHED_SECS;
        if self.watches { (0..shown).find(is_watched).unwrap_or(shown) } else { shown }
    }

    /// A show that is ready to play on to frame `begin`, whose picture is shown first; `None` if it was stopped.
    ///
    /// # Errors
    /// When the show fails.
    pub fn to(&self, begin: usize, is_stopped: &dyn Fn() -> bool) -> anyhow::Result<Option<Arrived>> {
        let first = self.first(self.frames.last_drawn(begin).unwrap_or(begin));
        let mut show = (self.start)()?;
        let mut clean = 0;
        for i in 0..first {
            if is_stopped() {
                return Ok(None);
            }
            if !show.remembers() {
                clean = i;
            }
            self.pass_over(&mut show, i)?;
        }
        if !show.remembers() {
            return Ok(Some(Arrived { show, next: first, is_exact: true }));
        }
        if let Some(arrived) = self.at_state(begin, clean, is_stopped)? {
            return Ok(Some(arrived));
        }
        let enough = self.run_up.map_or(0.0, |secs| self.frames.times[first] - secs);
        let next = (clean..first).find(|i| self.run_up.is_none() || self.frames.times[*i] >= enough).unwrap_or(first);
        if is_stopped() {
            return Ok(None);
        }
        let mut show = (self.start)()?;
        for i in 0..next {
            self.pass_over(&mut show, i)?;
        }
        Ok(Some(Arrived { show, next, is_exact: next == clean }))
    }

    /// A show that goes on from the newest state before `begin` that can be read, if one is after `clean`.
    fn at_state(&self, begin: usize, clean: usize, is_stopped: &dyn Fn() -> bool) -> anyhow::Result<Option<Arrived>> {
        // Without its light, the picture that is shown first has to be drawn again.
        let last = self.frames.last_drawn(begin).filter(|_| self.takes_light);
        let begin = last.unwrap_or(begin);
        let mut found: Vec<(usize, &States)> = Vec::new();
        for states in &self.states {
            found.extend(states.before(begin).into_iter().filter(|at| *at >= clean).map(|at| (at, states)));
        }
        found.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
        for (at, states) in found {
            let bytes = match states.read(at) {
                Ok(bytes) => bytes,
                Err(error) => {
                    warn!(
                        "the state at {:.2} s cannot be read ({error}): an earlier one is used",
                        self.frames.times[at]
                    );
                    continue;
                }
            };
            let mut show = (self.start)()?;
            for i in 0..=at {
                if is_stopped() {
                    return Ok(None);
                }
                self.pass_over(&mut show, i)?;
            }
            match show.memo(&mut Memo::of(bytes)) {
                Ok(()) => return Ok(Some(Arrived { show, next: at + 1, is_exact: true })),
                Err(error) => {
                    warn!("the state at {:.2} s does not fit ({error}): an earlier one is used", self.frames.times[at]);
                }
            }
        }
        Ok(None)
    }
}
