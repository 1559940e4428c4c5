// Clamps every number to -1..1; NaN becomes 0. Twin of `clamp` in src/effects/style/balance.rs.

struct Settings {
    count: u32,
}

@group(0) @binding(0) var<uniform> settings: Settings;
// Floats as bits, because WGSL makes no promises about NaN.
@group(0) @binding(1) var<storage, read_write> picture: array<u32>;

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
    let bits = picture[at];
    let size = bits & 0x7fffffffu;
    if (size > 0x7f800000u) {
        picture[at] = 0u;
    } else if (size > 0x3f800000u) {
        // 1 with the sign of the input.
        picture[at] = 0x3f800000u | (bits & 0x80000000u);
    }
}
