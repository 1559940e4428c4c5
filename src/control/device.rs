//! What plugs into a show: devices that play it, and listeners that hear what changed.
//!
//! A show knows neither by name. A device lives as long as the show does and says how it is, for the HUD; what it has to
//! tell goes through the event queue. A listener runs inside the frame, on the show's thread, and never waits.

use std::sync::Arc;

use super::mapping::{Mapping, OscEntry};
use super::osc::Out;
use super::osc::feeds::Feeds;
use super::query::Dims;
use super::scene::Scene;
use super::{Counts, Event};
use crate::params::Params;

/// Something that plays the show: a server, a set of ports. Dropping it closes it.
pub trait Device: Send {
    fn status(&self) -> DeviceStatus;

    /// The half that runs inside the frame, taken once when the device is plugged in.
    fn listener(&mut self) -> Option<Box<dyn Listener>> {
        None
    }
}

/// How a device is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeviceStatus {
    /// What the HUD calls it: `osc`, `midi`.
    pub name: &'static str,
    /// Ports or addresses that are open.
    pub open: Vec<String>,
    /// Messages understood.
    pub received: u64,
    /// Messages lost because a queue was full.
    pub dropped: u64,
    /// Messages that made no sense.
    pub refused: u64,
}

impl DeviceStatus {
    pub fn new(name: &'static str, open: Vec<String>, counts: &Counts) -> Self {
        let read = Counts::read;
        let (received, dropped, refused) = (read(&counts.received), read(&counts.dropped), read(&counts.refused));
        DeviceStatus { name, open, received, dropped, refused }
    }
}

/// A device that could not be opened, so that the HUD says so.
pub struct Absent(pub &'static str);

impl Device for Absent {
    fn status(&self) -> DeviceStatus {
        DeviceStatus { name: self.0, ..DeviceStatus::default() }
    }
}

/// The values of one frame.
#[derive(Clone, Copy, Debug)]
pub struct Snapshot<'a> {
    pub params: &'a Params,
    pub feeds: Feeds,
    pub mapping: &'a Mapping,
    /// The place of the playing preset in the list, from 1.
    pub preset: Option<usize>,
    /// How many members of the families there are.
    pub dims: Dims,
    /// What plays, in words.
    pub scene: Scene<'a>,
}

impl<'a> Snapshot<'a> {
    /// The preset's own OSC addresses, sorted.
    pub fn aliases(&self) -> &'a Arc<[OscEntry]> {
        self.mapping.aliases()
    }

    /// The OSC addresses that live code listens to, sorted.
    pub fn heard(&self) -> &'a Arc<[String]> {
        self.mapping.heard()
    }

    /// The receivers that the preset sends OSC to.
    pub fn outs(&self) -> &'a Arc<[Out]> {
        self.mapping.outs()
    }
}

/// Hears what changed: OSC subscribers, the page, a controller's lights.
pub trait Listener: Send {
    /// An event of this frame, before anything is done about it.
    fn hear(&mut self, _event: &Event) {}

    /// Somebody set the tempo here while others share it: what they should play, in beats per minute.
    fn tempo(&mut self, _bpm: f64) {}

    /// The values at the end of a frame, `dt` seconds after the last.
    fn publish(&mut self, snapshot: &Snapshot, dt: f64);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_absent_device_has_nothing_open() {
        let status = Absent("osc").status();
        assert_eq!((status.name, status.open.len(), status.received), ("osc", 0, 0));
        assert!(Absent("osc").listener().is_none());
    }

    #[test]
    fn a_status_reads_the_counts() {
        let counts = Counts::default();
        Counts::add(&counts.received);
        Counts::add(&counts.refused);
        let status = DeviceStatus::new("midi", vec!["a port".to_owned()], &counts);
        assert_eq!((status.received, status.dropped, status.refused), (1, 0, 1));
    }
}
