// Resizes one axis of a picture: [outer, INPUT, inner] -> [outer, OUTPUT, inner], where each output is a weighted sum of
// neighbours. Twin of `Resizer` in src/image/resample.rs, which makes the table.

struct Settings {
    // Numbers of the result.
    count: u32,
    input: u32,
    output: u32,
    inner: u32,
    // Inputs per output.
    taps: u32,
}

@group(0) @binding(0) var<uniform> settings: Settings;
@group(0) @binding(1) var<storage, read> picture: array<f32>;
// [OUTPUT]: the first input of each output
@group(0) @binding(2) var<storage, read> starts: array<u32>;
// [OUTPUT, TAPS]
@group(0) @binding(3) var<storage, read> weights: array<f32>;
@group(0) @binding(4) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let at = (group.y * groups.x + group.x) * 256u + thread;
    if (at >= settings.count) {
        return;
    }
    let place = at / settings.inner % settings.output;
    let outer = at / (settings.inner * settings.output);
    let first = (outer * settings.input + starts[place]) * settings.inner + at % settings.inner;
    var sum = 0.0;
    for (var tap = 0u; tap < settings.taps; tap++) {
        sum += weights[place * settings.taps + tap] * picture[first + tap * settings.inner];
    }
    out[at] = sum;
}
