//! The graphics card: which adapters there are, and an open device.
//!
//! A software adapter (Vulkan on the processor) counts as an adapter, but not as a real card: the cpu engine is faster.
//! Nothing here computes. Asynchronous driver errors (a lost device, an error outside any error scope) are kept in
//! [`Device::fault`] for the running program, instead of the default panic.

use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::cache;
use super::canvas::Passes;
use super::image::bring;
use super::pipelines::Pipelines;
use super::program::Mapped;
use super::variant::Matrix;
use crate::engine::EngineError;
use crate::image::Image;

/// Threads of the largest workgroup in `shaders/engine`.
const THREADS: u32 = 256;
/// Maximum number of storage buffers that a kernel reads and writes.
const BINDINGS: u32 = 8;

/// An adapter, as shown by `doctor`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adapter {
    pub name: String,
    pub kind: wgpu::DeviceType,
    pub backend: wgpu::Backend,
    /// Whether it supports 16-bit floats.
    pub half: bool,
    /// The driver's name and version; empty if it tells neither.
    pub driver: String,
}

impl Adapter {
    fn new(adapter: &wgpu::Adapter) -> Adapter {
        let info = adapter.get_info();
        let half = adapter.features().contains(wgpu::Features::SHADER_F16);
        let driver = format!("{} {}", info.driver, info.driver_info).trim().to_owned();
        Adapter { name: info.name, kind: info.device_type, backend: info.backend, half, driver }
    }

    /// Whether it is a graphics card rather than a driver that computes on the processor.
    pub fn is_real(&self) -> bool {
        matches!(self.kind, wgpu::DeviceType::DiscreteGpu | wgpu::DeviceType::IntegratedGpu)
    }
}

impl fmt::Display for Adapter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            wgpu::DeviceType::DiscreteGpu => "graphics card",
            wgpu::DeviceType::IntegratedGpu => "integrated graphics",
            wgpu::DeviceType::VirtualGpu => "virtual graphics",
            wgpu::DeviceType::Cpu => "software on the processor",
            wgpu::DeviceType::Other => "unknown kind",
        };
        let half = if self.half { ", 16-bit floats" } else { "" };
        write!(f, "{} ({kind}, {}{half})", self.name, self.backend)
    }
}

/// The adapters of this machine, best first, and their instance. `WGPU_BACKEND` excludes some.
fn list() -> (wgpu::Instance, Vec<wgpu::Adapter>) {
    let ours = wgpu::Backends::VULKAN | wgpu::Backends::METAL | wgpu::Backends::DX12;
    let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle_from_env();
    descriptor.backends &= ours;
    let backends = descriptor.backends;
    let instance = wgpu::Instance::new(descriptor);
    let mut found = pollster::block_on(instance.enumerate_adapters(backends));
    found.sort_by_key(|adapter| match adapter.get_info().device_type {
        wgpu::DeviceType::DiscreteGpu => 0,
        wgpu::DeviceType::IntegratedGpu => 1,
        wgpu::DeviceType::VirtualGpu => 2,
        wgpu::DeviceType::Other => 3,
        wgpu::DeviceType::Cpu => 4,
    });
    (instance, found)
}

/// The adapters of this machine, best first.
pub fn adapters() -> Vec<Adapter> {
    list().1.iter().map(Adapter::new).collect()
}

/// What a window needs, besides the device, to draw with it.
#[derive(Clone)]
pub struct Roots {
    pub instance: wgpu::Instance,
    pub adapter: wgpu::Adapter,
}

/// An open device.
pub struct Device {
    pub wgpu: wgpu::Device,
    pub queue: wgpu::Queue,
    pub adapter: Adapter,
    pub limits: wgpu::Limits,
    /// Its cooperative matrices, with 16-bit products added in 32 bits.
    pub matrix: Option<Matrix>,
    /// The driver with its version.
    pub driver: String,
    /// `None` if no window draws with this device.
    pub roots: Option<Roots>,
    /// Whether a window shows what is drawn, by this device or by a copy.
    pub is_for_window: bool,
    fault: Arc<Mutex<Option<String>>>,
    /// Number of read-backs.
    pub reads: Arc<AtomicU64>,
    /// The compiled passes of effects.
    pub passes: Passes,
    /// The buffer for reading pictures back.
    brought: Mutex<Option<Mapped>>,
    /// Compiled kernels on disk.
    pub pipelines: Pipelines,
}

impl Device {
    /// Opens the best adapter; with `real`, the best graphics card.
    ///
    /// # Errors
    /// When there is none, or its driver fails to open a device.
    pub fn open(real: bool) -> Result<Device, EngineError> {
        let (_, found) = best(real)?;
        let limits = found.limits();
        Device::with_limits(&found, limits, wgpu::Features::empty())
    }

    /// As [`Device::open`], with all that a window needs of its device. [`Device::roots`] stay empty when the window would
    /// take another adapter: then this device is the engine's alone.
    ///
    /// # Errors
    /// As [`Device::open`].
    pub fn open_with_window(real: bool) -> Result<Device, EngineError> {
        let (instance, adapter) = best(real)?;
        if !is_windows_choice(&instance, &adapter) {
            return Ok(Device { is_for_window: true, ..Device::open(real)? });
        }
        // All features, as the window would request them, except experimental ones, and mappable primary buffers, which
        // are slow on a card with its own memory.
        let mut all = adapter.features() - wgpu::Features::all_experimental_mask();
        if adapter.get_info().device_type == wgpu::DeviceType::DiscreteGpu {
            all.remove(wgpu::Features::MAPPABLE_PRIMARY_BUFFERS);
        }
        let device = Device::with_limits(&adapter, adapter.limits(), all)?;
        Ok(Device { roots: Some(Roots { instance, adapter }), is_for_window: true, ..device })
    }

    /// Opens the best adapter of any kind with a limit on the size of buffers: a small card, for tests.
    ///
    /// # Errors
    /// As [`Device::open`].
    pub fn with_buffers_up_to(bytes: u64) -> Result<Device, EngineError> {
        let (_, found) = best(false)?;
        let limits = wgpu::Limits { max_buffer_size: bytes, max_storage_buffer_binding_size: bytes, ..found.limits() };
        Device::with_limits(&found, limits, wgpu::Features::empty())
    }

    fn with_limits(
        found: &wgpu::Adapter,
        limits: wgpu::Limits,
        features: wgpu::Features,
    ) -> Result<Device, EngineError> {
        let adapter = Adapter::new(found);
        let enough = limits.max_compute_invocations_per_workgroup >= THREADS
            && limits.max_compute_workgroup_size_x >= THREADS
            && limits.max_storage_buffers_per_shader_stage >= BINDINGS;
        if !enough {
            return Err(unavailable(format!(
                "{adapter} is too small: it needs {THREADS} threads and {BINDINGS} buffers"
            )));
        }
        let matrix = matrix(found);
        let info = found.get_info();
        let driver = format!("{} {} {}", info.backend, info.driver, info.driver_info);
        let mut wanted = wgpu::Features::SHADER_F16 | wgpu::Features::TIMESTAMP_QUERY | wgpu::Features::PIPELINE_CACHE;
        if matrix.is_some() {
            wanted |= MATRIX_FEATURES;
        }
        let descriptor = wgpu::DeviceDescriptor {
            label: Some("engine"),
            required_features: found.features() & wanted | features,
            required_limits: limits.clone(),
            // SAFETY: the only such feature is cooperative matrices. Their kernel is validated, stays within its buffers,
            // runs only with sizes that the driver lists, and is checked against the plain kernel before it is used.
            experimental_features: unsafe { wgpu::ExperimentalFeatures::enabled() },
            ..Default::default()
        };
        let (device, queue) = pollster::block_on(found.request_device(&descriptor))
            .map_err(|error| unavailable(format!("{adapter} cannot be opened: {error}")))?;
        let fault = Arc::new(Mutex::new(None));
        let (lost, failed) = (fault.clone(), fault.clone());
        device.set_device_lost_callback(move |reason, message| {
            keep_first(&lost, format!("the device is lost ({reason:?}): {message}"));
        });
        device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| keep_first(&failed, first_line(&error))));
        let (reads, passes, brought) = Default::default();
        // Software adapters have a cache of their own, and tests run on them.
        let folder = cache::default_file().filter(|_| adapter.is_real());
        let pipelines = Pipelines::open(&device, &info, folder.as_deref().and_then(Path::parent));
        Ok(Device {
            wgpu: device,
            queue,
            adapter,
            limits,
            matrix,
            driver,
            roots: None,
            is_for_window: false,
            fault,
            reads,
            passes,
            brought,
            pipelines,
        })
    }

    /// Number of read-backs; it stays constant while pictures and effects stay on the card.
    pub fn reads(&self) -> u64 {
        self.reads.load(Ordering::Relaxed)
    }

    /// Whether it supports 16-bit floats.
    pub fn has_half(&self) -> bool {
        self.wgpu.features().contains(wgpu::Features::SHADER_F16)
    }

    /// Whether a window also draws with this device.
    pub fn is_shared(&self) -> bool {
        self.roots.is_some()
    }

    /// Runs `work`, and catches the driver's errors in it before anything else on this device sees them.
    pub fn watched<T>(&self, work: impl FnOnce() -> T) -> (T, Option<wgpu::Error>) {
        let scopes = [
            self.wgpu.push_error_scope(wgpu::ErrorFilter::Internal),
            self.wgpu.push_error_scope(wgpu::ErrorFilter::OutOfMemory),
            self.wgpu.push_error_scope(wgpu::ErrorFilter::Validation),
        ];
        let done = work();
        let [internal, memory, invalid] = scopes;
        let [invalid, memory, internal] = [invalid, memory, internal].map(|scope| pollster::block_on(scope.pop()));
        // Lack of memory is the cause of validation errors.
        (done, memory.or(invalid).or(internal))
    }

    /// Reads a picture back into `to`, which has its shape, after everything submitted before.
    ///
    /// # Errors
    /// When the device is lost.
    pub fn bring(&self, buffer: &wgpu::Buffer, to: &mut Image) -> Result<(), EngineError> {
        let bytes = to.data.len() as u64 * 4;
        let mut brought = self.brought.lock().unwrap_or_else(PoisonError::into_inner);
        let through = match brought.take().filter(|through| through.buffer.size() >= bytes) {
            Some(through) => through,
            None => Mapped::new(self, "brought", bytes, wgpu::MapMode::Read),
        };
        bring(self, buffer, brought.insert(through), to)
    }

    /// Marks the device as unusable.
    pub fn give_up(&self, line: String) {
        keep_first(&self.fault, line);
    }

    /// What went wrong since the device was opened. The device must not be used after that.
    pub fn fault(&self) -> Option<String> {
        self.fault.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The features that the kernel with cooperative matrices needs.
const MATRIX_FEATURES: wgpu::Features =
    wgpu::Features::EXPERIMENTAL_COOPERATIVE_MATRIX.union(wgpu::Features::SUBGROUP).union(wgpu::Features::SHADER_F16);

/// The largest cooperative matrices with 16-bit products and 32-bit sums, if all subgroups have the same size.
fn matrix(found: &wgpu::Adapter) -> Option<Matrix> {
    let info = found.get_info();
    let lanes = info.subgroup_min_size;
    let is_known = found.features().contains(MATRIX_FEATURES) && lanes == info.subgroup_max_size;
    let (half, single) = (wgpu::CooperativeScalarType::F16, wgpu::CooperativeScalarType::F32);
    let sides = found.cooperative_matrix_properties().into_iter().filter_map(|p| {
        let is_square = p.m_size == p.n_size && p.n_size == p.k_size;
        (is_square && p.ab_type == half && p.cr_type == single && matches!(p.m_size, 8 | 16)).then_some(p.m_size)
    });
    let side = sides.max().filter(|side| is_known && (*side..=THREADS / 4).contains(&lanes))?;
    Some(Matrix { side: side as usize, lanes: lanes as usize })
}

/// The best adapter; with `real` a graphics card.
fn best(real: bool) -> Result<(wgpu::Instance, wgpu::Adapter), EngineError> {
    let (instance, adapters) = list();
    match adapters.into_iter().find(|adapter| !real || Adapter::new(adapter).is_real()) {
        Some(adapter) => Ok((instance, adapter)),
        None => {
            let what = if real { "no graphics card with Vulkan, Metal or DX12" } else { "no adapter at all" };
            Err(unavailable(format!("{what} on this machine")))
        }
    }
}

/// Whether a window would choose this adapter by default: by name in `WGPU_ADAPTER_NAME`, else the fastest.
fn is_windows_choice(instance: &wgpu::Instance, adapter: &wgpu::Adapter) -> bool {
    let info = adapter.get_info();
    if let Ok(name) = std::env::var("WGPU_ADAPTER_NAME") {
        return info.name.to_lowercase().contains(&name.to_lowercase());
    }
    let options = wgpu::RequestAdapterOptions {
        power_preference: wgpu::PowerPreference::from_env().unwrap_or(wgpu::PowerPreference::HighPerformance),
        ..Default::default()
    };
    let fastest = pollster::block_on(instance.request_adapter(&options)).map(|adapter| adapter.get_info());
    fastest.is_ok_and(|fastest| (fastest.backend, &fastest.name) == (info.backend, &info.name))
}

/// Keeps the first fault, which says the most.
fn keep_first(fault: &Mutex<Option<String>>, line: String) {
    fault.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(line);
}

/// An error of this engine.
pub fn unavailable(reason: String) -> EngineError {
    EngineError::Unavailable { engine: "gpu", reason }
}

/// The causes of a driver's error on one line.
pub fn first_line(error: &wgpu::Error) -> String {
    let text = match error {
        wgpu::Error::OutOfMemory { .. } => return "not enough memory on the card".to_owned(),
        other => other.to_string(),
    };
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
