// Adds the parts of a split convolution, and finishes the layer: [SPLITS, O, H, W] -> [O, H, W].
//! import epilogue

@group(0) @binding(3) var<storage, read> parts: array<Num>;
@group(0) @binding(4) var<storage, read_write> out: array<Num>;

const O: u32 = 64u;
// H·W
const COUNT: u32 = 256u;
const SPLITS: u32 = 2u;
// Workgroups along x.
const ACROSS: u32 = 1u;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let at = (group.y * ACROSS + group.x) * 256u + thread;
    if (at >= O * COUNT) {
        return;
    }
    var sum = 0.0;
    for (var part = 0u; part < SPLITS; part++) {
        sum += f32(parts[part * (O * COUNT) + at]);
    }
    out[at] = Num(epilogue(sum, at / COUNT, noise_at(at % COUNT)));
}
