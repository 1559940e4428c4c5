//! What happens when the bytes of a network file are wrong in ways nobody thought of?
//!
//! Good fixtures are damaged at random (from fixed seeds, so every run is the same) and opened; files that still open, and are
//! small, are played. Nothing may panic, take longer than two seconds to open, or use more memory than four times the file
//! plus a fixed bound. The number of damaged files is limited for CI; set `LATENT_JOCKEY_FUZZ=100000` for more.

#[path = "common/counting.rs"]
mod counting;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use latent_jockey::engine::cpu::Cpu;
use latent_jockey::engine::plan::Plan;
use latent_jockey::engine::score::Discriminator;
use latent_jockey::engine::surface::Surface;
use latent_jockey::engine::{Engine, Inputs};
use latent_jockey::image::Image;
use latent_jockey::latent::mapping::Scratch;
use latent_jockey::network::Network;
use latent_jockey::network::checkpoint::Checkpoint;
use latent_jockey::network::style_transfer::StyleNetwork;

const MAX_TIME: Duration = Duration::from_secs(2);
/// Bytes allowed beyond four times the file's size.
const MAX_MEMORY: usize = 64 << 20;
/// Multiplications of the largest picture that is computed from a damaged network.
const MAX_MACS: u64 = 100_000_000;
/// Numbers in all its maps.
const MAX_MAPS: usize = 16 << 20;
/// Damaged copies of each fixture.
const ROUNDS: usize = 40;

/// A small generator of pseudo-random numbers (SplitMix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }
}

/// Bytes with a special meaning in the formats: opcodes, and numbers at the edge of their range.
const TELLING: &[u8] =
    b"(.012BCJKMNQRTUVXabcdeghijlpqrstu]})\x80\x81\x85\x86\x87\x88\x8a\x8b\x8c\x8e\x8f\x92\x93\x94\x95\x00\x01\x7f\xff";

/// Damages one to eight places, mostly in the description; in the numbers nothing would notice.
fn damage(bytes: &mut Vec<u8>, random: &mut Random) {
    for _ in 0..=random.below(8) {
        if bytes.is_empty() {
            return;
        }
        let near = [bytes.len(), 4096, bytes.len() / 8][random.below(3)].clamp(1, bytes.len());
        let at = if random.below(4) == 0 { bytes.len() - 1 - random.below(near) } else { random.below(near) };
        let len = (1 + random.below(64)).min(bytes.len() - at);
        match random.below(8) {
            0 => bytes[at] ^= 1 << random.below(8),
            1 | 2 => bytes[at] = TELLING[random.below(TELLING.len())],
            3 => bytes[at..at + len.min(8)].fill(0xff),
            4 => drop(bytes.drain(at..at + len)),
            5 => {
                let again = bytes[at..at + len].to_vec();
                bytes.splice(at..at, again);
            }
            6 => {
                let from = random.below(bytes.len() - len + 1);
                bytes.copy_within(from..from + len, at);
            }
            _ if random.below(4) == 0 => bytes.truncate(at),
            _ => bytes.insert(at, TELLING[random.below(TELLING.len())]),
        }
    }
}

/// What could be opened.
#[derive(Default)]
struct Opened {
    network: Option<Network>,
    style: Option<StyleNetwork>,
}

/// Opens a file and reads every tensor of it.
fn open(path: &Path) -> Opened {
    let Ok(checkpoint) = Checkpoint::open(path) else { return Opened::default() };
    for tensor in checkpoint.tensors.values() {
        // Weights of the wrong type are an error like any other.
        let _ = tensor.to_f32();
    }
    drop(checkpoint);
    let _ = Discriminator::open(path);
    Opened { network: latent_jockey::network::open(path).ok(), style: StyleNetwork::open(path).ok() }
}

fn is_small(plan: &Plan) -> bool {
    plan.macs() < MAX_MACS && plan.buffers.iter().map(|buffer| buffer.len()).sum::<usize>() < MAX_MAPS
}

/// Computes a picture from it, if that is cheap. The numbers mean nothing; it only has to finish.
fn play(opened: &Opened, cpu: &Cpu) -> bool {
    let mut picture = Image::default();
    if let Some(Network { mapping, plan, .. }) = opened.network.as_ref().filter(|network| is_small(&network.plan)) {
        let (mut w, mut ws) = (Vec::new(), Vec::new());
        mapping.map(&vec![0.5; mapping.z_dim], &vec![0.0; mapping.c_dim], &mut w, &mut Scratch::default());
        mapping.truncate(&w, 0.7, mapping.num_ws, &mut ws);
        let mut program = cpu.prepare(plan.clone()).expect("a checked plan is prepared");
        program.draw(&Inputs { ws: &ws, ..Inputs::default() }, &mut picture).expect("and played");
        return true;
    }
    let Some(style) = &opened.style else { return false };
    let plan = std::sync::Arc::new(style.plan_for(32, 48));
    if !is_small(&plan) {
        return false;
    }
    let (content, styles) = (Surface::from(Image::new(3, 32, 48)), vec![1.0 / plan.styles as f32; plan.styles]);
    let mut program = cpu.prepare(plan).expect("a checked plan is prepared");
    program
        .draw(&Inputs { image: Some(&content), styles: &styles, ..Inputs::default() }, &mut picture)
        .expect("and played");
    true
}

fn list(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("the fixtures are there");
    entries.map(|entry| entry.expect("a folder that can be listed").path()).collect()
}

fn fixtures() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let is_small = |path: &PathBuf| std::fs::metadata(path).is_ok_and(|m| m.is_file() && m.len() < 650_000);
    let is_network = |path: &PathBuf| {
        path.extension().is_some_and(|e| ["pkl", "pt", "pth", "safetensors"].iter().any(|&known| e == known))
    };
    let folders = [folder.join("hostile"), folder.join("style")];
    let mut paths: Vec<_> = list(&folder).into_iter().chain(folders.iter().flat_map(|folder| list(folder))).collect();
    paths.retain(|path| is_small(path) && is_network(path));
    paths.sort();
    paths
}

#[test]
fn damaged_files_are_errors_and_nothing_else() {
    let paths = fixtures();
    assert!(paths.len() > 100, "{}", paths.len());
    let rounds = std::env::var("LATENT_JOCKEY_FUZZ").ok().and_then(|n| n.parse().ok()).unwrap_or(ROUNDS);
    let target = std::env::temp_dir().join(format!("latent-jockey-mutated-{}", std::process::id()));
    let mut slowest = Duration::ZERO;
    let mut largest = 0;
    let (cpu, mut played) = (Cpu::new(2), 0);
    for (index, path) in paths.iter().enumerate() {
        let good = std::fs::read(path).unwrap();
        for round in 0..rounds {
            let seed = (index as u64) << 32 | round as u64;
            let mut bytes = good.clone();
            damage(&mut bytes, &mut Random(seed));
            std::fs::write(&target, &bytes).unwrap();
            let allowed = 4 * bytes.len() + MAX_MEMORY;
            drop(bytes);
            let start = Instant::now();
            let (outcome, memory) = counting::peak(|| catch_unwind(AssertUnwindSafe(|| open(&target))));
            let mut time = start.elapsed();
            // A busy machine may have stopped us.
            for _ in 0..5 {
                if time >= MAX_TIME {
                    let start = Instant::now();
                    let _ = catch_unwind(AssertUnwindSafe(|| open(&target)));
                    time = time.min(start.elapsed());
                }
            }
            let name = path.file_name().unwrap().to_string_lossy();
            let opened = outcome.unwrap_or_else(|_| panic!("{name}, damaged with seed {seed:#x}, panics"));
            let outcome = catch_unwind(AssertUnwindSafe(|| play(&opened, &cpu)));
            played += usize::from(
                outcome.unwrap_or_else(|_| panic!("{name}, damaged with seed {seed:#x}, panics when played")),
            );
            assert!(time < MAX_TIME, "{name}, damaged with seed {seed:#x}, takes {time:?}");
            assert!(memory < allowed, "{name}, damaged with seed {seed:#x}, takes {memory} bytes of {allowed}");
            slowest = slowest.max(time);
            largest = largest.max(memory);
        }
    }
    std::fs::remove_file(&target).unwrap();
    assert!(played > paths.len() * rounds / 100, "{played} were played");
    println!("{} files: slowest {slowest:?}, largest {largest} bytes, {played} played", paths.len() * rounds);
}
