// Measures a device: copies four numbers per thread.

@group(0) @binding(0) var<storage, read> input: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> out: array<vec4<f32>>;

// Workgroups along x.
const ACROSS: u32 = 1u;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let at = (group.y * ACROSS + group.x) * 256u + thread;
    out[at] = input[at];
}
