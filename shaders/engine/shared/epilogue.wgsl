// What follows a convolution: noise, bias, leaky ReLU and clamp. Twin of src/engine/cpu/epilogue.rs and noise.rs.
// The gain is multiplied into the demodulation, the bias and the noise's strength.

struct Frame {
    // 0 none, 1 the network's, 2 random, 3 on the way round
    noise_mode: u32,
    noise_gain: f32,
    seed_low: u32,
    seed_high: u32,
    // Rows of the inverse transform of a StyleGAN3 picture; last, the shares of the first and the second noise on the way round.
    inverse_x: vec4<f32>,
    inverse_y: vec4<f32>,
    // ws [num_ws, w_dim], then the mix of styles, then the content picture.
    numbers: array<f32>,
}

@group(0) @binding(0) var<storage, read> frame: Frame;
// [O]
@group(0) @binding(1) var<storage, read> bias: array<f32>;
// [H, W], or any buffer if the network has none
@group(0) @binding(2) var<storage, read> noise_const: array<f32>;

const HAS_NOISE: bool = true;
const HAS_NOISE_CONST: bool = true;
const NOISE_LAYER: u32 = 0u;
// gain·noise_strength
const SIGMA: f32 = 1.0;
const CLAMP: f32 = 256.0;
// Slope of the leaky ReLU, at most 1.
const SLOPE: f32 = 0.2;

// A bijection of 32-bit numbers that removes all patterns.
fn mix_bits(bits: u32) -> u32 {
    var x = (bits ^ (bits >> 16u)) * 0x85ebca6bu;
    x = (x ^ (x >> 13u)) * 0xc2b2ae35u;
    return x ^ (x >> 16u);
}

// √(−2·ln u)·cos(2π·v), with u and v from the hash of the pixel.
fn normal(key: u32, pixel: u32) -> f32 {
    let a = mix_bits(pixel * 2u + key);
    let b = mix_bits(pixel * 2u + 1u + key);
    let u = f32((a >> 8u) + 1u) * (1.0 / 16777216.0);
    let v = f32(i32(b >> 8u) - 8388608) * (1.0 / 16777216.0);
    return sqrt(max(-2.0 * log(u), 0.0)) * cos(6.2831853 * v);
}

fn key_of(seed_low: u32, seed_high: u32) -> u32 {
    let low = mix_bits(seed_low ^ mix_bits(NOISE_LAYER * 0x9e3779b9u));
    return mix_bits(low ^ mix_bits(seed_high ^ 0x5bd1e995u));
}

// σ·n of one pixel.
fn noise_at(pixel: u32) -> f32 {
    if (!HAS_NOISE || frame.noise_mode == 0u) {
        return 0.0;
    }
    if (frame.noise_mode >= 2u) {
        let random = normal(key_of(frame.seed_low, frame.seed_high), pixel);
        if (frame.noise_mode == 2u) {
            return SIGMA * frame.noise_gain * random;
        }
        var first = 0.0;
        if (HAS_NOISE_CONST) {
            first = noise_const[pixel];
        } else {
            first = normal(key_of(~frame.seed_low, ~frame.seed_high), pixel);
        }
        return SIGMA * frame.noise_gain * (frame.inverse_x.w * first + frame.inverse_y.w * random);
    }
    if (HAS_NOISE_CONST) {
        return SIGMA * frame.noise_gain * noise_const[pixel];
    }
    return 0.0;
}

fn epilogue(value: f32, o: u32, noise: f32) -> f32 {
    let x = value + noise + bias[o];
    return clamp(max(x, SLOPE * x), -CLAMP, CLAMP);
}
