// Moves a canvas [3, H, W] one step back into its band, and adds grain to an empty one. Twin of the second half of `steady`
// in src/effects/style/balance.rs; `steady_step` computes the step.
//! import whole

struct Settings {
    count: u32,
    // H·W
    plane: u32,
    // Of the twin.
    share: f32,
}

struct Step {
    means: array<f32, 3>,
    stretch: f32,
    shift: f32,
    grain: f32,
}

@group(0) @binding(0) var<uniform> settings: Settings;
@group(0) @binding(1) var<storage, read> step: Step;
@group(0) @binding(2) var<storage, read_write> canvas: array<f32>;

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
    var value = canvas[at];
    if (step.grain > 0.0) {
        value += grain(at, 0u, step.grain);
    }
    if (step.shift != 0.0 || step.stretch != 1.0) {
        let own = step.means[at / settings.plane];
        value = clamp((value - own) * step.stretch + own + step.shift, -1.0, 1.0);
    }
    canvas[at] = value;
}
