//! Presents the newest picture on every window, in one pass per frame.
//!
//! A camera in Bevy is a list of passes for one window. We define two such lists, so that none of Bevy's passes (prepass,
//! lights, tone mapping) runs: [`Bare`] draws the picture straight to the window; [`UnderHud`] draws it into the camera's
//! texture, or into a part of it ([`Preview`]), with egui on top, and copies the result to the window. A picture on the card
//! is drawn in place; others are uploaded once per serial number. Runs on the main thread; never waits for a picture.

use std::collections::HashMap;
use std::sync::Arc;

use bevy::core_pipeline::upscaling::upscaling;
use bevy::ecs::schedule::{ScheduleBuildSettings, ScheduleLabel};
use bevy::prelude::*;
use bevy::render::extract_component::{ExtractComponent, ExtractComponentPlugin};
use bevy::render::extract_resource::{ExtractResource, ExtractResourcePlugin};
use bevy::render::render_resource::binding_types::{sampler, texture_2d, uniform_buffer_sized};
use bevy::render::render_resource::{
    AddressMode, BindGroup, BindGroupEntries, BindGroupLayout, BindGroupLayoutEntries, Buffer, BufferDescriptor,
    BufferUsages, ColorTargetState, ColorWrites, Extent3d, FilterMode, MultisampleState, PipelineCompilationOptions,
    PipelineLayoutDescriptor, PrimitiveState, RawFragmentState, RawRenderPipelineDescriptor, RawVertexState,
    RenderPassColorAttachment, RenderPassDescriptor, RenderPipeline, Sampler, SamplerBindingType, SamplerDescriptor,
    ShaderModule, ShaderModuleDescriptor, ShaderSource, ShaderStages, TexelCopyBufferLayout, Texture,
    TextureDescriptor, TextureDimension, TextureFormat, TextureId, TextureSampleType, TextureUsages, TextureView,
    TextureViewDescriptor,
};
use bevy::render::renderer::{RenderAdapterInfo, RenderContext, RenderDevice, RenderQueue, ViewQuery};
use bevy::render::view::ViewTarget;
use bevy::render::{Render, RenderApp, RenderStartup, RenderSystems};
use bevy_egui::render::{egui_pass, prepare_egui_pass};
use nannou::wgpu::DeviceType;

use super::fit;
use crate::engine::gpu::GpuTexture;
use crate::engine::surface::Texture as Finished;
use crate::show::{Fit, Picture};

const SHADER: &str = include_str!("../../shaders/present.wgsl");

/// The passes of a camera that shows only the picture.
#[derive(ScheduleLabel, Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Bare;

/// The passes of a camera that shows the picture and egui over it.
#[derive(ScheduleLabel, Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct UnderHud;

/// The contents of the windows. Latest value wins; cheap to clone.
#[derive(Resource, Clone)]
pub(super) struct Frame {
    pub picture: Option<Arc<Picture>>,
    /// Multiplies linear light, 0 to 1.
    pub brightness: f32,
    pub fit: Fit,
}

impl Default for Frame {
    fn default() -> Self {
        Frame { picture: None, brightness: 1.0, fit: Fit::Contain }
    }
}

impl ExtractResource for Frame {
    type Source = Frame;

    fn extract_resource(source: &Frame) -> Frame {
        source.clone()
    }
}

/// The part of a window that shows the picture: left, top, width and height in pixels. Without one the picture fills the
/// window.
#[derive(Component, ExtractComponent, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Preview(pub Option<[u32; 4]>);

impl Preview {
    /// It within a window of `size`; `None` if there is nothing left, or without one.
    fn within(self, size: [u32; 2]) -> Option<[u32; 4]> {
        let [left, top, width, height] = self.0?;
        let (width, height) = (width.min(size[0].saturating_sub(left)), height.min(size[1].saturating_sub(top)));
        (width > 0 && height > 0).then_some([left, top, width, height])
    }
}

/// Adds the two lists of passes and what they need.
pub(super) struct PresentPlugin;

impl Plugin for PresentPlugin {
    fn build(&self, app: &mut App) {
        app.init_resource::<Frame>()
            .add_plugins((ExtractResourcePlugin::<Frame>::default(), ExtractComponentPlugin::<Preview>::default()));
        let Some(render) = app.get_sub_app_mut(RenderApp) else { return };
        render
            .add_schedule(passes(Bare))
            .add_schedule(passes(UnderHud))
            .add_systems(
                RenderStartup,
                |mut commands: Commands,
                 device: Res<RenderDevice>,
                 adapter: Res<RenderAdapterInfo>,
                 mut is_later: Local<bool>| {
                    let is_first = !std::mem::replace(&mut *is_later, true);
                    let software = adapter.device_type == DeviceType::Cpu;
                    commands.insert_resource(Presenter { is_first, ..Presenter::new(&device, software) });
                },
            )
            .add_systems(Render, upload.in_set(RenderSystems::PrepareResources))
            .add_systems(Bare, present_bare)
            .add_systems(UnderHud, (prepare_egui_pass, present_under_hud, egui_pass, upscaling).chain());
    }
}

fn passes(label: impl ScheduleLabel) -> Schedule {
    let mut schedule = Schedule::new(label);
    // As in Bevy's own lists: command buffers are submitted once, at the end, in the order of the systems.
    schedule.set_build_settings(ScheduleBuildSettings { auto_insert_apply_deferred: false, ..default() });
    schedule
}

/// Matches `Present` in the shader.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, bytemuck::Pod, bytemuck::Zeroable)]
struct Uniform {
    scale: [f32; 2],
    texels: [f32; 2],
    brightness: f32,
    mirror: f32,
    cubic: f32,
    padding: f32,
}

/// A texture as used by passes, and its size.
#[derive(Clone)]
struct Canvas {
    texture: Texture,
    view: TextureView,
    size: [u32; 2],
}

/// The picture that the windows show.
struct Shown {
    canvas: Canvas,
    serial: u64,
    /// For a picture on the card: while it is held here, until a frame with a newer one has been submitted, the engine does
    /// not write to it.
    _held: Option<Finished>,
}

/// What one window was last drawn with.
struct Target {
    buffer: Buffer,
    /// For recently drawn textures, the newest last.
    bind_groups: Vec<(TextureId, BindGroup)>,
    uniform: Uniform,
    /// Size of the window and serial number of the picture on it.
    drawn: Option<([u32; 2], u64)>,
    /// Frames since it was last drawn.
    rested: u32,
}

/// Maximum bind groups kept: one for each texture that the engine uses in turn.
const MOST_TEXTURES: usize = 8;

/// An unchanged window is redrawn after this many frames, as another window may have covered it.
const LONGEST_REST: u32 = 30;

/// Pipelines, textures and buffers of the presenting pass.
#[derive(Resource)]
struct Presenter {
    /// Whether the driver is software: no Catmull-Rom, and unchanged windows are not redrawn.
    software: bool,
    /// Whether this is the device that the show started with: only there can pictures on the engine's card be drawn. Another
    /// device may look the same, as every instance numbers its devices from the start.
    is_first: bool,
    shader: ShaderModule,
    layout: BindGroupLayout,
    sampler: Sampler,
    pipelines: HashMap<TextureFormat, RenderPipeline>,
    /// The texture for uploaded pictures.
    uploaded: Option<Canvas>,
    /// The engine's textures, as used by passes.
    cards: Vec<Canvas>,
    shown: Option<Shown>,
    targets: HashMap<Entity, Target>,
}

impl Presenter {
    fn new(device: &RenderDevice, software: bool) -> Self {
        let shader = device.create_and_validate_shader_module(ShaderModuleDescriptor {
            label: Some("present"),
            source: ShaderSource::Wgsl(SHADER.into()),
        });
        let layout = device.create_bind_group_layout(
            "present",
            &BindGroupLayoutEntries::sequential(
                ShaderStages::FRAGMENT,
                (
                    uniform_buffer_sized(false, None),
                    texture_2d(TextureSampleType::Float { filterable: true }),
                    sampler(SamplerBindingType::Filtering),
                ),
            ),
        );
        let sampler = device.create_sampler(&SamplerDescriptor {
            label: Some("present"),
            address_mode_u: AddressMode::MirrorRepeat,
            address_mode_v: AddressMode::MirrorRepeat,
            mag_filter: FilterMode::Linear,
            min_filter: FilterMode::Linear,
            ..default()
        });
        Presenter {
            software,
            is_first: true,
            shader,
            layout,
            sampler,
            pipelines: HashMap::new(),
            uploaded: None,
            cards: Vec::new(),
            shown: None,
            targets: HashMap::new(),
        }
    }

    /// The pipeline for windows of `format`, built when first needed.
    fn pipeline(&mut self, device: &RenderDevice, format: TextureFormat) -> RenderPipeline {
        let Presenter { shader, layout, pipelines, .. } = self;
        let build = || {
            let pipeline_layout = device.create_pipeline_layout(&PipelineLayoutDescriptor {
                label: Some("present"),
                bind_group_layouts: &[Some(&**layout)],
                immediate_size: 0,
            });
            let encode = f64::from(u8::from(!format.is_srgb()));
            device.create_render_pipeline(&RawRenderPipelineDescriptor {
                label: Some("present"),
                layout: Some(&pipeline_layout),
                vertex: RawVertexState {
                    module: shader,
                    entry_point: Some("vertex"),
                    compilation_options: PipelineCompilationOptions::default(),
                    buffers: &[],
                },
                primitive: PrimitiveState::default(),
                depth_stencil: None,
                multisample: MultisampleState::default(),
                fragment: Some(RawFragmentState {
                    module: shader,
                    entry_point: Some("fragment"),
                    compilation_options: PipelineCompilationOptions { constants: &[("encode", encode)], ..default() },
                    targets: &[Some(ColorTargetState { format, blend: None, write_mask: ColorWrites::ALL })],
                }),
                multiview_mask: None,
                cache: None,
            })
        };
        pipelines.entry(format).or_insert_with(build).clone()
    }

    /// The shader's uniforms for a window of `window` pixels.
    fn uniform(&self, frame: &Frame, window: [u32; 2], picture: [u32; 2]) -> Uniform {
        let scale = fit::scale(frame.fit, window, picture);
        let cubic = !self.software && fit::enlarges(scale, window, picture);
        Uniform {
            scale,
            texels: picture.map(|side| side as f32),
            brightness: frame.brightness.clamp(0.0, 1.0),
            mirror: f32::from(u8::from(frame.fit == Fit::Mirror)),
            cubic: f32::from(u8::from(cubic)),
            padding: 0.0,
        }
    }

    /// Updates the buffer and bind group of one window. False if the window already shows all this.
    fn prepare(
        &mut self,
        view: Entity,
        frame: &Frame,
        window: [u32; 2],
        device: &RenderDevice,
        queue: &RenderQueue,
    ) -> bool {
        let Some(shown) = &self.shown else { return true };
        let uniform = self.uniform(frame, window, shown.canvas.size);
        let target = self.targets.entry(view).or_insert_with(|| {
            let buffer = device.create_buffer(&BufferDescriptor {
                label: Some("present"),
                size: size_of::<Uniform>() as u64,
                usage: BufferUsages::UNIFORM | BufferUsages::COPY_DST,
                mapped_at_creation: false,
            });
            queue.write_buffer(&buffer, 0, bytemuck::bytes_of(&uniform));
            Target { buffer, bind_groups: Vec::with_capacity(MOST_TEXTURES), uniform, drawn: None, rested: 0 }
        });
        let texture = shown.canvas.texture.id();
        match target.bind_groups.iter().position(|(known, _)| *known == texture) {
            Some(known) => target.bind_groups[known..].rotate_left(1),
            None => {
                if target.bind_groups.len() == MOST_TEXTURES {
                    target.bind_groups.remove(0);
                }
                let entries = (target.buffer.as_entire_binding(), &shown.canvas.view, &self.sampler);
                let group = device.create_bind_group("present", &self.layout, &BindGroupEntries::sequential(entries));
                target.bind_groups.push((texture, group));
                target.drawn = None;
            }
        }
        let drawn = Some((window, shown.serial));
        if target.uniform != uniform {
            queue.write_buffer(&target.buffer, 0, bytemuck::bytes_of(&uniform));
            target.uniform = uniform;
        } else if target.drawn == drawn && target.rested < LONGEST_REST {
            target.rested += 1;
            return false;
        }
        target.drawn = drawn;
        target.rested = 0;
        true
    }

    /// A picture on the card as used by passes; the same texture always gets the same view.
    fn canvas(&mut self, card: &GpuTexture) -> Canvas {
        if let Some(known) = self.cards.iter().find(|canvas| *canvas.texture == card.texture) {
            return known.clone();
        }
        // Drop those of another size, and the oldest.
        self.cards.retain(|canvas| canvas.size == card.size);
        if self.cards.len() == MOST_TEXTURES {
            self.cards.remove(0);
        }
        let view = card.texture.create_view(&TextureViewDescriptor::default()).into();
        self.cards.push(Canvas { texture: card.texture.clone().into(), view, size: card.size });
        self.cards[self.cards.len() - 1].clone()
    }

    /// The pass itself: draws the picture into a part of the window, or all of it; black if there is none.
    fn draw(
        &mut self,
        view: Entity,
        part: Option<[u32; 4]>,
        format: TextureFormat,
        attachment: RenderPassColorAttachment,
        ctx: &mut RenderContext,
    ) {
        let pipeline = self.pipeline(&ctx.render_device().clone(), format);
        let mut pass = ctx.command_encoder().begin_render_pass(&RenderPassDescriptor {
            label: Some("present"),
            color_attachments: &[Some(attachment)],
            ..default()
        });
        if let Some((_, bind_group)) = self.targets.get(&view).and_then(|target| target.bind_groups.last()) {
            pass.set_pipeline(&pipeline);
            pass.set_bind_group(0, &**bind_group, &[]);
            if let Some([left, top, width, height]) = part {
                pass.set_viewport(left as f32, top as f32, width as f32, height as f32, 0.0, 1.0);
                pass.set_scissor_rect(left, top, width, height);
            }
            pass.draw(0..3, 0..1);
        }
    }
}

/// Finds a new picture on the device or uploads it; a picture whose bytes do not match its size is skipped.
fn upload(
    frame: Res<Frame>,
    presenter: Option<ResMut<Presenter>>,
    views: Query<(), With<ViewTarget>>,
    device: Res<RenderDevice>,
    queue: Res<RenderQueue>,
) {
    let (Some(mut presenter), Some(picture)) = (presenter, frame.picture.as_deref()) else { return };
    presenter.targets.retain(|&view, _| views.contains(view));
    let size = [picture.width, picture.height];
    let largest = device.limits().max_texture_dimension_2d;
    let bytes = size[0] as usize * size[1] as usize * 4;
    if presenter.shown.as_ref().is_some_and(|shown| shown.serial == picture.serial && shown.canvas.size == size) {
        return;
    }
    let texture = picture.texture.as_ref().filter(|_| presenter.is_first);
    let ours = texture.and_then(|texture| Some((texture, texture.inner.downcast_ref::<GpuTexture>()?)));
    if let Some((texture, gpu)) = ours.filter(|(_, gpu)| gpu.wgpu == *device.wgpu_device()) {
        let canvas = presenter.canvas(gpu);
        presenter.shown = Some(Shown { canvas, serial: picture.serial, _held: Some(texture.clone()) });
        return;
    }
    if size.iter().any(|&side| side == 0 || side > largest) || picture.rgba.len() != bytes {
        return;
    }
    let canvas = match presenter.uploaded.take() {
        Some(uploaded) if uploaded.size == size => uploaded,
        _ => create_texture(&device, size),
    };
    let extent = Extent3d { width: size[0], height: size[1], depth_or_array_layers: 1 };
    let rows = TexelCopyBufferLayout { offset: 0, bytes_per_row: Some(size[0] * 4), rows_per_image: None };
    queue.write_texture(canvas.texture.as_image_copy(), &picture.rgba, rows, extent);
    presenter.uploaded = Some(canvas.clone());
    presenter.shown = Some(Shown { canvas, serial: picture.serial, _held: None });
}

/// A texture for pictures of `size`; sampling gives linear light.
fn create_texture(device: &RenderDevice, size: [u32; 2]) -> Canvas {
    let texture = device.create_texture(&TextureDescriptor {
        label: Some("picture"),
        size: Extent3d { width: size[0], height: size[1], depth_or_array_layers: 1 },
        mip_level_count: 1,
        sample_count: 1,
        dimension: TextureDimension::D2,
        format: TextureFormat::Rgba8UnormSrgb,
        usage: TextureUsages::TEXTURE_BINDING | TextureUsages::COPY_DST,
        view_formats: &[],
    });
    let view = texture.create_view(&TextureViewDescriptor::default());
    Canvas { texture, view, size }
}

fn window_size(target: &ViewTarget) -> [u32; 2] {
    let size = target.main_texture().size();
    [size.width, size.height]
}

fn present_bare(
    view: ViewQuery<(Entity, &ViewTarget)>,
    mut presenter: ResMut<Presenter>,
    frame: Res<Frame>,
    queue: Res<RenderQueue>,
    mut ctx: RenderContext,
) {
    let (entity, target) = view.into_inner();
    let changed = presenter.prepare(entity, &frame, window_size(target), &ctx.render_device().clone(), &queue);
    if presenter.software && !changed {
        return;
    }
    let Some(format) = target.out_texture_view_format() else { return };
    let Some(attachment) = target.out_texture_color_attachment(Some(LinearRgba::BLACK)) else { return };
    presenter.draw(entity, None, format, attachment, &mut ctx);
}

fn present_under_hud(
    view: ViewQuery<(Entity, &ViewTarget, Option<&Preview>)>,
    mut presenter: ResMut<Presenter>,
    frame: Res<Frame>,
    queue: Res<RenderQueue>,
    mut ctx: RenderContext,
) {
    let (entity, target, preview) = view.into_inner();
    let window = window_size(target);
    let part = preview.and_then(|preview| preview.within(window));
    let size = part.map_or(window, |[_, _, width, height]| [width, height]);
    presenter.prepare(entity, &frame, size, &ctx.render_device().clone(), &queue);
    // `prepare` does not compare the HUD: the window must be redrawn when it is hidden.
    if let Some(target) = presenter.targets.get_mut(&entity) {
        target.drawn = None;
    }
    let attachment = target.get_unsampled_color_attachment();
    presenter.draw(entity, part, target.main_texture_format(), attachment, &mut ctx);
}
