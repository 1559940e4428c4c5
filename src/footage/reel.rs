//! The pictures of a clip or a source that are in memory: shared by the thread that decodes them and those that show them.
//!
//! Locks are held for moments only; pictures are converted outside of them.

use std::collections::BTreeMap;
use std::process::Child;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::{Length, News};

/// How many empty buffers are kept.
const SPARE: usize = 8;

#[derive(Debug)]
pub(super) struct Reel {
    pub side: usize,
    /// Of a clip.
    pub length: Option<Length>,
    state: Mutex<State>,
    changed: Condvar,
    /// The process that decodes, so that it can be ended while its thread waits for it.
    child: Mutex<Option<Child>>,
}

#[derive(Debug, Default)]
struct State {
    frames: BTreeMap<u64, Arc<Vec<u8>>>,
    aim: u64,
    backward: bool,
    is_closed: bool,
    news: Option<News>,
    told: Option<String>,
    is_lost: bool,
    spare: Vec<Vec<u8>>,
}

/// Where a clip is, for the thread that decodes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Aim {
    pub frame: u64,
    pub backward: bool,
}

impl Reel {
    pub fn new(side: usize, length: Option<Length>) -> Self {
        Reel { side, length, state: Mutex::default(), changed: Condvar::new(), child: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panicked holder leaves whole pictures behind.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn child(&self) -> MutexGuard<'_, Option<Child>> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn aim(&self, frame: u64, backward: bool) {
        let mut state = self.state();
        if (state.aim, state.backward) != (frame, backward) {
            (state.aim, state.backward) = (frame, backward);
            self.changed.notify_all();
        }
    }

    pub fn has(&self, frame: u64) -> bool {
        self.state().frames.contains_key(&frame)
    }

    pub fn newest(&self) -> u64 {
        self.state().frames.last_key_value().map_or(0, |(frame, _)| *frame)
    }

    pub fn last(&self) -> Option<(u64, Arc<Vec<u8>>)> {
        self.state().frames.last_key_value().map(|(frame, bytes)| (*frame, bytes.clone()))
    }

    /// The picture nearest to a place in a clip, at most `reach` places away; it may lie beyond the ends.
    pub fn near(&self, frame: u64, reach: u64) -> Option<(u64, Arc<Vec<u8>>)> {
        let count = self.length?.count;
        let state = self.state();
        let at = |frame: u64| state.frames.get(&frame).map(|bytes| (frame, bytes.clone()));
        let reach = reach.min(count / 2);
        (0..=reach).find_map(|by| at((frame + count - by) % count).or_else(|| at((frame + by) % count)))
    }

    /// Waits for a picture; `None` if it does not come.
    pub fn wait(&self, frame: u64, patience: Duration) -> Option<Arc<Vec<u8>>> {
        let hopes = |state: &mut State| !state.frames.contains_key(&frame) && !state.is_closed && !state.is_lost;
        let (state, _) =
            self.changed.wait_timeout_while(self.state(), patience, hopes).unwrap_or_else(PoisonError::into_inner);
        state.frames.get(&frame).cloned()
    }

    /// Waits for the first picture of all.
    ///
    /// # Errors
    /// Why there is none.
    pub fn begin(&self, patience: Duration) -> Result<(), String> {
        let hopes = |state: &mut State| state.frames.is_empty() && !state.is_closed && !state.is_lost;
        let (mut state, _) =
            self.changed.wait_timeout_while(self.state(), patience, hopes).unwrap_or_else(PoisonError::into_inner);
        match state.news.take() {
            Some(News::Lost(line)) => Err(line),
            _ if state.frames.is_empty() => Err(format!("no picture in {} s", patience.as_secs())),
            _ => Ok(()),
        }
    }

    /// Where a clip is, and which pictures are there, for `choose`.
    pub fn choose<T>(&self, choose: impl FnOnce(Aim, &dyn Fn(u64) -> bool) -> T) -> T {
        let state = self.state();
        let aim = Aim { frame: state.aim, backward: state.backward };
        choose(aim, &|frame| state.frames.contains_key(&frame))
    }

    /// Waits until the clip is elsewhere than at `aim`, or closed.
    pub fn rest(&self, aim: Aim, patience: Duration) {
        let stays = |state: &mut State| (state.aim, state.backward) == (aim.frame, aim.backward) && !state.is_closed;
        drop(self.changed.wait_timeout_while(self.state(), patience, stays));
    }

    /// Adds a picture; the one that `out` names leaves for it.
    pub fn put(&self, frame: u64, bytes: Vec<u8>, out: Option<u64>) {
        self.put_shared(frame, Arc::new(bytes), out);
    }

    /// As [`Reel::put`], for a picture that is there several times.
    pub fn put_shared(&self, frame: u64, bytes: Arc<Vec<u8>>, out: Option<u64>) {
        let mut state = self.state();
        if state.is_closed {
            return;
        }
        let gone = out.and_then(|out| state.frames.remove(&out));
        if let Some(Ok(gone)) = gone.map(Arc::try_unwrap).filter(|_| state.spare.len() < SPARE) {
            state.spare.push(gone);
        }
        state.frames.insert(frame, bytes);
        if std::mem::take(&mut state.is_lost) {
            state.news = Some(News::Back);
        }
        self.changed.notify_all();
    }

    /// Replaces the newest picture by a newer one.
    pub fn replace(&self, bytes: Vec<u8>) {
        let newest = self.newest();
        self.put(newest + 1, bytes, Some(newest));
    }

    /// The number of pictures that are there.
    pub fn len(&self) -> usize {
        self.state().frames.len()
    }

    /// The one of these pictures for which `rank` is largest.
    pub fn furthest(&self, rank: impl Fn(u64, Aim) -> u64) -> Option<u64> {
        let state = self.state();
        let aim = Aim { frame: state.aim, backward: state.backward };
        state.frames.keys().copied().max_by_key(|frame| rank(*frame, aim))
    }

    /// A buffer to fill.
    pub fn spare(&self) -> Vec<u8> {
        self.state().spare.pop().unwrap_or_default()
    }

    /// No more pictures come, for this reason; it is told once until they come again.
    pub fn lose(&self, why: impl FnOnce() -> String) {
        let mut state = self.state();
        if !std::mem::replace(&mut state.is_lost, true) {
            state.news = Some(News::Lost(why()));
        }
        self.changed.notify_all();
    }

    /// Says something about the pictures that come.
    pub fn tell(&self, line: String) {
        self.state().told = Some(line);
    }

    pub fn take_news(&self) -> Option<News> {
        let mut state = self.state();
        state.news.take().or_else(|| state.told.take().map(News::Told))
    }

    pub fn is_closed(&self) -> bool {
        self.state().is_closed
    }

    pub fn close(&self) {
        let mut state = self.state();
        state.is_closed = true;
        drop(state);
        self.changed.notify_all();
        if let Some(child) = self.child().as_mut() {
            // It has ended already otherwise.
            let _ = child.kill();
        }
    }

    /// Frees the pictures: by the thread that decoded them, when the reel is closed.
    pub fn clear(&self) {
        let frames = std::mem::take(&mut self.state().frames);
        drop(frames);
    }

    /// Waits for a while, or until it is closed. Whether it is not.
    pub fn pause(&self, secs: Duration) -> bool {
        let end = Instant::now() + secs;
        let mut state = self.state();
        while !state.is_closed {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return true;
            }
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        false
    }

    /// Keeps a process, which ends when the reel is closed.
    pub fn watch(&self, child: Child) {
        let mut kept = self.child();
        *kept = Some(child);
        if self.is_closed()
            && let Some(child) = kept.as_mut()
        {
            let _ = child.kill();
        }
    }

    /// Ends the process, after giving it so much time to end by itself. Whether it did, and well.
    pub fn end_child(&self, patience: Duration) -> bool {
        let Some(mut child) = self.child().take() else { return false };
        let end = Instant::now() + patience;
        loop {
            match child.try_wait() {
                Ok(Some(status)) => return status.success(),
                Ok(None) if Instant::now() < end => std::thread::sleep(Duration::from_millis(5)),
                _ => break,
            }
        }
        let _ = child.kill();
        let _ = child.wait();
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_picture_may_lie_beyond_the_end() {
        let reel = Reel::new(1, Some(Length { count: 100, fps: 25.0 }));
        for frame in [2, 50] {
            reel.put(frame, vec![frame as u8; 3], None);
        }
        let near = |frame: u64| reel.near(frame, 5).map(|(frame, _)| frame);
        assert_eq!([near(50), near(54), near(46), near(56)], [Some(50), Some(50), Some(50), None]);
        assert_eq!([near(99), near(97), near(96), near(7)], [Some(2), Some(2), None, Some(2)]);
    }

    #[test]
    fn a_loss_is_told_once_and_so_is_its_end() {
        let reel = Reel::new(1, None);
        reel.replace(vec![1; 3]);
        assert_eq!((reel.newest(), reel.take_news()), (1, None));
        reel.lose(|| "gone".to_owned());
        reel.lose(|| "still gone".to_owned());
        assert_eq!(reel.take_news(), Some(News::Lost("gone".to_owned())));
        assert_eq!(reel.take_news(), None);
        assert_eq!(reel.last().map(|(frame, bytes)| (frame, bytes[0])), Some((1, 1)), "the last picture stays");
        reel.replace(vec![2; 3]);
        assert_eq!((reel.take_news(), reel.newest(), reel.len()), (Some(News::Back), 2, 1));
    }

    #[test]
    fn nobody_waits_for_what_is_closed_or_lost() {
        let reel = Reel::new(1, Some(Length { count: 2, fps: 1.0 }));
        reel.put(0, vec![0; 3], None);
        assert!(reel.wait(0, Duration::from_secs(60)).is_some());
        reel.lose(|| "broken".to_owned());
        assert!(reel.wait(1, Duration::from_secs(60)).is_none());
        reel.close();
        reel.put(1, vec![0; 3], None);
        assert!(reel.wait(1, Duration::from_secs(60)).is_none() && !reel.pause(Duration::from_secs(60)));
    }
}
