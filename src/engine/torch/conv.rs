//! Convolutions with styles, short filters, and what follows both.

use tch::{Kind, TchError, Tensor};

use super::stage::Form;

/// No bias; tch needs its type.
pub const NO_BIAS: Option<&Tensor> = None;

/// A convolution of a styled input: `d[o]·conv(weight, s⊙x)`, computed by scaling weights where they are fewer than the
/// samples of the maps, otherwise by scaling the maps.
pub struct Modulated {
    /// `[O, I, k, k]`, or `[I, O, k, k]` for a transposed convolution; in 32-bit floats where it is scaled for each picture.
    weight: Tensor,
    /// `[O, I]`: Σ_k weight², for demodulation.
    squares: Option<Tensor>,
    scales_weights: bool,
    up: bool,
    padding: i64,
    form: Form,
}

/// The shape of a convolution.
#[derive(Clone, Copy)]
pub struct Shape {
    pub outputs: usize,
    pub inputs: usize,
    pub kernel: usize,
    pub padding: usize,
    /// Doubles the map: a transposed convolution of stride 2 without padding.
    pub up: bool,
    /// Samples of the map that goes in and of the one that comes out, in one channel.
    pub samples: [usize; 2],
}

impl Modulated {
    pub fn new(numbers: &[f32], shape: Shape, demodulate: bool, form: Form) -> Result<Modulated, TchError> {
        let Shape { outputs, inputs, kernel, padding, up, samples } = shape;
        let [o, i, k] = [outputs, inputs, kernel].map(|n| n as i64);
        let mut weight = form.floats(numbers, &[o, i, k, k])?;
        let squares = match demodulate {
            true => Some(weight.f_square()?.f_sum_dim_intlist([2, 3].as_slice(), false, Kind::Float)?),
            false => None,
        };
        if up {
            weight = weight.f_transpose(0, 1)?;
        }
        // 16 bits have no room for a style that is not demodulated yet.
        let maps = inputs * samples[0] + if up { 0 } else { outputs * samples[1] };
        let scales_weights = form.kind == Kind::Half || numbers.len() < maps;
        weight = form.lay(&if scales_weights { weight } else { weight.f_to_kind(form.kind)? })?;
        Ok(Modulated { weight, squares, scales_weights, up, padding: padding as i64, form })
    }

    /// `gain·d`, `[O]`, for the style `s`, `[I]`; `None` without demodulation.
    pub fn demodulation(&self, s: &Tensor, gain: f64) -> Result<Option<Tensor>, TchError> {
        let Some(squares) = &self.squares else { return Ok(None) };
        let d = squares.f_mv(&s.f_square()?)?.f_add_scalar(1e-8)?.f_rsqrt()?;
        Ok(Some(d.f_mul_scalar(gain)?))
    }

    /// `scale[o]·conv(weight, s⊙x) + bias[o]`. A transposed convolution leaves `scale` and `bias` to the filter behind it,
    /// unless it scales weights anyway: see [`Modulated::leaves_scale`].
    pub fn apply(&self, x: &Tensor, s: &Tensor, scale: &Tensor, bias: Option<&Tensor>) -> Result<Tensor, TchError> {
        if self.scales_weights {
            let (s, scale) = match self.up {
                true => (s.f_reshape([-1, 1, 1, 1])?, scale.f_reshape([1, -1, 1, 1])?),
                false => (s.f_reshape([1, -1, 1, 1])?, scale.f_reshape([-1, 1, 1, 1])?),
            };
            let weight = self.weight.f_mul(&s.f_mul(&scale)?)?.f_to_kind(self.form.kind)?;
            return self.conv(x, &weight, bias);
        }
        let scaled = x.f_mul(&s.f_reshape([1, -1, 1, 1])?.f_to_kind(self.form.kind)?)?;
        let y = self.conv(&scaled, &self.weight, NO_BIAS)?;
        if self.leaves_scale() {
            return Ok(y);
        }
        let scale = scale.f_reshape([1, -1, 1, 1])?.f_to_kind(self.form.kind)?;
        match bias {
            Some(bias) => bias.f_reshape([1, -1, 1, 1])?.f_addcmul(&y, &scale),
            None => y.f_mul(&scale),
        }
    }

    /// Whether [`Modulated::apply`] has not multiplied by the scale.
    pub fn leaves_scale(&self) -> bool {
        self.up && !self.scales_weights
    }

    fn conv(&self, x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<Tensor, TchError> {
        match self.up {
            true => x.f_conv_transpose2d(weight, NO_BIAS, [2, 2], [0, 0], [0, 0], 1, [1, 1]),
            false => x.f_conv2d(weight, bias, [1, 1], [self.padding, self.padding], [1, 1], 1),
        }
    }
}

/// Limits a map to −clamp..clamp, in place.
pub fn clamp(map: &mut Tensor, clamp: Option<f32>) -> Result<(), TchError> {
    if let Some(clamp) = clamp.map(f64::from) {
        drop(map.f_clamp_(-clamp, clamp)?);
    }
    Ok(())
}

/// The slope of a leaky ReLU as a tensor; `None` for a linear layer.
pub fn slope(slope: f32, form: Form) -> Result<Option<Tensor>, TchError> {
    if slope == 1.0 { Ok(None) } else { Ok(Some(form.floats(&[slope], &[1])?.f_to_kind(form.kind)?)) }
}

/// The two-dimensional filter of two axes, `[channels, 1, height, width]`, once for each channel.
pub fn depthwise(rows: &[f32], columns: &[f32], channels: usize, form: Form) -> Result<Tensor, TchError> {
    let taps: Vec<f32> = rows.iter().flat_map(|y| columns.iter().map(move |x| y * x)).collect();
    let repeated = taps.repeat(channels);
    form.floats(&repeated, &[channels as i64, 1, rows.len() as i64, columns.len() as i64])?.f_to_kind(form.kind)
}
