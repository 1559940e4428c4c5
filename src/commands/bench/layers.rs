//! Where the time of a picture goes, layer by layer; on a graphics card also how close that is to what the card can do.

use std::collections::HashMap;

use super::{percentiles, run_for};
use crate::engine::EngineError;
use crate::engine::Inputs;
use crate::engine::cpu::Cpu;
use crate::engine::gpu::{Form, Gpu, GpuProgram, Kernel, Roofline, Spent, Variant};
use crate::engine::plan::Op;
use crate::latent::seed::z_from_seed;
use crate::network::Network;

/// Number of timed pictures; the fastest time of each layer counts.
const PICTURES: usize = 10;

/// What one layer does, and how long it takes.
struct Layer {
    name: String,
    secs: f64,
    /// Operations as if by direct convolution.
    flops: f64,
    bytes: f64,
    variant: Option<Variant>,
}

impl Layer {
    /// Minimum seconds that the card needs for the operations, and for the bytes.
    fn floors(&self, roofline: Roofline) -> (f64, f64) {
        let kernel = self.variant.map_or(Kernel::Plain, |variant| variant.kernel);
        (self.flops * self.share() / roofline.of(kernel), self.bytes / roofline.bytes)
    }

    /// Share of the direct operations that the layer's kernel actually performs.
    fn share(&self) -> f64 {
        let form = self.variant.map_or(Form::Direct, |variant| variant.form);
        let direct = 9 * form.side().pow(2);
        if form == Form::Direct { 1.0 } else { form.products() as f64 / direct as f64 }
    }
}

/// Prints the time of each layer with its share of the card's roofline, measured in the same run.
pub fn on_the_gpu(network: &Network, gpu: &Gpu, seconds: f64) -> anyhow::Result<()> {
    let mut program = match gpu.program(network.plan.clone()) {
        Ok(program) => program,
        // The fallback to the cpu engine has already been reported.
        Err(EngineError::Unavailable { .. }) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    let megabytes = program.bytes() as f64 / 1e6;
    report!("card      {} · {:?} · {megabytes:.0} MB", gpu.adapter(), program.precision());
    let roofline = gpu.roofline()?;
    let more = [(roofline.half, "in 16 bits"), (roofline.matrix, "of cooperative matrices")].into_iter();
    let more: String = more.filter_map(|(f, what)| Some(format!("{:.1} GFLOP/s {what}, ", f? / 1e9))).collect();
    let (flops, bytes) = (roofline.flops / 1e9, roofline.bytes / 1e9);
    report!("roofline  {flops:.1} GFLOP/s in 32 bits, {more}{bytes:.1} GB/s copied");
    for (step, variant) in program.variants() {
        report!("kernel    {step:<14} {variant}");
    }
    let ws = z_from_seed(85, network.plan.num_ws * network.plan.w_dim);
    on_the_card(&mut program, &Inputs { ws: &ws, ..Inputs::default() }, seconds)?;
    let mut layers: Vec<Layer> = Vec::new();
    for picture in 0..PICTURES {
        let Some(times) = program.times(&Inputs { ws: &ws, ..Inputs::default() })? else {
            report!("layers    the card has no timestamps");
            return Ok(());
        };
        if picture == 0 {
            let variants: HashMap<&str, Variant> =
                program.variants().iter().map(|(step, variant)| (step.as_str(), *variant)).collect();
            layers = times
                .into_iter()
                .map(|(name, secs)| {
                    let variant = variants.get(name.as_str()).copied();
                    layer(network, name, secs, program.precision().bytes(), variant)
                })
                .collect();
            continue;
        }
        for (layer, (_, secs)) in layers.iter_mut().zip(times) {
            layer.secs = layer.secs.min(secs);
        }
    }
    print(&layers, roofline);
    Ok(())
}

/// Prints the time of each layer on the processor.
pub fn on_the_processor(network: &Network) -> anyhow::Result<()> {
    let cpu = Cpu::default();
    let mut program = cpu.program(network.plan.clone())?;
    report!("processor {} on {} threads", cpu.isa(), cpu.threads());
    let ws = z_from_seed(85, network.plan.num_ws * network.plan.w_dim);
    let mut layers: Vec<Layer> = Vec::new();
    for _ in 0..=PICTURES {
        let times = program.times(&Inputs { ws: &ws, ..Inputs::default() })?;
        if layers.is_empty() {
            let num = size_of::<f32>() as u64;
            layers = times.into_iter().map(|(name, secs)| layer(network, name, secs, num, None)).collect();
            continue;
        }
        for (layer, (_, secs)) in layers.iter_mut().zip(times) {
            layer.secs = layer.secs.min(secs);
        }
    }
    let whole: f64 = layers.iter().map(|layer| layer.secs).sum();
    for Layer { name, secs, flops, .. } in &layers {
        let (share, rate) = (secs / whole * 100.0, flops / secs / 1e9);
        report!("layer     {name:<14} {:>9.3} ms ({share:>4.1}%)  {rate:>7.1} GFLOP/s", secs * 1e3);
    }
    Ok(())
}

/// Prints where the time of a picture goes: on the card, which is what a window pays, and around it.
fn on_the_card(program: &mut GpuProgram, inputs: &Inputs, seconds: f64) -> anyhow::Result<()> {
    let mut spent = Vec::new();
    run_for(seconds, || {
        spent.extend(program.spent(inputs)?);
        Ok(())
    })?;
    let line = |name: &str, of: fn(&Spent) -> f64| {
        let mut millis: Vec<f64> = spent.iter().skip(3).map(|s| of(s) * 1e3).collect();
        if !millis.is_empty() {
            report!("{name:<9} {}", percentiles(&mut millis));
        }
    };
    line("on card", |s| s.card);
    line("submit", |s| s.processor);
    line("wait", |s| (s.total - s.processor - s.card).max(0.0));
    Ok(())
}

fn layer(network: &Network, name: String, secs: f64, num: u64, variant: Option<Variant>) -> Layer {
    let plan = &network.plan;
    let step = plan.steps.iter().find(|step| step.name == name);
    let flops = step.map_or(0, |step| 2 * plan.step_macs(step)) as f64;
    // Styles and demodulations are not steps; they read 32-bit matrices [C_in, w_dim] and [C_out, C_in] of each layer.
    let styled = plan.steps.iter().filter_map(|step| Some((&step.op, step.op.style()?.affine.outputs)));
    let numbers: usize = match (step, name.as_str()) {
        (Some(_), _) => 0,
        (None, "styles") => styled.map(|(_, inputs)| inputs * plan.w_dim).sum(),
        (None, _) => {
            styled.filter(|(op, _)| demodulates(op)).map(|(op, inputs)| inputs * plan.get(op.out()).channels).sum()
        }
    };
    let bytes = step.map_or(numbers as u64 * 4, |step| plan.step_numbers(step) * num) as f64;
    Layer { name, secs, flops, bytes, variant }
}

fn demodulates(op: &Op) -> bool {
    match op {
        Op::Synthesis(op) => op.demodulate,
        Op::Filtered(op) => op.demodulate,
        _ => false,
    }
}

fn print(layers: &[Layer], roofline: Roofline) {
    for layer in layers {
        let Layer { name, secs, flops, bytes, .. } = layer;
        let (compute, memory) = layer.floors(roofline);
        report!(
            "layer     {name:<14} {:>9.3} ms  {:>9.1} GFLOP/s ({:>5.1}%)  {:>7.1} GB/s ({:>5.1}%)",
            secs * 1e3,
            flops / secs / 1e9,
            compute / secs * 100.0,
            bytes / secs / 1e9,
            memory / secs * 100.0,
        );
    }
    let sum = |of: &dyn Fn(&Layer) -> f64| layers.iter().map(of).sum::<f64>();
    let secs = sum(&|l| l.secs);
    let (compute, memory) = (sum(&|l| l.floors(roofline).0), sum(&|l| l.floors(roofline).1));
    let floor = sum(&|l| l.floors(roofline).0.max(l.floors(roofline).1));
    report!(
        "floors    operations {:.3} ms, bytes {:.3} ms, per-layer maximum {:.3} ms; measured {:.3} ms, {:.1} times that",
        compute * 1e3,
        memory * 1e3,
        floor * 1e3,
        secs * 1e3,
        secs / floor
    );
}
