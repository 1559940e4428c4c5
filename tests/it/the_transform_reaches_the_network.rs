//! Do `/transform/*` reach the input of a StyleGAN3 network through the whole show?
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::Arc;

use crate::common::fixture;
use latent_jockey::control::{Event, Source, Write};
use latent_jockey::engine::cpu::Cpu;
use latent_jockey::engine::{Engine, Inputs, Transform};
use latent_jockey::image::Image;
use latent_jockey::image::convert::rgba8_from_image;
use latent_jockey::latent::mapping::Scratch;
use latent_jockey::latent::seed::z_from_seed;
use latent_jockey::params::{Id, Value};
use latent_jockey::patch::library::Library;
use latent_jockey::patch::locate;
use latent_jockey::show::{Mode, Options, Show};

fn write(id: Id, value: f64) -> Event {
    Event::Write(Write { target: id.into(), value: Value::Float(value), source: Source::Osc })
}

#[test]
fn the_picture_follows_the_transform() {
    let library = Library::scan(&locate::presets().unwrap()).unwrap();
    let preset = library.load("6-flowers").unwrap();
    let engine = Arc::new(Cpu::new(2));
    let network = Some(fixture("sg3r_32.pkl"));
    let options = Options { library, preset, network, seed: Some(1), engine: engine.clone(), mode: Mode::Offline };
    let mut show = Show::new(options).unwrap();
    let mut program = engine.prepare(show.network().plan.clone()).unwrap();
    let (mut w, mut ws) = (Vec::new(), Vec::new());
    let mapping = &show.network().mapping;
    mapping.map(&z_from_seed(1, mapping.z_dim), &[], &mut w, &mut Scratch::default());
    mapping.truncate(&w, 0.7, usize::MAX, &mut ws);
    let hold = Value::Text("hold".to_owned());
    show.step(0.0, &[Event::Write(Write { target: Id::WalkKind.into(), value: hold, source: Source::Osc })]);
    let mut seen = Vec::new();
    for (x, y, turns, scale) in
        [(0.0, 0.0, 0.0, 1.0), (0.25, -0.125, 0.0, 1.0), (0.0, 0.0, 0.125, 1.0), (0.1, 0.2, 0.3, 1.5)]
    {
        let events = [
            write(Id::Psi, 0.7),
            write(Id::TransformX, x),
            write(Id::TransformY, y),
            write(Id::TransformRotate, turns),
            write(Id::TransformScale, scale),
        ];
        show.step(0.0, &events);
        // Until smoothing has settled.
        for _ in 0..8 {
            show.step(5.0, &[]);
        }
        let (mut image, mut expected) = (Image::default(), Vec::new());
        let transform = Transform::new(x, y, turns, scale);
        program.draw(&Inputs { ws: &ws, transform, ..Inputs::default() }, &mut image).unwrap();
        rgba8_from_image(&image, &mut expected);
        let found = &show.picture().unwrap().rgba;
        let off = found.iter().zip(&expected).filter(|(a, b)| a.abs_diff(**b) > 1).count();
        assert!(off * 50 < found.len(), "{x} {y} {turns} {scale}: {off} of {} differ", found.len());
        assert!(!seen.contains(found), "{x} {y} {turns} {scale} changes nothing");
        seen.push(found.clone());
    }
}
