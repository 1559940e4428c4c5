//! Sizes, rates and factors of the layers: from the file's attributes, or derived as in the original code
//! (`SynthesisNetwork.__init__` of stylegan3, with its default constants).

use super::unsupported;
use crate::network::NetworkError;
use crate::network::checkpoint::{Attribute, Checkpoint, Tensors};

/// Taps of a filter per unit of its up- or down-sampling factor.
const TAPS_PER_FACTOR: usize = 6;
const FIRST_CUTOFF: f64 = 2.0;
/// 2^2.1
const FIRST_STOPBAND: f64 = 4.287_093_850_145_173;
/// 2^0.3
const LAST_STOPBAND_REL: f64 = 1.231_144_413_344_916;
/// Critically sampled layers at the end, toRGB not counted.
const NUM_CRITICAL: usize = 2;
/// Samples by which maps extend beyond the picture on each side.
const MARGIN: usize = 10;

/// `L{index}_{size}_{channels}`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerName {
    pub text: String,
    pub index: usize,
    /// Height and width of the layer's output.
    pub size: usize,
}

impl LayerName {
    pub fn parse(text: &str) -> Option<LayerName> {
        let mut numbers = text.strip_prefix('L')?.split('_').map(|n| n.parse::<usize>().ok());
        let (index, size, _channels) = (numbers.next()??, numbers.next()??, numbers.next()??);
        let is_possible = index < 1 << 16 && size < 1 << 16;
        (numbers.next().is_none() && is_possible).then(|| LayerName { text: text.to_owned(), index, size })
    }
}

/// The layers in order: as the file lists them, else by the numbers in their names.
pub fn layer_names(checkpoint: &Checkpoint) -> Result<Vec<LayerName>, NetworkError> {
    let listed: Option<Vec<LayerName>> = match checkpoint.attributes.get("synthesis.layer_names") {
        Some(Attribute::List(names)) => names.iter().map(|name| LayerName::parse(name.as_str()?)).collect(),
        _ => {
            let places =
                checkpoint.tensors.keys().filter_map(|n| n.strip_prefix("synthesis.")?.strip_suffix(".magnitude_ema"));
            let mut names: Vec<LayerName> = places.filter_map(LayerName::parse).collect();
            names.sort_by_key(|name| name.index);
            Some(names)
        }
    };
    listed.filter(|names| !names.is_empty()).ok_or_else(|| NetworkError::Missing {
        path: checkpoint.path.clone(),
        tensor: "synthesis.L0_….weight".into(),
        expected: "the layers of a StyleGAN3".into(),
    })
}

/// Cutoffs, half widths and rates of every layer's output; entry p = max(i − 1, 0) describes the input of layer i.
pub struct Geometry {
    cutoffs: Vec<f64>,
    half_widths: Vec<f64>,
    rates: Vec<f64>,
    sizes: Vec<usize>,
}

/// One layer's input and output.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Band {
    pub cutoff: f64,
    pub half_width: f64,
    pub rate: f64,
    pub size: usize,
}

impl Geometry {
    /// Derives everything from the number of layers and the size of the picture. `None` when the result contradicts the
    /// sizes in the names: then only attributes can provide it.
    pub fn of(names: &[LayerName]) -> Option<Geometry> {
        let last = names.len().checked_sub(1).filter(|&n| n > NUM_CRITICAL)?;
        let geometry = Geometry::new(last, names[last].size);
        names.iter().zip(&geometry.sizes).all(|(name, size)| name.size == *size).then_some(geometry)
    }

    /// Sizes and cutoffs of the layers 0 to `last` of a network for pictures of `resolution` samples.
    pub fn sizes_and_cutoffs(last: usize, resolution: usize) -> (Vec<usize>, Vec<f64>) {
        let Geometry { sizes, cutoffs, .. } = Geometry::new(last, resolution);
        (sizes, cutoffs)
    }

    /// `last` must be more than `NUM_CRITICAL`.
    fn new(last: usize, resolution: usize) -> Geometry {
        let nyquist = resolution as f64 / 2.0;
        let mut geometry = Geometry { cutoffs: vec![], half_widths: vec![], rates: vec![], sizes: vec![] };
        for i in 0..=last {
            let exponent = (i as f64 / (last - NUM_CRITICAL) as f64).min(1.0);
            let cutoff = FIRST_CUTOFF * (nyquist / FIRST_CUTOFF).powf(exponent);
            let stopband = FIRST_STOPBAND * (nyquist * LAST_STOPBAND_REL / FIRST_STOPBAND).powf(exponent);
            let rate = (2.0 * stopband).min(resolution as f64).log2().ceil().exp2();
            let size = if i + 2 > last { resolution } else { rate as usize + 2 * MARGIN };
            geometry.cutoffs.push(cutoff);
            geometry.half_widths.push(stopband.max(rate / 2.0) - cutoff);
            geometry.rates.push(rate);
            geometry.sizes.push(size);
        }
        geometry
    }

    /// Samples per picture of the input.
    pub fn input_rate(&self) -> f64 {
        self.rates[0]
    }

    /// Highest frequency of the input at full amplitude.
    pub fn bandwidth(&self) -> f64 {
        self.cutoffs[0]
    }

    fn band(&self, i: usize) -> Band {
        Band { cutoff: self.cutoffs[i], half_width: self.half_widths[i], rate: self.rates[i], size: self.sizes[i] }
    }

    /// Input and output of layer `i`.
    pub fn layer(&self, i: usize) -> (Band, Band) {
        (self.band(i.saturating_sub(1)), self.band(i))
    }

    /// Whether layer `i` is critically sampled: as densely as its content needs, without a margin.
    pub fn is_critical(&self, i: usize) -> bool {
        i + NUM_CRITICAL >= self.rates.len() - 1
    }

    /// Rate between the filters of layer `i`.
    pub fn between(&self, i: usize) -> f64 {
        let (input, output) = self.layer(i);
        let is_last = i + 1 == self.rates.len();
        input.rate.max(output.rate) * if is_last { 1.0 } else { 2.0 }
    }
}

/// The sampling of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Steps {
    pub up: usize,
    pub down: usize,
    pub up_taps: usize,
    pub down_taps: usize,
    pub padding: [i64; 2],
}

impl Steps {
    /// For layer `index`: from its attributes, else derived.
    pub fn of(at: &Tensors, geometry: Option<&Geometry>, index: usize, kernel: usize) -> Result<Steps, NetworkError> {
        let derived = geometry.map(|g| Steps::derived(g, index, kernel));
        let number = |name: &str, derived: Option<usize>| {
            let stored = at.attribute(name).and_then(Attribute::as_f64).filter(|n| (0.0..=128.0).contains(n));
            let missing = || unsupported(at, name, "missing, and cannot be derived from the sizes".into());
            stored.map(|n| n as usize).or(derived).ok_or_else(missing)
        };
        Ok(Steps {
            up: number("up_factor", derived.map(|d| d.up))?.max(1),
            down: number("down_factor", derived.map(|d| d.down))?.max(1),
            up_taps: number("up_taps", derived.map(|d| d.up_taps))?.max(1),
            down_taps: number("down_taps", derived.map(|d| d.down_taps))?.max(1),
            padding: match at.attribute("padding") {
                Some(Attribute::List(sides)) => {
                    let sides: Vec<i64> = sides.iter().filter_map(Attribute::as_f64).map(|n| n as i64).collect();
                    match sides.as_slice() {
                        &[x0, x1, y0, y1] if (x0, x1) == (y0, y1) && x0.abs().max(x1.abs()) <= 4096 => [x0, x1],
                        _ => return Err(unsupported(at, "padding", format!("{sides:?}"))),
                    }
                }
                _ => match derived {
                    Some(derived) => derived.padding,
                    None => return Err(unsupported(at, "padding", "missing".into())),
                },
            },
        })
    }

    fn derived(geometry: &Geometry, index: usize, kernel: usize) -> Steps {
        let ((input, output), rate) = (geometry.layer(index), geometry.between(index));
        let (up, down) = ((rate / input.rate).round() as usize, (rate / output.rate).round() as usize);
        let taps = |factor: usize| if factor > 1 { TAPS_PER_FACTOR * factor } else { 1 };
        let (up_taps, down_taps) = (taps(up), taps(down));
        let zeros = (input.size + kernel - 1) * up;
        let total = ((output.size - 1) * down + 1 + up_taps + down_taps) as i64 - 2 - zeros as i64;
        let before = (total + up as i64).div_euclid(2);
        Steps { up, down, up_taps, down_taps, padding: [before, total - before] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(sizes: &[usize]) -> Vec<LayerName> {
        sizes.iter().enumerate().map(|(i, size)| LayerName::parse(&format!("L{i}_{size}_16")).unwrap()).collect()
    }

    #[test]
    fn names_have_three_numbers() {
        assert_eq!(LayerName::parse("L10_52_20").map(|n| (n.index, n.size)), Some((10, 52)));
        for bad in ["L10_52", "input", "L_52_20", "L1_2_3_4", "Lx_2_3", "L3_18446744073709551615_3"] {
            assert_eq!(LayerName::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn paddings_are_the_usual_ones() {
        // A picture of 32 samples and 10 layers, 3x3.
        let names = names(&[36, 36, 36, 36, 52, 52, 52, 52, 52, 32, 32]);
        let geometry = Geometry::of(&names).unwrap();
        let steps = |i| Steps::derived(&geometry, i, 3);
        assert_eq!(steps(0), Steps { up: 2, down: 2, up_taps: 12, down_taps: 12, padding: [9, 8] });
        assert_eq!(steps(4), Steps { up: 4, down: 2, up_taps: 24, down_taps: 12, padding: [-6, -9] });
        assert_eq!(steps(9).padding, [-11, -12]);
        assert_eq!(
            Steps::derived(&geometry, 10, 1),
            Steps { up: 1, down: 1, up_taps: 1, down_taps: 1, padding: [0, 0] }
        );
        assert!(Geometry::of(&self::names(&[36, 36, 40, 52, 32, 32])).is_none());
    }
}
