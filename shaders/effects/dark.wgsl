// Brings a picture [3, H, W] back into what is painted over it where it is dark and flat. Twin of `dark_twin` in
// src/effects/style/dark.rs.

struct Settings {
    // Pixels.
    count: u32,
    amount: f32,
    // Light plus contrast: up to `low` the picture shows, from `high` on the painting.
    low: f32,
    high: f32,
}

@group(0) @binding(0) var<uniform> settings: Settings;
@group(0) @binding(1) var<storage, read> picture: array<f32>;
// Local means of luma and its square.
@group(0) @binding(2) var<storage, read> moments: array<f32>;
@group(0) @binding(3) var<storage, read_write> shown: array<f32>;

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
    let mean = moments[at];
    let deviation = sqrt(max(moments[at + settings.count] - mean * mean, 0.0));
    let t = clamp((mean + 2.0 * deviation - settings.low) / (settings.high - settings.low), 0.0, 1.0);
    let back = settings.amount * (1.0 - t * t * (3.0 - 2.0 * t));
    for (var c = 0u; c < 3u; c++) {
        let i = at + c * settings.count;
        shown[i] += back * (picture[i] - shown[i]);
    }
}
