// Mean, and sum of squared distances from it, of each part of each channel: [C, COUNT] -> [C, PARTS]. Two passes, so that
// a nearly constant map loses no precision; `scales` combines the parts. Twin of `moments` in src/engine/cpu/norm.rs.
// One workgroup per part (x) and channel (y).

@group(0) @binding(0) var<storage, read> map: array<Num>;
@group(0) @binding(1) var<storage, read_write> moments: array<vec2<f32>>;

// H·W
const COUNT: u32 = 256u;
const PARTS: u32 = 1u;
// Numbers per part; the last part may have fewer.
const LENGTH: u32 = 256u;
const THREADS: u32 = 256u;

var<workgroup> sums: array<f32, THREADS>;

// Sum over all threads.
fn total(thread: u32, part: f32) -> f32 {
    sums[thread] = part;
    workgroupBarrier();
    for (var half = THREADS / 2u; half > 0u; half /= 2u) {
        if (thread < half) {
            sums[thread] += sums[thread + half];
        }
        workgroupBarrier();
    }
    let sum = sums[0];
    workgroupBarrier();
    return sum;
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let start = group.y * COUNT + group.x * LENGTH;
    let length = min(LENGTH, COUNT - group.x * LENGTH);
    var sum = 0.0;
    for (var i = thread; i < length; i += THREADS) {
        sum += f32(map[start + i]);
    }
    let mean = total(thread, sum) / f32(length);
    var squares = 0.0;
    for (var i = thread; i < length; i += THREADS) {
        let distance = f32(map[start + i]) - mean;
        squares += distance * distance;
    }
    squares = total(thread, squares);
    if (thread == 0u) {
        moments[group.y * PARTS + group.x] = vec2<f32>(mean, squares);
    }
}
