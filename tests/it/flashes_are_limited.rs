//! What is shown flashes at most three times a second, whatever makes it flash, and keeps its bytes if it does not.

use std::sync::Arc;

use latent_jockey::control::Event;
use latent_jockey::engine::gpu::Device;
use latent_jockey::engine::surface::Surface;
use latent_jockey::image::Image;
use latent_jockey::params::{Id, Value};
use latent_jockey::screen::{Moment, Scaling, Screen};

use crate::common::rig::{Rig, write};
use crate::common::skip_gpu;

/// A colour by time in seconds and by place from left (0) to right (1).
type Show = dyn Fn(f64, f64) -> [f32; 3];

const FPS: u32 = 30;
const SIZE: [usize; 2] = [64, 36];

fn device() -> Option<Arc<Device>> {
    Device::open(false).map(Arc::new).map_err(skip_gpu).ok()
}

/// What is shown over `secs` seconds of pictures of this colour.
fn shown(device: &Arc<Device>, limits_flashes: bool, secs: u32, colour: impl Fn(f64, f64) -> [f32; 3]) -> Vec<Vec<u8>> {
    let mut screen = Screen::new(device.clone()).expect("a screen");
    let [width, height] = SIZE;
    let scaling = Scaling { size: [width as u32, height as u32], zoom: 1.0, limits_flashes, ..Scaling::default() };
    let frames = 0..secs * FPS;
    let draw = |frame: u32| {
        let at = f64::from(frame) / f64::from(FPS);
        let mut picture = Image::new(3, height, width);
        for (i, value) in picture.data.iter_mut().enumerate() {
            let x = (i % width) as f64 / width as f64;
            *value = colour(at, x)[i / (width * height)] * 2.0 - 1.0;
        }
        let moment = Moment { secs: at, dt: 1.0 / FPS as f32, frame, ..Moment::default() };
        let mut rgba = Vec::new();
        let surfaces = [&mut Surface::from(picture), &mut Surface::default()];
        screen.draw(surfaces, &scaling, &[], moment, Some(frame.into())).expect("a picture");
        screen.read(&mut rgba).expect("its bytes");
        rgba
    };
    frames.map(draw).collect()
}

/// The most flashes, pairs of opposing swings by a tenth of the full light, within one second. Channel 3 is the luminance.
fn most_flashes(pictures: &[Vec<u8>], channel: usize) -> usize {
    let linear = |byte: u8| (f64::from(byte) / 255.0).powf(2.2);
    let light = |rgba: &Vec<u8>| match channel {
        3 => rgba[..3].iter().zip([0.2126, 0.7152, 0.0722]).map(|(byte, weight)| linear(*byte) * weight).sum(),
        _ => linear(rgba[channel]),
    };
    let (mut extreme, mut is_up) = (0.0f64, false);
    let mut swings = Vec::new();
    for (frame, light) in pictures.iter().map(light).enumerate() {
        if (!is_up && light > extreme + 0.1) || (is_up && light < extreme - 0.1) {
            (is_up, extreme) = (!is_up, light);
            swings.push(frame);
        }
        extreme = if is_up { extreme.max(light) } else { extreme.min(light) };
    }
    let second = FPS as usize;
    let within = |first: &usize| swings.iter().filter(|swing| (*first..first + second).contains(*swing)).count();
    swings.iter().map(within).max().unwrap_or(0) / 2
}

fn flashing(hz: f64, secs: f64) -> bool {
    (secs * hz).fract() < 0.5
}

#[test]
fn at_most_three_flashes_a_second_are_shown() {
    let Some(device) = device() else { return };
    for hz in [3.6, 5.0, 7.5, 15.0] {
        for high in [1.0, 0.6] {
            let colour = |secs, _| if flashing(hz, secs) { [high; 3] } else { [0.0; 3] };
            let free = most_flashes(&shown(&device, false, 3, colour), 3);
            assert!(free > 3, "{hz} Hz without the limiter: {free}");
            let limited = most_flashes(&shown(&device, true, 3, colour), 3);
            assert!((1..=3).contains(&limited), "{hz} Hz to {high}: {limited} flashes in a second");
        }
    }
}

#[test]
fn red_flashes_are_limited_though_their_light_is_low() {
    let Some(device) = device() else { return };
    let colour = |secs, _| if flashing(6.0, secs) { [0.6, 0.0, 0.0] } else { [0.0; 3] };
    assert!(most_flashes(&shown(&device, false, 3, colour), 0) > 3);
    assert!(most_flashes(&shown(&device, true, 3, colour), 0) <= 3);
}

#[test]
fn what_does_not_flash_keeps_its_bytes() {
    let Some(device) = device() else { return };
    let cases: [(&str, &Show); 5] = [
        ("three flashes a second", &|secs, _| if flashing(3.0, secs) { [1.0; 3] } else { [0.0; 3] }),
        ("a fifth of the picture", &|secs, x| if flashing(8.0, secs) && x < 0.2 { [1.0; 3] } else { [0.2; 3] }),
        ("small swings", &|secs, _| if flashing(8.0, secs) { [0.55; 3] } else { [0.5; 3] }),
        ("between bright and brighter", &|secs, _| if flashing(8.0, secs) { [1.0; 3] } else { [0.92; 3] }),
        ("movement", &|secs, x| [(3.0 * x + secs).sin().abs() as f32, (x - secs).cos().abs() as f32, 0.3]),
    ];
    for (name, colour) in cases {
        assert!(shown(&device, true, 3, colour) == shown(&device, false, 3, colour), "{name}");
    }
}

#[test]
fn the_picture_comes_back_when_the_flashes_end() {
    let Some(device) = device() else { return };
    let colour = |secs: f64, x: f64| {
        if secs < 2.0 && flashing(8.0, secs) { [1.0; 3] } else { [x as f32, 0.3, (secs * 0.2) as f32] }
    };
    let (limited, free) = (shown(&device, true, 6, colour), shown(&device, false, 6, colour));
    let differ = |secs: std::ops::Range<f64>| {
        let frames = (secs.start * f64::from(FPS)) as usize..(secs.end * f64::from(FPS)) as usize;
        frames.filter(|frame| limited[*frame] != free[*frame]).count()
    };
    assert_eq!(differ(0.0..0.3), 0, "the first three pass");
    assert_eq!(differ(0.5..2.0), 45, "then it is damped");
    assert_eq!(differ(4.6..6.0), 0, "and it ends");
}

#[test]
fn an_effect_that_flashes_is_damped_unless_the_limit_is_off() {
    let Some(device) = device() else { return };
    let preset = "[params]\n\"/walk/kind\" = \"hold\"\n[[effects]]\nshader = \"flicker\"\n";
    let flicker = "fn effect(uv: vec2f) -> vec4f { return vec4f(vec3f(step(0.5, fract(time() * 7.5))), 1.0); }";
    let setup = Rig::with(&[("a", preset)]).on_screen(device);
    std::fs::create_dir_all(setup.folder().join("fx")).expect("a folder");
    std::fs::write(setup.folder().join("fx/flicker.wgsl"), flicker).expect("an effect");
    let mut rig = setup.reload().start();
    rig.set_output_size([64, 36]);
    let mut second = |events: &[Event]| -> usize {
        let mut pictures = Vec::new();
        for frame in 0..3 * FPS {
            rig.step(1.0 / f64::from(FPS), if frame == 0 { events } else { &[] });
            pictures.push(rig.pixels());
        }
        most_flashes(&pictures, 3)
    };
    assert!(second(&[]) <= 3);
    assert!(second(&[write(Id::FlashLimit, Value::Bool(false))]) > 5);
}
