//! Protects photosensitive people: damps what flashes more than three times a second (WCAG 2.3.1), whatever makes it flash.
//!
//! Watches the end of the chain on the device: the light, and the red, of 32x18 cells. If at least a quarter of them flash too
//! often, a slow mean of the pictures is shown until they stop. Nothing is read back, and a picture that is not damped keeps
//! its bytes. What reads the chain's last output sees it undamped.

use super::chain::{Plate, draw};
use super::compiled::{FORMAT, draw_pipeline};
use crate::engine::gpu::Device;

const WATCH: &str = include_str!("../../shaders/screen/flash.wgsl");
const DAMP: &str = include_str!("../../shaders/screen/damp.wgsl");

/// As in `flash.wgsl`.
const GRID: [u32; 2] = [32, 18];
const TRACKER_BYTES: u64 = 32;
const STATE_BYTES: u64 = 16;

/// How many bind groups of each kind are kept: one for each texture that may be the end of the chain.
const MOST_GROUPS: usize = 24;

/// The limiter.
pub struct Flash {
    watch: wgpu::ComputePipeline,
    decide: wgpu::ComputePipeline,
    damp: wgpu::RenderPipeline,
    /// For bytes, and for linear light.
    cover: [wgpu::RenderPipeline; 2],
    sampler: wgpu::Sampler,
    dt: wgpu::Buffer,
    /// What belongs to outputs of one size, while the limiter is on.
    memory: Option<Memory>,
}

struct Memory {
    trackers: wgpu::Buffer,
    state: wgpu::Buffer,
    /// The mean of the pictures, in linear light, while they are damped.
    mean: wgpu::TextureView,
    cover: wgpu::BindGroup,
    /// By the ids of the picture and the one before, the newest last.
    groups: Vec<([u32; 2], wgpu::BindGroup, wgpu::BindGroup)>,
}

impl Flash {
    /// Compiles the shaders.
    pub fn new(device: &Device) -> Flash {
        let watching = module(device, "flash", WATCH);
        let damping = module(device, "damp", DAMP);
        let compute = |entry_point| {
            device.wgpu.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                label: Some("flash"),
                layout: Some(&layout_of_pipeline(device, &watch_layout(device))),
                module: &watching,
                entry_point: Some(entry_point),
                compilation_options: wgpu::PipelineCompilationOptions::default(),
                cache: None,
            })
        };
        let over = Some(wgpu::BlendState::ALPHA_BLENDING);
        Flash {
            watch: compute("watch"),
            decide: compute("decide"),
            damp: damp_pipeline(device, &damping, "damp", FORMAT, over),
            cover: [wgpu::TextureFormat::Rgba8UnormSrgb, FORMAT]
                .map(|format| damp_pipeline(device, &damping, "cover", format, None)),
            sampler: device.wgpu.create_sampler(&wgpu::SamplerDescriptor {
                label: Some("flash"),
                mag_filter: wgpu::FilterMode::Linear,
                min_filter: wgpu::FilterMode::Linear,
                ..Default::default()
            }),
            dt: buffer(device, 16),
            memory: None,
        }
    }

    /// Forgets everything: it is off, or the output's size changes.
    pub fn forget(&mut self) {
        self.memory = None;
    }

    /// Whether it remembers something.
    pub fn is_watching(&self) -> bool {
        self.memory.is_some()
    }

    /// What it remembers of outputs of this size: its buffers, and the mean of the pictures.
    pub fn memory(&mut self, device: &Device, size: [u32; 2]) -> ([wgpu::Buffer; 2], wgpu::TextureView) {
        let memory = self.memory.get_or_insert_with(|| Memory::new(device, size));
        ([memory.trackers.clone(), memory.state.clone()], memory.mean.clone())
    }

    /// Looks at a picture, `dt` seconds after `before`, and adds it to the mean if they flash.
    pub fn look(&mut self, device: &Device, encoder: &mut wgpu::CommandEncoder, [made, before]: [&Plate; 2], dt: f32) {
        device.queue.write_buffer(&self.dt, 0, bytemuck::bytes_of(&dt));
        let memory = self.memory.get_or_insert_with(|| Memory::new(device, made.size));
        let (watching, damping) = memory.groups_of(device, [made, before], &self.sampler, &self.dt);
        let label = Some("flash");
        let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor { label, timestamp_writes: None });
        pass.set_bind_group(0, &watching, &[]);
        pass.set_pipeline(&self.watch);
        pass.dispatch_workgroups(GRID[0], GRID[1], 1);
        pass.set_pipeline(&self.decide);
        pass.dispatch_workgroups(1, 1, 1);
        drop(pass);
        draw(encoder, "damp", &self.damp, &damping, &[], (&memory.mean, wgpu::LoadOp::Load));
    }

    /// Covers what is shown with the mean, while the pictures flash.
    pub fn cover(&self, encoder: &mut wgpu::CommandEncoder, to: &wgpu::TextureView) {
        self.cover_by(&self.cover[0], encoder, to);
    }

    /// As [`Flash::cover`], for linear light.
    pub fn cover_light(&self, encoder: &mut wgpu::CommandEncoder, to: &wgpu::TextureView) {
        self.cover_by(&self.cover[1], encoder, to);
    }

    fn cover_by(&self, pipeline: &wgpu::RenderPipeline, encoder: &mut wgpu::CommandEncoder, to: &wgpu::TextureView) {
        if let Some(memory) = &self.memory {
            draw(encoder, "cover", pipeline, &memory.cover, &[], (to, wgpu::LoadOp::Load));
        }
    }
}

impl Memory {
    fn new(device: &Device, size: [u32; 2]) -> Memory {
        let state = buffer(device, STATE_BYTES);
        let mean = mean(device, size);
        Memory {
            trackers: buffer(device, u64::from(GRID[0] * GRID[1]) * 2 * TRACKER_BYTES),
            cover: damp_group(device, &state, &mean, &mean),
            state,
            mean,
            groups: Vec::with_capacity(MOST_GROUPS),
        }
    }

    fn groups_of(
        &mut self,
        device: &Device,
        [made, before]: [&Plate; 2],
        sampler: &wgpu::Sampler,
        dt: &wgpu::Buffer,
    ) -> (wgpu::BindGroup, wgpu::BindGroup) {
        let key = [made.id, before.id];
        if let Some((_, watching, damping)) = self.groups.iter().find(|(known, ..)| *known == key) {
            return (watching.clone(), damping.clone());
        }
        let watching = device.wgpu.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some("flash"),
            layout: &watch_layout(device),
            entries: &[
                entry(0, wgpu::BindingResource::TextureView(&made.view)),
                entry(1, wgpu::BindingResource::Sampler(sampler)),
                entry(2, self.trackers.as_entire_binding()),
                entry(3, self.state.as_entire_binding()),
                entry(4, dt.as_entire_binding()),
            ],
        });
        let damping = damp_group(device, &self.state, &made.view, &before.view);
        if self.groups.len() == MOST_GROUPS {
            self.groups.remove(0);
        }
        self.groups.push((key, watching.clone(), damping.clone()));
        (watching, damping)
    }
}

/// Begins as zeros.
fn buffer(device: &Device, bytes: u64) -> wgpu::Buffer {
    device.wgpu.create_buffer(&wgpu::BufferDescriptor {
        label: Some("flash"),
        size: bytes,
        usage: wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::COPY_SRC,
        mapped_at_creation: false,
    })
}

fn entry(binding: u32, resource: wgpu::BindingResource<'_>) -> wgpu::BindGroupEntry<'_> {
    wgpu::BindGroupEntry { binding, resource }
}

fn module(device: &Device, label: &str, wgsl: &str) -> wgpu::ShaderModule {
    let source = wgpu::ShaderSource::Wgsl(wgsl.into());
    device.wgpu.create_shader_module(wgpu::ShaderModuleDescriptor { label: Some(label), source })
}

fn storage(binding: u32, visibility: wgpu::ShaderStages, read_only: bool, bytes: u64) -> wgpu::BindGroupLayoutEntry {
    let ty = wgpu::BindingType::Buffer {
        ty: wgpu::BufferBindingType::Storage { read_only },
        has_dynamic_offset: false,
        min_binding_size: std::num::NonZeroU64::new(bytes),
    };
    wgpu::BindGroupLayoutEntry { binding, visibility, ty, count: None }
}

fn texture(binding: u32, visibility: wgpu::ShaderStages) -> wgpu::BindGroupLayoutEntry {
    let ty = wgpu::BindingType::Texture {
        sample_type: wgpu::TextureSampleType::Float { filterable: true },
        view_dimension: wgpu::TextureViewDimension::D2,
        multisampled: false,
    };
    wgpu::BindGroupLayoutEntry { binding, visibility, ty, count: None }
}

fn watch_layout(device: &Device) -> wgpu::BindGroupLayout {
    let visibility = wgpu::ShaderStages::COMPUTE;
    let ty = wgpu::BindingType::Sampler(wgpu::SamplerBindingType::Filtering);
    device.wgpu.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
        label: Some("flash"),
        entries: &[
            texture(0, visibility),
            wgpu::BindGroupLayoutEntry { binding: 1, visibility, ty, count: None },
            storage(2, visibility, false, TRACKER_BYTES),
            storage(3, visibility, false, STATE_BYTES),
            storage(4, visibility, true, 4),
        ],
    })
}

fn damp_layout(device: &Device) -> wgpu::BindGroupLayout {
    let fragment = wgpu::ShaderStages::FRAGMENT;
    device.wgpu.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
        label: Some("damp"),
        entries: &[
            storage(0, wgpu::ShaderStages::VERTEX, true, STATE_BYTES),
            texture(1, fragment),
            texture(2, fragment),
        ],
    })
}

fn layout_of_pipeline(device: &Device, layout: &wgpu::BindGroupLayout) -> wgpu::PipelineLayout {
    device.wgpu.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
        label: Some("flash"),
        bind_group_layouts: &[Some(layout)],
        immediate_size: 0,
    })
}

fn damp_group(
    device: &Device,
    state: &wgpu::Buffer,
    picture: &wgpu::TextureView,
    before: &wgpu::TextureView,
) -> wgpu::BindGroup {
    device.wgpu.create_bind_group(&wgpu::BindGroupDescriptor {
        label: Some("damp"),
        layout: &damp_layout(device),
        entries: &[
            entry(0, state.as_entire_binding()),
            entry(1, wgpu::BindingResource::TextureView(picture)),
            entry(2, wgpu::BindingResource::TextureView(before)),
        ],
    })
}

fn damp_pipeline(
    device: &Device,
    module: &wgpu::ShaderModule,
    fragment: &str,
    format: wgpu::TextureFormat,
    blend: Option<wgpu::BlendState>,
) -> wgpu::RenderPipeline {
    let layout = layout_of_pipeline(device, &damp_layout(device));
    draw_pipeline(&device.wgpu, fragment, &layout, (module, "vertex", fragment), (format, blend), &[])
}

fn mean(device: &Device, [width, height]: [u32; 2]) -> wgpu::TextureView {
    use wgpu::TextureUsages as Usage;
    let texture = device.wgpu.create_texture(&wgpu::TextureDescriptor {
        label: Some("flash"),
        size: wgpu::Extent3d { width, height, depth_or_array_layers: 1 },
        mip_level_count: 1,
        sample_count: 1,
        dimension: wgpu::TextureDimension::D2,
        format: FORMAT,
        usage: Usage::TEXTURE_BINDING | Usage::RENDER_ATTACHMENT | Usage::COPY_DST | Usage::COPY_SRC,
        view_formats: &[],
    });
    texture.create_view(&wgpu::TextureViewDescriptor::default())
}
