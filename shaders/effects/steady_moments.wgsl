// Mean, and sum of squared distances from it, of each part of each of three colours: [3, PLANE] -> [3, PARTS]. Two passes, so
// that a nearly constant canvas loses no precision. One workgroup per part (x) and colour (y).
// Twin of `mean_and_deviation` in src/effects/style/balance.rs; `steady_step` combines the parts.
//! import whole

struct Settings {
    // H·W
    plane: u32,
    parts: u32,
    // Numbers per part; the last part may have fewer.
    length: u32,
}

@group(0) @binding(0) var<uniform> settings: Settings;
@group(0) @binding(1) var<storage, read> canvas: array<f32>;
@group(0) @binding(2) var<storage, read_write> moments: array<vec2<f32>>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let start = group.y * settings.plane + group.x * settings.length;
    let length = min(settings.length, settings.plane - group.x * settings.length);
    var sum = 0.0;
    for (var i = thread; i < length; i += 256u) {
        sum += canvas[start + i];
    }
    let mean = total(thread, sum) / f32(length);
    var squares = 0.0;
    for (var i = thread; i < length; i += 256u) {
        let distance = canvas[start + i] - mean;
        squares += distance * distance;
    }
    squares = total(thread, squares);
    if (thread == 0u) {
        moments[group.y * settings.parts + group.x] = vec2<f32>(mean, squares);
    }
}
