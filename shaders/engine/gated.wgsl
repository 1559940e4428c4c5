// Scale and shift per channel, then a gated linear unit ([2C, COUNT] -> [C, COUNT]), nothing or tanh
// ([C, COUNT] -> [C, COUNT]), and a factor per channel; 32-bit output for the picture.
// Twin of `Row` in src/engine/cpu/gated.rs.

// [2C or C, COUNT]
@group(0) @binding(0) var<storage, read> map: array<Num>;
// All scales, then all shifts, starting at STYLE.
@group(0) @binding(1) var<storage, read> styles: array<f32>;
// [C], or anything if there are none
@group(0) @binding(2) var<storage, read> gates: array<Num>;
// The result is one of these, depending on IS_PICTURE.
@group(0) @binding(3) var<storage, read_write> out: array<Num>;
@group(0) @binding(4) var<storage, read_write> picture: array<f32>;

const C: u32 = 32u;
// H·W
const COUNT: u32 = 256u;
const STYLE: u32 = 0u;
const IS_GLU: bool = true;
const IS_TANH: bool = false;
const HAS_GATES: bool = true;
const IS_PICTURE: bool = true;
// Workgroups along x.
const ACROSS: u32 = 1u;
const INPUTS: u32 = select(C, 2u * C, IS_GLU);

fn normalised(channel: u32, pixel: u32) -> f32 {
    return f32(map[channel * COUNT + pixel]) * styles[STYLE + channel] + styles[STYLE + INPUTS + channel];
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let at = (group.y * ACROSS + group.x) * 256u + thread;
    if (at >= C * COUNT) {
        return;
    }
    let channel = at / COUNT;
    let pixel = at % COUNT;
    var value = normalised(channel, pixel);
    if (IS_GLU) {
        value /= 1.0 + exp(clamp(-normalised(C + channel, pixel), -80.0, 80.0));
    }
    if (IS_TANH) {
        value = 2.0 / (1.0 + exp(clamp(-2.0 * value, -80.0, 80.0))) - 1.0;
    }
    if (HAS_GATES) {
        value *= f32(gates[channel]);
    }
    if (IS_PICTURE) {
        picture[at] = value;
    } else {
        out[at] = Num(value);
    }
}
