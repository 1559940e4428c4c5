//! Does the explorer's page get pictures, orders and stars, and does nobody else?

use std::process::Command;

use latent_jockey::explore::favourites;

use crate::common::explorer::Explorer;
use crate::common::rig::Folder;
use crate::common::{fixture, keep_rough_pictures};

#[test]
fn a_page_gets_pictures_orders_and_stars_and_other_pages_nothing() {
    let (folder, network) = (Folder::new(), fixture("sg2_32_cond.pkl"));
    keep_rough_pictures(&network, &folder.join("cache/latent-jockey/explore"), 0.9);
    let explorer = Explorer::start(&folder, &[&network.display().to_string()]);
    for (path, kind) in [
        ("/", "text/html"),
        ("/alone.js", "text/javascript"),
        ("/explore.js", "text/javascript"),
        ("/explore.css", "text/css"),
    ] {
        let (status, head, body) = explorer.ask("GET", path, "");
        assert!(status == 200 && head.contains(kind) && head.contains("default-src 'none'"), "{path}: {head}");
        assert!(body.len() > 100, "{path}");
    }
    let info = explorer.json("GET", "/info");
    let (id, classes) = (info["id"].as_str().expect("an id"), info["classes"].as_array().expect("classes").len());
    assert!(classes > 1 && info["network"] == "sg2_32_cond", "{info}");
    let stars = || explorer.json("GET", "/stars").as_array().map(Vec::len);
    assert_eq!(stars(), Some(0));

    let picture = |query: &str| {
        let (status, head, body) = explorer.ask("GET", &format!("/picture/{id}?{query}"), "");
        assert!(status == 200 && head.contains("image/jpeg"), "{query}: {head} {}", String::from_utf8_lossy(&body));
        (head, image::load_from_memory(&body).expect("a picture").into_rgb8())
    };
    let (head, three) = picture("seed=3&psi=1&class=0");
    assert!(three.dimensions() == (32, 32) && head.contains("immutable"), "{head}");
    assert_eq!(picture("seed=3&psi=1&class=0").1, three);
    for other in
        ["seed=4&psi=1&class=0", "seed=3&psi=0.5&class=0", "seed=3&psi=1&class=1", "seed=3&psi=1&around=9&radius=0.5"]
    {
        assert_ne!(picture(other).1, three, "{other}");
    }
    // All the way to the other seed is that seed; none of it is the centre.
    assert_eq!(picture("seed=3&psi=1&around=9&radius=1").1, three);
    let (centre, nine) = (picture("seed=3&psi=1&around=9&radius=0").1, picture("seed=9&psi=1").1);
    let far = centre.as_raw().iter().zip(nine.as_raw()).map(|(a, b)| a.abs_diff(*b)).max();
    assert!(far <= Some(4), "{far:?}");
    assert_eq!(picture("seed=3&psi=1&side=16").1.dimensions(), (16, 16));

    // Rough ones.
    assert_eq!(info["rough"], true, "{info}");
    let (status, head, strip) = explorer.ask("GET", &format!("/rough/{id}?seeds=3%2C4,5&psi=1"), "");
    assert!(status == 200 && head.contains("image/jpeg") && head.contains("no-store"), "{head}");
    let strip = image::load_from_memory(&strip).expect("a picture").into_rgb8();
    assert_eq!(strip.dimensions(), (16, 3 * 16));
    let of = |query: &str| {
        let (status, _, strip) = explorer.ask("GET", &format!("/rough/{id}?{query}"), "");
        assert_eq!(status, 200, "{query}: {}", String::from_utf8_lossy(&strip));
        image::load_from_memory(&strip).expect("a picture").into_rgb8()
    };
    let three = of("seeds=3&psi=1");
    for other in ["seeds=4&psi=1", "seeds=3&psi=0.2", "seeds=3&psi=1&class=1", "seeds=3&psi=1&around=9&radius=0.5"] {
        assert_ne!(of(other), three, "{other}");
    }
    assert_eq!(of("seeds=3&psi=1&around=9&radius=1"), three);

    let mut by_average = explorer.order("sort=average&count=12&psi=1");
    let likest = explorer.order("sort=like&like=7&count=12&psi=1");
    assert_eq!((likest.len(), likest[0]), (12, 7), "{likest:?}");
    let hues = explorer.order("sort=colour&count=12&psi=1");
    assert_ne!(hues, likest);
    by_average.sort_unstable();
    assert_eq!(by_average, (0..12).collect::<Vec<u64>>());

    let star = |query: &str| explorer.json("POST", &format!("/star?{query}"))["changed"].as_u64();
    assert_eq!(star("seeds=3,5&psi=1&on=true"), Some(2));
    assert_eq!(star("seeds=5&psi=1&on=true"), Some(0));
    let file = folder.join("favourites.toml");
    let seeds = || favourites::read(&file).expect("favourites").iter().map(|star| star.seed).collect::<Vec<u32>>();
    assert_eq!(seeds(), [3, 5]);
    assert_eq!(stars(), Some(2));
    assert_eq!(star("seeds=3&psi=1&on=false"), Some(1));
    assert_eq!(seeds(), [5]);

    // What makes no sense, and who may not ask.
    let status = |method: &str, path: &str, headers: &str| explorer.ask(method, path, headers).0;
    for (path, expected) in [
        (format!("/picture/{id}?seed=-1"), 400),
        (format!("/picture/{id}?seed=1&class=99"), 400),
        (format!("/picture/{id}?seed=1&psi=nan"), 400),
        ("/picture/other?seed=1".to_owned(), 404),
        (format!("/rough/{id}?psi=1"), 400),
        (format!("/rough/{id}?seeds=1,-2"), 400),
        (format!("/rough/{id}?seeds={}", ["7"; 65].join(",")), 400),
        (format!("/rough/{id}?seeds=1&class=99"), 400),
        ("/rough/other?seeds=1".to_owned(), 404),
        ("/order?sort=beauty".to_owned(), 400),
        ("/order?sort=like&count=4".to_owned(), 400),
        ("/order?sort=seed&count=999999999".to_owned(), 400),
        ("/../Cargo.toml".to_owned(), 404),
        ("/star?seeds=1".to_owned(), 405),
    ] {
        assert_eq!(status("GET", &path, ""), expected, "{path}");
    }
    for headers in ["Host: evil.example\r\n", "Origin: http://evil.example\r\n", "Sec-Fetch-Site: cross-site\r\n"] {
        assert_eq!(status("POST", "/star?seeds=1&psi=1", headers), 403, "{headers}");
        assert_eq!(status("GET", "/info", headers), 403, "{headers}");
    }
    assert_eq!(seeds(), [5]);
}

#[test]
fn the_least_real_are_first_where_the_file_holds_a_discriminator() {
    let folder = Folder::new();
    let network = fixture("sg2_32_cond.pkl").display().to_string();
    let run = |words: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_latent-jockey"));
        command.current_dir(&*folder).env("XDG_CACHE_HOME", folder.join("cache")).args(words);
        let output = command.args(["--engine", "cpu", "--psi", "1", "--class", "1"]).output().expect("it runs");
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    };
    run(&["generate", &network, "--seeds", "0-11", "--score", "--out", "own"]);
    let scores = std::fs::read_to_string(folder.join("own/scores.tsv")).expect("scores");
    let row = |line: &str| {
        let (score, picture) = line.split_once('\t')?;
        Some((picture.strip_prefix("seed")?.strip_suffix(".png")?.parse().ok()?, score.parse::<f32>().ok()?))
    };
    let mut expected: Vec<(u64, f32)> = scores.lines().skip(1).filter_map(row).collect();
    expected.reverse();
    assert!(expected.len() == 12 && expected[0].1 < expected[11].1, "{expected:?}");
    let seeds: Vec<u64> = expected.iter().map(|(seed, _)| *seed).collect();

    let explorer = Explorer::start(&folder, &[&network]);
    assert_eq!(explorer.order("sort=artifacts&count=12&psi=1&class=1"), seeds);
    let usual: Vec<u64> = seeds.iter().rev().copied().collect();
    assert_eq!(explorer.order("sort=usual&count=12&psi=1&class=1"), usual);
    drop(explorer);

    run(&["explore", &network, "--count", "12", "--sort", "usual", "--sheet", "s.png"]);
    let list = std::fs::read_to_string(folder.join("s.csv")).expect("a list");
    assert_eq!(list.lines().next(), Some("place,seed,score"));
    for (line, (seed, score)) in list.lines().skip(1).zip(expected.iter().rev()) {
        let cells: Vec<&str> = line.split(',').collect();
        assert_eq!(cells[1], seed.to_string(), "{list}");
        assert!((cells[2].parse::<f32>().expect("a score") - score).abs() < 1e-3, "{line}: {score}");
    }
}
