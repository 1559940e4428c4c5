//! Levels from 0 to 1 that fit any loudness: from a quiet room to a club without setting a gain.
//!
//! One fast reference follows the loudness of everything, and a slow offset per band learns how loud that band usually is
//! beside the whole. A break without bass therefore shows low bass, not a pumped-up rest. Below [`GATE_DB`] all levels
//! fall to 0 and nothing is learnt; the outputs never treat less than [`FLOOR_DB`] as loud, so that the noise of a room
//! does not dance.

use super::bands::{BANDS, NARROW};
use super::ema;

/// Below this, nothing is heard: dB of full scale.
pub const GATE_DB: f64 = -84.0;
/// The reference for the outputs is at least this, in dB of full scale.
pub const FLOOR_DB: f64 = -60.0;

/// How loudness becomes a level.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Gain {
    /// By what was heard in the last seconds.
    #[default]
    Auto,
    /// Music at this loudness, in dB of full scale, is at the reference. Nothing is learnt.
    Fixed(f64),
}

/// How loud each of [`BANDS`] is beside the whole in music as it usually is, in dB: for [`Gain::Fixed`].
const USUAL_DB: [f64; BANDS.len()] = [-6.0, -3.0, -8.0, -9.0, -15.0, -18.0, -20.0, -24.0, -2.0, -6.0, -15.0];

/// A level at its usual loudness.
const USUAL: f64 = 0.8;

/// Levels of all bands and of the whole.
pub struct Levels {
    gain: Gain,
    learnt: Option<Learnt>,
    /// Hops in a row that were far below the reference.
    quiet_hops: u32,
    /// Whether the reference falls fast.
    falls_fast: bool,
    /// Hops above the gate.
    heard_hops: u32,
    /// Smoothed levels.
    bands: [f64; BANDS.len()],
    whole: f64,
    rise: f64,
    fall: f64,
    follow: f64,
}

/// What was learnt from the sound so far.
#[derive(Clone, Copy)]
struct Learnt {
    /// Loudness of the whole, dB.
    reference_db: f64,
    /// Usual loudness of each band beside it, dB.
    offset_db: [f64; BANDS.len()],
}

impl Levels {
    pub fn new(gain: Gain) -> Self {
        Levels {
            gain,
            learnt: None,
            quiet_hops: 0,
            falls_fast: false,
            heard_hops: 0,
            bands: [0.0; BANDS.len()],
            whole: 0.0,
            rise: ema(0.008),
            fall: ema(0.12),
            follow: ema(0.10),
        }
    }

    /// One hop with the energies of [`BANDS`]. Whether anything is heard.
    pub fn hop(&mut self, energy: &[f64; BANDS.len()]) -> bool {
        let db = |energy: f64| 10.0 * (energy + 1e-12).log10();
        let whole_db = db(energy[..NARROW].iter().sum());
        let band_db = energy.map(db);
        let heard = whole_db > GATE_DB;
        let (mut bands, mut whole) = ([0.0; BANDS.len()], 0.0);
        if heard {
            let offset_db = match self.gain {
                Gain::Auto => self.learn(whole_db, &band_db),
                Gain::Fixed(_) => USUAL_DB,
            };
            let reference_db = self.reference_db();
            let ratio = |db: f64| 10f64.powf(db / 20.0);
            for (b, level) in bands.iter_mut().enumerate() {
                *level = (USUAL * ratio(band_db[b] - reference_db - offset_db[b])).min(1.0);
            }
            whole = ratio(whole_db - reference_db).min(1.0);
        }
        let (rise, fall) = (self.rise, self.fall);
        let smooth =
            |level: &mut f64, target: f64| *level += if target > *level { rise } else { fall } * (target - *level);
        self.bands.iter_mut().zip(bands).for_each(|(level, target)| smooth(level, target));
        smooth(&mut self.whole, whole);
        heard
    }

    /// Moves the reference and the offsets; returns the offsets.
    fn learn(&mut self, whole_db: f64, band_db: &[f64; BANDS.len()]) -> [f64; BANDS.len()] {
        /// dB per hop.
        const FALL: f64 = 0.015;
        const FAST_FALL: f64 = 0.20;
        /// This far below the reference the sound is quiet, dB; after so many hops the reference falls fast.
        const QUIET_DB: f64 = 20.0;
        const QUIET_HOPS: u32 = 200;
        let first = Learnt { reference_db: whole_db, offset_db: band_db.map(|db| db - whole_db) };
        let learnt = self.learnt.get_or_insert(first);
        let reference = &mut learnt.reference_db;
        if whole_db > *reference {
            *reference += self.follow * (whole_db - *reference);
        } else {
            *reference -= if self.falls_fast { FAST_FALL } else { FALL };
        }
        self.quiet_hops = if whole_db < *reference - QUIET_DB { self.quiet_hops + 1 } else { 0 };
        if self.quiet_hops > QUIET_HOPS {
            self.falls_fast = true;
        }
        if whole_db > *reference - 3.0 {
            self.falls_fast = false;
        }
        // A step up for what is above and a ninth of it down for what is below settle where a tenth is above.
        let step = 0.04 + 1.96 * (-f64::from(self.heard_hops) / 200.0).exp();
        self.heard_hops = self.heard_hops.saturating_add(1);
        // Against the reference without its floor: the offsets would cancel the floor.
        if (*reference - QUIET_DB..=*reference + 6.0).contains(&whole_db) {
            for (offset, db) in learnt.offset_db.iter_mut().zip(band_db) {
                let above = db - *reference > *offset;
                *offset = (*offset + step * if above { 0.9 } else { -0.1 }).clamp(-60.0, 3.0);
            }
        }
        learnt.offset_db
    }

    /// What counts as loud, in dB of full scale; `None` before anything was heard.
    pub fn reference(&self) -> Option<f64> {
        match self.gain {
            Gain::Auto => self.learnt.map(|learnt| learnt.reference_db.max(FLOOR_DB)),
            Gain::Fixed(db) => Some(db),
        }
    }

    fn reference_db(&self) -> f64 {
        self.reference().unwrap_or(0.0)
    }

    /// The level of each of [`BANDS`], 0 to 1.
    pub fn bands(&self) -> [f64; BANDS.len()] {
        self.bands
    }

    /// The level of the whole, 0 to 1.
    pub fn whole(&self) -> f64 {
        self.whole
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The levels after `hops` of a steady sound with this energy in each band.
    fn steady(levels: &mut Levels, energy: f64, hops: usize) -> [f64; BANDS.len()] {
        let mut all = [energy; BANDS.len()];
        all[NARROW..].copy_from_slice(&[2.0 * energy, 3.0 * energy, 3.0 * energy]);
        for _ in 0..hops {
            levels.hop(&all);
        }
        levels.bands()
    }

    #[test]
    fn loudness_does_not_matter() {
        let (mut loud, mut quiet) = (Levels::new(Gain::Auto), Levels::new(Gain::Auto));
        let (loud, quiet) = (steady(&mut loud, 1e-2, 400), steady(&mut quiet, 1e-6, 400));
        for (loud, quiet) in loud.iter().zip(quiet) {
            assert!((loud - quiet).abs() < 1e-3 && *loud > 0.5, "{loud} {quiet}");
        }
    }

    #[test]
    fn a_fixed_gain_keeps_quiet_quiet() {
        let mut levels = Levels::new(Gain::Fixed(-20.0));
        assert_eq!(levels.reference(), Some(-20.0));
        let quiet = steady(&mut levels, 1e-6, 400);
        assert!(quiet.iter().all(|&level| level < 0.15), "{quiet:?}");
        let loud = steady(&mut levels, 1e-3, 400);
        assert!(loud[0] > 0.4, "{loud:?}");
    }

    #[test]
    fn below_the_gate_levels_fall_and_nothing_is_learnt() {
        let mut levels = Levels::new(Gain::Auto);
        assert!(steady(&mut levels, 1e-3, 100)[0] > 0.5);
        let before = levels.reference();
        assert!(steady(&mut levels, 1e-11, 100)[0] < 0.01);
        assert_eq!(levels.reference(), before);
    }
}
