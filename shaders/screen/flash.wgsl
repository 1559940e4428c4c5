// Counts the flashes at the end of the chain, after WCAG 2.3.1: pairs of opposing swings of a tenth of the full light, or of
// saturated red. `watch` runs one workgroup per cell of the picture, then `decide` runs once.

struct Tracker {
    // The highest value since a swing up, or the lowest since a swing down.
    extreme: f32,
    is_up: u32,
    padding: vec2u,
    // For the last four swings up, the newest first: seconds until they are out of the window.
    left: vec4f,
}
struct State {
    // Seconds for which pictures are still damped.
    hold: f32,
    // Share of the new picture in what is shown.
    share: f32,
    is_damping: u32,
    // Whether it has just begun.
    begins: u32,
}
@group(0) @binding(0) var picture: texture_2d<f32>;
@group(0) @binding(1) var bilinear: sampler;
// For each cell the light, then the red.
@group(0) @binding(2) var<storage, read_write> trackers: array<Tracker>;
@group(0) @binding(3) var<storage, read_write> state: State;
@group(0) @binding(4) var<storage, read> dt: f32;

const GRID = vec2u(32u, 18u);
const SWING = 0.1;
// Between two states that are both brighter there is no flash.
const BRIGHT = 0.8;
// A little less than a second: a strobe with three flashes a second is not a picture too fast.
const WINDOW_SECS = 0.99;
// After the last flash too many, damping goes on for `HOLD_SECS` and ends over the last `RELEASE_SECS` of them.
const HOLD_SECS = 1.5;
const RELEASE_SECS = 0.5;
// Time constant: leaves 8 % of three flashes a second between black and white.
const DAMP_SECS = 1.0;

var<workgroup> sums: array<vec3f, 64>;
var<workgroup> counts: array<u32, 64>;

fn follow(at: u32, value: f32, bright: f32) {
    var t = trackers[at];
    t.left = max(t.left - dt, vec4f(0.0));
    if t.is_up == 0u {
        if value >= t.extreme + SWING && t.extreme < bright {
            t.is_up = 1u;
            t.left = vec4f(WINDOW_SECS, t.left.xyz);
            t.extreme = value;
        }
        t.extreme = min(t.extreme, value);
    } else {
        if value <= t.extreme - SWING && value < bright {
            t.is_up = 0u;
            t.extreme = value;
        }
        t.extreme = max(t.extreme, value);
    }
    trackers[at] = t;
}

@compute @workgroup_size(64)
fn watch(@builtin(workgroup_id) cell: vec3u, @builtin(local_invocation_index) i: u32) {
    // 8x8 samples, each the mean of four pixels.
    let size = vec2f(textureDimensions(picture));
    let place = (vec2f(cell.xy) + (vec2f(f32(i % 8u), f32(i / 8u)) + 0.5) / 8.0) / vec2f(GRID);
    let colour = textureSampleLevel(picture, bilinear, round(place * size) / size, 0.0).rgb;
    sums[i] = clamp(colour, vec3f(0.0), vec3f(1.0));
    for (var stride = 32u; stride > 0u; stride /= 2u) {
        workgroupBarrier();
        if i < stride {
            sums[i] += sums[i + stride];
        }
    }
    if i == 0u {
        let mean = sums[0] / 64.0;
        let at = 2u * (cell.y * GRID.x + cell.x);
        follow(at, dot(mean, vec3f(0.2126, 0.7152, 0.0722)), BRIGHT);
        // Saturated red counts from a swing of a sixteenth.
        let is_red = mean.r >= 0.8 * (mean.r + mean.g + mean.b);
        follow(at + 1u, select(0.0, 1.6 * (mean.r - mean.g - mean.b), is_red), 16.0);
    }
}

@compute @workgroup_size(64)
fn decide(@builtin(local_invocation_index) i: u32) {
    let cells = GRID.x * GRID.y;
    var mine = 0u;
    for (var cell = i; cell < cells; cell += 64u) {
        if trackers[2u * cell].left.w > 0.0 || trackers[2u * cell + 1u].left.w > 0.0 {
            mine += 1u;
        }
    }
    counts[i] = mine;
    for (var stride = 32u; stride > 0u; stride /= 2u) {
        workgroupBarrier();
        if i < stride {
            counts[i] += counts[i + stride];
        }
    }
    if i == 0u {
        var s = state;
        s.hold = select(max(s.hold - dt, 0.0), HOLD_SECS, counts[0] * 4u >= cells);
        let is_damping = select(0u, 1u, s.hold > 0.0);
        s.begins = is_damping & (1u - s.is_damping);
        s.is_damping = is_damping;
        let level = clamp(s.hold / RELEASE_SECS, 0.0, 1.0);
        s.share = 1.0 - exp(-dt / max(DAMP_SECS * level * level * level, 1e-4));
        state = s;
    }
}
