//! What a stage remembers from one picture to the next, so that a rendering can be stopped, and go on elsewhere.

use super::{Request, Stage};
use crate::engine::memo::{Memo, MemoError};
use crate::screen::Screen;

impl Stage {
    /// Whether pictures that were drawn before can be seen in the next one.
    pub fn remembers(&self) -> bool {
        // Where the input covers the network, effects still read the network's last picture.
        let is_covered = self.chain.input.network_share(&self.values.input) <= 0.0;
        let keeps = |screen: &Screen| screen.remembers() || (is_covered && screen.reads_network());
        self.bends_remember || self.chain.remembers() || self.screen.as_ref().is_some_and(keeps)
    }

    /// Notes a picture that is not drawn, so that the next ones are the same as if it was. Not enough for what
    /// [is remembered](Stage::remembers).
    pub fn pass_over(&mut self, request: &Request) {
        if request.generation != self.scene.generation || request.chain != self.chain_number {
            return;
        }
        (self.values.crossfade, self.values.input, self.values.style) = (request.fade, request.input, request.style);
        self.bends_remember = request.bends.remembers();
        self.chain.pass_over(&self.values);
        if self.screen.is_some() && !request.scaling.size.contains(&0) {
            self.pictures = self.pictures.wrapping_add(1);
        }
        self.composed = None;
        self.serial += 1;
        self.last_secs = request.at_secs;
    }

    /// What it remembers. It is given back to a stage with the same networks, style loop and effects.
    ///
    /// # Errors
    /// When a device is lost, and when it is given back to another show.
    pub fn memo(&mut self, memo: &mut Memo) -> Result<(), MemoError> {
        memo.f64(&mut self.last_secs)?;
        memo.u64(&mut self.serial)?;
        memo.u32(&mut self.pictures)?;
        memo.surface(&mut self.frame)?;
        let mut fades = self.before.is_some();
        memo.bool(&mut fades)?;
        if memo.gives_back() {
            self.composed = None;
            if !fades {
                self.before = None;
            }
        }
        memo.same("the fade from another network", &(fades == self.before.is_some()))?;
        memo.bool(&mut self.bends_remember)?;
        self.scene.program.memo(memo)?;
        if let Some(before) = &mut self.before {
            before.program.memo(memo)?;
        }
        self.chain.memo(memo)?;
        memo.same("the screen", &self.screen.is_some())?;
        self.screen.as_mut().map_or(Ok(()), |screen| screen.memo(memo))
    }
}
