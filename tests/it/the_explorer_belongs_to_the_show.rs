//! Does the page of a show have an explorer of the network that plays, beside the show, and does a click in it play?

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use latent_jockey::control::query::{Explorer, Names, Options as Query, QueryServer, Timeouts, Wish};
use latent_jockey::control::{Events, Listen, queue};
use latent_jockey::engine::cpu::Cpu;
use latent_jockey::engine::plan::Plan;
use latent_jockey::engine::surface::Surface;
use latent_jockey::engine::{Engine, EngineError, Inputs, Program};
use latent_jockey::explore::beside::{Beside, Options};
use latent_jockey::explore::favourites;
use latent_jockey::explore::studio::{Settings, Shown};
use latent_jockey::explore::worker::{Ask, Pace, Refused, Tools, Worker};
use latent_jockey::network;
use latent_jockey::params::{Id, Value};
use latent_jockey::record::take::Take;
use rosc::{OscMessage, OscPacket, OscType};
use serde_json::Value as Json;
use tokio_tungstenite::tungstenite::{self, Message};

use crate::common::rig::{Folder, PATIENCE, Rig, bang, number, text};
use crate::common::{fixture, keep_rough_pictures};

/// The explorer's engine: it says where it draws, and stops while its gate is shut.
#[derive(Default)]
struct Gate {
    prepared: AtomicUsize,
    drawn: AtomicUsize,
    threads: Mutex<Vec<String>>,
    /// Of what was drawn.
    heights: Mutex<Vec<usize>>,
    is_shut: Mutex<bool>,
    opened: Condvar,
    /// How long whole pictures take beside their drawing.
    takes: Mutex<Duration>,
}

impl Gate {
    fn shut(&self, is_shut: bool) {
        *self.is_shut.lock().expect("unharmed") = is_shut;
        self.opened.notify_all();
    }

    fn pass(&self) {
        self.drawn.fetch_add(1, Ordering::SeqCst);
        let name = std::thread::current().name().unwrap_or_default().to_owned();
        self.threads.lock().expect("unharmed").push(name);
        let is_shut = self.is_shut.lock().expect("unharmed");
        let _ = self.opened.wait_timeout_while(is_shut, PATIENCE, |is_shut| *is_shut).expect("unharmed");
    }

    fn drawn(&self) -> usize {
        self.drawn.load(Ordering::SeqCst)
    }
}

struct Gated(Arc<Gate>);

impl Engine for Gated {
    fn name(&self) -> &'static str {
        "cpu"
    }

    fn prepare(&self, plan: Arc<Plan>) -> Result<Box<dyn Program>, EngineError> {
        self.0.prepared.fetch_add(1, Ordering::SeqCst);
        let height = plan.picture().map_or(0, |picture| picture.height);
        Ok(Box::new(GatedProgram(Cpu::new(1).prepare(plan)?, height, self.0.clone())))
    }
}

struct GatedProgram(Box<dyn Program>, usize, Arc<Gate>);

impl Program for GatedProgram {
    fn run(&mut self, inputs: &Inputs, out: &mut Surface) -> Result<(), EngineError> {
        self.2.heights.lock().expect("unharmed").push(self.1);
        self.2.pass();
        if self.1 > 16 {
            let takes = *self.2.takes.lock().expect("unharmed");
            std::thread::sleep(takes);
        }
        self.0.run(inputs, out)
    }

    fn engine(&self) -> &'static str {
        "cpu"
    }
}

/// A show with its page; the test steps it.
struct Stage {
    rig: Rig,
    explorer: Arc<Beside>,
    server: QueryServer,
    events: Events,
    gate: Arc<Gate>,
    folder: Folder,
}

impl Stage {
    fn new() -> Stage {
        let still = "[params]\n\"/walk/kind\" = \"hold\"\n\"/walk/glide\" = 0\n\"/network/fade\" = 0\n";
        let mut rig = Rig::with(&[("a", still)]).live().start();
        let (folder, gate) = (Folder::new(), Arc::<Gate>::default());
        let (models, engine) = (rig.show.models(), gate.clone());
        let given = Options::new(move || models.get().network, 1, rig.show.library().folders().clone());
        let explorer = Arc::new(Beside::new(Options {
            engine: Arc::new(move || Arc::new(Gated(engine.clone()))),
            favourites: folder.join("favourites.toml"),
            cache: None,
            yields: false,
            ..given
        }));
        let (sender, events) = queue();
        let server = QueryServer::start(Query {
            listen: Listen::Loopback { port: 0 },
            osc: None,
            announce: false,
            timeouts: Timeouts::default(),
            thumbs: None,
            explorer: Some(explorer.clone()),
            names: Arc::new(Names::default),
            events: sender,
            counts: Arc::default(),
        });
        let server = server.expect("a free port");
        rig.show.step(0.01, &[]);
        Stage { rig, explorer, server, events, gate, folder }
    }

    /// Frames with what clients have sent, until `done`.
    #[track_caller]
    fn until(&mut self, mut done: impl FnMut(&Rig) -> bool) {
        let end = Instant::now() + PATIENCE;
        while !done(&self.rig) {
            assert!(Instant::now() < end, "waited in vain: {:?}", self.rig.status());
            let mut batch = Vec::new();
            self.events.take_waiting(&mut batch);
            self.rig.show.step(0.01, &batch);
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Asks on a thread of its own, as the show goes on meanwhile.
    fn asks(&self, method: &'static str, path: &str, headers: &'static str) -> JoinHandle<Answer> {
        let (address, path) = (self.server.local_addr(), path.to_owned());
        std::thread::spawn(move || {
            let mut stream = TcpStream::connect(address).expect("a connection");
            stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
            let host = if headers.contains("Host:") { String::new() } else { format!("Host: {address}\r\n") };
            write!(stream, "{method} {path} HTTP/1.1\r\n{host}{headers}Connection: close\r\n\r\n").expect("sent");
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).expect("an answer");
            let end = answer.windows(4).position(|four| four == b"\r\n\r\n").expect("the end of the headers");
            let head = String::from_utf8_lossy(&answer[..end]).to_lowercase();
            let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
            Answer { status, head, body: answer[end + 4..].to_vec() }
        })
    }

    fn ask(&self, method: &'static str, path: &str, headers: &'static str) -> Answer {
        self.asks(method, path, headers).join().expect("an answer")
    }

    fn json(&self, path: &str) -> Json {
        let Answer { status, body, .. } = self.ask("GET", path, "");
        assert_eq!(status, 200, "{path}: {}", String::from_utf8_lossy(&body));
        serde_json::from_slice(&body).expect("JSON")
    }

    /// The picture of a query.
    fn picture(&self, query: &str) -> image::RgbImage {
        let id = self.json("/explore/info")["id"].as_str().expect("an id").to_owned();
        let answer = self.ask("GET", &format!("/explore/picture/{id}?{query}"), "");
        assert!(answer.status == 200 && answer.head.contains("image/jpeg"), "{query}: {}", answer.head);
        image::load_from_memory(&answer.body).expect("a picture").into_rgb8()
    }
}

struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
}

#[test]
fn pictures_come_from_a_thread_beside_the_show_and_not_before_somebody_asks() {
    let mut stage = Stage::new();
    assert_eq!(stage.gate.prepared.load(Ordering::SeqCst), 0, "nobody has asked");
    let info = stage.json("/explore/info");
    assert_eq!(info["network"], "sg2_16_p2", "{info}");
    let id = info["id"].as_str().expect("an id").to_owned();
    assert_eq!(stage.gate.prepared.load(Ordering::SeqCst), 0, "no picture was asked for");
    stage.gate.shut(true);
    let asked = stage.asks("GET", &format!("/explore/picture/{id}?seed=3&psi=1&side=64"), "");
    let gate = stage.gate.clone();
    stage.until(|_| gate.drawn() == 1);
    // While it draws, the show goes on, and so does everybody else's page.
    let before = stage.rig.show.picture().map(|picture| picture.serial);
    stage.rig.show.step(0.01, &[number(Id::Psi, 0.2)]);
    stage.until(|rig| rig.show.picture().map(|picture| picture.serial) > before);
    assert_eq!(stage.json("/psi?TYPE")["TYPE"], "f");
    assert!(!asked.is_finished());
    stage.gate.shut(false);
    let answer = asked.join().expect("an answer");
    assert!(answer.status == 200 && answer.head.contains("immutable"), "{}", answer.head);
    assert_eq!(image::load_from_memory(&answer.body).expect("a picture").width(), 16);
    assert_eq!(*stage.gate.threads.lock().expect("unharmed"), ["explore"]);
    for (path, kind) in [("explore.js", "text/javascript"), ("explore.css", "text/css")] {
        let answer = stage.ask("GET", &format!("/explore/{path}"), "");
        assert!(answer.status == 200 && answer.head.contains(kind) && answer.body.len() > 500, "{path}");
    }
}

#[test]
fn a_click_plays_the_picture_and_a_take_has_it() {
    let mut stage = Stage::new();
    let file = stage.folder.join("click.take");
    stage.rig.show.start_take(Some(file.clone()));
    let picture = stage.picture("seed=4000000000&psi=0.9&side=64");
    // As the page sends it.
    let stream = TcpStream::connect(stage.server.local_addr()).expect("a connection");
    let (mut socket, _) = tungstenite::client(format!("ws://{}/", stage.server.local_addr()), stream).expect("open");
    for (address, arg) in [("/psi", OscType::Float(0.9)), ("/seed", OscType::Long(4_000_000_000))] {
        let message = OscPacket::Message(OscMessage { addr: address.to_owned(), args: vec![arg] });
        socket.send(Message::binary(rosc::encoder::encode(&message).expect("OSC"))).expect("sent");
    }
    stage.until(|rig| rig.base(Id::Seed) == 4_000_000_000.0);
    // Its psi glides there.
    let is_like = |rig: &Rig| {
        let Some(now) = rig.show.picture() else { return false };
        let pairs = now.rgba.as_chunks::<4>().0.iter().zip(picture.pixels());
        let far = pairs.map(|(a, b)| (0..3).map(|i| u32::from(a[i].abs_diff(b.0[i]))).sum::<u32>()).sum::<u32>();
        (now.width, now.height) == picture.dimensions() && far < 3 * 6 * picture.width() * picture.height()
    };
    stage.until(is_like);
    let Stage { mut rig, .. } = stage;
    rig.wait(&[bang(Id::TakeStop)], |show| !show.is_taking());
    drop(rig);
    let take = Take::read(&file).expect("a take");
    let mut show = latent_jockey::show::Show::of_take(
        &take,
        take.locate().expect("all files"),
        latent_jockey::patch::library::Library::default(),
        Arc::new(Cpu::default()),
        None,
    )
    .expect("a show");
    take.frames.iter().for_each(|frame| show.repeat(frame, false));
    assert_eq!(show.params().base(Id::Seed), 4_000_000_000.0);
}

#[test]
fn another_network_is_followed() {
    let mut stage = Stage::new();
    let first = stage.picture("seed=1&psi=1");
    let id = stage.json("/explore/info")["id"].as_str().expect("an id").to_owned();
    stage.rig.wait(&[text(Id::Network, fixture("sg2_32_cond.pkl"))], |show| show.network().name == "sg2_32_cond");
    stage.until(|_| true);
    let end = Instant::now() + PATIENCE;
    let info = loop {
        stage.rig.show.step(0.01, &[]);
        let info = stage.json("/explore/info");
        if info["network"] == "sg2_32_cond" {
            break info;
        }
        assert!(Instant::now() < end, "{info}");
        std::thread::sleep(Duration::from_millis(50));
    };
    assert!(info["classes"].as_array().is_some_and(|classes| classes.len() > 1), "{info}");
    assert_ne!(info["id"], id.as_str());
    assert_eq!((first.width(), stage.picture("seed=1&psi=1").width()), (16, 32));
    assert_eq!(stage.ask("GET", &format!("/explore/picture/{id}?seed=1&psi=1"), "").status, 404);
}

#[test]
fn stars_are_kept_from_this_machine_and_strangers_are_refused() {
    let stage = Stage::new();
    let file = stage.folder.join("favourites.toml");
    let star = |query: &str| stage.ask("POST", &format!("/explore/star?{query}"), "").status;
    assert_eq!(star("seeds=3,5&psi=1&on=true"), 200);
    assert_eq!(stage.json("/explore/stars").as_array().map(Vec::len), Some(2));
    let stars = favourites::read(&file).expect("favourites");
    // Its name leads to no network of the library.
    assert_eq!(stars[0].network, fixture("sg2_16_p2.pkl").display().to_string());
    for headers in ["Host: evil.example\r\n", "Origin: http://evil.example\r\n", "Sec-Fetch-Site: cross-site\r\n"] {
        for (method, path) in [("POST", "/explore/star?seeds=9&psi=1"), ("GET", "/explore/info")] {
            assert_eq!(stage.ask(method, path, headers).status, 403, "{method} {headers}");
        }
    }
    // From another machine, pictures may be seen and nothing written.
    let elsewhere = |is_post, path: &str, query: &str| {
        let wish = Wish { is_post, path: path.to_owned(), query: query.to_owned(), is_local: false };
        pollster::block_on(stage.explorer.answer(wish)).status().as_u16()
    };
    assert_eq!((elsewhere(false, "info", ""), elsewhere(true, "star", "seeds=9&psi=1")), (200, 403));
    for (method, path, expected) in [
        ("POST", "/explore/info", 405),
        ("GET", "/explore/star?seeds=9", 405),
        ("POST", "/psi", 405),
        ("POST", "/explore%2Fstar?seeds=9", 405),
        ("GET", "/explore/../favourites.toml", 404),
        ("GET", "/explore/picture/other?seed=1", 404),
        ("GET", "/explore/order?sort=beauty", 400),
    ] {
        assert_eq!(stage.ask(method, path, "").status, expected, "{method} {path}");
    }
    let seeds: Vec<u32> = favourites::read(&file).expect("favourites").iter().map(|star| star.seed).collect();
    assert_eq!(seeds, [3, 5]);
    // Likes are looked at on the same thread, too.
    let end = Instant::now() + PATIENCE;
    let order = loop {
        let answer = stage.json("/explore/order?sort=like&like=2&count=6&psi=1");
        if let Some(seeds) = answer["seeds"].as_array() {
            break seeds.clone();
        }
        assert!(Instant::now() < end, "{answer}");
        std::thread::sleep(Duration::from_millis(50));
    };
    assert_eq!((order.len(), order[0].as_u64()), (6, Some(2)), "{order:?}");
    assert!(stage.gate.threads.lock().expect("unharmed").iter().all(|name| name == "explore"));
}

/// A worker that draws a fixture behind the gate.
fn worker(file: &str, gate: &Arc<Gate>, cache: Option<PathBuf>) -> Worker {
    let engine = Gated(gate.clone());
    let tools = Tools {
        network: Arc::new(network::open(fixture(file)).expect("a network")),
        shown: Shown::Seeds,
        prepare: Box::new(move |plan| engine.prepare(plan).map_err(|error| error.to_string())),
        eyes: Box::new(|| Err("none".to_owned())),
        favourites: "none.toml".into(),
        named: Box::new(String::new),
        cache,
    };
    Worker::start(tools, Pace::Beside { threads: 1, yields: false }, None).expect("a thread")
}

/// Waits for what other threads do.
#[track_caller]
fn wait(mut done: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < end, "waited in vain");
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn ask(seed: u32) -> Ask {
    Ask { seed, settings: Settings { psi: 1.0, class: 0.0 }, along: None, around: None }
}

#[test]
fn what_nobody_waits_for_is_not_drawn() {
    let gate = Arc::<Gate>::default();
    let worker = worker("sg2_16_p2.pkl", &gate, None);
    let picture = |seed| worker.queue().picture(ask(seed), 64);
    gate.shut(true);
    let first = picture(0);
    wait(|| gate.drawn() > 0);
    // Scrolled past.
    (1..20).for_each(|seed| drop(picture(seed)));
    gate.shut(false);
    assert!(first.blocking_recv().expect("an answer").is_ok());
    assert!(picture(20).blocking_recv().expect("an answer").is_ok());
    assert_eq!(gate.drawn(), 2);
}

#[test]
fn rough_pictures_come_first_for_those_who_wait() {
    let (folder, gate) = (Folder::new(), Arc::<Gate>::default());
    keep_rough_pictures(&fixture("sg2_32_cond.pkl"), &folder, 0.9);
    let worker = worker("sg2_32_cond.pkl", &gate, Some(folder.to_path_buf()));
    let queue = worker.queue();
    let rough = |seeds: std::ops::Range<u32>| queue.rough(seeds.map(ask).collect());
    assert!(queue.picture(ask(0), 64).blocking_recv().expect("an answer").is_ok());
    assert_eq!(queue.has_rough(), Some(true));
    let before = gate.drawn();
    gate.shut(true);
    let wholes = [queue.picture(ask(100), 64), queue.picture(ask(101), 64)];
    wait(|| gate.drawn() > before);
    // Scrolled past.
    (0..5).for_each(|batch| drop(rough(10 * batch..10 * batch + 10)));
    let strip = rough(102..105);
    gate.shut(false);
    let strip = strip.blocking_recv().expect("an answer").expect("a strip");
    assert_eq!(image::load_from_memory(&strip).expect("a picture").into_rgb8().dimensions(), (16, 3 * 16));
    for whole in wholes {
        assert!(whole.blocking_recv().expect("an answer").is_ok());
    }
    assert_eq!(gate.heights.lock().expect("unharmed")[before..], [32, 16, 16, 16, 32]);
}

#[test]
fn whether_there_are_rough_pictures_is_found_out_while_nobody_waits() {
    let gate = Arc::<Gate>::default();
    let worker = worker("sg2_32_cond.pkl", &gate, None);
    let queue = worker.queue();
    let rough = queue.rough(vec![ask(0)]).blocking_recv().expect("an answer");
    assert!(rough.is_err() && queue.has_rough().is_none(), "that is not known yet");
    assert!(queue.picture(ask(0), 64).blocking_recv().expect("an answer").is_ok());
    wait(|| queue.has_rough().is_some());
    // Of the 32 whole ones, one had been drawn before.
    assert_eq!(gate.drawn(), 32 + 32);
}

#[test]
fn of_a_slow_network_it_is_found_out_from_the_first_pictures() {
    let gate = Arc::<Gate>::default();
    *gate.takes.lock().expect("unharmed") = Duration::from_millis(110);
    let worker = worker("sg2_32.safetensors", &gate, None);
    let queue = worker.queue();
    let pictures: Vec<_> = (0..36).map(|seed| queue.picture(ask(seed), 64)).collect();
    for picture in pictures {
        assert!(picture.blocking_recv().expect("an answer").is_ok());
    }
    assert!(queue.has_rough().is_some(), "pictures have waited all the time");
    let heights = gate.heights.lock().expect("unharmed");
    assert_eq!((heights.iter().filter(|height| **height == 32).count(), heights.len()), (36, 36 + 32));
}

#[test]
fn a_network_whose_rough_pictures_are_bad_has_none() {
    let (folder, gate) = (Folder::new(), Arc::<Gate>::default());
    keep_rough_pictures(&fixture("sg2_32_cond.pkl"), &folder, 0.3);
    let worker = worker("sg2_32_cond.pkl", &gate, Some(folder.to_path_buf()));
    let queue = worker.queue();
    let rough = queue.rough(vec![ask(0)]).blocking_recv().expect("an answer");
    assert_eq!(rough, Err(Refused::Failed("the network has no rough pictures".to_owned())));
    assert_eq!(queue.has_rough(), Some(false));
}

/// The parameters that the page's script writes are there, and are what it takes them for.
#[test]
fn the_page_writes_parameters_that_exist() {
    let script = include_str!("../../src/control/query/page/explorer.js");
    let table = latent_jockey::params::Table::built_in();
    let quoted = script.split('\'').filter(|word| word.starts_with('/') && !word.starts_with("/explore/"));
    let mut found = 0;
    for address in quoted {
        assert!(table.resolve(address).is_some(), "{address}");
        found += 1;
    }
    assert!(found > 10, "{found}");
    let mut params = latent_jockey::params::Params::default();
    for (id, word) in [(Id::WalkKind, "hold"), (Id::MixWalkKind, "hold"), (Id::MixZone, "range")] {
        params.write(id.into(), &Value::Text(word.to_owned())).expect(word);
    }
}
