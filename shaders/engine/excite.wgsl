// A matrix [ROWS, LENGTH] times a vector, then swish or sigmoid: both halves of skip-layer excitation.
// Twin of `product` in src/engine/cpu/gated.rs. A workgroup takes one row.

@group(0) @binding(0) var<storage, read> weight: array<Num>;
@group(0) @binding(1) var<storage, read> vector: array<f32>;
// The result is one of these, depending on IS_LAST: the numbers between the halves, or the gates.
@group(0) @binding(2) var<storage, read_write> between: array<f32>;
@group(0) @binding(3) var<storage, read_write> gates: array<Num>;

const LENGTH: u32 = 512u;
// Swish after the first half, sigmoid after the last.
const IS_LAST: bool = false;
const THREADS: u32 = 64u;

var<workgroup> sums: array<f32, THREADS>;

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let row = group.x;
    var sum = 0.0;
    for (var i = thread; i < LENGTH; i += THREADS) {
        sum += f32(weight[row * LENGTH + i]) * vector[i];
    }
    sums[thread] = sum;
    workgroupBarrier();
    for (var half = THREADS / 2u; half > 0u; half /= 2u) {
        if (thread < half) {
            sums[thread] += sums[thread + half];
        }
        workgroupBarrier();
    }
    if (thread > 0u) {
        return;
    }
    let total = sums[0];
    let sigmoid = 1.0 / (1.0 + exp(clamp(-total, -80.0, 80.0)));
    if (IS_LAST) {
        gates[row] = Num(sigmoid);
    } else {
        between[row] = total * sigmoid;
    }
}
