//! Are rows that are added at run time parameters like any other: for OSC, OSCQuery, presets and MIDI learn? And is a row
//! that has gone one clear line?

use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::common::rig::PATIENCE;
use latent_jockey::commands::params::{Format, table};
use latent_jockey::control::mapping::{Mapping, MidiEntry, MidiOptions, OscEntry};
use latent_jockey::control::osc::feeds::Feeds;
use latent_jockey::control::osc::{Feedback, OscServer};
use latent_jockey::control::query::{Dims, Names, Options, Panel, QueryServer, Timeouts};
use latent_jockey::control::scene::Scene;
use latent_jockey::control::{Counts, Event, Events, Listen, Snapshot, Write, midi, queue};
use latent_jockey::params::{Def, Id, Params, Scope, Target, Value};
use latent_jockey::patch::folders::Folders;
use latent_jockey::patch::library::Library;
use latent_jockey::patch::preset::{Preset, Reading};
use latent_jockey::patch::save::Saving;
use rosc::{OscMessage, OscPacket, OscType};
use serde_json::json;
use tokio_tungstenite::tungstenite::{self, Message, WebSocket};

const SIDES: Def = Def::int("/fx/kaleidoscope/sides", 2, 24, 6).help("number of mirrors");
const ANGLE: Def = Def::float("/fx/kaleidoscope/angle", 0.0, 1.0, 0.0).help("rotation of the mirrors");
const GAIN: Def = Def::float("/fx/kaleidoscope/gain/<n>", 0.0, 1.0, 0.5).family(3).help("brightness of one mirror");

/// The servers, and a show that has no pictures.
struct Rig {
    osc: OscServer,
    feedback: Feedback,
    query: QueryServer,
    panel: Panel,
    events: Events,
    params: Params,
    mapping: Mapping,
    refused: Vec<String>,
}

impl Rig {
    fn new() -> Rig {
        let (sender, events) = queue();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let osc = OscServer::bind(address, sender.clone(), Arc::default()).expect("a free port");
        let counts: Arc<Counts> = Arc::default();
        let names = Arc::new(Names::default);
        let (osc_host, announce, timeouts) = (None, false, Timeouts::default());
        let options = Options {
            listen: Listen::At(address),
            osc: osc_host,
            announce,
            timeouts,
            thumbs: None,
            explorer: None,
            names,
            events: sender,
            counts,
        };
        let query = QueryServer::start(options).expect("a free port");
        let (feedback, panel) = (osc.feedback(), query.panel());
        let (params, mapping) = (Params::default(), Mapping::default());
        let mut rig = Rig { osc, feedback, query, panel, events, params, mapping, refused: Vec::new() };
        rig.step();
        rig
    }

    /// One frame.
    fn step(&mut self) {
        let mut writes: Vec<Write> = Vec::new();
        for event in self.events.try_iter() {
            match &event {
                Event::Write(write) => writes.push(write.clone()),
                event => self.mapping.apply(event, &self.params, &mut writes),
            }
        }
        for write in writes {
            if let Err(error) = self.params.write(write.target, &write.value) {
                self.refused.push(error.to_string());
            }
        }
        self.mapping.follow(self.params.table());
        let snapshot = Snapshot {
            params: &self.params,
            feeds: Feeds { beat: 1.0, fps: 30.0, ..Feeds::default() },
            mapping: &self.mapping,
            preset: None,
            scene: Scene::default(),
            dims: Dims { z: 8, w: 8, ..Dims::default() },
        };
        let _ = self.feedback.step(&snapshot, 0.01);
        self.panel.step(&snapshot, 0.02);
    }

    fn until(&mut self, what: &str, mut is_so: impl FnMut(&mut Rig) -> bool) {
        let end = Instant::now() + PATIENCE;
        while !is_so(self) {
            assert!(Instant::now() < end, "no {what}");
            self.step();
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    fn udp(&self) -> UdpSocket {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a socket");
        socket.connect(self.osc.local_addr()).expect("connected");
        socket.set_read_timeout(Some(Duration::from_millis(5))).expect("a time limit");
        socket
    }

    fn web(&self) -> WebSocket<TcpStream> {
        let address = self.query.local_addr();
        let stream = TcpStream::connect(address).expect("a connection");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time limit");
        let (socket, _) = tungstenite::client(format!("ws://{address}/"), stream).expect("a WebSocket");
        socket.get_ref().set_read_timeout(Some(Duration::from_millis(5))).expect("a time limit");
        socket
    }

    /// Sends until the answer holds all of `expected`.
    fn hears(&mut self, socket: &UdpSocket, expected: &[(&str, OscType)]) {
        let mut heard = Vec::new();
        self.until(&format!("{expected:?}"), |_| {
            heard.extend(messages(socket));
            expected.iter().all(|(address, value)| heard.iter().any(|(a, v)| a == address && v == value))
        });
    }
}

fn encoded(address: &str, args: Vec<OscType>) -> Vec<u8> {
    rosc::encoder::encode(&OscPacket::Message(OscMessage { addr: address.to_owned(), args })).expect("OSC")
}

/// What has arrived: addresses with their first argument.
fn messages(socket: &UdpSocket) -> Vec<(String, OscType)> {
    fn flat(packet: OscPacket, out: &mut Vec<(String, OscType)>) {
        match packet {
            OscPacket::Message(message) => out.extend(message.args.into_iter().next().map(|arg| (message.addr, arg))),
            OscPacket::Bundle(bundle) => bundle.content.into_iter().for_each(|packet| flat(packet, out)),
        }
    }
    let (mut buffer, mut out) = ([0; 65_536], Vec::new());
    while let Ok(len) = socket.recv(&mut buffer) {
        flat(rosc::decoder::decode_udp(&buffer[..len]).expect("OSC").1, &mut out);
    }
    out
}

#[test]
fn osc_clients_play_new_rows_and_hear_of_them() {
    let mut rig = Rig::new();
    let (asker, subscriber) = (rig.udp(), rig.udp());
    subscriber.send(&encoded("/subscribe", vec![])).expect("sent");
    rig.until("the subscription", |rig| rig.feedback.subscribers() == 1);
    rig.params.write(Id::Seed.into(), &Value::Int(7)).expect("a seed");
    rig.hears(&subscriber, &[("/seed", OscType::Int(7))]);

    let ids = rig.params.add(&[SIDES, ANGLE, GAIN]).expect("rows");
    rig.hears(
        &subscriber,
        &[("/fx/kaleidoscope/sides", OscType::Int(6)), ("/fx/kaleidoscope/angle", OscType::Float(0.0))],
    );
    asker.send(&encoded("/fx/kaleidoscope/sides", vec![OscType::Float(8.4)])).expect("sent");
    asker.send(&encoded("/fx/*/gain/[12]", vec![OscType::Float(0.25)])).expect("sent");
    rig.until("the writes", |rig| rig.params.base(Target { id: ids[2], index: 2 }) == 0.25);
    assert_eq!(rig.params.base(ids[0]), 8.0, "rounded");
    rig.hears(&subscriber, &[("/fx/kaleidoscope/sides", OscType::Int(8))]);
    asker.send(&encoded("/get", vec![OscType::String("/fx/kaleidoscope/gain/1".to_owned())])).expect("sent");
    rig.hears(&asker, &[("/fx/kaleidoscope/gain/1", OscType::Float(0.25))]);
    asker.send(&encoded("/dump", vec![OscType::String("/fx".to_owned())])).expect("sent");
    rig.hears(
        &asker,
        &[
            ("/fx/kaleidoscope/sides", OscType::Int(8)),
            ("/fx/kaleidoscope/angle", OscType::Float(0.0)),
            ("/fx/kaleidoscope/gain/0", OscType::Float(0.5)),
            ("/fx/kaleidoscope/gain/2", OscType::Float(0.25)),
        ],
    );
    for socket in [&asker, &subscriber] {
        messages(socket);
    }

    rig.params.remove(&ids);
    rig.step();
    assert!(messages(&subscriber).is_empty(), "what stays is known");
    let error = rig.params.write(ids[0].into(), &Value::Int(3)).expect_err("it is gone");
    assert_eq!(error.to_string(), "/fx/kaleidoscope/sides no longer exists");
    asker.send(&encoded("/fx/kaleidoscope/sides", vec![OscType::Int(3)])).expect("sent");
    asker.send(&encoded("/psi", vec![OscType::Float(1.5)])).expect("sent");
    rig.until("what came after it", |rig| rig.params.base(Id::Psi) == 1.5);

    assert_eq!(rig.params.add(&[ANGLE, SIDES]).expect("rows"), [ids[1], ids[0]]);
    assert_eq!(rig.params.base(ids[0]), 8.0, "it holds what it held");
    rig.hears(&subscriber, &[("/fx/kaleidoscope/sides", OscType::Int(8)), ("/psi", OscType::Float(1.5))]);
}

#[test]
fn oscquery_clients_are_told_of_paths_that_come_and_go() {
    let mut rig = Rig::new();
    let mut client = rig.web();
    let waits = |rig: &mut Rig, client: &mut WebSocket<TcpStream>, command: &str, address: &str| {
        let line = json!({ "COMMAND": command, "DATA": address });
        let is_that = |text: &str| serde_json::from_str::<serde_json::Value>(text).is_ok_and(|told| told == line);
        rig.until(&line.to_string(), |_| matches!(client.read(), Ok(Message::Text(text)) if is_that(&text)));
    };
    let hears_sides = |rig: &mut Rig, client: &mut WebSocket<TcpStream>, sides: i32| {
        let expected = encoded("/fx/kaleidoscope/sides", vec![OscType::Int(sides)]);
        rig.until("the value", |_| matches!(client.read(), Ok(Message::Binary(bytes)) if *bytes == *expected));
    };
    let ids = rig.params.add(&[SIDES, GAIN]).expect("rows");
    waits(&mut rig, &mut client, "PATH_ADDED", "/fx/kaleidoscope/sides");
    assert_eq!(get(&rig, "/fx/kaleidoscope/sides?VALUE"), json!({ "VALUE": [6] }));
    assert_eq!(get(&rig, "/fx/kaleidoscope/gain")["CONTENTS"].as_object().map(|members| members.len()), Some(3));
    assert_eq!(get(&rig, "/fx/kaleidoscope/sides")["DESCRIPTION"], json!("number of mirrors"));
    client.send(Message::text(json!({ "COMMAND": "LISTEN", "DATA": "/fx/kaleidoscope/sides" }).to_string())).unwrap();
    client.send(Message::binary(encoded("/fx/kaleidoscope/sides", vec![OscType::Int(9)]))).unwrap();
    hears_sides(&mut rig, &mut client, 9);

    // An edited row: the path stays, and so does the value.
    let edited = rig.params.replace(&ids, &[Def::int("/fx/kaleidoscope/sides", 2, 48, 6)]).expect("a row");
    waits(&mut rig, &mut client, "PATH_CHANGED", "/fx/kaleidoscope/sides");
    hears_sides(&mut rig, &mut client, 9);
    rig.params.write(edited[0].into(), &Value::Int(40)).expect("in the new range");
    hears_sides(&mut rig, &mut client, 40);
    assert_eq!(get(&rig, "/fx/kaleidoscope/sides?VALUE"), json!({ "VALUE": [40] }));

    rig.params.remove(&edited);
    waits(&mut rig, &mut client, "PATH_REMOVED", "/fx/kaleidoscope/sides");
    assert_eq!(get(&rig, "/fx/kaleidoscope"), serde_json::Value::Null, "nothing lies below it any more");
    assert_eq!(get(&rig, "/psi?VALUE"), json!({ "VALUE": [0.7] }), "the others are as they were");
}

/// What HTTP answers, as JSON; null for what is not there.
fn get(rig: &Rig, path: &str) -> serde_json::Value {
    use std::io::{Read, Write};
    let mut stream = TcpStream::connect(rig.query.local_addr()).expect("a connection");
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost:1\r\nConnection: close\r\n\r\n").expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer.split_once("\r\n\r\n").and_then(|(_, body)| serde_json::from_str(body).ok()).unwrap_or_default()
}

#[test]
fn presets_name_and_save_new_rows() {
    let mut params = Params::default();
    let ids = params.add(&[SIDES, GAIN, ANGLE]).expect("rows");
    let text =
        "[params]\n\"/fx/kaleidoscope/sides\" = 12 # a dozen\n\n[midi]\n\"cc 21\" = \"/fx/kaleidoscope/gain/1\"\n";
    let path = std::path::Path::new("p.toml");
    let error = Preset::parse(text, path).expect_err("the rows are not built in").to_string();
    assert!(error.contains("\"/fx/kaleidoscope/sides\" is not a parameter"), "{error}");
    let preset = Preset::parse_with(text, path, &Reading::new(params.table(), &Folders::default())).expect("a preset");
    assert_eq!(preset.params, [(ids[0].into(), Value::Int(12))]);
    assert_eq!(preset.midi[0].to.to_string(), "/fx/kaleidoscope/gain/1");
    let error = Preset::parse_with(&text.replace("12", "99"), path, &Reading::new(params.table(), &Folders::default()))
        .expect_err("too many")
        .to_string();
    assert!(error.contains("/fx/kaleidoscope/sides takes a whole number from 2 to 24; got 99"), "{error}");

    let folder = std::env::temp_dir().join(format!("latent-jockey-rows-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let file = folder.join("a.toml");
    std::fs::write(&file, text).expect("a preset");
    let library = Library::scan(&folder).expect("a library");
    assert!(library.first().is_err());
    library.tables().publish(params.table());
    assert_eq!(library.first().expect("a preset").params.len(), 1);
    params.write(ids[0].into(), &Value::Int(5)).expect("sides");
    params.write(Target { id: ids[1], index: 2 }, &Value::Float(0.75)).expect("a gain");
    let saving = Saving {
        table: params.table(),
        folders: &Folders::default(),
        params: Some(&params),
        network: None,
        midi: None,
        effects: None,
        modulators: None,
    };
    saving.to(&file, None).expect("saved");
    let saved = std::fs::read_to_string(&file).expect("the preset");
    let start = "[params]\n\"/fx/kaleidoscope/sides\" = 5 # a dozen\n\"/fx/kaleidoscope/gain/2\" = 0.75\n";
    assert!(saved.starts_with(start), "{saved}");
    std::fs::remove_dir_all(folder).expect("tidy");
}

#[test]
fn controls_play_new_rows_also_after_they_were_edited() {
    let mut params = Params::default();
    let ids = params.add(&[ANGLE, SIDES]).expect("rows");
    let options = |to: &str| MidiOptions { to: to.to_owned(), ..MidiOptions::default() };
    let entry = MidiEntry::new("bend", &options("/fx/kaleidoscope/angle"), params.table()).expect("an entry");
    let alias = OscEntry::new("/1/fader", &options("/fx/kaleidoscope/sides"), params.table()).expect("an alias");
    let mut mapping = Mapping::new(&[entry], &[alias]);
    let mut play = |params: &mut Params, event: &Event| {
        let mut writes = Vec::new();
        mapping.apply(event, params, &mut writes);
        let write = writes.pop().expect("a write");
        params.write(write.target, &write.value).map(|_| write.target)
    };
    let message = midi::parse(&[0xe0, 127, 127], 0, 0).expect("a message");
    assert_eq!(play(&mut params, &Event::Midi(message)), Ok(ids[0].into()));
    assert_eq!(params.base(ids[0]), 1.0);
    let edited = params.replace(&ids[..1], &[Def::float("/fx/kaleidoscope/angle", 0.0, 8.0, 0.0)]).expect("a row");
    assert_eq!(play(&mut params, &Event::Midi(message)), Ok(edited[0].into()));
    assert_eq!(params.base(edited[0]), 8.0, "over the new range");
    params.remove(&edited);
    let error = play(&mut params, &Event::Midi(message)).expect_err("it is gone").to_string();
    assert_eq!(error, "/fx/kaleidoscope/angle no longer exists");

    // An OSC message that was read before the row was added finds it in the frame.
    let row = params.add(&[Def::int("/fx/late/sides", 0, 9, 1)]).expect("a row");
    let source = latent_jockey::control::Source::Osc;
    let late = Event::Unknown { address: "/fx/late/sides".to_owned(), value: Value::Int(4), source };
    assert_eq!(play(&mut params, &late), Ok(row[0].into()));
}

#[test]
fn tables_and_lists_show_new_rows() {
    let mut params = Params::default();
    params.add(&[SIDES, GAIN]).expect("rows");
    let text = table(Format::Text, params.table());
    assert!(text.lines().any(|line| line.starts_with("/fx/kaleidoscope/sides ") && line.contains("2 to 24")), "{text}");
    assert!(table(Format::Markdown, params.table()).contains("| `/fx/kaleidoscope/gain/<n>` | float |"));
    let rows: serde_json::Value = serde_json::from_str(&table(Format::Json, params.table())).expect("JSON");
    let last = rows.as_array().and_then(|rows| rows.last()).expect("rows");
    assert_eq!((&last["count"], &last["learnable"], &last["scope"]), (&json!(3), &json!(true), &json!("picture")));
    assert!(params.table().iter().any(|def| def.address == SIDES.address && def.learnable));
    assert!(params.table().ids().all(|id| id.is_built_in() || id.def().scope == Scope::Picture));
}
