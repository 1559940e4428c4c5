//! How z moves on its own: hold, drift, loop, line.
//!
//! A walk is a position on a path; [`Walk::step`] moves it and [`Walk::z`] returns it. The path starts at the seed's z.
//! Changes in mid-flight (seed, kind, easing) are smoothed: the difference between the old and the new path fades out
//! over `glide_secs`. Runs on the show's thread; pure.

use std::f64::consts::TAU;

use rand_mt::Mt64;

use super::seed::{fill_from_seed, z_from_seed};
use crate::modulate::{Ease, Fade, wander};
pub use crate::params::WalkKind as Kind;

/// Units of phase per turn of a loop: at speed 1, seconds or beats.
pub const LOOP_PERIOD: f64 = 8.0;
/// Units of phase from one seed to the next along a line.
pub const LINE_PERIOD: f64 = 4.0;

/// How to walk. `speed` is in units of phase per second; negative goes backwards.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    pub kind: Kind,
    pub seed: u32,
    pub speed: f64,
    /// How far drift and loop stray from the seed: 0 not at all, 1 to entirely different pictures.
    pub radius: f64,
    pub ease: Ease,
    /// Duration of a change of seed or kind, in seconds; 0 jumps.
    pub glide_secs: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Settings { kind: Kind::Drift, seed: 0, speed: 0.25, radius: 1.0, ease: Ease::Smooth, glide_secs: 0.0 }
    }
}

/// A walk through the z space of one network.
#[derive(Clone, Debug)]
pub struct Walk {
    z_dim: usize,
    /// Position along the path, in units of phase. f64, so that hours at 60 frames per second lose no precision.
    phase: f64,
    now: Settings,
    path: Path,
    /// `[z_dim]`: old minus new position at the last change.
    left_behind: Vec<f32>,
    fade: Fade,
    z: Vec<f32>,
}

/// The fixed vectors of a path, made when the seed changes.
#[derive(Clone, Debug, Default)]
struct Path {
    origin: Vec<f32>,
    /// Two more normal vectors, which with the origin span the space of drift and loop.
    u: Vec<f32>,
    v: Vec<f32>,
    /// Rates of each dimension's wandering.
    rates: Vec<[f64; 2]>,
    /// The segment of the line that was played last, and its two ends.
    stretch: Option<i64>,
    ends: [Vec<f32>; 2],
}

impl Path {
    fn new(seed: u32, z_dim: usize) -> Self {
        // Neighbouring seeds must not share directions, so these come from a different stream than the seeds' z.
        let mut generator = Mt64::new(0x6a6f_636b_6579_0000 ^ u64::from(seed));
        let mut uniform = || -> f64 { (generator.next_u64() >> 11) as f64 / (1u64 << 53) as f64 };
        let mut normal = || {
            let radius = (-2.0 * (1.0 - uniform()).ln()).sqrt();
            (radius * (TAU * uniform()).cos()) as f32
        };
        let u = (0..z_dim).map(|_| normal()).collect();
        let v = (0..z_dim).map(|_| normal()).collect();
        let rates = (0..z_dim).map(|_| [0.35 + 0.5 * uniform(), 0.9 + 0.7 * uniform()]).collect();
        Path {
            origin: z_from_seed(seed, z_dim),
            u,
            v,
            rates,
            stretch: None,
            ends: [vec![0.0; z_dim], vec![0.0; z_dim]],
        }
    }

    /// Writes the position at `phase` into `z` `[z_dim]`.
    fn at(&mut self, phase: f64, settings: &Settings, z: &mut [f32]) {
        match settings.kind {
            // On a track z does not count; where that has no keys, it stands still.
            Kind::Hold | Kind::Keys => z.copy_from_slice(&self.origin),
            Kind::Drift => {
                for (i, z) in z.iter_mut().enumerate() {
                    // Each dimension rotates between two normal numbers, so it stays normally distributed.
                    let angle = settings.radius * wander(phase, self.rates[i]);
                    *z = (f64::from(self.origin[i]) * angle.cos() + f64::from(self.u[i]) * angle.sin()) as f32;
                }
            }
            Kind::Loop => {
                let turn = TAU * (phase / LOOP_PERIOD).rem_euclid(1.0);
                let (a, b) = (settings.radius * (turn.cos() - 1.0), settings.radius * turn.sin());
                for (i, z) in z.iter_mut().enumerate() {
                    *z = self.origin[i] + (a * f64::from(self.u[i]) + b * f64::from(self.v[i])) as f32;
                }
            }
            Kind::Line => {
                let steps = phase / LINE_PERIOD;
                let stretch = steps.floor() as i64;
                if self.stretch.replace(stretch) != Some(stretch) {
                    for (end, k) in self.ends.iter_mut().zip([stretch, stretch + 1]) {
                        fill_from_seed(settings.seed.wrapping_add(k as u32), end);
                    }
                }
                let [from, to] = &self.ends;
                slerp(from, to, settings.ease.apply(steps - steps.floor()), z);
            }
        }
    }
}

/// Spherical interpolation (Shoemake 1985) from `a` (t = 0) to `b` (t = 1); lengths are interpolated evenly.
pub fn slerp(a: &[f32], b: &[f32], t: f64, out: &mut [f32]) {
    let dot = |x: &[f32], y: &[f32]| x.iter().zip(y).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum::<f64>();
    let (la, lb) = (dot(a, a).sqrt(), dot(b, b).sqrt());
    let cos = if la > 0.0 && lb > 0.0 { (dot(a, b) / (la * lb)).clamp(-1.0, 1.0) } else { 1.0 };
    let angle = cos.acos();
    let (mut wa, mut wb) = (1.0 - t, t);
    // Nearly parallel or opposite vectors have no unique shortest arc; a straight line is as good, and stable.
    if angle.sin() > 1e-4 {
        let length = la + t * (lb - la);
        wa = ((1.0 - t) * angle).sin() / angle.sin() * length / la;
        wb = (t * angle).sin() / angle.sin() * length / lb;
    }
    for ((out, a), b) in out.iter_mut().zip(a).zip(b) {
        *out = (wa * f64::from(*a) + wb * f64::from(*b)) as f32;
    }
}

impl Walk {
    /// A walk at the start of its path: `z` is the seed's.
    pub fn new(z_dim: usize, settings: Settings) -> Self {
        let mut walk = Walk {
            z_dim,
            phase: 0.0,
            now: settings,
            path: Path::new(settings.seed, z_dim),
            left_behind: vec![0.0; z_dim],
            fade: Fade::default(),
            z: vec![0.0; z_dim],
        };
        walk.place();
        walk
    }

    /// z `[z_dim]`, where the walk is now.
    pub fn z(&self) -> &[f32] {
        &self.z
    }

    /// Position along the path, in units of phase.
    pub fn phase(&self) -> f64 {
        self.phase
    }

    /// Advances by `dt` seconds under `settings`, any of which may have changed since the last step.
    pub fn step(&mut self, dt: f64, settings: &Settings) {
        let old = self.now;
        self.now = *settings;
        let turned = old.kind != settings.kind || old.ease != settings.ease || old.seed != settings.seed;
        if turned {
            if old.seed != settings.seed {
                self.path = Path::new(settings.seed, self.z_dim);
                self.phase = 0.0;
            }
            self.leave();
        }
        self.phase += dt * settings.speed;
        self.fade.step(dt);
        self.place();
    }

    /// Glides back to the start of the path.
    pub fn restart(&mut self) {
        self.phase = 0.0;
        self.leave();
    }

    /// Starts a glide from the current z to the new path.
    fn leave(&mut self) {
        let mut target = std::mem::take(&mut self.left_behind);
        self.path.at(self.phase, &self.now, &mut target);
        for (target, z) in target.iter_mut().zip(&self.z) {
            *target = z - *target;
        }
        self.left_behind = target;
        self.fade = Fade::start(self.now.glide_secs);
    }

    fn place(&mut self) {
        self.path.at(self.phase, &self.now, &mut self.z);
        if self.fade.running() {
            let weight = self.fade.weight() as f32;
            for (z, left) in self.z.iter_mut().zip(&self.left_behind) {
                *z += weight * left;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DT: f64 = 1.0 / 60.0;

    fn distance(a: &[f32], b: &[f32]) -> f64 {
        a.iter().zip(b).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>().sqrt()
    }

    /// Largest and smallest step of z over `frames` frames, relative to the length of z.
    fn steps(walk: &mut Walk, frames: usize, mut settings: impl FnMut(usize) -> Settings) -> (f64, f64) {
        let (mut largest, mut smallest) = (0.0f64, f64::MAX);
        for frame in 0..frames {
            let before = walk.z().to_vec();
            walk.step(DT, &settings(frame));
            let step = distance(&before, walk.z()) / distance(walk.z(), &vec![0.0; walk.z().len()]);
            largest = largest.max(step);
            smallest = smallest.min(step);
        }
        (largest, smallest)
    }

    fn with(kind: Kind) -> Settings {
        Settings { kind, speed: 1.0, seed: 85, glide_secs: 1.0, ..Settings::default() }
    }

    #[test]
    fn every_walk_starts_at_the_seed() {
        for kind in [Kind::Hold, Kind::Drift, Kind::Loop, Kind::Line] {
            let walk = Walk::new(64, with(kind));
            assert!(distance(walk.z(), &z_from_seed(85, 64)) < 1e-5, "{kind:?}");
        }
    }

    #[test]
    fn drift_neither_stalls_nor_jumps() {
        let mut walk = Walk::new(64, with(Kind::Drift));
        let (largest, smallest) = steps(&mut walk, 20_000, |_| with(Kind::Drift));
        assert!(largest < 0.05, "a step of {largest}");
        assert!(smallest > largest / 10.0, "from {smallest} to {largest}");
    }

    #[test]
    fn drift_keeps_its_numbers_normal() {
        let mut walk = Walk::new(512, with(Kind::Drift));
        for _ in 0..200 {
            walk.step(7.3, &with(Kind::Drift));
            let variance = walk.z().iter().map(|z| f64::from(*z).powi(2)).sum::<f64>() / 512.0;
            assert!((0.7..1.4).contains(&variance), "variance {variance}");
        }
    }

    #[test]
    fn a_loop_closes() {
        let mut walk = Walk::new(64, with(Kind::Loop));
        let start = walk.z().to_vec();
        let frames = (LOOP_PERIOD / DT).round() as usize;
        steps(&mut walk, frames, |_| with(Kind::Loop));
        assert!(distance(&start, walk.z()) < 1e-4);
        walk.step(1.0, &with(Kind::Loop));
        assert!(distance(&start, walk.z()) > 1.0, "it never left");
    }

    #[test]
    fn a_line_passes_its_seeds() {
        let mut walk = Walk::new(64, with(Kind::Line));
        for seed in 86..90 {
            walk.step(LINE_PERIOD, &with(Kind::Line));
            assert!(distance(walk.z(), &z_from_seed(seed, 64)) < 1e-4, "seed {seed}");
        }
    }

    #[test]
    fn nothing_jumps_when_anything_changes() {
        let kinds = [Kind::Drift, Kind::Line, Kind::Loop, Kind::Hold];
        let mut walk = Walk::new(64, with(Kind::Drift));
        let (largest, _) = steps(&mut walk, 3000, |frame| Settings {
            kind: kinds[frame / 37 % 4],
            seed: (frame / 91) as u32,
            speed: (frame as f64 / 50.0).sin(),
            ..with(Kind::Drift)
        });
        assert!(largest < 0.12, "a step of {largest}");
        // The check can fail: without a glide, the same changes do jump.
        let mut walk = Walk::new(64, with(Kind::Drift));
        let (largest, _) = steps(&mut walk, 3000, |frame| Settings {
            seed: (frame / 91) as u32,
            glide_secs: 0.0,
            ..with(Kind::Drift)
        });
        assert!(largest > 0.5);
    }

    #[test]
    fn going_back_comes_back() {
        let mut walk = Walk::new(64, with(Kind::Drift));
        let start = walk.z().to_vec();
        steps(&mut walk, 500, |_| with(Kind::Drift));
        steps(&mut walk, 500, |_| Settings { speed: -1.0, ..with(Kind::Drift) });
        assert!(distance(&start, walk.z()) < 1e-3);
    }

    #[test]
    fn slerp_stays_on_the_sphere() {
        let (a, b) = (z_from_seed(1, 64), z_from_seed(2, 64));
        let mut out = vec![0.0; 64];
        for i in 0..=10 {
            slerp(&a, &b, f64::from(i) / 10.0, &mut out);
            let zero = vec![0.0; 64];
            let (la, lb) = (distance(&a, &zero), distance(&b, &zero));
            let expected = la + f64::from(i) / 10.0 * (lb - la);
            assert!((distance(&out, &zero) - expected).abs() < 1e-3);
        }
    }
}
