//! The screen: the picture enlarged to the output's size, then a chain of effects, then bytes for the window and the taps.
//!
//! Runs on the engine's thread. Allocates only when sizes or the chain change. An effect that reads its own last output has
//! two textures of its own; the others share a few. A picture waits until the device has at most [`AHEAD`] others to draw:
//! on a slow device they would pile up, each with its memory and its delay.

mod light;
mod memo;

use std::collections::VecDeque;
use std::sync::{Arc, PoisonError};

use half::f16;

use super::compiled::{Compiled, FORMAT, FRAME_BYTES, PARAM_BYTES, Pipeline};
use super::flash::Flash;
use super::header::What;
use super::scale::{Scaler, Scaling};
use super::shader::{FIRST_TEXTURE, MOST_TEXTURES};
use super::words::Words;
use crate::engine::EngineError;
use crate::engine::gpu::{Device, GpuImage, GpuTexture, Mapped, Ring, unavailable, wait};
use crate::engine::surface::{Surface, Texture};
use crate::image::words::Laid;

/// How many effects a chain may have.
pub const MOST_LINKS: usize = 40;
/// How many pictures the device may have before it when one is begun.
pub const AHEAD: usize = 2;
/// How many words of 32 bits the parameters of one effect take, at most.
pub const MOST_WORDS: usize = PARAM_BYTES as usize / 4;
/// Words of a link before its parameters: whether it is enabled, and its mix.
pub const LINK_WORDS: usize = 2;
/// How many bind groups a step keeps: one for each set of textures that it meets in turn.
const MOST_GROUPS: usize = 24;

/// One effect of a chain.
#[derive(Clone, Debug)]
pub struct Link {
    /// Its name in addresses.
    pub name: String,
    pub compiled: Arc<Compiled>,
}

/// The time of a picture.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Moment {
    /// Of the show.
    pub secs: f64,
    pub dt: f32,
    pub beat: f64,
    pub bpm: f32,
    /// Counts pictures.
    pub frame: u32,
}

/// A texture of the chain; `id` distinguishes it in the keys of bind groups.
#[derive(Clone, Debug)]
pub struct Plate {
    pub view: wgpu::TextureView,
    pub id: u32,
    pub size: [u32; 2],
}

/// Two textures that take turns: one has the contents, the other is filled next.
#[derive(Debug)]
struct Pair {
    plates: [Plate; 2],
    front: usize,
}

impl Pair {
    fn front(&self) -> &Plate {
        &self.plates[self.front]
    }
    fn back(&self) -> &Plate {
        &self.plates[1 - self.front]
    }
    fn swap(&mut self) {
        self.front = 1 - self.front;
    }
}

/// A link, its textures and bind groups.
struct Playing {
    link: Link,
    /// Its last output, if it reads that.
    last: Option<Pair>,
    textures: Vec<Pair>,
    /// For each step, recently used ones, the newest last.
    groups: Vec<Vec<(Key, wgpu::BindGroup)>>,
}

/// How many textures every effect can read, besides its own.
const COMMON: usize = (FIRST_TEXTURE - 3) as usize;
/// The textures that a step reads and the one that it fills, by their ids.
type Key = [u32; COMMON + MOST_TEXTURES + 1];

/// The textures that a step reads, in the order of their bindings.
struct Reads<'a> {
    common: [Plate; COMMON],
    own: &'a [Pair],
}

impl Reads<'_> {
    fn plates(&self) -> impl Iterator<Item = &Plate> {
        self.common.iter().chain(self.own.iter().map(Pair::front))
    }
}

/// Draws pictures at the output's size.
pub struct Screen {
    device: Arc<Device>,
    scaler: Scaler,
    links: Vec<Playing>,
    size: [u32; 2],
    /// The picture that enters the chain, and the network's own if an effect reads it.
    painting: Option<Plate>,
    network: Option<Plate>,
    /// Shared by the effects that do not keep their output.
    pool: Vec<Plate>,
    /// The last output of the chain.
    shown: Option<Plate>,
    palette: Plate,
    black: Plate,
    sampler: wgpu::Sampler,
    flash: Flash,
    over: Words,
    uniforms: wgpu::Buffer,
    words: Vec<u32>,
    /// Of the module that is running.
    knobs: Vec<f32>,
    /// Whether each link runs in this picture.
    active: Vec<bool>,
    /// Whether pictures are sent in linear light too, and where that is made ready.
    sends_light: bool,
    light: Option<Plate>,
    ring: Option<Ring>,
    /// The pictures that the device may still be drawing, the oldest first.
    in_flight: VecDeque<wgpu::SubmissionIndex>,
    /// Why a module left its last painting where it was.
    fault: Option<String>,
    ids: u32,
}

impl Screen {
    /// # Errors
    /// When the device rejects the built-in shaders.
    pub fn new(device: Arc<Device>) -> Result<Screen, EngineError> {
        let make = || (Scaler::new(&device.wgpu), Flash::new(&device), Words::new(&device.wgpu));
        let ((scaler, flash, over), error) = device.watched(make);
        if let Some(error) = error {
            return Err(unavailable(crate::engine::gpu::first_line(&error)));
        }
        let mut ids = 0;
        let black = plate(&device, [1, 1], &mut ids);
        let palette = plate(&device, [256, 1], &mut ids);
        let sampler = device.wgpu.create_sampler(&wgpu::SamplerDescriptor {
            label: Some("effects"),
            mag_filter: wgpu::FilterMode::Linear,
            min_filter: wgpu::FilterMode::Linear,
            ..Default::default()
        });
        let uniforms = uniform_buffer(&device, 1);
        Ok(Screen {
            scaler,
            links: Vec::new(),
            size: [0; 2],
            painting: None,
            network: None,
            pool: Vec::new(),
            shown: None,
            palette,
            black,
            sampler,
            flash,
            over,
            uniforms,
            words: Vec::new(),
            knobs: Vec::new(),
            active: Vec::new(),
            sends_light: false,
            light: None,
            ring: None,
            in_flight: VecDeque::with_capacity(AHEAD),
            fault: None,
            ids,
            device,
        })
    }

    /// Words over the pictures from the next one on; `None` for none. The number changes with the block.
    pub fn lay_words(&mut self, words: Option<Laid>) {
        self.over.lay(&self.device, words);
    }

    /// What went wrong with a module in the last picture.
    pub fn take_fault(&mut self) -> Option<String> {
        self.fault.take()
    }

    pub fn device(&self) -> &Arc<Device> {
        &self.device
    }

    /// Whether the chain is empty.
    pub fn is_empty(&self) -> bool {
        self.links.is_empty()
    }

    /// Whether an effect reads the network's own picture.
    pub fn reads_network(&self) -> bool {
        self.links.iter().any(|playing| playing.link.compiled.shader.reads.network)
    }

    /// Replaces the chain. Effects that stay under their name keep what they remember. Returns those that left.
    pub fn set_chain(&mut self, links: Vec<Link>) -> Vec<Link> {
        let mut old = std::mem::take(&mut self.links);
        for link in links.into_iter().take(MOST_LINKS) {
            let before = old.iter().position(|playing| playing.link.name == link.name);
            let before = before.map(|at| old.swap_remove(at));
            self.links.push(self.playing(link, before));
        }
        let steps = self.links.iter().map(|playing| playing.link.compiled.steps.len()).sum::<usize>();
        self.uniforms = uniform_buffer(&self.device, steps.max(1));
        self.forget_groups();
        old.into_iter().map(|playing| playing.link).collect()
    }

    fn playing(&self, link: Link, before: Option<Playing>) -> Playing {
        let shader = link.compiled.shader.clone();
        let (mut last, mut textures) = (None, Vec::new());
        if let Some(before) = before {
            // What it remembers survives as far as it still fits.
            let same = before.link.compiled.shader.textures == shader.textures;
            (last, textures) = (before.last, if same { before.textures } else { Vec::new() });
        }
        let groups = shader.steps.iter().map(|_| Vec::with_capacity(MOST_GROUPS)).collect();
        Playing { last: last.filter(|_| shader.reads.last), textures, groups, link }
    }

    fn forget_groups(&mut self) {
        self.links.iter_mut().flat_map(|playing| &mut playing.groups).for_each(Vec::clear);
    }

    /// The palette: 256 colours in linear light.
    pub fn set_palette(&mut self, colours: &[[f32; 3]; 256]) {
        let halves: Vec<half::f16> =
            colours.iter().flat_map(|[r, g, b]| [*r, *g, *b, 1.0]).map(half::f16::from_f32).collect();
        let texture = self.palette.view.texture().clone();
        self.device.queue.write_texture(
            texture.as_image_copy(),
            bytemuck::cast_slice(&halves),
            wgpu::TexelCopyBufferLayout { offset: 0, bytes_per_row: Some(256 * 8), rows_per_image: None },
            wgpu::Extent3d { width: 256, height: 1, depth_or_array_layers: 1 },
        );
    }

    /// Makes the textures for outputs of `size`. Everything that effects remember is lost when it changes.
    fn resize(&mut self, size: [u32; 2]) {
        if self.size == size && self.painting.is_some() {
            return;
        }
        self.size = size;
        self.painting = Some(plate(&self.device, size, &mut self.ids));
        (self.network, self.shown, self.ring, self.light) = (None, None, None, None);
        self.flash.forget();
        self.pool.clear();
        self.scaler.forget();
        for playing in &mut self.links {
            playing.last = None;
            playing.textures.clear();
        }
        self.forget_groups();
    }

    /// Draws a picture: `painting` enters the chain, `network` is the network's own, empty if that is the same. `values` are those of the links in order:
    /// [`LINK_WORDS`], then as many words as the effect's parameters take. Returns a texture for a window on the same device,
    /// and whether the bytes were sent under `number` ([`Screen::take_pixels`]).
    ///
    /// # Errors
    /// When the device is lost or out of memory.
    pub fn draw(
        &mut self,
        [painting, network]: [&mut Surface; 2],
        scaling: &Scaling,
        values: &[u32],
        moment: Moment,
        number: Option<u64>,
    ) -> Result<Option<Texture>, EngineError> {
        self.begin(scaling.size, painting)?;
        self.resize(scaling.size);
        let mut encoder = self.device.wgpu.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        let plain = self.entry(scaling.limits_flashes).ok_or_else(|| unavailable("no texture".to_owned()))?;
        self.enlarge(&mut encoder, painting, scaling, &plain)?;
        if self.reads_network() && !network.is_empty() {
            let plate = match self.network.take() {
                Some(plate) => plate,
                None => plate(&self.device, self.size, &mut self.ids),
            };
            self.enlarge(&mut encoder, network, scaling, &plate)?;
            self.network = Some(plate);
        } else {
            self.network = None;
        }
        let made = self.run_chain(&mut encoder, &plain, values, moment);
        self.limit_flashes(&mut encoder, &made, moment.dt, scaling.limits_flashes);
        let texture = self.finish(&mut encoder, &made, true, number);
        self.shown = Some(made);
        Ok(self.submit(encoder, texture))
    }

    /// Waits for the turn of a picture of that size.
    fn begin(&mut self, [width, height]: [u32; 2], painting: &Surface) -> Result<(), EngineError> {
        if let Some(fault) = self.device.fault() {
            return Err(unavailable(fault));
        }
        let most = self.device.limits.max_texture_dimension_2d;
        if painting.is_empty() || [width, height].iter().any(|side| *side == 0 || *side > most) {
            return Err(unavailable(format!(
                "an output of {width}x{height} is not possible; it takes up to {most}x{most}"
            )));
        }
        while self.in_flight.len() >= AHEAD {
            wait(&self.device, self.in_flight.pop_front())?;
        }
        Ok(())
    }

    /// Hands a picture to the device; its texture, if a window can show it.
    fn submit(&mut self, encoder: wgpu::CommandEncoder, texture: Option<Arc<GpuTexture>>) -> Option<Texture> {
        self.in_flight.push_back(self.device.queue.submit([encoder.finish()]));
        if let Some(ring) = &mut self.ring {
            ring.submitted(true);
        }
        let texture = texture.filter(|_| self.device.is_shared());
        texture.map(|inner| Texture { size: inner.size, inner })
    }

    /// Where the picture enters the chain. What was shown last is kept for damping: without effects that is where the last
    /// picture entered.
    fn entry(&mut self, limits_flashes: bool) -> Option<Plate> {
        let plain = self.painting.clone()?;
        if !limits_flashes || self.shown.as_ref().is_none_or(|shown| shown.id != plain.id) {
            return Some(plain);
        }
        let other = self.free(&plain, &plain);
        self.pool.retain(|plate| plate.id != other.id);
        self.pool.push(plain);
        self.painting = Some(other.clone());
        Some(other)
    }

    fn limit_flashes(&mut self, encoder: &mut wgpu::CommandEncoder, made: &Plate, dt: f32, limits_flashes: bool) {
        if !limits_flashes {
            return self.flash.forget();
        }
        let before = self.shown.as_ref().unwrap_or(made);
        self.flash.look(&self.device, encoder, [made, before], dt);
    }

    fn enlarge(
        &mut self,
        encoder: &mut wgpu::CommandEncoder,
        surface: &mut Surface,
        scaling: &Scaling,
        to: &Plate,
    ) -> Result<(), EngineError> {
        let shape = surface.shape();
        let (image, _) = GpuImage::on(surface, &self.device)?;
        let buffer = image.buffer().ok_or_else(|| unavailable("a picture has no buffer".to_owned()))?;
        self.scaler.draw(&self.device, encoder, buffer, shape, scaling, &to.view);
        Ok(())
    }

    /// Runs the effects; returns where the result is.
    fn run_chain(
        &mut self,
        encoder: &mut wgpu::CommandEncoder,
        plain: &Plate,
        values: &[u32],
        moment: Moment,
    ) -> Plate {
        let mut links = std::mem::take(&mut self.links);
        let mut active = std::mem::take(&mut self.active);
        self.words.clear();
        active.clear();
        // The uniforms of all steps first: they are written once.
        let mut rest = values;
        for playing in &links {
            let count = words_of(&playing.link.compiled);
            let (own, after) = rest.split_at(rest.len().min(LINK_WORDS + count));
            rest = after;
            let is_on = own.first() == Some(&1) && own.get(1).is_some_and(|mix| f32::from_bits(*mix) > 0.0);
            active.push(is_on);
            let mix = own.get(1).copied().unwrap_or(0);
            for step in &playing.link.compiled.shader.steps {
                let to = step.to.map_or(self.size, |to| playing.link.compiled.shader.textures[to].extent.of(self.size));
                self.push_uniforms(to, mix, own.get(LINK_WORDS..).unwrap_or(&[]), moment);
            }
        }
        self.device.queue.write_buffer(&self.uniforms, 0, bytemuck::cast_slice(&self.words));
        let mut current = plain.clone();
        let mut slot = 0;
        let mut rest = values;
        for (playing, is_on) in links.iter_mut().zip(&active) {
            let count = LINK_WORDS + words_of(&playing.link.compiled);
            let (own, after) = rest.split_at(rest.len().min(count));
            rest = after;
            if *is_on {
                self.paint(encoder, playing, &current, own.get(LINK_WORDS..).unwrap_or(&[]));
            }
            let steps = playing.link.compiled.steps.len();
            if *is_on {
                current = self.run_link(encoder, playing, &current, plain, slot);
            }
            slot += steps;
        }
        (self.links, self.active) = (links, active);
        current
    }

    /// Lets the module of an effect fill its texture, after everything that was encoded so far.
    fn paint(&mut self, encoder: &mut wgpu::CommandEncoder, playing: &mut Playing, current: &Plate, knobs: &[u32]) {
        let compiled = playing.link.compiled.clone();
        let (Some(painter), Some(texture)) = (&compiled.painter, compiled.shader.textures.first()) else { return };
        let mut painter = painter.lock().unwrap_or_else(PoisonError::into_inner);
        if playing.textures.is_empty() {
            playing.textures = vec![self.pair(texture.extent.of(self.size))];
            painter.restart();
        }
        let next = self.device.wgpu.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        self.device.queue.submit([std::mem::replace(encoder, next).finish()]);
        let count = compiled.shader.script.as_ref().map_or(0, |script| script.knobs);
        self.knobs.clear();
        let numbers = compiled.shader.fields.iter().map(|field| knobs.get(field.word).copied().unwrap_or(0));
        self.knobs.extend(numbers.map(f32::from_bits).take(count));
        // The texture in front, which the steps read.
        if let Err(error) = painter.paint(&self.device, current, playing.textures[0].front(), &self.knobs) {
            self.fault = Some(error.to_string());
        }
    }

    fn push_uniforms(&mut self, [width, height]: [u32; 2], mix: u32, params: &[u32], moment: Moment) {
        let start = self.words.len();
        // In 32 bits a clock of hours would stutter: 2^14 s are told apart to 1 ms.
        let secs = (moment.secs % 16_384.0) as f32;
        let beat = (moment.beat % 16_384.0) as f32;
        let floats = [width as f32, height as f32, secs, moment.dt, beat, moment.bpm];
        self.words.extend(floats.map(f32::to_bits));
        let aspect = self.size[0] as f32 / self.size[1].max(1) as f32;
        self.words.extend([moment.frame, mix, aspect.to_bits()]);
        self.words.resize(start + FRAME_BYTES as usize / 4, 0);
        self.words.extend(params.iter().take(MOST_WORDS));
        self.words.resize(start + (FRAME_BYTES + PARAM_BYTES) as usize / 4, 0);
    }

    fn run_link(
        &mut self,
        encoder: &mut wgpu::CommandEncoder,
        playing: &mut Playing,
        current: &Plate,
        plain: &Plate,
        slot: usize,
    ) -> Plate {
        let compiled = playing.link.compiled.clone();
        let shader = &compiled.shader;
        if playing.textures.len() != shader.textures.len() {
            playing.textures = shader.textures.iter().map(|texture| self.pair(texture.extent.of(self.size))).collect();
        }
        if shader.reads.last && playing.last.is_none() {
            playing.last = Some(self.pair(self.size));
        }
        let out = match &playing.last {
            Some(last) => last.back().clone(),
            None => self.free(current, plain),
        };
        for (i, (step, pipeline)) in shader.steps.iter().zip(&compiled.steps).enumerate() {
            let to = step.to.map_or_else(|| out.clone(), |to| playing.textures[to].back().clone());
            let last = playing.last.as_ref().map(|last| last.front().clone());
            let black = || self.black.clone();
            // Without a picture of its own for the network, the picture that enters the chain is the network's.
            let common = [
                current.clone(),
                last.unwrap_or_else(black),
                self.shown.clone().unwrap_or_else(black),
                plain.clone(),
                self.network.clone().unwrap_or_else(|| plain.clone()),
                self.palette.clone(),
            ];
            let reads = Reads { common, own: &playing.textures };
            let group = self.group(&mut playing.groups[i], pipeline, &reads, &to, shader.name.as_str());
            let offset = ((slot + i) as u64 * (FRAME_BYTES + PARAM_BYTES)) as u32;
            let offsets = [offset, offset + FRAME_BYTES as u32];
            match pipeline {
                Pipeline::Draw(pipeline, _) => {
                    draw(encoder, &shader.name, pipeline, &group, &offsets, (&to.view, BLACK));
                }
                Pipeline::Compute(pipeline, _) => {
                    let [x, y] = step.groups.map_or([1, 1], |groups| groups.of(to.size));
                    let most = self.device.limits.max_compute_workgroups_per_dimension;
                    let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor {
                        label: Some(&shader.name),
                        timestamp_writes: None,
                    });
                    pass.set_pipeline(pipeline);
                    pass.set_bind_group(0, &group, &offsets);
                    pass.dispatch_workgroups(x.min(most), y.min(most), 1);
                }
            }
            if let Some(to) = step.to {
                playing.textures[to].swap();
            }
        }
        if let Some(last) = &mut playing.last {
            last.swap();
        }
        out
    }

    /// A shared texture that nothing needs at the moment.
    fn free(&mut self, current: &Plate, plain: &Plate) -> Plate {
        let shown = self.shown.as_ref().map(|plate| plate.id);
        let is_free =
            |plate: &&Plate| ![Some(current.id), Some(plain.id)].contains(&Some(plate.id)) && Some(plate.id) != shown;
        if let Some(plate) = self.pool.iter().find(is_free) {
            return plate.clone();
        }
        let plate = plate(&self.device, self.size, &mut self.ids);
        self.pool.push(plate.clone());
        plate
    }

    fn pair(&mut self, size: [u32; 2]) -> Pair {
        let plates = [plate(&self.device, size, &mut self.ids), plate(&self.device, size, &mut self.ids)];
        Pair { plates, front: 0 }
    }

    fn group(
        &self,
        known: &mut Vec<(Key, wgpu::BindGroup)>,
        pipeline: &Pipeline,
        reads: &Reads,
        to: &Plate,
        label: &str,
    ) -> wgpu::BindGroup {
        let mut key = Key::default();
        key.iter_mut().zip(reads.plates().chain([to])).for_each(|(key, plate)| *key = plate.id);
        if let Some((_, group)) = known.iter().find(|(other, _)| *other == key) {
            return group.clone();
        }
        let uniform = |offset: u64, bytes: u64| {
            wgpu::BindingResource::Buffer(wgpu::BufferBinding {
                buffer: &self.uniforms,
                offset,
                size: std::num::NonZeroU64::new(bytes),
            })
        };
        let mut entries = vec![
            wgpu::BindGroupEntry { binding: 0, resource: uniform(0, FRAME_BYTES) },
            wgpu::BindGroupEntry { binding: 1, resource: uniform(0, PARAM_BYTES) },
            wgpu::BindGroupEntry { binding: 2, resource: wgpu::BindingResource::Sampler(&self.sampler) },
        ];
        entries.extend((3..).zip(reads.plates()).map(|(binding, plate)| wgpu::BindGroupEntry {
            binding,
            resource: wgpu::BindingResource::TextureView(&plate.view),
        }));
        if matches!(pipeline, Pipeline::Compute(..)) {
            entries.push(wgpu::BindGroupEntry {
                binding: super::shader::TARGET,
                resource: wgpu::BindingResource::TextureView(&to.view),
            });
        }
        let group = self.device.wgpu.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some(label),
            layout: pipeline.layout(),
            entries: &entries,
        });
        if known.len() == MOST_GROUPS {
            known.remove(0);
        }
        known.push((key, group.clone()));
        group
    }

    /// Encodes the result for the window, covered while it flashes, and sends its bytes for the taps.
    fn finish(
        &mut self,
        encoder: &mut wgpu::CommandEncoder,
        made: &Plate,
        covers: bool,
        number: Option<u64>,
    ) -> Option<Arc<GpuTexture>> {
        let light = number.is_some().then(|| self.light(encoder, made, covers)).flatten();
        if self.ring.as_ref().is_none_or(|ring| ring.size() != made.size) {
            self.ring = Some(Ring::to_draw(&self.device, made.size));
        }
        let ring = self.ring.as_mut()?;
        let texture = ring.free()?;
        self.scaler.finish(&self.device, encoder, &made.view, &texture.view);
        if covers {
            self.flash.cover(encoder, &texture.view);
        }
        self.over.draw(encoder, &texture.view);
        if let Some(number) = number {
            ring.send_texture(&self.device, encoder, &texture, light.as_ref(), number);
        }
        Some(texture)
    }

    /// The newest bytes that have arrived, with their light if that was sent: their size and number. Never waits.
    pub fn take_pixels(&mut self, rgba: &mut Vec<u8>, light: &mut Vec<f16>) -> Option<([u32; 2], u64)> {
        self.ring.as_mut()?.take_with_light(&self.device, rgba, light)
    }

    /// As [`Screen::take_pixels`], after waiting for everything that was submitted.
    ///
    /// # Errors
    /// When the device is lost.
    pub fn read(&mut self, rgba: &mut Vec<u8>) -> Result<[u32; 2], EngineError> {
        self.read_with_light(rgba, &mut Vec::new())
    }

    /// As [`Screen::read`], with the light if that was sent.
    ///
    /// # Errors
    /// When the device is lost.
    pub fn read_with_light(&mut self, rgba: &mut Vec<u8>, light: &mut Vec<f16>) -> Result<[u32; 2], EngineError> {
        wait(&self.device, None)?;
        let pixels = self.take_pixels(rgba, light);
        let (size, _) = pixels.ok_or_else(|| unavailable("a picture cannot be read".to_owned()))?;
        Ok(size)
    }
}

impl Screen {
    /// Whether the loops of an effect had to be ended: it draws one small picture. For a screen that shows nothing else.
    ///
    /// # Errors
    /// When the device is lost, or the effect is rejected when it runs.
    pub fn runs_away(&mut self, compiled: &Arc<Compiled>) -> Result<bool, EngineError> {
        let (width, height) = (64, 36);
        let grey = crate::image::Image { channels: 3, height, width, data: vec![0.1; 3 * width * height] };
        let (mut painting, mut network) = (Surface::from(grey), Surface::default());
        self.set_chain(vec![Link { name: "trial".to_owned(), compiled: compiled.clone() }]);
        let values = default_values(compiled);
        let scaling = Scaling { size: [width as u32, height as u32], zoom: 1.0, ..Scaling::default() };
        let device = self.device.clone();
        let moment = Moment { dt: 1.0 / 60.0, bpm: 120.0, ..Moment::default() };
        let (drawn, error) =
            device.watched(|| self.draw([&mut painting, &mut network], &scaling, &values, moment, None));
        drawn?;
        if let Some(error) = error {
            return Err(unavailable(crate::engine::gpu::first_line(&error)));
        }
        let own = self.links.iter().flat_map(|playing| &playing.textures).map(|pair| pair.front().clone());
        let plates: Vec<Plate> = self.shown.iter().cloned().chain(own).collect();
        for plate in plates {
            if self.holds(&plate, super::shader::RUNAWAY)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether a texture holds this number anywhere.
    fn holds(&self, plate: &Plate, number: f32) -> Result<bool, EngineError> {
        let wanted = half::f16::from_f32(number).to_bits().to_le_bytes();
        Ok(self.halves(plate)?.as_chunks::<2>().0.contains(&wanted))
    }

    /// The numbers of a texture: RGBA in 16 bits each, rows from top to bottom.
    fn halves(&self, plate: &Plate) -> Result<Vec<u8>, EngineError> {
        let [width, height] = plate.size;
        let pitch = (width * 8).next_multiple_of(wgpu::COPY_BYTES_PER_ROW_ALIGNMENT);
        let bytes = u64::from(pitch) * u64::from(height);
        let through = Mapped::new(&self.device, "trial", bytes, wgpu::MapMode::Read);
        let mut encoder = self.device.wgpu.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        let layout = wgpu::TexelCopyBufferLayout { offset: 0, bytes_per_row: Some(pitch), rows_per_image: None };
        encoder.copy_texture_to_buffer(
            plate.view.texture().as_image_copy(),
            wgpu::TexelCopyBufferInfo { buffer: &through.buffer, layout },
            wgpu::Extent3d { width, height, depth_or_array_layers: 1 },
        );
        self.device.queue.submit([encoder.finish()]);
        through.map();
        wait(&self.device, None)?;
        if !through.arrived() {
            return Err(unavailable("a picture cannot be read".to_owned()));
        }
        let view = through.buffer.get_mapped_range(..);
        Ok(view.chunks_exact(pitch as usize).flat_map(|row| &row[..width as usize * 8]).copied().collect())
    }
}

impl Drop for Screen {
    /// Waits for the pictures that the device is still drawing: wgpu gives up after six seconds, and then frees what a slow
    /// device still reads.
    fn drop(&mut self) {
        if self.device.fault().is_none()
            && let Some(newest) = self.in_flight.pop_back()
        {
            // Nobody is left to tell.
            let _ = wait(&self.device, Some(newest));
        }
    }
}

/// The values of an effect that runs with its defaults, as [`Screen::draw`] takes them.
pub fn default_values(compiled: &Compiled) -> Vec<u32> {
    let mut values = vec![1, 1.0f32.to_bits()];
    values.resize(LINK_WORDS + words_of(compiled), 0);
    for field in &compiled.shader.fields {
        let default = match &field.what {
            What::Param(def) => def.default_number().unwrap_or(0.0),
            What::Signal(_) => 0.0,
        };
        if let Some(word) = values.get_mut(LINK_WORDS + field.word) {
            *word = field.scalar.bits(default);
        }
    }
    values
}

/// How many words the parameters of an effect take.
pub fn words_of(compiled: &Compiled) -> usize {
    compiled.shader.fields.iter().map(|field| field.word + 1).max().unwrap_or(0).min(MOST_WORDS)
}

/// What a triangle is drawn over: black. The other is [`wgpu::LoadOp::Load`], what the texture holds.
pub const BLACK: wgpu::LoadOp<wgpu::Color> = wgpu::LoadOp::Clear(wgpu::Color::BLACK);

/// Draws one triangle over the whole of a texture.
pub fn draw(
    encoder: &mut wgpu::CommandEncoder,
    label: &str,
    pipeline: &wgpu::RenderPipeline,
    group: &wgpu::BindGroup,
    offsets: &[u32],
    (to, over): (&wgpu::TextureView, wgpu::LoadOp<wgpu::Color>),
) {
    let mut pass = encoder.begin_render_pass(&wgpu::RenderPassDescriptor {
        label: Some(label),
        color_attachments: &[Some(wgpu::RenderPassColorAttachment {
            view: to,
            depth_slice: None,
            resolve_target: None,
            ops: wgpu::Operations { load: over, store: wgpu::StoreOp::Store },
        })],
        depth_stencil_attachment: None,
        timestamp_writes: None,
        occlusion_query_set: None,
        multiview_mask: None,
    });
    pass.set_pipeline(pipeline);
    pass.set_bind_group(0, group, offsets);
    pass.draw(0..3, 0..1);
}

fn plate(device: &Device, [width, height]: [u32; 2], ids: &mut u32) -> Plate {
    use wgpu::TextureUsages as Usage;
    let texture = device.wgpu.create_texture(&wgpu::TextureDescriptor {
        label: Some("effects"),
        size: wgpu::Extent3d { width, height, depth_or_array_layers: 1 },
        mip_level_count: 1,
        sample_count: 1,
        dimension: wgpu::TextureDimension::D2,
        format: FORMAT,
        usage: Usage::TEXTURE_BINDING
            | Usage::RENDER_ATTACHMENT
            | Usage::STORAGE_BINDING
            | Usage::COPY_DST
            | Usage::COPY_SRC,
        view_formats: &[],
    });
    *ids += 1;
    Plate { view: texture.create_view(&wgpu::TextureViewDescriptor::default()), id: *ids, size: [width, height] }
}

fn uniform_buffer(device: &Device, steps: usize) -> wgpu::Buffer {
    device.wgpu.create_buffer(&wgpu::BufferDescriptor {
        label: Some("effects"),
        size: steps as u64 * (FRAME_BYTES + PARAM_BYTES),
        usage: wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_DST,
        mapped_at_creation: false,
    })
}
