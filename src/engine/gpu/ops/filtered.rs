//! StyleGAN3 layers: `conv`, whose result grows by the kernel's border, then `filtered` for everything that follows. The last
//! one, which has no filters, is a toRGB. Twin of `cpu/filtered.rs`.

use super::super::builder::{Builder, Slot};
use super::super::device::unavailable;
use super::super::shader::{Constants, Value};
use super::super::variant::Form;
use super::product::{Product, Shape};
use super::winograd::{self, Conv};
use super::{ENOUGH_GROUPS, clamp, results, torgb};
use crate::engine::EngineError;
use crate::engine::gpu::radial;
use crate::engine::plan::{FIR_1331, FilteredLayer, Op, Plan, ToRgb, Weights};

/// Maximum threads per workgroup; each thread has a column of the up-sampled map.
const MOST_THREADS: usize = 256;
/// Minimum results along y per workgroup, as it computes some extra rows before the first.
const SHORTEST_TILE: usize = 16;
/// Maximum rows of the convolution between two barriers.
const MOST_ROWS: usize = 4;
/// Workgroup memory, in bytes, that leaves room for other workgroups.
const SMALL: usize = 8192;
/// Maximum remainder of the terms of a radial filter, as a sum of magnitudes; the filter's own sum is 1.
const MOST_LEFT_OUT: f64 = 1e-5;

pub fn lower(builder: &mut Builder, op: &Op, layer: &FilteredLayer) -> Result<(), EngineError> {
    if let Some(layer) = as_torgb(builder.plan, layer) {
        return torgb::lower(builder, op, &layer);
    }
    let (sums, splits) = convolution(builder, op, layer)?;
    let (input, out) = (builder.plan.get(layer.input), builder.plan.get(layer.out));
    let down = Down::of(layer);
    let tile = Tile::new(layer, [out.channels, out.height, out.width], down.terms);
    let (bytes, most) = (tile.bytes(layer, down.terms), builder.workgroup_memory());
    if bytes > most {
        let (name, up, down) = (&out.name, layer.up_filter.len(), layer.down_taps());
        let what = format!("{name}: filters of {up} and {down} taps need {bytes} bytes of workgroup memory");
        return Err(unavailable(format!("{what}, the card has {most}")));
    }
    let bias = builder.floats(&layer.bias)?;
    let (is_picture, results) = results(builder, layer.out);
    let mut constants = vec![
        ("O", Value::U(out.channels)),
        ("H", Value::U(layer.convolved(input.height))),
        ("W", Value::U(layer.convolved(input.width))),
        ("SPLITS", Value::U(splits)),
        ("OUT_H", Value::U(out.height)),
        ("OUT_W", Value::U(out.width)),
        ("GAIN", Value::F(layer.gain)),
        ("LOW_GAIN", Value::F(layer.gain * layer.slope)),
        ("OUTPUT_GAIN", Value::F(layer.output_gain)),
        clamp(layer.clamp),
        is_picture,
    ];
    constants.extend(up_filter(layer));
    constants.extend(down.constants(layer));
    constants.extend(tile.constants());
    let groups =
        [out.width.div_ceil(tile.width), out.height.div_ceil(tile.height), out.channels.div_ceil(tile.channels)];
    builder.dispatch("filtered", constants, [sums, bias].into_iter().chain(results).collect(), groups);
    Ok(())
}

/// The layer as a toRGB, if it is one: a picture without filters, with all factors in the weights.
fn as_torgb(plan: &Plan, layer: &FilteredLayer) -> Option<ToRgb> {
    let is_plain = (layer.up, layer.down, layer.kernel, layer.padding) == (1, 1, 1, [0, 0])
        && layer.up_filter[..] == [1.0]
        && layer.down_filter[..] == [1.0]
        && (layer.demodulate, layer.slope) == (false, 1.0)
        && plan.output == Some(layer.out)
        && plan.get(layer.out).channels <= 4;
    let gain = layer.gain * layer.output_gain;
    is_plain.then(|| ToRgb {
        input: layer.input,
        picture: None,
        out: layer.out,
        style: layer.style.clone(),
        weight: Weights::new(layer.weight.iter().map(|w| w * layer.magnitude * gain).collect()),
        bias: Weights::new(layer.bias.iter().map(|b| b * gain).collect()),
        clamp: layer.clamp.map(|clamp| clamp * layer.output_gain),
        fir: FIR_1331,
    })
}

/// Requests the convolution without its bias, which leaves its sums in scratch memory. Returns them, and their number of
/// parts.
fn convolution(builder: &mut Builder, op: &Op, layer: &FilteredLayer) -> Result<(Slot, usize), EngineError> {
    let input = builder.plan.get(layer.input);
    let (height, width, taps) = (input.height, input.width, layer.kernel * layer.kernel);
    let grid = [layer.convolved(height), layer.convolved(width)];
    let order: Vec<usize> = (0..taps).collect();
    let outputs = layer.bias.len();
    let styled = builder.style(op, &layer.style);
    let scaling = vec![
        ("HAS_DEMODULATION", Value::B(styled.demodulation.is_some())),
        ("DEMODULATION", Value::U(styled.demodulation.unwrap_or(0))),
        ("GAIN", Value::F(layer.magnitude)),
    ];
    if let Some(form) = winograd::form(builder, input.channels, outputs, grid).filter(|_| layer.kernel == 3) {
        let (input, weight, style) = (layer.input, &layer.weight[..], Some(styled.style));
        let conv = Conv { input, weight, outputs, grid, back: 2, style, reflects: false, up: 1 };
        let products = winograd::products(builder, form, &conv, scaling, [Slot::Styles, Slot::Demodulations])?;
        return Ok((products.sums(builder), 1));
    }
    let form = Form::Direct;
    let shape = Shape { weight: &layer.weight, outputs, order: &order, grid, width, parities: 1, fewest: taps, form };
    let product = Product::new(builder, &shape);
    let weight = builder.nums(&product.packed)?;
    let sums = builder.scratch(product.parts());
    let mut constants = product.constants();
    constants.extend([
        ("H", Value::U(height)),
        ("W", Value::U(width)),
        ("TAPS", Value::U(taps)),
        ("GROWS", Value::U(layer.kernel - 1)),
        ("ENDS", Value::B(false)),
        ("HAS_NOISE", Value::B(false)),
        ("STYLE", Value::U(styled.style)),
    ]);
    constants.extend(scaling);
    let input = Slot::Map(layer.input);
    let slots = [Slot::Frame, Slot::Nothing, Slot::Nothing, input, weight, Slot::Styles, Slot::Demodulations];
    product.dispatch(builder, constants, slots.into_iter().chain([sums.clone()]).collect());
    Ok((sums, product.splits))
}

/// Samples that one sample of the up-sampled map is computed from, along one axis.
fn window(layer: &FilteredLayer) -> usize {
    layer.up_filter.len().div_ceil(layer.up)
}

/// The up filter by phases: `t[n] = up·Σ_k f[k]·x[(n + K − 1 − k − before)/up]` over the k for which the division is whole.
fn up_filter(layer: &FilteredLayer) -> Constants {
    let (up, window, filter) = (layer.up, window(layer), &layer.up_filter);
    let tap = |phase: usize, j: usize| filter.get(phase + up * (window - 1 - j)).map_or(0.0, |tap| tap * up as f32);
    let phases = (0..up).flat_map(|phase| (0..window).map(move |j| tap(phase, j))).collect();
    // Whole periods are added, and subtracted again from the sample index, so that the kernel never divides a negative.
    let lead = filter.len() as i64 - 1 - layer.padding[0];
    let added = (-lead).max(0).unsigned_abs().div_ceil(up as u64) as usize + window - 1;
    vec![
        ("UP", Value::U(up)),
        ("WINDOW", Value::U(window)),
        ("UP_FILTER", Value::List("UP_COUNT", phases)),
        ("OFFSET", Value::U((lead + (added * up) as i64) as usize)),
        ("BACK", Value::U(added + window - 1)),
    ]
}

/// The down filter as separable terms along y and x, `[terms, taps]` in sample order.
struct Down {
    terms: usize,
    along_y: Vec<f32>,
    along_x: Vec<f32>,
    is_mirrored: bool,
}

impl Down {
    fn of(layer: &FilteredLayer) -> Down {
        let taps = layer.down_taps();
        let filter: Vec<f32> = layer.down_filter.iter().rev().copied().collect();
        if !layer.radial {
            return Down { terms: 1, along_y: filter.clone(), along_x: filter, is_mirrored: false };
        }
        let Some(terms) = radial::terms(&layer.down_filter, taps, MOST_LEFT_OUT) else {
            // Each of its rows is a term.
            let along_y = (0..taps * taps).map(|i| f32::from(u8::from(i / taps == i % taps))).collect();
            return Down { terms: taps, along_y, along_x: filter, is_mirrored: false };
        };
        Down {
            terms: terms.len(),
            along_y: terms.iter().flat_map(|term| term.along_y.iter().copied()).collect(),
            along_x: terms.iter().flat_map(|t| t.along_x.iter().chain(t.along_x.iter().rev()).copied()).collect(),
            is_mirrored: terms.len() > 1,
        }
    }

    fn constants(self, layer: &FilteredLayer) -> Constants {
        vec![
            ("DOWN", Value::U(layer.down)),
            ("DOWN_TAPS", Value::U(layer.down_taps())),
            ("TERMS", Value::U(self.terms)),
            ("ALONG_Y", Value::List("DOWN_COUNT", self.along_y)),
            ("ALONG_X", Value::List("DOWN_COUNT", self.along_x)),
            ("IS_MIRRORED", Value::B(self.is_mirrored)),
        ]
    }
}

/// What one workgroup computes.
struct Tile {
    width: usize,
    height: usize,
    channels: usize,
    threads: usize,
    rows: usize,
}

impl Tile {
    /// For a map `[channels, height, width]`: the shape that needs the fewest threads.
    fn new(layer: &FilteredLayer, [channels, height, width]: [usize; 3], terms: usize) -> Tile {
        let (down, taps) = (layer.down, layer.down_taps());
        let shape = |threads: usize| {
            let widest = (threads.checked_sub(taps)? / down + 1).min(width);
            let across = width.div_ceil(widest);
            let width = width.div_ceil(across);
            let together = (threads / ((width - 1) * down + taps)).min(channels);
            let groups = across * channels.div_ceil(together);
            Some((groups * threads, groups, Tile { width, height, channels: together, threads, rows: MOST_ROWS }))
        };
        let shapes = (2..=MOST_THREADS / 32).filter_map(|n| shape(32 * n));
        let best = shapes.min_by_key(|(threads, ..)| *threads);
        let (_, groups, mut tile) =
            best.expect("a filter of a checked plan has fewer taps than a workgroup has threads");
        let cuts = (ENOUGH_GROUPS / groups).clamp(1, (height / SHORTEST_TILE).max(1));
        tile.height = height.div_ceil(cuts);
        while tile.rows > 1 && tile.bytes(layer, terms) > SMALL {
            tile.rows -= 1;
        }
        tile
    }

    /// Workgroup memory in bytes: `rows` and `kept` of the kernel.
    fn bytes(&self, layer: &FilteredLayer, terms: usize) -> usize {
        let (up, down) = (layer.up, layer.down);
        let columns = (self.width - 1) * down + layer.down_taps();
        let rows = self.rows * ((columns + up - 2) / up + window(layer));
        let kept = (self.rows * up).div_ceil(down) * terms * columns.next_multiple_of(down);
        4 * self.channels * (rows + kept)
    }

    fn constants(&self) -> Constants {
        vec![
            ("TILE_W", Value::U(self.width)),
            ("TILE_H", Value::U(self.height)),
            ("CHANNELS", Value::U(self.channels)),
            ("THREADS", Value::U(self.threads)),
            ("ROWS", Value::U(self.rows)),
        ]
    }
}
