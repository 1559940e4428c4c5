//! Backpropagation through SqueezeNet: how much each number of a picture matters to what was seen in it.

use nalgebra::{DMatrix, DMatrixView};

use super::{CELLS, CHANNELS, Conv, Features, Fire, Map, SCALE, SqueezeNet};

impl SqueezeNet {
    /// As [`SqueezeNet::of`], with the gradient of a number that depends on the features: `by` returns that by each feature,
    /// `[CELLS, CHANNELS]` with the cell fastest. Returned is that by each number of the input: blue, green and red, each
    /// `[height, width]`.
    pub fn pulled_back(&self, input: Map, by: impl FnOnce(&Features) -> Vec<f32>) -> (Features, Vec<f32>) {
        let mut maps = Vec::new();
        let seen = self.of(input, |_, map| maps.push(map.clone()));
        let mut by = DMatrix::from_vec(CELLS, CHANNELS, by(&seen)) * SCALE;
        let mut y = maps.pop();
        for (_, pool, fire) in self.fires.iter().rev() {
            let (Some(x), Some(output)) = (maps.pop(), y.take()) else { break };
            by = fire.pulled_back(&x, &output, &by);
            y = Some(x);
            if *pool {
                let (Some(x), Some(output)) = (maps.pop(), y.take()) else { break };
                by = unpooled(&x, &output, &by);
                y = Some(x);
            }
        }
        if let (Some(x), Some(output)) = (maps.pop(), y) {
            by = self.first.pulled_back(&x, output.planes.as_view(), by.as_view());
        }
        (seen, by.data.into())
    }
}

impl Conv {
    /// The gradient by x for that by `y`, which this convolution gave.
    fn pulled_back(&self, x: &Map, y: DMatrixView<f32>, by: DMatrixView<f32>) -> DMatrix<f32> {
        let live = by.zip_map(&y, |by, y| if y > 0.0 { by } else { 0.0 });
        let under = live * self.weight.transpose();
        if self.kernel == 1 { under } else { self.off_taps(x, &under) }
    }

    /// The transpose of [`Conv::under_taps`].
    fn off_taps(&self, x: &Map, under: &DMatrix<f32>) -> DMatrix<f32> {
        let Conv { kernel, stride, padding, .. } = *self;
        let width = (x.width + 2 * padding - kernel) / stride + 1;
        let samples = under.nrows();
        let mut by = DMatrix::zeros(x.height * x.width, x.channels());
        let planes = by.as_mut_slice().chunks_exact_mut(x.height * x.width);
        for (plane, taps) in planes.zip(under.as_slice().chunks_exact(samples * kernel * kernel)) {
            for (tap, values) in taps.chunks_exact(samples).enumerate() {
                let (ky, kx) = (tap / kernel, tap % kernel);
                for (y, row) in values.chunks_exact(width).enumerate() {
                    let Some(to) = (y * stride + ky).checked_sub(padding).filter(|y| *y < x.height) else { continue };
                    let to = &mut plane[to * x.width..][..x.width];
                    for (column, value) in row.iter().enumerate() {
                        let at = (column * stride + kx).checked_sub(padding);
                        if let Some(to) = at.and_then(|at| to.get_mut(at)) {
                            *to += value;
                        }
                    }
                }
            }
        }
        by
    }
}

impl Fire {
    fn pulled_back(&self, x: &Map, y: &Map, by: &DMatrix<f32>) -> DMatrix<f32> {
        let squeezed = self.squeeze.run(x);
        let each = y.channels() / 2;
        let half = |of: &DMatrix<f32>, from: usize| of.columns(from, each).into_owned();
        let part = |conv: &Conv, from: usize| {
            conv.pulled_back(&squeezed, half(&y.planes, from).as_view(), half(by, from).as_view())
        };
        let by = part(&self.expand1x1, 0) + part(&self.expand3x3, each);
        self.squeeze.pulled_back(x, squeezed.planes.as_view(), by.as_view())
    }
}

/// The gradient by x for that by `y`, the largest of each 3x3 samples: it goes to the first that was as large.
fn unpooled(x: &Map, y: &Map, by: &DMatrix<f32>) -> DMatrix<f32> {
    let mut out = DMatrix::zeros(x.height * x.width, x.channels());
    let planes = out.as_mut_slice().chunks_exact_mut(x.height * x.width);
    let given = x.planes.as_slice().chunks_exact(x.height * x.width);
    let size = y.height * y.width;
    let found = y.planes.as_slice().chunks_exact(size).zip(by.as_slice().chunks_exact(size));
    for ((out, given), (largest, by)) in planes.zip(given).zip(found) {
        for (at, (largest, by)) in largest.iter().zip(by).enumerate() {
            let start = at / y.width * 2 * x.width + at % y.width * 2;
            let mut places = (0..9).map(|tap| start + tap / 3 * x.width + tap % 3);
            if let Some(place) = places.find(|place| given[*place] == *largest) {
                out[place] += by;
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::caption::Captioner;
    use crate::caption::square::SIDE;
    use crate::latent::seed::z_from_seed;

    /// Along itself, a gradient is as steep as it is long; one that pointed elsewhere would be less.
    #[test]
    fn the_gradient_is_the_slope() {
        let captioner = Captioner::open(None).unwrap();
        let (numbers, random) = (SIDE * SIDE * 3, z_from_seed(5, CELLS * CHANNELS));
        let wave = |i: usize| ((i % SIDE) as f32 * 0.11 + (i / SIDE) as f32 * 0.07).sin();
        let picture: Vec<f32> = (0..numbers).map(|i| 60.0 * wave(i) + 20.0 * wave(i * 7)).collect();
        let map = |step: f32, direction: &[f32]| {
            let at = picture.iter().zip(direction).map(|(x, by)| x + step * by);
            Map { height: SIDE, width: SIDE, planes: DMatrix::from_iterator(SIDE * SIDE, 3, at) }
        };
        let (_, mut gradient) = captioner.eyes.pulled_back(map(0.0, &picture), |_| random.clone());
        let length = gradient.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
        gradient.iter_mut().for_each(|x| *x /= length as f32);
        let value = |step: f32| {
            let seen = captioner.eyes.of(map(step, &gradient), |_, _| {});
            seen.numbers().zip(&random).map(|(x, by)| f64::from(x) * f64::from(*by)).sum::<f64>()
        };
        let measured = (value(0.25) - value(-0.25)) / 0.5;
        assert!((length - measured).abs() < 0.03 * length, "{length}, measured {measured}");
    }
}
