// What follows the convolution of a StyleGAN3 layer: bias, up-sampling with its filter, leaky ReLU, clamp, and
// down-sampling with its filter: [SPLITS, O, H, W] -> [O, OUT_H, OUT_W]. Twin of src/engine/cpu/filtered.rs.
//
// Polyphase, without storing the up-sampled map. A workgroup computes TILE_W x TILE_H results of CHANNELS channels. A thread
// walks down one column of the up-sampled map: a row of the convolution, filtered along x, is one number in its window; the
// window, filtered along y, gives UP samples, which are activated; the last DOWN_TAPS of them, filtered along y, give a
// result that only lacks the filter along x, for which the columns are exchanged in workgroup memory. A radial down filter is
// the sum of TERMS separable ones.

@group(0) @binding(0) var<storage, read> parts: array<Num>;
// [O]
@group(0) @binding(1) var<storage, read> bias: array<f32>;
// The result is one of these, by IS_PICTURE.
@group(0) @binding(2) var<storage, read_write> out: array<Num>;
@group(0) @binding(3) var<storage, read_write> picture: array<f32>;

const O: u32 = 64u;
// After the convolution.
const H: u32 = 38u;
const W: u32 = 38u;
const SPLITS: u32 = 1u;
const OUT_H: u32 = 36u;
const OUT_W: u32 = 36u;
const IS_PICTURE: bool = false;

const UP: u32 = 2u;
// Samples per sample of the up-sampled map, along one axis.
const WINDOW: u32 = 6u;
const UP_COUNT: u32 = UP * WINDOW;
// [UP, WINDOW]: sample n of the up-sampled map uses row (n + OFFSET) % UP, and WINDOW samples starting at
// (n + OFFSET) / UP − BACK.
const UP_FILTER: array<f32, UP_COUNT> = array<f32, UP_COUNT>();
const OFFSET: u32 = 12u;
const BACK: u32 = 6u;

const GAIN: f32 = 1.4142135;
// gain·slope
const LOW_GAIN: f32 = 0.28284271;
const CLAMP: f32 = 256.0;
const OUTPUT_GAIN: f32 = 1.0;

const DOWN: u32 = 2u;
const DOWN_TAPS: u32 = 12u;
const TERMS: u32 = 1u;
const DOWN_COUNT: u32 = TERMS * DOWN_TAPS;
// [TERMS, DOWN_TAPS]
const ALONG_Y: array<f32, DOWN_COUNT> = array<f32, DOWN_COUNT>();
const ALONG_X: array<f32, DOWN_COUNT> = array<f32, DOWN_COUNT>();
// Whether all terms are symmetric. Samples with the same factor are then added first, once for all terms.
const IS_MIRRORED: bool = false;
const PAIRS: u32 = select(1u, DOWN_TAPS / 2u, IS_MIRRORED);

const THREADS: u32 = 128u;
const CHANNELS: u32 = 1u;
const TILE_W: u32 = 36u;
const TILE_H: u32 = 36u;
// Rows of the convolution loaded at a time, and the maximum results along y that they give.
const ROWS: u32 = 4u;
const KEPT: u32 = (ROWS * UP + DOWN - 1u) / DOWN;
// Columns of the up-sampled map.
const COLUMNS: u32 = (TILE_W - 1u) * DOWN + DOWN_TAPS;
// Columns of the convolution.
const WIDTH: u32 = (COLUMNS + UP - 2u) / UP + WINDOW;
// Columns are ordered by remainder, so that threads with neighbouring results read neighbouring numbers.
const LANE: u32 = (COLUMNS + DOWN - 1u) / DOWN;
const PITCH: u32 = LANE * DOWN;

var<workgroup> rows: array<f32, ROWS * CHANNELS * WIDTH>;
// [KEPT, TERMS, CHANNELS, PITCH]
var<workgroup> kept: array<f32, KEPT * TERMS * CHANNELS * PITCH>;

// The convolution with its bias; 0 outside.
fn convolved(o: u32, y: i32, x: i32) -> f32 {
    if (o >= O || y < 0 || x < 0 || y >= i32(H) || x >= i32(W)) {
        return 0.0;
    }
    let at = (o * H + u32(y)) * W + u32(x);
    var sum = bias[o];
    for (var part = 0u; part < SPLITS; part++) {
        sum += f32(parts[part * (O * H * W) + at]);
    }
    return sum;
}

fn place(column: u32) -> u32 {
    return (column % DOWN) * LANE + column / DOWN;
}

fn put(o: u32, y: u32, x: u32, value: f32) {
    let at = (o * OUT_H + y) * OUT_W + x;
    if (IS_PICTURE) {
        picture[at] = OUTPUT_GAIN * value;
    } else {
        out[at] = Num(OUTPUT_GAIN * value);
    }
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let first_x = group.x * TILE_W;
    let first_y = group.y * TILE_H;
    let end_y = min(first_y + TILE_H, OUT_H);
    let first_o = group.z * CHANNELS;

    let channel = thread / COLUMNS;
    let column = thread % COLUMNS;
    // The first column of `rows`, and the position of this thread's window in it.
    let first_column = (first_x * DOWN + OFFSET) / UP;
    let along = first_x * DOWN + column + OFFSET;
    let start = channel * WIDTH + along / UP - first_column;
    var factors: array<f32, WINDOW>;
    for (var j = 0u; j < WINDOW; j++) {
        factors[j] = UP_FILTER[(along % UP) * WINDOW + j];
    }

    var window: array<f32, WINDOW>;
    var recent: array<f32, DOWN_TAPS>;
    // Rows of the convolution, counted from −BACK.
    let first_row = (first_y * DOWN + OFFSET) / UP;
    let end_row = ((end_y - 1u) * DOWN + DOWN_TAPS - 1u + OFFSET) / UP + WINDOW;
    for (var row = first_row; row < end_row; row += ROWS) {
        for (var e = thread; e < ROWS * CHANNELS * WIDTH; e += THREADS) {
            let y = i32(row + e / (CHANNELS * WIDTH)) - i32(BACK);
            let x = i32(first_column + e % WIDTH) - i32(BACK);
            rows[e] = convolved(first_o + (e / WIDTH) % CHANNELS, y, x);
        }
        workgroupBarrier();
        // Samples of the up-sampled map start here, and so do the results that end with them.
        let sample = i32((row - (WINDOW - 1u)) * UP) - i32(OFFSET + DOWN_TAPS - 1u);
        let first_result = max(first_y, u32(max(sample, 0) + i32(DOWN - 1u)) / DOWN);
        let end_result = min(end_y, u32(max(sample + i32(ROWS * UP + DOWN - 1u), 0)) / DOWN);
        if (channel < CHANNELS) {
            for (var r = 0u; r < ROWS; r++) {
                var across = 0.0;
                for (var j = 0u; j < WINDOW; j++) {
                    across = fma(factors[j], rows[r * (CHANNELS * WIDTH) + start + j], across);
                }
                for (var j = 1u; j < WINDOW; j++) {
                    window[j - 1u] = window[j];
                }
                window[WINDOW - 1u] = across;
                for (var phase = 0u; phase < UP; phase++) {
                    var value = 0.0;
                    for (var j = 0u; j < WINDOW; j++) {
                        value = fma(UP_FILTER[phase * WINDOW + j], window[j], value);
                    }
                    for (var k = 1u; k < DOWN_TAPS; k++) {
                        recent[k - 1u] = recent[k];
                    }
                    recent[DOWN_TAPS - 1u] = clamp(max(GAIN * value, LOW_GAIN * value), -CLAMP, CLAMP);
                    let n = sample + i32(r * UP + phase);
                    let y = u32(max(n, 0)) / DOWN;
                    if (n < 0 || u32(n) % DOWN != 0u || y < first_result || y >= end_result) {
                        continue;
                    }
                    var pairs: array<f32, PAIRS>;
                    if (IS_MIRRORED) {
                        for (var k = 0u; k < PAIRS; k++) {
                            pairs[k] = recent[k] + recent[DOWN_TAPS - 1u - k];
                        }
                    }
                    let to = ((y - first_result) * (TERMS * CHANNELS) + channel) * PITCH + place(column);
                    for (var term = 0u; term < TERMS; term++) {
                        var sum = 0.0;
                        if (IS_MIRRORED) {
                            for (var k = 0u; k < PAIRS; k++) {
                                sum = fma(ALONG_Y[term * DOWN_TAPS + k], pairs[k], sum);
                            }
                        } else {
                            for (var k = 0u; k < DOWN_TAPS; k++) {
                                sum = fma(ALONG_Y[term * DOWN_TAPS + k], recent[k], sum);
                            }
                        }
                        kept[to + term * (CHANNELS * PITCH)] = sum;
                    }
                }
            }
        }
        workgroupBarrier();
        let count = max(end_result, first_result) - first_result;
        for (var e = thread; e < count * (CHANNELS * TILE_W); e += THREADS) {
            let x = e % TILE_W;
            let c = (e / TILE_W) % CHANNELS;
            let y = e / (TILE_W * CHANNELS);
            if (first_o + c >= O || first_x + x >= OUT_W) {
                continue;
            }
            var sum = 0.0;
            for (var term = 0u; term < TERMS; term++) {
                let line = ((y * TERMS + term) * CHANNELS + c) * PITCH + x;
                for (var k = 0u; k < DOWN_TAPS; k++) {
                    sum = fma(ALONG_X[term * DOWN_TAPS + k], kept[line + (k % DOWN) * LANE + k / DOWN], sum);
                }
            }
            put(first_o + c, first_result + y, first_x + x, sum);
        }
    }
}
