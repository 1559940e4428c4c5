//! Do bent maps and the pictures they give agree with the prototype's, on the cpu engine and on the card, in StyleGAN2 and
//! StyleGAN3? `tests/fixtures/latent` has its numbers, computed in 64 bits. And is what bends remember written down and forgotten?
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use crate::common::{assert_close, engines, fixture, magnitude};
use latent_jockey::engine::bend::{Bend, Bends, Channels, Edge, Kind};
use latent_jockey::engine::cpu::Cpu;
use latent_jockey::engine::gpu::Precision;
use latent_jockey::engine::memo::Memo;
use latent_jockey::engine::{Inputs, Program};
use latent_jockey::image::Image;
use latent_jockey::latent::seed::fill_from_seed;
use latent_jockey::network::checkpoint::Checkpoint;
use latent_jockey::network::{self, Network, clusters};
use latent_jockey::params::Choice;
use serde_json::Value as Json;

/// The time from picture to picture for which the amount of feedback is what stays.
const SECS: f32 = 1.0 / 30.0;

/// The largest difference of a sample of a map, relative to its largest magnitude, and of a picture.
#[derive(Clone, Copy)]
struct Limits {
    map: f32,
    picture: f32,
}

/// All programs of a network, with how exact they are.
fn programs(network: &Network, exact: Limits) -> Vec<(String, Limits, Box<dyn Program>)> {
    let cpu: Box<dyn Program> = Box::new(Cpu::new(2).program(network.plan.clone()).unwrap());
    let mut programs = vec![("cpu".to_owned(), exact, cpu)];
    for (precision, gpu) in engines() {
        let limits = match precision {
            Precision::F32 => Limits { map: exact.map.max(1e-4), picture: 10.0 * exact.picture },
            Precision::F16 => Limits { map: 3e-2, picture: 6e-2 },
        };
        programs.push((format!("{precision:?}"), limits, Box::new(gpu.program(network.plan.clone()).unwrap())));
    }
    programs
}

fn ws(network: &Network, seed: u32) -> Vec<f32> {
    let mapping = &network.mapping;
    let w = mapping.map_many(1, |_, z, _| fill_from_seed(seed, z));
    let mut ws = Vec::new();
    mapping.truncate(&w, 0.7, usize::MAX, &mut ws);
    ws
}

fn number(case: &Json, name: &str, otherwise: f64) -> f64 {
    case.get(name).map_or(otherwise, |number| number.as_f64().unwrap())
}

/// The channels of a case that chooses some: those of a list, or of one of four clusters that the network's own maps give.
fn among(case: &Json, network: &Network) -> Option<Channels> {
    let channels = case.get("channels")?;
    if let Some(list) = channels.get("list") {
        return Channels::parse(list.to_string().trim_matches(['[', ']'])).unwrap();
    }
    let cluster = channels.get("cluster")?.as_u64().unwrap();
    let mut program = Cpu::new(2).program(network.plan.clone()).unwrap();
    let labels = clusters::find(network, &mut program, 4).unwrap();
    let mut among = Channels::default();
    let members = labels[case["layer"].as_u64().unwrap() as usize].iter().zip(0..);
    members.filter(|(label, _)| u64::from(**label) == cluster).for_each(|(_, channel)| among.insert(channel..=channel));
    Some(among)
}

/// The bend of a case.
fn bend(case: &Json, network: &Network) -> Bend {
    let kind = Kind::from_word(case["kind"].as_str().unwrap()).unwrap();
    let (a, y) = (number(case, "amount", 0.0), number(case, "y", 0.0));
    let channels = case.get("channels").cloned().unwrap_or(Json::Null);
    let (amount, angle) = match kind {
        Kind::Rotate => (a / 360.0, 0.0),
        Kind::Translate => (a.hypot(y), (-y).atan2(a).to_degrees()),
        Kind::Flip => (a, if case["axis"] == "y" { 90.0 } else { 0.0 }),
        // In a second, for what the case has from picture to picture.
        Kind::Feedback => (a, number(case, "angle", 0.0) / f64::from(SECS)),
        _ => (a, 0.0),
    };
    Bend {
        kind,
        layer: case["layer"].as_u64().unwrap() as usize,
        amount: amount as f32,
        angle: angle as f32,
        zoom: number(case, "zoom", 1.0).powf(1.0 / f64::from(SECS)) as f32,
        edge: case.get("edge").map_or(Edge::Zero, |edge| Edge::from_word(edge.as_str().unwrap()).unwrap()),
        among: among(case, network),
        share: number(&channels, "share", 1.0) as f32,
        seed: (number(&channels, "seed", 0.0) + number(case, "seed", 0.0)) as u32,
    }
}

fn draw(program: &mut dyn Program, ws: &[f32], slots: &[Bend], epoch: u32) -> Image {
    let mut bends = Bends { epoch, secs: SECS, ..Bends::default() };
    bends.slots[..slots.len()].copy_from_slice(slots);
    let mut picture = Image::default();
    program.draw(&Inputs { ws, bends, ..Inputs::default() }, &mut picture).unwrap();
    picture
}

/// Compares every case of a file; returns how many there were.
fn check(name: &str, file: &str, exact: Limits) -> usize {
    let network = network::open(fixture(file)).unwrap();
    let text = std::fs::read_to_string(fixture(&format!("latent/{name}.json"))).unwrap();
    let description: Json = serde_json::from_str(&text).unwrap();
    let expected = Checkpoint::open(&fixture(&format!("latent/{name}.safetensors"))).unwrap();
    let get = |tensor: &Json| expected.tensors[tensor.as_str().unwrap()].to_f32().unwrap();
    let points: Vec<Vec<f32>> = (0..4).map(|seed| ws(&network, seed)).collect();
    let layers = latent_jockey::engine::bend::layers(&network.plan);
    let mut cases = 0;
    for (engine, limits, mut program) in programs(&network, exact) {
        cases = 0;
        for (epoch, case) in (1..).zip(description["cases"].as_array().unwrap()) {
            let id = case["id"].as_str().unwrap();
            // Threshold in 16 bits: samples near it are on the other side.
            let flickers = case["kind"] == "threshold" && engine == "F16";
            let is_bend = id == "series" || case["kind"].as_str().is_some_and(|kind| Kind::from_word(kind).is_some());
            if flickers || !is_bend {
                continue;
            }
            cases += 1;
            let what = format!("{name} {id} on {engine}");
            let bends = match id {
                "series" => {
                    let of = |kind, layer, amount| Bend { kind, layer, amount, ..Bend::default() };
                    let half = Bend { share: 0.5, seed: 4, ..of(Kind::Invert, 5, 0.5) };
                    vec![of(Kind::Rotate, 2, 0.125), of(Kind::Scale, 2, 1.5), half]
                }
                _ => vec![bend(case, &network)],
            };
            let before = match bends[0].kind {
                Kind::Feedback => vec![0, 1, 2],
                Kind::Freeze => vec![1],
                _ => Vec::new(),
            };
            for seed in &before {
                draw(&mut *program, &points[*seed], &bends, epoch);
            }
            let last = if bends[0].kind == Kind::Feedback { 3 } else { 0 };
            let picture = draw(&mut *program, &points[last], &bends, epoch);
            assert_close(&what, &picture.data, &get(&case["image"]), limits.picture, limits.picture);
            if let Some(map) = case.get("map").map(get) {
                let found = program.tap(&layers[bends[0].layer].name).unwrap();
                let limit = limits.map * magnitude(&map);
                assert_close(&format!("{what}, the map"), &found.data, &map, limit, limit);
            }
        }
    }
    cases
}

const EXACT: Limits = Limits { map: 1e-5, picture: 2e-4 };

#[test]
fn values() {
    assert!(check("bend_values", "sg2_32.safetensors", EXACT) >= 11);
}

#[test]
fn geometry() {
    assert_eq!(check("bend_geometry", "sg2_32.safetensors", EXACT), 11);
}

#[test]
fn neighbours_memory_and_series() {
    assert_eq!(check("bend_state", "sg2_32.safetensors", EXACT), 9);
}

#[test]
fn in_stylegan3_too() {
    let exact = Limits { map: 1e-4, picture: 2e-4 };
    assert!(check("sg3t_64", "latent/sg3t_64.net.safetensors", exact) >= 3);
}

#[test]
fn memories_that_come_at_once_are_those_of_the_cpu() {
    let network = network::open(fixture("sg2_32.safetensors")).unwrap();
    let points: Vec<Vec<f32>> = (0..3).map(|seed| ws(&network, seed)).collect();
    let of = |kind, layer, amount| Bend { kind, layer, amount, ..Bend::default() };
    // Each needs more room than the one before.
    let bends = [of(Kind::Feedback, 1, 0.7), of(Kind::Freeze, 2, 0.6), of(Kind::Rotate, 5, 0.1)];
    let mut expected: Option<Vec<Image>> = None;
    for (engine, limits, mut program) in programs(&network, EXACT) {
        let found: Vec<Image> = points.iter().map(|ws| draw(&mut *program, ws, &bends, 1)).collect();
        let expected = expected.get_or_insert_with(|| found.clone());
        for (found, expected) in found.iter().zip(expected) {
            let worst = found.data.iter().zip(&expected.data).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(worst < 10.0 * limits.picture, "{engine}: off by {worst}");
        }
    }
}

#[test]
fn what_is_remembered_is_written_down_and_forgotten() {
    let network = network::open(fixture("sg2_32.safetensors")).unwrap();
    let points: Vec<Vec<f32>> = (0..4).map(|seed| ws(&network, seed)).collect();
    let of = |kind, layer, amount| Bend { kind, layer, amount, ..Bend::default() };
    let bends = [of(Kind::Freeze, 1, 0.5), of(Kind::Feedback, 3, 0.8), of(Kind::Noise, 2, 0.3)];
    for ((engine, _, mut program), (_, _, mut other)) in
        programs(&network, EXACT).into_iter().zip(programs(&network, EXACT))
    {
        let first = draw(&mut *program, &points[0], &bends, 1);
        draw(&mut *program, &points[1], &bends, 1);
        let mut memo = Memo::new();
        program.memo(&mut memo).unwrap();
        let next = draw(&mut *program, &points[2], &bends, 1);
        // Another program, in which other things were remembered.
        draw(&mut *other, &points[3], &bends, 9);
        other.memo(&mut Memo::of(memo.into_bytes())).unwrap();
        assert!(draw(&mut *other, &points[2], &bends, 1) == next, "{engine}");
        assert!(draw(&mut *program, &points[0], &bends, 1) != first, "{engine} remembers");
        assert!(draw(&mut *program, &points[0], &bends, 2) == first, "{engine} forgets");
        // Off and on again, and on another layer and back.
        draw(&mut *program, &points[3], &bends, 2);
        draw(&mut *program, &points[3], &[], 2);
        assert!(draw(&mut *program, &points[0], &bends, 2) == first, "{engine} begins again");
        // A layer that is not there.
        let plain = draw(&mut *program, &points[0], &[], 2);
        assert!(draw(&mut *program, &points[0], &[of(Kind::Scale, 60, 0.0)], 2) == plain, "{engine}");
    }
}
