//! Are the weights of a second network mixed in as the prototype does, whole or layer by layer, while the show plays on, and again
//! in a take?
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use safetensors::SafeTensors;

use crate::common::rig::{Folder, PATIENCE, Rig, Setup, number, text, write};
use crate::common::{assert_close, engines, fixture};
use latent_jockey::engine::cpu::Cpu;
use latent_jockey::engine::gpu::Precision;
use latent_jockey::engine::plan::{Op, Plan, Weights};
use latent_jockey::engine::{Engine, EngineError, Inputs, Program};
use latent_jockey::image::Image;
use latent_jockey::latent::mapping::Scratch;
use latent_jockey::latent::seed::z_from_seed;
use latent_jockey::network::blend::{Pair, Share, Swap};
use latent_jockey::network::checkpoint::Checkpoint;
use latent_jockey::network::{self, Network};
use latent_jockey::params::{Id, Value};
use latent_jockey::patch::library::Library;
use latent_jockey::record::take::Take;
use latent_jockey::show::{Picture, Show};

const A: &str = "sg2_32.safetensors";
/// A with every tensor disturbed, in 16 bits.
const B: &str = "latent/sg2_32_b.safetensors";
/// Of a sample in a picture, from the fixtures' description: the largest and the mean.
const LIMITS: (f32, f32) = (2e-4, 2e-5);

const ALL: fn(f32) -> Share = |amount| Share { amount, swap: None };

fn from(resolution: usize, width: f32) -> Share {
    Share { amount: 1.0, swap: Some(Swap { resolution, width }) }
}

fn pair(a: &str, b: &str) -> (Arc<Network>, Pair) {
    let a = Arc::new(network::open(fixture(a)).unwrap());
    let pair = Pair::open(&a, &fixture(b)).unwrap();
    (a, pair)
}

fn noises(plan: &mut Plan) -> Vec<&mut Weights> {
    fn noise(op: &mut Op) -> Option<&mut Weights> {
        if let Op::Synthesis(layer) = op { Some(&mut layer.noise.as_mut()?.constant) } else { None }
    }
    plan.steps.iter_mut().filter_map(|step| noise(&mut step.op)).collect()
}

/// The picture of seed 0 at psi 0.7.
fn picture(engine: &dyn Engine, network: &Network) -> Vec<f32> {
    let (mapping, mut w, mut ws) = (&network.mapping, Vec::new(), Vec::new());
    mapping.map(&z_from_seed(0, mapping.z_dim), &[], &mut w, &mut Scratch::default());
    mapping.truncate(&w, 0.7, mapping.num_ws, &mut ws);
    let mut picture = Image::default();
    let mut program = engine.prepare(network.plan.clone()).unwrap();
    program.draw(&Inputs { ws: &ws, ..Inputs::default() }, &mut picture).unwrap();
    picture.data
}

/// What the prototype has drawn: its id, the networks, and how much of the second.
fn cases() -> [(&'static str, [&'static str; 2], Share); 5] {
    [
        ("b_alone", [A, B], ALL(1.0)),
        ("weights_half", [A, B], ALL(0.5)),
        ("swap_low_a_16", [A, B], from(16, 0.0)),
        ("swap_low_b_16", [B, A], from(16, 0.0)),
        ("swap_smooth", [A, B], from(16, 1.0)),
    ]
}

/// The blend of a case with the prototype's noise: its layers bring their own, which differs in the last of 16 bits.
fn blend_of(files: [&str; 2], share: Share) -> Network {
    let [a, b] = files;
    let (first, mut pair) = pair(a, b);
    let mut blend = Network::clone(&pair.blend(share).unwrap());
    let mut plan = Plan::clone(&blend.plan);
    let mut second = Plan::clone(&network::open(fixture(b)).unwrap().plan);
    let names: Vec<String> =
        plan.steps.iter().filter(|step| matches!(step.op, Op::Synthesis(_))).map(|step| step.name.clone()).collect();
    let second: Vec<Weights> = noises(&mut second).into_iter().map(|noise| noise.clone()).collect();
    for ((noise, other), name) in noises(&mut plan).into_iter().zip(second).zip(names) {
        let y = share.of(&name, first.img_resolution);
        *noise = Arc::new(noise.iter().zip(&*other).map(|(a, b)| a + y * (b - a)).collect());
    }
    blend.plan = Arc::new(plan);
    blend
}

#[test]
fn blends_agree_with_the_prototype() {
    let expected = Checkpoint::open(&fixture("latent/mixing.safetensors")).unwrap();
    let cpu = Cpu::new(2);
    let alone = picture(&cpu, &network::open(fixture(A)).unwrap());
    for (id, files, share) in cases() {
        let expected = expected.tensors[&format!("{id}.image")].to_f32().unwrap();
        let blend = blend_of(files, share);
        assert_close(id, &picture(&cpu, &blend), &expected, LIMITS.0, LIMITS.1);
        // What is nearly right is seen to be wrong.
        let nearly = match share.swap {
            Some(Swap { resolution, width }) if width > 0.0 => from(resolution, 1.01 * width),
            _ => Share { amount: 0.99 * share.amount, ..share },
        };
        for (what, wrong) in [("nearly", picture(&cpu, &blend_of(files, nearly))), ("alone", alone.clone())] {
            let change = wrong.iter().zip(&expected).map(|(a, b)| (a - b).abs()).sum::<f32>() / wrong.len() as f32;
            assert!(change > 5.0 * LIMITS.1, "{id}, {what}: {change:e}");
        }
    }
}

#[test]
fn a_blend_plays_on_the_card_as_on_the_processor() {
    let expected = Checkpoint::open(&fixture("latent/mixing.safetensors")).unwrap();
    let blends = cases().map(|(id, files, share)| (id, blend_of(files, share)));
    for (precision, gpu) in engines() {
        let (max, mean) = if precision == Precision::F32 { (2e-3, 2e-4) } else { (0.1, 0.02) };
        for (id, blend) in &blends {
            let expected = expected.tensors[&format!("{id}.image")].to_f32().unwrap();
            assert_close(&format!("{id} in {precision:?}"), &picture(&gpu, blend), &expected, max, mean);
        }
    }
}

#[test]
fn a_layer_that_is_of_one_network_shares_its_weights() {
    let (a, mut pair) = pair(A, B);
    let [hard, soft, lower] = [from(16, 0.0), from(16, 1.0), from(8, 0.0)].map(|share| pair.blend(share).unwrap());
    let weight = |network: &Network, n: usize| match &network.plan.steps[n].op {
        Op::Synthesis(layer) => Some(layer.weight.clone()),
        Op::ToRgb(layer) => Some(layer.weight.clone()),
        _ => None,
    };
    let mut counts = [0; 2];
    for (n, step) in a.plan.steps.iter().enumerate() {
        let [Some(own), Some(hard), Some(soft), Some(lower)] =
            [&a, &hard, &soft, &lower].map(|network| weight(network, n))
        else {
            continue;
        };
        let is_low = step.name.starts_with("b4.") || step.name.starts_with("b8.");
        let of = if is_low { &own } else { &lower };
        assert!(Arc::ptr_eq(&hard, of), "{}", step.name);
        assert!(!Arc::ptr_eq(&soft, &own) && !Arc::ptr_eq(&soft, &hard), "{}", step.name);
        counts[usize::from(is_low)] += 1;
    }
    assert_eq!(counts, [6, 5]);
    assert_eq!(hard.mapping.w_avg, a.mapping.w_avg);
    assert!(Arc::ptr_eq(&pair.blend(ALL(0.0)).unwrap(), &a), "nothing of the second network is nothing new");
    let noise =
        |network: &Network| noises(&mut Plan::clone(&network.plan)).iter().map(|n| n.to_vec()).collect::<Vec<_>>();
    assert!(noise(&hard) == noise(&a) && noise(&soft) == noise(&a), "the noise is always the first network's");
}

/// Writes the file with each number changed by `change`, which also gets what it was multiplied with at random, about 1.
fn rewrite(from: &Path, to: &Path, change: impl Fn(&str, f32, f32) -> f32) {
    let bytes = std::fs::read(from).unwrap();
    let (_, head) = SafeTensors::read_metadata(&bytes).unwrap();
    let opened = Checkpoint::open_tensors(from).unwrap();
    let mut state = 1u32;
    let mut random = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        0.5 + (state >> 8) as f32 / 16_777_216.0
    };
    let mut tensors: BTreeMap<String, (Vec<usize>, Vec<u8>)> = BTreeMap::new();
    for (name, tensor) in opened.tensors {
        // A count of batches is no number of the network.
        let Ok(numbers) = tensor.to_f32() else { continue };
        let bytes = numbers.into_iter().flat_map(|x| change(&name, x, random()).to_le_bytes()).collect();
        tensors.insert(name, (tensor.shape.clone(), bytes));
    }
    let views = tensors.iter().map(|(name, (shape, bytes))| {
        (name, safetensors::tensor::TensorView::new(safetensors::Dtype::F32, shape.clone(), bytes).unwrap())
    });
    std::fs::write(to, safetensors::serialize(views, head.metadata().clone()).unwrap()).unwrap();
}

fn is_fixed(name: &str) -> bool {
    ["noise_const", "resample_filter", "up_filter", "down_filter", "transform", "num_batches_tracked"]
        .iter()
        .any(|kept| name.ends_with(kept))
}

/// The numbers of a step that files hold folded: weights, then what is computed from several tensors.
fn numbers(op: &Op) -> [Vec<f32>; 2] {
    match op {
        Op::Synthesis(layer) => [layer.weight.to_vec(), layer.bias.to_vec()],
        Op::Filtered(layer) => [layer.weight.to_vec(), vec![layer.magnitude]],
        // Its weights are multiplied with what is computed from statistics.
        Op::Latent(layer) => [Vec::new(), layer.style.affine.bias.clone()],
        Op::Gated(layer) => [Vec::new(), [&layer.style.affine.weight[..], &layer.style.affine.bias].concat()],
        op => [op.style().map_or_else(Vec::new, |style| style.affine.weight.clone()), Vec::new()],
    }
}

/// The largest difference, in the largest of the expected numbers.
fn off(found: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(found.len(), expected.len());
    let largest = expected.iter().fold(1e-3f32, |most, x| most.max(x.abs()));
    found.iter().zip(expected).fold(0.0f32, |most, (a, b)| most.max((a - b).abs())) / largest
}

#[test]
fn norms_and_statistics_are_those_of_the_blend() {
    let folder = Folder::new();
    for (name, is_spectral) in
        [(A, false), ("latent/sg3t_64.net.safetensors", false), ("fastgan_256.safetensors", true)]
    {
        let (b, mean) = (folder.join("b.safetensors"), folder.join("mean.safetensors"));
        let other = |name: &str, x: f32, factor: f32| if is_fixed(name) { x } else { x * factor };
        rewrite(&fixture(name), &b, other);
        rewrite(&fixture(name), &mean, |name, x, factor| 0.5 * (x + other(name, x, factor)));
        let a = Arc::new(network::open(fixture(name)).unwrap());
        let blend = Pair::open(&a, &b).unwrap().blend(ALL(0.5)).unwrap();
        let [b, mean] = [b, mean].map(|file| network::open(file).unwrap());
        let (mut folded, mut plain) = (0.0f32, 0.0f32);
        for (n, step) in blend.plan.steps.iter().enumerate() {
            let [found, of_a, of_b, of_mean] =
                [&*blend, &a, &b, &mean].map(|network| numbers(&network.plan.steps[n].op));
            for part in 0..2 {
                let middle: Vec<f32> = of_a[part].iter().zip(&of_b[part]).map(|(a, b)| 0.5 * (a + b)).collect();
                // What is divided by a spectral norm is between what both layers multiply with.
                let is_normed = is_spectral && part == 0;
                let expected = if is_normed { &middle } else { &of_mean[part] };
                let worst = off(&found[part], expected);
                assert!(worst < 2e-6, "{name}: {} {part} is off by {worst:e}", step.name);
                folded = folded.max(off(&middle, &of_mean[part]));
                plain = plain.max(off(&of_a[part], expected));
            }
        }
        assert!(plain > 0.1, "{name}: the networks differ");
        assert!(name == A || folded > 0.01, "{name}: the mean of folded numbers is another, by {folded:e}");
        let layers = |network: &Network| {
            network.mapping.layers.iter().flat_map(|layer| layer.weight.clone()).collect::<Vec<_>>()
        };
        assert!(off(&layers(&blend), &layers(&mean)) < 2e-6, "{name}: mapping");
        assert!(off(&blend.mapping.w_avg, &mean.mapping.w_avg) < 2e-6, "{name}: w_avg");
    }
}

/// A show that stands still, without noise: it is always the first network's.
fn held(network: &str, more: &str) -> Setup {
    let preset = format!("[params]\n\"/walk/kind\" = \"hold\"\n\"/noise/mode\" = \"none\"\n{more}");
    Rig::with(&[("a", &preset)]).network(network).engine(Arc::new(Cpu::new(1)))
}

fn still(network: &str) -> Vec<u8> {
    let mut rig = held(network, "").start();
    rig.step(0.1, &[]);
    rig.pixels()
}

fn step(rig: &mut Rig, events: &[latent_jockey::control::Event]) -> Vec<u8> {
    rig.step(0.1, events);
    rig.pixels()
}

#[test]
fn a_knob_goes_from_one_network_to_the_other_and_back() {
    let (a, b) = (still(A), still(B));
    assert_ne!(a, b);
    let mut rig = held(A, "").start();
    assert_eq!(step(&mut rig, &[text(Id::NetworkB, fixture(B))]), a, "named, but not mixed in");
    let half = step(&mut rig, &[number(Id::NetworkMix, 0.5)]);
    assert!(half != a && half != b);
    assert_eq!(step(&mut rig, &[number(Id::NetworkMix, 1.0)]), b, "in the frame that asks for it");
    let swapped = step(&mut rig, &[write(Id::NetworkSwap, Value::Text("16".into()))]);
    assert!(swapped != a && swapped != b && swapped != half);
    assert_ne!(step(&mut rig, &[number(Id::NetworkSwapWidth, 1.0)]), swapped);
    assert_eq!(step(&mut rig, &[number(Id::NetworkMix, 0.0)]), a);
    assert_eq!(step(&mut rig, &[number(Id::NetworkMix, 1.0), number(Id::NetworkSwapWidth, 0.0)]), swapped);
    assert_eq!(step(&mut rig, &[text(Id::NetworkB, "")]), a, "without a second network");
    assert_eq!((rig.network().name.as_str(), rig.failure()), ("sg2_32", None));
    // A preset brings its own, and one without has none.
    let more = format!("\"/network/b\" = \"{}\"\n\"/network/mix\" = 0.5\n", fixture(B).display());
    let mut preset = held(A, &more).start();
    assert_eq!(step(&mut preset, &[]), half, "from the first picture on");
    std::fs::write(preset.folder().join("b.toml"), "[params]\n\"/walk/kind\" = \"hold\"\n\"/noise/mode\" = \"none\"\n")
        .unwrap();
    step(&mut preset, &[text(Id::Preset, "b")]);
    assert_eq!(step(&mut preset, &[]), a);
}

#[test]
fn a_modulated_mix_is_right_in_every_frame() {
    let more = format!(
        "\"/network/b\" = \"{}\"\n[mod]\nswell = {{ source = \"sine\", seconds = 1.0, to = \"/network/mix\", depth = 0.5 }}\n",
        fixture(B).display()
    );
    let mut moved = held(A, &more).start();
    let mut by_hand = held(A, "").start();
    by_hand.step(0.1, &[text(Id::NetworkB, fixture(B))]);
    let mut seen = Vec::new();
    for _ in 0..6 {
        let pixels = step(&mut moved, &[]);
        let mix = moved.params().get(Id::NetworkMix);
        assert_eq!(step(&mut by_hand, &[number(Id::NetworkMix, mix)]), pixels, "{mix}");
        seen.push(pixels);
    }
    assert!(seen.windows(2).filter(|pair| pair[0] != pair[1]).count() >= 3);
}

#[test]
fn networks_of_different_shapes_are_refused_in_one_line() {
    let a = still(A);
    for (b, expected) in [
        ("sg2_16_p2.pkl", "the picture: expected 32 x 32, found 16 x 16"),
        ("sg2_32_cond.pkl", "z_dim: expected 64, found 32"),
        ("sg2_32_resnet.pkl", "the architecture: expected skip, found resnet"),
        ("sg3r_32.pkl", "the kind: expected StyleGAN2, found StyleGAN3"),
        ("seeds.safetensors", "no known network layout"),
        ("nowhere.pkl", "nowhere.pkl"),
    ] {
        let mut rig = held(A, "").live().start();
        let refused = |show: &Show| show.status().notice.is_some_and(|line| line.contains(expected));
        rig.wait(&[text(Id::NetworkB, fixture(b)), number(Id::NetworkMix, 0.5)], refused);
        let line = rig.notice();
        assert!(line.contains(b) && line.ends_with("; sg2_32 plays on alone") && !line.contains('\n'), "{line}");
        let is_of_shape = line.contains("cannot be mixed with");
        assert!(!is_of_shape || line.contains(A), "{line}");
        // A knob does not ask again, and the line stays while it is true.
        let mut landed = Vec::new();
        for mix in 1..20 {
            rig.step(0.01, &[number(Id::NetworkMix, f64::from(mix) / 20.0)]);
            landed.extend(rig.landings().iter().map(|landing| landing.file.clone()));
            assert_eq!(rig.notice(), line);
        }
        assert!(landed.iter().all(|file| file.ends_with(A)) && landed.len() <= 1, "{landed:?}");
        rig.wait(&[], |show| show.picture().is_some_and(|picture| picture.rgba == a));
        if b == "nowhere.pkl" {
            rig.wait(&[text(Id::NetworkB, "")], |show| show.status().faults.is_empty());
        } else {
            rig.wait(&[text(Id::NetworkB, fixture(B))], |show| !refused(show) && show.landings().len() == 1);
        }
    }
    // What is right with another network is tried with it.
    let mut rig = held("sg2_16_p2.pkl", "").start();
    rig.step(0.1, &[text(Id::NetworkB, fixture(B)), number(Id::NetworkMix, 1.0)]);
    assert!(rig.failure().is_some_and(|line| line.contains("expected 16 x 16, found 32 x 32")));
    assert_eq!(step(&mut rig, &[text(Id::Network, fixture(A))]), still(B));
    assert!(rig.status().faults.is_empty(), "{:?}", rig.status());
}

/// An engine whose next programs are ready only when they may be.
struct Slow {
    cpu: Cpu,
    may: Mutex<usize>,
    more: Condvar,
    prepared: AtomicUsize,
}

impl Slow {
    fn let_in(&self, count: usize) {
        *self.may.lock().unwrap() += count;
        self.more.notify_all();
    }
}

impl Engine for Slow {
    fn name(&self) -> &'static str {
        "slow"
    }
    fn prepare(&self, plan: Arc<Plan>) -> Result<Box<dyn Program>, EngineError> {
        let mut may = self.more.wait_while(self.may.lock().unwrap(), |may| *may == 0).unwrap();
        *may -= 1;
        self.prepared.fetch_add(1, Ordering::Relaxed);
        self.cpu.prepare(plan)
    }
}

#[test]
fn a_moving_knob_holds_no_frame_and_the_newest_wish_is_next() {
    let slow =
        Arc::new(Slow { cpu: Cpu::new(1), may: Mutex::new(1), more: Condvar::new(), prepared: AtomicUsize::new(0) });
    let preset = "[params]\n\"/walk/speed\" = 2.0\n";
    let mut rig = Rig::with(&[("a", preset)]).network(A).engine(slow.clone()).live().start();
    let prepared = || slow.prepared.load(Ordering::Relaxed);
    let serial = |show: &Show| show.picture().map_or(0, |picture| picture.serial);
    // Named and found fit, but with nothing of it there is nothing to prepare.
    rig.wait(&[text(Id::NetworkB, fixture(B))], |show| show.landings().len() == 1);
    assert_eq!(prepared(), 1);
    let mut mix = 0.0;
    for _ in 0..40 {
        mix += 0.02;
        let before = serial(&rig);
        rig.wait(&[number(Id::NetworkMix, mix)], |show| {
            assert!(show.landings().is_empty(), "nothing has been prepared");
            serial(show) > before
        });
    }
    assert_eq!(prepared(), 1);
    slow.let_in(1);
    rig.wait(&[], |show| show.landings().len() == 1);
    assert_eq!(prepared(), 2, "the wish that was first");
    slow.let_in(100);
    rig.wait(&[], |show| show.landings().len() == 1);
    let before = serial(&rig);
    rig.wait(&[], |show| serial(show) > before + 5);
    assert_eq!(prepared(), 3, "then the newest, and none between");
    // It is what a show has that was set so at once.
    let mut other = held(A, "").start();
    let blend = |show: &Show| show.network().mapping.layers[0].weight.clone();
    other.step(0.1, &[text(Id::NetworkB, fixture(B)), number(Id::NetworkMix, mix)]);
    assert_eq!(blend(&rig), blend(&other));
}

#[test]
fn a_name_that_is_sent_in_every_frame_is_one_question() {
    let mut rig = held(A, "").live().start();
    let (name, end) = (text(Id::NetworkB, fixture(B)), Instant::now() + PATIENCE);
    rig.step(0.01, &[number(Id::NetworkMix, 0.5), name.clone()]);
    while rig.landings().is_empty() {
        assert!(Instant::now() < end, "{:?}", rig.status());
        std::thread::sleep(Duration::from_millis(2));
        rig.step(0.01, std::slice::from_ref(&name));
    }
    for _ in 0..20 {
        rig.step(0.01, std::slice::from_ref(&name));
        assert!(rig.landings().is_empty());
    }
}

#[test]
fn a_fade_and_a_blend_do_not_disturb_each_other() {
    let mut rig = held("sg2_16_p2.pkl", "").start();
    let fading = [number(Id::NetworkFade, 1.0), text(Id::Network, fixture(A)), text(Id::NetworkB, fixture(B))];
    rig.step(0.0, &fading);
    let early = step(&mut rig, &[number(Id::NetworkMix, 1.0)]);
    assert!(early != still(A) && early != still(B), "it still fades");
    for _ in 0..9 {
        step(&mut rig, &[]);
    }
    assert_eq!(step(&mut rig, &[]), still(B));
}

#[test]
fn a_take_gives_the_same_bytes() {
    let folder = Folder::new();
    let path = folder.join("show.take");
    let preset = format!(
        "network = \"{}\"\n[params]\n\"/walk/speed\" = 2.0\n\"/network/b\" = \"{}\"\n\"/network/mix\" = 0.25\n",
        fixture(A).display(),
        fixture(B).display()
    );
    let mut rig = Rig::with(&[("a", &preset)]).network(A).live().start();
    rig.show.start_take(Some(path.clone()));
    let mut seen: Vec<Arc<Picture>> = Vec::new();
    let (mut blends, mut frames, end) = (0, 0, Instant::now() + PATIENCE);
    while blends < 8 || frames < 30 {
        assert!(Instant::now() < end, "{:?}", rig.status());
        let before = rig.picture().map(|picture| picture.serial);
        let mix = f64::from(frames % 17) / 17.0;
        let mut events = vec![number(Id::NetworkMix, mix)];
        if frames == 15 {
            events.push(write(Id::NetworkSwap, Value::Text("8".into())));
        }
        rig.step(0.04, &events);
        blends += rig.landings().len();
        while rig.picture().map(|picture| picture.serial) == before {
            assert!(Instant::now() < end, "{:?}", rig.status());
            std::thread::sleep(Duration::from_millis(1));
            rig.step(0.0, &[]);
            blends += rig.landings().len();
        }
        seen.push(rig.picture().unwrap().clone());
        frames += 1;
    }
    drop(rig.show);
    let take = Take::read(&path).unwrap();
    let landed = take.frames.iter().filter_map(|frame| frame.more.as_ref()).flat_map(|more| &more.landed);
    assert_eq!(landed.filter(|landed| landed.kind == "blend").count(), blends);
    assert!(take.files.iter().any(|file| file.path.ends_with("sg2_32_b.safetensors")), "its file is named");
    let repeated = || -> Vec<Arc<Picture>> {
        let (places, engine) = (take.locate().unwrap(), Arc::new(Cpu::default()));
        let mut show = Show::of_take(&take, places, Library::default(), engine, None).unwrap();
        let pictures = take.frames.iter().filter_map(|frame| {
            show.repeat(frame, frame.is_drawn);
            assert_eq!(show.failure(), None);
            frame.is_drawn.then(|| Arc::new((**show.picture().unwrap()).clone()))
        });
        pictures.collect()
    };
    let once = repeated();
    assert!(once == repeated(), "the same bytes each time");
    for picture in &seen {
        let again = once.iter().find(|again| again.serial == picture.serial).unwrap();
        assert!(again.rgba == picture.rgba, "what was seen");
    }
}

#[test]
fn the_first_picture_of_a_live_show_is_mixed() {
    let more = format!("\"/network/b\" = \"{}\"\n\"/network/mix\" = 1.0\n", fixture(B).display());
    let mut rig = held(A, &more).live().start();
    let b: PathBuf = fixture(B);
    let expected = network::open(b).unwrap().mapping.w_avg;
    assert_eq!(rig.network().mapping.w_avg, expected);
    rig.wait(&[], |show| show.picture().is_some());
    assert_eq!(rig.network().name, "sg2_32");
}

#[test]
fn a_network_is_not_seen_alone_before_it_is_mixed() {
    let mixed = [text(Id::Network, fixture(A)), text(Id::NetworkB, fixture(B)), number(Id::NetworkMix, 1.0)];
    let w_avg = network::open(fixture(B)).unwrap().mapping.w_avg;
    let mut rig = held("sg2_16_p2.pkl", "").live().start();
    rig.wait(&mixed, |show| show.network().name == "sg2_32");
    assert_eq!(rig.network().mapping.w_avg, w_avg, "with its first picture");
    // One that cannot be mixed plays all the same.
    rig.wait(&[text(Id::Network, fixture("sg2_16_p2.pkl"))], |show| show.network().name == "sg2_16_p2");
    let line = rig.notice();
    assert!(line.ends_with("; sg2_16_p2 plays on alone") || line == "sg2_16_p2 is ready", "{line}");
    rig.wait(&[text(Id::Network, fixture(A))], |show| show.network().name == "sg2_32");
    assert_eq!((rig.status().faults, &rig.network().mapping.w_avg), (Vec::new(), &w_avg));
    // Nor does one wait for a second one that is taken away meanwhile.
    let events = [text(Id::Network, fixture("sg2_16_p2.pkl")), text(Id::NetworkB, "")];
    rig.wait(&events, |show| show.network().name == "sg2_16_p2");
}
