// The convolution of `conv` with cooperative matrices: 16-bit products, 32-bit sums. Twin of
// src/engine/cpu/synthesis.rs.
//
// A workgroup computes OUTPUTS x PIXELS results, each of its subgroups ROWS x COLUMNS matrices of them. DEPTH inputs of
// the map at a time, multiplied by the style, are in workgroup memory for all taps: a segment for each row of taps, so
// that a tap is an offset. Pixels are numbered over rows of PITCH: the input's rows with a column of zeros between them that
// serves as both borders. The weights of the next tap are loaded while this one is multiplied.
// As BATCH products with one tap each, it also computes Winograd convolutions.
// Loops over r, c or l are expanded by the program, because WGSL does not keep arrays of matrices in registers.
//! enable wgpu_cooperative_matrix
//! import epilogue

// [I, H, W], or [BATCH, I, H, W]
@group(0) @binding(3) var<storage, read> input: array<Num>;
// [I_PADDED / DEPTH, taps, O_PADDED, DEPTH / 4]; the taps of an up-sampling layer by parity: 4, 2, 2 and 1. Or
// [I_PADDED / DEPTH, BATCH, O_PADDED, DEPTH / 4]
@group(0) @binding(4) var<storage, read> weight: array<vec4<Num>>;
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

// Rows and columns of a matrix, threads of a subgroup.
const SIDE: u32 = 16u;
const LANES: u32 = 32u;
// Subgroups along the outputs and along the pixels, and matrices of each.
const DOWN: u32 = 2u;
const ACROSS: u32 = 2u;
const ROWS: u32 = 2u;
const COLUMNS: u32 = 2u;
// vec4s of weights that a thread loads into the tile.
const LOADS: u32 = 2u;
const DEPTH: u32 = 16u;

// Pixels per subgroup.
const WIDTH: u32 = COLUMNS * SIDE;
const OUTPUTS: u32 = DOWN * ROWS * SIDE;
const PIXELS: u32 = ACROSS * WIDTH;
const THREADS: u32 = DOWN * ACROSS * LANES;
const FOURS: u32 = DEPTH / 4u;
// vec4s from one output or pixel to the next, with 16 bytes of padding, so that eight of them are in different banks.
const STEP: u32 = FOURS + 2u;
// Width and height of the computed result; even parities have one more on each axis.
const EXTRA: u32 = select(GROWS, 1u, UP);
const GRID: u32 = W + EXTRA;
const HEIGHT: u32 = H + EXTRA;
const PITCH: u32 = max(GRID, W + select(0u, 1u, TAPS == 9u));
// Taps per chunk of weights.
const ALL_TAPS: u32 = max(TAPS, BATCH);
// Rows of taps, and the pixels that each needs.
const SEGMENTS: u32 = select(select(1u, 3u, TAPS == 9u), 2u, UP);
const SPAN: u32 = PIXELS + SEGMENTS - 1u;
// The largest 16-bit number, so that an extreme style does not give infinity.
const MOST: f32 = 65504.0;

alias Left = coop_mat{SIDE}x{SIDE}<f16, A>;
alias Right = coop_mat{SIDE}x{SIDE}<f16, B>;
alias Sum = coop_mat{SIDE}x{SIDE}<f32, C>;

// Two, so that one is filled while the other is multiplied.
var<workgroup> a_tile: array<vec4<f16>, 2u * OUTPUTS * STEP>;
var<workgroup> b_tile: array<vec4<f16>, SEGMENTS * SPAN * STEP>;
// One row of matrices per subgroup.
var<workgroup> sums: array<f32, DOWN * ACROSS * SIDE * WIDTH>;

fn styled(first: u32, i: u32, at: u32) -> f32 {
    if (i >= I) {
        return 0.0;
    }
    var value = f32(input[first + i * (H * W) + at]);
    if (HAS_STYLE) {
        value *= styles[STYLE + i];
    }
    return clamp(value, -MOST, MOST);
}

// Four inputs of a pixel of the map that starts at `first`; 0 outside.
fn four_at(first: u32, i: u32, position: i32) -> vec4<f16> {
    let y = u32(max(position, 0)) / PITCH;
    let x = u32(max(position, 0)) % PITCH;
    if (position < 0 || x >= W || y >= H) {
        return vec4<f16>();
    }
    let at = y * W + x;
    let low = vec2<f32>(styled(first, i, at), styled(first, i + 1u, at));
    return vec4<f16>(vec4<f32>(low, styled(first, i + 2u, at), styled(first, i + 3u, at)));
}

// Finishes a row of matrices in `sums`: each lane does some pixels or, if there are few, some outputs of one pixel.
fn put(first: u32, first_o: u32, first_position: u32, part: u32, lane: u32) {
    for (var column = lane % WIDTH; column < WIDTH; column += LANES) {
        let position = first_position + column;
        let y = position / PITCH;
        let x = position % PITCH;
        if (y >= HEIGHT || x >= GRID) {
            continue;
        }
        let pixel = y * GRID + x;
        var noise = 0.0;
        if (ENDS) {
            noise = noise_at(pixel);
        }
        for (var row = lane / WIDTH; row < SIDE && first_o + row < O; row += max(LANES / WIDTH, 1u)) {
            let o = first_o + row;
            let sum = sums[first + row * WIDTH + column];
            var value = sum * GAIN;
            if (HAS_DEMODULATION) {
                value = sum * demodulations[DEMODULATION + o];
            }
            if (ENDS) {
                out[o * (HEIGHT * GRID) + pixel] = Num(epilogue(value, o, noise));
            } else {
                out[(part * O + o) * (HEIGHT * GRID) + pixel] = Num(value);
            }
        }
    }
}

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
    @builtin(subgroup_id) subgroup: u32,
    @builtin(subgroup_invocation_id) lane: u32,
) {
    let parity = group.z / SPLITS;
    let split = group.z % SPLITS;
    // Even outputs have two taps per axis (kernel index 2 one sample back, and 0), odd ones have one (kernel index 1).
    let odd_y = parity / 2u;
    let odd_x = parity % 2u;
    var taps_x = SEGMENTS;
    var taps_y = SEGMENTS;
    var first_tap = 0u;
    var back = vec2<i32>(select(0, 1, TAPS == 9u) + i32(GROWS / 2u));
    if (UP) {
        taps_x = 2u - odd_x;
        taps_y = 2u - odd_y;
        first_tap = select(select(0u, 4u, parity == 1u), select(6u, 8u, parity == 3u), parity >= 2u);
        back = vec2<i32>(1 - i32(odd_x), 1 - i32(odd_y));
    }
    var first_input = 0u;
    if (BATCH > 1u) {
        first_tap = parity;
        first_input = parity * (I * H * W);
    }
    let taps = taps_x * taps_y;
    let first_chunk = I_PADDED / DEPTH * split / SPLITS;
    let end_chunk = I_PADDED / DEPTH * (split + 1u) / SPLITS;

    // The subgroup's first output and pixel in the tile.
    let row = subgroup / ACROSS * (ROWS * SIDE);
    let column = subgroup % ACROSS * WIDTH;
    let first_o = group.y * OUTPUTS;
    let first_position = group.x * PIXELS;

    let first_four = ((first_chunk * ALL_TAPS + first_tap) * O_PADDED + first_o) * FOURS + thread;
    //! each l < LOADS
    var next_{l} = weight[first_four + {l}u * THREADS];
    //! each r < ROWS, c < COLUMNS
    var sum_{r}_{c} = Sum();

    var a_first = 0u;
    for (var chunk = first_chunk; chunk < end_chunk; chunk++) {
        // The last tap of the previous chunk is done.
        workgroupBarrier();
        for (var e = thread; e < taps_y * FOURS * SPAN; e += THREADS) {
            let at = e % SPAN;
            let four = e / SPAN % FOURS;
            let segment = e / (SPAN * FOURS);
            let shift = (i32(segment) - back.y) * i32(PITCH) - back.x;
            b_tile[(segment * SPAN + at) * STEP + four] =
                four_at(first_input, chunk * DEPTH + four * 4u, i32(first_position + at) + shift);
        }
        for (var tap = 0u; tap < taps; tap++) {
            let slot = a_first + thread / FOURS * STEP + thread % FOURS;
            //! each l < LOADS
            a_tile[slot + {l}u * (THREADS / FOURS * STEP)] = next_{l};
            workgroupBarrier();
            var next = chunk * ALL_TAPS + first_tap + tap + 1u;
            if (tap + 1u == taps) {
                next = min(chunk + 1u, end_chunk - 1u) * ALL_TAPS + first_tap;
            }
            let four = (next * O_PADDED + first_o) * FOURS + thread;
            //! each l < LOADS
            next_{l} = weight[four + {l}u * THREADS];
            let a_from = a_first + row * STEP;
            let b_from = (tap / taps_x * SPAN + tap % taps_x + column) * STEP;
            for (var k = 0u; k < FOURS; k += SIDE / 4u) {
                //! each r < ROWS
                let a_{r} = coopLoadT<Left>(&a_tile[a_from + k + {r}u * (SIDE * STEP)], STEP);
                //! each c < COLUMNS
                let b_{c} = coopLoad<Right>(&b_tile[b_from + k + {c}u * (SIDE * STEP)], STEP);
                //! each r < ROWS, c < COLUMNS
                sum_{r}_{c} = coopMultiplyAdd(a_{r}, b_{c}, sum_{r}_{c});
            }
            a_first = OUTPUTS * STEP - a_first;
        }
    }

    let own = subgroup * (SIDE * WIDTH);
    //! each r < ROWS
    {
        //! each c < COLUMNS
        coopStoreT(sum_{r}_{c}, &sums[own + {c}u * SIDE], WIDTH);
        workgroupBarrier();
        put(own, first_o + row + {r}u * SIDE, first_position + column, group.z, lane);
        workgroupBarrier();
    }
}
