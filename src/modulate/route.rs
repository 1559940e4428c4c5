//! Routes from sources to parameters, with their depth.
//!
//! Depth is in travel, the 0..1 of a knob that covers the parameter's range: depth 0.5 moves as far as half a turn of its
//! knob, so that one source can move parameters with any range. Routes to the same parameter add up; the parameter
//! clamps the sum to its range.

use super::ease::Ease;
use super::source::{Knob, Polarity};
use crate::params::{Curve, Target, words};

/// How far a modulator moves its parameters.
pub static DEPTH: Knob = Knob {
    name: "depth",
    min: -1.0,
    max: 1.0,
    default: 0.2,
    unit: "",
    curve: Curve::Linear,
    smoothing_secs: 0.08,
    help: "how far it moves its parameters, in knob travel: 1 is the whole range, negative inverts, 0 is off",
};
/// How slowly a modulator's parameters follow its source.
pub static SMOOTH: Knob = Knob {
    name: "smooth",
    min: 0.0,
    max: 10.0,
    default: 0.0,
    unit: "s",
    curve: Curve::Square,
    smoothing_secs: 0.0,
    help: "time constant with which it follows its source; 0 follows at once",
};

/// The response curve of a route, symmetric about 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Response {
    #[default]
    Linear,
    /// x²: rests near 0, with short peaks.
    Square,
    /// √x: rests near 1.
    Root,
    /// Rests at both ends ([`Ease::Smooth`]).
    Smooth,
}

words!(Response { Linear = "linear", Square = "square", Root = "root", Smooth = "smooth" });

impl Response {
    /// −1..1 to −1..1.
    pub fn apply(self, x: f64) -> f64 {
        let size = x.abs();
        let bent = match self {
            Response::Linear => size,
            Response::Square => size * size,
            Response::Root => size.sqrt(),
            Response::Smooth => Ease::Smooth.apply(size),
        };
        bent.copysign(x)
    }
}

/// One source on one parameter.
#[derive(Clone, Debug, PartialEq)]
pub struct Route {
    /// The index of the source in the values passed to [`Routes::step`].
    pub source: usize,
    pub target: Target,
    /// In travel, −1 to 1; negative inverts the source.
    pub depth: f64,
    pub polarity: Polarity,
    pub curve: Response,
    /// Time constant in seconds with which it follows its source; 0 follows at once.
    pub smooth: f64,
    /// Its current value, −1 to 1, before depth; `None` before the first frame, so that it does not glide in from 0.
    at: Option<f64>,
}

impl Route {
    pub fn new(source: usize, target: Target) -> Self {
        let (polarity, curve) = (Polarity::Bipolar, Response::Linear);
        Route { source, target, depth: 0.0, polarity, curve, smooth: 0.0, at: None }
    }

    /// Continues from another route's value, so that a reload is invisible.
    pub fn go_on_from(&mut self, other: &Route) {
        self.at = other.at;
    }

    /// What it adds in this frame, in travel. `value` is its source's, 0 to 1.
    fn step(&mut self, value: f64, dt: f64) -> f64 {
        let to = self.curve.apply(self.polarity.apply(value));
        let follow = if self.smooth > 0.0 { 1.0 - (-dt / self.smooth).exp() } else { 1.0 };
        let from = self.at.unwrap_or(to);
        let at = from + (to - from) * follow;
        self.at = Some(at);
        at * self.depth
    }
}

/// All active routes, and the parameters they move.
#[derive(Clone, Debug, Default)]
pub struct Routes {
    routes: Vec<Route>,
    /// Index in `sums` of each route's target.
    places: Vec<usize>,
    /// Each target once, with the sum of its routes in travel.
    sums: Vec<(Target, f64)>,
}

impl Routes {
    pub fn new(routes: Vec<Route>) -> Self {
        let mut sums: Vec<(Target, f64)> = Vec::new();
        let mut place = |target: Target| {
            let known = sums.iter().position(|(t, _)| *t == target);
            known.unwrap_or_else(|| {
                sums.push((target, 0.0));
                sums.len() - 1
            })
        };
        let places = routes.iter().map(|route| place(route.target)).collect();
        Routes { routes, places, sums }
    }

    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Route> {
        self.routes.iter_mut()
    }

    pub fn iter(&self) -> impl Iterator<Item = &Route> {
        self.routes.iter()
    }

    /// The moved parameters, each once, with what was added in the last frame, in travel.
    pub fn sums(&self) -> &[(Target, f64)] {
        &self.sums
    }

    /// Steps one frame; `values` are those of the sources, 0 to 1. Does not allocate.
    pub fn step(&mut self, values: &[f64], dt: f64) -> &[(Target, f64)] {
        self.sums.iter_mut().for_each(|(_, sum)| *sum = 0.0);
        for (route, place) in self.routes.iter_mut().zip(&self.places) {
            if let Some(value) = values.get(route.source) {
                self.sums[*place].1 += route.step(*value, dt);
            }
        }
        &self.sums
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::params::Id;

    fn route(source: usize, id: Id, depth: f64) -> Route {
        Route { depth, ..Route::new(source, id.into()) }
    }

    #[test]
    fn responses_have_their_shapes() {
        let table = [
            (Response::Linear, [-1.0, -0.25, 0.0, 0.25, 1.0]),
            (Response::Square, [-1.0, -0.0625, 0.0, 0.0625, 1.0]),
            (Response::Root, [-1.0, -0.5, 0.0, 0.5, 1.0]),
            (Response::Smooth, [-1.0, -0.103515625, 0.0, 0.103515625, 1.0]),
        ];
        for (response, expected) in table {
            assert_eq!([-1.0, -0.25, 0.0, 0.25, 1.0].map(|x| response.apply(x)), expected, "{response:?}");
        }
    }

    #[test]
    fn several_sources_on_one_parameter_add_up() {
        let mut routes = Routes::new(vec![
            route(0, Id::Psi, 0.5),
            route(0, Id::WalkSpeed, 1.0),
            Route { polarity: Polarity::Unipolar, ..route(1, Id::Psi, -0.25) },
        ]);
        // (sources, on psi, on the speed)
        let table =
            [([0.5, 0.0], 0.0, 0.0), ([1.0, 0.0], 0.5, 1.0), ([1.0, 1.0], 0.25, 1.0), ([0.0, 0.5], -0.625, -1.0)];
        for (values, psi, speed) in table {
            assert_eq!(routes.step(&values, 0.1), [(Id::Psi.into(), psi), (Id::WalkSpeed.into(), speed)], "{values:?}");
        }
        assert_eq!(
            routes.step(&[], 0.1),
            [(Id::Psi.into(), 0.0), (Id::WalkSpeed.into(), 0.0)],
            "no source adds nothing"
        );
    }

    #[test]
    fn a_smooth_route_follows_by_its_time_constant() {
        let mut routes = Routes::new(vec![Route { smooth: 0.5, ..route(0, Id::Psi, 1.0) }]);
        let mut step = |value: f64, dt: f64| routes.step(&[value], dt)[0].1;
        assert_eq!(step(0.0, 0.1), -1.0, "it begins where its source is");
        let after = step(1.0, 0.5);
        assert!((after - (1.0 - 2.0 * (-1.0f64).exp())).abs() < 1e-12, "{after}");
        assert!((step(1.0, 50.0) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn the_frame_rate_does_not_matter() {
        let at = |frames: u32| {
            let mut routes = Routes::new(vec![Route { smooth: 0.2, ..route(0, Id::Psi, 1.0) }]);
            routes.step(&[0.0], 0.0);
            (0..frames).map(|_| routes.step(&[1.0], 0.3 / f64::from(frames))[0].1).last()
        };
        let (coarse, fine) = (at(3).unwrap(), at(300).unwrap());
        assert!((coarse - fine).abs() < 1e-9, "{coarse} against {fine}");
    }
}
