//! A modulator: one source and its routes, as a preset describes them under `[mod]`.

use super::route::{DEPTH, Response, Route, SMOOTH};
use super::source::{Kind, Knob, Polarity, Setup, Source, seed_of};
use crate::params::{Curve, Def, Saving, Target, intern};

/// Prefix of the rows of modulators.
pub const PREFIX: &str = "/mod/";

/// One entry of `[mod]`, checked. While it plays, its numbers are in the table of parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct Modulator {
    /// Its name, which is part of its addresses: `/mod/<name>/depth`.
    pub name: String,
    /// The value of `source =`.
    pub word: String,
    pub kind: &'static Kind,
    /// The value of [`Kind::text`]; empty if it has none.
    pub text: String,
    /// Which knob of each group of [`Kind::knobs`] the entry uses.
    pub chosen: Vec<usize>,
    /// Seed of random waveforms; `None` derives one from the name.
    pub seed: Option<u64>,
    pub polarity: Polarity,
    pub curve: Response,
    /// Its targets, each once.
    pub to: Vec<Target>,
}

impl Modulator {
    /// Its knobs: depth, smooth, then those of its source in the order of [`Source::turn`].
    pub fn knobs(&self) -> impl Iterator<Item = &'static Knob> + '_ {
        let of_source = self.kind.knobs.iter().zip(&self.chosen).filter_map(|(group, &i)| group.get(i));
        [&DEPTH, &SMOOTH].into_iter().chain(of_source)
    }

    /// The address of one of its knobs.
    pub fn address(&self, knob: &Knob) -> String {
        format!("{PREFIX}{}/{}", self.name, knob.name)
    }

    /// The rows of its knobs, in order. They do not contain the preset's numbers, so that a knob that was turned stays
    /// where it is when the file is saved with a different number.
    pub fn rows(&self) -> Vec<Def> {
        let row = |knob: &Knob| {
            let row = Def::float(intern(&self.address(knob)), knob.min, knob.max, knob.default);
            let row = row.unit(knob.unit).smooth(knob.smoothing_secs).help(knob.help);
            let row = row.saving(Saving::Elsewhere("it belongs under [mod]"));
            if knob.curve == Curve::Square { row.square() } else { row }
        };
        self.knobs().map(row).collect()
    }

    /// Whether its source is the same as another's, so that it can continue.
    pub fn has_source_of(&self, other: &Modulator) -> bool {
        let source = |m: &Modulator| (m.name.clone(), m.word.clone(), m.text.clone(), m.chosen.clone(), m.seed);
        source(self) == source(other)
    }

    pub fn source(&self) -> Box<dyn Source> {
        let seed = self.seed.unwrap_or_else(|| seed_of(&self.name));
        (self.kind.build)(&Setup { word: &self.word, text: &self.text, seed, chosen: &self.chosen })
    }

    /// Its routes; `source` is its index in the list of sources.
    pub fn routes(&self, source: usize) -> impl Iterator<Item = Route> + '_ {
        self.to.iter().map(move |&target| {
            let mut route = Route::new(source, target);
            (route.polarity, route.curve) = (self.polarity, self.curve);
            route
        })
    }
}

/// Whether a string is a valid name for a modulator, as it becomes part of addresses.
pub fn is_name(name: &str) -> bool {
    const LONGEST: usize = 32;
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    !name.is_empty() && name.len() <= LONGEST && name.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::modulate::source;
    use crate::params::Id;

    fn sine() -> Modulator {
        Modulator {
            name: "breathe".to_owned(),
            word: "sine".to_owned(),
            kind: source::kind("sine").unwrap(),
            text: String::new(),
            chosen: vec![1, 0],
            seed: None,
            polarity: Polarity::Unipolar,
            curve: Response::Square,
            to: vec![Id::Psi.into(), Id::WalkSpeed.into()],
        }
    }

    #[test]
    fn a_modulator_has_the_knobs_of_its_route_and_its_source() {
        let sine = sine();
        let addresses: Vec<String> = sine.knobs().map(|knob| sine.address(knob)).collect();
        assert_eq!(
            addresses,
            ["/mod/breathe/depth", "/mod/breathe/smooth", "/mod/breathe/beats", "/mod/breathe/phase"]
        );
        let routes: Vec<Route> = sine.routes(3).collect();
        assert_eq!(
            routes.iter().map(|route| (route.source, route.target)).collect::<Vec<_>>(),
            [(3, Id::Psi.into()), (3, Id::WalkSpeed.into())]
        );
        assert!(routes.iter().all(|r| r.polarity == Polarity::Unipolar && r.curve == Response::Square));
    }

    #[test]
    fn names_are_parts_of_addresses() {
        for (name, expected) in
            [("breathe", true), ("lfo-2_b", true), ("", false), ("a b", false), ("a/b", false), ("é", false)]
        {
            assert_eq!(is_name(name), expected, "{name:?}");
        }
        assert!(is_name(&"a".repeat(32)) && !is_name(&"a".repeat(33)));
    }
}
