//! What a window shows of the inside of a show, besides parameters and [`Summary`](super::Summary).

use super::{Said, Show};
use crate::modulate::Modulator;
use crate::params::Target;

impl Show {
    /// The parameter that waits for a control, while MIDI learn does.
    pub fn learns(&self) -> Option<Target> {
        self.controls.learns()
    }

    /// The modulators that play, in the order of the preset, with the value of each source in this frame, 0 to 1.
    pub fn modulators(&self) -> impl Iterator<Item = (&Modulator, f64)> {
        self.modulation.playing()
    }

    /// The last lines that were said, the newest at the end.
    pub fn said(&self) -> impl DoubleEndedIterator<Item = &Said> {
        self.status.said.iter()
    }

    /// Grows whenever a line is said.
    pub fn said_version(&self) -> u64 {
        self.status.said.version()
    }
}
