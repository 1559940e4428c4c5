// Measures a device: as many products and sums in registers as it can do; as `roofline_half` in 16 bits. Only the final
// numbers are written.

@group(0) @binding(0) var<storage, read_write> out: array<f32>;

const ROUNDS: u32 = 128u;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    // Unknown to the compiler, and small enough to stay finite.
    let factor = vec4<Part>(Part(0.999 + out[0] * 1e-6));
    let small = vec4<Part>(1e-3);
    let start = Part(f32(thread) * 1e-3);
    var a = vec4<Part>(start);
    var b = vec4<Part>(start + 0.1);
    var c = vec4<Part>(start + 0.2);
    var d = vec4<Part>(start + 0.3);
    var e = vec4<Part>(start + 0.4);
    var f = vec4<Part>(start + 0.5);
    var g = vec4<Part>(start + 0.6);
    var h = vec4<Part>(start + 0.7);
    for (var round = 0u; round < ROUNDS; round++) {
        a = fma(a, factor, small);
        b = fma(b, factor, small);
        c = fma(c, factor, small);
        d = fma(d, factor, small);
        e = fma(e, factor, small);
        f = fma(f, factor, small);
        g = fma(g, factor, small);
        h = fma(h, factor, small);
    }
    let sum = (a + b) + (c + d) + (e + f) + (g + h);
    // Never true, but the compiler does not know that.
    if (f32(sum.x + sum.y + sum.z + sum.w) == 0.125) {
        out[group.x] = f32(sum.x);
    }
}
