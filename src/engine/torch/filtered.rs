//! The operations of StyleGAN3: Fourier features, and layers with filters around their non-linearity.

use std::f64::consts::TAU;

use tch::{Kind, TchError, Tensor};

use super::conv::{self, Modulated, NO_BIAS, Shape};
use super::stage::{Factors, Form, Frame, Stage};
use crate::engine::Transform;
use crate::engine::plan::{BufferId, FilteredLayer, FourierInput, Plan};

/// See [`FourierInput`]. Nothing is computed while w and the transform stay the same.
pub struct Fourier {
    op: FourierInput,
    /// `[O, C, 1, 1]`
    weight: Tensor,
    /// Places of columns `[1, W]` and rows `[H, 1]`, in pictures.
    places: [Tensor; 2],
    /// What the last map was computed from, and that map.
    last: Option<(([f32; 4], Transform), Tensor)>,
}

impl Fourier {
    pub fn new(op: &FourierInput, plan: &Plan, form: Form) -> Result<Fourier, TchError> {
        let (out, channels) = (plan.get(op.out), op.phases.len() as i64);
        let places = |n: usize| -> Vec<f32> {
            (0..n).map(|i| ((i as f64 + 0.5 - n as f64 / 2.0) / f64::from(op.sampling_rate)) as f32).collect()
        };
        Ok(Fourier {
            weight: form.floats(&op.weight, &[out.channels as i64, channels, 1, 1])?,
            places: [
                form.floats(&places(out.width), &[1, out.width as i64])?,
                form.floats(&places(out.height), &[out.height as i64, 1])?,
            ],
            op: op.clone(),
            last: None,
        })
    }

    /// `affine(w)` divided by the length of its first two numbers: (r_c, r_s, t_x, t_y).
    fn pose(&self, ws: &[f32]) -> [f32; 4] {
        let affine = &self.op.affine;
        let w = &ws[self.op.ws_index * affine.inputs..][..affine.inputs];
        let mut t = [0.0; 4];
        for (o, t) in t.iter_mut().enumerate() {
            let row = affine.weight[o * affine.inputs..].iter().zip(w);
            *t = row.map(|(a, b)| a * b).sum::<f32>() + affine.bias.get(o).copied().unwrap_or(0.0);
        }
        let length = t[0].hypot(t[1]);
        t.map(|t| t / length)
    }

    /// Frequencies along x and y, phases and amplitudes of all waves.
    fn waves(&self, [r_c, r_s, t_x, t_y]: [f32; 4], transform: Transform) -> [Vec<f32>; 4] {
        let [r_c, r_s, t_x, t_y] = [r_c, r_s, t_x, t_y].map(f64::from);
        let [[a, b, u_x], [c, d, u_y]] = transform.inverse;
        // Rotation · translation by −t · the player's.
        let (x, y) = (u_x - t_x, u_y - t_y);
        let shift = [r_c * x - r_s * y, r_s * x + r_c * y];
        let linear = [[r_c * a - r_s * c, r_c * b - r_s * d], [r_s * a + r_c * c, r_s * b + r_c * d]];
        let (rate, band) = (f64::from(self.op.sampling_rate), f64::from(self.op.bandwidth));
        let mut waves = [const { Vec::new() }; 4];
        for (f, phase) in self.op.freqs.as_chunks::<2>().0.iter().zip(self.op.phases.iter()) {
            let f = f.map(f64::from);
            let phase = f64::from(*phase) + f[0] * shift[0] + f[1] * shift[1];
            let f_x = f[0] * linear[0][0] + f[1] * linear[1][0];
            let f_y = f[0] * linear[0][1] + f[1] * linear[1][1];
            let amplitude = (1.0 - (f_x.hypot(f_y) - band) / (rate / 2.0 - band)).clamp(0.0, 1.0);
            // A phase of whole turns is none; small numbers keep their digits.
            let numbers = [TAU * f_x, TAU * f_y, TAU * phase.fract(), amplitude];
            waves.iter_mut().zip(numbers).for_each(|(wave, number)| wave.push(number as f32));
        }
        waves
    }
}

impl Stage for Fourier {
    fn run(&mut self, frame: &Frame) -> Result<Tensor, TchError> {
        let key = (self.pose(frame.inputs.ws), self.op.transform.of(frame.inputs.transform));
        if let Some((_, map)) = self.last.as_ref().filter(|(last, _)| *last == key) {
            return Ok(map.shallow_clone());
        }
        let [f_x, f_y, phases, amplitudes] = self.waves(key.0, key.1);
        let column = |numbers: &[f32]| frame.form.floats(numbers, &[1, numbers.len() as i64, 1, 1]);
        let turns = column(&phases)?.f_add(&column(&f_x)?.f_mul(&self.places[0])?)?;
        // [1, C, H, W]
        let waves = turns.f_add(&column(&f_y)?.f_mul(&self.places[1])?)?.f_sin_()?.f_mul_(&column(&amplitudes)?)?;
        let map = waves.f_conv2d(&self.weight, NO_BIAS, [1, 1], [0, 0], [1, 1], 1)?;
        let map = frame.form.lay(&map.f_to_kind(frame.form.kind)?)?;
        self.last = Some((key, map.shallow_clone()));
        Ok(map)
    }
}

/// See [`FilteredLayer`].
pub struct Filtered {
    input: BufferId,
    factors: Factors,
    conv: Modulated,
    normalizes: bool,
    /// `[O]`, for a layer without demodulation.
    magnitude: Tensor,
    magnitude_number: f64,
    bias: Tensor,
    up: Option<Up>,
    slope: Option<Tensor>,
    gain: f64,
    clamp: Option<f32>,
    down: Vec<Down>,
    output_gain: f64,
}

impl Filtered {
    pub fn new(op: &FilteredLayer, plan: &Plan, form: Form) -> Result<Filtered, TchError> {
        let (input, out) = (plan.get(op.input), plan.get(op.out));
        let convolved = op.convolved(input.height) * op.convolved(input.width);
        let shape = Shape {
            outputs: out.channels,
            inputs: input.channels,
            kernel: op.kernel,
            padding: op.kernel - 1,
            up: false,
            samples: [input.height * input.width, convolved],
        };
        Ok(Filtered {
            input: op.input,
            factors: Factors::new(&op.style, form)?,
            conv: Modulated::new(&op.weight, shape, op.demodulate, form)?,
            normalizes: op.demodulate,
            magnitude: form.floats(&vec![op.magnitude; out.channels], &[out.channels as i64])?,
            magnitude_number: op.magnitude.into(),
            bias: form.floats(&op.bias, &[out.channels as i64])?.f_to_kind(form.kind)?,
            up: Up::new(op, input.height, input.width, out.channels, form)?,
            slope: conv::slope(op.slope, form)?,
            gain: op.gain.into(),
            clamp: op.clamp,
            down: Down::both(op, out.channels, form)?,
            output_gain: op.output_gain.into(),
        })
    }
}

impl Stage for Filtered {
    fn run(&mut self, frame: &Frame) -> Result<Tensor, TchError> {
        let mut s = self.factors.of(frame)?;
        if self.normalizes {
            s = s.f_mul(&s.f_square()?.f_mean(Kind::Float)?.f_rsqrt()?)?;
        }
        let scale = self.conv.demodulation(&s, self.magnitude_number)?;
        let scale = scale.unwrap_or_else(|| self.magnitude.shallow_clone());
        let mut y = self.conv.apply(frame.map(self.input)?, &s, &scale, Some(&self.bias))?;
        if let Some(up) = &self.up {
            y = up.apply(&y)?;
        }
        if let Some(slope) = &self.slope {
            y = y.f_prelu(slope)?;
        }
        if self.gain != 1.0 {
            drop(y.f_mul_scalar_(self.gain)?);
        }
        conv::clamp(&mut y, self.clamp)?;
        for down in &self.down {
            y = down.apply(&y)?;
        }
        if self.output_gain == 1.0 { Ok(y) } else { y.f_mul_scalar(self.output_gain) }
    }
}

/// Inserts zeros, pads or crops, and filters along both axes: transposed convolutions, of which the beginning and the end
/// are cut off.
struct Up {
    /// `[O, 1, T, 1]` and `[O, 1, 1, T]`, times the factor.
    filters: [Tensor; 2],
    channels: i64,
    factor: i64,
    /// Samples to cut off in front, or zeros to add if negative.
    lead: i64,
    /// Height and width of the result.
    size: [i64; 2],
}

impl Up {
    fn new(op: &FilteredLayer, h: usize, w: usize, channels: usize, form: Form) -> Result<Option<Up>, TchError> {
        if op.up == 1 && *op.up_filter == [1.0] && op.padding == [0, 0] {
            return Ok(None);
        }
        let taps: Vec<f32> = op.up_filter.iter().map(|tap| tap * op.up as f32).collect();
        let size = [h, w].map(|n| op.between(n).map_or(0, |n| n as i64));
        Ok(Some(Up {
            filters: [conv::depthwise(&taps, &[1.0], channels, form)?, conv::depthwise(&[1.0], &taps, channels, form)?],
            channels: channels as i64,
            factor: op.up as i64,
            lead: taps.len() as i64 - 1 - op.padding[0],
            size,
        }))
    }

    fn apply(&self, map: &Tensor) -> Result<Tensor, TchError> {
        self.along(0, &self.along(1, map)?)
    }

    /// Along y (0) or x (1).
    fn along(&self, axis: usize, map: &Tensor) -> Result<Tensor, TchError> {
        let on_axis = |on: i64, off: i64| if axis == 0 { [on, off] } else { [off, on] };
        let (filter, size, dimension) = (&self.filters[axis], self.size[axis], axis + 2);
        let whole = (map.size()[dimension] - 1) * self.factor + filter.size()[dimension];
        // libtorch cuts off as much behind as in front, or up to a stride less.
        let less = size - (whole - 2 * self.lead);
        let fits = self.lead >= 0 && (0..self.factor).contains(&less);
        let (cut, rest) = if fits { (self.lead, less) } else { (0, 0) };
        let (stride, cut, rest) = (on_axis(self.factor, 1), on_axis(cut, 0), on_axis(rest, 0));
        let y = map.f_conv_transpose2d(filter, NO_BIAS, stride, cut, rest, self.channels, [1, 1])?;
        if fits {
            return Ok(y);
        }
        let (front, back) = (-self.lead, size + self.lead - whole);
        // Negative numbers cut.
        if axis == 0 { y.f_constant_pad_nd([0, 0, front, back]) } else { y.f_constant_pad_nd([front, back]) }
    }
}

/// Filters, and keeps every `down`-th sample: along one axis, or along both at once with a radial filter.
struct Down {
    filter: Tensor,
    stride: [i64; 2],
    channels: i64,
}

impl Down {
    fn both(op: &FilteredLayer, channels: usize, form: Form) -> Result<Vec<Down>, TchError> {
        let (taps, stride, groups) = (&op.down_filter[..], op.down as i64, channels as i64);
        let down = |filter, stride| Down { filter, stride, channels: groups };
        if op.radial {
            let side = op.down_taps() as i64;
            let filter = form.floats(&taps.repeat(channels), &[groups, 1, side, side])?.f_to_kind(form.kind)?;
            return Ok(vec![down(filter, [stride, stride])]);
        }
        if op.down == 1 && *taps == [1.0] {
            return Ok(Vec::new());
        }
        Ok(vec![
            down(conv::depthwise(taps, &[1.0], channels, form)?, [stride, 1]),
            down(conv::depthwise(&[1.0], taps, channels, form)?, [1, stride]),
        ])
    }

    fn apply(&self, map: &Tensor) -> Result<Tensor, TchError> {
        map.f_conv2d(&self.filter, NO_BIAS, self.stride, [0, 0], [1, 1], self.channels)
    }
}
