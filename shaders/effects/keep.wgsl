// Brings back some of the picture's colour or light into a painting, [3, H, W] both. Twin of `keep` in
// src/effects/style/balance.rs.

struct Settings {
    // Pixels.
    count: u32,
    amount: f32,
    // 1 keeps the picture's light, 0 its colour.
    is_light: u32,
}

@group(0) @binding(0) var<uniform> settings: Settings;
@group(0) @binding(1) var<storage, read> picture: array<f32>;
@group(0) @binding(2) var<storage, read_write> painting: array<f32>;

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
    let painted = vec3<f32>(painting[at], painting[green], painting[blue]);
    let original = vec3<f32>(picture[at], picture[green], picture[blue]);
    // Luma with Rec. 601 weights.
    let weights = vec3<f32>(0.299, 0.587, 0.114);
    let painted_light = dot(weights, painted);
    let light = dot(weights, original);
    // Less light has less colour: the distance to grey shrinks with it.
    let fade = clamp((1.0 + light) / max(1.0 + painted_light, 1e-3), 0.0, 1.0);
    let coloured = original + (painted_light - light);
    let wanted = select(coloured, light + (painted - painted_light) * fade, settings.is_light != 0u);
    let kept = clamp(painted + settings.amount * (wanted - painted), vec3<f32>(-1.0), vec3<f32>(1.0));
    painting[at] = kept.x;
    painting[green] = kept.y;
    painting[blue] = kept.z;
}
