//! Do two programs in one session of Ableton Link agree on tempo, bar, start and stop? The second one is Link itself. Both run
//! in a network of their own, with the loopback alone, so that no real session is joined.

use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use latent_jockey::control::clock::{Clock, Leader};
use latent_jockey::control::mapping::Mapping;
use latent_jockey::control::osc::feeds::Feeds;
use latent_jockey::control::query::Dims;
use latent_jockey::control::scene::Scene;
use latent_jockey::control::session::link::{LinkSession, peers};
use latent_jockey::control::{Counts, Device, Event, Events, Listener, Snapshot, queue};
use latent_jockey::params::{Id, Params, TempoSource, Value};
use rusty_link::{AblLink, SessionState};

/// Set inside the network of the test.
const INSIDE: &str = "LATENT_JOCKEY_LINK_TEST";
/// How long something on a network may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// Runs a test of this module in a network of its own. False if the test is there already.
#[allow(clippy::print_stderr, reason = "what is skipped is said")]
fn went_inside(test: &str) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        return false;
    }
    let this = std::env::current_exe().expect("the test's program");
    let name = format!("link_peers_share_a_tempo::{test}");
    let unshare = |script: &str| {
        let mut command = Command::new("unshare");
        command.args(["--map-root-user", "--net", "sh", "-c", script]).env(INSIDE, "1");
        command.arg(&this).args(["--exact", &name, "--nocapture"]);
        command.status()
    };
    if !unshare("ip link set lo up && ip route add 224.0.0.0/4 dev lo").is_ok_and(|status| status.success()) {
        eprintln!("skipped: no network of its own (unshare, ip)");
        return true;
    }
    let status = unshare("ip link set lo up && ip route add 224.0.0.0/4 dev lo && exec \"$0\" \"$@\"");
    assert!(status.expect("a child").success(), "it failed inside its network");
    true
}

/// A show, as far as its tempo goes: frames of 10 ms.
struct Stage {
    clock: Clock,
    params: Params,
    events: Events,
    session: LinkSession,
    listener: Box<dyn Listener>,
    last: Instant,
}

impl Stage {
    fn new(bpm: f64, shares_start: bool) -> Stage {
        let (sender, events) = queue();
        let mut session = LinkSession::join(shares_start, sender, Arc::new(Counts::default()));
        let listener = session.listener().expect("a listener");
        let mut params = Params::default();
        params.write(Id::Tempo.into(), &Value::Float(bpm)).expect("a tempo");
        Stage { clock: Clock::default(), params, events, session, listener, last: Instant::now() }
    }

    fn step(&mut self) {
        std::thread::sleep(Duration::from_millis(10));
        let mut writes = Vec::new();
        while let Ok(event) = self.events.try_recv() {
            let Event::Session(session) = event else { panic!("{event:?}") };
            self.clock.session(session, &mut writes);
        }
        for write in writes {
            self.params.write(write.target, &write.value).expect("a tempo");
        }
        let dt = self.last.elapsed().as_secs_f64();
        self.last = Instant::now();
        self.clock.step(dt, self.params.get(Id::Tempo), TempoSource::Auto);
        let feeds = Feeds { beat: self.clock.beat(), ..Feeds::default() };
        let (params, mapping) = (&self.params, &Mapping::default());
        let (dims, scene) = (Dims::default(), Scene::default());
        self.listener.publish(&Snapshot { params, feeds, mapping, preset: None, dims, scene }, dt);
        if let Some(bpm) = self.clock.take_new_tempo(self.params.get(Id::Tempo)) {
            self.listener.tempo(bpm);
        }
    }

    /// Plays until something is so.
    #[track_caller]
    fn until(&mut self, what: &str, mut is_so: impl FnMut(&Stage) -> bool) {
        let end = Instant::now() + PATIENCE;
        while !is_so(self) {
            assert!(Instant::now() < end, "{what}: at {} bpm, {:?}", self.params.get(Id::Tempo), self.session.status());
            self.step();
        }
    }

    /// Sets the tempo as a hand does.
    fn set(&mut self, bpm: f64) {
        self.params.write(Id::Tempo.into(), &Value::Float(bpm)).expect("a tempo");
        self.clock.set_by_hand();
    }
}

/// The other program.
struct Peer {
    link: AblLink,
    state: SessionState,
}

impl Peer {
    fn new(bpm: f64, shares_start: bool) -> Peer {
        let link = AblLink::new(bpm);
        link.enable_start_stop_sync(shares_start);
        link.enable(true);
        Peer { link, state: SessionState::new() }
    }

    fn tempo(&mut self) -> f64 {
        self.link.capture_app_session_state(&mut self.state);
        self.state.tempo()
    }

    fn change(&mut self, change: impl FnOnce(&mut SessionState, i64)) {
        self.link.capture_app_session_state(&mut self.state);
        change(&mut self.state, self.link.clock_micros());
        self.link.commit_app_session_state(&self.state);
    }

    /// How far the stage's beat is from the session's, within a bar.
    fn apart(&mut self, stage: &Stage) -> f64 {
        self.link.capture_app_session_state(&mut self.state);
        let apart = (stage.clock.beat() - self.state.beat_at_time(self.link.clock_micros(), 4.0)) / 4.0;
        ((apart - apart.round()) * 4.0).abs()
    }
}

#[test]
#[allow(clippy::print_stdout, reason = "figures")]
fn tempo_and_bar_are_shared_both_ways() {
    if went_inside("tempo_and_bar_are_shared_both_ways") {
        return;
    }
    let mut stage = Stage::new(93.0, false);
    (0..150).for_each(|_| stage.step());
    assert_eq!(stage.session.status().open, ["nobody else"]);
    // Who joins finds the show's tempo.
    let mut peer = Peer::new(140.0, false);
    let joined = Instant::now();
    stage.until("nobody joined", |stage| stage.clock.leader() == Leader::Session);
    println!("found after {:.1} s", joined.elapsed().as_secs_f64());
    assert_eq!(stage.session.status().open, ["1 peer"]);
    // Link sends whole microseconds a beat.
    stage.until("the joiner has another tempo", |_| (peer.tempo() - 93.0).abs() < 1e-3);
    stage.until("another bar", |stage| peer.apart(stage) < 0.02);
    // The other one changes the tempo, then the show does.
    peer.change(|state, now| state.set_tempo(127.5, now));
    stage.until("its tempo did not come", |stage| (stage.params.get(Id::Tempo) - 127.5).abs() < 1e-3);
    let mut worst: f64 = 0.0;
    for _ in 0..300 {
        stage.step();
        worst = worst.max(peer.apart(&stage));
    }
    println!("at most {worst:.4} beats apart in 3 s");
    stage.until("another bar at its tempo", |stage| peer.apart(stage) < 0.02);
    stage.set(111.0);
    stage.until("ours did not go out", |_| (peer.tempo() - 111.0).abs() < 1e-3);
    assert!((stage.params.get(Id::Tempo) - 111.0).abs() < 1e-3);
    // Alone again, the show goes on at this tempo.
    drop(peer);
    stage.until("the other one is still there", |stage| stage.clock.leader() == Leader::Own);
    assert!((stage.params.get(Id::Tempo) - 111.0).abs() < 1e-3);
    assert_eq!(stage.session.status().open, ["nobody else"]);
}

#[test]
fn a_show_that_joins_takes_over_tempo_and_bar() {
    if went_inside("a_show_that_joins_takes_over_tempo_and_bar") {
        return;
    }
    let mut peer = Peer::new(141.0, false);
    // Of two sessions that meet, the older one stays, and only time makes one older.
    std::thread::sleep(Duration::from_secs(2));
    let mut stage = Stage::new(93.0, false);
    stage.until("nobody is there", |stage| stage.clock.leader() == Leader::Session);
    stage.until("not its tempo", |stage| (stage.params.get(Id::Tempo) - 141.0).abs() < 1e-3);
    stage.until("not its bar", |stage| peer.apart(stage) < 0.02);
    assert!((peer.tempo() - 141.0).abs() < 1e-3, "ours did not win: {}", peer.tempo());
}

#[test]
fn start_and_stop_are_shared_if_asked_for() {
    if went_inside("start_and_stop_are_shared_if_asked_for") {
        return;
    }
    let (mut stage, mut peer) = (Stage::new(120.0, true), Peer::new(120.0, true));
    stage.until("nobody joined", |stage| stage.clock.leader() == Leader::Session);
    peer.change(|state, now| state.set_is_playing(true, now));
    (0..50).for_each(|_| stage.step());
    peer.change(|state, now| state.set_is_playing(false, now));
    let mut last = -1.0;
    stage.until("it goes on", |stage| std::mem::replace(&mut last, stage.clock.beat()) == stage.clock.beat());
    (0..50).for_each(|_| stage.step());
    assert_eq!(stage.clock.beat(), last, "it stands");
    peer.change(|state, now| state.set_is_playing_and_request_beat_at_time(true, now, 0.0, 4.0));
    stage.until("it does not start", |stage| stage.clock.beat() != last);
    assert!(stage.clock.beat() < 1.0, "a bar begins: {}", stage.clock.beat());
    stage.until("another bar", |stage| peer.apart(stage) < 0.02);
}

#[test]
fn doctor_counts_the_others() {
    if went_inside("doctor_counts_the_others") {
        return;
    }
    assert_eq!(peers(Duration::from_millis(200)), 0);
    let _peer = Peer::new(120.0, false);
    assert_eq!(peers(Duration::from_secs(5)), 1);
}
