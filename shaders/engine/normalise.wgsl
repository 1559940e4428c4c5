// Finishes a layer of a style network: x·scale + shift, activation, clamp, plus the residual; [C, COUNT] -> [C, COUNT], in 32
// bits if it is the picture. Twin of `finish` in src/engine/cpu/norm.rs.

@group(0) @binding(0) var<storage, read> map: array<Num>;
// [C]: scale and shift
@group(0) @binding(1) var<storage, read> scales: array<vec2<f32>>;
// Any buffer if there is none.
@group(0) @binding(2) var<storage, read> residual: array<Num>;
// The result is one of these, depending on IS_PICTURE.
@group(0) @binding(3) var<storage, read_write> out: array<Num>;
@group(0) @binding(4) var<storage, read_write> picture: array<f32>;

const C: u32 = 32u;
// H·W
const COUNT: u32 = 256u;
const HAS_RESIDUAL: bool = true;
const IS_PICTURE: bool = true;
// 0 none, 1 ReLU, 2 signed sigmoid
const ACTIVATION: u32 = 2u;
const CLAMP: f32 = 1.0;
// Workgroups along x.
const ACROSS: u32 = 1u;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let at = (group.y * ACROSS + group.x) * 256u + thread;
    if (at >= C * COUNT) {
        return;
    }
    let scale = scales[at / COUNT];
    var value = f32(map[at]) * scale.x + scale.y;
    if (ACTIVATION == 1u) {
        value = max(value, 0.0);
    }
    if (ACTIVATION == 2u) {
        value = 2.0 / (1.0 + exp(clamp(-value, -80.0, 80.0))) - 1.0;
    }
    value = clamp(value, -CLAMP, CLAMP);
    if (HAS_RESIDUAL) {
        value += f32(residual[at]);
    }
    if (IS_PICTURE) {
        picture[at] = value;
    } else {
        out[at] = Num(value);
    }
}
