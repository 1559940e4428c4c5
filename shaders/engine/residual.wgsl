// The skip connection of the resnet architecture: branch + upsample(small), [O, H, W] with small [SPLITS, O, H/2, W/2],
// the parts of a 1x1 convolution. Twin of `Residual` in src/engine/cpu/torgb.rs.
//! import upsample

@group(0) @binding(0) var<storage, read> parts: array<Num>;
@group(0) @binding(1) var<storage, read> branch: array<Num>;
@group(0) @binding(2) var<storage, read_write> out: array<Num>;

const O: u32 = 64u;
const H: u32 = 16u;
const W: u32 = 16u;
const SPLITS: u32 = 1u;
// Workgroups along x.
const ACROSS: u32 = 1u;

fn sample(o: u32, y: i32, x: i32) -> f32 {
    if (y < 0 || x < 0 || y >= i32(H / 2u) || x >= i32(W / 2u)) {
        return 0.0;
    }
    let at = (o * (H / 2u) + u32(y)) * (W / 2u) + u32(x);
    var sum = 0.0;
    for (var part = 0u; part < SPLITS; part++) {
        sum += f32(parts[part * (O * (H / 2u) * (W / 2u)) + at]);
    }
    return sum;
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let at = (group.y * ACROSS + group.x) * 256u + thread;
    if (at >= O * H * W) {
        return;
    }
    let o = at / (H * W);
    let rows = pair_of((at / W) % H);
    let columns = pair_of(at % W);
    let upper = columns.x * sample(o, rows.first, columns.first) + columns.y * sample(o, rows.first, columns.first + 1);
    let lower = columns.x * sample(o, rows.first + 1, columns.first)
        + columns.y * sample(o, rows.first + 1, columns.first + 1);
    out[at] = Num(f32(branch[at]) + rows.x * upper + rows.y * lower);
}
