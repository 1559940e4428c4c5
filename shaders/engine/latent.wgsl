// FastGAN's first map: the COUNT numbers of a style, unchanged. Twin of `Latent` in src/engine/cpu/gated.rs.

@group(0) @binding(0) var<storage, read> styles: array<f32>;
@group(0) @binding(1) var<storage, read_write> out: array<Num>;

const STYLE: u32 = 0u;
const COUNT: u32 = 256u;
// Workgroups along x.
const ACROSS: u32 = 1u;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let at = (group.y * ACROSS + group.x) * 256u + thread;
    if (at < COUNT) {
        out[at] = Num(styles[STYLE + at]);
    }
}
