//! Checks a plan: every shape, length of weights and limit, before an engine trusts them.
//!
//! Plain comparisons on the loader's thread; nothing is computed.

use super::*;

/// Limit on the memory of all maps together; the largest known network (StyleGAN3-R at 1024) needs about 3 GB.
const MAX_MAP_BYTES: u64 = 8 << 30;

impl Plan {
    /// Checks that every shape is consistent, and every buffer is written once and before it is read.
    ///
    /// # Errors
    /// With the first inconsistency and the name of its step.
    pub fn check(&self) -> Result<(), PlanError> {
        self.check_memory()?;
        let mut written = vec![false; self.buffers.len()];
        for step in &self.steps {
            let check = Check { plan: self, step };
            for id in step.op.inputs() {
                let is_written = written.get(id.0).copied().unwrap_or(false);
                check.that(is_written, "its input", "a buffer written by an earlier step", || {
                    format!("buffer {}", id.0)
                })?;
            }
            let out = step.op.out().0;
            check.that(written.get(out) == Some(&false), "its output", "a buffer not written yet", || {
                format!("buffer {out}")
            })?;
            written[out] = true;
            check.op()?;
        }
        let last =
            Step { name: "output".into(), op: Op::Picture(Picture { out: BufferId(0), gain: 1.0, offset: 0.0 }) };
        let check = Check { plan: self, step: &last };
        let output = self.output.map(|id| id.0).unwrap_or(usize::MAX);
        check.that(written.get(output) == Some(&true), "the picture", "a buffer that a step writes", || "none".into())
    }

    /// Refuses maps that need more memory than any known network's, before anything is allocated.
    fn check_memory(&self) -> Result<(), PlanError> {
        let map = |channels: usize, height: usize, width: usize| {
            [channels, height, width, 4].into_iter().map(|n| n as u64).fold(1, u64::saturating_mul)
        };
        // Engines may keep every map, and share scratch memory between them.
        let maps = self.buffers.iter().map(|b| map(b.channels, b.height, b.width)).fold(0, u64::saturating_add);
        let between = |step: &Step| {
            let Some(out) = self.buffers.get(step.op.out().0) else { return 0 };
            match &step.op {
                Op::Fourier(op) => map(op.phases.len(), out.height, out.width),
                Op::Filtered(op) => self.buffers.get(op.input.0).map_or(0, |input| {
                    let (height, width) = (input.height.saturating_add(4), input.width.saturating_add(4));
                    map(input.channels, height, width).saturating_add(map(out.channels, height, width))
                }),
                _ => 0,
            }
        };
        let bytes = maps.saturating_add(self.steps.iter().map(between).max().unwrap_or(0));
        if bytes <= MAX_MAP_BYTES {
            return Ok(());
        }
        let gigabytes = |bytes: u64| format!("{:.1} GB", bytes as f64 / 1e9);
        Err(PlanError {
            plan: self.name.clone(),
            step: "all layers".into(),
            what: "memory of its maps".into(),
            expected: format!("at most {}", gigabytes(MAX_MAP_BYTES)),
            found: gigabytes(bytes),
        })
    }
}

/// Checks one step.
struct Check<'a> {
    plan: &'a Plan,
    step: &'a Step,
}

impl Check<'_> {
    fn that(&self, ok: bool, what: &str, expected: &str, found: impl FnOnce() -> String) -> Result<(), PlanError> {
        if ok {
            return Ok(());
        }
        Err(PlanError {
            plan: self.plan.name.clone(),
            step: self.step.name.clone(),
            what: what.into(),
            expected: expected.into(),
            found: found(),
        })
    }

    /// Checks that gains are finite, and that a clamp is positive.
    fn limits(&self, gains: &[f32], clamp: Option<f32>) -> Result<(), PlanError> {
        let wrong = gains.iter().find(|gain| !gain.is_finite());
        self.that(wrong.is_none(), "gain", "a finite number", || wrong.map(ToString::to_string).unwrap_or_default())?;
        let clamp = clamp.unwrap_or(f32::INFINITY);
        self.that(clamp > 0.0, "clamp", "more than 0", || clamp.to_string())
    }

    fn len(&self, what: &str, found: &[f32], expected: usize) -> Result<(), PlanError> {
        self.that(found.len() == expected, what, &format!("{expected} numbers"), || found.len().to_string())
    }

    /// Checks that `id` is a map with `scale` times the height and width of `like`.
    fn size(&self, what: &str, id: BufferId, like: &Buffer, scale: usize) -> Result<(), PlanError> {
        let b = self.plan.get(id);
        let expected = format!("{} x {}", like.height * scale, like.width * scale);
        let ok = b.height == like.height * scale && b.width == like.width * scale;
        self.that(ok, what, &expected, || format!("{} x {}", b.height, b.width))
    }

    fn style(&self, style: &Style, channels: usize) -> Result<(), PlanError> {
        let (a, plan) = (&style.affine, self.plan);
        self.that(a.inputs == plan.w_dim && a.inputs > 0, "width of the style", &plan.w_dim.to_string(), || {
            a.inputs.to_string()
        })?;
        self.that(a.outputs == channels, "style", &format!("{channels} factors"), || a.outputs.to_string())?;
        if !(a.weight.is_empty() && a.bias.len() == channels) {
            self.len("affine weight", &a.weight, a.inputs * a.outputs)?;
        }
        self.that(a.bias.is_empty() || a.bias.len() == channels, "affine bias", &channels.to_string(), || {
            a.bias.len().to_string()
        })?;
        self.that(style.ws_index < plan.num_ws, "index into ws", &format!("below {}", plan.num_ws), || {
            style.ws_index.to_string()
        })
    }

    fn op(&self) -> Result<(), PlanError> {
        let out = self.plan.get(self.step.op.out());
        self.that(!out.is_empty(), "output", "a map of at least one sample", || format!("{out:?}"))?;
        match &self.step.op {
            Op::Constant(op) => self.len("value", &op.value, out.len()),
            Op::Synthesis(op) => self.synthesis(op, out),
            Op::ToRgb(op) => self.torgb(op, out),
            Op::Residual(op) => {
                let input = self.plan.get(op.input);
                self.len("weight", &op.weight, input.channels * out.channels)?;
                self.size("output", op.out, input, 2)?;
                self.size("branch", op.branch, out, 1)?;
                let branch = self.plan.get(op.branch).channels;
                self.that(branch == out.channels, "channels of the branch", &out.channels.to_string(), || {
                    branch.to_string()
                })
            }
            Op::Picture(_) => Ok(()),
            Op::NormConv(op) => self.norm_conv(op, out),
            Op::Convolution(op) => self.convolution(op, out),
            Op::Fourier(op) => self.fourier(op, out),
            Op::Filtered(op) => self.filtered(op, out),
            Op::Latent(op) => self.style(&op.style, out.len()),
            Op::Gated(op) => self.gated(op, out),
            Op::Gates(op) => self.gates(op, out),
            Op::Module(op) => {
                let expected = op.script.w_dim();
                let given = self.plan.num_ws * self.plan.w_dim;
                self.that(given == expected, "ws", &format!("{expected} numbers"), || given.to_string())
            }
        }
    }

    fn gated(&self, op: &Gated, out: &Buffer) -> Result<(), PlanError> {
        let input = self.plan.get(op.input);
        self.size("output", op.out, input, 1)?;
        self.style(&op.style, 2 * input.channels)?;
        let halves = if op.gating == Gating::Glu { 2 } else { 1 };
        let expected = format!("{halves} x {}", out.channels);
        self.that(input.channels == halves * out.channels, "channels", &expected, || input.channels.to_string())?;
        let Some(gates) = op.gates else { return Ok(()) };
        let b = self.plan.get(gates);
        self.that((b.channels, b.height, b.width) == (out.channels, 1, 1), "gates", &expected, || format!("{b:?}"))
    }

    fn gates(&self, op: &Gates, out: &Buffer) -> Result<(), PlanError> {
        let input = self.plan.get(op.input);
        let whole = |side: usize| side > 0 && side.is_multiple_of(Gates::GRID);
        let expected = format!("sides in multiples of {}", Gates::GRID);
        self.that(whole(input.height) && whole(input.width), "input", &expected, || format!("{input:?}"))?;
        self.that((out.height, out.width) == (1, 1), "output", "one sample", || format!("{out:?}"))?;
        self.len("squeeze", &op.squeeze, out.channels * input.channels * Gates::GRID * Gates::GRID)?;
        self.len("excite", &op.excite, out.channels * out.channels)
    }

    fn synthesis(&self, op: &SynthesisLayer, out: &Buffer) -> Result<(), PlanError> {
        let input = self.plan.get(op.input);
        self.limits(&[op.gain, op.slope], op.clamp)?;
        self.size("output", op.out, input, if op.up { 2 } else { 1 })?;
        self.style(&op.style, input.channels)?;
        let kernels: &[usize] = if op.up { &[3] } else { &[1, 3] };
        self.that(kernels.contains(&op.kernel), "kernel", &format!("one of {kernels:?}"), || op.kernel.to_string())?;
        self.len("weight", &op.weight, out.channels * input.channels * op.kernel * op.kernel)?;
        self.len("bias", &op.bias, out.channels)?;
        match &op.noise {
            Some(noise) if !noise.constant.is_empty() => {
                self.len("noise_const", &noise.constant, out.height * out.width)
            }
            _ => Ok(()),
        }
    }

    fn torgb(&self, op: &ToRgb, out: &Buffer) -> Result<(), PlanError> {
        let input = self.plan.get(op.input);
        self.limits(&[], op.clamp)?;
        self.size("output", op.out, input, 1)?;
        self.style(&op.style, input.channels)?;
        self.that((1..=4).contains(&out.channels), "colours", "1 to 4", || out.channels.to_string())?;
        self.len("weight", &op.weight, out.channels * input.channels)?;
        self.len("bias", &op.bias, out.channels)?;
        let Some(picture) = op.picture else { return Ok(()) };
        let so_far = self.plan.get(picture);
        let is_as_large = (so_far.height, so_far.width) == (out.height, out.width);
        self.size("output", op.out, so_far, if is_as_large { 1 } else { 2 })?;
        let colours = self.plan.get(picture).channels;
        self.that(colours == out.channels, "colours of the picture so far", &out.channels.to_string(), || {
            colours.to_string()
        })
    }

    fn convolution(&self, op: &Convolution, out: &Buffer) -> Result<(), PlanError> {
        let input = self.plan.get(op.input);
        self.limits(&[], op.clamp)?;
        self.that(op.kernel % 2 == 1, "kernel", "an odd number", || op.kernel.to_string())?;
        self.size("output", op.out, input, 1)?;
        self.len("weight", &op.weight, out.channels * input.channels * op.kernel * op.kernel)?;
        self.len("bias", &op.bias, out.channels)
    }

    fn norm_conv(&self, op: &NormConv, out: &Buffer) -> Result<(), PlanError> {
        let (input, styles) = (self.plan.get(op.input), self.plan.styles);
        self.that(op.kernel % 2 == 1, "kernel", "an odd number", || op.kernel.to_string())?;
        self.that(matches!(op.up, 1 | 2), "up-sampling", "1 or 2", || op.up.to_string())?;
        self.that(matches!(op.stride, 1 | 2), "stride", "1 or 2", || op.stride.to_string())?;
        let size = |n: usize| (n * op.up).div_ceil(op.stride);
        let expected = (size(input.height), size(input.width));
        self.that((out.height, out.width) == expected, "output", &format!("{expected:?}"), || format!("{out:?}"))?;
        // Reflection needs more samples than it adds.
        let smallest = input.height.min(input.width) * op.up;
        self.that(smallest > op.kernel / 2, "input", "larger than half the kernel", || format!("{input:?}"))?;
        self.len("weight", &op.weight, out.channels * input.channels * op.kernel * op.kernel)?;
        self.that(styles > 0, "styles of the plan", "at least one", || "none".into())?;
        self.len("gamma", &op.gamma, styles * out.channels)?;
        self.len("beta", &op.beta, styles * out.channels)?;
        let Some(residual) = op.residual else { return Ok(()) };
        let r = self.plan.get(residual);
        let same = (r.channels, r.height, r.width) == (out.channels, out.height, out.width);
        self.that(same, "residual", &format!("{out:?}"), || format!("{r:?}"))
    }

    fn fourier(&self, op: &FourierInput, out: &Buffer) -> Result<(), PlanError> {
        let (a, channels) = (&op.affine, op.phases.len());
        self.that((a.inputs, a.outputs) == (self.plan.w_dim, 4), "affine", "w_dim to 4", || {
            format!("{} to {}", a.inputs, a.outputs)
        })?;
        self.len("affine weight", &a.weight, 4 * a.inputs)?;
        self.len("affine bias", &a.bias, 4)?;
        let below = format!("below {}", self.plan.num_ws);
        self.that(op.ws_index < self.plan.num_ws, "index into ws", &below, || op.ws_index.to_string())?;
        self.len("freqs", &op.freqs, 2 * channels)?;
        self.len("weight", &op.weight, out.channels * channels)?;
        let ok = op.bandwidth.is_finite() && op.sampling_rate > 2.0 * op.bandwidth;
        self.that(ok, "sampling rate", "more than twice the bandwidth", || op.sampling_rate.to_string())
    }

    fn filtered(&self, op: &FilteredLayer, out: &Buffer) -> Result<(), PlanError> {
        let input = self.plan.get(op.input);
        self.limits(&[op.gain, op.slope, op.magnitude, op.output_gain], op.clamp)?;
        self.style(&op.style, input.channels)?;
        self.that(matches!(op.kernel, 1 | 3), "kernel", "1 or 3", || op.kernel.to_string())?;
        self.len("weight", &op.weight, out.channels * input.channels * op.kernel * op.kernel)?;
        self.len("bias", &op.bias, out.channels)?;
        let factors = (1..=8).contains(&op.up) && (1..=8).contains(&op.down);
        self.that(factors, "factors", "1 to 8", || format!("{} and {}", op.up, op.down))?;
        let taps = (1..=128).contains(&op.up_filter.len()) && (1..=128).contains(&op.down_taps());
        self.that(taps, "filters", "1 to 128 taps", || format!("{} and {}", op.up_filter.len(), op.down_taps()))?;
        let square = !op.radial || op.down_taps() * op.down_taps() == op.down_filter.len();
        self.that(square, "radial filter", "a square", || op.down_filter.len().to_string())?;
        let size = (op.outputs(input.height), op.outputs(input.width));
        let expected = format!("{} x {}", out.height, out.width);
        self.that(size == (Some(out.height), Some(out.width)), "size", &expected, || format!("{size:?}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::stylegan3::{Config, random};

    fn plan() -> Plan {
        (*random(Config::T, 64, 1024, 32, 16).plan).clone()
    }

    #[test]
    fn oversized_maps_are_refused_before_allocation() {
        assert!(plan().check().is_ok());
        for side in [1 << 20, usize::MAX] {
            let mut plan = plan();
            (plan.buffers[3].height, plan.buffers[3].width) = (side, side);
            let message = plan.check().expect_err("too much").to_string();
            assert!(message.contains("at most 8.6 GB"), "{message}");
        }
        assert!(random(Config::R, 1024, 65_536, 1024, 512).plan.check().is_ok(), "the largest known network");
    }

    #[test]
    fn invalid_clamps_and_gains_are_refused() {
        let with = |change: fn(&mut FilteredLayer)| {
            let mut plan = plan();
            let op = plan.steps.iter_mut().find_map(|s| if let Op::Filtered(op) = &mut s.op { Some(op) } else { None });
            change(op.expect("there are filtered layers"));
            plan.check().expect_err("refused").to_string()
        };
        for message in [with(|op| op.clamp = Some(-1.0)), with(|op| op.clamp = Some(f32::NAN))] {
            assert!(message.contains("clamp"), "{message}");
        }
        assert!(with(|op| op.gain = f32::INFINITY).contains("gain"));
    }
}
