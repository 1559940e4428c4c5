// A square part of a picture, enlarged to the whole by the Catmull-Rom cubic, [C, H, W]. Beyond the edges the last pixel is
// repeated. Twin of `windowed` in src/image/resample.rs.

struct Settings {
    count: u32,
    width: u32,
    height: u32,
    // The part, in widths and heights of the picture.
    left: f32,
    top: f32,
    size: f32,
}

@group(0) @binding(0) var<uniform> settings: Settings;
@group(0) @binding(1) var<storage, read> picture: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;

fn weights(t: f32) -> vec4<f32> {
    return vec4<f32>(
        ((-0.5 * t + 1.0) * t - 0.5) * t,
        (1.5 * t - 2.5) * t * t + 1.0,
        ((-1.5 * t + 2.0) * t + 0.5) * t,
        (0.5 * t - 0.5) * t * t,
    );
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
    let sides = vec2<u32>(settings.width, settings.height);
    let pixel = at % (sides.x * sides.y);
    let plane = at - pixel;
    let middle = vec2<f32>(f32(pixel % sides.x), f32(pixel / sides.x)) + 0.5;
    let place = (vec2<f32>(settings.left, settings.top) + middle / vec2<f32>(sides) * settings.size) * vec2<f32>(sides) - 0.5;
    let below = floor(place);
    let across = weights(place.x - below.x);
    let down = weights(place.y - below.y);
    let last = vec2<i32>(sides) - 1;
    var sum = 0.0;
    for (var j = 0; j < 4; j++) {
        let y = u32(clamp(i32(below.y) + j - 1, 0, last.y));
        var row = 0.0;
        for (var i = 0; i < 4; i++) {
            let x = u32(clamp(i32(below.x) + i - 1, 0, last.x));
            row += across[i] * picture[plane + y * sides.x + x];
        }
        sum += down[j] * row;
    }
    out[at] = sum;
}
