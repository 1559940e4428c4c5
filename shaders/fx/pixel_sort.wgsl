//! Sorts the pixels of a row or a column by their light, in every run that is neither too dark nor too bright.
//
// At a fixed size: the streaks are as thick at every output size, and there is less to sort. A row is one workgroup: it finds
// the runs, then sorts all of them at once by a bitonic sort (Batcher 1968) of keys in shared memory.
//@ texture small 640x360
//@ texture sorted 640x360
//@ texture crossed 640x360
//@ step shrink -> small
//@ compute sort_rows -> sorted rows
//@ compute sort_columns -> crossed columns

struct Params {
    along: u32,  // rows | columns | both = columns: what is sorted
    low: f32,    // 0..1 = 0.3: darker pixels stay where they are
    high: f32,   // 0..1 = 0.9: brighter pixels stay where they are
    length: f32, // 0.01..1 square = 0.3: longest run, as a share of the picture
    ragged: f32, // 0..1 = 0.6: how different the longest runs are
    order: u32,  // rising | falling = rising: light at the end or at the beginning
    calm: f32,   // 0..2 s square = 0.12: how slowly the streaks change
}

// The longest line, a power of two. Ten bits of a key.
const LONGEST = 1024u;
const THREADS = 64u;

// A key is the start of the pixel's run (10 bits), its light (10 bits) and where it was (10 bits).
var<workgroup> keys: array<u32, LONGEST>;
// The last start of a run in each thread's piece.
var<workgroup> starts: array<u32, THREADS>;

fn light_of(colour: vec4f) -> f32 {
    return encode(vec3f(clamp(luma(colour.rgb), 0.0, 1.0))).r;
}

// Whether a run begins at pixel `i` of line `line` because the one before is long enough.
fn cut(i: u32, line: u32, count: u32) -> bool {
    let longest = max(p.length * f32(count), 2.0);
    // Neighbouring lines are cut alike, in bands as wide as a streak looks good.
    let band = floor(f32(line) / max(f32(count) * 0.006, 1.0));
    let own = longest * mix(1.0, 0.25 + 1.5 * hash(vec2f(band, 3.0)), p.ragged);
    let shift = hash(vec2f(band, 7.0)) * own * p.ragged;
    return floor((f32(i) + shift) / own) != floor((f32(i) - 1.0 + shift) / own);
}

// Makes the key of pixel `i`, for now with 1 as its run if a run begins there, else 0.
fn key_of(i: u32, line: u32, count: u32, light: f32, light_before: f32) -> u32 {
    let sorts = light >= p.low && light <= p.high;
    let sorted_before = light_before >= p.low && light_before <= p.high;
    let begins = i == 0u || !sorts || !sorted_before || cut(i, line, count);
    let rank = u32(clamp(select(light, 1.0 - light, p.order == 1u), 0.0, 1.0) * 1023.0);
    return (select(0u, 1u, begins) << 20u) | (rank << 10u) | i;
}

// Puts the start of its run into every key. Each thread walks through its own piece, then takes over from those before it.
fn find_runs(thread: u32, count: u32) {
    let piece = LONGEST / THREADS;
    var start = 0u;
    for (var j = 0u; j < piece; j++) {
        let i = thread * piece + j;
        if i < count {
            start = select(start, i, (keys[i] >> 20u) != 0u);
        }
    }
    starts[thread] = start;
    workgroupBarrier();
    // The first pixel begins a run, and starts only grow: the last start before a piece is the largest.
    for (var step = 1u; step < THREADS; step *= 2u) {
        var before = 0u;
        if thread >= step {
            before = starts[thread - step];
        }
        workgroupBarrier();
        starts[thread] = max(starts[thread], before);
        workgroupBarrier();
    }
    start = 0u;
    if thread > 0u {
        start = starts[thread - 1u];
    }
    for (var j = 0u; j < piece; j++) {
        let i = thread * piece + j;
        if i < count {
            let key = keys[i];
            start = select(start, i, (key >> 20u) != 0u);
            keys[i] = (start << 20u) | (key & 0xfffffu);
        } else {
            // Sorts behind everything else.
            keys[i] = 0xffffffffu;
        }
    }
    workgroupBarrier();
}

// Sorts the keys up to `padded`, a power of two.
fn sort(thread: u32, padded: u32) {
    for (var size = 2u; size <= padded; size *= 2u) {
        for (var apart = size / 2u; apart > 0u; apart /= 2u) {
            for (var pair = thread; pair < padded / 2u; pair += THREADS) {
                let low = (pair / apart) * apart * 2u + pair % apart;
                let a = keys[low];
                let b = keys[low + apart];
                let rising = (low & size) == 0u;
                if (a > b) == rising {
                    keys[low] = b;
                    keys[low + apart] = a;
                }
            }
            workgroupBarrier();
        }
    }
}

fn padded(count: u32) -> u32 {
    var power = 2u;
    while power < count {
        power *= 2u;
    }
    return power;
}

// The mean of what one pixel of `small` covers.
fn shrink(uv: vec2f) -> vec4f {
    var sum = vec4f(0.0);
    for (var i = 0; i < 9; i++) {
        let offset = vec2f(f32(i % 3), f32(i / 3)) / 3.0 - 1.0 / 3.0;
        sum += max(picture(uv + offset * pixel()), vec4f(0.0));
    }
    return sum / 9.0;
}

fn unsorted(place: vec2u) -> vec4f {
    return small((vec2f(place) + 0.5) * pixel());
}

@compute @workgroup_size(64)
fn sort_rows(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
    let width = u32(resolution().x);
    let count = min(width, LONGEST);
    let line = group.x;
    let sorts = p.along != 1u;
    if sorts {
        for (var i = thread; i < count; i += THREADS) {
            let light = light_of(unsorted(vec2u(i, line)));
            let before = light_of(unsorted(vec2u(max(i, 1u) - 1u, line)));
            keys[i] = key_of(i, line, count, light, before);
        }
        workgroupBarrier();
        find_runs(thread, count);
        sort(thread, padded(count));
    }
    for (var i = thread; i < width; i += THREADS) {
        var origin = i;
        if sorts && i < count {
            origin = keys[i] & 0x3ffu;
        }
        store(vec2u(i, line), unsorted(vec2u(origin, line)));
    }
}

fn row_sorted(place: vec2u) -> vec4f {
    return sorted((vec2f(place) + 0.5) * pixel());
}

@compute @workgroup_size(64)
fn sort_columns(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
    let height = u32(resolution().y);
    let count = min(height, LONGEST);
    let line = group.x;
    let sorts = p.along != 0u;
    if sorts {
        for (var i = thread; i < count; i += THREADS) {
            let light = light_of(row_sorted(vec2u(line, i)));
            let before = light_of(row_sorted(vec2u(line, max(i, 1u) - 1u)));
            keys[i] = key_of(i, line, count, light, before);
        }
        workgroupBarrier();
        find_runs(thread, count);
        sort(thread, padded(count));
    }
    for (var i = thread; i < height; i += THREADS) {
        var origin = i;
        if sorts && i < count {
            origin = keys[i] & 0x3ffu;
        }
        store(vec2u(line, i), row_sorted(vec2u(line, origin)));
    }
}

fn effect(uv: vec2f) -> vec4f {
    let now = picture(uv);
    let streaks = crossed(uv);
    // A run takes the same places sorted and unsorted; what lies between the runs stays as sharp as it came.
    let light = light_of(small(uv));
    let soft = 0.02;
    let share = smoothstep(p.low - soft, p.low + soft, light) * (1.0 - smoothstep(p.high - soft, p.high + soft, light));
    let mixed = mix(now, streaks, share);
    let keep = select(exp(-dt() / max(p.calm, 1e-3)), 0.0, p.calm <= 0.0 || last(uv).a < 0.5);
    return clamp(mix(mixed, last(uv), keep), vec4f(0.0), vec4f(16.0));
}
