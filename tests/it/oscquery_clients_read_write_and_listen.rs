//! Does an OSCQuery client get the answers that the proposal specifies, move parameters over its WebSocket, receive
//! changes, and respect limits? The client is hand-written HTTP and tungstenite's WebSocket.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::common::rig::PATIENCE;
use latent_jockey::commands::eval::evaluate;
use latent_jockey::control::Snapshot;
use latent_jockey::control::mapping::{Mapping, OscEntry};
use latent_jockey::control::osc::feeds::Feeds;
use latent_jockey::control::query::{Bending, Dims, Names, Options, OscHost, Panel, QueryError, QueryServer, Timeouts};
use latent_jockey::control::scene::{Notices, Scene};
use latent_jockey::control::{self, Counts, Event, Events, Listen, Source, queue};
use latent_jockey::params::{BENDS, Id, Params, Value};
use rosc::{OscMessage, OscPacket, OscType};
use serde_json::{Value as Json, json};
use tokio_tungstenite::tungstenite::{self, Message, WebSocket};

const DIMS: Dims = Dims {
    z: 8,
    w: 8,
    layers: 8,
    styles: 0,
    classes: 0,
    is_stylegan3: false,
    has_input: false,
    has_second: true,
    bends: Bending { by_engine: true, layers: 0, reached: [false; BENDS] },
};

/// A server, and a show without pictures.
struct Stage {
    server: QueryServer,
    panel: Panel,
    events: Events,
    counts: Arc<Counts>,
    params: Params,
    mapping: Mapping,
    styles: Vec<String>,
    waiting: Vec<control::Write>,
    notices: Notices,
    look_ups: Arc<AtomicUsize>,
}

impl Stage {
    fn new() -> Self {
        Stage::with(Timeouts::default())
    }

    fn with(timeouts: Timeouts) -> Self {
        let (sender, events) = queue();
        let counts = Arc::new(Counts::default());
        let osc = Some(OscHost::new((Ipv4Addr::LOCALHOST, 9000).into()));
        let listen = Listen::Loopback { port: 0 };
        let look_ups = Arc::<AtomicUsize>::default();
        let names = {
            let look_ups = look_ups.clone();
            Arc::new(move || {
                look_ups.fetch_add(1, Ordering::Relaxed);
                Names {
                    presets: vec!["1-ink".to_owned(), "dusk".to_owned()],
                    numbers: vec![Some(1), None],
                    networks: vec!["a".to_owned()],
                    ..Names::default()
                }
            })
        };
        let options = Options {
            listen,
            osc,
            announce: false,
            timeouts,
            thumbs: None,
            explorer: None,
            names,
            events: sender,
            counts: counts.clone(),
        };
        let server = QueryServer::start(options).expect("a free port");
        let panel = server.panel();
        let (params, mapping) = (Params::default(), Mapping::default());
        let (styles, waiting, notices) = (Vec::new(), Vec::new(), Notices::default());
        let mut stage = Stage { server, panel, events, counts, params, mapping, styles, waiting, notices, look_ups };
        stage.step();
        stage
    }

    /// One frame.
    fn step(&mut self) {
        for event in self.events.try_iter() {
            if let Event::Write(write) = event {
                self.params.write(write.target, &write.value).expect("a sensible write");
            }
        }
        let feeds = Feeds { beat: 1.0, fps: 30.0, ..Feeds::default() };
        let scene = Scene {
            styles: &self.styles,
            tempo_from: "taps",
            waiting: &self.waiting,
            notices: &self.notices,
            faults: &[],
        };
        let (params, mapping) = (&self.params, &self.mapping);
        let snapshot = Snapshot { params, feeds, mapping, preset: None, dims: DIMS, scene };
        self.panel.step(&snapshot, 0.02);
    }

    /// Runs frames until `done`.
    fn until(&mut self, what: &str, mut done: impl FnMut(&mut Stage) -> bool) {
        let end = Instant::now() + PATIENCE;
        while !done(self) {
            assert!(Instant::now() < end, "{what} did not happen");
            self.step();
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits until everything that a socket has sent so far has been handled.
    fn settle(&mut self, socket: &mut WebSocket<TcpStream>) {
        socket.send(packet("/get", vec![OscType::String("/beat".to_owned())])).expect("sent");
        let answer = Some(("/beat".to_owned(), vec![OscType::Int(1)]));
        self.until("an answer", |_| heard(socket) == answer);
    }

    /// The answer with its headers.
    fn whole_answer(&self, head: &str) -> String {
        let mut stream = TcpStream::connect(self.server.local_addr()).expect("a connection");
        write!(stream, "{head}\r\nConnection: close\r\n\r\n").expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        answer
    }

    fn ask(&self, head: &str) -> (u16, String) {
        let answer = self.whole_answer(head);
        let (headers, body) = answer.split_once("\r\n\r\n").expect("a whole answer");
        (headers[9..12].parse().expect("a status"), body.to_owned())
    }

    fn get(&self, path: &str) -> (u16, Json) {
        let (status, body) = self.ask(&format!("GET {path} HTTP/1.1\r\nHost: localhost:1"));
        (status, serde_json::from_str(&body).unwrap_or(Json::Null))
    }

    fn socket(&self) -> WebSocket<TcpStream> {
        connect(self.server.local_addr()).expect("a WebSocket")
    }
}

fn connect(address: SocketAddr) -> Result<WebSocket<TcpStream>, String> {
    let stream = TcpStream::connect(address).map_err(|e| e.to_string())?;
    stream.set_read_timeout(Some(Duration::from_millis(20))).map_err(|e| e.to_string())?;
    let end = Instant::now() + PATIENCE;
    let mut answer = tungstenite::client(format!("ws://{address}/"), stream);
    loop {
        answer = match answer {
            Ok((socket, _)) => return Ok(socket),
            Err(tungstenite::HandshakeError::Interrupted(waiting)) if Instant::now() < end => waiting.handshake(),
            Err(error) => return Err(error.to_string()),
        };
    }
}

fn packet(address: &str, args: Vec<OscType>) -> Message {
    let message = OscPacket::Message(OscMessage { addr: address.to_owned(), args });
    Message::binary(rosc::encoder::encode(&message).expect("OSC"))
}

fn command(command: &str, address: &str) -> Message {
    Message::text(json!({ "COMMAND": command, "DATA": address }).to_string())
}

/// The next binary message as an address and its arguments; `None` if none arrives.
fn heard(socket: &mut WebSocket<TcpStream>) -> Option<(String, Vec<OscType>)> {
    let Ok(Message::Binary(bytes)) = socket.read() else { return None };
    match rosc::decoder::decode_udp(&bytes) {
        Ok((_, OscPacket::Message(message))) => Some((message.addr, message.args)),
        other => panic!("{other:?}"),
    }
}

#[test]
fn http_answers_as_the_proposal_says() {
    let stage = Stage::new();
    let (status, host) = stage.get("/any/path?HOST_INFO");
    assert_eq!((status, &host["NAME"], &host["OSC_PORT"]), (200, &json!("Latent Jockey"), &json!(9000)));
    assert_eq!((&host["OSC_TRANSPORT"], &host["WS_PORT"]), (&json!("UDP"), &json!(stage.server.local_addr().port())));
    let (_, tree) = stage.get("/");
    assert_eq!(tree["CONTENTS"]["walk"]["CONTENTS"]["speed"]["TYPE"], json!("f"));
    assert_eq!(tree["CONTENTS"]["z"]["CONTENTS"].as_object().unwrap().len(), 8);
    for (path, status, expected) in [
        ("/psi?VALUE", 200, json!({ "VALUE": [0.7] })),
        ("/psi?TYPE", 200, json!({ "TYPE": "f" })),
        ("/psi?RANGE", 200, json!({ "RANGE": [{ "MIN": -1.0, "MAX": 2.0 }] })),
        ("/psi?ACCESS", 200, json!({ "ACCESS": 3 })),
        ("/latent-jockey/psi?VALUE", 200, json!({ "VALUE": [0.7] })),
        ("/walk?VALUE", 200, json!({})),
        ("/psi?UNIT", 200, json!({})),
        ("/tap?VALUE", 204, Json::Null),
        ("/psi?NONSENSE", 400, Json::Null),
        ("/nothing", 404, Json::Null),
        ("/nothing?VALUE", 404, Json::Null),
        ("/../Cargo.toml", 404, Json::Null),
        ("/%", 400, Json::Null),
    ] {
        assert_eq!(stage.get(path), (status, expected), "{path}");
    }
    let localhost = "Host: localhost:9000";
    for (head, status) in [
        (format!("POST /psi HTTP/1.1\r\n{localhost}"), 405),
        ("GET /psi HTTP/1.1\r\nHost: evil.example".to_owned(), 403),
        (format!("GET /psi HTTP/1.1\r\n{localhost}\r\nOrigin: http://evil.example"), 403),
        (format!("GET / HTTP/1.1\r\n{localhost}\r\nUpgrade: websocket"), 400),
        (format!("GET / HTTP/1.1\r\n{localhost}\r\nOrigin: http://evil.example\r\nUpgrade: websocket"), 403),
    ] {
        assert_eq!(stage.ask(&head).0, status, "{head}");
    }
    let (_, page) = stage.ask(&format!("GET / HTTP/1.1\r\n{localhost}\r\nAccept: text/html"));
    assert!(page.starts_with("<!doctype html>"));
    assert!(!page.contains("src=\"http") && !page.contains("import "), "the page is whole");
}

/// A browser asks each time whether the page is still the same, and gets it once.
#[test]
fn the_files_of_the_page_are_kept_by_browsers() {
    let stage = Stage::new();
    for path in ["/page.css", "/play.js", "/?HTML"] {
        let head = format!("GET {path} HTTP/1.1\r\nHost: localhost:9000");
        let whole = stage.whole_answer(&head);
        let tag = whole.lines().find_map(|line| line.strip_prefix("etag: ")).expect("a tag").to_owned();
        assert!(whole.contains("cache-control: no-cache") && whole.starts_with("HTTP/1.1 200"), "{path}");
        let again = stage.whole_answer(&format!("{head}\r\nIf-None-Match: {tag}"));
        assert!(again.starts_with("HTTP/1.1 304") && again.ends_with("\r\n\r\n"), "{path}: {again}");
        let other = stage.ask(&format!("{head}\r\nIf-None-Match: \"another\""));
        assert_eq!((other.0, other.1.len()), (200, whole.split_once("\r\n\r\n").expect("a body").1.len()), "{path}");
    }
    assert_eq!(stage.ask("GET /play.js HTTP/1.1\r\nHost: evil.example").0, 403);
}

#[test]
fn the_page_is_told_what_plays_in_words() {
    let mut stage = Stage::new();
    stage.notices.push(1.5, "ready");
    stage.styles = vec!["starry".to_owned(), "wave".to_owned()];
    stage.step();
    let (_, playing) = stage.get("/?PLAYING");
    assert_eq!((&playing["STYLES"], &playing["TEMPO_FROM"]), (&json!(["starry", "wave"]), &json!("taps")));
    assert_eq!((&playing["NOTICES"], &playing["WAITING"]), (&json!([[1, 1.5, "ready"]]), &json!([])));

    let (mut page, mut other) = (stage.socket(), stage.socket());
    let told = |client: &mut WebSocket<TcpStream>| -> Option<Json> {
        let text = client.read().ok().filter(Message::is_text)?.to_string();
        let message: Json = serde_json::from_str(&text).expect("JSON");
        assert_eq!(message["COMMAND"], json!("PLAYING"), "{message}");
        Some(message["DATA"].clone())
    };
    page.send(command("LISTEN", "/?PLAYING")).unwrap();
    stage.until("what plays", |_| told(&mut page).is_some_and(|data| data == playing));
    // Later only what is new.
    stage.notices.push(2.0, "recording");
    let value = Value::Text("ink".to_owned());
    stage.waiting = vec![control::Write { target: Id::Preset.into(), value, source: Source::Web }];
    let mut news = None;
    stage.until("the news", |_| {
        news = told(&mut page).or(news.take());
        news.is_some()
    });
    let news = news.expect("news");
    assert_eq!((&news["NOTICES"], &news["WAITING"]), (&json!([[2, 2.0, "recording"]]), &json!([["/preset", "ink"]])));
    page.send(command("IGNORE", "/?PLAYING")).unwrap();
    // What a socket sends is read in order: once this is answered, that is done.
    page.send(command("LISTEN", "/psi")).unwrap();
    stage.until("the value as it is", |_| heard(&mut page).is_some_and(|(address, _)| address == "/psi"));
    stage.notices.push(3.0, "unheard");
    for _ in 0..10 {
        stage.step();
        assert_eq!((told(&mut page), told(&mut other)), (None, None), "only those who listen are told");
    }
}

#[test]
fn names_are_looked_up_rarely() {
    let stage = Stage::new();
    for _ in 0..5 {
        let (status, names) = stage.get("/?NAMES");
        let presets =
            json!({ "PRESETS": ["1-ink", "dusk"], "NUMBERS": [1, null], "NETWORKS": ["a"], "STYLE_NETWORKS": [] });
        assert_eq!((status, names), (200, presets));
    }
    // An answer is used again for two seconds; a slow machine may take longer for all five.
    assert!((1..5).contains(&stage.look_ups.load(Ordering::Relaxed)));
}

#[test]
fn a_socket_writes_and_listens() {
    let mut stage = Stage::new();
    let (mut writer, mut listener, mut subscriber) = (stage.socket(), stage.socket(), stage.socket());
    listener.send(command("LISTEN", "/psi")).unwrap();
    listener.send(command("LISTEN", "/nothing")).unwrap();
    listener.send(Message::text("nonsense")).unwrap();
    let mut last = None;
    stage.until("the value as it is", |_| heard(&mut listener) == Some(("/psi".to_owned(), vec![OscType::Float(0.7)])));
    subscriber.send(packet("/subscribe", vec![OscType::String("/latent-jockey/walk".to_owned())])).unwrap();
    stage.settle(&mut subscriber);

    writer.send(packet("/psi", vec![OscType::Double(0.25)])).unwrap();
    writer.send(packet("/walk/kind", vec![OscType::Int(2)])).unwrap();
    stage.until("the write", |stage| stage.params.base(Id::Psi) == 0.25);
    stage.until("the news", |_| {
        last = heard(&mut listener).or(last.take());
        last == Some(("/psi".to_owned(), vec![OscType::Float(0.25)]))
    });
    let kind = Some(("/walk/kind".to_owned(), vec![OscType::String("loop".to_owned())]));
    stage.until("the subscriber's news", |_| heard(&mut subscriber) == kind);

    listener.send(command("IGNORE", "/psi")).unwrap();
    stage.settle(&mut listener);
    stage.params.write(Id::Psi.into(), &Value::Float(0.5)).unwrap();
    for _ in 0..20 {
        stage.step();
        assert_eq!(heard(&mut listener), None, "who ignores hears nothing");
    }
    writer.send(packet("/get", vec![OscType::String("/beat".to_owned())])).unwrap();
    stage.until("the answer", |_| heard(&mut writer) == Some(("/beat".to_owned(), vec![OscType::Int(1)])));
}

#[test]
fn what_plays_is_told_to_those_who_look() {
    let mut stage = Stage::new();
    let (mut looker, mut other) = (stage.socket(), stage.socket());
    assert_eq!(stage.get("/?HOST_INFO").1["EXTENSIONS"]["EFFECTIVE"], json!(true));
    assert_eq!(stage.get("/psi?EFFECTIVE"), (200, json!({ "EFFECTIVE": [0.7] })), "nothing moves it");
    assert_eq!(stage.get("/psi").1.get("EFFECTIVE"), None);
    assert_eq!(stage.get("/tap?EFFECTIVE").0, 204);

    stage.params.modulate(&[(Id::Psi.into(), 0.1), (Id::PsiCutoff.into(), -0.5)]);
    (0..3).for_each(|_| stage.step());
    assert_eq!(stage.get("/psi?EFFECTIVE"), (200, json!({ "EFFECTIVE": [1.0] })));
    assert_eq!(stage.get("/psi?VALUE"), (200, json!({ "VALUE": [0.7] })));
    assert_eq!(stage.get("/psi").1["EFFECTIVE"], json!([1.0]), "the page sees what moves");
    assert_eq!(stage.get("/psi/cutoff?EFFECTIVE"), (200, json!({ "EFFECTIVE": [32] })));

    other.send(command("LISTEN", "/psi")).unwrap();
    stage.until("the value", |_| heard(&mut other) == Some(("/psi".to_owned(), vec![OscType::Float(0.7)])));
    looker.send(command("LISTEN", "/psi?EFFECTIVE")).unwrap();
    let plays = |x: f32| Some(("/effective/psi".to_owned(), vec![OscType::Float(x)]));
    stage.until("what plays", |_| heard(&mut looker) == plays(1.0));
    stage.params.modulate(&[(Id::Psi.into(), 0.2), (Id::PsiCutoff.into(), -0.5)]);
    stage.until("what plays now", |_| heard(&mut looker) == plays(1.3));
    let (end, mut moves, mut told) = (Instant::now() + PATIENCE, 0, 0);
    while (moves < 25 || told == 0) && Instant::now() < end {
        moves += 1;
        stage.params.modulate(&[(Id::Psi.into(), f64::from(moves % 100) / 1000.0), (Id::PsiCutoff.into(), -0.5)]);
        stage.step();
        told += i32::from(heard(&mut looker).is_some_and(|(address, _)| address == "/effective/psi"));
    }
    assert!(told > 0 && told <= moves, "{told} of {moves}");
    assert_eq!(heard(&mut other), None, "who listens to the value hears nothing of what moves it");

    looker.send(command("IGNORE", "/psi?EFFECTIVE")).unwrap();
    stage.settle(&mut looker);
    stage.params.modulate(&[(Id::Psi.into(), 0.05), (Id::PsiCutoff.into(), -0.5)]);
    for _ in 0..10 {
        stage.step();
        assert_eq!(heard(&mut looker), None, "who looks away hears nothing");
    }
    looker.send(packet("/get/effective", vec![OscType::String("/psi".to_owned())])).unwrap();
    stage.until("the answer", |_| heard(&mut looker) == plays(0.85));

    let mut told = Vec::new();
    stage.params.modulate(&[]);
    stage.until("the change of the tree", |_| {
        told.extend(looker.read().ok().filter(Message::is_text).map(|m| m.to_string()));
        told.iter().any(|line| line.contains("PATH_CHANGED"))
    });
    assert_eq!(stage.get("/psi").1.get("EFFECTIVE"), None);
}

#[test]
fn clients_hear_of_a_new_preset() {
    let mut stage = Stage::new();
    let mut client = stage.socket();
    stage.mapping = Mapping::new(&[], &[OscEntry::plain("/1/fader3".to_owned(), Id::Psi.into())]);
    let mut told = Vec::new();
    stage.until("the new path", |_| {
        told.extend(client.read().ok().filter(Message::is_text).map(|m| m.to_string()));
        told.iter().any(|line| line.contains("PATH_ADDED") && line.contains("/1/fader3"))
    });
    assert_eq!(stage.get("/1/fader3?VALUE"), (200, json!({ "VALUE": [0.7] })));
    client.send(command("LISTEN", "/1/fader3")).unwrap();
    stage.until("the alias", |_| heard(&mut client) == Some(("/1/fader3".to_owned(), vec![OscType::Float(0.7)])));
    stage.mapping = Mapping::default();
    stage.until("the path that is gone", |_| {
        told.extend(client.read().ok().filter(Message::is_text).map(|m| m.to_string()));
        told.iter().any(|line| line.contains("PATH_REMOVED") && line.contains("/1/fader3"))
    });
    assert_eq!(stage.get("/1/fader3").0, 404);
}

#[test]
fn clients_are_kept_to_their_limits() {
    let mut stage = Stage::new();
    let mut sockets: Vec<_> = (0..16).map(|_| stage.socket()).collect();
    let error = connect(stage.server.local_addr()).expect_err("too many");
    assert!(error.contains("503"), "{error}");
    sockets.truncate(2);
    stage.until("room", |stage| connect(stage.server.local_addr()).is_ok());

    // A message longer than any datagram closes its own socket, and no other.
    let _ = sockets[0].send(Message::binary(vec![0; 200_000]));
    stage.until("the end", |_| {
        matches!(sockets[0].read(), Err(tungstenite::Error::Io(e)) if e.kind() != std::io::ErrorKind::WouldBlock)
            || !sockets[0].can_read()
    });

    // A flood is throttled to the rate limit.
    for _ in 0..20_000 {
        sockets[1].send(packet("/psi", vec![OscType::Float(0.3)])).unwrap();
    }
    stage.until("the flood's end", |stage| {
        Counts::read(&stage.counts.received) + Counts::read(&stage.counts.dropped) >= 20_000
    });
    assert!(Counts::read(&stage.counts.dropped) > 8_000, "{:?}", stage.counts);
}

#[test]
fn a_taken_port_is_reported_in_one_line() {
    let stage = Stage::new();
    let (events, _) = queue();
    let address = stage.server.local_addr();
    let (timeouts, counts) = (Timeouts::default(), Arc::default());
    let again = QueryServer::start(Options {
        listen: Listen::At(address),
        osc: None,
        announce: false,
        timeouts,
        thumbs: None,
        explorer: None,
        names: Arc::new(Names::default),
        events,
        counts,
    });
    assert!(matches!(&again, Err(QueryError::Taken { address: taken }) if *taken == address));
    let line = again.err().expect("taken").to_string();
    assert!(line.contains(&address.port().to_string()) && !line.contains('\n'), "{line}");
}

#[test]
fn half_a_request_times_out() {
    let (short, long) = (Duration::from_millis(200), Duration::from_secs(60));
    for (request, silence) in [(short, long), (long, short)] {
        let stage = Stage::with(Timeouts { request, silence, ping: long });
        let mut stream = TcpStream::connect(stage.server.local_addr()).expect("a connection");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time limit");
        write!(stream, "GET /psi HTTP/1.1\r\nHost: loc").expect("sent");
        let end = stream.read_to_end(&mut Vec::new());
        let is_late =
            |e: &std::io::Error| matches!(e.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut);
        assert!(!end.as_ref().is_err_and(is_late), "{end:?}, {request:?}, {silence:?}");
        assert_eq!(stage.get("/psi?TYPE").0, 200);
    }
}

#[test]
fn vanished_sockets_make_room() {
    let timeouts = Timeouts { ping: Duration::from_secs(2), ..Timeouts::default() };
    let mut stage = Stage::with(timeouts);
    // Only a client that reads answers pings; the fifteen others do not.
    let mut reader = stage.socket();
    let connect_and_read = |_| {
        let _ = reader.read();
        stage.socket()
    };
    let _vanished: Vec<_> = (0..15).map(connect_and_read).collect();
    let mut others = Vec::new();
    stage.until("room", |stage| {
        let _ = reader.read();
        others.extend(connect(stage.server.local_addr()));
        others.len() > 1
    });
    reader.send(packet("/get", vec![OscType::String("/psi".to_owned())])).expect("it is still there");
    stage.until("the answer", |_| heard(&mut reader).is_some_and(|(address, _)| address == "/psi"));
}

#[test]
fn dumps_are_rate_limited_per_client() {
    let mut stage = Stage::new();
    let (mut greedy, mut modest) = (stage.socket(), stage.socket());
    for _ in 0..100 {
        greedy.send(packet("/dump", vec![OscType::String("/psi".to_owned())])).expect("sent");
    }
    stage.until("the dumps' end", |stage| Counts::read(&stage.counts.received) >= 100);
    assert!(Counts::read(&stage.counts.dropped) > 50, "{:?}", stage.counts);
    modest.send(packet("/dump", vec![OscType::String("/psi".to_owned())])).expect("sent");
    stage.until("the answer", |_| heard(&mut modest).is_some_and(|(address, _)| address == "/psi"));
}

/// Programs understand `localhost` as either loopback.
#[test]
fn both_loopbacks_are_served() {
    let mut stage = Stage::new();
    let addresses = stage.server.addresses().to_vec();
    if std::net::UdpSocket::bind((std::net::Ipv6Addr::LOCALHOST, 0)).is_err() {
        assert_eq!(addresses.len(), 1, "a machine without IPv6");
        return;
    }
    assert_eq!(addresses.len(), 2, "{addresses:?}");
    let mut stream = TcpStream::connect(addresses[1]).expect("a connection to ::1");
    let host = format!("Host: [::1]:{}", addresses[1].port());
    write!(stream, "GET /psi?VALUE HTTP/1.1\r\n{host}\r\nConnection: close\r\n\r\n").expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("0.7"), "{answer}");
    let mut socket = connect(addresses[1]).expect("a WebSocket over ::1");
    socket.send(packet("/psi", vec![OscType::Float(0.25)])).expect("sent");
    stage.until("the write", |stage| (stage.params.base(Id::Psi) - 0.25).abs() < 1e-9);
}

/// OSC over TCP, in each of its framings, gets a line and not an error of HTTP's.
#[test]
fn osc_over_tcp_is_sent_to_udp() {
    let stage = Stage::new();
    for (i, bytes) in
        [&b"\0\0\0\x10/psi\0\0\0\0,f\0\0\x3f\0\0\0"[..], b"\xc0/psi\0\0\0\0", b"/psi\0\0\0\0"].into_iter().enumerate()
    {
        let mut stream = TcpStream::connect(stage.server.local_addr()).expect("a connection");
        stream.write_all(bytes).expect("sent");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        let mut answer = Vec::new();
        // Closed at once, perhaps by a reset, as we have not read what it sent.
        let _ = stream.read_to_end(&mut answer);
        assert!(answer.is_empty(), "{answer:?}");
        assert_eq!(Counts::read(&stage.counts.refused), i as u64 + 1);
    }
    let notices: Vec<Event> = stage.events.try_iter().collect();
    let [Event::Notice(line)] = &notices[..] else { panic!("one line: {notices:?}") };
    let port = stage.server.local_addr().port();
    let expected = format!("on port {port}, which is for browsers and OSCQuery: send it to UDP port 9000");
    assert!(line.starts_with("OSC over TCP from 127.0.0.1:") && line.ends_with(&expected), "{line}");
}

#[test]
fn code_from_the_command_line_says_which_instrument_it_has_reached() {
    let mut stage = Stage::new();
    stage.params.set_text(Id::Preset, "3-tides");
    stage.step();
    let at = stage.server.local_addr();
    let asked = std::thread::spawn(move || evaluate(at, "--@ live:1\nprint(psi())".to_owned()));
    stage.until("the code", |stage| stage.params.text(Id::Eval).contains("print"));
    stage.params.set_text(Id::EvalResult, "1 ok\n0.7");
    stage.until("the answer", |_| asked.is_finished());
    let reply = asked.join().expect("no panic").expect("an answer");
    assert_eq!(reply.to_string(), format!("{at}, which plays 3-tides"));
    assert_eq!(reply.answer, "1 ok\n0.7");
}
