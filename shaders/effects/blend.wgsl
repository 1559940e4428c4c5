// A weighted sum of up to three pictures of the same size: [C, H, W] each, with the result's C, or one colour, which is grey.
// Twin of `blend` in src/effects/blend.rs.

struct Settings {
    // Numbers in the result.
    count: u32,
    // H·W
    plane: u32,
    // Of each picture.
    first_channels: u32,
    second_channels: u32,
    third_channels: u32,
    // A picture with weight 0 is not read.
    first_share: f32,
    second_share: f32,
    third_share: f32,
}

@group(0) @binding(0) var<uniform> settings: Settings;
@group(0) @binding(1) var<storage, read> first: array<f32>;
@group(0) @binding(2) var<storage, read> second: array<f32>;
@group(0) @binding(3) var<storage, read> third: array<f32>;
@group(0) @binding(4) var<storage, read_write> out: array<f32>;

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
    let colour = at - at % settings.plane;
    let pixel = at % settings.plane;
    var sum = 0.0;
    if (settings.first_share > 0.0) {
        sum += settings.first_share * first[pixel + select(0u, colour, settings.first_channels >= 3u)];
    }
    if (settings.second_share > 0.0) {
        sum += settings.second_share * second[pixel + select(0u, colour, settings.second_channels >= 3u)];
    }
    if (settings.third_share > 0.0) {
        sum += settings.third_share * third[pixel + select(0u, colour, settings.third_channels >= 3u)];
    }
    out[at] = sum;
}
