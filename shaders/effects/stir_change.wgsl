// How far a painting has moved from the previous one, and the seed of its grain, for each part: [COUNT] twice -> [PARTS].
// One workgroup per part. Twin of the first half of `stir` in src/effects/style/balance.rs.
//! import whole

struct Settings {
    count: u32,
    // Numbers per part; the last part may have fewer.
    length: u32,
}

struct Change {
    // Sum of the differences.
    moved: f32,
    // Sum of hashes of the numbers and their positions.
    seed: u32,
}

@group(0) @binding(0) var<uniform> settings: Settings;
@group(0) @binding(1) var<storage, read> painting: array<f32>;
@group(0) @binding(2) var<storage, read> before: array<f32>;
@group(0) @binding(3) var<storage, read_write> changes: array<Change>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let start = group.x * settings.length;
    let end = min(start + settings.length, settings.count);
    var moved = 0.0;
    var seed = 0u;
    for (var i = start + thread; i < end; i += 256u) {
        moved += abs(painting[i] - before[i]);
        seed += mix_bits(bitcast<u32>(painting[i]) ^ mix_bits(i));
    }
    moved = total(thread, moved);
    seed = total_seed(thread, seed);
    if (thread == 0u) {
        changes[group.x] = Change(moved, seed);
    }
}
