//! An effect's pipelines on one device. Compiling is slow: it happens on the loader's thread.

use std::sync::{Arc, Mutex};

use super::script::Painter;
use super::shader::{FIRST_TEXTURE, Shader, TARGET};
use crate::engine::gpu::Device;
use crate::engine::{Engine, EngineError};

/// The format of everything between the up-scaler and the end of the chain.
pub const FORMAT: wgpu::TextureFormat = wgpu::TextureFormat::Rgba16Float;

/// Bytes of the uniforms of one step: those of every effect, then its parameters.
pub const FRAME_BYTES: u64 = 256;
pub const PARAM_BYTES: u64 = 256;

/// A shader ready to run.
#[derive(Debug)]
pub struct Compiled {
    pub shader: Arc<Shader>,
    pub steps: Vec<Pipeline>,
    /// Runs before the steps, of a TorchScript module.
    pub painter: Option<Mutex<Painter>>,
}

#[derive(Debug)]
pub enum Pipeline {
    Draw(wgpu::RenderPipeline, wgpu::BindGroupLayout),
    Compute(wgpu::ComputePipeline, wgpu::BindGroupLayout),
}

impl Pipeline {
    pub fn layout(&self) -> &wgpu::BindGroupLayout {
        let (Pipeline::Draw(_, layout) | Pipeline::Compute(_, layout)) = self;
        layout
    }
}

impl Compiled {
    /// The same, with the engine that runs its module.
    #[must_use]
    pub fn painted_by(self, engine: &Arc<dyn Engine>) -> Compiled {
        let script = self.shader.script.clone();
        let painter = script.map(|script| Mutex::new(Painter::new(engine.clone(), script, &self.shader.name)));
        Compiled { painter, ..self }
    }

    /// Compiles every step.
    ///
    /// # Errors
    /// When the driver rejects one.
    pub fn new(device: &Device, shader: Arc<Shader>) -> Result<Compiled, EngineError> {
        let (steps, error) = device.watched(|| build(&device.wgpu, &shader));
        match error {
            Some(error) => Err(crate::engine::gpu::unavailable(crate::engine::gpu::first_line(&error))),
            None => Ok(Compiled { shader, steps, painter: None }),
        }
    }
}

fn build(device: &wgpu::Device, shader: &Shader) -> Vec<Pipeline> {
    let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
        label: Some(&shader.name),
        source: wgpu::ShaderSource::Naga(std::borrow::Cow::Owned(shader.module.clone())),
    });
    let layouts = |layout: &wgpu::BindGroupLayout| {
        device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: Some(&shader.name),
            bind_group_layouts: &[Some(layout)],
            immediate_size: 0,
        })
    };
    let steps = shader.steps.iter().map(|step| match step.groups {
        Some(_) => {
            let layout = layout(device, shader, wgpu::ShaderStages::COMPUTE);
            let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                label: Some(&shader.name),
                layout: Some(&layouts(&layout)),
                module: &module,
                entry_point: Some(&step.function),
                compilation_options: wgpu::PipelineCompilationOptions::default(),
                cache: None,
            });
            Pipeline::Compute(pipeline, layout)
        }
        None => {
            let layout = layout(device, shader, wgpu::ShaderStages::FRAGMENT);
            let entry = format!("lj_step_{}", step.function);
            let pipeline = draw_pipeline(
                device,
                &shader.name,
                &layouts(&layout),
                (&module, "lj_vertex", &entry),
                (FORMAT, None),
                &[],
            );
            Pipeline::Draw(pipeline, layout)
        }
    });
    steps.collect()
}

/// A pipeline that covers its target with one triangle.
pub fn draw_pipeline(
    device: &wgpu::Device,
    label: &str,
    layout: &wgpu::PipelineLayout,
    (module, vertex, fragment): (&wgpu::ShaderModule, &str, &str),
    (format, blend): (wgpu::TextureFormat, Option<wgpu::BlendState>),
    constants: &[(&str, f64)],
) -> wgpu::RenderPipeline {
    device.create_render_pipeline(&wgpu::RenderPipelineDescriptor {
        label: Some(label),
        layout: Some(layout),
        vertex: wgpu::VertexState {
            module,
            entry_point: Some(vertex),
            compilation_options: wgpu::PipelineCompilationOptions::default(),
            buffers: &[],
        },
        primitive: wgpu::PrimitiveState::default(),
        depth_stencil: None,
        multisample: wgpu::MultisampleState::default(),
        fragment: Some(wgpu::FragmentState {
            module,
            entry_point: Some(fragment),
            compilation_options: wgpu::PipelineCompilationOptions { constants, ..Default::default() },
            targets: &[Some(wgpu::ColorTargetState { format, blend, write_mask: wgpu::ColorWrites::ALL })],
        }),
        multiview_mask: None,
        cache: None,
    })
}

/// Bindings 0 and 1 are what uniforms would be (software Vulkan, Mesa 22, compiles a shader anew whenever a uniform that it
/// branches on is written, and keeps the old code), 2 the sampler, 3 to 8 what every effect can read, then its own textures.
fn layout(device: &wgpu::Device, shader: &Shader, visibility: wgpu::ShaderStages) -> wgpu::BindGroupLayout {
    let entry = |binding, ty| wgpu::BindGroupLayoutEntry { binding, visibility, ty, count: None };
    let uniform = |binding, bytes: u64| {
        entry(
            binding,
            wgpu::BindingType::Buffer {
                ty: wgpu::BufferBindingType::Storage { read_only: true },
                has_dynamic_offset: true,
                min_binding_size: std::num::NonZeroU64::new(bytes),
            },
        )
    };
    let texture = |binding| {
        entry(
            binding,
            wgpu::BindingType::Texture {
                sample_type: wgpu::TextureSampleType::Float { filterable: true },
                view_dimension: wgpu::TextureViewDimension::D2,
                multisampled: false,
            },
        )
    };
    let mut entries = vec![
        uniform(0, FRAME_BYTES),
        uniform(1, PARAM_BYTES),
        entry(2, wgpu::BindingType::Sampler(wgpu::SamplerBindingType::Filtering)),
    ];
    entries.extend((3..FIRST_TEXTURE + shader.textures.len() as u32).map(texture));
    if visibility == wgpu::ShaderStages::COMPUTE {
        entries.push(entry(
            TARGET,
            wgpu::BindingType::StorageTexture {
                access: wgpu::StorageTextureAccess::WriteOnly,
                format: FORMAT,
                view_dimension: wgpu::TextureViewDimension::D2,
            },
        ));
    }
    device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor { label: Some(&shader.name), entries: &entries })
}
