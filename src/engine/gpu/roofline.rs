//! The roofline of a device: products and sums in registers, and bytes copied. The reference for `bench`.

use std::time::{Duration, Instant};

use super::builder::{make_buffer, make_pipeline};
use super::device::{Device, unavailable};
use super::shader::{self, Value};
use super::variant::{Kernel, Matrix};
use super::{Gpu, Precision};
use crate::engine::EngineError;

/// Minimum duration of a measurement; the best of [`TRIES`] counts.
const LASTS: Duration = Duration::from_millis(50);
const TRIES: usize = 3;
/// Time-out of one submission.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a device achieved.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Roofline {
    /// Floating-point operations per second in 32 bits; a product and a sum count as two.
    pub flops: f64,
    /// In 16 bits; `None` if the engine computes in 32.
    pub half: Option<f64>,
    /// With cooperative matrices, if the engine uses them.
    pub matrix: Option<f64>,
    /// Bytes read and written per second.
    pub bytes: f64,
}

impl Roofline {
    /// Maximum operations per second of a kernel.
    pub fn of(&self, kernel: Kernel) -> f64 {
        match kernel {
            Kernel::Plain => self.flops,
            Kernel::Half => self.half.unwrap_or(self.flops),
            Kernel::Matrix => self.matrix.unwrap_or(self.flops),
        }
    }
}

/// A kernel with its buffers.
struct Probe {
    pipeline: wgpu::ComputePipeline,
    bind_group: wgpu::BindGroup,
    groups: [u32; 2],
}

impl Probe {
    fn new(
        device: &Device,
        kernel: &str,
        buffers: &[&wgpu::Buffer],
        groups: [u32; 2],
        precision: Precision,
        constants: &[(&'static str, usize)],
    ) -> Self {
        let constants = constants.iter().map(|(name, value)| (*name, Value::U(*value))).collect();
        let pipeline = make_pipeline(device, kernel, &shader::source(kernel, precision, &constants), None, true);
        let entries: Vec<_> = (0..)
            .zip(buffers)
            .map(|(binding, buffer)| wgpu::BindGroupEntry { binding, resource: buffer.as_entire_binding() })
            .collect();
        let bind_group = device.wgpu.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some(kernel),
            layout: &pipeline.get_bind_group_layout(0),
            entries: &entries,
        });
        Probe { pipeline, bind_group, groups }
    }

    /// Seconds for `count` dispatches.
    fn run(&self, device: &Device, count: u32) -> Result<f64, EngineError> {
        let started = Instant::now();
        let mut encoder = device.wgpu.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
        pass.set_pipeline(&self.pipeline);
        pass.set_bind_group(0, &self.bind_group, &[]);
        for _ in 0..count {
            pass.dispatch_workgroups(self.groups[0], self.groups[1], 1);
        }
        drop(pass);
        let index = device.queue.submit([encoder.finish()]);
        let waited = device.wgpu.poll(wgpu::PollType::Wait { submission_index: Some(index), timeout: Some(PATIENCE) });
        waited.map_err(|error| unavailable(format!("a measurement failed: {error}")))?;
        device.fault().map_or(Ok(()), |fault| Err(unavailable(fault)))?;
        Ok(started.elapsed().as_secs_f64())
    }

    /// Seconds per dispatch, the fastest of a few.
    fn secs(&self, device: &Device) -> Result<f64, EngineError> {
        let mut count = 1;
        while self.run(device, count)? < LASTS.as_secs_f64() {
            count *= 2;
        }
        let mut fastest = f64::MAX;
        for _ in 0..TRIES {
            fastest = fastest.min(self.run(device, count)? / f64::from(count));
        }
        Ok(fastest)
    }
}

impl Gpu {
    /// Measures the device; takes about a second.
    ///
    /// # Errors
    /// When the device is lost or out of memory.
    pub fn roofline(&self) -> Result<Roofline, EngineError> {
        /// Of `roofline_fma.wgsl`: eight vectors of four, a product and a sum each.
        const FLOPS_A_ROUND: f64 = 64.0;
        const ROUNDS: u32 = 128;
        const GROUPS: u32 = 2048;
        /// Subgroups of a workgroup in `roofline_matrix.wgsl`, and sums of each.
        const SUBGROUPS: usize = 4;
        const SUMS: usize = 4;
        /// Bytes of each copied buffer, if the card allows it; more than the caches hold.
        const COPIED: u64 = 256 << 20;
        let device = &*self.device;
        let (mut sum, most) = (0, device.limits.max_buffer_size.min(device.limits.max_storage_buffer_binding_size));
        let out = make_buffer(device, "roofline", u64::from(GROUPS) * 4, &mut sum)?;
        let in_registers = |kernel, precision| -> Result<f64, EngineError> {
            let constants = [("ROUNDS", ROUNDS as usize)];
            let secs = Probe::new(device, kernel, &[&out], [GROUPS, 1], precision, &constants).secs(device)?;
            Ok(f64::from(GROUPS) * 256.0 * f64::from(ROUNDS) * FLOPS_A_ROUND / secs)
        };
        let of_matrices = |Matrix { side, lanes }: Matrix| -> Result<f64, EngineError> {
            let constants = [
                ("ROUNDS", ROUNDS as usize),
                ("SIDE", side),
                ("LANES", lanes),
                ("SUBGROUPS", SUBGROUPS),
                ("SUMS", SUMS),
            ];
            let groups = [GROUPS, 1];
            let secs =
                Probe::new(device, "roofline_matrix", &[&out], groups, Precision::F16, &constants).secs(device)?;
            let products = f64::from(GROUPS) * f64::from(ROUNDS) * (SUBGROUPS * SUMS) as f64;
            Ok(products * 2.0 * (side as f64).powi(3) / secs)
        };
        let flops = in_registers("roofline_fma", Precision::F32)?;
        let is_half = self.precision == Precision::F16;
        let half = is_half.then(|| in_registers("roofline_half", Precision::F16)).transpose()?;
        let matrix = device.matrix.filter(|_| is_half).map(of_matrices).transpose()?;
        // Whole rows of workgroups, 16 bytes per thread.
        let across = 1024;
        let down = (COPIED.min(most) / (across * 256 * 16)).max(1);
        let bytes = across * down * 256 * 16;
        let (from, to) =
            (make_buffer(device, "roofline", bytes, &mut sum)?, make_buffer(device, "roofline", bytes, &mut sum)?);
        let groups = [across as u32, down as u32];
        let constants = [("ACROSS", across as usize)];
        let secs =
            Probe::new(device, "roofline_copy", &[&from, &to], groups, Precision::F32, &constants).secs(device)?;
        Ok(Roofline { flops, half, matrix, bytes: 2.0 * bytes as f64 / secs })
    }
}
