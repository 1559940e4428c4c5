// What the convolutions with cooperative matrices share: 16-bit products, 32-bit sums.
//
// A workgroup computes OUTPUTS x PIXELS results, each of its subgroups ROWS x COLUMNS matrices of them. DEPTH inputs of the
// map at a time, multiplied by the style, are in workgroup memory: a tile of the results' size with REACH more rows and
// columns, in which a tap is an offset. While a tile is multiplied, each thread already loads its part of the next one, and
// the weights of the next tap, which come straight from memory: a matrix of them lies in one piece.
// A tile is TILE_H x TILE_W pixels of the map, or, where that would mostly be empty, PIXELS of them numbered over rows of PITCH:
// the input's rows with a column of zeros between them that serves as both borders.
// Loops over letters are expanded by the program, because WGSL does not keep arrays of matrices in registers.

// [BATCH, I_PADDED / DEPTH, TAPS, DEEP, O_PADDED, SIDE / 4]
@group(0) @binding(4) var<storage, read> weight: array<vec4<Num>>;

// Taps of a row.
const TAPS_X: u32 = 3u;
// Rows and columns of a matrix, threads of a subgroup.
const SIDE: u32 = 16u;
const LANES: u32 = 32u;
// Subgroups along the outputs and along the pixels, and matrices of each.
const DOWN: u32 = 2u;
const ACROSS: u32 = 2u;
const ROWS: u32 = 2u;
const COLUMNS: u32 = 2u;
// Inputs in the tile, and how many matrices that is.
const DEPTH: u32 = 16u;
const DEEP: u32 = 1u;
const IS_FLAT: bool = false;
const TILE_H: u32 = 4u;
const TILE_W: u32 = 16u;
// vec4s of the tile that a thread loads.
const LOADS: u32 = 4u;
// Results of an up-sampling layer per input pixel.
const PARITIES: u32 = 4u;

const OUTPUTS: u32 = DOWN * ROWS * SIDE;
const PIXELS: u32 = ACROSS * COLUMNS * SIDE;
const THREADS: u32 = DOWN * ACROSS * LANES;
const FOURS: u32 = DEPTH / 4u;
// vec4s from one pixel of the tile to the next, with 16 bytes of padding, so that eight of them are in different banks.
const STRIDE: u32 = FOURS + 2u;
// Size of the computed result; even parities have one more on each axis.
const EXTRA: u32 = select(GROWS, 1u, UP);
const GRID: u32 = W + EXTRA;
const HEIGHT: u32 = H + EXTRA;
const PITCH: u32 = max(GRID, W + select(0u, 1u, TAPS == 9u));
const REACH: u32 = select(select(0u, 2u, TAPS == 9u), 1u, UP);
// Samples before the first result's position.
const BACK: u32 = select(select(0u, 1u, TAPS == 9u) + GROWS / 2u, 1u, UP);
const LINES: u32 = TILE_H + REACH;
const SPAN: u32 = TILE_W + REACH;
const TILES_X: u32 = (GRID + TILE_W - 1u) / TILE_W;
const CHUNKS: u32 = I_PADDED / DEPTH;
// Matrices of weights that follow each other in a chunk, and vec4s from one to the next.
const STEPS: u32 = TAPS * DEEP;
const NEXT: u32 = O_PADDED * SIDE / 4u;
// vec4s of a matrix, and of its rows.
const MATRIX: u32 = SIDE * SIDE / 4u;
const QUARTER: u32 = SIDE / 4u;
// The largest 16-bit number, so that an extreme style does not give infinity.
const MOST: f32 = 65504.0;

alias Left = coop_mat{SIDE}x{SIDE}<f16, A>;
alias Right = coop_mat{SIDE}x{SIDE}<f16, B>;
alias Sum = coop_mat{SIDE}x{SIDE}<f32, C>;

// [LINES, SPAN, STRIDE]
var<workgroup> tile: array<vec4<f16>, LINES * SPAN * STRIDE>;
// Two matrices per subgroup, so that one is read while the other is written.
var<workgroup> sums: array<f32, DOWN * ACROSS * 2u * SIDE * SIDE>;

// Row and column of the first result of a workgroup; its position if tiles are flat.
fn first_of(group: u32) -> vec2<i32> {
    if (IS_FLAT) {
        return vec2<i32>(0, i32(group * PIXELS));
    }
    return vec2<i32>(i32(group / TILES_X * TILE_H), i32(group % TILES_X * TILE_W));
}

// Four inputs of one pixel of the tile, numbered by pixels first; 0 outside the map. `origin` is the first input's index.
fn fetch(first: vec2<i32>, origin: u32, chunk: u32, e: u32) -> vec4<f16> {
    let at = e % SPAN;
    let line = e / SPAN % LINES;
    let i = chunk * DEPTH + e / (SPAN * LINES) * 4u;
    var y = first.x + i32(line) - i32(BACK);
    var x = first.y + i32(at) - i32(BACK);
    if (IS_FLAT) {
        let position = first.y + i32(at) - i32(BACK) + (i32(line) - i32(BACK)) * i32(PITCH);
        y = select(i32(max(position, 0) / i32(PITCH)), -1, position < 0);
        x = max(position, 0) % i32(PITCH);
    }
    let is_inside = y >= 0 && x >= 0 && y < i32(H) && x < i32(W);
    // Read in any case, so that all loads of a thread are on their way at once. Weights beyond the inputs are 0.
    let pixel = origin + select(0u, u32(y) * W + u32(x), is_inside);
    let a = min(i, I - 1u);
    let b = min(i + 1u, I - 1u);
    let c = min(i + 2u, I - 1u);
    let d = min(i + 3u, I - 1u);
    var value = vec4<f32>(
        f32(input[pixel + a * (H * W)]),
        f32(input[pixel + b * (H * W)]),
        f32(input[pixel + c * (H * W)]),
        f32(input[pixel + d * (H * W)]),
    );
    if (HAS_STYLE) {
        value *= vec4<f32>(styles[STYLE + a], styles[STYLE + b], styles[STYLE + c], styles[STYLE + d]);
    }
    return select(vec4<f16>(), vec4<f16>(clamp(value, vec4<f32>(-MOST), vec4<f32>(MOST))), is_inside);
}

fn keep(e: u32, value: vec4<f16>) {
    if (e < FOURS * LINES * SPAN) {
        tile[e % (SPAN * LINES) * STRIDE + e / (SPAN * LINES)] = value;
    }
}

// Row and column of a matrix of results in the tile.
fn place_of(matrix: u32) -> vec2<u32> {
    return vec2<u32>(matrix / (TILE_W / SIDE), matrix % (TILE_W / SIDE) * SIDE);
}

// Finishes a matrix of sums, which is in `sums` from `own`. A lane does every LANES / SIDE-th output of one pixel.
fn put(own: u32, first_o: u32, first: vec2<i32>, matrix: u32, part: u32, lane: u32) {
    let place = place_of(matrix);
    let column = lane % SIDE;
    var y = u32(first.x) + place.x;
    var x = u32(first.y) + place.y + column;
    if (IS_FLAT) {
        y = x / PITCH;
        x = x % PITCH;
    }
    if (y >= HEIGHT || x >= GRID) {
        return;
    }
    let pixel = y * GRID + x;
    var noise = 0.0;
    if (ENDS) {
        noise = noise_at(pixel);
    }
    for (var row = lane / SIDE; row < SIDE && first_o + row < O; row += LANES / SIDE) {
        let o = first_o + row;
        let sum = sums[own + row * SIDE + column];
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
