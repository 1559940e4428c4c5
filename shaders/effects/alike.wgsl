// Means over 5 x 5 pixels of a picture [3, H, W], `stride` apart, that count the more the more alike they are. Twin of
// `alike_twin` in src/effects/style/clean.rs.

struct Settings {
    // Pixels.
    count: u32,
    width: u32,
    height: u32,
    stride: u32,
    // Weights of the pixels at a distance of 1 and 2 strides; that of the middle is 1.
    next: f32,
    outer: f32,
}

@group(0) @binding(0) var<uniform> settings: Settings;
@group(0) @binding(1) var<storage, read> picture: array<f32>;
@group(0) @binding(2) var<storage, read_write> means: array<f32>;

fn colour(at: u32) -> vec3<f32> {
    return vec3<f32>(picture[at], picture[at + settings.count], picture[at + 2u * settings.count]);
}

fn weight(steps: i32) -> f32 {
    return select(select(settings.outer, settings.next, abs(steps) == 1), 1.0, steps == 0);
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
    let here = colour(at);
    let place = vec2<i32>(i32(at % settings.width), i32(at / settings.width));
    let size = vec2<i32>(i32(settings.width), i32(settings.height));
    var sum = vec3<f32>(0.0);
    var total = 0.0;
    for (var j = -2; j <= 2; j++) {
        for (var i = -2; i <= 2; i++) {
            let there = place + vec2<i32>(i, j) * i32(settings.stride);
            if (any(there < vec2<i32>(0)) || any(there >= size)) {
                continue;
            }
            let other = colour(u32(there.y * size.x + there.x));
            let difference = other - here;
            let likeness = max(1.0 - dot(difference, difference), 0.0);
            let share = weight(i) * weight(j) * likeness * likeness;
            sum += share * other;
            total += share;
        }
    }
    let mean = sum / total;
    means[at] = mean.x;
    means[at + settings.count] = mean.y;
    means[at + 2u * settings.count] = mean.z;
}
