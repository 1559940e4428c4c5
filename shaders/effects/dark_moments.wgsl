// The luma of a picture [3, H, W] from 0 to 1, and its square. Twin of `moments_twin` in src/effects/style/dark.rs.

struct Settings {
    // Pixels.
    count: u32,
}

@group(0) @binding(0) var<uniform> settings: Settings;
@group(0) @binding(1) var<storage, read> picture: array<f32>;
@group(0) @binding(2) var<storage, read_write> moments: array<f32>;

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
    let green = at + settings.count;
    let blue = green + settings.count;
    // Rec. 601 weights.
    let luma = 0.299 * picture[at] + 0.587 * picture[green] + 0.114 * picture[blue];
    let light = clamp(0.5 + 0.5 * luma, 0.0, 1.0);
    moments[at] = light;
    moments[green] = light * light;
}
