//! The input's part of the show: what has landed for it, how it moves and fades, and what is said of it.

use super::Show;
use super::films::Passed;
use super::loads::{Arrived, Kind};
use super::slideshow::Slide;
use crate::effects::input::Content;
use crate::params::{Id, Params};

/// Whether the input covers most of the picture: then its words are shown, and the captioner, who sees the network's picture only,
/// says nothing.
pub fn input_is_seen(params: &Params) -> bool {
    params.get(Id::InputAmount) > 0.5 && !params.text(Id::Input).trim().is_empty()
}

impl Show {
    /// Something has come for the input, one of `count` in its folder, and what is said of it.
    pub(super) fn input_landed(&mut self, slide: Slide, content: Arrived, count: usize, words: String) {
        let goes_on = self.slideshow.is_playing(&slide);
        let (name, number) = (slide.place.name.clone(), slide.index);
        self.slideshow.landed(slide, count, words, !matches!(content, Arrived::Same));
        match content {
            Arrived::New(content) => {
                self.play_input(Some(content), goes_on);
                self.drifts.play(number, goes_on);
            }
            Arrived::Same => {}
            Arrived::Gone => {
                self.status.notice(format!("{name} was live: what it showed is not in the take"));
                self.play_input(None, false);
            }
        }
    }

    /// Mixes this in from the next picture on, or nothing. It `goes_on` where it is if it is the same in another shape.
    pub(super) fn play_input(&mut self, content: Option<Content>, goes_on: bool) {
        let beat = self.controls.clock().beat();
        self.films.play(content.as_ref(), goes_on, &mut self.params, beat);
        if content.is_none() {
            self.drifts.play(0, false);
        }
        self.output.set_input(content);
    }

    /// Moves and fades the input.
    pub(super) fn move_input(&mut self, dt: f64) {
        if self.films.can_fade() {
            self.slideshow.fade(dt, &self.params);
        }
        let (beat, faded) = (self.controls.clock().beat(), self.slideshow.faded());
        let states = [self.loads.wants(Kind::Picture), self.output.is_offline()];
        self.films.step(Passed { dt, beat }, faded, &mut self.params, states);
        self.films.tell(&mut self.status);
        self.drifts.step(dt, &self.params);
        self.caption_input();
    }

    /// Shows what is said of the input: the last picture's words go, and from the middle of the fade on the next one's come.
    fn caption_input(&mut self) {
        let is_seen = input_is_seen(&self.params);
        let was_seen = std::mem::replace(&mut self.is_input_seen, is_seen);
        let news = self.slideshow.new_words();
        if let Some(words) = news {
            self.params.set_text(Id::CaptionInput, words);
        }
        if news.is_some() || is_seen != was_seen {
            self.caption();
        }
        // Words of one's own stay.
        let is_own = !self.params.text(Id::CaptionWords).trim().is_empty();
        let seen = if is_seen && !is_own { self.slideshow.words_seen() } else { 1.0 };
        self.output.fade_words(seen);
    }
}
