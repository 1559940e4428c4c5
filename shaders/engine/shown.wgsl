// The finished picture, -1..1, as it is shown: trunc(clamp(127.5 x + 128, 0, 255)) of red, green and blue, and 255, in one
// word a pixel. Rows are PITCH words apart, as a copy to a texture wants them. Fewer than three channels are grey.

@group(0) @binding(0) var<storage, read> picture: array<f32>;
@group(0) @binding(1) var<storage, read_write> rgba: array<u32>;

const CHANNELS: u32 = 3u;
const WIDTH: u32 = 16u;
// Pixels of a channel.
const COUNT: u32 = 256u;
const PITCH: u32 = 64u;
// Workgroups along x.
const ACROSS: u32 = 1u;

fn byte(channel: u32, at: u32) -> u32 {
    let plane = select(0u, channel, CHANNELS >= 3u);
    return u32(clamp(picture[plane * COUNT + at] * 127.5 + 128.0, 0.0, 255.0));
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let at = (group.y * ACROSS + group.x) * 256u + thread;
    if (at >= COUNT) {
        return;
    }
    let word = byte(0u, at) | (byte(1u, at) << 8u) | (byte(2u, at) << 16u) | (255u << 24u);
    rgba[at / WIDTH * PITCH + at % WIDTH] = word;
}
