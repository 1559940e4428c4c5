// A bend: an operation on the map of a layer, between two steps of a plan. One thread a sample.
// Twin of src/engine/cpu/bend.rs; what the numbers mean is in src/engine/bend.rs.

// The numbers of this bend: what it does and its factors (see below), then 1 or 0 for each channel.
@group(0) @binding(0) var<storage, read> numbers: array<f32>;
// [C, H, W]
@group(0) @binding(1) var<storage, read_write> map: array<Num>;
// As large, or anything if PASS is 0.
@group(0) @binding(2) var<storage, read_write> scratch: array<Num>;
// As large, if the bend remembers.
@group(0) @binding(3) var<storage, read_write> memory: array<Num>;

// 0 works in place, 1 from the map or the memory to the scratch memory, 2 from there back to the map.
const PASS: u32 = 0u;

const LINEAR: u32 = 0u;
const THRESHOLD: u32 = 1u;
const ADD_MEMORY: u32 = 2u;
const FREEZE: u32 = 3u;
const WARP: u32 = 4u;
const FEEDBACK: u32 = 5u;
const LEAST: u32 = 6u;
const MOST: u32 = 7u;
const BLUR: u32 = 8u;

const ZERO: u32 = 0u;
const CLAMP: u32 = 1u;

const FIRST_CHANNEL: u32 = 20u;

fn word(at: u32) -> u32 {
    return bitcast<u32>(numbers[at]);
}

fn work() -> u32 {
    return word(0u);
}

fn height() -> i32 {
    return i32(word(2u));
}

fn width() -> i32 {
    return i32(word(3u));
}

// Whether nothing is remembered yet.
fn is_first() -> bool {
    return word(4u) != 0u;
}

// a, or the gain; the radius; the deviation.
fn a() -> f32 {
    return numbers[7];
}

fn offset() -> f32 {
    return numbers[8];
}

// Within what 16 bits hold, or what the layer is clamped to.
fn put(at: u32, value: f32) {
    map[at] = Num(clamp(value, -numbers[6], numbers[6]));
}

fn index(channel: u32, y: i32, x: i32) -> u32 {
    return (channel * u32(height()) + u32(y)) * u32(width()) + u32(x);
}

// Of a map that is moved: from the memory for feedback, else from the map.
fn moved(channel: u32, y: i32, x: i32) -> f32 {
    let edge = word(5u);
    var at = vec2<i32>(x, y);
    let side = vec2<i32>(width(), height());
    if (edge == ZERO && (any(at < vec2<i32>(0)) || any(at >= side))) {
        return 0.0;
    }
    if (edge == CLAMP) {
        at = clamp(at, vec2<i32>(0), side - vec2<i32>(1));
    } else {
        at = ((at % side) + side) % side;
    }
    let source = index(channel, at.y, at.x);
    if (work() == FEEDBACK) {
        return f32(memory[source]);
    }
    return f32(map[source]);
}

fn warped(channel: u32, y: i32, x: i32) -> f32 {
    let d = vec2<f32>(f32(x), f32(y)) - 0.5 * vec2<f32>(f32(width() - 1), f32(height() - 1));
    let s = vec2<f32>(
        numbers[9] * d.x + numbers[10] * d.y + numbers[11],
        numbers[12] * d.x + numbers[13] * d.y + numbers[14],
    );
    let f = fract(s);
    let corner = vec2<i32>(floor(s));
    return moved(channel, corner.y, corner.x) * (1.0 - f.x) * (1.0 - f.y)
        + moved(channel, corner.y, corner.x + 1) * f.x * (1.0 - f.y)
        + moved(channel, corner.y + 1, corner.x) * (1.0 - f.x) * f.y
        + moved(channel, corner.y + 1, corner.x + 1) * f.x * f.y;
}

// The most of a disc, or minus the least.
fn extreme(channel: u32, y: i32, x: i32, radius: i32) -> f32 {
    let sign = select(-1.0, 1.0, work() == MOST);
    var most = -3.4e38;
    for (var dy = max(-radius, -y); dy <= min(radius, height() - 1 - y); dy++) {
        let half = i32(round(sqrt(f32(radius * radius - dy * dy))));
        for (var at = max(x - half, 0); at <= min(x + half, width() - 1); at++) {
            most = max(most, sign * f32(map[index(channel, y + dy, at)]));
        }
    }
    return sign * most;
}

fn tap(by: i32) -> f32 {
    return exp(-f32(by * by) / (2.0 * a() * a()));
}

// Along a row of the map, or along a column of what came of that.
fn blurred(channel: u32, y: i32, x: i32) -> f32 {
    let reach = i32(ceil(3.0 * a()));
    var sum = 0.0;
    var weight = 0.0;
    for (var by = -reach; by <= reach; by++) {
        let share = tap(by);
        weight += share;
        if (PASS == 1u) {
            sum += share * f32(map[index(channel, y, clamp(x + by, 0, width() - 1))]);
        } else {
            sum += share * f32(scratch[index(channel, clamp(y + by, 0, height() - 1), x)]);
        }
    }
    return sum / weight;
}

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let at = (group.y * groups.x + group.x) * 256u + thread;
    let samples = u32(height() * width());
    if (at >= word(1u) * samples) {
        return;
    }
    let channel = at / samples;
    let y = i32(at % samples) / width();
    let x = i32(at % samples) % width();
    let is_chosen = numbers[FIRST_CHANNEL + channel] != 0.0;
    let value = f32(map[at]);
    let work = work();
    if (PASS == 0u) {
        if (work == FREEZE && is_first()) {
            memory[at] = map[at];
        } else if (is_chosen && work == LINEAR) {
            put(at, a() * value + offset());
        } else if (is_chosen && work == THRESHOLD) {
            put(at, select(0.0, 1.0, value > a()));
        } else if (is_chosen && work == ADD_MEMORY) {
            put(at, value + a() * f32(memory[at]));
        } else if (is_chosen && work == FREEZE) {
            put(at, value + a() * (f32(memory[at]) - value));
        }
        return;
    }
    if (PASS == 1u) {
        var result = value;
        if (work == BLUR) {
            result = blurred(channel, y, x);
        } else if (is_chosen && work == WARP) {
            let there = warped(channel, y, x);
            result = select(value + a() * (there - value), there, a() == 1.0);
        } else if (is_chosen && work == FEEDBACK && !is_first()) {
            result = value + a() * (warped(channel, y, x) - value);
        } else if (is_chosen && (work == LEAST || work == MOST)) {
            let radius = i32(floor(a()));
            let part = fract(a());
            result = extreme(channel, y, x, radius);
            if (part > 0.0) {
                result = (1.0 - part) * result + part * extreme(channel, y, x, radius + 1);
            }
        }
        scratch[at] = Num(clamp(result, -numbers[6], numbers[6]));
        return;
    }
    if (work == FEEDBACK) {
        memory[at] = scratch[at];
    }
    if (is_chosen) {
        if (work == BLUR) {
            put(at, blurred(channel, y, x));
        } else {
            map[at] = scratch[at];
        }
    }
}
