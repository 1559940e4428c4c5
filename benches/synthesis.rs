//! Milliseconds per picture of the cpu engine, synthesis only: `cargo bench --bench synthesis -- [RES BASE MAX [THREADS]]`.
//!
//! Weights are random, w differs from picture to picture, noise is const. `benches/stylegan2.py` measures the same in PyTorch,
//! except that w stays the same there. Each set of vector instructions is measured (PyTorch is held to AVX2 by
//! `ATEN_CPU_CAPABILITY=avx2 ONEDNN_MAX_CPU_ISA=AVX2`). Prints wall time (median, 5th and 95th percentile) and CPU time, which other
//! programs on the machine disturb less.
#![allow(clippy::print_stdout, reason = "printing is what a benchmark is for")]

use std::time::{Duration, Instant};

use latent_jockey::engine::cpu::{Cpu, Isa};
use latent_jockey::engine::{Inputs, Noise, Program};
use latent_jockey::image::Image;
use latent_jockey::latent::seed::z_from_seed;
use latent_jockey::network::stylegan2;

/// How long one configuration is measured.
const SECONDS: f64 = 4.0;

fn main() {
    let numbers: Vec<usize> = std::env::args().skip(1).filter_map(|a| a.parse().ok()).collect();
    let threads =
        numbers.get(3).copied().unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
    let one = [[numbers.first(), numbers.get(1), numbers.get(2)].map(|n| n.copied().unwrap_or(256))];
    let all = [[256, 4096, 128], [256, 8192, 256]];
    let configurations: &[[usize; 3]] = if numbers.len() >= 3 { &one } else { &all };
    // All sets of vector instructions: on a machine with AVX-512 also AVX2, because most have no more.
    let mut isas = Isa::available();
    if isas.len() > 1 {
        isas.pop();
    }
    let engines: Vec<Cpu> = isas.into_iter().map(|isa| Cpu::with_isa(threads, isa)).collect();
    for &[res, base, max] in configurations {
        engines.iter().for_each(|cpu| measure(cpu, res, base, max));
    }
}

fn measure(cpu: &Cpu, res: usize, base: usize, max: usize) {
    let network = stylegan2::random(res, base, max, 512, 0);
    let plan = network.plan;
    let mut program = cpu.program(plan.clone()).expect("the plan runs");
    let pictures: Vec<Vec<f32>> = (0..4).map(|seed| z_from_seed(seed, plan.num_ws * plan.w_dim)).collect();
    let mut out = Image::default();
    let mut run = |program: &mut dyn Program, n: usize| {
        let inputs = Inputs { ws: &pictures[n % pictures.len()], noise: Noise::default(), ..Inputs::default() };
        program.draw(&inputs, &mut out).expect("the inputs fit");
    };
    for n in 0..3 {
        run(&mut program, n);
    }
    let (mut times, start, cpu_start) = (Vec::new(), Instant::now(), processor_time());
    while start.elapsed().as_secs_f64() < SECONDS || times.len() < 5 {
        let one = Instant::now();
        run(&mut program, times.len());
        times.push(one.elapsed().as_secs_f64() * 1e3);
    }
    let used = (processor_time() - cpu_start).as_secs_f64() * 1e3 / times.len() as f64;
    times.sort_by(f64::total_cmp);
    let at = |q: f64| times[((times.len() - 1) as f64 * q) as usize];
    println!(
        "StyleGAN2 {res} ({base}/{max}), {} threads, {}: median {:.2} ms, p05 {:.2}, p95 {:.2}, processor {used:.2} ms, {} pictures, {:.2} GMAC",
        cpu.threads(),
        cpu.isa(),
        at(0.5),
        at(0.05),
        at(0.95),
        times.len(),
        plan.macs() as f64 / 1e9,
    );
}

/// CPU time of all threads of this process; zero where the system does not report it.
fn processor_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // Fields 14 and 15 of proc(5), counted from the state (field 3), which follows the name in brackets.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or("").split_whitespace().collect();
    let ticks: u64 = [11, 12].iter().filter_map(|&i| fields.get(i)?.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}
