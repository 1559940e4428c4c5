//! A plan that soon stops growing: a small picture for little work.
//!
//! Its first layers are those of the whole. After them, maps keep their size: layers do not up-sample, and each kernel becomes one
//! tap, the sum of its own, as if their input were the same all around. What is smooth passes through such a layer as through the
//! whole one, so forms and colours stay, and what is finer than a sample is missing.

use super::{BufferId, Op, Plan, Weights};

impl Plan {
    /// The plan whose maps stop growing after its step `last`: up to there they are the whole plan's, to the bit. It takes the same
    /// inputs, and its buffers have the same names. `None` if what follows cannot be computed at another size: skip connections of
    /// the resnet architecture, layers of StyleGAN3 and style networks, TorchScript.
    pub fn small(&self, last: usize) -> Option<Plan> {
        let mut small = self.clone();
        for at in last + 1..small.steps.len() {
            let Plan { steps, buffers, .. } = &mut small;
            let op = &mut steps.get_mut(at)?.op;
            let size = |id: BufferId| buffers.get(id.0).map(|buffer| [buffer.height, buffer.width]);
            let [height, width] = match op {
                Op::Synthesis(op) => {
                    op.weight = summed(&op.weight, op.kernel * op.kernel);
                    // A mean of noise is none.
                    (op.kernel, op.up, op.noise) = (1, false, None);
                    size(op.input)?
                }
                Op::ToRgb(op) => size(op.input)?,
                Op::Gated(op) => size(op.input)?,
                Op::Gates(_) => [1, 1],
                _ => return None,
            };
            let out = buffers.get_mut(op.out().0)?;
            (out.height, out.width) = (height, width);
        }
        small.check().ok()?;
        Some(small)
    }
}

/// The sum of each kernel's taps.
fn summed(weight: &Weights, taps: usize) -> Weights {
    weight.chunks_exact(taps.max(1)).map(|kernel| kernel.iter().sum()).collect::<Vec<f32>>().into()
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use super::*;
    use crate::engine::cpu::Cpu;
    use crate::engine::{Inputs, Program};
    use crate::image::Image;
    use crate::latent::seed::z_from_seed;
    use crate::network;

    fn plan(file: &str) -> Arc<Plan> {
        network::open(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(file)).unwrap().plan
    }

    fn step(plan: &Plan, name: &str) -> usize {
        plan.steps.iter().position(|step| step.name == name).unwrap_or_else(|| panic!("no {name}"))
    }

    #[test]
    fn the_first_maps_are_those_of_the_whole() {
        for (file, last, size) in [
            ("sg2_32.safetensors", "b8.conv0", 8),
            ("sg2_32_cond.pkl", "b16.conv1", 16),
            ("sg2_16_orig_gray.pkl", "b8.conv1", 8),
            ("pgan_fastgan_128_cond.pkl", "feat_16", 16),
        ] {
            let whole = plan(file);
            let last = step(&whole, last);
            let small = whole.small(last).unwrap_or_else(|| panic!("{file}: none"));
            let picture = small.picture().unwrap();
            assert_eq!((picture.height, picture.width), (size, size), "{file}");
            assert!(small.macs() < whole.macs() / 2, "{file}");
            let mut programs = [whole.clone(), Arc::new(small)].map(|plan| Cpu::new(2).program(plan).unwrap());
            let (ws, mut picture) = (z_from_seed(5, whole.num_ws * whole.w_dim), Image::default());
            for program in &mut programs {
                program.draw(&Inputs { ws: &ws, ..Inputs::default() }, &mut picture).unwrap();
            }
            for step in &whole.steps[..=last] {
                let name = &whole.get(step.op.out()).name;
                let [whole, small] = [0, 1].map(|at| programs[at].tap(name).unwrap());
                assert_eq!(whole, small, "{file}: {name}");
            }
        }
    }

    #[test]
    fn what_is_the_same_everywhere_passes_as_through_the_whole() {
        // One layer, whose input is the same everywhere: far from the border, so is what the whole one makes of it.
        let mut whole = (*plan("sg2_16_p2.pkl")).clone();
        let last = step(&whole, "b4.const");
        whole.steps.truncate(step(&whole, "b4.conv1") + 1);
        let Op::Constant(constant) = &mut whole.steps[last].op else { panic!("it is a constant") };
        let side = 16;
        let flat: Vec<f32> = constant.value.chunks(16).flat_map(|channel| vec![channel[0]; side * side]).collect();
        constant.value = flat.into();
        let Op::Synthesis(layer) = &mut whole.steps[last + 1].op else { panic!("it is a layer") };
        // The kernel's taps are the same, so that demodulation differs by a factor that is known.
        layer.weight = layer.weight.chunks(9).flat_map(|kernel| [kernel[0]; 9]).collect::<Vec<f32>>().into();
        (layer.noise, layer.demodulate) = (None, false);
        let out = layer.out;
        whole.output = Some(out);
        for buffer in &mut whole.buffers {
            (buffer.height, buffer.width) = (side, side);
        }
        let small = whole.small(last).unwrap();
        let draw = |plan: Plan| {
            let (ws, mut picture) = (z_from_seed(1, plan.num_ws * plan.w_dim), Image::default());
            let mut program = Cpu::new(1).program(Arc::new(plan)).unwrap();
            program.draw(&Inputs { ws: &ws, ..Inputs::default() }, &mut picture).unwrap();
            picture
        };
        let (whole, small) = (draw(whole), draw(small));
        for channel in 0..whole.channels {
            let at = channel * side * side + 8 * side + 8;
            let (a, b) = (whole.data[at], small.data[at]);
            assert!((a - b).abs() < 1e-3 * a.abs().max(0.1), "{channel}: {a} {b}");
        }
        assert!(small.data.iter().any(|x| x.abs() > 0.1));
    }

    #[test]
    fn what_cannot_be_computed_at_another_size_has_no_small_plan() {
        for (file, last) in [("sg2_32_resnet.pkl", "b8.conv1"), ("sg3r_32.pkl", "L1_36_32")] {
            let whole = plan(file);
            assert!(whole.small(step(&whole, last)).is_none(), "{file}");
        }
    }
}
