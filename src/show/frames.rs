//! What a recording takes from each frame: what the audience sees, the network's picture before all effects, or both as two
//! files of the same length. Runs inside the frame.

use std::sync::Arc;

use half::f16;

use super::output::{Shown, Tap};
use super::stage::Picture;
use crate::image::Fit;
use crate::record::recorder::{Frame, FrameSender, Look};

impl Frame for Picture {
    fn size(&self) -> [u32; 2] {
        [self.width, self.height]
    }
    fn rgba(&self) -> &[u8] {
        &self.rgba
    }
    fn light(&self) -> &[f16] {
        &self.light
    }
    fn is_for_light(&self) -> bool {
        self.is_for_light
    }
    fn serial(&self) -> u64 {
        self.serial
    }
}

/// So that a picture can go to the thread as it is.
const _: fn(&Arc<Picture>) = |picture| drop::<Arc<dyn Frame>>(picture.clone());

/// The network's picture is neither fitted nor dimmed.
const CLEAN: Look = Look { fit: Fit::Contain, brightness: 1.0 };

/// Sends frames to the threads of a recording.
pub(super) struct Frames {
    output: Option<FrameSender>,
    clean: Option<FrameSender>,
    /// The network's picture of this frame.
    newest: Option<Arc<Picture>>,
    has_begun: bool,
}

impl Frames {
    pub fn new(output: Option<FrameSender>, clean: Option<FrameSender>) -> Self {
        Frames { output, clean, newest: None, has_begun: false }
    }

    /// Whether all that are recorded can begin with these pictures: both files begin with the same frame.
    fn begins(&mut self, shown: Option<&Picture>) -> bool {
        let is_ready = |sender: &Option<FrameSender>, picture: Option<&Picture>| {
            sender.as_ref().is_none_or(|sender| picture.is_some_and(|picture| sender.is_ready(picture)))
        };
        self.has_begun |= is_ready(&self.output, shown) && is_ready(&self.clean, self.newest.as_deref());
        self.has_begun
    }

    fn forget_ended(&mut self) {
        for sender in [&mut self.output, &mut self.clean] {
            sender.take_if(|sender| sender.is_over());
        }
    }
}

impl Tap for Frames {
    fn wants(&self) -> bool {
        self.output.as_ref().is_some_and(|sender| !sender.is_over())
    }

    fn wants_light(&self) -> bool {
        self.output.as_ref().is_some_and(FrameSender::takes_light)
    }

    fn wants_clean(&self) -> bool {
        self.clean.as_ref().is_some_and(|sender| !sender.is_over())
    }

    fn clean(&mut self, picture: &Arc<Picture>, dt: f64) {
        self.newest = Some(picture.clone());
        self.forget_ended();
        if self.output.is_none() && self.begins(None) {
            self.clean.iter_mut().for_each(|sender| sender.frame(dt, CLEAN, [0; 2], picture));
        }
    }

    fn picture(&mut self, shown: &Shown) {
        self.forget_ended();
        if self.begins(Some(shown.picture)) {
            let look = Look { fit: shown.fit, brightness: shown.brightness };
            self.output.iter_mut().for_each(|sender| sender.frame(shown.dt, look, shown.output, shown.picture));
            if let (Some(sender), Some(clean)) = (&mut self.clean, &self.newest) {
                sender.frame(shown.dt, CLEAN, [0; 2], clean);
            }
        }
        // The pool may fill it again.
        self.newest = None;
    }

    fn is_over(&self) -> bool {
        !self.wants() && !self.wants_clean()
    }
}
