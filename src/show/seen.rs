//! What a window shows of the inside of a show, besides parameters and [`Summary`](super::Summary).

use super::Show;
use crate::params::Target;

impl Show {
    /// The parameter that waits for a control, while MIDI learn does.
    pub fn learns(&self) -> Option<Target> {
        self.controls.learns()
    }
}
