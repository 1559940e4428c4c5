//! Does a picture stay on the card from the network to the window, whatever plays, and is it the processor's picture? And
//! does the show go on when something leaves the card in the middle? Any adapter will do, software too; without one the
//! tests say "skipped".

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::common::skip_gpu;
use latent_jockey::effects::input::InputSettings;
use latent_jockey::effects::style::{StyleLoop, StyleSettings};
use latent_jockey::engine::cpu::Cpu;
use latent_jockey::engine::fallback::Fallback;
use latent_jockey::engine::gpu::{Device, Gpu, Precision};
use latent_jockey::engine::plan::Plan;
use latent_jockey::engine::surface::{Place, Surface};
use latent_jockey::engine::{Engine, EngineError, Inputs, Program};
use latent_jockey::image::Image;
use latent_jockey::latent::seed::z_from_seed;
use latent_jockey::network::style_transfer::StyleNetwork;
use latent_jockey::network::stylegan2;
use latent_jockey::show::Picture;
use latent_jockey::show::stage::{Change, Pixels, Request, Scene, Stage};

fn gpu(open: fn(bool) -> Result<Device, EngineError>) -> Option<Gpu> {
    let gpu = open(false).and_then(|device| Gpu::new(device, Precision::F32));
    gpu.inspect_err(|error| skip_gpu(error)).ok()
}

/// On the card that a window would draw with.
fn shared() -> Option<Gpu> {
    let gpu = gpu(Device::open_with_window)?;
    if !gpu.device().is_shared() {
        skip_gpu("a window would take another adapter");
    }
    Some(gpu).filter(|gpu| gpu.device().is_shared())
}

/// Three networks, of two sizes.
fn plan(number: usize) -> Arc<Plan> {
    stylegan2::random([64, 32, 64][number], 512, 16, 32, 0).plan
}

/// A stage, and what it is asked for.
struct Player {
    engine: Arc<dyn Engine>,
    painter: Arc<dyn Engine>,
    stage: Stage,
    request: Request,
    networks: [usize; 2],
}

impl Player {
    fn new(engine: Arc<dyn Engine>, painter: Arc<dyn Engine>) -> Player {
        let program = engine.prepare(plan(0)).expect("prepares");
        let style = StyleSettings { size: 64, a: 3, feedback: 0.6, ..StyleSettings::default() };
        let input = InputSettings { fade: 1.0, ..InputSettings::default() };
        let request = Request { fade: 1.0, style, input, ..Request::default() };
        let stage = Stage::new(Scene { generation: 0, program }, None);
        Player { engine, painter, stage, request, networks: [0, 0] }
    }

    fn draw(&mut self) -> Arc<Picture> {
        self.request.at_secs += 1.0 / 12.0;
        let seed = (self.request.at_secs * 12.0).round() as u32;
        let ws = |number: usize, seed| {
            let plan = plan(number);
            let mut ws = z_from_seed(seed, plan.num_ws * plan.w_dim);
            ws.iter_mut().for_each(|w| *w *= 0.3);
            ws
        };
        let [before, now] = self.networks;
        (self.request.ws_before, self.request.ws) = (ws(before, seed + 100), ws(now, seed));
        self.stage.draw(&self.request).expect("draws").expect("it is meant for this network")
    }

    fn paint(&mut self) {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("presets/networks/painters8.safetensors");
        let network = Arc::new(StyleNetwork::open(&file).expect("opens"));
        let mut style = StyleLoop::new(self.painter.clone(), network);
        style.prepare(64, 64, &self.request.style).expect("prepares");
        self.stage.change(Change::Style(Some(Box::new(style))));
    }

    fn fade_to(&mut self, number: usize) {
        self.networks = [self.networks[1], number];
        self.request.generation += 1;
        let program = self.engine.prepare(plan(number)).expect("prepares");
        let scene = Scene { generation: self.request.generation, program };
        self.stage.change(Change::Scene { scene, fades: true });
    }

    fn bring(&mut self, seed: u32, amount: f32, fade: f32) {
        let data = z_from_seed(seed, 3 * 48 * 48).iter().map(|x| x * 0.4).collect();
        let picture = Image { channels: 3, height: 48, width: 48, data };
        let serial = self.request.input.serial + 1;
        self.stage.change(Change::Input(Some(picture.into()), serial));
        self.request.input = InputSettings { amount, fade, serial, ..InputSettings::default() };
    }
}

/// A show in which everything plays once; `look` sees each picture by the name of what plays.
fn whole_show(player: &mut Player, mut look: impl FnMut(&str, Arc<Picture>)) {
    let mut draw = |player: &mut Player, name: &str| (0..2).for_each(|_| look(name, player.draw()));
    draw(player, "a network");
    player.fade_to(1);
    player.request.fade = 0.3;
    draw(player, "a fade to a smaller network");
    player.fade_to(2);
    player.request.fade = 0.4;
    draw(player, "a third network in the middle of the fade");
    player.paint();
    draw(player, "a painted fade");
    player.request.fade = 1.0;
    player.stage.change(Change::EndFade);
    draw(player, "a painted network");
    player.bring(1, 0.5, 0.5);
    draw(player, "a painted picture from a file over the network");
    player.bring(2, 1.0, 0.5);
    draw(player, "another picture in the middle of its fade");
    player.request.input.fade = 1.0;
    player.request.style.every = 3;
    player.request.style.passes = 2;
    draw(player, "a painted picture alone");
    player.stage.change(Change::Style(None));
    player.request.input.amount = 0.6;
    draw(player, "the network with a picture");
}

/// The largest and the mean difference, in steps of 8 bits.
fn difference(a: &Picture, b: &Picture) -> (u8, f64) {
    assert_eq!([a.width, a.height], [b.width, b.height]);
    assert_eq!(a.rgba.len(), b.rgba.len());
    let steps = || a.rgba.iter().zip(&b.rgba).map(|(a, b)| a.abs_diff(*b));
    let sum: u64 = steps().map(u64::from).sum();
    (steps().max().unwrap_or(0), sum as f64 / a.rgba.len() as f64)
}

#[test]
fn nothing_is_read_back_while_a_window_shows_the_pictures() {
    let Some(gpu) = shared() else { return };
    let device = gpu.device().clone();
    let engine: Arc<dyn Engine> = Arc::new(gpu);
    let mut player = Player::new(engine.clone(), engine);
    let before = device.reads();
    whole_show(&mut player, |name, picture| {
        assert!(picture.texture.is_some() && picture.rgba.is_empty(), "{name}");
        assert_eq!(device.reads(), before, "{name}");
    });
}

#[test]
fn one_who_needs_pixels_gets_them_by_one_look() {
    let Some(gpu) = shared() else { return };
    let device = gpu.device().clone();
    let engine: Arc<dyn Engine> = Arc::new(gpu);
    let mut player = Player::new(engine.clone(), engine);
    player.request.pixels = Pixels::Now;
    let mut before = device.reads();
    whole_show(&mut player, |name, picture| {
        assert!(picture.texture.is_none() && picture.rgba.len() == (4 * picture.width * picture.height) as usize);
        assert_eq!(device.reads(), before + 1, "{name}");
        before += 1;
    });
}

#[test]
fn one_who_taps_gets_pixels_beside_the_texture_and_nothing_waits_for_them() {
    let Some(gpu) = shared() else { return };
    let device = gpu.device().clone();
    let engine: Arc<dyn Engine> = Arc::new(gpu);
    let mut player = Player::new(engine.clone(), engine);
    player.request.pixels = Pixels::Later;
    let mut last = 0;
    let mut newest = None;
    for _ in 0..8 {
        let picture = player.draw();
        assert!(picture.texture.is_some() && picture.rgba.is_empty(), "the window's picture needs no pixels");
        last = picture.serial;
        device.wgpu.poll(wgpu::PollType::wait_indefinitely()).expect("waits");
        let pixels = player.stage.take_pixels().expect("they have arrived");
        assert_eq!((pixels.serial, pixels.rgba.len()), (picture.serial, 4 * 64 * 64));
        newest = Some(pixels);
    }
    assert!(player.stage.take_pixels().is_none(), "each of them once");
    // The same picture, read at once.
    let expected = {
        let mut again = Player::new(player.engine.clone(), player.painter.clone());
        again.request.pixels = Pixels::Now;
        (1..last).for_each(|_| drop(again.draw()));
        again.draw()
    };
    let (most, _) = difference(&newest.expect("some came"), &expected);
    assert_eq!(most, 0);
    player.request.pixels = Pixels::None;
    player.draw();
    let before = device.reads();
    player.draw();
    assert_eq!(device.reads(), before, "nothing is read when nobody taps");
}

#[test]
fn the_pictures_are_those_of_the_processor() {
    let Some(gpu) = gpu(Device::open) else { return };
    let (cpu, gpu): (Arc<dyn Engine>, Arc<dyn Engine>) = (Arc::new(Cpu::default()), Arc::new(gpu));
    let mut expected = Vec::new();
    whole_show(&mut Player::new(cpu.clone(), cpu), |_, picture| expected.push((*picture).clone()));
    let mut expected = expected.into_iter();
    let mut player = Player::new(gpu.clone(), gpu);
    player.request.pixels = Pixels::Now;
    whole_show(&mut player, |name, picture| {
        let (most, mean) = difference(&picture, &expected.next().expect("as many"));
        assert!(most <= 3 && mean < 0.05, "{name}: {most} steps, {mean} in the mean");
    });
}

/// A card that some pictures after it was opened works no more.
struct Leaving {
    gpu: Gpu,
    pictures: Arc<AtomicUsize>,
}

struct LeavingProgram {
    program: Box<dyn Program>,
    pictures: Arc<AtomicUsize>,
}

impl Engine for Leaving {
    fn name(&self) -> &'static str {
        "leaving"
    }
    fn prepare(&self, plan: Arc<Plan>) -> Result<Box<dyn Program>, EngineError> {
        Ok(Box::new(LeavingProgram { program: self.gpu.prepare(plan)?, pictures: self.pictures.clone() }))
    }
}

impl Program for LeavingProgram {
    fn run(&mut self, inputs: &Inputs, out: &mut Surface) -> Result<(), EngineError> {
        let left = self.pictures.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        left.map_err(|_| EngineError::Unavailable { engine: "leaving", reason: "it left".into() })?;
        self.program.run(inputs, out)
    }
    fn place(&self) -> Option<Arc<dyn Place>> {
        self.program.place()
    }
    fn engine(&self) -> &'static str {
        self.program.engine()
    }
}

#[test]
fn a_style_network_that_leaves_the_card_paints_on_where_it_was() {
    let Some(gpu) = gpu(Device::open) else { return };
    let cpu: Arc<dyn Engine> = Arc::new(Cpu::default());
    let leaving = Leaving { gpu: gpu.at(Precision::F32).expect("every card has it"), pictures: Arc::new(3.into()) };
    let painter: Arc<dyn Engine> = Arc::new(Fallback::new(Arc::new(leaving), cpu.clone()));
    let mut expected = Player::new(cpu.clone(), cpu);
    let mut player = Player::new(Arc::new(gpu), painter);
    player.request.pixels = Pixels::Now;
    expected.paint();
    player.paint();
    let mut told = Vec::new();
    for frame in 0..6 {
        let (most, mean) = difference(&player.draw(), &expected.draw());
        assert!(most <= 3 && mean < 0.05, "frame {frame}: {most} steps, {mean} in the mean");
        told.extend(player.stage.take_notice());
    }
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("it left") && told[0].contains("continues on the cpu engine"), "{told:?}");
}

#[test]
fn after_the_loss_of_the_card_the_show_goes_on_with_lines_that_say_so() {
    let Some(gpu) = shared() else { return };
    let device = gpu.device().clone();
    let engine: Arc<dyn Engine> = Arc::new(Fallback::new(Arc::new(gpu), Arc::new(Cpu::default())));
    let mut player = Player::new(engine.clone(), engine);
    player.paint();
    player.bring(1, 0.5, 1.0);
    (0..3).for_each(|_| assert!(player.draw().texture.is_some()));
    device.wgpu.destroy();
    let mut told = Vec::new();
    for _ in 0..4 {
        let picture = player.draw();
        assert!(picture.texture.is_none() && picture.rgba.iter().any(|byte| *byte != picture.rgba[0]));
        told.extend(std::iter::from_fn(|| player.stage.take_notice()));
    }
    assert!(told.iter().filter(|line| line.contains("continues on the cpu engine")).count() == 2, "{told:?}");
    assert!(
        told.iter().filter(|line| line.contains("restarts without its last painting")).count() == 1 && told.len() == 3,
        "{told:?}"
    );
}
