//! Do `/transform/*` reach the input of a StyleGAN3 network through the whole show?
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::Arc;

use crate::common::rig::{Rig, number, text};
use latent_jockey::engine::cpu::Cpu;
use latent_jockey::engine::{Engine, Inputs, Transform};
use latent_jockey::image::Image;
use latent_jockey::image::convert::rgba8_from_image;
use latent_jockey::latent::mapping::Scratch;
use latent_jockey::latent::seed::z_from_seed;
use latent_jockey::params::Id;

#[test]
fn the_picture_follows_the_transform() {
    let engine = Arc::new(Cpu::new(2));
    let mut show = Rig::shipped("6-flowers").network("sg3r_32.pkl").seed(1).engine(engine.clone()).start();
    let mut program = engine.prepare(show.network().plan.clone()).unwrap();
    let (mut w, mut ws) = (Vec::new(), Vec::new());
    let mapping = &show.network().mapping;
    mapping.map(&z_from_seed(1, mapping.z_dim), &[], &mut w, &mut Scratch::default());
    mapping.truncate(&w, 0.7, usize::MAX, &mut ws);
    show.step(0.0, &[text(Id::WalkKind, "hold")]);
    let mut seen = Vec::new();
    for (x, y, turns, scale) in
        [(0.0, 0.0, 0.0, 1.0), (0.25, -0.125, 0.0, 1.0), (0.0, 0.0, 0.125, 1.0), (0.1, 0.2, 0.3, 1.5)]
    {
        let events = [
            number(Id::Psi, 0.7),
            number(Id::TransformX, x),
            number(Id::TransformY, y),
            number(Id::TransformRotate, turns),
            number(Id::TransformScale, scale),
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
