//! Spectral norm and batch norm in evaluation mode: constants, folded at load.

use crate::engine::plan::Style;
use crate::latent::mapping::FullyConnected;
use crate::network::NetworkError;
use crate::network::checkpoint::Tensors;

/// Added to variances.
const EPS: f32 = 1e-5;

/// The weight of a spectral-normed layer, `weight_orig/σ`, in the stored layout; σ = uᵀ·M·v with u and v from the file, and
/// one row of M per output. A transposed convolution stores its inputs first. Between two files it is between what their layers
/// multiply with: the length of `weight_orig` means nothing, and u and v belong to their own weights.
///
/// # Errors
/// When a tensor is missing, of another shape or not finite, or σ is zero.
pub fn spectral(at: &Tensors, shape: &[usize], is_transposed: bool) -> Result<Vec<f32>, NetworkError> {
    at.blended("weight", |at| normed(at, shape, is_transposed))
}

fn normed(at: &Tensors, shape: &[usize], is_transposed: bool) -> Result<Vec<f32>, NetworkError> {
    let names = match at.has("weight_orig") {
        true => ["weight_orig", "weight_u", "weight_v"],
        false => ["parametrizations.weight.original", "parametrizations.weight.0._u", "parametrizations.weight.0._v"],
    };
    let mut weight = at.get(names[0], shape)?;
    let (outputs, inputs) = if is_transposed { (shape[1], shape[0]) } else { (shape[0], shape[1]) };
    let taps: usize = shape[2..].iter().product();
    let u = at.get(names[1], &[outputs])?;
    let v = at.get(names[2], &[inputs * taps])?;
    let mut sigma = 0.0f64;
    for (o, u) in u.iter().enumerate() {
        for (i, v) in v.chunks_exact(taps).enumerate() {
            let first = if is_transposed { i * outputs + o } else { o * inputs + i } * taps;
            let row = weight[first..first + taps].iter().zip(v);
            sigma += f64::from(*u) * row.map(|(w, v)| f64::from(*w) * f64::from(*v)).sum::<f64>();
        }
    }
    let factor = (1.0 / sigma) as f32;
    if !factor.is_finite() {
        let reason = format!("{}: its spectral norm is {sigma}", at.full_name(names[0]));
        return Err(NetworkError::Format { path: at.path().into(), reason });
    }
    weight.iter_mut().for_each(|w| *w *= factor);
    Ok(weight)
}

/// Scale and shift of a batch norm.
///
/// # Errors
/// When a tensor is missing or of another shape, or a variance is negative.
pub fn norm(at: &Tensors, channels: usize) -> Result<(Vec<f32>, Vec<f32>), NetworkError> {
    let (mean, inverse) = statistics(at, ["running_mean", "running_var"], channels)?;
    let (gamma, beta) = (at.get("weight", &[channels])?, at.get("bias", &[channels])?);
    let scale: Vec<f32> = gamma.iter().zip(&inverse).map(|(gamma, inverse)| gamma * inverse).collect();
    let shift = beta.iter().zip(&mean).zip(&scale).map(|((beta, mean), scale)| beta - mean * scale).collect();
    Ok((scale, shift))
}

/// Scales and shifts of a norm whose gain and bias are linear functions of the class, which begins at `first_y` in w:
///
/// `scale = (1 + gain·y)/√(var + eps)`, `shift = bias·y − mean·scale`
///
/// # Errors
/// As [`norm`].
pub fn conditional_norm(at: &Tensors, channels: usize, first_y: usize, w_dim: usize) -> Result<Style, NetworkError> {
    let (mean, inverse) = statistics(at, ["stored_mean", "stored_var"], channels)?;
    let features = w_dim - first_y;
    let linear = |name: &str| -> Result<(Vec<f32>, Vec<f32>), NetworkError> {
        Ok((spectral(&at.at(name), &[channels, features], false)?, at.at(name).get("bias", &[channels])?))
    };
    let ((gain, gain_bias), (shift, shift_bias)) = (linear("gain")?, linear("bias")?);
    let mut weight = vec![0.0; 2 * channels * w_dim];
    let mut bias = vec![0.0; 2 * channels];
    for c in 0..channels {
        let row = |at: usize| c * features + at;
        for y in 0..features {
            let scale = gain[row(y)] * inverse[c];
            weight[c * w_dim + first_y + y] = scale;
            weight[(channels + c) * w_dim + first_y + y] = shift[row(y)] - mean[c] * scale;
        }
        let scale = (1.0 + gain_bias[c]) * inverse[c];
        bias[c] = scale;
        bias[channels + c] = shift_bias[c] - mean[c] * scale;
    }
    let affine = FullyConnected { weight, bias, inputs: w_dim, outputs: 2 * channels };
    Ok(Style { affine, ws_index: 0 })
}

/// The means, and 1/√(variance + eps).
fn statistics(at: &Tensors, names: [&str; 2], channels: usize) -> Result<(Vec<f32>, Vec<f32>), NetworkError> {
    let (mean, variance) = (at.get(names[0], &[channels])?, at.get(names[1], &[channels])?);
    if let Some(wrong) = variance.iter().find(|v| **v < 0.0) {
        let reason = format!("{}: a variance of {wrong}", at.full_name(names[1]));
        return Err(NetworkError::Format { path: at.path().into(), reason });
    }
    let inverse = variance.iter().map(|v| 1.0 / (v + EPS).sqrt()).collect();
    Ok((mean, inverse))
}
