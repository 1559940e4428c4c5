//! Modulation: the sources and routes of the current preset, and the signals that sources follow.
//!
//! Stepped once per frame, after the controls and before the picture. It writes no base values: what it adds goes to
//! [`Params::modulate`]. Pure, except for the rows that it adds to the table: time, signals and knobs are its inputs, so
//! that a take replays exactly.

use crate::control::audio::AudioSignals;
use crate::control::midi;
use crate::control::osc::feeds::Heard;
use crate::modulate::envelope;
use crate::modulate::{Modulator, Routes, SignalId, Signals, Source, Time};
use crate::params::{Id, Params, TableError};

/// The signal that follows timecode: seconds since 00:00:00:00.
const TIMECODE: &str = "timecode.secs";

/// What moves the parameters of a running show.
#[derive(Default)]
pub(super) struct Modulation {
    playing: Vec<Playing>,
    routes: Routes,
    /// Each source's value in this frame, 0 to 1.
    values: Vec<f64>,
    /// The knobs of one source; kept for its capacity.
    knobs: Vec<f64>,
    signals: Signals,
    audio: AudioSignals,
    /// The signal `timecode.secs`, made when there is timecode.
    timecode: Option<SignalId>,
    /// The notes that envelopes wait for, and the signals of their velocities.
    notes: Vec<(u8, SignalId)>,
    /// Seconds of the show, not counting those when the picture was frozen.
    secs: f64,
    /// Set by a panic, until a preset is loaded.
    is_off: bool,
}

/// An active modulator.
struct Playing {
    modulator: Modulator,
    source: Box<dyn Source>,
    /// Its rows, in the order of [`Modulator::knobs`].
    rows: Vec<Id>,
}

impl Modulation {
    /// Activates these modulators instead of the last ones, and swaps their rows in the table. A source that existed under
    /// the same name continues from where it is.
    ///
    /// # Errors
    /// When the table cannot take the rows; then nothing is modulated.
    pub fn play(&mut self, modulators: &[Modulator], params: &mut Params) -> Result<(), TableError> {
        let mut old = std::mem::take(&mut self.playing);
        let old_routes = std::mem::take(&mut self.routes);
        self.is_off = false;
        params.modulate(&[]);
        let gone: Vec<Id> = old.iter().flat_map(|playing| playing.rows.iter().copied()).collect();
        let rows: Vec<_> = modulators.iter().map(Modulator::rows).collect();
        let ids = params.replace(&gone, &rows.concat());
        if ids.is_err() {
            // Nobody else would remove the rows of what has ended.
            params.replace(&gone, &[])?;
        }
        let mut ids = ids?.into_iter();

        let mut routes = Vec::new();
        for (i, modulator) in modulators.iter().enumerate() {
            let before = old.iter().position(|playing| playing.modulator.name == modulator.name);
            for mut route in modulator.routes(i) {
                let same = |r: &&crate::modulate::Route| Some(r.source) == before && r.target == route.target;
                if let Some(earlier) = old_routes.iter().find(same) {
                    route.go_on_from(earlier);
                }
                routes.push(route);
            }
        }
        for (modulator, rows) in modulators.iter().zip(&rows) {
            let before = old.iter().position(|playing| playing.modulator.has_source_of(modulator));
            let source = before.map(|i| old.swap_remove(i).source).unwrap_or_else(|| modulator.source());
            let rows = ids.by_ref().take(rows.len()).collect();
            self.playing.push(Playing { modulator: modulator.clone(), source, rows });
        }
        self.routes = Routes::new(routes);
        let heard = modulators.iter().filter_map(|modulator| envelope::note_of(&modulator.text));
        self.notes = heard.filter_map(|note| Some((note, SignalId::intern(&envelope::signal_of(note))?))).collect();
        self.values.clear();
        self.values.resize(self.playing.len(), 0.0);
        Ok(())
    }

    /// Stops all modulation until [`Modulation::play`]. The rows stay.
    pub fn clear(&mut self, params: &mut Params) {
        self.is_off = true;
        params.modulate(&[]);
    }

    /// Whether a panic has switched modulation off.
    pub fn is_off(&self) -> bool {
        self.is_off && !self.playing.is_empty()
    }

    /// What plays, with each source's value in this frame, 0 to 1.
    pub fn playing(&self) -> impl Iterator<Item = (&Modulator, f64)> {
        self.playing.iter().map(|playing| &playing.modulator).zip(self.values.iter().copied())
    }

    /// The newest value of every signal.
    pub fn signals(&self) -> &Signals {
        &self.signals
    }

    /// Takes a note that an envelope waits for.
    pub fn hear(&mut self, message: &midi::Message) {
        let (note, value) = match message.kind {
            midi::Kind::NoteOn { note, velocity } => (note, f64::from(velocity) / 127.0),
            midi::Kind::NoteOff { note } => (note, 0.0),
            _ => return,
        };
        for (_, id) in self.notes.iter().filter(|(known, _)| *known == note) {
            self.signals.set(*id, value);
        }
    }

    /// Sets the newest value of a signal.
    pub fn signal(&mut self, id: SignalId, value: f64) {
        self.signals.set(id, value);
    }

    /// Sets the signal `timecode.secs`, if there is timecode.
    pub fn set_timecode(&mut self, secs: Option<f64>) {
        let Some(secs) = secs else { return };
        if self.timecode.is_none() {
            self.timecode = SignalId::intern(TIMECODE);
        }
        if let Some(id) = self.timecode {
            self.signals.set(id, secs);
        }
    }

    /// What is heard.
    pub fn heard(&self) -> Heard {
        self.audio.read(&self.signals)
    }

    /// The time of a moment between frames.
    pub fn now(&self, beat: f64) -> Time {
        Time { secs: self.secs, beat, dt: 0.0 }
    }

    /// Begins a frame, `dt` seconds after the last; 0 while the picture is frozen.
    pub fn begin(&mut self, dt: f64, beat: f64) -> Time {
        self.secs += dt;
        Time { secs: self.secs, beat, dt }
    }

    /// Steps one frame, at the time of [`Modulation::begin`]. Does not allocate.
    pub fn step(&mut self, t: Time, params: &mut Params) {
        if self.is_off || self.playing.is_empty() {
            return;
        }
        for (playing, value) in self.playing.iter_mut().zip(&mut self.values) {
            self.knobs.clear();
            // The first two are the routes'.
            self.knobs.extend(playing.rows.iter().skip(2).map(|&row| params.get(row)));
            playing.source.turn(&self.knobs);
            *value = playing.source.step(t, &self.signals);
        }
        for route in self.routes.iter_mut() {
            if let [depth, smooth, ..] = self.playing[route.source].rows[..] {
                (route.depth, route.smooth) = (params.get(depth), params.get(smooth));
            }
        }
        params.modulate(self.routes.step(&self.values, t.dt));
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::params::Value;
    use crate::patch::preset::Preset;

    const BREATHE: &str = "breathe = { source = 'triangle', seconds = 4, to = '/psi', depth = 0.1 }";

    struct Rig {
        modulation: Modulation,
        params: Params,
        beat: f64,
    }

    impl Rig {
        fn new(entries: &str) -> Rig {
            let mut rig = Rig { modulation: Modulation::default(), params: Params::default(), beat: 0.0 };
            rig.load(entries);
            rig
        }

        /// Like the show: the rows, then their values.
        fn load(&mut self, entries: &str) {
            let preset = Preset::parse(&format!("[mod]\n{entries}"), Path::new("p.toml")).unwrap();
            self.modulation.play(&preset.modulators, &mut self.params).unwrap();
            for (target, value) in &preset.params {
                self.params.write(*target, value).unwrap();
            }
            self.params.settle();
        }

        fn write(&mut self, address: &str, value: f64) {
            let target = self.params.table().resolve(address).unwrap();
            self.params.write(target, &Value::Float(value)).unwrap();
            self.params.settle();
        }

        /// /psi after a frame, as the distance from its base in travel.
        fn step(&mut self, dt: f64) -> f64 {
            self.beat += 2.0 * dt;
            let t = self.modulation.begin(dt, self.beat);
            self.modulation.step(t, &mut self.params);
            let moved = Id::Psi.def().to_travel(self.params.get(Id::Psi)) - self.params.travel(Id::Psi);
            (moved * 1e6).round() / 1e6
        }
    }

    #[test]
    fn a_source_moves_the_effective_value_and_not_the_base() {
        let mut rig = Rig::new(BREATHE);
        assert_eq!((0..5).map(|_| rig.step(0.5)).collect::<Vec<_>>(), [0.05, 0.1, 0.05, 0.0, -0.05]);
        assert_eq!(rig.params.base(Id::Psi), 0.7);
        assert_eq!(rig.params.modulated(), [Id::Psi.into()]);
        rig.write("/mod/breathe/depth", 0.2);
        assert_eq!(rig.step(0.5), -0.2);
        rig.write("/mod/breathe/phase", 0.5);
        assert_eq!(rig.step(0.0), 0.2);
    }

    #[test]
    fn sources_on_one_parameter_add_up() {
        let mut rig = Rig::new(&format!(
            "{BREATHE}\nlift = {{ source = 'square', beats = 4, to = '/psi', depth = 0.05, polarity = 'unipolar' }}"
        ));
        // Two beats per second: the square is high for one second.
        assert_eq!((0..5).map(|_| rig.step(0.5)).collect::<Vec<_>>(), [0.1, 0.1, 0.05, 0.05, 0.0]);
    }

    #[test]
    fn a_signal_is_followed() {
        let mut rig = Rig::new("hit = { source = 'modtest.kick', to = '/psi', depth = 0.1 }");
        let kick = SignalId::find("modtest.kick").unwrap();
        for (sent, expected) in [(0.0, 0.0), (1.0, 0.1), (0.5, 0.05), (9.0, 0.1)] {
            rig.modulation.signal(kick, sent);
            assert_eq!(rig.step(0.1), expected, "{sent}");
        }
    }

    #[test]
    fn one_modulator_moves_another() {
        let mut rig = Rig::new(&format!(
            "{BREATHE}\nslow = {{ source = 'square', seconds = 100, to = '/mod/breathe/depth', depth = 0.1 }}"
        ));
        rig.step(0.5);
        // The depth goes from -1 to 1: a tenth of its travel is 0.2.
        assert_eq!(rig.step(0.5), 0.3);
    }

    #[test]
    fn a_panic_stops_modulation_until_a_preset_is_loaded() {
        let mut rig = Rig::new(BREATHE);
        rig.step(0.5);
        rig.modulation.clear(&mut rig.params);
        assert!(rig.modulation.is_off() && rig.params.modulated().is_empty());
        assert_eq!((rig.step(0.5), rig.params.get(Id::Psi)), (0.0, 0.7));
        rig.load(BREATHE);
        assert_eq!(rig.step(0.5), 0.05);
        assert!(!rig.modulation.is_off());
    }

    #[test]
    fn a_reload_continues_from_where_it_was() {
        let changed = BREATHE.replace("depth = 0.1", "depth = 0.1, smooth = 0.5");
        let (mut played, mut reloaded) = (Rig::new(&changed), Rig::new(&changed));
        for rig in [&mut played, &mut reloaded] {
            rig.write("/mod/breathe/seconds", 3.0);
            for _ in 0..7 {
                rig.step(0.3);
            }
            // Turned while playing: the wave is not where a wave with that period would be.
            rig.write("/mod/breathe/seconds", 2.5);
            for _ in 0..7 {
                rig.step(0.3);
            }
        }
        reloaded.load(&changed.replace("seconds = 4", "seconds = 2.5"));
        for _ in 0..10 {
            assert_eq!(played.step(0.1), reloaded.step(0.1));
        }
        let mut fresh = Rig::new(&changed.replace("seconds = 4", "seconds = 2.5"));
        for _ in 0..14 {
            fresh.step(0.3);
        }
        for _ in 0..9 {
            fresh.step(0.1);
        }
        assert_ne!(fresh.step(0.1), reloaded.step(0.0), "a restarted wave is elsewhere");
    }

    #[test]
    fn what_cannot_be_played_leaves_no_rows_behind() {
        let mut rig = Rig::new(BREATHE);
        let modulators = |entry: &str| {
            let preset = Preset::parse(&format!("[mod]\n{entry}"), Path::new("p.toml")).unwrap();
            preset.modulators
        };
        // Both have beats, which are not the same knob.
        rig.load("breathe = { source = 'sine', beats = 4, to = '/psi' }");
        let twice = ["source = 'sine'", "source = 'steps', steps = '1 0'"];
        let twice = twice.map(|source| modulators(&format!("breathe = {{ {source}, beats = 4, to = '/psi' }}")));
        assert!(rig.modulation.play(&twice.concat(), &mut rig.params).is_err());
        assert!(rig.params.table().resolve("/mod/breathe/depth").is_none());
        assert_eq!(rig.step(0.5), 0.0);
        rig.load(BREATHE);
        assert_ne!(rig.step(0.5), 0.0, "the next one plays");
    }

    #[test]
    fn rows_come_and_go_with_their_preset() {
        let rows = |rig: &Rig| -> Vec<&str> {
            let addresses = rig.params.table().iter().map(|def| def.address);
            let is_row = |address: &&str| address.starts_with("/mod/") && address.matches('/').count() == 3;
            addresses.filter(is_row).collect()
        };
        let mut rig = Rig::new(BREATHE);
        let breathe = ["/mod/breathe/depth", "/mod/breathe/smooth", "/mod/breathe/seconds", "/mod/breathe/phase"];
        assert_eq!(rows(&rig), breathe);
        rig.step(0.5);
        rig.load("hit = { source = 'modtest.kick', to = '/walk/speed' }");
        assert_eq!(rows(&rig), ["/mod/hit/depth", "/mod/hit/smooth"]);
        rig.step(0.5);
        assert_eq!(rig.params.modulated(), [Id::WalkSpeed.into()], "nothing is left of the last one");
        rig.load("");
        assert_eq!((rows(&rig).len(), rig.step(0.5), rig.params.modulated().len()), (0, 0.0, 0));
    }
}
