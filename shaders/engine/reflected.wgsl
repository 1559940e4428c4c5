// A convolution with reflection padding, [I, H, W] -> [O, OUT_H, OUT_W], as used by style networks: any odd kernel, a stride,
// or the input doubled beforehand by repeating samples. Bias and activation follow in `normalise`.
// Twin of src/engine/cpu/conv.rs.
//
// An implicit matrix product: outputs x (inputs x taps) times (inputs x taps) x pixels. A workgroup computes
// OUTPUTS x PIXELS results from tiles in workgroup memory, DEPTH products at a time; a thread computes 8 outputs x 4 pixels in
// registers. Inputs and taps form one axis, as the first layer has three inputs but many taps. As `reflected_half` it adds the
// DEPTH products of a tile in 16 bits (`Part`), and these sums in 32.
//! import reflect

@group(0) @binding(0) var<storage, read> input: array<Num>;
// [LENGTH_PADDED, O_PADDED / 4]
@group(0) @binding(1) var<storage, read> weight: array<vec4<Num>>;
@group(0) @binding(2) var<storage, read_write> out: array<Num>;

const O: u32 = 32u;
const O_PADDED: u32 = 32u;
const H: u32 = 16u;
const W: u32 = 16u;
const OUT_H: u32 = 16u;
const OUT_W: u32 = 16u;
const KERNEL: u32 = 3u;
const STRIDE: u32 = 1u;
// 1 or 2
const UP: u32 = 1u;
// Inputs times taps, and the same rounded up to a multiple of DEPTH.
const LENGTH: u32 = 288u;
const LENGTH_PADDED: u32 = 288u;

const OUTPUTS: u32 = 32u;
const PIXELS: u32 = 128u;
const DEPTH: u32 = 16u;

const TAPS: u32 = KERNEL * KERNEL;
const COUNT: u32 = OUT_H * OUT_W;
// Pixels per thread. Loops over c are expanded by the program.
const COLUMNS: u32 = 4u;
// Threads along the pixels, and in total.
const ACROSS: u32 = PIXELS / COLUMNS;
const THREADS: u32 = ACROSS * (OUTPUTS / 8u);

// Whether products are added in 16 bits.
const IS_HALF: bool = false;

var<workgroup> a_tile: array<vec4<Part>, DEPTH * OUTPUTS / 4u>;
var<workgroup> b_tile: array<Part, DEPTH * PIXELS>;

fn sample(i: u32, y: i32, x: i32) -> f32 {
    let row = reflect_at(y, UP * H, KERNEL / 2u) / UP;
    let column = reflect_at(x, UP * W, KERNEL / 2u) / UP;
    return f32(input[(i * H + row) * W + column]);
}

fn put(o: u32, pixel: u32, sum: f32) {
    if (o < O && pixel < COUNT) {
        out[o * COUNT + pixel] = Num(sum);
    }
}

// 8 outputs of one pixel.
fn put_column(o: u32, pixel: u32, low: vec4<f32>, high: vec4<f32>) {
    put(o, pixel, low.x);
    put(o + 1u, pixel, low.y);
    put(o + 2u, pixel, low.z);
    put(o + 3u, pixel, low.w);
    let other = o + OUTPUTS / 2u;
    put(other, pixel, high.x);
    put(other + 1u, pixel, high.y);
    put(other + 2u, pixel, high.z);
    put(other + 3u, pixel, high.w);
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let across = thread % ACROSS;
    let down = thread / ACROSS;
    //! each c < COLUMNS
    var low_{c} = vec4<f32>(); var high_{c} = vec4<f32>();
    //! each c < COLUMNS
    var low_part_{c} = vec4<Part>(); var high_part_{c} = vec4<Part>();

    for (var first = 0u; first < LENGTH_PADDED; first += DEPTH) {
        for (var column = thread % PIXELS; column < PIXELS; column += THREADS) {
            let pixel = group.x * PIXELS + column;
            let y = i32(pixel / OUT_W * STRIDE) - i32(KERNEL / 2u);
            let x = i32(pixel % OUT_W * STRIDE) - i32(KERNEL / 2u);
            for (var k = thread / PIXELS; k < DEPTH; k += max(THREADS / PIXELS, 1u)) {
                let at = first + k;
                let tap = at % TAPS;
                var value = 0.0;
                if (pixel < COUNT && at < LENGTH) {
                    value = sample(at / TAPS, y + i32(tap / KERNEL), x + i32(tap % KERNEL));
                }
                b_tile[k * PIXELS + column] = Part(value);
            }
        }
        for (var e = thread; e < DEPTH * OUTPUTS / 4u; e += THREADS) {
            let row = first + e / (OUTPUTS / 4u);
            let source = row * (O_PADDED / 4u) + group.y * (OUTPUTS / 4u) + e % (OUTPUTS / 4u);
            a_tile[e] = vec4<Part>(weight[source]);
        }
        workgroupBarrier();
        for (var k = 0u; k < DEPTH; k++) {
            let low = a_tile[k * (OUTPUTS / 4u) + down];
            let high = a_tile[k * (OUTPUTS / 4u) + OUTPUTS / 8u + down];
            // Neighbouring threads read and write neighbouring pixels.
            //! each c < COLUMNS
            let b_{c} = vec4<Part>(b_tile[k * PIXELS + across + {c}u * ACROSS]);
            //! each c < COLUMNS
            low_part_{c} = fma(low, b_{c}, low_part_{c}); high_part_{c} = fma(high, b_{c}, high_part_{c});
        }
        if (IS_HALF) {
            //! each c < COLUMNS
            low_{c} += vec4<f32>(low_part_{c}); high_{c} += vec4<f32>(high_part_{c});
            //! each c < COLUMNS
            low_part_{c} = vec4<Part>(); high_part_{c} = vec4<Part>();
        }
        workgroupBarrier();
    }
    if (!IS_HALF) {
        //! each c < COLUMNS
        low_{c} = vec4<f32>(low_part_{c}); high_{c} = vec4<f32>(high_part_{c});
    }

    let o = group.y * OUTPUTS + down * 4u;
    let pixel = group.x * PIXELS + across;
    //! each c < COLUMNS
    put_column(o, pixel + {c}u * ACROSS, low_{c}, high_{c});
}
