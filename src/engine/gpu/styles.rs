//! Styles and demodulations of all layers: two dispatches at the start of a picture. Twin of `cpu/styles.rs`.

use bytemuck::{Pod, Zeroable};

use crate::engine::plan::{Op, Style};

/// A matrix row and its multiplier, as declared in `styles.wgsl`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct Row {
    pub weight: u32,
    pub vector: u32,
    pub out: u32,
    pub length: u32,
    pub bias: f32,
    pub gain: f32,
    pub normalized: u32,
    unused: u32,
}

/// Rows of one kind, with the numbers of their matrices.
#[derive(Default)]
pub struct Rows {
    pub rows: Vec<Row>,
    pub weights: Vec<f32>,
}

/// Where a layer's numbers are.
#[derive(Clone, Copy, Debug, Default)]
pub struct Styled {
    /// Index of its first style.
    pub style: usize,
    /// Index of its first demodulation, if it has any.
    pub demodulation: Option<usize>,
}

/// The rows of all layers so far.
#[derive(Default)]
pub struct StyleRows {
    pub styles: Rows,
    pub demodulations: Rows,
}

impl StyleRows {
    /// Adds the style of an operation. `first_w` is where its w starts in the frame buffer.
    pub fn add(&mut self, op: &Op, style: &Style, first_w: usize) -> Styled {
        let (affine, first) = (&style.affine, self.styles.rows.len());
        let columns = if affine.weight.is_empty() { 0 } else { affine.inputs };
        for o in 0..affine.outputs {
            self.styles.rows.push(Row {
                weight: (self.styles.weights.len() + o * columns) as u32,
                vector: first_w as u32,
                out: (first + o) as u32,
                length: columns as u32,
                bias: affine.bias.get(o).copied().unwrap_or(0.0),
                gain: 1.0,
                normalized: 0,
                unused: 0,
            });
        }
        self.styles.weights.extend_from_slice(&affine.weight);
        Styled { style: first, demodulation: self.add_demodulation(op, first, affine.outputs) }
    }

    fn add_demodulation(&mut self, op: &Op, style: usize, inputs: usize) -> Option<usize> {
        let (weight, taps, gain, normalized) = match op {
            Op::Synthesis(op) if op.demodulate => (&op.weight, op.kernel * op.kernel, op.gain, 0),
            Op::Filtered(op) if op.demodulate => (&op.weight, op.kernel * op.kernel, op.magnitude, 1),
            _ => return None,
        };
        let Rows { rows, weights } = &mut self.demodulations;
        let first = rows.len();
        for (o, row) in weight.chunks_exact(inputs * taps).enumerate() {
            rows.push(Row {
                weight: weights.len() as u32,
                vector: style as u32,
                out: (first + o) as u32,
                length: inputs as u32,
                bias: 0.0,
                gain,
                normalized,
                unused: 0,
            });
            weights.extend(row.chunks_exact(taps).map(|w| w.iter().map(|w| w * w).sum::<f32>()));
        }
        Some(first)
    }
}
