//! Lights: what the rings, pads and motor faders of the connected controllers should show.
//!
//! Runs inside the frame, on the show's thread: from the parameters and the map to a [`Panel`] for each controller;
//! [`super::midi`] does the sending. A control that is being moved or touched is left alone for a moment, so that feedback
//! does not fight the hand.

use std::sync::Arc;

use super::mapping::{ControlSpec, Mapping};
use super::midi::{Board, Kind, Message, Panel, Profile, Profiles};
use super::{Event, Listener, Snapshot};
use crate::params::Params;

/// A moved control is left alone for this long.
const HOLD_SECS: f64 = 0.1;

/// One connected controller.
#[derive(Clone, Debug)]
struct Surface {
    panel: Panel,
    /// For each control: seconds until its light may follow again.
    hold_secs: Vec<f64>,
    touched: Vec<bool>,
}

/// All connected controllers that have lights.
#[derive(Clone, Debug, Default)]
pub struct Lights {
    surfaces: Vec<Surface>,
    /// The known controllers.
    profiles: Arc<Profiles>,
    board: Board,
}

impl Listener for Lights {
    fn hear(&mut self, event: &Event) {
        match event {
            Event::Midi(message) => self.heard(message),
            Event::MidiPort { port, name, open } => {
                let profile = self.profiles.of_port(name).filter(|_| *open).cloned();
                self.set_profile(*port, profile.as_ref());
            }
            _ => {}
        }
    }

    fn publish(&mut self, snapshot: &Snapshot, dt: f64) {
        let board = self.board.clone();
        self.step(dt, snapshot.params, snapshot.mapping, snapshot.preset, &board);
    }
}

impl Lights {
    /// For controllers with these profiles; writes to `board`.
    pub fn new(profiles: Arc<Profiles>, board: Board) -> Self {
        Lights { surfaces: Vec::new(), profiles, board }
    }

    /// Sets the profile of the controller at `port`; `None` when it has none, or was unplugged.
    pub fn set_profile(&mut self, port: u8, profile: Option<&Arc<Profile>>) {
        self.surfaces.retain(|surface| surface.panel.port != port);
        if let Some(profile) = profile.filter(|profile| profile.has_lights()) {
            let count = profile.controls.len();
            let panel = Panel { profile: profile.clone(), port, wanted: vec![None; count], moved: vec![0; count] };
            let (hold_secs, touched) = (vec![0.0; count], vec![false; count]);
            self.surfaces.push(Surface { panel, hold_secs, touched });
        }
    }

    /// Notes that a control was moved or touched.
    pub fn heard(&mut self, message: &Message) {
        for surface in self.surfaces.iter_mut().filter(|surface| surface.panel.port == message.port) {
            let profile = surface.panel.profile.clone();
            for (i, control) in profile.controls.iter().enumerate().filter(|(_, control)| control.light.is_some()) {
                if control.sends.fits(message) {
                    surface.hold_secs[i] = HOLD_SECS;
                    surface.panel.moved[i] = surface.panel.moved[i].wrapping_add(1);
                }
                if control.touch.is_some_and(|touch| touch.fits(message)) {
                    surface.touched[i] = matches!(message.kind, Kind::NoteOn { .. });
                }
            }
        }
    }

    /// Updates what each light should show. `preset` is the number of the preset in the list, from 1.
    pub fn step(&mut self, dt: f64, params: &Params, mapping: &Mapping, preset: Option<usize>, board: &Board) {
        for surface in &mut self.surfaces {
            let profile = surface.panel.profile.clone();
            for (i, control) in profile.controls.iter().enumerate() {
                let Some(light) = &control.light else { continue };
                surface.hold_secs[i] = (surface.hold_secs[i] - dt).max(0.0);
                let is_held = surface.hold_secs[i] > 0.0 || surface.touched[i];
                let travel = |sends: &ControlSpec| mapping.playing(surface.panel.port, sends)?.travel(params, preset);
                surface.panel.wanted[i] = match travel(&control.sends) {
                    _ if is_held => None,
                    Some(travel) => Some(light.at(travel)),
                    None => light.off(),
                };
            }
        }
        board.update(|panels| {
            panels.truncate(self.surfaces.len());
            for (i, surface) in self.surfaces.iter().enumerate() {
                match panels.get_mut(i) {
                    Some(panel) if Arc::ptr_eq(&panel.profile, &surface.panel.profile) => {
                        panel.port = surface.panel.port;
                        panel.wanted.clone_from(&surface.panel.wanted);
                        panel.moved.clone_from(&surface.panel.moved);
                    }
                    Some(panel) => *panel = surface.panel.clone(),
                    None => panels.push(surface.panel.clone()),
                }
            }
        });
    }
}

#[cfg(test)]
mod test {
    use super::*;
    use crate::control::midi::parse;
    use crate::params::{Id, Value};

    struct Rig {
        lights: Lights,
        mapping: Mapping,
        params: Params,
        profile: Arc<Profile>,
        board: Board,
    }

    impl Rig {
        fn new(port_name: &str) -> Rig {
            let profile = Profiles::shipped().of_port(port_name).expect("a profile").clone();
            let (mut lights, mut mapping) = (Lights::default(), Mapping::default());
            lights.set_profile(3, Some(&profile));
            mapping.set_profile(3, Some(profile.entries()));
            Rig { lights, mapping, params: Params::default(), profile, board: Board::default() }
        }

        /// What the light of a control should show, a frame of 20 ms later.
        fn wanted(&mut self, control: &str) -> Option<u16> {
            self.lights.step(0.02, &self.params, &self.mapping, Some(2), &self.board);
            let i = self.profile.controls.iter().position(|c| c.name == control).expect("such a control");
            let mut wanted = None;
            self.board.update(|panels| wanted = panels[0].wanted[i]);
            wanted
        }

        fn write(&mut self, id: Id, value: f64) {
            self.params.write(id.into(), &Value::Float(value)).expect("a number");
        }

        fn hear(&mut self, bytes: &[u8], port: u8) {
            self.lights.heard(&parse(bytes, port, 0).expect("a message"));
        }
    }

    #[test]
    fn rings_and_buttons_follow_the_parameters() {
        let mut rig = Rig::new("X-TOUCH MINI");
        rig.write(Id::Psi, 2.0);
        assert_eq!(rig.wanted("knob 1"), Some(127));
        rig.write(Id::Psi, -1.0);
        assert_eq!(rig.wanted("knob 1"), Some(0));
        assert_eq!((rig.wanted("button 1"), rig.wanted("button 2")), (Some(0), Some(1)), "the second preset plays");
        rig.write(Id::Freeze, 1.0);
        assert_eq!(rig.wanted("button 15"), Some(1));
        let own = crate::control::mapping::MidiEntry::new(
            "cc 1",
            &crate::control::mapping::MidiOptions { to: "/blackout".to_owned(), invert: true, ..Default::default() },
            crate::params::Table::built_in(),
        );
        rig.mapping.set_preset(&[own.expect("an entry")], &[]);
        assert_eq!(rig.wanted("knob 1"), Some(127), "what the preset maps is shown, upside down");
    }

    #[test]
    fn feedback_never_fights_a_hand() {
        let mut rig = Rig::new("X-Touch");
        assert!(rig.wanted("fader 1").is_some());
        rig.hear(&[0xe0, 0, 100], 3);
        assert_eq!([(); 4].map(|()| rig.wanted("fader 1")), [None; 4], "for a moment");
        assert!(rig.wanted("fader 2").is_some());
        assert!(rig.wanted("fader 1").is_some());
        rig.hear(&[0x90, 104, 127], 3);
        assert_eq!([(); 50].map(|()| rig.wanted("fader 1")), [None; 50], "while a finger is on it");
        rig.hear(&[0x90, 104, 0], 3);
        assert!(rig.wanted("fader 1").is_some());
        rig.hear(&[0xe0, 0, 100], 4);
        assert!(rig.wanted("fader 1").is_some(), "another controller");
    }

    #[test]
    fn unmapped_controls_are_dark() {
        let mut rig = Rig::new("nanoKONTROL2");
        assert_eq!(rig.wanted("record"), Some(0));
        rig.lights.set_profile(3, None);
        rig.lights.step(0.02, &rig.params, &rig.mapping, None, &rig.board);
        let mut count = 9;
        rig.board.update(|panels| count = panels.len());
        assert_eq!(count, 0);
    }
}
