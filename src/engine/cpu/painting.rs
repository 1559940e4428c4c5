//! Runs the plans of style networks: picture in, picture out.
//!
//! Maps are `[channels, height, width]`, x fastest, which suits large kernels on few channels; generators have a
//! program type of their own. Everything is allocated by [`Painting::new`]; a run only computes.

use std::sync::Arc;

use super::conv::{Conv, ConvShape};
use super::norm::InstanceNorm;
use super::pool::{Pool, Turn};
use super::simd::Isa;
use crate::engine::plan::{BufferId, Op, Plan};
use crate::engine::surface::Surface;
use crate::engine::{EngineError, Inputs, Program};
use crate::image::Image;

/// A prepared plan of a style network.
pub struct Painting {
    plan: Arc<Plan>,
    pool: Arc<Pool>,
    isa: Isa,
    steps: Vec<Step>,
    /// One map per buffer of the plan.
    maps: Vec<Vec<f32>>,
    /// A content picture that came from a device.
    content: Image,
    scratch: Vec<f32>,
    output: usize,
}

/// One operation with its weights packed.
enum Step {
    Picture { out: usize, gain: f32, offset: f32 },
    Conv { conv: Box<Conv>, input: usize, out: usize, after: After },
}

enum After {
    Norm { norm: InstanceNorm, residual: Option<usize> },
    Clamp(f32),
}

impl Painting {
    /// Whether this plan can be run here.
    pub fn runs(plan: &Plan) -> bool {
        plan.steps.iter().all(|step| matches!(step.op, Op::Picture(_) | Op::NormConv(_) | Op::Convolution(_)))
    }

    /// Packs the weights and allocates the maps of a checked plan.
    ///
    /// # Errors
    /// When the plan has operations other than those of style networks.
    pub fn new(plan: Arc<Plan>, pool: Arc<Pool>, isa: Isa) -> Result<Painting, EngineError> {
        let unavailable = |reason: String| EngineError::Unavailable { engine: "cpu", reason };
        plan.check().map_err(|e| unavailable(e.to_string()))?;
        let mut scratch = 0;
        let mut steps = Vec::new();
        for step in &plan.steps {
            let prepared = Step::new(&plan, &step.op).ok_or_else(|| {
                unavailable(format!("step {} ({}) is not an operation of style networks", step.name, step.op.kind()))
            })?;
            if let Step::Conv { conv, .. } = &prepared {
                scratch = scratch.max(conv.scratch_len());
            }
            steps.push(prepared);
        }
        let output = plan.output.unwrap_or(BufferId(0)).0;
        let maps = plan.buffers.iter().map(|b| vec![0.0; b.len()]).collect();
        Ok(Painting { plan, pool, isa, steps, maps, scratch: vec![0.0; scratch], content: Image::default(), output })
    }

    fn check(&self, inputs: &Inputs) -> Result<(), EngineError> {
        let found = |what, expected: String, found: String| Err(EngineError::Input { what, expected, found });
        if inputs.styles.len() != self.plan.styles {
            return found("a weight per style", self.plan.styles.to_string(), inputs.styles.len().to_string());
        }
        for step in &self.steps {
            let Step::Picture { out, .. } = step else { continue };
            let b = &self.plan.buffers[*out];
            let expected = [b.channels, b.height, b.width];
            let size = inputs.image.map(Surface::shape);
            if size != Some(expected) || inputs.image.is_none_or(|i| i.len() != b.len()) {
                return found("a picture", format!("{expected:?}"), size.map_or("none".into(), |s| format!("{s:?}")));
            }
        }
        Ok(())
    }
}

impl Step {
    fn new(plan: &Plan, op: &Op) -> Option<Step> {
        let (input, shape, weight, after) = match op {
            Op::Picture(p) => return Some(Step::Picture { out: p.out.0, gain: p.gain, offset: p.offset }),
            Op::NormConv(op) => {
                let channels = plan.get(op.out).channels;
                let norm = InstanceNorm::new(channels, &op.gamma, &op.beta, op.eps, op.activation);
                let after = After::Norm { norm, residual: op.residual.map(|id| id.0) };
                (op.input, (op.kernel, op.stride, op.up == 2), (&op.weight[..], &[][..]), after)
            }
            Op::Convolution(op) => {
                let after = After::Clamp(op.clamp.unwrap_or(f32::INFINITY));
                (op.input, (op.kernel, 1, false), (&op.weight[..], &op.bias[..]), after)
            }
            _ => return None,
        };
        let from = plan.get(input);
        let (in_channels, out_channels) = (from.channels, plan.get(op.out()).channels);
        let (kernel, stride, upsample) = shape;
        let shape = ConvShape { in_channels, out_channels, kernel, stride, upsample };
        Some(Step::Conv {
            conv: Box::new(Conv::new(shape, from.height, from.width, weight.0, weight.1)),
            input: input.0,
            out: op.out().0,
            after,
        })
    }

    fn run(&self, turn: &Turn, isa: Isa, content: &[f32], styles: &[f32], maps: &mut [Vec<f32>], scratch: &mut [f32]) {
        match self {
            Step::Picture { out, gain, offset } => {
                maps[*out].iter_mut().zip(content).for_each(|(to, from)| *to = from * gain + offset);
            }
            Step::Conv { conv, input, out, after } => {
                // Taken out for the duration of the step, so that the others can be read.
                let mut map = std::mem::take(&mut maps[*out]);
                conv.run(turn, isa, &maps[*input], scratch, &mut map);
                match after {
                    After::Norm { norm, residual } => {
                        norm.run(turn, isa, &mut map, styles, residual.map(|id| &maps[id][..]));
                    }
                    After::Clamp(limit) => map.iter_mut().for_each(|x| *x = x.clamp(-limit, *limit)),
                }
                maps[*out] = map;
            }
        }
    }
}

impl Program for Painting {
    fn run(&mut self, inputs: &Inputs, out: &mut Surface) -> Result<(), EngineError> {
        self.check(inputs)?;
        let content = match inputs.image {
            None => &[][..],
            Some(surface) => match surface.image() {
                Some(image) => &image.data,
                None => {
                    surface.read(&mut self.content)?;
                    &self.content.data
                }
            },
        };
        let turn = self.pool.turn();
        for step in &self.steps {
            step.run(&turn, self.isa, content, inputs.styles, &mut self.maps, &mut self.scratch);
        }
        let b = &self.plan.buffers[self.output];
        out.write([b.channels, b.height, b.width]).data.copy_from_slice(&self.maps[self.output]);
        Ok(())
    }

    fn engine(&self) -> &'static str {
        "cpu"
    }

    fn tap(&self, buffer: &str) -> Option<Image> {
        let id = self.plan.find(buffer)?;
        let (b, data) = (self.plan.get(id), self.maps[id.0].clone());
        Some(Image { channels: b.channels, height: b.height, width: b.width, data })
    }
}
