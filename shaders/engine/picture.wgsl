// The content picture of a style network: gain·image + offset. The image is part of the frame's numbers.

@group(0) @binding(0) var<storage, read> frame: array<f32>;
// The result is one of these, depending on IS_PICTURE.
@group(0) @binding(1) var<storage, read_write> out: array<Num>;
@group(0) @binding(2) var<storage, read_write> picture: array<f32>;

// Numbers in the image, and where they start.
const COUNT: u32 = 768u;
const FIRST: u32 = 13u;
const GAIN: f32 = 1.0;
const OFFSET: f32 = 0.0;
const IS_PICTURE: bool = true;
// Workgroups along x.
const ACROSS: u32 = 1u;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let at = (group.y * ACROSS + group.x) * 256u + thread;
    if (at >= COUNT) {
        return;
    }
    let value = GAIN * frame[FIRST + at] + OFFSET;
    if (IS_PICTURE) {
        picture[at] = value;
    } else {
        out[at] = Num(value);
    }
}
