// A modulated convolution [I, H, W] -> [O, H, W], or one that grows by its kernel's border, or the four parities of the
// strided transposed convolution of an up-sampling layer, as an implicit matrix product: outputs x (taps x inputs) times
// (taps x inputs) x pixels. Or BATCH products with one tap each, for Winograd convolutions.
// Twin of src/engine/cpu/synthesis.rs.
//
// A workgroup computes OUTPUTS x PIXELS results from tiles in workgroup memory, DEPTH products at a time; a thread computes
// 8 outputs x 4 pixels in registers. The input is multiplied by the style on its way into the tile, the sum by the
// demodulation on its way out. Small maps do not fill a card: their sum is split into SPLITS parts, which `finish` adds.
// As `conv_half` it adds the DEPTH products of a tile in 16 bits (`Part`), and these sums in 32.
//! import epilogue
//! import layer

// [taps, I_PADDED, O_PADDED / 4]; the taps of an up-sampling layer by parity: 4, 2, 2 and 1. Or [BATCH, I_PADDED, O_PADDED / 4]
@group(0) @binding(4) var<storage, read> weight: array<vec4<Num>>;

const OUTPUTS: u32 = 64u;
const PIXELS: u32 = 64u;
const DEPTH: u32 = 16u;

// Pixels per thread. Loops over c are expanded by the program.
const COLUMNS: u32 = 4u;
// Threads along the pixels, and in total.
const ACROSS: u32 = PIXELS / COLUMNS;
const THREADS: u32 = ACROSS * (OUTPUTS / 8u);
const STEPS_A_TAP: u32 = I_PADDED / DEPTH;
// Width and number of computed pixels; even parities have one more on each axis.
const EXTRA: u32 = select(GROWS, 1u, UP);
const GRID: u32 = W + EXTRA;
const COUNT: u32 = (H + EXTRA) * (W + EXTRA);

// Whether products are added in 16 bits. Their largest number, so that an extreme style does not give infinity.
const IS_HALF: bool = false;
const MOST: f32 = 65504.0;

var<workgroup> a_tile: array<vec4<Part>, DEPTH * OUTPUTS / 4u>;
var<workgroup> b_tile: array<Part, DEPTH * PIXELS>;

fn put(o: u32, pixel: u32, noise: f32, part: u32, sum: f32) {
    if (o >= O || pixel >= COUNT) {
        return;
    }
    var value = sum * GAIN;
    if (HAS_DEMODULATION) {
        value = sum * demodulations[DEMODULATION + o];
    }
    if (ENDS) {
        out[o * COUNT + pixel] = Num(epilogue(value, o, noise));
    } else {
        out[(part * O + o) * COUNT + pixel] = Num(value);
    }
}

// 8 outputs of one pixel.
fn put_column(o: u32, pixel: u32, part: u32, low: vec4<f32>, high: vec4<f32>) {
    var noise = 0.0;
    if (ENDS && pixel < COUNT) {
        noise = noise_at(pixel);
    }
    put(o, pixel, noise, part, low.x);
    put(o + 1u, pixel, noise, part, low.y);
    put(o + 2u, pixel, noise, part, low.z);
    put(o + 3u, pixel, noise, part, low.w);
    let other = o + OUTPUTS / 2u;
    put(other, pixel, noise, part, high.x);
    put(other + 1u, pixel, noise, part, high.y);
    put(other + 2u, pixel, noise, part, high.z);
    put(other + 3u, pixel, noise, part, high.w);
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let parity = group.z / SPLITS;
    let split = group.z % SPLITS;
    // Even outputs have two taps per axis (kernel index 2 one sample back, and 0), odd ones have one (kernel index 1).
    let odd_y = parity / 2u;
    let odd_x = parity % 2u;
    var taps = TAPS;
    var taps_x = select(1u, 3u, TAPS == 9u);
    var first_tap = 0u;
    var back = vec2<i32>(select(0, 1, TAPS == 9u) + i32(GROWS / 2u));
    if (UP) {
        taps_x = 2u - odd_x;
        taps = taps_x * (2u - odd_y);
        first_tap = select(select(0u, 4u, parity == 1u), select(6u, 8u, parity == 3u), parity >= 2u);
        back = vec2<i32>(1 - i32(odd_x), 1 - i32(odd_y));
    }
    var first_input = 0u;
    if (BATCH > 1u) {
        first_tap = parity;
        first_input = parity * (I * H * W);
    }
    let steps = taps * STEPS_A_TAP;
    let end = steps * (split + 1u) / SPLITS;

    // The pixel that this thread loads into the tile.
    let column = thread % PIXELS;
    let loaded = group.x * PIXELS + column;
    let y = i32(loaded / GRID);
    let x = i32(loaded % GRID);

    let across = thread % ACROSS;
    let down = thread / ACROSS;
    //! each c < COLUMNS
    var low_{c} = vec4<f32>(); var high_{c} = vec4<f32>();
    //! each c < COLUMNS
    var low_part_{c} = vec4<Part>(); var high_part_{c} = vec4<Part>();

    for (var step = steps * split / SPLITS; step < end; step++) {
        let tap = step / STEPS_A_TAP;
        let first_i = (step % STEPS_A_TAP) * DEPTH;
        let from_y = y + i32(tap / taps_x) - back.y;
        let from_x = x + i32(tap % taps_x) - back.x;
        let inside = loaded < COUNT && from_y >= 0 && from_y < i32(H) && from_x >= 0 && from_x < i32(W);
        let at = u32(from_y * i32(W) + from_x);
        for (var k = thread / PIXELS; k < DEPTH; k += THREADS / PIXELS) {
            let i = first_i + k;
            var value = 0.0;
            if (inside && i < I) {
                value = f32(input[first_input + i * (H * W) + at]);
                if (HAS_STYLE) {
                    value *= styles[STYLE + i];
                }
            }
            if (IS_HALF) {
                value = clamp(value, -MOST, MOST);
            }
            b_tile[k * PIXELS + column] = Part(value);
        }
        let first_row = (first_tap + tap) * I_PADDED + first_i;
        for (var e = thread; e < DEPTH * OUTPUTS / 4u; e += THREADS) {
            let row = first_row + e / (OUTPUTS / 4u);
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
    put_column(o, pixel + {c}u * ACROSS, group.z, low_{c}, high_{c});
}
