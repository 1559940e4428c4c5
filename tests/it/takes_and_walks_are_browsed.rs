//! Does `explore` show what a take or the walk of a preset shows, moment by moment?

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use image::RgbImage;
use latent_jockey::explore::favourites;
use latent_jockey::params::Id;

use crate::common::explorer::Explorer;
use crate::common::fixture;
use crate::common::rig::{Folder, Rig, bang, number, text};

const PRESET: &str = r#"
network = "NETWORK"
[params]
"/seed" = 3
"/walk/speed" = 2.0
"/walk/kind" = "drift"
[mod]
breathe = { source = "sine", seconds = 0.7, to = "/psi", depth = 0.4 }
"#;

fn preset() -> String {
    PRESET.replace("NETWORK", &fixture("sg2_32.safetensors").display().to_string())
}

fn run(folder: &Path, words: &str) -> (bool, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_latent-jockey"));
    command.current_dir(folder).env("XDG_CACHE_HOME", folder.join("cache")).args(words.split(' '));
    let output = command.output().expect("it runs");
    let told = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    (output.status.success(), told)
}

#[track_caller]
fn done(folder: &Path, words: &str) -> String {
    let (success, told) = run(folder, words);
    assert!(success, "{words}: {told}");
    told
}

/// The pictures of a sheet, of 32 pixels with gaps of 2, and the rows of its list.
fn sheet(folder: &Path, name: &str) -> (Vec<RgbImage>, Vec<Vec<String>>) {
    let sheet = image::open(folder.join(format!("{name}.png"))).expect("a sheet").into_rgb8();
    let list = fs::read_to_string(folder.join(format!("{name}.csv"))).expect("a list");
    let rows: Vec<Vec<String>> = list.lines().map(|line| line.split(',').map(str::to_owned).collect()).collect();
    let across = (sheet.width() - 2) / 34;
    let cell = |n: u32| image::imageops::crop_imm(&sheet, 2 + n % across * 34, 2 + n / across * 34, 32, 32).to_image();
    ((0..rows.len() as u32 - 1).map(cell).collect(), rows)
}

fn frame(folder: &Path, number: usize) -> RgbImage {
    let file = folder.join(format!("frame_{number:06}.png"));
    image::open(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display())).into_rgb8()
}

#[test]
fn the_walk_of_a_preset_is_what_it_renders() {
    let folder = Folder::new();
    fs::write(folder.join("walk.toml"), preset()).expect("a preset");
    done(&folder, "explore walk.toml --engine cpu --every 0.5 --seconds 2.5 --side 32 --sheet s.png --star 2");
    done(&folder, "render walk.toml --engine cpu --seconds 2.1 --size 32x32 --out frames");
    let (pictures, rows) = sheet(&folder, "s");
    assert_eq!(rows[0], ["place", "seconds", "seed"]);
    assert_eq!(rows[5], ["4", "2.000", "3"]);
    assert_eq!(pictures.len(), 5);
    for (n, picture) in pictures.iter().enumerate() {
        assert_eq!(*picture, frame(&folder.join("frames"), 15 * n + 1), "moment {n}");
    }
    assert!(pictures.windows(2).all(|pair| pair[0] != pair[1]), "it walks");
    // A star keeps what was played, and is the same picture again.
    let stars = favourites::read(&folder.join("favourites.toml")).expect("favourites");
    assert_eq!(stars.len(), 2);
    assert!(stars.iter().all(|star| star.seed == 3), "{stars:?}");
    assert!((stars[0].psi - stars[1].psi).abs() > 0.01, "psi was moved: {stars:?}");
    done(&folder, "favourites --engine cpu --pngs stars");
    let mut files: Vec<_> = fs::read_dir(folder.join("stars")).expect("pictures").flatten().map(|e| e.path()).collect();
    files.sort();
    for (file, picture) in files.iter().zip(&pictures) {
        assert_eq!(image::open(file).expect("a picture").into_rgb8(), *picture);
    }
    // The likest to one of them is that one.
    done(
        &folder,
        &format!("explore walk.toml --engine cpu --seconds 2 --sheet l.png --sort like --like {}", files[0].display()),
    );
    let (_, rows) = sheet(&folder, "l");
    assert_eq!(rows[1][1..3], ["0.000", "3"]);
    // With effects, which are not seen.
    fs::write(folder.join("bloom.toml"), format!("{}\n[[effects]]\nshader = \"bloom\"\n", preset())).expect("a preset");
    done(&folder, "explore bloom.toml --engine cpu --every 0.5 --seconds 2.5 --side 32 --sheet b.png");
    assert_eq!(sheet(&folder, "b").0, pictures);
    for (words, told) in [
        ("explore walk.toml --psi 0.7", "--psi is for networks"),
        ("explore walk.toml --sheet x.png --count 4", "--count is for networks"),
        ("explore walk.toml --seconds 6000", "at most 5000"),
        ("explore flowers128 --every 2", "--every is for takes and presets"),
    ] {
        let (success, said) = run(&folder, words);
        assert!(!success && said.contains(told), "{words}: {said}");
    }
}

#[test]
fn a_take_is_browsed_as_it_is_rendered() {
    let folder = Folder::new();
    let mut rig = Rig::with(&[("walk", &preset())]).network("sg2_32.safetensors").live().start();
    let take = folder.join("evening.take");
    rig.wait(&[text(Id::TakeStart, &take)], |show| show.is_taking());
    for n in 0..60 {
        let events = if n == 20 { vec![number(Id::Seed, 8.0)] } else { Vec::new() };
        rig.step(1.0 / 30.0, &events);
        std::thread::sleep(Duration::from_millis(5));
    }
    rig.wait(&[bang(Id::TakeStop)], |show| !show.is_taking());
    drop(rig);
    done(&folder, "explore evening.take --engine cpu --every 0.25 --side 32 --sheet s.png");
    done(&folder, "render evening.take --engine cpu --fps 4 --size 32x32 --out frames");
    let (pictures, rows) = sheet(&folder, "s");
    assert!(pictures.len() >= 7, "{rows:?}");
    for (n, picture) in pictures.iter().enumerate() {
        assert_eq!(*picture, frame(&folder.join("frames"), n + 1), "moment {n}");
    }
    let seeds: Vec<&str> = rows[1..].iter().map(|row| row[2].as_str()).collect();
    assert!(seeds.first() == Some(&"3") && seeds.last() == Some(&"8"), "{seeds:?}");
    // The page.
    let page = Explorer::start(&folder, &["evening.take", "--every", "0.25"]);
    let info = page.json("GET", "/info");
    let times = info["times"].as_array().expect("times");
    assert_eq!((times.len(), &times[1], &times[4]), (pictures.len(), &"0:00.25".into(), &"0:01".into()));
    assert_eq!((&info["network"], &info["classes"]), (&"evening".into(), &serde_json::json!([])));
    let id = info["id"].as_str().expect("an id");
    let (status, _, jpeg) = page.ask("GET", &format!("/picture/{id}?seed=4&psi=1"), "");
    assert_eq!(status, 200);
    let shown = image::load_from_memory(&jpeg).expect("a picture").into_rgb8();
    let far = |picture: &RgbImage| -> u64 {
        shown.as_raw().iter().zip(picture.as_raw()).map(|(a, b)| u64::from(a.abs_diff(*b))).sum()
    };
    // On a busy machine some moments show the same picture.
    let nearest = (0..pictures.len()).min_by_key(|n| far(&pictures[*n])).expect("pictures");
    assert_eq!(pictures[nearest], pictures[4], "moment {nearest}");
    assert_eq!(page.ask("GET", &format!("/picture/{id}?seed={}&psi=1", pictures.len()), "").0, 400);
    let sorted = page.order(&format!("sort=average&count={}&psi=1", pictures.len() + 5));
    assert_eq!(sorted.len(), pictures.len());
    let likest = page.order(&format!("sort=like&like=5&count={}&psi=1", pictures.len()))[0] as usize;
    assert_eq!(pictures[likest], pictures[5], "moment {likest}");
    // The first and the last are of different seeds.
    let last = pictures.len() - 1;
    assert_eq!(page.json("POST", &format!("/star?seeds=0,{last}&on=true&psi=1"))["changed"], 2);
    let starred = page.json("GET", "/stars");
    let has = |n: usize| starred.as_array().expect("stars").contains(&serde_json::json!([n, 1.0, 0.0]));
    assert!(has(0) && has(last), "{starred}");
    let stars = favourites::read(&folder.join("favourites.toml")).expect("favourites");
    assert_eq!(stars.iter().map(|star| star.seed.to_string()).collect::<Vec<_>>(), [seeds[0], seeds[last]]);
}
