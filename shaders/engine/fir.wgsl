// Finishes an up-sampling layer: the FIR filter over the strided transposed convolution, which is stored as four parities
// [2·2, SPLITS, O, H + 1, W + 1], then noise, bias and activation: -> [O, 2H, 2W].
// Twin of `Filter` in src/engine/cpu/synthesis.rs. A thread computes 2 x 2 results from 5 x 5 samples.
//! import epilogue
//! import upsample

@group(0) @binding(3) var<storage, read> parts: array<Num>;
// Pairs along x.
@group(0) @binding(4) var<storage, read_write> out: array<vec2<Num>>;

const O: u32 = 64u;
// Size of the layer's input.
const H: u32 = 16u;
const W: u32 = 16u;
const SPLITS: u32 = 1u;
const COUNT: u32 = (H + 1u) * (W + 1u);
// Workgroups along x.
const ACROSS: u32 = 1u;

// The transposed convolution at row 2·y + odd_y, column 2·x + odd_x.
fn sample(o: u32, odd_y: u32, y: i32, odd_x: u32, x: i32) -> f32 {
    if (y < 0 || x < 0) {
        return 0.0;
    }
    let at = o * COUNT + u32(y) * (W + 1u) + u32(x);
    var sum = 0.0;
    for (var part = 0u; part < SPLITS; part++) {
        sum += f32(parts[((odd_y * 2u + odd_x) * SPLITS + part) * (O * COUNT) + at]);
    }
    return sum;
}

// The filter along x at columns 2·x and 2·x + 1 of one row.
fn row(o: u32, odd_y: u32, y: i32, x: i32) -> vec2<f32> {
    let a = sample(o, odd_y, y, 1u, x - 1);
    let b = sample(o, odd_y, y, 0u, x);
    let c = sample(o, odd_y, y, 1u, x);
    let d = sample(o, odd_y, y, 0u, x + 1);
    let e = sample(o, odd_y, y, 1u, x + 1);
    return 2.0 * (FIR_0 * vec2<f32>(a, b) + FIR_1 * vec2<f32>(b, c) + FIR_2 * vec2<f32>(c, d) + FIR_3 * vec2<f32>(d, e));
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let at = (group.y * ACROSS + group.x) * 256u + thread;
    if (at >= O * H * W) {
        return;
    }
    let o = at / (H * W);
    let y = (at / W) % H;
    let x = at % W;
    let a = row(o, 1u, i32(y) - 1, i32(x));
    let b = row(o, 0u, i32(y), i32(x));
    let c = row(o, 1u, i32(y), i32(x));
    let d = row(o, 0u, i32(y) + 1, i32(x));
    let e = row(o, 1u, i32(y) + 1, i32(x));
    let upper = 2.0 * (FIR_0 * a + FIR_1 * b + FIR_2 * c + FIR_3 * d);
    let lower = 2.0 * (FIR_0 * b + FIR_1 * c + FIR_2 * d + FIR_3 * e);
    let pixel = 4u * y * W + 2u * x;
    let below = pixel + 2u * W;
    let to = (o * 2u * H + 2u * y) * W + x;
    out[to] = vec2<Num>(vec2<f32>(
        epilogue(upper.x, o, noise_at(pixel)),
        epilogue(upper.y, o, noise_at(pixel + 1u)),
    ));
    out[to + W] = vec2<Num>(vec2<f32>(
        epilogue(lower.x, o, noise_at(below)),
        epilogue(lower.y, o, noise_at(below + 1u)),
    ));
}
