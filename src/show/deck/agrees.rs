//! Do the pictures of a deck agree with the prototype's, from the parameters to the picture, on the processor and on the card?
//! `tests/fixtures/latent` has its numbers, computed in 64 bits.

use std::path::PathBuf;
use std::sync::Arc;

use super::{Decks, Leads};
use crate::engine::cpu::Cpu;
use crate::engine::gpu::{self, Device, Gpu, Precision};
use crate::engine::{Inputs, Program};
use crate::image::Image;
use crate::latent::directions::{of_styles, principal, sigma};
use crate::latent::mapping::Scratch;
use crate::latent::seed::z_from_seed;
use crate::network::checkpoint::Checkpoint;
use crate::network::{self, Network, directions as found};
use crate::params::{Id, Params, Target, Value};
use crate::show::stage::Request;

/// Of a sample in a picture: on the processor from the fixtures' description, on the card in 32 and in 16 bits.
const LIMIT: f32 = 2e-4;
const ON_CARD: [(Precision, f32); 2] = [(Precision::F32, 2e-3), (Precision::F16, 6e-2)];

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// A file of expected numbers.
struct Expected {
    tensors: Checkpoint,
    description: serde_json::Value,
}

impl Expected {
    fn open(name: &str) -> Expected {
        let path = |ending: &str| fixture("latent").join(format!("{name}.{ending}"));
        let text = std::fs::read_to_string(path("json")).unwrap();
        let tensors = Checkpoint::open(&path("safetensors")).unwrap();
        Expected { tensors, description: serde_json::from_str(&text).unwrap() }
    }

    fn get(&self, tensor: &str) -> Vec<f32> {
        self.tensors.tensors[tensor].to_f32().unwrap()
    }

    fn cases(&self, kind: &str) -> Vec<&serde_json::Value> {
        let all = self.description["cases"].as_array().unwrap();
        all.iter().filter(|case| case["kind"] == kind).collect()
    }
}

/// A deck that stands still, and its engines with how exact they are.
struct Rig {
    network: Arc<Network>,
    programs: Vec<(f32, Box<dyn Program>)>,
    params: Params,
    /// The step of the direction `/dir/0`, if any.
    step: Vec<f32>,
}

impl Rig {
    fn new(file: &str) -> Rig {
        let network = Arc::new(network::open(fixture(file)).unwrap());
        let mut programs: Vec<(f32, Box<dyn Program>)> =
            vec![(LIMIT, Box::new(Cpu::new(1).program(network.plan.clone()).unwrap()))];
        for (precision, limit) in ON_CARD {
            match Device::open(false).and_then(|device| Gpu::new(device, precision)) {
                Ok(engine) => programs.push((limit, Box::new(engine.program(network.plan.clone()).unwrap()))),
                Err(error) => gpu::skip_test(format!("{precision:?}: {error}")),
            }
        }
        let mut rig = Rig { network, programs, params: Params::default(), step: Vec::new() };
        rig.reset();
        rig
    }

    fn reset(&mut self) {
        self.params = Params::default();
        self.choose(Id::WalkKind, "hold");
        self.set(Id::Psi, 0.7);
    }

    fn set(&mut self, target: impl Into<Target>, value: f64) {
        self.params.write(target.into(), &Value::Float(value)).unwrap();
    }

    fn choose(&mut self, id: Id, word: &str) {
        self.params.write(id.into(), &Value::Text(word.to_owned())).unwrap();
    }

    fn set_member(&mut self, id: Id, index: usize, value: f64) {
        self.set(Target { id, index: index as u16 }, value);
    }

    fn ws(&mut self) -> Vec<f32> {
        self.params.settle();
        let mut request = Request::default();
        let mut decks = Decks::new(self.network.clone(), &self.params);
        decks.set_leads(&self.network, &Leads { knobs: vec![self.step.clone()], named: Vec::new() });
        decks.fill(&self.params, &mut request);
        request.ws
    }

    /// w where no direction moves it.
    fn base(&mut self) -> Vec<f32> {
        let step = std::mem::take(&mut self.step);
        let w = self.ws()[..self.network.mapping.w_dim].to_vec();
        self.step = step;
        w
    }

    #[track_caller]
    fn expect(&mut self, what: &str, expected: &[f32]) {
        let ws = self.ws();
        self.expect_of(&ws, what, expected);
    }

    #[track_caller]
    fn expect_of(&mut self, ws: &[f32], what: &str, expected: &[f32]) {
        let mut picture = Image::default();
        for (limit, program) in &mut self.programs {
            program.draw(&Inputs { ws, ..Inputs::default() }, &mut picture).unwrap();
            assert_eq!(picture.data.len(), expected.len(), "{what}");
            let worst = picture.data.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(worst <= *limit && worst.is_finite(), "{what} on {}: off by {worst:e}", program.engine());
        }
    }
}

#[test]
fn style_mixing() {
    let (mut rig, expected) = (Rig::new("sg2_32.safetensors"), Expected::open("mixing"));
    let cases = expected.cases("style mixing");
    assert_eq!(cases.len(), 4);
    for case in cases {
        rig.reset();
        rig.set(Id::MixSeed, 1.0);
        rig.set(Id::MixAmount, case["amount"].as_f64().unwrap());
        rig.set(Id::MixFrom, case["from"].as_f64().unwrap());
        rig.set(Id::MixTo, case["to"].as_f64().unwrap());
        rig.expect(&case["id"].to_string(), &expected.get(case["image"].as_str().unwrap()));
    }
    // The zones of a small network are thirds.
    rig.set(Id::MixAmount, 1.0);
    rig.choose(Id::MixZone, "form");
    rig.expect("form", &expected.get("mix_0_1_1.image"));
    rig.choose(Id::MixZone, "colour");
    rig.set(Id::MixAmount, 1.0);
    rig.expect("colour", &expected.get("mix_5_7_1.image"));
}

#[test]
fn a_psi_for_each_layer() {
    let (mut rig, expected) = (Rig::new("sg2_32.safetensors"), Expected::open("mixing"));
    let case = expected.cases("psi per layer")[0];
    let all: Vec<f64> = case["psi"].as_array().unwrap().iter().map(|psi| psi.as_f64().unwrap()).collect();
    for (layer, psi) in all.iter().enumerate() {
        rig.set_member(Id::PsiLayer, layer, psi - 0.7);
    }
    rig.expect("psi per layer", &expected.get("psi_per_layer.image"));
    // Past the cutoff, psi is 1 and the layer's own is added.
    rig.set(Id::PsiCutoff, 0.0);
    for (layer, psi) in all.iter().enumerate() {
        rig.set_member(Id::PsiLayer, layer, psi - 1.0);
    }
    rig.expect("psi per layer without a common one", &expected.get("psi_per_layer.image"));
}

#[test]
fn directions() {
    let (mut rig, expected) = (Rig::new("sg2_32.safetensors"), Expected::open("directions"));
    let covariance = found::moments(&rig.network.mapping, found::SEEDS).covariance();
    let network = rig.network.clone();
    let styles = found::styles(&network);
    rig.expect("without one", &expected.get("base.image"));
    let cases = expected.description["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 7);
    for case in cases {
        let number = |name: &str| case[name].as_f64().unwrap();
        let set = match case["set"].as_str().unwrap() {
            "pca" => principal(&covariance, 8),
            "sefa_all" => of_styles(&styles, 8),
            _ => of_styles(&styles[3..=5], 8),
        };
        let (_, unit) = &set[number("index") as usize];
        let strength = sigma(&covariance, unit);
        rig.step = unit.iter().map(|x| (x * strength) as f32).collect();
        rig.set(Id::Dir, number("amount"));
        let [from, to, zone] = Id::of_direction(0);
        rig.set(from, number("from"));
        rig.set(to, number("to"));
        rig.expect(&case["id"].to_string(), &expected.get(case["image"].as_str().unwrap()));
        if case["id"] == "pca0_+2_3_4" {
            // As far as it goes with the zone of texture, layers 2 to 4.
            rig.choose(zone, "texture");
            let (base, ws) = (rig.base(), rig.ws());
            let moved: Vec<bool> = ws.chunks(base.len()).map(|w| w != base.as_slice()).collect();
            assert_eq!(moved, [false, false, true, true, true, false, false, false]);
            rig.choose(zone, "range");
        }
    }
}

#[test]
fn a_direction_of_stylegan3() {
    let (mut rig, expected) = (Rig::new("latent/sg3t_64.net.safetensors"), Expected::open("sg3t_64"));
    let case = expected.cases("direction")[0];
    let number = |name: &str| case[name].as_f64().unwrap();
    let covariance = found::moments(&rig.network.mapping, found::SEEDS).covariance();
    let (_, unit) = &principal(&covariance, 8)[number("index") as usize];
    let strength = sigma(&covariance, unit);
    rig.step = unit.iter().map(|x| (x * strength) as f32).collect();
    rig.set(Id::Dir, number("amount"));
    let [from, to, _] = Id::of_direction(0);
    rig.set(from, number("from"));
    rig.set(to, number("to"));
    rig.expect(&case["id"].to_string(), &expected.get(case["image"].as_str().unwrap()));
}

#[test]
fn classes_blend_in_w() {
    let (mut rig, expected) = (Rig::new("sg2_32_cond.pkl"), Expected::open("mixing"));
    let case = expected.cases("class blending")[0];
    for (class, weight) in case["weights"].as_array().unwrap().iter().enumerate() {
        rig.set_member(Id::ClassMix, class, weight.as_f64().unwrap());
    }
    rig.expect("all shares", &expected.get("class_in_w.image"));
    // The class fills up what is missing.
    rig.set_member(Id::ClassMix, 0, 0.0);
    rig.set(Id::Class, 0.0);
    rig.expect("the class and one share", &expected.get("class_in_w.image"));
}

#[test]
fn classes_blend_in_the_label_too() {
    let (mut rig, expected) = (Rig::new("sg2_32_cond.pkl"), Expected::open("mixing"));
    let case = expected.cases("class blending by the label vector (the other way; differs)")[0];
    let label: Vec<f32> =
        case["weights"].as_array().unwrap().iter().map(|share| share.as_f64().unwrap() as f32).collect();
    let (mapping, mut w, mut ws) = (&rig.network.mapping, Vec::new(), Vec::new());
    mapping.map(&z_from_seed(0, mapping.z_dim), &label, &mut w, &mut Scratch::default());
    let worst = w.iter().zip(expected.get("class_label_w")).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(worst < 1e-5, "{worst:e}");
    mapping.truncate(&w, 0.7, usize::MAX, &mut ws);
    rig.expect_of(&ws, "the label", &expected.get("class_in_label.image"));
}

#[test]
fn a_second_walk_moves_only_its_layers() {
    let mut rig = Rig::new("sg2_32.safetensors");
    rig.set(Id::MixAmount, 1.0);
    rig.choose(Id::MixZone, "colour");
    rig.choose(Id::MixWalkKind, "drift");
    rig.set(Id::MixWalkSpeed, 1.0);
    rig.params.settle();
    let mut decks = Decks::new(rig.network.clone(), &rig.params);
    let mut ws = |secs: f64| {
        let mut request = Request::default();
        decks.step(secs, &rig.params);
        decks.fill(&rig.params, &mut request);
        request.ws
    };
    let (before, after) = (ws(0.0), ws(1.0));
    let w_dim = rig.network.mapping.w_dim;
    let moved: Vec<bool> = before.chunks(w_dim).zip(after.chunks(w_dim)).map(|(a, b)| a != b).collect();
    assert_eq!(moved, [false, false, false, false, false, true, true, true]);
}
