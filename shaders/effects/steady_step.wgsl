// How far the canvas has to move back into its band: [3, PARTS] moments -> a `Step`. One workgroup. Twin of the first half of
// `steady` in src/effects/style/balance.rs.
//! import whole

struct Settings {
    // H·W
    plane: u32,
    parts: u32,
    // Numbers per part; the last part may have fewer.
    length: u32,
    share: f32,
    mean_limit: f32,
    least: f32,
    greatest: f32,
    // Largest step per frame.
    step: f32,
    // Below this deviation a canvas counts as empty.
    empty: f32,
}

struct Step {
    // For each colour.
    means: array<f32, 3>,
    // 1 and 0 leave the canvas unchanged.
    stretch: f32,
    shift: f32,
    // Deviation of the grain; 0 for none.
    grain: f32,
}

@group(0) @binding(0) var<uniform> settings: Settings;
@group(0) @binding(1) var<storage, read> moments: array<vec2<f32>>;
@group(0) @binding(2) var<storage, read_write> step: Step;

fn share_of(part: u32) -> f32 {
    return f32(min(settings.length, settings.plane - part * settings.length)) / f32(settings.plane);
}

// Mean and variance of one colour. The first part's mean is subtracted first: the remainder is small and keeps its precision.
fn colour(thread: u32, c: u32) -> vec2<f32> {
    let first = c * settings.parts;
    let origin = moments[first].x;
    var offset = 0.0;
    var squares = 0.0;
    for (var part = thread; part < settings.parts; part += 256u) {
        offset += share_of(part) * (moments[first + part].x - origin);
        squares += moments[first + part].y / f32(settings.plane);
    }
    let mean = origin + total(thread, offset);
    for (var part = thread; part < settings.parts; part += 256u) {
        let distance = moments[first + part].x - mean;
        squares += share_of(part) * (distance * distance);
    }
    return vec2<f32>(mean, total(thread, squares));
}

@compute @workgroup_size(256)
fn main(@builtin(local_invocation_index) thread: u32) {
    var mean = 0.0;
    var variance = 0.0;
    var means = vec3<f32>(0.0);
    for (var c = 0u; c < 3u; c++) {
        let found = colour(thread, c);
        means[c] = found.x;
        mean += found.x / 3.0;
        variance += found.y / 3.0;
    }
    if (thread != 0u) {
        return;
    }
    let deviation = sqrt(variance);
    // The quotient of equal numbers need not be 1 on a card, so nothing is divided inside the band.
    var stretch = 1.0;
    if (deviation < settings.least || deviation > settings.greatest) {
        let wanted = clamp(deviation, settings.least, settings.greatest) / max(deviation, 1e-6);
        stretch = 1.0 + (clamp(wanted, 1.0 - settings.step, 1.0 + settings.step) - 1.0) * settings.share;
    }
    let back = clamp(mean, -settings.mean_limit, settings.mean_limit) - mean;
    for (var c = 0u; c < 3u; c++) {
        step.means[c] = means[c];
    }
    step.stretch = stretch;
    step.shift = clamp(back, -settings.step, settings.step) * settings.share;
    step.grain = select(0.0, settings.share * settings.empty, deviation < settings.empty);
}
