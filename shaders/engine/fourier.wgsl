// The waves of StyleGAN3's input, translated and rotated by w and by the player: -> [C, H, W].
// Twin of src/engine/cpu/fourier.rs. A thread computes one sample.

// Rows of the player's inverse transform start at 4 and at 8.
@group(0) @binding(0) var<storage, read> frame: array<f32>;
// [C]: frequency along x and y in cycles per picture, phase in cycles
@group(0) @binding(1) var<storage, read> waves: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> styles: array<f32>;
@group(0) @binding(3) var<storage, read_write> out: array<Num>;

const C: u32 = 64u;
const H: u32 = 36u;
const W: u32 = 36u;
// Start of affine(w): unnormalised cosine and sine of the rotation, then the translation.
const STYLE: u32 = 0u;
// Samples per picture.
const RATE: f32 = 16.0;
const BANDWIDTH: f32 = 2.0;
// Rows of the network's transform, which is applied before the player's.
const OWN: array<f32, OWN_COUNT> = array<f32, OWN_COUNT>(1.0, 0.0, 0.0, 0.0, 1.0, 0.0);
const OWN_COUNT: u32 = 6u;
// Workgroups along x.
const ACROSS: u32 = 1u;

// sin(2π·cycles). WGSL only guarantees three digits for `sin`; this has six.
fn sine(cycles: f32) -> f32 {
    let rest = cycles - round(cycles);
    // The outer quarters mirror the inner ones.
    let x = select(rest, sign(rest) * 0.5 - rest, abs(rest) > 0.25);
    let y = 6.2831853 * x;
    let z = y * y;
    // Taylor up to y¹¹: 6e-8 at y = π/2.
    let tail = z * (1.0 / 362880.0 - z * (1.0 / 39916800.0));
    return y * (1.0 - z * (1.0 / 6.0 - z * (1.0 / 120.0 - z * (1.0 / 5040.0 - tail))));
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let at = (group.y * ACROSS + group.x) * 256u + thread;
    if (at >= C * H * W) {
        return;
    }
    let wave = waves[at / (H * W)];
    let position = vec2<f32>(f32(at % W), f32((at / W) % H)) + 0.5 - 0.5 * vec2<f32>(f32(W), f32(H));

    let pose = vec4<f32>(styles[STYLE], styles[STYLE + 1u], styles[STYLE + 2u], styles[STYLE + 3u]);
    let t = pose / length(pose.xy);
    // Column-major, as in WGSL: the network's transform, then the player's.
    let own = mat2x2<f32>(OWN[0], OWN[3], OWN[1], OWN[4]);
    let player = mat2x2<f32>(frame[4], frame[8], frame[5], frame[9]);
    let turn = mat2x2<f32>(t.x, t.y, -t.y, t.x);
    let linear = turn * own * player;
    let shift = turn * (own * vec2<f32>(frame[6], frame[10]) + vec2<f32>(OWN[2], OWN[5]) - t.zw);

    let frequency = wave.xy * linear;
    let phase = wave.z + dot(wave.xy, shift);
    let fall = (length(frequency) - BANDWIDTH) / (0.5 * RATE - BANDWIDTH);
    let amplitude = clamp(1.0 - fall, 0.0, 1.0);
    out[at] = Num(amplitude * sine(dot(frequency, position / RATE) + phase));
}
