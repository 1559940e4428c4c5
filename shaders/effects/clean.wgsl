// Takes what pixels of one place in the lattice have in common out of a painting. Twin of `clean_twin` in
// src/effects/style/clean.rs.

struct Settings {
    // Numbers.
    count: u32,
    amount: f32,
}

@group(0) @binding(0) var<uniform> settings: Settings;
// Means over pixels of the same place in the lattice.
@group(0) @binding(1) var<storage, read> woven: array<f32>;
// Means over all places.
@group(0) @binding(2) var<storage, read> plain: array<f32>;
@group(0) @binding(3) var<storage, read_write> painting: array<f32>;

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
    painting[at] = clamp(painting[at] - settings.amount * (woven[at] - plain[at]), -1.0, 1.0);
}
