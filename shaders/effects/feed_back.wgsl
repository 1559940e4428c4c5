// The last painting, moved and mixed into the canvas: canvas + share·(moved − canvas), [C, H, W]. Bilinear, reflected at the
// edges. Twin of `moved` in src/image/resample.rs and of `feed_back` in src/effects/style/painter.rs.

struct Settings {
    count: u32,
    width: u32,
    height: u32,
    share: f32,
    // 0: no motion.
    moves: u32,
    cos: f32,
    sin: f32,
    zoom: f32,
    // Pixels to the right, and down.
    x: f32,
    y: f32,
}

@group(0) @binding(0) var<uniform> settings: Settings;
@group(0) @binding(1) var<storage, read> painting: array<f32>;
@group(0) @binding(2) var<storage, read_write> canvas: array<f32>;

// A coordinate reflected into 0..=side − 1.
fn mirrored(at: f32, side: u32) -> f32 {
    let last = f32(side) - 1.0;
    if (at >= 0.0 && at <= last) {
        return at;
    }
    let period = 2.0 * last;
    let folded = at - period * floor(at / period);
    return clamp(min(folded, period - folded), 0.0, last);
}

// The painting's number at `at`, with the pixel replaced by its source.
fn moved(at: u32) -> f32 {
    let plane = settings.width * settings.height;
    let pixel = at % plane;
    let centre = (vec2<f32>(f32(settings.width), f32(settings.height)) - 1.0) / 2.0;
    let place = vec2<f32>(f32(pixel % settings.width), f32(pixel / settings.width));
    // Inverse motion.
    let d = place - centre - vec2<f32>(settings.x, settings.y);
    let x = mirrored((settings.cos * d.x + settings.sin * d.y) / settings.zoom + centre.x, settings.width);
    let y = mirrored((settings.cos * d.y - settings.sin * d.x) / settings.zoom + centre.y, settings.height);
    let left = min(u32(x), settings.width - 2u);
    let top = min(u32(y), settings.height - 2u);
    let corner = at - pixel + top * settings.width + left;
    let below = corner + settings.width;
    let upper = mix(painting[corner], painting[corner + 1u], x - f32(left));
    let lower = mix(painting[below], painting[below + 1u], x - f32(left));
    return mix(upper, lower, y - f32(top));
}

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
    var last = painting[at];
    if (settings.moves != 0u) {
        last = moved(at);
    }
    let now = canvas[at];
    canvas[at] = now + settings.share * (last - now);
}
