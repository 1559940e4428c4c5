//! The up-scaler: the network's picture at the output's size, in linear light.
//!
//! Two passes: `scale.wgsl` finds where in the picture each output pixel lies and resamples, `develop.wgsl` sharpens and
//! decodes. A third, `finish.wgsl`, encodes the end of the chain.

use super::chain::{BLACK, draw};
use super::compiled::{FORMAT, draw_pipeline};
use crate::engine::gpu::Device;
use crate::image::Fit;
pub use crate::params::{Detail, Kernel, Layout};

const SCALE: &str = include_str!("../../shaders/screen/scale.wgsl");
const DEVELOP: &str = include_str!("../../shaders/screen/develop.wgsl");
const FINISH: &str = include_str!("../../shaders/screen/finish.wgsl");

impl Layout {
    /// The nearest one that needs no graphics device.
    pub fn plain(self) -> Fit {
        match self {
            Layout::Contain => Fit::Contain,
            Layout::Cover => Fit::Cover,
            Layout::Mirror | Layout::Kaleidoscope | Layout::Tile => Fit::Mirror,
        }
    }
}

/// The most pixels that [`Detail::Auto`] draws in software: there an effect takes a tenth of a second for 1280x720.
const SOFTWARE_PIXELS: u64 = 640 * 360;

impl Detail {
    /// The width and height at which an output of `size` pixels is drawn, in software or on a card.
    pub fn of(self, size: [u32; 2], is_software: bool) -> [u32; 2] {
        let part = |n: u32| size.map(|side| if side == 0 { 0 } else { side.div_ceil(n) });
        let fits = |n: &u32| part(*n).map(u64::from).iter().product::<u64>() <= SOFTWARE_PIXELS;
        match self {
            Detail::Auto if is_software => part((1..64).find(fits).unwrap_or(64)),
            Detail::Auto | Detail::Full => size,
            Detail::Half => part(2),
            Detail::Third => part(3),
            Detail::Quarter => part(4),
        }
    }
}

/// How a picture becomes an output.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Scaling {
    /// Width and height of the output in pixels; 0 for none.
    pub size: [u32; 2],
    pub fit: Layout,
    pub kernel: Kernel,
    /// 0 to 1; for [`Kernel::Edge`] only.
    pub sharpness: f32,
    /// Moves the picture: 1 is its own width, or height.
    pub centre: [f32; 2],
    /// Above 1 enlarges.
    pub zoom: f32,
    /// How many sectors a kaleidoscope has.
    pub sectors: f32,
    /// Turns the sectors of a kaleidoscope.
    pub turn: f32,
    /// Whether flashes at the end of the chain are damped.
    pub limits_flashes: bool,
}

impl Scaling {
    /// Whether a picture of this width and height stays as it is.
    pub fn is_plain(&self, picture: [u32; 2]) -> bool {
        let is_whole = matches!(self.fit, Layout::Contain | Layout::Cover | Layout::Mirror);
        self.size == picture && is_whole && self.zoom == 1.0 && self.centre == [0.0; 2]
    }
}

/// Share of the picture that mirrored copies show: a network's outermost pixels are often grey.
const INNER: f32 = 0.97;

/// As in `scale.wgsl`.
#[repr(C)]
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
struct Uniform {
    picture: [u32; 3],
    fit: u32,
    scale: [f32; 2],
    centre: [f32; 2],
    output: [f32; 2],
    ratio: f32,
    inner: f32,
    sectors: f32,
    turn: f32,
    padding: [f32; 2],
}

impl Uniform {
    fn new(scaling: &Scaling, [channels, height, width]: [usize; 3]) -> Uniform {
        let picture = [width as f64, height as f64];
        let output = scaling.size.map(f64::from);
        let zoom = f64::from(if scaling.zoom > 0.0 { scaling.zoom } else { 1.0 });
        let enlargement = scaling.fit.plain().enlargement(picture, output) * zoom;
        let scale = [0, 1].map(|axis| (output[axis] / picture[axis] / enlargement) as f32);
        // Only where copies show at all.
        let has_copies = scaling.fit == Layout::Kaleidoscope
            || scaling.fit == Layout::Mirror && (scale.iter().any(|s| *s > 1.001) || scaling.centre != [0.0; 2]);
        Uniform {
            picture: [width as u32, height as u32, channels as u32],
            fit: scaling.fit as u32,
            scale,
            centre: scaling.centre,
            output: output.map(|side| side as f32),
            ratio: (1.0 / enlargement) as f32,
            inner: if has_copies { INNER } else { 1.0 },
            sectors: scaling.sectors.max(2.0),
            turn: scaling.turn,
            padding: [0.0; 2],
        }
    }
}

/// A pass, with one pipeline for each variant.
struct Pass {
    pipelines: Vec<wgpu::RenderPipeline>,
    layout: wgpu::BindGroupLayout,
}

/// The built-in passes.
pub struct Scaler {
    scale: Pass,
    develop: Pass,
    finish: Pass,
    uniforms: Option<wgpu::Buffer>,
    /// The enlarged picture before it is developed.
    encoded: Option<Encoded>,
    /// The pictures that were enlarged, and the ends of the chain that were encoded, with their bind groups; newest last.
    pictures: Vec<(wgpu::Buffer, wgpu::BindGroup)>,
    ends: Vec<(wgpu::TextureView, wgpu::BindGroup)>,
    used: u64,
}

struct Encoded {
    view: wgpu::TextureView,
    size: [u32; 2],
    /// For developing it.
    group: wgpu::BindGroup,
}

/// How many bind groups of each kind are kept.
const MOST_GROUPS: usize = 8;

/// Bytes from one set of uniforms to the next; how many pictures are enlarged per frame.
const STRIDE: u64 = 256;
const SETS: u64 = 4;

impl Scaler {
    pub fn new(device: &wgpu::Device) -> Scaler {
        use wgpu::BindingType as Type;
        let uniform = Type::Buffer {
            ty: wgpu::BufferBindingType::Storage { read_only: true },
            has_dynamic_offset: true,
            min_binding_size: std::num::NonZeroU64::new(STRIDE),
        };
        let storage = Type::Buffer {
            ty: wgpu::BufferBindingType::Storage { read_only: true },
            has_dynamic_offset: false,
            min_binding_size: None,
        };
        let texture = Type::Texture {
            sample_type: wgpu::TextureSampleType::Float { filterable: true },
            view_dimension: wgpu::TextureViewDimension::D2,
            multisampled: false,
        };
        let srgb = wgpu::TextureFormat::Rgba8UnormSrgb;
        let kernels: &[&[(&str, f64)]] = &[&[("KERNEL", 0.0)], &[("KERNEL", 1.0)], &[("KERNEL", 2.0)]];
        Scaler {
            scale: pass(device, "scale", SCALE, &[uniform, storage], FORMAT, kernels),
            develop: pass(device, "develop", DEVELOP, &[uniform, texture], FORMAT, &[&[]]),
            finish: pass(device, "finish", FINISH, &[texture], srgb, &[&[]]),
            uniforms: None,
            encoded: None,
            pictures: Vec::with_capacity(MOST_GROUPS),
            ends: Vec::with_capacity(MOST_GROUPS),
            used: 0,
        }
    }

    /// Enlarges a picture `[C, H, W]` in a buffer.
    pub fn draw(
        &mut self,
        device: &Device,
        encoder: &mut wgpu::CommandEncoder,
        picture: &wgpu::Buffer,
        shape: [usize; 3],
        scaling: &Scaling,
        to: &wgpu::TextureView,
    ) {
        let uniforms = self.uniforms.get_or_insert_with(|| {
            device.wgpu.create_buffer(&wgpu::BufferDescriptor {
                label: Some("scale"),
                size: SETS * 2 * STRIDE,
                usage: wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_DST,
                mapped_at_creation: false,
            })
        });
        let kernel = match scaling.kernel {
            Kernel::Auto if device.adapter.is_real() => Kernel::Edge,
            Kernel::Auto => Kernel::Linear,
            kernel => kernel,
        };
        let uniform = Uniform::new(scaling, shape);
        let is_enlarged = uniform.ratio < 0.999;
        let sharpness = if kernel == Kernel::Edge && is_enlarged { scaling.sharpness.clamp(0.0, 1.0) } else { 0.0 };
        let at = (self.used % SETS) * 2 * STRIDE;
        self.used += 1;
        device.queue.write_buffer(uniforms, at, bytemuck::bytes_of(&uniform));
        device.queue.write_buffer(uniforms, at + STRIDE, bytemuck::bytes_of(&[sharpness, 0.0, 0.0, 0.0]));
        let bound = |layout: &wgpu::BindGroupLayout, second: wgpu::BindingResource| {
            let size = std::num::NonZeroU64::new(STRIDE);
            let first = wgpu::BindingResource::Buffer(wgpu::BufferBinding { buffer: uniforms, offset: 0, size });
            device.wgpu.create_bind_group(&wgpu::BindGroupDescriptor {
                label: Some("scale"),
                layout,
                entries: &[
                    wgpu::BindGroupEntry { binding: 0, resource: first },
                    wgpu::BindGroupEntry { binding: 1, resource: second },
                ],
            })
        };
        let pipeline = match kernel {
            Kernel::Lanczos => 1,
            Kernel::Edge => 2,
            Kernel::Auto | Kernel::Linear => 0,
        };
        let encoded = match self.encoded.take().filter(|encoded| encoded.size == scaling.size) {
            Some(encoded) => encoded,
            None => {
                let view = encoded(device, scaling.size);
                let group = bound(&self.develop.layout, wgpu::BindingResource::TextureView(&view));
                Encoded { view, size: scaling.size, group }
            }
        };
        let group = kept(&mut self.pictures, picture, || bound(&self.scale.layout, picture.as_entire_binding()));
        draw(encoder, "scale", &self.scale.pipelines[pipeline], &group, &[at as u32], (&encoded.view, BLACK));
        draw(encoder, "develop", &self.develop.pipelines[0], &encoded.group, &[(at + STRIDE) as u32], (to, BLACK));
        self.encoded = Some(encoded);
    }

    /// Lets go of everything that belongs to one size of the output.
    pub fn forget(&mut self) {
        self.encoded = None;
        self.ends.clear();
    }

    /// Encodes linear light for the window.
    pub fn finish(
        &mut self,
        device: &Device,
        encoder: &mut wgpu::CommandEncoder,
        from: &wgpu::TextureView,
        to: &wgpu::TextureView,
    ) {
        let finish = &self.finish;
        let group = kept(&mut self.ends, from, || {
            device.wgpu.create_bind_group(&wgpu::BindGroupDescriptor {
                label: Some("finish"),
                layout: &finish.layout,
                entries: &[wgpu::BindGroupEntry { binding: 0, resource: wgpu::BindingResource::TextureView(from) }],
            })
        });
        draw(encoder, "finish", &self.finish.pipelines[0], &group, &[], (to, BLACK));
    }
}

/// The bind group of a picture, made when it is first met.
fn kept<T: Clone + PartialEq>(
    known: &mut Vec<(T, wgpu::BindGroup)>,
    picture: &T,
    make: impl FnOnce() -> wgpu::BindGroup,
) -> wgpu::BindGroup {
    if let Some((_, group)) = known.iter().find(|(other, _)| other == picture) {
        return group.clone();
    }
    let group = make();
    if known.len() == MOST_GROUPS {
        known.remove(0);
    }
    known.push((picture.clone(), group.clone()));
    group
}

fn encoded(device: &Device, [width, height]: [u32; 2]) -> wgpu::TextureView {
    let texture = device.wgpu.create_texture(&wgpu::TextureDescriptor {
        label: Some("scale"),
        size: wgpu::Extent3d { width, height, depth_or_array_layers: 1 },
        mip_level_count: 1,
        sample_count: 1,
        dimension: wgpu::TextureDimension::D2,
        format: FORMAT,
        usage: wgpu::TextureUsages::TEXTURE_BINDING | wgpu::TextureUsages::RENDER_ATTACHMENT,
        view_formats: &[],
    });
    texture.create_view(&wgpu::TextureViewDescriptor::default())
}

/// A pass with one pipeline for each set of constants.
fn pass(
    device: &wgpu::Device,
    label: &str,
    wgsl: &str,
    bindings: &[wgpu::BindingType],
    format: wgpu::TextureFormat,
    variants: &[&[(&str, f64)]],
) -> Pass {
    let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
        label: Some(label),
        source: wgpu::ShaderSource::Wgsl(wgsl.into()),
    });
    let entries: Vec<_> = (0..)
        .zip(bindings)
        .map(|(binding, ty)| wgpu::BindGroupLayoutEntry {
            binding,
            visibility: wgpu::ShaderStages::FRAGMENT,
            ty: *ty,
            count: None,
        })
        .collect();
    let layout =
        device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor { label: Some(label), entries: &entries });
    let pipeline_layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
        label: Some(label),
        bind_group_layouts: &[Some(&layout)],
        immediate_size: 0,
    });
    let pipelines = variants
        .iter()
        .map(|constants| {
            draw_pipeline(device, label, &pipeline_layout, (&module, "vertex", "fragment"), (format, None), constants)
        })
        .collect();
    Pass { pipelines, layout }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_in_software_is_drawn_in_a_part_of_its_size() {
        for (size, expected) in [
            ([320, 180], [320, 180]),
            ([640, 360], [640, 360]),
            ([641, 360], [321, 180]),
            ([1280, 720], [640, 360]),
            ([1920, 1080], [640, 360]),
            ([3840, 2160], [640, 360]),
            ([1, 4096], [1, 4096]),
            ([0, 0], [0, 0]),
        ] {
            assert_eq!(Detail::Auto.of(size, true), expected, "{size:?}");
            assert_eq!(Detail::Auto.of(size, false), size);
            assert_eq!(Detail::Full.of(size, true), size);
        }
        assert_eq!(Detail::Third.of([1921, 1080], false), [641, 360]);
    }
}
