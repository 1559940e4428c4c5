//! Does the explorer's page get pictures, orders and stars, and does nobody else?

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use latent_jockey::explore::favourites;
use serde_json::Value as Json;

use crate::common::{fixture, keep_rough_pictures};

/// How long an answer may take, on a busy machine too.
const PATIENCE: Duration = Duration::from_secs(120);

struct Explorer {
    child: Child,
    folder: PathBuf,
    /// `127.0.0.1:PORT`
    host: String,
}

impl Explorer {
    fn start() -> Explorer {
        let folder = std::env::temp_dir().join(format!("latent-jockey-explorer-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).expect("a folder");
        keep_rough_pictures(&fixture("sg2_32_cond.pkl"), &folder.join("cache/latent-jockey/explore"), 0.9);
        let mut command = Command::new(env!("CARGO_BIN_EXE_latent-jockey"));
        command.args(["explore", "--engine", "cpu", "--port", "0"]).arg(fixture("sg2_32_cond.pkl"));
        command.current_dir(&folder).env("XDG_CACHE_HOME", folder.join("cache")).stdout(Stdio::piped());
        let mut child = command.spawn().expect("it runs");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("its output")).read_line(&mut line).expect("a line");
        let host = line.strip_prefix("http://").and_then(|rest| rest.split(' ').next()).expect(&line).to_owned();
        Explorer { child, folder, host }
    }

    /// Status, headers and body of an answer.
    fn ask(&self, method: &str, path: &str, headers: &str) -> (u16, String, Vec<u8>) {
        let mut stream = TcpStream::connect(&self.host).expect("a connection");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        let host = if headers.contains("Host:") { String::new() } else { format!("Host: {}\r\n", self.host) };
        write!(stream, "{method} {path} HTTP/1.1\r\n{host}{headers}Connection: close\r\n\r\n").expect("sent");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("an answer");
        let end = answer.windows(4).position(|four| four == b"\r\n\r\n").expect("the end of the headers");
        let head = String::from_utf8_lossy(&answer[..end]).into_owned();
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        (status, head.to_lowercase(), answer[end + 4..].to_vec())
    }

    fn json(&self, method: &str, path: &str) -> Json {
        let (status, _, body) = self.ask(method, path, "");
        assert_eq!(status, 200, "{path}: {}", String::from_utf8_lossy(&body));
        serde_json::from_slice(&body).expect("JSON")
    }

    /// The seeds in order, once all have been looked at.
    fn order(&self, query: &str) -> Vec<u64> {
        let begun = Instant::now();
        loop {
            let answer = self.json("GET", &format!("/order?{query}"));
            if let Some(seeds) = answer["seeds"].as_array() {
                return seeds.iter().filter_map(Json::as_u64).collect();
            }
            assert!(answer["looked"].as_u64() <= answer["of"].as_u64(), "{answer}");
            assert!(begun.elapsed() < PATIENCE, "{query}: {answer}");
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }
}

impl Drop for Explorer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

#[test]
fn a_page_gets_pictures_orders_and_stars_and_other_pages_nothing() {
    let explorer = Explorer::start();
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
    let file = explorer.folder.join("favourites.toml");
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
