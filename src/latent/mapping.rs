//! The mapping network: z and class to w, and truncation.
//!
//! Source of the maths: Karras et al., "Analyzing and Improving the Image Quality of StyleGAN" (2020), and the
//! `MappingNetwork` of stylegan2-ada-pytorch.

use nalgebra::DMatrix;

/// A fully connected layer with its gains already multiplied in.
#[derive(Clone, Debug)]
pub struct FullyConnected {
    /// `[out, in]`
    pub weight: Vec<f32>,
    /// `[out]`; empty for a layer without bias.
    pub bias: Vec<f32>,
    pub inputs: usize,
    pub outputs: usize,
}

impl FullyConnected {
    /// `out[o] = Σ_i weight[o, i]·x[i] + bias[o]`
    pub fn apply(&self, x: &[f32], out: &mut Vec<f32>) {
        out.clear();
        out.extend(self.weight.chunks_exact(self.inputs).enumerate().map(|(o, row)| {
            let dot: f32 = dot(row, x);
            dot + self.bias.get(o).copied().unwrap_or(0.0)
        }));
    }
}

/// Dot product in eight lanes, so that the compiler can vectorise it.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0.0f32; 8];
    let (a8, a_rest) = a.as_chunks::<8>();
    let (b8, b_rest) = b.as_chunks::<8>();
    for (x, y) in a8.iter().zip(b8) {
        for (lane, (x, y)) in lanes.iter_mut().zip(x.iter().zip(y)) {
            *lane += x * y;
        }
    }
    lanes.iter().sum::<f32>() + a_rest.iter().zip(b_rest).map(|(x, y)| x * y).sum::<f32>()
}

/// The mapping network of one generator. `network` builds it from a file.
#[derive(Clone, Debug)]
pub struct Mapping {
    pub z_dim: usize,
    /// Number of classes; 0 for an unconditional network.
    pub c_dim: usize,
    pub w_dim: usize,
    /// How many layers of the synthesis network read a w.
    pub num_ws: usize,
    /// Label to features, for conditional networks.
    pub embed: Option<FullyConnected>,
    /// Each followed by leaky ReLU (slope 0.2) times √2.
    pub layers: Vec<FullyConnected>,
    /// `[w_dim]`: the mean w, the centre of truncation.
    pub w_avg: Vec<f32>,
    /// Whether z is scaled to a mean square of 1 first, as StyleGANs do; its length means nothing then.
    pub normalizes_z: bool,
    /// Whether the features of the class are.
    pub normalizes_label: bool,
    /// `[c_dim, w_dim]`: the mean w of each class, if the network has them (StyleGAN-XL); otherwise empty.
    pub class_w_avg: Vec<f32>,
    /// Whether the network truncates by itself: the last number of w is then ψ, and nothing else is done for it.
    pub passes_psi: bool,
}

/// Buffers of [`Mapping::map`], kept between frames so that nothing is allocated.
#[derive(Clone, Debug, Default)]
pub struct Scratch {
    x: Vec<f32>,
    y: Vec<f32>,
}

/// The leaky ReLU of slope 0.2, times √2.
fn activate(values: &mut [f32]) {
    for v in values {
        *v = std::f32::consts::SQRT_2 * if *v < 0.0 { 0.2 * *v } else { *v };
    }
}

/// x / √(mean(x²) + 1e-8)
fn normalize_2nd_moment(x: &mut [f32]) {
    let mean = x.iter().map(|v| f64::from(*v) * f64::from(*v)).sum::<f64>() / x.len().max(1) as f64;
    let scale = 1.0 / (mean + 1e-8).sqrt() as f32;
    x.iter_mut().for_each(|v| *v *= scale);
}

impl Mapping {
    /// Number of trained parameters, not counting `w_avg`.
    pub fn parameters(&self) -> usize {
        self.embed.iter().chain(&self.layers).map(|layer| layer.weight.len() + layer.bias.len()).sum()
    }

    /// z `[z_dim]` and label c `[c_dim]` (one-hot, or any blend of classes) to w `[w_dim]`.
    /// A c shorter than `c_dim` is padded with zeros.
    pub fn map(&self, z: &[f32], c: &[f32], w: &mut Vec<f32>, scratch: &mut Scratch) {
        self.input(z, c, w, scratch);
        let Scratch { x, y } = scratch;
        for layer in &self.layers {
            layer.apply(x, y);
            activate(y);
            std::mem::swap(x, y);
        }
        w.clear();
        w.extend_from_slice(x);
    }

    /// w `[N, w_dim]` of many z at once, by products of matrices: `fill(n, z, c)` writes the n-th z `[z_dim]` and its label.
    pub fn map_many(&self, count: usize, mut fill: impl FnMut(usize, &mut [f32], &mut Vec<f32>)) -> Vec<f32> {
        let (mut z, mut c, mut w, mut scratch) = (vec![0.0; self.z_dim], Vec::new(), Vec::new(), Scratch::default());
        let mut inputs: Vec<f32> = Vec::new();
        for n in 0..count {
            fill(n, &mut z, &mut c);
            self.input(&z, &c, &mut w, &mut scratch);
            inputs.extend_from_slice(&scratch.x);
        }
        // A column each.
        let mut x = DMatrix::from_vec(inputs.len() / count.max(1), count, inputs);
        for layer in &self.layers {
            x = DMatrix::from_row_slice(layer.outputs, layer.inputs, &layer.weight) * x;
            for column in x.as_mut_slice().chunks_exact_mut(layer.outputs) {
                column.iter_mut().zip(&layer.bias).for_each(|(x, bias)| *x += bias);
            }
            activate(x.as_mut_slice());
        }
        x.as_slice().to_vec()
    }

    /// What the first layer reads, in the scratch: z, and the features of the label. `w` is overwritten.
    fn input(&self, z: &[f32], c: &[f32], w: &mut Vec<f32>, scratch: &mut Scratch) {
        let Scratch { x, y } = scratch;
        x.clear();
        x.extend_from_slice(&z[..self.z_dim.min(z.len())]);
        x.resize(self.z_dim, 0.0);
        if self.normalizes_z {
            normalize_2nd_moment(x);
        }
        if let Some(embed) = &self.embed {
            w.clear();
            w.extend_from_slice(&c[..self.c_dim.min(c.len())]);
            w.resize(self.c_dim, 0.0);
            embed.apply(w, y);
            if self.normalizes_label {
                normalize_2nd_moment(y);
            }
            x.extend_from_slice(y);
        }
        // It has no layers, so this is the last number of w.
        if self.passes_psi {
            x.push(1.0);
        }
    }

    /// w `[w_dim]` to ws `[num_ws, w_dim]`: repeated, and below layer `cutoff` pulled towards `w_avg` by `psi`
    /// (1 leaves w unchanged, 0 gives the average picture).
    pub fn truncate(&self, w: &[f32], psi: f32, cutoff: usize, ws: &mut Vec<f32>) {
        self.truncate_each(w, |layer| if layer < cutoff { psi } else { 1.0 }, ws);
    }

    /// As [`Mapping::truncate`], with a psi for each layer.
    pub fn truncate_each(&self, w: &[f32], psi: impl Fn(usize) -> f32, ws: &mut Vec<f32>) {
        ws.clear();
        for psi in (0..self.num_ws).map(psi) {
            if self.passes_psi {
                ws.extend_from_slice(&w[..w.len().saturating_sub(1)]);
                ws.push(psi);
            } else if psi == 1.0 {
                ws.extend_from_slice(w);
            } else {
                ws.extend(self.w_avg.iter().zip(w).map(|(avg, w)| avg + psi * (w - avg)));
            }
        }
    }

    /// As [`Mapping::truncate`], but towards the mean w of the label's class if the network has class means.
    pub fn truncate_in_class(&self, c: &[f32], w: &[f32], psi: f32, cutoff: usize, ws: &mut Vec<f32>) {
        self.truncate_each_in_class(c, w, |layer| if layer < cutoff { psi } else { 1.0 }, ws);
    }

    /// As [`Mapping::truncate_in_class`], with a psi for each layer.
    pub fn truncate_each_in_class(&self, c: &[f32], w: &[f32], psi: impl Fn(usize) -> f32, ws: &mut Vec<f32>) {
        if self.class_w_avg.is_empty() || self.passes_psi {
            return self.truncate_each(w, psi, ws);
        }
        // The centre is kept in front of the result until that is done: nothing is allocated between frames.
        ws.clear();
        ws.resize(self.w_dim, 0.0);
        for (share, average) in
            c.iter().zip(self.class_w_avg.chunks_exact(self.w_dim)).filter(|(share, _)| **share != 0.0)
        {
            ws.iter_mut().zip(average).for_each(|(x, a)| *x += share * a);
        }
        for psi in (0..self.num_ws).map(psi) {
            for (i, w) in w.iter().enumerate().take(self.w_dim) {
                let avg = ws[i];
                ws.push(if psi == 1.0 { *w } else { avg + psi * (w - avg) });
            }
        }
        ws.drain(..self.w_dim);
    }
}

/// One-hot label `[c_dim]` for a whole number; between whole numbers, a blend of the two classes.
pub fn blend_classes(class: f64, c_dim: usize, label: &mut Vec<f32>) {
    label.clear();
    label.resize(c_dim, 0.0);
    if let Some(last) = c_dim.checked_sub(1) {
        let class = class.clamp(0.0, last as f64);
        let (low, part) = (class.floor() as usize, class.fract() as f32);
        label[low] = 1.0 - part;
        label[(low + 1).min(last)] += part;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_that_truncates_by_itself_gets_psi() {
        let mapping = Mapping {
            z_dim: 2,
            c_dim: 0,
            w_dim: 3,
            num_ws: 1,
            embed: None,
            layers: Vec::new(),
            w_avg: vec![0.0; 3],
            normalizes_z: false,
            normalizes_label: false,
            class_w_avg: Vec::new(),
            passes_psi: true,
        };
        let (mut w, mut ws) = (Vec::new(), Vec::new());
        mapping.map(&[0.5, -2.0], &[], &mut w, &mut Scratch::default());
        for (psi, cutoff, expected) in [(0.25, usize::MAX, 0.25), (1.0, usize::MAX, 1.0), (0.25, 0, 1.0)] {
            mapping.truncate_in_class(&[], &w, psi, cutoff, &mut ws);
            assert_eq!(ws, [0.5, -2.0, expected], "psi {psi}, cutoff {cutoff}");
        }
    }

    #[test]
    fn classes_blend_between_whole_numbers() {
        let mut label = Vec::new();
        for (class, expected) in
            [(0.0, [1.0, 0.0, 0.0]), (1.0, [0.0, 1.0, 0.0]), (1.25, [0.0, 0.75, 0.25]), (99.0, [0.0, 0.0, 1.0])]
        {
            blend_classes(class, 3, &mut label);
            assert_eq!(label, expected, "class {class}");
        }
        blend_classes(1.0, 0, &mut label);
        assert!(label.is_empty());
    }
}
