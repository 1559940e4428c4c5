// Sums over a workgroup of 256 threads, and grain from a seed. Twin of `grain` in
// src/effects/style/balance.rs.

var<workgroup> sums: array<f32, 256>;
var<workgroup> seeds: array<u32, 256>;

// Sum over all threads.
fn total(thread: u32, part: f32) -> f32 {
    sums[thread] = part;
    workgroupBarrier();
    for (var half = 128u; half > 0u; half /= 2u) {
        if (thread < half) {
            sums[thread] += sums[thread + half];
        }
        workgroupBarrier();
    }
    let sum = sums[0];
    workgroupBarrier();
    return sum;
}

// The same for unsigned integers, which wrap around.
fn total_seed(thread: u32, part: u32) -> u32 {
    seeds[thread] = part;
    workgroupBarrier();
    for (var half = 128u; half > 0u; half /= 2u) {
        if (thread < half) {
            seeds[thread] += seeds[thread + half];
        }
        workgroupBarrier();
    }
    let sum = seeds[0];
    workgroupBarrier();
    return sum;
}

// The finaliser of MurmurHash3.
fn mix_bits(bits: u32) -> u32 {
    let x = (bits ^ (bits >> 16u)) * 0x85ebca6bu;
    let y = (x ^ (x >> 13u)) * 0xc2b2ae35u;
    return y ^ (y >> 16u);
}

// A uniformly distributed number with this deviation.
fn grain(at: u32, seed: u32, deviation: f32) -> f32 {
    return (f32(mix_bits(at ^ seed)) / 4294967296.0 - 0.5) * (3.4641016 * deviation);
}
