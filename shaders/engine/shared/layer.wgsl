// What the convolutions of a layer read and write, however they multiply; weights are stored as each kernel says.

// [I, H, W], or [BATCH, I, H, W]
@group(0) @binding(3) var<storage, read> input: array<Num>;
@group(0) @binding(5) var<storage, read> styles: array<f32>;
@group(0) @binding(6) var<storage, read> demodulations: array<f32>;
// [O, H, W], or [parities or BATCH, SPLITS, O, pixels] when another kernel ends the layer
@group(0) @binding(7) var<storage, read_write> out: array<Num>;

const I: u32 = 32u;
const I_PADDED: u32 = 32u;
const O: u32 = 64u;
const O_PADDED: u32 = 64u;
const H: u32 = 16u;
const W: u32 = 16u;
// 9 or 1
const TAPS: u32 = 9u;
const UP: bool = false;
// Number of products, each with separate input and weights; 1 for a convolution.
const BATCH: u32 = 1u;
// By how many pixels the result exceeds the input on each axis; implicitly 1 for an up-sampling layer.
const GROWS: u32 = 0u;
const SPLITS: u32 = 1u;
// Whether this kernel finishes the layer.
const ENDS: bool = true;
const HAS_STYLE: bool = true;
const STYLE: u32 = 0u;
const HAS_DEMODULATION: bool = true;
const DEMODULATION: u32 = 0u;
// Without demodulation.
const GAIN: f32 = 1.0;
