//! Words over the end of the chain: the last thing that is drawn, so that no effect reads them and no limit on flashes hides
//! them. Their pixels are sent to the device when they change.

use super::compiled::{FORMAT, draw_pipeline};
use crate::engine::gpu::Device;
use crate::image::words::Laid as Set;

const WORDS: &str = include_str!("../../shaders/screen/words.wgsl");

/// What lays words over textures.
pub struct Words {
    layout: wgpu::BindGroupLayout,
    /// How much of them is seen, 0 to 1, and what the device has of that.
    opacity: wgpu::Buffer,
    sent: f32,
    /// For bytes, and for linear light.
    over: [wgpu::RenderPipeline; 2],
    laid: Option<Laid>,
}

/// Words on the device.
struct Laid {
    /// Of their block.
    serial: u64,
    at: [u32; 2],
    size: [u32; 2],
    group: wgpu::BindGroup,
}

impl Words {
    /// Compiles the shader.
    pub fn new(device: &wgpu::Device) -> Words {
        let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: Some("words"),
            source: wgpu::ShaderSource::Wgsl(WORDS.into()),
        });
        let layout = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
            label: Some("words"),
            entries: &[
                wgpu::BindGroupLayoutEntry {
                    binding: 0,
                    visibility: wgpu::ShaderStages::FRAGMENT,
                    ty: wgpu::BindingType::Texture {
                        sample_type: wgpu::TextureSampleType::Float { filterable: false },
                        view_dimension: wgpu::TextureViewDimension::D2,
                        multisampled: false,
                    },
                    count: None,
                },
                wgpu::BindGroupLayoutEntry {
                    binding: 1,
                    visibility: wgpu::ShaderStages::FRAGMENT,
                    ty: wgpu::BindingType::Buffer {
                        ty: wgpu::BufferBindingType::Uniform,
                        has_dynamic_offset: false,
                        min_binding_size: None,
                    },
                    count: None,
                },
            ],
        });
        let opacity = device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("words"),
            size: 4,
            usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        let whole = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: Some("words"),
            bind_group_layouts: &[Some(&layout)],
            immediate_size: 0,
        });
        let blend = Some(wgpu::BlendState::PREMULTIPLIED_ALPHA_BLENDING);
        let over = [wgpu::TextureFormat::Rgba8UnormSrgb, FORMAT].map(|format| {
            draw_pipeline(device, "words", &whole, (&module, "vertex", "fragment"), (format, blend), &[])
        });
        Words { layout, opacity, sent: 0.0, over, laid: None }
    }

    /// Shows this block from the next picture on, or none. Sends it only if it is another one.
    pub fn lay(&mut self, device: &Device, words: Option<Set>) {
        let Some(Set { block, serial, opacity }) = words else {
            self.laid = None;
            return;
        };
        if opacity != self.sent {
            device.queue.write_buffer(&self.opacity, 0, &opacity.to_ne_bytes());
            self.sent = opacity;
        }
        if self.laid.as_ref().is_some_and(|laid| laid.serial == serial) {
            return;
        }
        let [width, height] = block.size;
        let size = wgpu::Extent3d { width, height, depth_or_array_layers: 1 };
        let texture = device.wgpu.create_texture(&wgpu::TextureDescriptor {
            label: Some("words"),
            size,
            mip_level_count: 1,
            sample_count: 1,
            dimension: wgpu::TextureDimension::D2,
            format: wgpu::TextureFormat::Rg8Unorm,
            usage: wgpu::TextureUsages::TEXTURE_BINDING | wgpu::TextureUsages::COPY_DST,
            view_formats: &[],
        });
        device.queue.write_texture(
            texture.as_image_copy(),
            block.pixels.as_flattened(),
            wgpu::TexelCopyBufferLayout { offset: 0, bytes_per_row: Some(width * 2), rows_per_image: None },
            size,
        );
        let view = texture.create_view(&wgpu::TextureViewDescriptor::default());
        let group = device.wgpu.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some("words"),
            layout: &self.layout,
            entries: &[
                wgpu::BindGroupEntry { binding: 0, resource: wgpu::BindingResource::TextureView(&view) },
                wgpu::BindGroupEntry { binding: 1, resource: self.opacity.as_entire_binding() },
            ],
        });
        self.laid = Some(Laid { serial, at: block.at, size: block.size, group });
    }

    /// Whether there are any.
    pub fn are_laid(&self) -> bool {
        self.laid.is_some()
    }

    /// Over what is shown, which encodes to sRGB.
    pub fn draw(&self, encoder: &mut wgpu::CommandEncoder, to: &wgpu::TextureView) {
        self.draw_by(&self.over[0], encoder, to);
    }

    /// As [`Words::draw`], for linear light.
    pub fn draw_light(&self, encoder: &mut wgpu::CommandEncoder, to: &wgpu::TextureView) {
        self.draw_by(&self.over[1], encoder, to);
    }

    fn draw_by(&self, pipeline: &wgpu::RenderPipeline, encoder: &mut wgpu::CommandEncoder, to: &wgpu::TextureView) {
        let Some(laid) = &self.laid else { return };
        let mut pass = encoder.begin_render_pass(&wgpu::RenderPassDescriptor {
            label: Some("words"),
            color_attachments: &[Some(wgpu::RenderPassColorAttachment {
                view: to,
                depth_slice: None,
                resolve_target: None,
                ops: wgpu::Operations { load: wgpu::LoadOp::Load, store: wgpu::StoreOp::Store },
            })],
            depth_stencil_attachment: None,
            timestamp_writes: None,
            occlusion_query_set: None,
            multiview_mask: None,
        });
        let [x, y, width, height] = [laid.at[0], laid.at[1], laid.size[0], laid.size[1]].map(|n| n as f32);
        pass.set_viewport(x, y, width, height, 0.0, 1.0);
        pass.set_pipeline(pipeline);
        pass.set_bind_group(0, &laid.group, &[]);
        pass.draw(0..3, 0..1);
    }
}
