// toRGB added to the picture so far: [I, H, W] and [COLOURS, H/2, W/2] (or [COLOURS, H, W]) -> [COLOURS, H, W] in 32 bits.
// Twin of src/engine/cpu/torgb.rs. A workgroup computes PIXELS pixels; its threads share the channels of each.
//! import upsample

@group(0) @binding(0) var<storage, read> input: array<Num>;
// [COLOURS, I]
@group(0) @binding(1) var<storage, read> weight: array<f32>;
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read> styles: array<f32>;
// [COLOURS, H/2, W/2], [COLOURS, H, W] if it IS_AS_LARGE, or any buffer if there is none
@group(0) @binding(4) var<storage, read> picture: array<f32>;
@group(0) @binding(5) var<storage, read_write> out: array<f32>;

const I: u32 = 64u;
const H: u32 = 16u;
const W: u32 = 16u;
const COLOURS: u32 = 3u;
const STYLE: u32 = 0u;
const HAS_PICTURE: bool = true;
const IS_AS_LARGE: bool = false;
const CLAMP: f32 = 256.0;
const PIXELS: u32 = 64u;
const SHARES: u32 = 256u / PIXELS;

var<workgroup> sums: array<vec4<f32>, 256>;

// Rows 0 to 3 of the weight; 0 beyond the colours.
fn weight_of(colour: u32, i: u32) -> f32 {
    if (colour < COLOURS) {
        return weight[colour * I + i];
    }
    return 0.0;
}

fn sample(colour: u32, y: i32, x: i32) -> f32 {
    if (y < 0 || x < 0 || y >= i32(H / 2u) || x >= i32(W / 2u)) {
        return 0.0;
    }
    return picture[(colour * (H / 2u) + u32(y)) * (W / 2u) + u32(x)];
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let pixel = group.x * PIXELS + thread % PIXELS;
    var sum = vec4<f32>(0.0);
    if (pixel < H * W) {
        for (var i = thread / PIXELS; i < I; i += SHARES) {
            let value = f32(input[i * (H * W) + pixel]) * styles[STYLE + i];
            sum += value * vec4<f32>(weight_of(0u, i), weight_of(1u, i), weight_of(2u, i), weight_of(3u, i));
        }
    }
    sums[thread] = sum;
    workgroupBarrier();
    if (thread >= PIXELS || pixel >= H * W) {
        return;
    }
    for (var share = 1u; share < SHARES; share++) {
        sum += sums[share * PIXELS + thread];
    }
    let rows = pair_of(pixel / W);
    let columns = pair_of(pixel % W);
    for (var colour = 0u; colour < COLOURS; colour++) {
        var value = clamp(sum[colour] + bias[colour], -CLAMP, CLAMP);
        if (HAS_PICTURE && IS_AS_LARGE) {
            value += picture[colour * (H * W) + pixel];
        } else if (HAS_PICTURE) {
            let upper = columns.x * sample(colour, rows.first, columns.first)
                + columns.y * sample(colour, rows.first, columns.first + 1);
            let lower = columns.x * sample(colour, rows.first + 1, columns.first)
                + columns.y * sample(colour, rows.first + 1, columns.first + 1);
            value += rows.x * upper + rows.y * lower;
        }
        out[colour * (H * W) + pixel] = value;
    }
}
