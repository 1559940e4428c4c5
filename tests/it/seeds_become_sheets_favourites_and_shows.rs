//! Do `explore`, `favourites` and `slides` lead from seeds to a sorted sheet, to a walk, and to a slide show?

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use latent_jockey::params::Table;
use latent_jockey::patch::track::{self, Latent};

use crate::common::fixture;

/// A temporary folder, which is also the cache folder, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let folder = std::env::temp_dir().join(format!("latent-jockey-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).expect("a folder");
        Folder(folder)
    }

    fn run(&self, words: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_latent-jockey"));
        command.current_dir(&self.0).env("XDG_CACHE_HOME", self.0.join("cache")).args(words);
        command.output().expect("it runs")
    }

    /// What it says.
    fn done(&self, words: &[&str]) -> String {
        let output = self.run(words);
        assert!(output.status.success(), "{words:?}: {}", told(&output));
        told(&output)
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.0.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// Seeds and values of a list beside a sheet.
    fn list(&self, name: &str) -> Vec<(u32, f32)> {
        let row = |line: &str| {
            let cells: Vec<&str> = line.split(',').collect();
            (cells[1].parse().expect("a seed"), cells[2].parse().expect("a value"))
        };
        self.text(name).lines().skip(1).map(row).collect()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout)
}

fn network() -> String {
    fixture("sg2_32.safetensors").display().to_string()
}

#[test]
fn seeds_are_sorted_starred_and_become_a_walk_a_show_and_pictures() {
    let folder = Folder::new("explore");
    let network = network();
    let explore = |more: &[&str]| {
        let words = ["explore", &network, "--engine", "cpu", "--count", "24", "--samples", "32"];
        folder.done(&[&words[..], more].concat())
    };
    explore(&["--sheet", "strange.png", "--sort", "artifacts", "--star", "3"]);
    let strange = folder.list("strange.csv");
    assert_eq!(strange.len(), 24);
    assert!(strange.windows(2).all(|pair| pair[0].1 >= pair[1].1) && strange[0].1 > strange[23].1, "{strange:?}");
    let sheet = image::open(folder.0.join("strange.png")).expect("a sheet");
    // 5 x 5 places of 32 pixels with gaps of 2.
    assert_eq!((sheet.width(), sheet.height()), (2 + 5 * 34, 2 + 5 * 34));
    // The other order is the same turned round, from what was kept.
    let kept = fs::read_dir(folder.0.join("cache/latent-jockey/explore")).expect("a cache").count();
    assert_eq!(kept, 1);
    explore(&["--sheet", "usual.png", "--sort", "usual", "--first", "5"]);
    let usual: Vec<u32> = folder.list("usual.csv").iter().map(|row| row.0).collect();
    let turned: Vec<u32> = strange.iter().rev().take(5).map(|row| row.0).collect();
    assert_eq!(usual, turned);
    // A picture is likest itself.
    explore(&["--sheet", "like.png", "--sort", "like", "--like", "7", "--first", "2"]);
    let like = folder.list("like.csv");
    assert!(like[0].0 == 7 && like[0].1.abs() < 1e-4 && like[1].1 > like[0].1, "{like:?}");

    let slides = ["--slides", "odd.html", "--slides", "odd-show.toml"];
    let walk = ["favourites", "--engine", "cpu", "--preset", "odd.toml", "--pngs", "odd"];
    folder.done(&[&walk[..], &slides].concat());
    assert!(folder.text("odd-show.toml").contains("\"/input\" = \"./odd-show-slides\""));
    let keys = track::read(&folder.0.join("odd-keys.toml"), Table::built_in()).expect("a track");
    assert_eq!(keys.len(), 3);
    assert!(keys.iter().all(|key| matches!(&key.at, Latent::Ws(ws) if ws.len() > 1)), "{keys:?}");
    assert_eq!(folder.text("odd.html").matches("<figure").count(), 3);
    let first = format!("001-sg2_32-seed{:04}.png", strange[0].0);
    assert_eq!(fs::read_dir(folder.0.join("odd")).expect("pictures").count(), 3);
    // The same picture as `generate` makes of that seed.
    folder.done(&[
        "generate",
        &network,
        "--engine",
        "cpu",
        "--psi",
        "1",
        "--seeds",
        &strange[0].0.to_string(),
        "--out",
        "own",
    ]);
    let pixels = |file: &Path| image::open(file).unwrap_or_else(|error| panic!("{file:?}: {error}")).into_rgb8();
    let own = folder.0.join(format!("own/seed{:04}.png", strange[0].0));
    assert_eq!(pixels(&folder.0.join("odd").join(first)), pixels(&own));
    // The preset plays from its track.
    folder.done(&[
        "render",
        "odd.toml",
        "--engine",
        "cpu",
        "--seconds",
        "0.2",
        "--fps",
        "10",
        "--size",
        "32x32",
        "--out",
        "walk",
    ]);
    let walked = image::open(folder.0.join("walk/frame_000001.png")).expect("a frame").into_rgb8();
    assert_eq!(walked, pixels(&own), "the walk begins elsewhere");
    // What is there is not replaced.
    let all: [&[&str]; 5] = [
        &["favourites", "--preset", "odd.toml"],
        &["favourites", "--slides", "odd.html"],
        &["favourites", "--pngs", "odd"],
        &["explore", &network, "--count", "24", "--sheet", "like.png"],
        &["generate", &network, "--seeds", &strange[0].0.to_string(), "--out", "own"],
    ];
    for words in all {
        let again = folder.run(words);
        let said = told(&again);
        assert!(
            !again.status.success() && said.contains("already exists; --overwrite replaces it"),
            "{words:?}: {said}"
        );
    }
    let keys = folder.text("odd-keys.toml");
    folder.done(&["favourites", "--preset", "odd.toml", "--length", "2", "--overwrite"]);
    assert!(folder.text("odd-keys.toml") != keys, "its keys last shorter");
}

#[test]
fn a_folder_and_seeds_become_slide_shows() {
    let folder = Folder::new("slides");
    fs::create_dir(folder.0.join("in")).expect("a folder");
    fs::copy(fixture("caption/heart.png"), folder.0.join("in/a.png")).expect("a copy");
    fs::copy(fixture("caption/melon.png"), folder.0.join("in/b.png")).expect("a copy");
    fs::write(folder.0.join("in/captions.csv"), "file,caption,guess\na.png,\"mine, <all> mine\",\n").expect("a table");
    folder.done(&["slides", "in", "--out", "folder.html"]);
    let page = folder.text("folder.html");
    assert!(page.contains("<q>mine, &lt;all&gt; mine</q>") && page.contains("<q>a photo of galia melon</q>"), "{page}");
    folder.done(&["slides", &network(), "--engine", "cpu", "--seeds", "1-3", "--out", "seeds.html", "--no-captions"]);
    let page = folder.text("seeds.html");
    assert!(page.contains("<small>sg2_32, seed 2</small>") && page.matches("<figure").count() == 3, "{page}");
    // The same shows as presets: pictures of one's own where they are, with what they lack in captions, and drawn ones beside it.
    folder.done(&["slides", "in", "--out", "both.html", "--out", "own.toml", "--stay", "3"]);
    let table = folder.text("in/captions.csv");
    assert!(
        table.contains("a.png,\"mine, <all> mine\",\n") && table.contains("b.png,a photo of galia melon"),
        "{table}"
    );
    assert_eq!(folder.text("both.html").matches("<figure").count(), 2);
    folder.done(&[
        "slides",
        &network(),
        "--engine",
        "cpu",
        "--seeds",
        "9,1-3",
        "--out",
        "deep/show.toml",
        "--beats",
        "8",
    ]);
    let drawn = fs::read_dir(folder.0.join("deep/show-slides")).expect("pictures").count();
    assert_eq!(drawn, 5, "four pictures and a table");
    let preset = folder.text("deep/show.toml");
    assert!(preset.contains("\"/input/every\" = 8.0") && preset.contains("\"/input/sync\" = \"beats\""), "{preset}");
    for (preset, picture) in [("own.toml", "in/a.png"), ("deep/show.toml", "deep/show-slides/001-sg2_32-seed0009.png")]
    {
        let size = ["--engine", "cpu", "--seconds", "0.1", "--fps", "10", "--size", "512x512", "--out", "played"];
        folder.done(&[&["render", preset][..], &size].concat());
        let played = image::open(folder.0.join("played/frame_000001.png")).expect("a frame").into_rgb8();
        let picture = image::open(folder.0.join(picture)).expect("a picture").into_rgb8();
        // Without what the caption may cover.
        let small = |of: &image::RgbImage| image::imageops::thumbnail(of, 16, 16).into_raw()[..3 * 16 * 10].to_vec();
        let (played, picture) = (small(&played), small(&picture));
        let far = played.iter().zip(&picture).map(|(a, b)| u32::from(a.abs_diff(*b))).sum::<u32>() / 480;
        assert!(far < 12, "{preset}: {far} of 255");
        fs::remove_dir_all(folder.0.join("played")).expect("removed");
    }
    for out in ["own.toml", "both.html"] {
        let again = folder.run(&["slides", "in", "--out", out]);
        assert!(!again.status.success() && told(&again).contains("already exists; --overwrite"), "{}", told(&again));
    }
    // Drawn pictures are replaced with their preset; a picture of one's own among them is not.
    let seeds = ["slides", &network(), "--engine", "cpu", "--seeds", "5", "--no-captions", "--out", "deep/show.toml"];
    let again = folder.run(&seeds);
    assert!(!again.status.success() && told(&again).contains("show.toml already exists"), "{}", told(&again));
    let replaced = [&seeds[..], &["--overwrite"]].concat();
    fs::write(folder.0.join("deep/show-slides/mine.png"), b"mine").expect("a file");
    let again = folder.run(&replaced);
    assert!(!again.status.success() && told(&again).contains("mine.png is no picture of a slide"), "{}", told(&again));
    fs::remove_file(folder.0.join("deep/show-slides/mine.png")).expect("removed");
    folder.done(&replaced);
    assert!(folder.0.join("deep/show-slides/001-sg2_32-seed0005.png").is_file());
    assert!(!folder.0.join("deep/show-slides/001-sg2_32-seed0009.png").exists(), "the old pictures are gone");
    // Upright pictures are not cropped.
    fs::create_dir(folder.0.join("tall")).expect("a folder");
    image::RgbImage::new(40, 80).save(folder.0.join("tall/a.png")).expect("a picture");
    folder.done(&["slides", "tall", "--out", "tall.toml", "--no-captions"]);
    let preset = folder.text("tall.toml");
    assert!(preset.contains("\"/input/fit\" = \"mirror\"") && !preset.contains("\"/fit\""), "{preset}");
    // A broken picture costs one line, and the others are shown.
    fs::write(folder.0.join("in/c.png"), b"no picture").expect("a file");
    let output = folder.run(&["slides", "in", "--out", "rest.html", "--no-captions"]);
    assert!(!output.status.success() && told(&output).contains("c.png"), "{}", told(&output));
    assert_eq!(folder.text("rest.html").matches("<figure").count(), 2);
    for (words, expected) in [
        (&["slides", "in", "--out", "a.htm", "--seeds", "1"][..], "belongs to a network"),
        (&["slides", "flowers128", "--out", "a.html"], "--seeds with a network"),
        (&["slides", "nowhere", "--out", "a.html"], "no folder nowhere"),
        (&["slides", "in", "--out", "a.pdf"], "ends in .html or .toml"),
        (&["slides", "in", "--out", "a.toml", "--stay", "700"], "at most 600 seconds"),
        (&["slides", "in", "--out", "a.html", "--beats", "1"], "beats from 4"),
        (&["slides", "in", "--out", "a.html", "--out", "b.html"], "one page and one preset"),
        (&["slides", "in", "--out", "a.html", "--stay", "0.1"], "seconds from 2"),
        (&["explore", "flowers128", "--sort", "artifacts"], "--sheet"),
    ] {
        let output = folder.run(words);
        assert!(!output.status.success() && told(&output).contains(expected), "{words:?}: {}", told(&output));
    }
}
