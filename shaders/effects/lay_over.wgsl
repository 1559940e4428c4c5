// Blends the painting, fading from the previous one to the newest, over the picture; all [C, H, W]. Twin of `lay_over` in
// src/effects/style/painter.rs.

struct Settings {
    count: u32,
    // Share of the newest painting in the painting.
    fade: f32,
    // Share of the painting in the result.
    amount: f32,
}

@group(0) @binding(0) var<uniform> settings: Settings;
@group(0) @binding(1) var<storage, read> picture: array<f32>;
@group(0) @binding(2) var<storage, read> before: array<f32>;
@group(0) @binding(3) var<storage, read> painting: array<f32>;
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
    let painted = before[at] * (1.0 - settings.fade) + painting[at] * settings.fade;
    out[at] = picture[at] * (1.0 - settings.amount) + painted * settings.amount;
}
