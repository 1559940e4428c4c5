//! Does the program draw small pictures for a show, keep them, give them to browsers, and stop when the show does?

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, Ipv4Addr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use latent_jockey::control::query::{Names, Options as Query, QueryServer, Timeouts};
use latent_jockey::control::{Listen, queue};
use latent_jockey::patch::library::Library;
use latent_jockey::thumbnail::{Found, HELLO, Head, Key, Options, Request, SQUARE, Thumbnail, Thumbnails};

use crate::common::fixture;
use crate::common::rig::Folder;

/// A folder of presets with one small network.
fn folder() -> Folder {
    let folder = Folder::new();
    std::fs::create_dir(folder.join("networks")).expect("a folder");
    std::fs::copy(fixture("sg2_32.safetensors"), folder.join("networks/small.safetensors")).expect("a network");
    std::fs::write(folder.join("mine.toml"), "network = \"small\"\n").expect("a preset");
    std::fs::write(folder.join("broken.toml"), "network = \"small\"\nparams = 3\n").expect("a preset");
    folder
}

fn program(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_latent-jockey"));
    command.arg("thumbnails").env("LATENT_JOCKEY_PRESETS", folder).env("LATENT_JOCKEY_HOME", folder.join("own"));
    command
}

fn thumbnails(folder: &Folder) -> Thumbnails {
    let place = folder.to_path_buf();
    Thumbnails::new(Options {
        library: Library::scan(folder).expect("a folder of presets"),
        cache: Some(folder.join("cache")),
        program: Arc::new(move || Ok(program(&place))),
    })
}

fn wait(thumbnails: &Thumbnails, key: &Key) -> Found {
    let end = Instant::now() + Duration::from_secs(300);
    while thumbnails.find(key) == Found::Coming && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(10));
    }
    thumbnails.find(key)
}

#[test]
fn networks_and_seeds_have_pictures() {
    let folder = folder();
    let thumbnails = thumbnails(&folder);
    let network = || "small".to_owned();
    let seeds = [1, 2].map(|seed| Key::Seed { network: network(), seed });
    let drawn = |key: &Key| match wait(&thumbnails, key) {
        Found::Ready(thumbnail) => thumbnail,
        other => panic!("{key:?}: {other:?}"),
    };
    let [one, two] = seeds.each_ref().map(drawn);
    assert_eq!([one.width, one.height], SQUARE);
    assert_ne!(one.rgba, two.rgba);
    assert_eq!(drawn(&Key::Network(network())).width, SQUARE[0]);
    assert_eq!(wait(&thumbnails, &Key::Preset("broken".into())), Found::Absent);
    assert_eq!(wait(&thumbnails, &Key::Style { network: network(), style: 0 }), Found::Absent, "it has no styles");
    assert_eq!(std::fs::read_dir(folder.join("cache")).expect("a folder").count(), 3);
}

#[test]
fn browsers_get_them_by_name() {
    let folder = folder();
    let thumbnails = thumbnails(&folder);
    let (sender, _events) = queue();
    let options = Query {
        listen: Listen::At((IpAddr::from(Ipv4Addr::LOCALHOST), 0).into()),
        osc: None,
        announce: false,
        timeouts: Timeouts::default(),
        thumbs: Some(Arc::new(thumbnails.clone())),
        explorer: None,
        names: Arc::new(Names::default),
        events: sender,
        counts: Arc::default(),
    };
    let server = QueryServer::start(options).expect("a free port");
    let ask = |path: &str| {
        let mut stream = TcpStream::connect(server.local_addr()).expect("a connection");
        write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost:1\r\nConnection: close\r\n\r\n").expect("sent");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("an answer");
        let end = answer.windows(4).position(|four| four == b"\r\n\r\n").expect("a whole answer");
        let head = String::from_utf8_lossy(&answer[..end]).to_lowercase();
        (head[9..12].to_owned(), head, answer[end + 4..].to_vec())
    };
    let (status, head, _) = ask("/thumb/seed/small/7");
    assert!(status == "404" && head.contains("retry-after: 1"), "{head}");
    assert!(matches!(wait(&thumbnails, &Key::Seed { network: "small".into(), seed: 7 }), Found::Ready(_)));
    let (status, head, body) = ask("/thumb/seed/s%6Dall/7");
    assert!(status == "200" && head.contains("image/jpeg") && head.contains("etag: \""), "{head}");
    assert!(Thumbnail::from_jpeg(&body, "").is_some());
    let outside = folder.join("mine.toml").display().to_string().replace('/', "%2F");
    for path in [
        format!("/thumb/preset/{outside}"),
        format!("/thumb/preset/..%2F..%2F{outside}"),
        "/thumb/preset/%2e%2e".to_owned(),
        "/thumb/network/built-in:%2Fnetworks%2Fpainters8.safetensors".to_owned(),
        "/thumb/seed/small/-1".to_owned(),
        "/thumb/seed/small/7/8".to_owned(),
        "/thumb/other/small".to_owned(),
        "/thumb/".to_owned(),
    ] {
        let end = Instant::now() + Duration::from_secs(60);
        while ask(&path).1.contains("retry-after") {
            assert!(Instant::now() < end, "{path} is still being looked for");
            std::thread::sleep(Duration::from_millis(50));
        }
        assert_eq!(ask(&path).0, "404", "{path}");
    }
}

#[test]
fn the_child_answers_garbage_and_ends_with_its_input() {
    let folder = folder();
    let mut child = program(&folder).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it runs");
    let mut requests = child.stdin.take().expect("a pipe");
    let mut answers = BufReader::new(child.stdout.take().expect("a pipe"));
    let mut line = || {
        let mut line = String::new();
        answers.read_line(&mut line).expect("text");
        line
    };
    assert_eq!(line().trim_end(), HELLO);
    let missing = Request::Network { network: folder.join("none.pkl") };
    let known = serde_json::to_string(&missing).expect("JSON");
    for request in ["", "{", "null", "{\"preset\":{}}", "\u{0}", &known] {
        writeln!(requests, "{request}").expect("sent");
        let head: Head = serde_json::from_str(&line()).expect("a head");
        assert!(head.bytes == 0 && head.error.is_some(), "{request}: {head:?}");
    }
    drop(requests);
    assert!(child.wait().expect("it ends").success());
}
