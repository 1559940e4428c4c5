//! `/input` in a running show: what a write, a trigger or the time makes of it.
//!
//! [`Content`](super::content::Content) counts, the loader reads, the stage mixes; this wires them.

use std::path::{Path, PathBuf};

use super::content::Chosen;
use super::loader::{self, Progress, Wish};
use super::stage::Change;
use super::{Fit, Show, ShowError};
use crate::params::{Id, TimeBase};
use crate::patch::locate::{self, LocateError};

/// Least side of a picture from a file, in pixels: the finest painting that `/style/size` offers.
const INPUT_SIDE: usize = 512;

impl Show {
    fn find_picture(&self) -> Result<PathBuf, LocateError> {
        let name = self.params.text(Id::Input);
        if self.is_untrusted(self.writer_of(Id::Input)) {
            return locate::picture_in(self.library.folder(), name);
        }
        self.library.picture(name, self.preset.path.parent().unwrap_or(Path::new("")))
    }

    /// Plays what `/input` names, or nothing.
    pub(super) fn go_to_input(&mut self) {
        if self.params.text(Id::Input).is_empty() {
            if self.content.stop() {
                let change = Change::Input(None, self.content.changed());
                self.hand_over(change);
            }
            return;
        }
        match self.find_picture() {
            Ok(place) => {
                let chosen = self.content.go_to(&place, self.input_fit());
                self.wish_picture(chosen);
            }
            Err(error) => {
                self.history.notice(error.to_string());
                self.name_input();
            }
        }
    }

    /// `/input` names what plays or is about to, whatever was asked for.
    pub(super) fn name_input(&mut self) {
        let name = self.content.place().map(|place| self.library.name_of_picture(place)).unwrap_or_default();
        self.params.set_text(Id::Input, &name);
    }

    /// Leafs through the pictures of a folder.
    pub(super) fn leaf(&mut self, by: i64) {
        let chosen = self.content.step_by(by);
        self.wish_picture(chosen);
    }

    /// Time passes for the pictures of a folder and for the fade.
    pub(super) fn step_input(&mut self, dt: f64) {
        let p = &self.params;
        let units = dt * p.get_choice::<TimeBase>(Id::InputSync).per_second(p.get(Id::Tempo));
        let chosen = self.content.step(units, p.get(Id::InputEvery), self.input_fit());
        self.wish_picture(chosen);
        // After the wish, which offline is fulfilled at once: a cut is to be seen in this very picture.
        self.content.fade(dt, self.params.get(Id::InputFade));
    }

    fn wish_picture(&mut self, chosen: Option<Chosen>) {
        if let Some(chosen) = chosen {
            self.wish(Wish::Input { chosen, side: self.input_side() });
        }
    }

    /// Fine enough for the network's picture and for painting over it.
    fn input_side(&self) -> usize {
        self.network.img_resolution.max(INPUT_SIDE)
    }

    fn input_fit(&self) -> Fit {
        self.params.get_choice(Id::InputFit)
    }

    /// The first picture shows the preset's input already, without a fade.
    pub(super) fn begin_input(&mut self) -> Result<(), ShowError> {
        if self.params.text(Id::Input).is_empty() {
            return Ok(());
        }
        let place = self.find_picture()?;
        if let Some(chosen) = self.content.go_to(&place, self.input_fit()) {
            let loaded =
                loader::load(&Wish::Input { chosen, side: self.input_side() }, &self.engine, &Progress::default())?;
            self.take_up(loaded);
            self.content.settle();
        }
        Ok(())
    }
}
