// Transforms the input of a 3x3 convolution for Winograd: [I, H, W] times the style -> [SIDE·SIDE, I, tiles].
// A thread transforms a tile of one channel; neighbouring threads have neighbouring tiles, so that they write neighbouring
// numbers. The map is padded with zeros, or by reflection. Twin of `Input` in src/engine/cpu/winograd/same.rs.
//! import reflect
//! import winograd

@group(0) @binding(0) var<storage, read> input: array<Num>;
@group(0) @binding(1) var<storage, read> styles: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<Num>;

const I: u32 = 32u;
const H: u32 = 16u;
const W: u32 = 16u;
// Samples before the first result's position, along both axes: 1, or 2 for a map that grows.
const BACK: u32 = 1u;
const TILES_X: u32 = 4u;
const TILES: u32 = 16u;
const HAS_STYLE: bool = true;
const STYLE: u32 = 0u;
// Whether the map is padded by reflection, after repeating its samples UP times.
const REFLECTS: bool = false;
const UP: u32 = 1u;
// Workgroups along x.
const ACROSS: u32 = 1u;
// The largest `Num`, so that an extreme style does not give infinity.
const MOST: f32 = 65504.0;

fn sample(i: u32, y: i32, x: i32) -> f32 {
    if (REFLECTS) {
        let row = min(reflect_at(y, UP * H, 1u), UP * H - 1u) / UP;
        let column = min(reflect_at(x, UP * W, 1u), UP * W - 1u) / UP;
        return f32(input[(i * H + row) * W + column]);
    }
    if (y < 0 || y >= i32(H) || x < 0 || x >= i32(W)) {
        return 0.0;
    }
    return f32(input[(i * H + u32(y)) * W + u32(x)]);
}

fn line_at(i: u32, y: i32, x: i32) -> Line {
    var line = Line();
    //! each x < SIDE
    line[{x}] = sample(i, y, x + {x});
    return input_line(line);
}

fn put(at: u32, product: u32, value: f32) {
    out[product * (I * TILES) + at] = Num(clamp(value, -MOST, MOST));
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let at = (group.y * ACROSS + group.x) * 256u + thread;
    if (at >= I * TILES) {
        return;
    }
    let i = at / TILES;
    let tile = at % TILES;
    let y = i32(tile / TILES_X * TILE) - i32(BACK);
    let x = i32(tile % TILES_X * TILE) - i32(BACK);
    var style = 1.0;
    if (HAS_STYLE) {
        style = styles[STYLE + i];
    }
    //! each y < SIDE
    let row_{y} = line_at(i, y + {y}, x);
    //! each x < SIDE
    var column_{x} = Line();
    //! each x < SIDE, y < SIDE
    column_{x}[{y}] = row_{y}[{x}];
    //! each x < SIDE
    let done_{x} = input_line(column_{x});
    //! each y < SIDE, x < SIDE
    put(at, {y}u * SIDE + {x}u, style * done_{x}[{y}]);
}
