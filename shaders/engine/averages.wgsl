// Means over GRID x GRID equal cells of each channel: [C, H, W] -> [C, GRID, GRID] in 32 bits.
// Twin of `average` in src/engine/cpu/gated.rs. A thread takes one cell.

@group(0) @binding(0) var<storage, read> map: array<Num>;
@group(0) @binding(1) var<storage, read_write> means: array<f32>;

const C: u32 = 32u;
const H: u32 = 16u;
const W: u32 = 16u;
const GRID: u32 = 4u;
// Workgroups along x.
const ACROSS: u32 = 1u;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let at = (group.y * ACROSS + group.x) * 256u + thread;
    if (at >= C * GRID * GRID) {
        return;
    }
    let channel = at / (GRID * GRID);
    let cell = at % (GRID * GRID);
    let first = channel * (H * W) + cell / GRID * (H / GRID) * W + cell % GRID * (W / GRID);
    var sum = 0.0;
    for (var y = 0u; y < H / GRID; y++) {
        for (var x = 0u; x < W / GRID; x++) {
            sum += f32(map[first + y * W + x]);
        }
    }
    means[at] = sum / f32(H / GRID * (W / GRID));
}
