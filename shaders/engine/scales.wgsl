// Scale and shift of each channel: (x − mean)/√(variance + ε)·γ + β with γ and β mixed from the styles.
// Twin of `Channel` in src/engine/cpu/norm.rs. One workgroup per channel.

// ws, then the mix of styles.
@group(0) @binding(0) var<storage, read> frame: array<f32>;
// [C, PARTS]: mean and sum of squared distances from it
@group(0) @binding(1) var<storage, read> moments: array<vec2<f32>>;
// [STYLES, C]: γ and β
@group(0) @binding(2) var<storage, read> table: array<vec2<f32>>;
// [C]: scale and shift
@group(0) @binding(3) var<storage, read_write> scales: array<vec2<f32>>;

const C: u32 = 32u;
// H·W
const COUNT: u32 = 256u;
const PARTS: u32 = 1u;
// Numbers per part; the last part may have fewer.
const LENGTH: u32 = 256u;
const STYLES: u32 = 1u;
// Where the mix starts in `frame`.
const FIRST_STYLE: u32 = 12u;
const EPS: f32 = 1e-5;
const THREADS: u32 = 64u;

var<workgroup> sums: array<vec4<f32>, THREADS>;

// Sum over all threads.
fn total(thread: u32, part: vec4<f32>) -> vec4<f32> {
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

fn share_of(part: u32) -> f32 {
    return f32(min(LENGTH, COUNT - part * LENGTH)) / f32(COUNT);
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let channel = group.x;
    // The first part's mean is subtracted first: the remainder is small and keeps its precision.
    let origin = moments[channel * PARTS].x;
    var sum = vec4<f32>(0.0);
    for (var part = thread; part < PARTS; part += THREADS) {
        let found = moments[channel * PARTS + part];
        sum.x += share_of(part) * (found.x - origin);
        sum.y += found.y;
    }
    for (var style = thread; style < STYLES; style += THREADS) {
        let row = frame[FIRST_STYLE + style] * table[style * C + channel];
        sum += vec4<f32>(0.0, 0.0, row);
    }
    sum = total(thread, sum);
    let mean = origin + sum.x;
    var between = 0.0;
    for (var part = thread; part < PARTS; part += THREADS) {
        let distance = moments[channel * PARTS + part].x - mean;
        between += share_of(part) * (distance * distance);
    }
    between = total(thread, vec4<f32>(between)).x;
    if (thread == 0u) {
        let scale = sum.z / sqrt(sum.y / f32(COUNT) + between + EPS);
        scales[channel] = vec2<f32>(scale, sum.w - mean * scale);
    }
}
