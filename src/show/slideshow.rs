//! Which picture of `/input` is playing, when the next one is due, how far it has faded in, and what is said of it.
//!
//! Just counting: nothing here reads a file or a clock.

use super::loads::Named;
use crate::image::Fit;
use crate::params::{Id, InputSize, Params, TimeBase};

/// A requested or playing picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slide {
    /// A picture, or a folder of them.
    pub place: Named,
    /// Index in the folder; it keeps counting past both ends.
    pub index: i64,
    pub fit: Fit,
    pub size: InputSize,
}

/// The pictures of a running show.
#[derive(Debug, Default)]
pub struct Slideshow {
    /// The playing or requested slide.
    wanted: Option<Slide>,
    /// The last loaded slide.
    playing: Option<Slide>,
    /// Whether what is wanted is on its way.
    is_coming: bool,
    /// Number of pictures to step through.
    count: usize,
    /// Seconds or beats since the last step.
    since: f64,
    /// From the previous picture (0) to this one (1).
    fade: f64,
    /// What is said of the last loaded slide, and of the one before.
    words: [String; 2],
    /// Which of them was told last; `None` if both are news.
    told: Option<usize>,
}

impl Slideshow {
    /// Goes to the first picture of a file or folder.
    pub fn go_to(&mut self, place: Named, params: &Params) -> Slide {
        (self.since, self.is_coming) = (0.0, true);
        let (fit, size) = shape(params);
        self.wanted.insert(Slide { place, index: 0, fit, size }).clone()
    }

    /// The name as written, or "" if nothing is playing.
    pub fn name(&self) -> &str {
        self.wanted.as_ref().map_or("", |wanted| &wanted.place.name)
    }

    /// Goes to the picture `by` places on; a single picture is reloaded.
    pub fn step_by(&mut self, by: i64) -> Option<Slide> {
        self.since = 0.0;
        let wanted = self.wanted.as_mut()?;
        self.is_coming = true;
        wanted.index = wanted.index.wrapping_add(by);
        Some(wanted.clone())
    }

    /// Whether this is what plays, perhaps fitted otherwise.
    pub fn is_playing(&self, slide: &Slide) -> bool {
        self.playing.as_ref().is_some_and(|playing| (&playing.place, playing.index) == (&slide.place, slide.index))
    }

    /// Stops. False if nothing was playing.
    pub fn stop(&mut self) -> bool {
        (self.fade, self.is_coming) = (0.0, false);
        self.playing = None;
        self.say(String::new());
        self.wanted.take().is_some()
    }

    /// Advances by `dt` seconds. Returns what to load now: the next picture if it is due, or the same one if its fit or size
    /// has changed.
    pub fn step(&mut self, dt: f64, params: &Params) -> Option<Slide> {
        let units = dt * params.get_choice::<TimeBase>(Id::InputSync).per_second(params.get(Id::Tempo));
        self.advance(units, params.get(Id::InputEvery), shape(params))
    }

    /// Advances by `units` seconds or beats; a picture stays for `every` of them, with 0 forever. While one is on its way, the
    /// next is not due: where loading takes longer than a picture stays, all of them would supersede one another.
    fn advance(&mut self, units: f64, every: f64, shape: (Fit, InputSize)) -> Option<Slide> {
        let wanted = self.wanted.as_mut()?;
        self.since += units;
        let is_due = every > 0.0 && self.since >= every && self.count > 1 && !self.is_coming;
        if is_due {
            // Missed steps are not made up for.
            self.since %= every;
            wanted.index = wanted.index.wrapping_add(1);
        }
        let is_changed = is_due || (wanted.fit, wanted.size) != shape;
        (wanted.fit, wanted.size) = shape;
        self.is_coming |= is_changed;
        is_changed.then(|| wanted.clone())
    }

    /// Advances the fade by `dt` seconds of `/input/fade`; 0 cuts.
    pub fn fade(&mut self, dt: f64, params: &Params) {
        let secs = params.get(Id::InputFade);
        self.fade = if secs > 0.0 { (self.fade + dt / secs).min(1.0) } else { 1.0 };
    }

    /// From the previous picture (0) to this one (1).
    pub fn faded(&self) -> f32 {
        self.fade as f32
    }

    /// A picture, one of `count`, has arrived, of which this is said; if it `is_new`, it fades in from now on.
    pub fn landed(&mut self, slide: Slide, count: usize, words: String, is_new: bool) {
        self.is_coming &= self.wanted.as_ref() != Some(&slide);
        (self.count, self.playing) = (count, Some(slide));
        if is_new {
            self.fade = 0.0;
            self.say(words);
        } else {
            (self.words[0], self.told) = (words, None);
        }
    }

    /// How much of the words is seen, 0 to 1: they go and come with their picture, unless the last one had the same.
    pub fn words_seen(&self) -> f32 {
        if self.words[0] == self.words[1] { 1.0 } else { (2.0 * self.fade as f32 - 1.0).abs() }
    }

    fn say(&mut self, words: String) {
        let [now, before] = &mut self.words;
        *before = std::mem::replace(now, words);
        self.told = None;
    }

    /// What is said of the picture that is more than half seen, if that is news.
    pub fn new_words(&mut self) -> Option<&str> {
        let at = usize::from(self.fade < 0.5);
        (self.told.replace(at) != Some(at)).then(|| self.words[at].as_str())
    }

    /// This slide cannot be played: returns to the old place, or skips to the next picture. A newer request stays.
    pub fn failed(&mut self, failed: &Slide) {
        let is_newest = self.wanted.as_ref() == Some(failed);
        self.is_coming &= !is_newest;
        if is_newest && self.playing.as_ref().map(|playing| &playing.place) != Some(&failed.place) {
            self.wanted.clone_from(&self.playing);
        }
    }

    /// Shows the current picture at once, without a fade.
    pub fn settle(&mut self) {
        self.fade = 1.0;
    }
}

/// How pictures are fitted into which square.
fn shape(params: &Params) -> (Fit, InputSize) {
    (params.get_choice(Id::InputFit), params.get_choice(Id::InputSize))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: (Fit, InputSize) = (Fit::Cover, InputSize::Auto);

    fn named(name: &str) -> Named {
        Named { name: name.to_owned(), may_be_path: true, base: "".into() }
    }

    fn played(show: &mut Slideshow, place: &str, count: usize) {
        let mut slide = show.go_to(named(place), &Params::default());
        slide.fit = Fit::Cover;
        show.wanted = Some(slide.clone());
        show.landed(slide, count, format!("words of {place}"), true);
    }

    fn index(slide: Option<Slide>) -> Option<i64> {
        slide.map(|slide| slide.index)
    }

    #[test]
    fn pictures_advance_when_they_are_due() {
        let mut show = Slideshow::default();
        played(&mut show, "folder", 3);
        // What is loaded at once.
        let mut step = |units| {
            let slide = show.advance(units, 4.0, SHAPE)?;
            show.landed(slide.clone(), 3, String::new(), true);
            Some(slide.index)
        };
        assert_eq!([step(3.0), step(0.5), step(0.5), step(3.9), step(0.1)], [None, None, Some(1), None, Some(2)]);
        assert_eq!(step(41.0), Some(3), "one step, however late");
        assert_eq!(index(show.step_by(-5)), Some(-2));
        let large = (Fit::Mirror, InputSize::S1024);
        for shape in [(Fit::Mirror, InputSize::Auto), large] {
            assert_eq!(index(show.advance(1.0, 0.0, shape)), Some(-2), "fitted otherwise");
        }
        assert_eq!(index(show.advance(99.0, 0.0, large)), None, "0 stays");
    }

    #[test]
    fn a_picture_that_is_on_its_way_is_shown_before_the_next_is_due() {
        let mut show = Slideshow::default();
        played(&mut show, "folder", 3);
        let second = show.advance(4.0, 4.0, SHAPE).unwrap();
        assert_eq!(second.index, 1);
        // It takes as long as two and a half pictures stay.
        let waits = [3.9, 0.2, 4.0, 1.9].map(|units| index(show.advance(units, 4.0, SHAPE)));
        assert_eq!(waits, [None; 4]);
        show.landed(second, 3, String::new(), true);
        let third = show.advance(0.1, 4.0, SHAPE).unwrap();
        assert_eq!(third.index, 2);
        // One that cannot be read is not waited for; a hand does not wait either.
        show.failed(&third);
        assert_eq!(index(show.advance(4.0, 4.0, SHAPE)), Some(3));
        assert_eq!(index(show.step_by(1)), Some(4));
        // The old one lands late: the newest is still on its way.
        let old = Slide { index: 3, ..third };
        show.landed(old, 3, String::new(), true);
        assert_eq!(index(show.advance(40.0, 4.0, SHAPE)), None);
    }

    #[test]
    fn it_fades_in() {
        let mut params = Params::default();
        let mut show = Slideshow::default();
        played(&mut show, "a", 1);
        assert_eq!(show.faded(), 0.0);
        params.write(Id::InputFade.into(), &crate::params::Value::Float(2.0)).unwrap();
        params.settle();
        show.fade(0.5, &params);
        assert_eq!((show.faded(), show.new_words()), (0.25, Some("")), "nothing was there before");
        assert_eq!(show.words_seen(), 0.5);
        show.fade(0.4, &params);
        assert_eq!(show.new_words(), None);
        show.fade(0.2, &params);
        assert_eq!(show.new_words(), Some("words of a"));
        assert!((show.words_seen() - 0.1).abs() < 1e-6, "they come with the picture");
        assert_eq!(show.new_words(), None);
        played(&mut show, "b", 1);
        assert_eq!(show.words_seen(), 1.0, "those of the last picture go from now on");
        assert_eq!(show.new_words(), Some("words of a"));
        assert_eq!(show.new_words(), None);
        params.write(Id::InputFade.into(), &crate::params::Value::Float(0.0)).unwrap();
        params.settle();
        show.fade(0.1, &params);
        assert_eq!(show.faded(), 1.0, "no fade is a cut");
    }

    #[test]
    fn a_failure_keeps_the_old_place() {
        let mut show = Slideshow::default();
        played(&mut show, "good", 1);
        let bad = show.go_to(named("bad"), &Params::default());
        assert_eq!(show.name(), "bad");
        show.failed(&bad);
        assert_eq!(show.name(), "good");
        // A bad picture in the current folder: the next step skips it.
        let bad = show.step_by(1).unwrap();
        assert_eq!(bad.index, 1);
        show.failed(&bad);
        assert_eq!(index(show.step_by(1)), Some(2));
        // The folder of the current picture: nothing fades, and the next one is its second.
        let folder = show.go_to(named("folder"), &Params::default());
        show.settle();
        show.landed(folder, 3, String::new(), false);
        assert_eq!((show.faded(), index(show.step_by(1))), (1.0, Some(1)));
        // A failure after something else was requested changes nothing.
        show.go_to(named("better"), &Params::default());
        show.failed(&bad);
        assert_eq!(show.name(), "better");
        assert!(show.stop() && !show.stop());
        assert_eq!(show.name(), "");
    }
}
