//! Does a take, rendered again, give what was played: the same bytes each time, and the pictures that the audience saw?

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::common::rig::{Folder, PATIENCE, Rig, bang, number, save_whole, text, write_by};
use crate::common::skip_gpu;
use latent_jockey::control::{Event, Source};
use latent_jockey::engine::cpu::Cpu;
use latent_jockey::engine::gpu::Device;
use latent_jockey::params::{Id, Value};
use latent_jockey::patch::library::Library;
use latent_jockey::record::take::Take;
use latent_jockey::show::{Devices, Picture, Show, Uploads};

const PRESET: &str = r#"
network = "NETWORK"
[params]
"/seed" = 3
"/walk/speed" = 2.0
[mod]
breathe = { source = "sine", seconds = 0.7, to = "/psi", depth = 0.4 }
"#;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

fn preset(network: &str) -> String {
    PRESET.replace("NETWORK", &fixture(network).display().to_string())
}

/// Plays a frame of a fixed length, and waits until its picture is there: the same pictures on a slow machine.
fn play(rig: &mut Rig, dt: f64, events: &[Event]) -> Arc<Picture> {
    let end = Instant::now() + Duration::from_secs(60);
    let before = rig.show.picture().map(|picture| picture.serial);
    rig.show.step(dt, events);
    while rig.show.picture().map(|picture| picture.serial) == before {
        assert!(Instant::now() < end, "no picture: {}", rig.show.status());
        std::thread::sleep(Duration::from_millis(1));
        // Collects the picture, and asks for no other.
        rig.show.step(0.0, &[]);
    }
    rig.show.picture().expect("a picture").clone()
}

/// The finished take of a show.
fn finish(rig: Rig, path: &Path) -> Take {
    drop(rig.show);
    Take::read(path).expect("a take")
}

/// The picture after each frame.
fn repeated(take: &Take) -> Vec<Option<Arc<Picture>>> {
    let places = take.locate().expect("all files");
    let mut show = of_take(take, places);
    let pictures = take.frames.iter().map(|frame| {
        show.repeat(frame, frame.is_drawn);
        assert_eq!(show.failure(), None);
        show.picture().map(|picture| Arc::new((**picture).clone()))
    });
    pictures.collect()
}

fn of_take(take: &Take, places: BTreeMap<PathBuf, PathBuf>) -> Show {
    Show::of_take(take, places, Library::default(), Arc::new(Cpu::default()), None).expect("a show")
}

/// In dB; infinite for the same picture.
fn psnr(a: &Picture, b: &Picture) -> f64 {
    assert_eq!(a.rgba.len(), b.rgba.len());
    let sum: f64 = a.rgba.iter().zip(&b.rgba).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum();
    10.0 * (255.0f64.powi(2) * a.rgba.len() as f64 / sum).log10()
}

/// Busy playing: knobs, a fade to another network, presets and their reload, live code where there is any, a flood.
fn performance(rig: &mut Rig) -> Vec<Arc<Picture>> {
    let other = fixture("sg2_32.safetensors");
    let second = rig.folder().join("b.toml");
    let mut seen = Vec::new();
    // What loads takes as long as it takes: meanwhile the show plays on.
    let has_arrived = |asked: i32, show: &Show| match asked {
        8 => show.network().path.ends_with("sg2_32.safetensors"),
        25 => show.preset().name == "b",
        33 => show.status().notice.is_some_and(|line| line.contains("reloaded")),
        _ => true,
    };
    for frame in 0..80 {
        let x = f64::from(frame) / 80.0;
        let mut events = vec![number(Id::Psi, f64::from(x as f32)), number(Id::WalkSpeed, 3.0 * x)];
        match frame {
            5 => events.push(number(Id::NetworkFade, 0.5)),
            8 => events.push(text(Id::Network, &other)),
            20 => events.push(bang(Id::SeedNext)),
            25 => events.push(text(Id::Preset, "b")),
            33 => std::fs::write(&second, preset("sg2_16_p2.pkl").replace("seconds = 0.7", "seconds = 0.3"))
                .expect("it is written"),
            50 => events.push(write_by(Source::Key, Id::WalkKind, Value::Text("loop".into()))),
            55 => (0..2000).for_each(|i| events.push(number(Id::Psi, f64::from(i) / 2000.0))),
            60 => events.push(bang(Id::Panic)),
            70 => events.push(write_by(Source::Key, Id::Freeze, Value::Bool(true))),
            75 => events.push(write_by(Source::Key, Id::Freeze, Value::Bool(false))),
            _ => {}
        }
        if cfg!(feature = "luau") && frame == 40 {
            events.push(text(Id::Eval, "psi = 0.5 + 0.4 * sine(0.5)\nz[2] = noise(1)"));
        }
        seen.push(if (70..75).contains(&frame) {
            rig.show.step(0.04, &events);
            rig.show.picture().expect("a picture").clone()
        } else {
            play(rig, 0.04, &events)
        });
        let end = Instant::now() + Duration::from_secs(60);
        while !has_arrived(frame, &rig.show) {
            assert!(Instant::now() < end, "what frame {frame} asked for never arrives: {}", rig.show.status());
            seen.push(play(rig, 0.04, &[]));
            std::thread::sleep(Duration::from_millis(2));
        }
    }
    seen.into_iter().map(|picture| Arc::new((*picture).clone())).collect()
}

#[test]
fn what_was_played_is_rendered_again() {
    let (folder, text) = (Folder::new(), preset("sg2_16_p2.pkl"));
    let path = folder.join("show.take");
    let mut rig = Rig::with(&[("a", &text), ("b", &text)]).live().start();
    rig.show.start_take(Some(path.clone()));
    let seen = performance(&mut rig);
    let reloaded = rig.show.params().text(Id::Preset).to_owned();
    assert_eq!(reloaded, "b");
    let presets = rig.folder().to_owned();
    let take = finish(rig, &path);
    assert!(!presets.exists(), "the presets are gone: their texts come from the take");
    let landed: Vec<String> = take
        .frames
        .iter()
        .filter_map(|frame| frame.more.as_ref())
        .flat_map(|more| {
            more.landed.iter().map(|landed| landed.kind.clone()).chain(more.news.iter().map(|_| "news".into()))
        })
        .collect();
    for kind in ["network", "preset", "news"] {
        assert!(landed.iter().any(|known| known == kind), "{kind} is missing: {landed:?}");
    }
    let (once, again) = (repeated(&take), repeated(&take));
    let bytes = |pictures: &[Option<Arc<Picture>>]| -> Vec<Option<Vec<u8>>> {
        pictures.iter().map(|picture| picture.as_ref().map(|picture| picture.rgba.clone())).collect()
    };
    assert!(bytes(&once) == bytes(&again), "the same bytes each time");
    // Live, a picture is seen some frames after it was asked for; here it is there at once.
    let drawn: Vec<Arc<Picture>> =
        take.frames.iter().zip(&once).filter(|(frame, _)| frame.is_drawn).filter_map(|(_, p)| p.clone()).collect();
    let mut next = 0;
    for (i, picture) in seen.iter().enumerate() {
        let Some(at) = drawn[next..].iter().position(|other| other.serial == picture.serial) else {
            panic!("picture {} of frame {i} was not drawn again", picture.serial);
        };
        next += at;
        assert_eq!((picture.width, picture.height), (drawn[next].width, drawn[next].height), "frame {i}");
        let psnr = psnr(picture, &drawn[next]);
        assert!(psnr > 40.0, "frame {i}: {psnr:.1} dB");
    }
    assert!(drawn.windows(2).filter(|pair| pair[0].rgba != pair[1].rgba).count() > 60, "the picture moves");
}

#[test]
fn a_take_that_begins_in_the_middle_goes_on_from_there() {
    let (folder, text) = (Folder::new(), preset("sg2_16_p2.pkl"));
    let path = folder.join("late.take");
    let mut rig = Rig::with(&[("a", &text)]).live().start();
    for frame in 0..10 {
        play(&mut rig, 0.05, &[number(Id::Psi, f64::from(frame) / 8.0)]);
    }
    let start = write_by(Source::Key, Id::TakeStart, Value::Text(path.display().to_string()));
    play(&mut rig, 0.05, &[start]);
    for _ in 0..5 {
        play(&mut rig, 0.05, &[]);
    }
    rig.wait(&[], |show| show.is_taking());
    let line = rig.show.status().take.expect("it is shown");
    assert!(line.starts_with("take late.take 0:"), "{line}");
    rig.wait(&[bang(Id::TakeStop)], |show| !show.is_taking());
    let last = play(&mut rig, 0.05, &[number(Id::Psi, 0.25)]);
    let take = finish(rig, &path);
    assert!(take.start >= 10 && take.frames.len() > take.start + 5, "{} of {}", take.start, take.frames.len());
    assert!(take.secs() < 0.6, "what leads up to it is no part of it");
    let pictures = repeated(&take);
    let end = pictures.last().unwrap().as_ref().unwrap();
    assert!(end.rgba != last.rgba, "it has ended before");
    let written = std::fs::read_to_string(&path).unwrap();
    assert!(!written.contains("\"/take/st"), "a take starts no takes");
}

/// A live show that goes on from a file, and the take in it.
fn resumed(file: &Path) -> (Show, Take, usize) {
    let take = Take::read(file).expect("a take");
    let frames = take.picture.unwrap_or(take.start);
    let engine = Arc::new(Cpu::default());
    let places = take.locate().expect("all files");
    let show = Show::resume(&take, frames, places, Library::default(), (engine, None)).expect("a show");
    (show, take, frames)
}

#[test]
fn a_snapshot_leads_back_to_its_picture() {
    let (folder, text) = (Folder::new(), preset("sg2_16_p2.pkl"));
    let path = folder.join("still.png");
    let mut rig = Rig::with(&[("a", &text)]).live().start();
    rig.show.set_output_size([48, 32]);
    for frame in 0..12 {
        play(&mut rig, 0.05, &[number(Id::Psi, f64::from(frame) / 8.0), bang(Id::SeedNext)]);
    }
    let seen = Arc::new((*play(&mut rig, 0.05, &[])).clone());
    let snap = write_by(Source::Key, Id::Snapshot, Value::Text(path.display().to_string()));
    rig.show.step(0.0, &[snap]);
    let is_saved = |show: &Show| show.status().notice.is_some_and(|line| line.starts_with("saved "));
    let end = Instant::now() + PATIENCE;
    while !is_saved(&rig.show) {
        assert!(Instant::now() < end, "{}", rig.show.status());
        std::thread::sleep(Duration::from_millis(2));
        rig.show.step(0.0, &[]);
    }
    play(&mut rig, 0.05, &[number(Id::Psi, -0.5)]);
    let values = [Id::Seed, Id::WalkSpeed].map(|id| rig.base(id));
    drop(rig);
    let still = image::open(&path).expect("a picture").into_rgb8();
    assert_eq!(still.dimensions(), (48, 32), "as large as the output");

    let (show, take, frames) = resumed(&path);
    assert!(frames >= 13 && take.picture == Some(frames), "{frames}");
    assert_eq!([Id::Seed, Id::WalkSpeed].map(|id| show.params().base(id)), values);
    assert_eq!(show.params().base(Id::Psi), f64::from(11.0f32 / 8.0), "and not what came after it");
    let picture = show.picture().expect("a picture");
    assert!(picture.rgba == seen.rgba, "{:.1} dB", psnr(picture, &seen));
    let mut broken = std::fs::read(&path).expect("bytes");
    let plain = folder.join("plain.png");
    still.save(&plain).expect("it is written");
    assert!(Take::read(&plain).expect_err("no take").to_string().contains("this picture holds no take"));
    broken.truncate(200);
    std::fs::write(&plain, broken).expect("it is written");
    assert!(Take::read(&plain).is_err());
}

#[test]
fn a_take_plays_while_others_play_along() {
    let (folder, text) = (Folder::new(), preset("sg2_16_p2.pkl"));
    let (first, second) = (folder.join("one.take"), folder.join("two.take"));
    let mut rig = Rig::with(&[("a", &text)]).live().start();
    for _ in 0..3 {
        play(&mut rig, 0.05, &[bang(Id::SeedNext)]);
    }
    rig.show.start_take(Some(first.clone()));
    for frame in 0..10 {
        play(&mut rig, 0.05, &[number(Id::Psi, f64::from(frame) / 8.0), number(Id::NoiseGain, 0.5)]);
    }
    let seed = rig.base(Id::Seed);
    drop(rig);

    let (mut show, take, frames) = resumed(&first);
    assert_eq!(show.params().base(Id::Seed), seed, "what leads up to it has been played");
    assert_eq!(show.params().base(Id::NoiseGain), 1.0, "the rest has not");
    show.play_take(take.clone(), frames, false);
    show.start_take(Some(second.clone()));
    // Twice as many frames as in the take, half as long; a hand on a knob.
    for frame in 0..19 {
        let hand = (frame == 6).then(|| number(Id::WalkRadius, 0.25));
        show.step(0.025, hand.as_slice());
        assert!(show.is_playing_take(), "frame {frame}");
    }
    (0..4).for_each(|_| show.step(0.025, &[]));
    assert!(!show.is_playing_take(), "it has ended");
    let ends = |show: &Show| [Id::Psi, Id::NoiseGain, Id::WalkRadius].map(|id| show.params().base(id));
    assert_eq!(ends(&show), [9.0 / 8.0, 0.5, 0.25]);
    drop(show);

    let both = Take::read(&second).expect("a take");
    let places = both.locate().expect("all files");
    let mut again = of_take(&both, places);
    both.frames.iter().for_each(|frame| again.repeat(frame, false));
    assert_eq!(ends(&again), [9.0 / 8.0, 0.5, 0.25], "the new take holds both");

    let (mut show, take, frames) = resumed(&first);
    show.play_take(take, frames, true);
    let mut psi = Vec::new();
    for _ in 0..40 {
        show.step(0.025, &[]);
        psi.push(show.params().base(Id::Psi));
    }
    assert!(show.is_playing_take() && psi.iter().filter(|psi| **psi == 0.125).count() > 2, "again and again: {psi:?}");
}

/// A style loop, an effect that films its own output, and one more.
const BUSY: &str = r#"
network = "NETWORK"
[params]
"/seed" = 3
"/walk/speed" = 2.0
"/style/network" = "STYLE"
"/style/size" = "128"
"/style/feedback" = 0.5
[mod]
breathe = { source = "sine", seconds = 0.7, to = "/psi", depth = 0.4 }
[[effects]]
shader = "feedback"
[[effects]]
shader = "slit_scan"
"#;

/// What is played in a frame of a busy minute.
fn busy(rig: &Rig, frame: u32) -> Vec<Event> {
    let mut events = vec![
        number(Id::Psi, f64::from((frame as f32 / 50.0).sin())),
        number(Id::WalkSpeed, f64::from(frame % 300) / 100.0),
        number(Id::StyleBlend, f64::from(frame % 77) / 77.0),
    ];
    let networks = ["sg2_32.safetensors", "sg2_16_p2.pkl", "sg3r_32.pkl"];
    let preset = rig.folder().join("b.toml");
    let text_of = |secs: &str| {
        let busy = BUSY.replace("STYLE", &fixture("style/painters8.safetensors").display().to_string());
        busy.replace("NETWORK", &fixture("sg2_32.safetensors").display().to_string()).replace("seconds = 0.7", secs)
    };
    match frame % 300 {
        20 => events.push(number(Id::NetworkFade, 0.8)),
        25 => events.push(text(Id::Network, fixture(networks[frame as usize / 300 % 3]))),
        80 => (0..3000).for_each(|i| events.push(number(Id::Psi, f64::from(i) / 3000.0))),
        120 => events.push(text(Id::Preset, if (frame / 300).is_multiple_of(2) { "b" } else { "a" })),
        170 => std::fs::write(preset, text_of(&format!("seconds = 0.{}", 3 + frame / 300))).expect("it is written"),
        220 => events.push(bang(Id::Panic)),
        250 => events.push(bang(Id::SeedNext)),
        _ => {}
    }
    if cfg!(feature = "luau") && frame % 300 == 200 {
        events.push(text(Id::Eval, "psi = 0.5 + 0.4 * sine(0.5)\nz[2] = noise(1)"));
    }
    events
}

#[test]
#[ignore = "takes some minutes: cargo test --test it a_busy_minute -- --ignored --nocapture"]
#[allow(clippy::print_stderr, reason = "the figures are of interest")]
fn a_busy_minute_is_rendered_as_it_was_seen() {
    let folder = Folder::new();
    let path = folder.join("busy.take");
    let text = BUSY.replace("NETWORK", &fixture("sg2_16_p2.pkl").display().to_string());
    let text = text.replace("STYLE", &fixture("style/painters8.safetensors").display().to_string());
    let Ok(device) = Device::open(false).map(Arc::new).map_err(skip_gpu) else { return };
    let mut rig = Rig::with(&[("a", &text), ("b", &text)]).live().on_screen(device.clone()).start();
    let mut devices = Devices::new(Arc::default());
    devices.tap(Uploads);
    rig.show.connect(devices);
    rig.show.set_output_size([128, 72]);
    rig.show.start_take(Some(path.clone()));
    let (mut seen, mut last): (Vec<Arc<Picture>>, _) = (Vec::new(), Instant::now());
    let begun = Instant::now();
    let mut frame = 0;
    while begun.elapsed() < Duration::from_secs(60) {
        let events = busy(&rig, frame);
        frame += 1;
        std::thread::sleep(Duration::from_millis(16).saturating_sub(last.elapsed()));
        let passed = latent_jockey::show::whole_micros(last.elapsed());
        last += passed;
        rig.show.step(passed.as_secs_f64(), &events);
        let Some(picture) = rig.show.shown().filter(|picture| !picture.rgba.is_empty()) else { continue };
        if seen.last().is_none_or(|last| last.serial < picture.serial) {
            seen.push(Arc::new((**picture).clone()));
        }
    }
    let take = finish(rig, &path);
    let places = take.locate().expect("all files");
    let library = Library::default();
    let mut show = Show::of_take(&take, places, library, Arc::new(Cpu::default()), Some(device)).expect("a show");
    // A take is drawn at any size.
    show.set_output_size([128, 72]);
    let (mut worst, mut squares, mut compared) = (f64::INFINITY, 0.0, 0u32);
    let mut next = seen.iter().peekable();
    for frame in &take.frames {
        show.repeat(frame, frame.is_drawn);
        assert_eq!(show.failure(), None);
        let Some(picture) = show.picture().filter(|_| frame.is_drawn) else { continue };
        let is_missing = next.peek().is_some_and(|seen| seen.serial < picture.serial);
        assert!(!is_missing, "a picture before {} was seen and is not drawn again", picture.serial);
        if let Some(seen) = next.next_if(|seen| seen.serial == picture.serial) {
            let psnr = psnr(seen, picture);
            (worst, compared) = (worst.min(psnr), compared + 1);
            squares += 255.0f64.powi(2) / 10f64.powf(psnr / 10.0);
        }
    }
    let mean = 10.0 * (255.0f64.powi(2) / (squares / f64::from(compared))).log10();
    let bytes = std::fs::metadata(&path).map_or(0, |file| file.len());
    eprintln!(
        "a busy minute: {frame} frames, {compared} pictures compared, PSNR {mean:.1} dB overall, {worst:.1} dB at worst; {bytes} bytes"
    );
    assert!(compared > 100 && compared as usize == seen.len(), "{compared} of {} compared", seen.len());
    assert!(mean > 40.0 && worst > 40.0, "{mean:.1} dB, {worst:.1} dB at worst");
}

#[test]
fn an_effect_that_was_copied_to_be_edited_is_in_the_take() {
    let folder = Folder::new();
    let path = folder.join("show.take");
    let text = format!("{}[[effects]]\nshader = \"blur\"\n", preset("sg2_16_p2.pkl"));
    let mut rig = Rig::with(&[("a", &text)]).live().start();
    rig.show.start_take(Some(path.clone()));
    let ships = rig.effects()[0].file.clone().expect("a file");
    let own = rig.folder().join("fx/blur.wgsl");
    std::fs::create_dir_all(own.parent().expect("a folder")).expect("a folder");
    let code = std::fs::read_to_string("shaders/fx/blur.wgsl").expect("the effect");
    save_whole(&own, &code);
    rig.show.find_effect_again(&ships);
    rig.wait(&[], |show| show.effects()[0].file.as_ref() == Some(&own));
    let row = |show: &Show| show.params().table().row("/fx/blur/own").map(|row| show.params().base(row));
    let edited = code.replacen("struct Params {", "struct Params {\n    own: f32, // 0..1 = 0.25: mine", 1);
    rig.save(&own, &edited, |show| row(show) == Some(0.25));
    let take = finish(rig, &path);
    let mut show = of_take(&take, take.locate().expect("all files"));
    take.frames.iter().for_each(|frame| show.repeat(frame, false));
    assert_eq!(row(&show), Some(0.25));
}

/// A bend of one cluster of channels.
const BENT: &str = "\"/bend/0/kind\" = \"scale\"\n\"/bend/0/amount\" = 2\n\"/bend/0/cluster\" = \"a\"\n";

#[test]
fn keys_clusters_and_directions_of_other_tools_are_in_the_take() {
    let folder = Folder::new();
    let path = folder.join("show.take");
    let network = folder.join("net.safetensors");
    std::fs::copy(fixture("sg2_32.safetensors"), &network).expect("a copy");
    std::fs::copy(fixture("latent/boundary.npy"), folder.join("boundary.npy")).expect("a copy");
    std::fs::write(folder.join("net-directions.toml"), "smile = \"boundary.npy\"\n").expect("it is written");
    let preset = format!(
        "network = {network:?}\n[params]\n\"/walk/kind\" = \"keys\"\n\"/keys/file\" = \"a-keys.toml\"\n\"/dir/smile\" = 3\n\"/dir/0\" = 1\n{BENT}"
    );
    let setup = Rig::with(&[("a", &preset)]);
    let keys = "[[keys]]\nfile = \"projected_w.npz\"\nlength = 1\n[[keys]]\nseed = 5\nlength = 1\n";
    std::fs::write(setup.folder().join("a-keys.toml"), keys).expect("it is written");
    std::fs::copy(fixture("latent/projected_w.npz"), setup.folder().join("projected_w.npz")).expect("a copy");
    let mut rig = setup.network(network.to_str().expect("a name")).live().start();
    // The clusters have come when their line has gone.
    rig.wait(&[], |show| show.has_directions() && show.status().notice.is_none());
    rig.show.start_take(Some(path.clone()));
    let seen: Vec<_> = (0..12).map(|_| play(&mut rig, 0.1, &[])).collect();
    assert_ne!(seen[2].rgba, seen[11].rgba, "the track plays");
    // The preset's folder goes with the show.
    let take = finish(rig, &path);
    std::fs::remove_file(folder.join("boundary.npy")).expect("it is there");
    std::fs::remove_file(folder.join("net-directions.toml")).expect("it is there");
    let again = repeated(&take);
    let last = again.last().and_then(Option::as_ref).expect("a picture");
    assert_eq!(last.rgba, seen[11].rgba);
}

#[test]
fn a_take_is_cut_as_text() {
    let (folder, text) = (Folder::new(), preset("sg2_16_p2.pkl"));
    let (path, cut) = (folder.join("long.take"), folder.join("cut.take"));
    let mut rig = Rig::with(&[("a", &text)]).live().start();
    rig.show.start_take(Some(path.clone()));
    for frame in 0..30 {
        play(&mut rig, 0.05, &[number(Id::Psi, f64::from(frame) / 32.0)]);
    }
    let take = finish(rig, &path);
    let (secs, frames) = (take.secs(), take.frames.len());
    // The lines of a passage are taken out, as an editor does it: each frame in which a knob was moved begins one.
    let written = std::fs::read_to_string(&path).expect("a take");
    let is_of = |line: &str, psi: f32| line.contains(&format!("[\"/psi\",{psi:?}]"));
    let lines: Vec<&str> = written.lines().collect();
    let at = |frame: u8| lines.iter().position(|line| is_of(line, f32::from(frame) / 32.0)).expect("a line");
    let (begin, end) = (at(10), at(20));
    let kept = lines[..begin].iter().chain(&lines[end..]).map(|line| format!("{line}\n"));
    std::fs::write(&cut, kept.collect::<String>()).expect("it is written");
    let short = Take::read(&cut).expect("a take");
    assert!((secs - short.secs() - 0.5).abs() < 1e-6, "{secs} {}", short.secs());
    assert!(short.frames.len() + 10 <= frames, "{} of {frames}", short.frames.len());
    let mut show = of_take(&short, short.locate().expect("all files"));
    let mut psi = Vec::new();
    for frame in &short.frames {
        show.repeat(frame, false);
        psi.push(show.params().base(Id::Psi));
    }
    psi.dedup();
    let passage = |psi: &[f64]| psi.iter().any(|psi| (10.0 / 32.0..19.5 / 32.0).contains(psi));
    assert!(!passage(&psi) && psi.last() == Some(&(29.0 / 32.0)), "{psi:?}");
    assert!(repeated(&short).last().is_some_and(Option::is_some), "and it is drawn");
}
