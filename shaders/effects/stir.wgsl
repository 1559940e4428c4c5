// Adds grain to a painting that hardly differs from the previous one: [COUNT]. Twin of the second half of `stir` in
// src/effects/style/balance.rs; `stir_change` has measured how far it moved.
//! import whole

struct Settings {
    count: u32,
    // At most 256.
    parts: u32,
    // A painting with a smaller total change counts as still.
    still: f32,
    // Deviation of the grain.
    grain: f32,
    // Of the twin.
    share: f32,
}

struct Change {
    moved: f32,
    seed: u32,
}

@group(0) @binding(0) var<uniform> settings: Settings;
@group(0) @binding(1) var<storage, read> changes: array<Change>;
// Binding 2 is the painting before, which the twin looks at.
@group(0) @binding(3) var<storage, read_write> painting: array<f32>;

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    var change = Change(0.0, 0u);
    if (thread < settings.parts) {
        change = changes[thread];
    }
    let moved = total(thread, change.moved);
    let seed = total_seed(thread, change.seed);
    let at = (group.y * groups.x + group.x) * 256u + thread;
    if (at < settings.count && moved < settings.still) {
        painting[at] += grain(at, seed, settings.grain);
    }
}
