//! SqueezeNet 1.1 up to its last fire module: a picture becomes 81 cells of 512 features.
//!
//! Not a plan for the engines: it has none of their operations (strides without padding, pools, maps side by side), and runs on one
//! thread beside the show. Convolutions are products of matrices: a map `[C, H, W]` is a matrix with a column for each channel,
//! and so is what lies under each tap of the kernel.
//!
//! Source: Iandola et al., "SqueezeNet: AlexNet-level accuracy with 50x fewer parameters" (2016), and torchvision's
//! `squeezenet1_1`, whose numbers the tensors have.

mod backward;

use image::RgbImage;
use nalgebra::DMatrix;

use crate::network::NetworkError;
use crate::network::checkpoint::Tensors;

/// Cells of a picture, 9 x 9.
pub const CELLS: usize = 81;
/// Features of a cell.
pub const CHANNELS: usize = 512;
/// What the features are multiplied by, so that they are about as large as other numbers of the captioner.
const SCALE: f32 = 0.05;
/// What ImageNet's pictures have on average, blue, green and red of 0 to 255.
const MEAN: [f32; 3] = [103.939, 116.779, 123.68];

/// A feature map.
#[derive(Clone)]
pub struct Map {
    pub height: usize,
    pub width: usize,
    /// `[height * width, channels]`, x fastest.
    pub planes: DMatrix<f32>,
}

impl Map {
    pub fn channels(&self) -> usize {
        self.planes.ncols()
    }
}

/// What the network sees in a picture.
#[derive(Clone, Debug, PartialEq)]
pub struct Features {
    /// `[CELLS, CHANNELS]` with the cell fastest.
    planes: DMatrix<f32>,
}

impl Features {
    /// The features of a cell, `y * 9 + x`: `[CHANNELS]`.
    pub fn cell(&self, cell: usize) -> Vec<f32> {
        self.planes.row(cell).iter().copied().collect()
    }

    /// All of them, a channel after the other.
    pub fn numbers(&self) -> impl Iterator<Item = f32> {
        self.planes.iter().copied()
    }

    /// The mean of each feature over the cells: `[CHANNELS]`.
    pub fn mean(&self) -> Vec<f32> {
        self.planes.column_iter().map(|channel| channel.mean()).collect()
    }
}

/// `relu(conv(weight, x) + bias)`, a correlation.
#[derive(Debug)]
struct Conv {
    /// `[inputs * kernel * kernel, outputs]`: the file's order.
    weight: DMatrix<f32>,
    bias: Vec<f32>,
    kernel: usize,
    stride: usize,
    padding: usize,
}

/// `[expand1x1(s), expand3x3(s)]` of `s = squeeze(x)`.
#[derive(Debug)]
struct Fire {
    squeeze: Conv,
    expand1x1: Conv,
    expand3x3: Conv,
}

/// The layers with their numbers in the file.
#[derive(Debug)]
pub struct SqueezeNet {
    first: Conv,
    /// Number, and whether a pool of 3x3 with stride 2 comes before.
    fires: Vec<(usize, bool, Fire)>,
}

/// Number, pool before, inputs, squeezed channels, and channels of each expansion.
const FIRES: [(usize, bool, usize, usize, usize); 8] = [
    (3, true, 64, 16, 64),
    (4, false, 128, 16, 64),
    (6, true, 128, 32, 128),
    (7, false, 256, 32, 128),
    (9, true, 256, 48, 192),
    (10, false, 384, 48, 192),
    (11, false, 384, 64, 256),
    (12, false, 512, 64, 256),
];

impl SqueezeNet {
    /// The layers below `at`: `features.0.weight`, `features.3.squeeze.weight` and so on.
    ///
    /// # Errors
    /// The first tensor that is missing, of another shape or not finite.
    pub fn read(at: &Tensors) -> Result<SqueezeNet, NetworkError> {
        let at = at.at("features");
        let first = Conv::read(&at.at(0), 3, 64, 3, 2, 0)?;
        let fire = |(number, pool, inputs, squeezed, each)| {
            let at = at.at(number);
            let fire = Fire {
                squeeze: Conv::read(&at.at("squeeze"), inputs, squeezed, 1, 1, 0)?,
                expand1x1: Conv::read(&at.at("expand1x1"), squeezed, each, 1, 1, 0)?,
                expand3x3: Conv::read(&at.at("expand3x3"), squeezed, each, 3, 1, 1)?,
            };
            Ok((number, pool, fire))
        };
        Ok(SqueezeNet { first, fires: FIRES.into_iter().map(fire).collect::<Result<_, NetworkError>>()? })
    }

    /// The features of a square picture of [`super::square::SIDE`] pixels on a side.
    pub fn see(&self, square: &RgbImage) -> Features {
        self.watched(square, |_, _| {})
    }

    /// As [`SqueezeNet::see`]; `watch` is shown each map with its name.
    pub fn watched(&self, square: &RgbImage, watch: impl FnMut(&str, &Map)) -> Features {
        self.of(input(square), watch)
    }

    /// As [`SqueezeNet::see`], with the gradient by the picture of a number that depends on the features: `by` returns its
    /// gradient by each feature, `[CELLS, CHANNELS]` with the cell fastest. That by the picture is `[3, SIDE, SIDE]`, red first,
    /// for each unit of a byte.
    pub fn see_back(&self, square: &RgbImage, by: impl FnOnce(&Features) -> Vec<f32>) -> (Features, Vec<f32>) {
        let (seen, gradient) = self.pulled_back(input(square), by);
        let plane = (square.width() * square.height()) as usize;
        (seen, gradient.chunks_exact(plane).rev().flatten().copied().collect())
    }

    fn of(&self, input: Map, mut watch: impl FnMut(&str, &Map)) -> Features {
        watch("input", &input);
        let mut map = self.first.run(&input);
        watch("conv1", &map);
        for (number, pool, fire) in &self.fires {
            if *pool {
                map = pooled(&map);
                watch(&format!("pool{}", number - 1), &map);
            }
            map = fire.run(&map);
            watch(&format!("fire{number}"), &map);
        }
        Features { planes: map.planes * SCALE }
    }
}

/// The bytes of a picture less the mean, from blue to red.
fn input(square: &RgbImage) -> Map {
    let (width, height) = (square.width() as usize, square.height() as usize);
    let number = |pixel: usize, channel: usize| f32::from(square.as_raw()[pixel * 3 + 2 - channel]) - MEAN[channel];
    Map { height, width, planes: DMatrix::from_fn(height * width, 3, number) }
}

impl Conv {
    fn read(
        at: &Tensors,
        inputs: usize,
        outputs: usize,
        kernel: usize,
        stride: usize,
        padding: usize,
    ) -> Result<Conv, NetworkError> {
        let weight = at.get("weight", &[outputs, inputs, kernel, kernel])?;
        let weight = DMatrix::from_vec(inputs * kernel * kernel, outputs, weight);
        Ok(Conv { weight, bias: at.get("bias", &[outputs])?, kernel, stride, padding })
    }

    fn run(&self, x: &Map) -> Map {
        let size = |n: usize| (n + 2 * self.padding - self.kernel) / self.stride + 1;
        let (height, width) = (size(x.height), size(x.width));
        let mut planes = match self.kernel {
            1 => &x.planes * &self.weight,
            _ => self.under_taps(x, height, width) * &self.weight,
        };
        for (mut plane, bias) in planes.column_iter_mut().zip(&self.bias) {
            plane.iter_mut().for_each(|x| *x = (*x + bias).max(0.0));
        }
        Map { height, width, planes }
    }

    /// What lies under each tap, with zeros around the map: `[height * width, inputs * kernel * kernel]`.
    fn under_taps(&self, x: &Map, height: usize, width: usize) -> DMatrix<f32> {
        let Conv { kernel, stride, padding, .. } = *self;
        let mut under = DMatrix::zeros(height * width, x.channels() * kernel * kernel);
        let planes = x.planes.as_slice().chunks_exact(x.height * x.width);
        let outs = under.as_mut_slice().chunks_exact_mut(height * width * kernel * kernel);
        for (plane, taps) in planes.zip(outs) {
            for (tap, out) in taps.chunks_exact_mut(height * width).enumerate() {
                let (ky, kx) = (tap / kernel, tap % kernel);
                for (y, row) in out.chunks_exact_mut(width).enumerate() {
                    let Some(from) = (y * stride + ky).checked_sub(padding).filter(|y| *y < x.height) else { continue };
                    let from = &plane[from * x.width..][..x.width];
                    for (column, to) in row.iter_mut().enumerate() {
                        let at = (column * stride + kx).checked_sub(padding);
                        *to = at.and_then(|at| from.get(at)).copied().unwrap_or(0.0);
                    }
                }
            }
        }
        under
    }
}

impl Fire {
    fn run(&self, x: &Map) -> Map {
        let squeezed = self.squeeze.run(x);
        let (left, right) = (self.expand1x1.run(&squeezed).planes, self.expand3x3.run(&squeezed).planes);
        let (rows, columns) = (left.nrows(), left.ncols() + right.ncols());
        let mut both: Vec<f32> = left.data.into();
        both.extend_from_slice(right.as_slice());
        Map { planes: DMatrix::from_vec(rows, columns, both), ..squeezed }
    }
}

/// The largest of each 3x3 samples, at every second one.
fn pooled(x: &Map) -> Map {
    let size = |n: usize| (n - 3) / 2 + 1;
    let (height, width) = (size(x.height), size(x.width));
    let largest = |plane: &[f32], at: usize| {
        let start = at / width * 2 * x.width + at % width * 2;
        let rows = (0..3).flat_map(|row| &plane[start + row * x.width..][..3]);
        rows.fold(f32::NEG_INFINITY, |most, x| most.max(*x))
    };
    let planes = x.planes.as_slice().chunks_exact(x.height * x.width);
    let out = planes.flat_map(|plane| (0..height * width).map(move |at| largest(plane, at)));
    Map { height, width, planes: DMatrix::from_iterator(height * width, x.channels(), out) }
}
