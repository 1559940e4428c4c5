// Matrix rows times vectors, for the styles and demodulations of all layers at once.
// Twin of src/engine/cpu/styles.rs.
//
// Style: out = row·w + bias. Demodulation: out = gain/√(row·s² + ε).

struct Row {
    // Index of the row in `weights`, of the vector in `vectors`, and of the result.
    weight: u32,
    vector: u32,
    out: u32,
    // Numbers in the row.
    length: u32,
    bias: f32,
    gain: f32,
    // 1: styles are divided by their root mean square.
    normalized: u32,
    unused: u32,
}

@group(0) @binding(0) var<storage, read> rows: array<Row>;
@group(0) @binding(1) var<storage, read> weights: array<f32>;
@group(0) @binding(2) var<storage, read> vectors: array<f32>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;

const DEMODULATE: bool = false;
const COUNT: u32 = 1u;
// Workgroups along x.
const ACROSS: u32 = 1u;
const THREADS: u32 = 64u;

// Sums of products, and of squares.
var<workgroup> sums: array<vec2<f32>, THREADS>;

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let index = group.y * ACROSS + group.x;
    if (index >= COUNT) {
        return;
    }
    let row = rows[index];
    var sum = vec2<f32>(0.0);
    for (var i = thread; i < row.length; i += THREADS) {
        let weight = weights[row.weight + i];
        let x = vectors[row.vector + i];
        if (DEMODULATE) {
            sum += vec2<f32>(weight, 1.0) * (x * x);
        } else {
            sum.x += weight * x;
        }
    }
    sums[thread] = sum;
    workgroupBarrier();
    for (var half = THREADS / 2u; half > 0u; half /= 2u) {
        if (thread < half) {
            sums[thread] += sums[thread + half];
        }
        workgroupBarrier();
    }
    if (thread == 0u) {
        let total = sums[0];
        if (DEMODULATE) {
            let epsilon = select(1e-8, 1e-8 * total.y / f32(row.length), row.normalized == 1u);
            out[row.out] = row.gain / sqrt(total.x + epsilon);
        } else {
            out[row.out] = total.x + row.bias;
        }
    }
}
