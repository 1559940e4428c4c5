//! A track of keys: points of the latent space, one after another in time.
//!
//! A key is a w `[w_dim]` or ws `[num_ws, w_dim]`, and lasts until the next. Between two keys the way is straight, on an arc about the
//! mean w, or a smooth curve through all of them. Straight ways cut through the middle, where pictures look as with a smaller psi; arcs
//! keep their strength. The curve is a cubic Hermite spline whose tangents follow from the neighbours and the times. Pure.

use crate::modulate::Ease;
pub use crate::params::{TrackEnd as End, TrackWay as Way};

/// Vectors whose sine is smaller have no arc between them.
const PARALLEL: f64 = 1e-4;

/// One point of a track.
#[derive(Clone, Debug, PartialEq)]
pub struct Key {
    /// Rows of `w_dim` numbers: one for all layers, or one for each.
    pub rows: Vec<f32>,
    /// How long it takes to the next key, above 0: seconds or beats.
    pub length: f64,
}

/// Where on a track.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Place {
    /// The key before it.
    pub key: usize,
    /// The key after it.
    pub next: usize,
    /// How far between them, 0 to 1.
    pub part: f64,
}

/// Keys in order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Track {
    pub keys: Vec<Key>,
}

impl Track {
    /// The length from the first key to the last, or back to the first if it loops.
    pub fn length(&self, end: End) -> f64 {
        let count = if end == End::Loop { self.keys.len() } else { self.keys.len().saturating_sub(1) };
        self.keys[..count].iter().map(|key| key.length).sum()
    }

    /// The time of a key.
    pub fn time_of(&self, key: usize) -> f64 {
        self.keys[..key.min(self.keys.len())].iter().map(|key| key.length).sum()
    }

    /// Moves a key to a time, between its neighbours, which stay where they are; the last one moves the end of the track. The first
    /// stays at 0. `[shortest, longest]` is what lasts between two keys.
    pub fn move_key(&mut self, key: usize, time: f64, [shortest, longest]: [f64; 2]) {
        let Some(before) = key.checked_sub(1).filter(|_| key < self.keys.len()) else { return };
        let (from, length) = (self.time_of(before), self.keys[before].length);
        let next = (key + 1 < self.keys.len()).then(|| length + self.keys[key].length);
        let (least, most) =
            next.map_or((shortest, longest), |both| (shortest.max(both - longest), longest.min(both - shortest)));
        let length = (time - from).clamp(least.min(most), most);
        self.keys[before].length = length;
        if let Some(both) = next {
            // The difference may be less by its last digit.
            self.keys[key].length = (both - length).clamp(shortest, longest);
        }
    }

    /// Where a time leads, before or after the whole track too. `None` without keys.
    pub fn place(&self, time: f64, end: End) -> Option<Place> {
        let (last, length) = (self.keys.len().checked_sub(1)?, self.length(end));
        let mut left = match end {
            _ if length <= 0.0 => return Some(Place { key: 0, next: 0, part: 0.0 }),
            End::Loop => time.rem_euclid(length),
            End::PingPong => length - (time.rem_euclid(2.0 * length) - length).abs(),
            End::Hold => time.clamp(0.0, length),
        };
        for (key, Key { length, .. }) in self.keys.iter().enumerate() {
            let is_last = key == last || key + 1 == last && end != End::Loop;
            if left < *length || is_last {
                let next = if key == last { 0 } else { key + 1 };
                return Some(Place { key, next, part: (left / length).min(1.0) });
            }
            left -= length;
        }
        None
    }

    /// Writes the point at a place into `out`, as many numbers as the keys have; rows of `centre` `[w_dim]` numbers, about which arcs go.
    pub fn at(&self, place: Place, way: Way, ease: Ease, end: End, centre: &[f32], out: &mut Vec<f32>) {
        let Place { key, next, part } = place;
        let (a, b) = (&self.keys[key].rows, &self.keys[next].rows);
        out.clear();
        if key == next {
            return out.extend_from_slice(a);
        }
        match way {
            Way::Linear | Way::Spherical => between(a, b, ease.apply(part), way, centre, out),
            Way::Spline => {
                let (u, h) = (part, self.keys[key].length);
                let (u2, u3) = (u * u, u * u * u);
                let weights = [2.0 * u3 - 3.0 * u2 + 1.0, (u3 - 2.0 * u2 + u) * h, 3.0 * u2 - 2.0 * u3, (u3 - u2) * h];
                let [from, to] = [key, next].map(|key| self.tangent(key, end));
                out.extend((0..a.len().min(b.len())).map(|i| {
                    let values = [f64::from(a[i]), self.slope(from, i), f64::from(b[i]), self.slope(to, i)];
                    values.iter().zip(weights).map(|(value, weight)| value * weight).sum::<f64>() as f32
                }));
            }
        }
    }

    /// The keys between which the tangent at a key goes, and the time between them.
    fn tangent(&self, key: usize, end: End) -> (usize, usize, f64) {
        let count = self.keys.len();
        let is_closed = end == End::Loop;
        let before = if key > 0 {
            key - 1
        } else if is_closed {
            count - 1
        } else {
            key
        };
        let after = if key + 1 < count {
            key + 1
        } else if is_closed {
            0
        } else {
            key
        };
        let length = |from: usize, to: usize| if from == to { 0.0 } else { self.keys[from].length };
        (before, after, length(before, key) + length(key, after))
    }

    fn slope(&self, (before, after, length): (usize, usize, f64), i: usize) -> f64 {
        let at = |key: usize| self.keys[key].rows.get(i).map_or(0.0, |x| f64::from(*x));
        if length > 0.0 { (at(after) - at(before)) / length } else { 0.0 }
    }
}

/// Writes the point at `t`, 0 to 1, from one point to another into `out`: on a straight line, or on arcs about `centre` `[w_dim]`. A curve
/// needs more than two points: between these it is an arc.
pub fn between(a: &[f32], b: &[f32], t: f64, way: Way, centre: &[f32], out: &mut Vec<f32>) {
    out.clear();
    if way == Way::Linear {
        return out.extend(a.iter().zip(b).map(|(a, b)| (f64::from(*a) + t * f64::from(b - a)) as f32));
    }
    for (a, b) in a.chunks_exact(centre.len().max(1)).zip(b.chunks_exact(centre.len().max(1))) {
        arc(a, b, t, centre, out);
    }
}

/// Appends the point at `t` on the arc from a to b about `centre`: the direction turns, the distance goes evenly.
pub fn arc(a: &[f32], b: &[f32], t: f64, centre: &[f32], out: &mut Vec<f32>) {
    let from = |x: &f32, c: &f32| f64::from(*x) - f64::from(*c);
    let pairs = || a.iter().zip(b).zip(centre).map(|((a, b), c)| (from(a, c), from(b, c)));
    let (aa, bb, ab) = pairs().fold((0.0, 0.0, 0.0), |(aa, bb, ab), (a, b)| (aa + a * a, bb + b * b, ab + a * b));
    let (la, lb) = (f64::sqrt(aa), f64::sqrt(bb));
    let angle = if la > 0.0 && lb > 0.0 { (ab / (la * lb)).clamp(-1.0, 1.0).acos() } else { 0.0 };
    let (mut wa, mut wb) = (1.0 - t, t);
    if angle.sin() > PARALLEL {
        let length = la + t * (lb - la);
        wa = ((1.0 - t) * angle).sin() / angle.sin() * length / la;
        wb = (t * angle).sin() / angle.sin() * length / lb;
    }
    out.extend(pairs().zip(centre).map(|((a, b), c)| (f64::from(*c) + wa * a + wb * b) as f32));
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::latent::seed::z_from_seed;
    use crate::network::checkpoint::Checkpoint;

    fn track(points: &[f32], lengths: &[f64]) -> Track {
        let rows = points.chunks(points.len() / lengths.len());
        Track { keys: rows.zip(lengths).map(|(rows, length)| Key { rows: rows.to_vec(), length: *length }).collect() }
    }

    #[test]
    fn ways_between_keys_are_those_of_the_prototype() {
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
        let expected = Checkpoint::open(&fixtures.join("latent/mixing.safetensors")).unwrap().tensors;
        let expected = |name: &str| expected[name].to_f32().unwrap();
        let network = crate::network::open(fixtures.join("sg2_32.safetensors")).unwrap();
        let track = track(&expected("keys.w"), &[1.0, 2.0, 1.0, 1.5]);
        assert_eq!(track.length(End::Loop), 5.5);
        let mut zs = track.clone();
        zs.keys.iter_mut().zip(10..).for_each(|(key, seed)| key.rows = z_from_seed(seed, network.mapping.z_dim));
        for (name, way) in [
            ("linear", Way::Linear),
            ("smooth", Way::Linear),
            ("spherical", Way::Spherical),
            ("spline", Way::Spline),
            ("z_spherical", Way::Spherical),
        ] {
            let mut found = Vec::new();
            for time in [0.0, 0.5, 1.0, 1.7, 2.9, 3.5, 4.6, 5.4] {
                let (mut place, mut point) = (track.place(time, End::Loop).unwrap(), Vec::new());
                if name == "smooth" {
                    // The prototype's easing.
                    place.part = place.part.powi(2) * (3.0 - 2.0 * place.part);
                }
                if name == "z_spherical" {
                    // Of z, about 0, and then mapped.
                    zs.at(place, way, Ease::Linear, End::Loop, &vec![0.0; network.mapping.z_dim], &mut point);
                    point = network.mapping.map_many(1, |_, z, _| z.copy_from_slice(&point));
                } else {
                    track.at(place, way, Ease::Linear, End::Loop, &network.mapping.w_avg, &mut point);
                }
                found.extend(point);
            }
            let worst = found.iter().zip(expected(&format!("keys.{name}"))).map(|(a, b)| (a - b).abs());
            let worst = worst.fold(0.0, f32::max);
            assert!(found.len() == 8 * 64 && worst < 1e-5, "{name}: off by {worst:e}");
        }
    }

    #[test]
    fn a_track_loops_turns_round_or_stays_at_its_end() {
        let track = track(&[0.0, 1.0, 3.0], &[1.0, 2.0, 4.0]);
        let at = |time: f64, end: End, way: Way| {
            let mut out = Vec::new();
            track.at(track.place(time, end).unwrap(), way, Ease::Linear, end, &[9.0], &mut out);
            out[0]
        };
        for (time, end, expected) in [
            (0.5, End::Loop, 0.5),
            (5.0, End::Loop, 1.5),
            (7.5, End::Loop, 0.5),
            (-1.0, End::Loop, 0.75),
            (2.0, End::Hold, 2.0),
            (99.0, End::Hold, 3.0),
            (-1.0, End::Hold, 0.0),
            (3.0, End::PingPong, 3.0),
            (4.0, End::PingPong, 2.0),
            (6.5, End::PingPong, 0.5),
        ] {
            assert_eq!(at(time, end, Way::Linear), expected, "{time} {end:?}");
        }
        // Open ends of a curve have the slope of their neighbour: a straight line stays one.
        let line =
            Track { keys: [0.0, 1.0, 3.0].map(|x| Key { rows: vec![x], length: f64::from(x).max(1.0) }).to_vec() };
        let mut out = Vec::new();
        line.at(line.place(0.25, End::Hold).unwrap(), Way::Spline, Ease::Linear, End::Hold, &[0.0], &mut out);
        assert!(out[0] > 0.0 && out[0] < 1.0, "{out:?}");
        assert_eq!((track.time_of(2), track.length(End::Hold)), (3.0, 3.0));
    }

    #[test]
    fn a_curve_has_no_corner_at_its_keys() {
        let track = track(&[0.0, 1.0, -1.0, 2.0], &[1.0, 3.0, 0.5, 2.0]);
        let at = |time: f64| {
            let mut out = Vec::new();
            track.at(track.place(time, End::Loop).unwrap(), Way::Spline, Ease::Linear, End::Loop, &[0.0], &mut out);
            f64::from(out[0])
        };
        for key in [1.0, 4.0, 4.5, 6.5] {
            let step = 1e-3;
            let (before, after) = ((at(key) - at(key - step)) / step, (at(key + step) - at(key)) / step);
            assert!((before - after).abs() < 0.3, "at {key}: {before} then {after}");
        }
    }

    #[test]
    fn a_key_that_is_moved_stays_between_its_neighbours() {
        let moved = |key: usize, time: f64| {
            let mut track = track(&[0.0, 1.0, 2.0], &[1.0, 2.0, 4.0]);
            track.move_key(key, time, [0.25, 8.0]);
            track.keys.iter().map(|key| key.length).collect::<Vec<_>>()
        };
        assert_eq!(moved(1, 2.0), [2.0, 1.0, 4.0]);
        assert_eq!(moved(1, -5.0), [0.25, 2.75, 4.0]);
        assert_eq!(moved(1, 5.0), [2.75, 0.25, 4.0]);
        assert_eq!(moved(2, 6.0), [1.0, 5.0, 4.0], "the last key moves the end");
        assert_eq!(moved(2, 99.0), [1.0, 8.0, 4.0]);
        let mut track = track(&[0.0, 1.0, 2.0], &[4.0, 4.0, 4.0]);
        track.move_key(1, 8.0, [0.05, 600.0]);
        assert_eq!(track.keys[1].length, 0.05, "not less by a digit");
        assert_eq!([moved(0, 3.0), moved(7, 3.0)], [[1.0, 2.0, 4.0]; 2]);
    }

    #[test]
    fn few_keys_are_no_trouble() {
        assert_eq!(Track::default().place(1.0, End::Loop), None);
        let one = track(&[5.0], &[2.0]);
        for end in [End::Loop, End::Hold, End::PingPong] {
            for way in [Way::Linear, Way::Spherical, Way::Spline] {
                let mut out = Vec::new();
                one.at(one.place(7.0, end).unwrap(), way, Ease::Smooth, end, &[0.0], &mut out);
                assert_eq!(out, [5.0], "{end:?} {way:?}");
            }
        }
    }
}
