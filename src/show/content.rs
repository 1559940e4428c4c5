//! Which picture of `/input` is played, when the next one is due, and how far it has faded in.
//!
//! Plain counting: nothing here reads a file or a clock.

use std::path::{Path, PathBuf};

use crate::effects::input::InputSettings;
use crate::image::Fit;

/// A picture that is wished for, or that plays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chosen {
    /// A picture, or a folder of them.
    pub place: PathBuf,
    /// Which one of the folder; it counts on past both ends.
    pub index: i64,
    pub fit: Fit,
}

/// The input of a running show.
#[derive(Debug, Default)]
pub struct Content {
    /// What is played or about to be.
    wished: Option<Chosen>,
    /// What was loaded last.
    loaded: Option<Chosen>,
    /// How many pictures there are to step through.
    count: usize,
    /// Seconds or beats since the last step.
    since: f64,
    /// From the picture before (0) to this one (1).
    fade: f64,
    /// Counts the changes handed to the stage.
    serial: u64,
}

impl Content {
    /// Plays the first picture of another place. `None` when that is what plays.
    pub fn go_to(&mut self, place: &Path, fit: Fit) -> Option<Chosen> {
        let chosen = Chosen { place: place.to_owned(), index: 0, fit };
        self.since = 0.0;
        if self.wished.as_ref() == Some(&chosen) {
            return None;
        }
        self.wished = Some(chosen.clone());
        Some(chosen)
    }

    /// What plays or is about to.
    pub fn place(&self) -> Option<&Path> {
        self.wished.as_ref().map(|wished| wished.place.as_path())
    }

    /// Goes on (or back) by so many pictures; a single picture is read again.
    pub fn step_by(&mut self, by: i64) -> Option<Chosen> {
        self.since = 0.0;
        let wished = self.wished.as_mut()?;
        wished.index = wished.index.wrapping_add(by);
        Some(wished.clone())
    }

    /// Plays nothing from now on. False when nothing was played.
    pub fn stop(&mut self) -> bool {
        self.loaded = None;
        self.wished.take().is_some()
    }

    /// `units` seconds or beats pass. Returns what is to be loaded now: the next picture when `every` units are over
    /// (0 never), or the same one when it is to be fitted otherwise.
    pub fn step(&mut self, units: f64, every: f64, fit: Fit) -> Option<Chosen> {
        let wished = self.wished.as_mut()?;
        self.since += units;
        if every > 0.0 && self.since >= every && self.count > 1 {
            // A step that was overslept is not made up for.
            self.since %= every;
            wished.index = wished.index.wrapping_add(1);
            wished.fit = fit;
            return Some(wished.clone());
        }
        if wished.fit != fit {
            wished.fit = fit;
            return Some(wished.clone());
        }
        None
    }

    /// Fades on by `secs` seconds of `fade_secs`; 0 cuts.
    pub fn fade(&mut self, secs: f64, fade_secs: f64) {
        self.fade = if fade_secs > 0.0 { (self.fade + secs / fade_secs).min(1.0) } else { 1.0 };
    }

    /// Whether something that was loaded is still wanted; `count` pictures are there. If so it fades in from now on.
    pub fn take_up(&mut self, chosen: Chosen, count: usize) -> bool {
        if self.wished.as_ref().is_none_or(|wished| wished.place != chosen.place) {
            return false;
        }
        self.count = count;
        self.loaded = Some(chosen);
        true
    }

    /// A change was handed to the stage; its number.
    pub fn changed(&mut self) -> u64 {
        self.fade = 0.0;
        self.serial += 1;
        self.serial
    }

    /// That cannot be played: what plays is the old place, or the next picture of the same. A newer wish stays.
    pub fn failed(&mut self, failed: &Chosen) {
        if self.wished.as_ref() != Some(failed) {
            return;
        }
        if self.wished.as_ref().map(|w| &w.place) != self.loaded.as_ref().map(|l| &l.place) {
            self.wished.clone_from(&self.loaded);
        }
    }

    /// Shows what plays at once, without a fade.
    pub fn settle(&mut self) {
        self.fade = 1.0;
    }

    /// For the next picture.
    pub fn settings(&self, amount: f64) -> InputSettings {
        InputSettings { amount: amount as f32, fade: self.fade as f32, serial: self.serial }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn played(content: &mut Content, place: &str, count: usize) {
        let chosen = content.go_to(Path::new(place), Fit::Cover).unwrap();
        assert!(content.take_up(chosen, count));
        content.changed();
    }

    fn index(chosen: Option<Chosen>) -> Option<i64> {
        chosen.map(|c| c.index)
    }

    #[test]
    fn pictures_follow_when_their_time_is_over() {
        let mut content = Content::default();
        played(&mut content, "folder", 3);
        let mut step = |units| index(content.step(units, 4.0, Fit::Cover));
        assert_eq!([step(3.0), step(0.5), step(0.5), step(3.9), step(0.1)], [None, None, Some(1), None, Some(2)]);
        assert_eq!(step(41.0), Some(3), "one step, however late");
        assert_eq!(index(content.step_by(-5)), Some(-2));
        assert_eq!(index(content.step(1.0, 0.0, Fit::Mirror)), Some(-2), "fitted otherwise");
        assert_eq!(index(content.step(99.0, 0.0, Fit::Mirror)), None, "0 stays");
    }

    #[test]
    fn it_fades_in() {
        let mut content = Content::default();
        played(&mut content, "a", 1);
        assert_eq!(content.settings(0.5), InputSettings { amount: 0.5, fade: 0.0, serial: 1 });
        content.fade(0.5, 2.0);
        assert_eq!(content.settings(1.0).fade, 0.25);
        content.fade(0.1, 0.0);
        assert_eq!(content.settings(1.0).fade, 1.0, "no fade is a cut");
    }

    #[test]
    fn what_fails_leaves_the_old_place() {
        let mut content = Content::default();
        played(&mut content, "good", 1);
        let bad = content.go_to(Path::new("bad"), Fit::Cover).unwrap();
        content.failed(&bad);
        assert_eq!(content.step_by(0).unwrap().place, Path::new("good"));
        // A bad picture in the folder that plays: the next step goes past it.
        let bad = content.step_by(1).unwrap();
        assert_eq!(bad.index, 1);
        content.failed(&bad);
        assert_eq!(index(content.step_by(1)), Some(2));
        // What fails after something else was wished for is no news.
        let better = content.go_to(Path::new("better"), Fit::Cover).unwrap();
        content.failed(&bad);
        assert!(content.take_up(better, 1));
        assert!(content.stop() && !content.stop());
        let late = Chosen { place: "good".into(), index: 2, fit: Fit::Cover };
        assert!(!content.take_up(late, 3), "wished away meanwhile");
    }
}
