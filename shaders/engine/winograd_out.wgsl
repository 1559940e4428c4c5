// Transforms Winograd products to results, [SIDE·SIDE, SPLITS, O, tiles] -> [O, H, W], with noise, bias and activation if
// this finishes the layer. The products are already demodulated, so that they fit in 16 bits.
// A thread computes a tile of one channel. Twin of `Output` in src/engine/cpu/winograd/same.rs.
//! import epilogue
//! import winograd

@group(0) @binding(3) var<storage, read> products: array<Num>;
@group(0) @binding(4) var<storage, read_write> out: array<Num>;

const O: u32 = 64u;
// Size of the result.
const H: u32 = 16u;
const W: u32 = 16u;
const TILES_X: u32 = 4u;
const TILES: u32 = 16u;
const SPLITS: u32 = 1u;
// Whether this kernel finishes the layer.
const ENDS: bool = true;
// Workgroups along x.
const ACROSS: u32 = 1u;

fn product_at(at: u32, product: u32) -> f32 {
    var sum = 0.0;
    for (var part = 0u; part < SPLITS; part++) {
        sum += f32(products[(product * SPLITS + part) * (O * TILES) + at]);
    }
    return sum;
}

fn line_at(at: u32, y: u32) -> vec4<f32> {
    var line = Line();
    //! each x < SIDE
    line[{x}] = product_at(at, y * SIDE + {x}u);
    return result_line(line);
}

fn put(o: u32, y: u32, x: u32, value: f32) {
    if (y >= H || x >= W) {
        return;
    }
    let pixel = y * W + x;
    if (ENDS) {
        out[o * (H * W) + pixel] = Num(epilogue(value, o, noise_at(pixel)));
    } else {
        out[o * (H * W) + pixel] = Num(value);
    }
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let at = (group.y * ACROSS + group.x) * 256u + thread;
    if (at >= O * TILES) {
        return;
    }
    let o = at / TILES;
    let tile = at % TILES;
    let y = tile / TILES_X * TILE;
    let x = tile % TILES_X * TILE;
    //! each y < SIDE
    let row_{y} = line_at(at, {y}u);
    //! each x < TILE
    var column_{x} = Line();
    //! each x < TILE, y < SIDE
    column_{x}[{y}] = row_{y}[{x}];
    //! each x < TILE
    let done_{x} = result_line(column_{x});
    //! each y < TILE, x < TILE
    put(o, y + {y}u, x + {x}u, done_{x}[{y}]);
}
