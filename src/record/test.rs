//! What tests of recorders, streams and shares need.

use std::time::{Duration, Instant};

use super::recorder::{Frame, Look};
use crate::image::Fit;

pub const LOOK: Look = Look { fit: Fit::Contain, brightness: 1.0 };

/// A picture in memory.
pub struct Still {
    pub serial: u64,
    pub size: [u32; 2],
    pub rgba: Vec<u8>,
}

impl Frame for Still {
    fn size(&self) -> [u32; 2] {
        self.size
    }
    fn rgba(&self) -> &[u8] {
        &self.rgba
    }
    fn serial(&self) -> u64 {
        self.serial
    }
}

/// Waits for another thread, which may have to wait for the machine.
#[track_caller]
pub fn wait_until(mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed().as_secs() < 60, "waited in vain");
        std::thread::sleep(Duration::from_millis(1));
    }
}
