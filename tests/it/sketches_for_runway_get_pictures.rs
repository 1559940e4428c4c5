//! Do sketches for Runway's app get pictures of what plays, over HTTP and over socket.io, by polling alone and by WebSocket?
//! Does a hostile client get an error and stop nothing? The client is hand-written HTTP and tungstenite's WebSocket.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use latent_jockey::control::{Counts, Event, Events, Listen, queue};
use latent_jockey::params::Id;
use latent_jockey::runway::{Model, Options, RunwayError, RunwayServer, timeouts};
use serde_json::{Value as Json, json};
use tokio_tungstenite::tungstenite::{self, Message, WebSocket};

use crate::common::fixture;
use crate::common::rig::{Rig, text};

/// The most that a test waits for a picture: perhaps beside other tests.
const PATIENCE: Duration = Duration::from_secs(600);

/// A live show with a style network, its server, and what steps it.
struct Stage {
    server: RunwayServer,
    events: Events,
    over: Arc<AtomicBool>,
    frames: Option<JoinHandle<u64>>,
}

impl Stage {
    /// With a port for each of these.
    fn new(models: &[Option<Model>]) -> Self {
        let mut rig = Rig::with(&[("a", "")]).live().start();
        rig.wait(&[text(Id::StyleNetwork, fixture("style/painters8.safetensors"))], |show| !show.styles().is_empty());
        let (sender, events) = queue();
        let doors = models.iter().map(|model| (Listen::Loopback { port: 0 }, *model)).collect();
        let options = Options {
            doors,
            models: rig.show.models(),
            threads: 1,
            yields: false,
            timeouts: timeouts(),
            events: sender,
            counts: Arc::new(Counts::default()),
        };
        let server = RunwayServer::start(options).expect("a free port");
        let over = Arc::new(AtomicBool::new(false));
        let frames = {
            let over = over.clone();
            std::thread::spawn(move || {
                let mut frames = 0;
                while !over.load(Ordering::Relaxed) {
                    rig.show.step(0.01, &[]);
                    frames += 1;
                    std::thread::sleep(Duration::from_millis(5));
                }
                frames
            })
        };
        Stage { server, events, over, frames: Some(frames) }
    }

    /// The address of a port, IPv4.
    fn address(&self, door: usize) -> SocketAddr {
        let mut ipv4 = self.server.addresses().iter().filter(|address| address.is_ipv4());
        *ipv4.nth(door).expect("a port")
    }

    /// Ends the show; how many frames it had.
    fn end(mut self) -> u64 {
        self.over.store(true, Ordering::Relaxed);
        self.frames.take().expect("still playing").join().expect("the show plays on")
    }
}

/// An answer over HTTP.
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn json(&self) -> Json {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

fn send(address: SocketAddr, method: &str, path: &str, headers: &str, body: &str) -> Answer {
    let mut stream = TcpStream::connect(address).expect("a connection");
    stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
    let length = body.len();
    write!(stream, "{method} {path} HTTP/1.1\r\nHost: localhost:{}\r\n", address.port()).expect("sent");
    // A server that has refused may not read the rest.
    let _ = write!(stream, "{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}");
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    let (head, body) = answer.split_once("\r\n\r\n").expect("an answer");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    Answer { status, head: head.to_owned(), body: body.to_owned() }
}

fn get(address: SocketAddr, path: &str) -> Answer {
    send(address, "GET", path, "Origin: null\r\n", "")
}

fn query(address: SocketAddr, body: &Json) -> Answer {
    send(address, "POST", "/query", "Origin: null\r\nContent-Type: application/json\r\n", &body.to_string())
}

/// Asserts that this is a JPEG as a data URI; its width and height.
#[track_caller]
fn size(picture: &Json) -> [u32; 2] {
    let text = picture.as_str().expect("a text");
    let base64 = text.strip_prefix("data:image/jpeg;base64,").expect("a JPEG");
    let bytes = data_encoding::BASE64.decode(base64.as_bytes()).expect("base64");
    let picture = image::load_from_memory(&bytes).expect("a picture");
    [picture.width(), picture.height()]
}

/// A PNG as a data URI.
fn picture(width: u32, height: u32) -> String {
    let picture =
        image::RgbImage::from_fn(width, height, |x, y| image::Rgb([(x * 7 % 256) as u8, (y * 9 % 256) as u8, 80]));
    let mut bytes = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut bytes, image::ImageFormat::Png).expect("a PNG");
    format!("data:image/png;base64,{}", data_encoding::BASE64.encode(&bytes.into_inner()))
}

fn z(seed: u32) -> Vec<f64> {
    (0..512).map(|i| f64::from((i * 37 + seed * 101) % 200) / 100.0 - 1.0).collect()
}

#[test]
fn http_gives_infos_and_pictures() {
    let stage = Stage::new(&[None, Some(Model::Network), Some(Model::Style)]);
    let [all, network, style] = [0, 1, 2].map(|door| stage.address(door));
    let names = |address, what: &str| -> Vec<String> {
        let info = get(address, "/info").json();
        let fields = info[what].as_array().expect("fields");
        fields.iter().map(|field| field["name"].as_str().expect("a name").to_owned()).collect()
    };
    assert_eq!(names(all, "inputs"), ["z", "truncation", "image", "style"]);
    assert_eq!(names(network, "inputs"), ["z", "truncation"]);
    assert_eq!(names(style, "inputs"), ["image", "style"]);
    assert_eq!(names(all, "outputs"), ["image"]);
    let info = get(network, "/info").json();
    let length = info["inputs"][0]["length"].as_u64().expect("a length");
    assert_eq!(info["inputs"][1]["default"], 0.8);

    assert_eq!((get(all, "/data").body.as_str(), get(all, "/error").body.as_str()), ("{}", r#"{"error":null}"#));
    let first = query(all, &json!({ "z": z(1), "truncation": 0.8 }));
    assert_eq!((first.status, first.header("access-control-allow-origin")), (200, Some("null")), "{}", first.body);
    assert_eq!(size(&first.json()["image"]), [16, 16]);
    // As many numbers as the network has are enough, and the same query gives the same bytes.
    let own = &z(1)[..length as usize];
    assert_eq!(query(network, &json!({ "z": own, "truncation": 0.8 })).body, first.body);
    assert_ne!(query(network, &json!({ "z": z(2), "truncation": 0.8 })).body, first.body);
    assert_eq!(get(all, "/data").body, first.body, "each model has its own data");

    for (field, output) in [("image", "output"), ("contentImage", "stylizedImage"), ("input", "output")] {
        let painted = query(style, &json!({ field: picture(40, 24) })).json();
        assert_eq!((size(&painted["image"]), size(&painted[output])), ([40, 24], [40, 24]), "{field}");
    }
    let name = get(style, "/info").json()["inputs"][1]["oneOf"][3].clone();
    let [playing, third] = [json!({ "image": picture(32, 32) }), json!({ "image": picture(32, 32), "style": name })];
    assert_ne!(query(style, &playing).body, query(all, &third).body);
    assert!(stage.end() > 0);
}

#[test]
fn the_preflight_of_a_page_is_answered() {
    let stage = Stage::new(&[None]);
    let asked = "Origin: http://localhost:8090\r\nAccess-Control-Request-Method: POST\r\n\
                 Access-Control-Request-Headers: content-type\r\n";
    let answer = send(stage.address(0), "OPTIONS", "/query", asked, "");
    assert_eq!((answer.status, answer.body.as_str()), (200, ""));
    assert_eq!(answer.header("access-control-allow-origin"), Some("http://localhost:8090"));
    assert_eq!(answer.header("access-control-allow-headers"), Some("content-type"));
    assert!(answer.header("access-control-allow-methods").is_some_and(|methods| methods.contains("POST")));
    assert_eq!(answer.header("vary"), Some("Origin"));
}

#[test]
fn hostile_clients_get_errors_and_stop_nothing() {
    let stage = Stage::new(&[None]);
    let address = stage.address(0);
    let deep = "[".repeat(1 << 20);
    for (body, status) in [
        ("", 400),
        ("{", 400),
        ("[]", 400),
        ("{}", 400),
        (deep.as_str(), 400),
        (r#"{"z":"a"}"#, 400),
        (r#"{"image":"QUJD"}"#, 400),
    ] {
        let answer = send(address, "POST", "/query", "", body);
        assert_eq!(answer.status, status, "{}", answer.body);
        let error = answer.json()["error"].as_str().expect("a line").to_owned();
        assert_eq!(get(address, "/error").json()["error"], error);
    }
    let unknown = query(address, &json!({ "image": picture(16, 16), "style": "nobody" }));
    assert!(unknown.status == 400 && unknown.body.contains("nobody"), "{}", unknown.body);
    let declared = "POST /query HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999\r\n\r\n";
    let mut stream = TcpStream::connect(address).expect("a connection");
    stream.write_all(declared.as_bytes()).expect("sent");
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).expect("an answer");
    assert_eq!(&answer, b"HTTP/1.1 413");
    for (method, path, status) in [
        ("GET", "/query", 405),
        ("POST", "/info", 405),
        ("GET", "/", 404),
        ("GET", "/socket.io/?EIO=4&transport=polling", 400),
    ] {
        assert_eq!(send(address, method, path, "", "").status, status, "{method} {path}");
    }
    let mut foreign = TcpStream::connect(address).expect("a connection");
    foreign.write_all(b"GET /info HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n").expect("sent");
    let mut answer = String::new();
    foreign.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
    assert_eq!(query(address, &json!({ "z": z(1) })).status, 200);
    assert_eq!(get(address, "/error").body, r#"{"error":null}"#);
    assert!(stage.end() > 0);
}

/// The packets of a payload.
fn packets(payload: &str) -> Vec<String> {
    let (mut packets, mut rest) = (Vec::new(), payload);
    while let Some((length, after)) = rest.split_once(':') {
        let (packet, after) = after.split_at(length.parse().expect("a length"));
        packets.push(packet.to_owned());
        rest = after;
    }
    packets
}

/// The name and data of an event.
fn event(packet: &str) -> (String, Json) {
    let array = packet.strip_prefix("42").unwrap_or_else(|| panic!("no event: {packet}"));
    serde_json::from_str(array).expect("an event")
}

/// The packets of the next poll with news: one without ends after a while.
fn poll(address: SocketAddr, path: &str) -> Vec<String> {
    let end = Instant::now() + PATIENCE;
    loop {
        let packets = packets(&get(address, path).body);
        if packets != ["6"] {
            return packets;
        }
        assert!(Instant::now() < end, "no news");
    }
}

/// Opens a session by polling; the path of its polls.
fn open(address: SocketAddr) -> String {
    let answer = get(address, "/socket.io/?EIO=3&transport=polling&t=a");
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("text/plain; charset=UTF-8")));
    // The browser's rule: with credentials, `*` does not do.
    assert_eq!(answer.header("access-control-allow-credentials"), Some("true"));
    let packets = packets(&answer.body);
    assert_eq!((packets.len(), packets[1].as_str()), (2, "40"));
    let open: Json = serde_json::from_str(packets[0].strip_prefix('0').expect("an open packet")).expect("JSON");
    assert_eq!((&open["pingInterval"], &open["upgrades"]), (&json!(25_000), &json!(["websocket"])));
    format!("/socket.io/?EIO=3&transport=polling&sid={}", open["sid"].as_str().expect("a sid"))
}

#[test]
fn polling_alone_works() {
    let stage = Stage::new(&[None]);
    let address = stage.address(0);
    let [one, two] = [open(address), open(address)];
    for path in [&one, &two] {
        let (name, info) = event(&poll(address, path)[0]);
        assert_eq!((name.as_str(), &info), ("info", &get(address, "/info").json()));
    }
    let post = |packet: &str| {
        let payload = format!("{}:{packet}", packet.len());
        let answer = send(address, "POST", &one, "Content-Type: text/plain;charset=UTF-8\r\n", &payload);
        assert_eq!((answer.status, answer.body.as_str()), (200, "ok"));
    };
    // A poll that waits gets the answer, and so does the other client.
    let waiting = {
        let one = one.clone();
        std::thread::spawn(move || poll(address, &one))
    };
    post(&format!("42{}", json!(["query", { "image": picture(24, 24) }])));
    let (name, data) = event(&waiting.join().expect("a poll")[0]);
    assert_eq!((name.as_str(), size(&data["output"])), ("data", [24, 24]));
    assert_eq!(event(&poll(address, &two)[0]).1, data);
    // Queries over HTTP are heard, too.
    let drawn = query(address, &json!({ "z": z(3) })).json();
    assert_eq!(event(&poll(address, &one)[0]), ("data".to_owned(), drawn));
    post("2");
    assert_eq!(poll(address, &one), ["3"]);
    post(r#"42["query",{"image":5}]"#);
    let (name, error) = event(&poll(address, &one)[0]);
    assert!(name == "error" && error["error"].as_str().is_some_and(|line| line.contains("picture")), "{error}");
    post("1");
    assert_eq!(get(address, &one).status, 400, "it is over");
    assert_eq!(send(address, "POST", &two, "", "nonsense").status, 400);
    assert_eq!(get(address, &two).status, 400, "nonsense ends a session");
}

fn socket(address: SocketAddr, sid: &str) -> WebSocket<TcpStream> {
    let stream = TcpStream::connect(address).expect("a connection");
    stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
    let url = format!("ws://localhost:{}/socket.io/?EIO=3&transport=websocket{sid}", address.port());
    tungstenite::client(url, stream).expect("a handshake").0
}

fn say(socket: &mut WebSocket<TcpStream>, text: impl Into<String>) {
    socket.send(Message::text(text.into())).expect("sent");
}

fn hear(socket: &mut WebSocket<TcpStream>) -> String {
    match socket.read().expect("a message") {
        Message::Text(text) => text.as_str().to_owned(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_client_that_polls_goes_over_to_a_socket() {
    let stage = Stage::new(&[None]);
    let address = stage.address(0);
    let path = open(address);
    assert_eq!(event(&poll(address, &path)[0]).0, "info");
    let waiting = {
        let path = path.clone();
        std::thread::spawn(move || get(address, &path).body)
    };
    let sid = path.split_once("&sid=").expect("a sid").1;
    let mut socket = socket(address, &format!("&sid={sid}"));
    say(&mut socket, "2probe");
    assert_eq!(hear(&mut socket), "3probe");
    assert_eq!(waiting.join().expect("a poll"), "1:6", "the poll that waits ends");
    say(&mut socket, "5");
    say(&mut socket, format!("42{}", json!(["query", { "z": z(1), "truncation": 0.5 }])));
    let (name, data) = event(&hear(&mut socket));
    assert_eq!((name.as_str(), size(&data["image"])), ("data", [16, 16]));
    say(&mut socket, "2");
    assert_eq!(hear(&mut socket), "3");
    say(&mut socket, r#"42["query",{}]"#);
    assert_eq!(event(&hear(&mut socket)).0, "error");
    say(&mut socket, "1");
    assert!(!matches!(socket.read(), Ok(Message::Text(_))), "it is closed");
}

#[test]
fn a_socket_without_polling_works_and_of_a_flood_the_newest_is_drawn() {
    let stage = Stage::new(&[None]);
    let mut socket = socket(stage.address(0), "");
    assert!(hear(&mut socket).starts_with("0{"));
    assert_eq!(hear(&mut socket), "40");
    assert_eq!(event(&hear(&mut socket)).0, "info");
    for seed in 0..100 {
        say(&mut socket, format!("42{}", json!(["query", { "z": z(seed), "style": "" }])));
    }
    let last = query(stage.address(0), &json!({ "z": z(99) })).json();
    let end = Instant::now() + PATIENCE;
    let mut count = 0;
    loop {
        assert!(Instant::now() < end, "the newest never arrives");
        let (name, data) = event(&hear(&mut socket));
        count += usize::from(name == "data");
        if data == last {
            break;
        }
    }
    assert!(count <= 101, "{count}");
    assert!(stage.end() > 0);
}

#[test]
fn a_port_that_is_taken_costs_one_line() {
    let stage = Stage::new(&[None]);
    let taken = Listen::Loopback { port: stage.address(0).port() };
    let start = |doors| {
        let mut rig = Rig::with(&[("a", "")]).start();
        let (sender, events) = queue();
        let (models, counts) = (rig.show.models(), Arc::default());
        let options =
            Options { doors, models, threads: 1, yields: false, timeouts: timeouts(), events: sender, counts };
        (RunwayServer::start(options), events)
    };
    let (both, events) = start(vec![(taken, None), (Listen::Loopback { port: 0 }, None)]);
    assert!(both.is_ok());
    let said: Vec<Event> = events.try_iter().collect();
    assert!(matches!(&said[..], [Event::Notice(line)] if line.contains("--runway")), "{said:?}");
    assert!(matches!(start(vec![(taken, None)]).0, Err(RunwayError::Taken { .. })));
    assert_eq!(stage.events.try_iter().count(), 0);
}
