//! The input's part of the show: what has landed for it, and how it moves and fades.

use super::Show;
use super::films::Passed;
use super::loads::{Arrived, Kind};
use super::slideshow::Slide;
use crate::effects::input::Content;

impl Show {
    /// Something has come for the input, one of `count` in its folder.
    pub(super) fn input_landed(&mut self, slide: Slide, content: Arrived, count: usize) {
        let goes_on = self.slideshow.is_playing(&slide);
        let name = slide.place.name.clone();
        self.slideshow.landed(slide, count, !matches!(content, Arrived::Same));
        match content {
            Arrived::New(content) => self.play_input(Some(content), goes_on),
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
    }
}
