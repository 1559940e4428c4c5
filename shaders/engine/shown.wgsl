// Converts the finished picture from -1..1 to bytes: trunc(clamp(127.5 x + 128, 0, 255)) of red, green and blue, and 255, one
// word per pixel. Rows are `pitch` words apart, as required for a copy to a texture. Fewer than three channels are grey.

struct Settings {
    channels: u32,
    width: u32,
    // Pixels per channel.
    count: u32,
    pitch: u32,
}

@group(0) @binding(0) var<uniform> settings: Settings;
@group(0) @binding(1) var<storage, read> picture: array<f32>;
@group(0) @binding(2) var<storage, read_write> rgba: array<u32>;

fn byte(channel: u32, at: u32) -> u32 {
    let plane = select(0u, channel, settings.channels >= 3u);
    return u32(clamp(picture[plane * settings.count + at] * 127.5 + 128.0, 0.0, 255.0));
}

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let at = (group.y * groups.x + group.x) * 256u + thread;
    if (at >= settings.count) {
        return;
    }
    let word = byte(0u, at) | (byte(1u, at) << 8u) | (byte(2u, at) << 16u) | (255u << 24u);
    rgba[at / settings.width * settings.pitch + at % settings.width] = word;
}
