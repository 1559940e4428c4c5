// Up-sampling by two: zeros inserted, filtered with gain 2 on each axis. Twin of `pair` in src/engine/cpu/torgb.rs.

const FIR_0: f32 = 0.125;
const FIR_1: f32 = 0.375;
const FIR_2: f32 = 0.375;
const FIR_3: f32 = 0.125;

// Output n is `x·sample[z] + y·sample[z + 1]`, with 0 for samples outside.
struct Pair {
    first: i32,
    x: f32,
    y: f32,
}

fn pair_of(n: u32) -> Pair {
    if (n % 2u == 0u) {
        return Pair(i32(n / 2u) - 1, 2.0 * FIR_0, 2.0 * FIR_2);
    }
    return Pair(i32(n / 2u), 2.0 * FIR_1, 2.0 * FIR_3);
}
