//! Runway's protocol: sketches for Runway's app get pictures of what plays, over HTTP and socket.io.
//!
//! A query is a picture of its own and does not touch the show. The thread `runway` serves the sockets; the thread
//! `runway pictures` draws, one query after another, with an engine of its own on the processor: the show's frame never
//! waits for it, whichever engine plays. What may be asked, and what it costs: `docs/RUNWAY.md`.
//!
//! The protocol was read from the sources of its clients (Runway's libraries for p5.js, Processing and openFrameworks,
//! and its model SDK); the app itself is closed.

mod packet;
mod painter;
mod picture;
mod query;
mod session;
mod site;
mod worker;

use std::net::{SocketAddr, TcpListener};
use std::str::FromStr;
use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::sync::Notify;

use crate::control::listen::{Refuses, is_missing_family};
use crate::control::web::{self, Timeouts};
use crate::control::{Counts, Device, DeviceStatus, Event, EventSender, Listen};
use crate::show::ModelsView;
pub use query::Model;
use worker::{Board, Worker};

/// The port of Runway's app.
pub const PORT: u16 = 8000;

/// A port to open, and what is played there: `8000`, `network:8000`, `style:3000`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Door {
    /// `None` for all; a query's fields say which.
    pub model: Option<Model>,
    pub port: u16,
}

impl FromStr for Door {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (model, port) = match text.split_once(':') {
            Some((word, port)) => (Some(word), port),
            None => (None, text),
        };
        let wrong = || format!("expected a port such as 8000, or with a model: {}, got {text:?}", Model::examples());
        let model = model.map(|word| Model::from_word(word).ok_or_else(wrong)).transpose()?;
        Ok(Door { model, port: port.parse().map_err(|_| wrong())? })
    }
}

/// Why sketches cannot reach us on a port.
#[derive(Debug, thiserror::Error)]
pub enum RunwayError {
    #[error(
        "TCP port {} is in use by another program: no sketches for Runway there; choose another with --runway PORT",
        address.port()
    )]
    Taken { address: SocketAddr },
    #[error("no sketches for Runway on {address}: {source}")]
    Socket { address: SocketAddr, source: std::io::Error },
    #[error("cannot start the threads for Runway's sketches: {0}")]
    Thread(std::io::Error),
}

impl Refuses for RunwayError {
    fn is_missing_family(&self) -> bool {
        matches!(self, RunwayError::Socket { source, .. } if is_missing_family(source))
    }
}

/// Options for starting a server.
pub struct Options {
    /// Where to listen, and for which models; port 0 selects a free one. At least one.
    pub doors: Vec<(Listen, Option<Model>)>,
    /// What plays.
    pub models: ModelsView,
    /// How many threads draw, at least 1.
    pub threads: usize,
    /// Whether they draw at the lowest priority.
    pub yields: bool,
    pub timeouts: Timeouts,
    pub events: EventSender,
    pub counts: Arc<Counts>,
}

/// A running server. Dropping it closes every connection and ends its threads.
pub struct RunwayServer {
    addresses: Vec<SocketAddr>,
    stop: Arc<Notify>,
    thread: Option<JoinHandle<()>>,
    _worker: Worker,
    counts: Arc<Counts>,
}

impl Device for RunwayServer {
    fn status(&self) -> DeviceStatus {
        DeviceStatus::new("runway", self.addresses.iter().map(SocketAddr::to_string).collect(), &self.counts)
    }
}

/// How long a connection may be silent: a query may take that long, too.
const SILENCE: std::time::Duration = std::time::Duration::from_secs(120);

/// The time-outs of a server for sketches.
pub fn timeouts() -> Timeouts {
    Timeouts { silence: SILENCE, ..Timeouts::default() }
}

impl RunwayServer {
    /// Starts listening. A port that cannot be opened costs one line as long as there is another.
    ///
    /// # Errors
    /// When no port can be opened, with the first reason.
    pub fn start(options: Options) -> Result<Self, RunwayError> {
        let Options { doors, models, threads, yields, timeouts, events, counts } = options;
        let say = |line: String| events.send(Event::Notice(line), &counts);
        let (mut opened, mut addresses) = (Vec::new(), Vec::new());
        let mut first_error = None;
        for (listen, model) in doors {
            match listen.open(open, say) {
                Ok(listeners) => {
                    addresses.extend(listeners.iter().filter_map(|listener| listener.local_addr().ok()));
                    opened.push((listeners, model));
                }
                Err(error) => {
                    if let Some(error) = first_error.replace(error) {
                        say(error.to_string());
                    }
                }
            }
        }
        match first_error {
            Some(error) if opened.is_empty() => return Err(error),
            Some(error) => say(error.to_string()),
            None => {}
        }
        let worker = Worker::start(threads, yields, counts.clone()).map_err(RunwayError::Thread)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .build()
            .map_err(RunwayError::Thread)?;
        let state = Arc::new(site::State::new(worker.queue().clone(), timeouts, counts.clone()));
        // Those who ask for the same model hear of one another, as they did in Runway's app.
        let mut boards: Vec<Arc<Board>> = Vec::new();
        let mut serving = Vec::new();
        for (listeners, model) in opened {
            let board = match boards.iter().find(|board| board.model == model) {
                Some(board) => board.clone(),
                None => {
                    let board = Arc::new(Board::new(model, models.clone()));
                    boards.push(board.clone());
                    board
                }
            };
            let on_loopback =
                listeners.iter().filter_map(|l| l.local_addr().ok()).all(|address| address.ip().is_loopback());
            serving.push((listeners, site::Site { state: state.clone(), board, on_loopback }));
        }
        let stop = Arc::new(Notify::new());
        let stopped = stop.clone();
        let thread = std::thread::Builder::new()
            .name("runway".to_owned())
            .spawn(move || runtime.block_on(serve(serving, &stopped)))
            .map_err(RunwayError::Thread)?;
        Ok(RunwayServer { addresses, stop, thread: Some(thread), _worker: worker, counts })
    }

    /// Everywhere it listens; the ports are the real ones.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }
}

async fn serve(serving: Vec<(Vec<TcpListener>, site::Site)>, stop: &Notify) {
    let places = || Arc::new(tokio::sync::Semaphore::new(site::MAX_CONNECTIONS));
    let serving = serving.into_iter().map(|(listeners, site)| web::serve(listeners, places(), site));
    tokio::select! {
        _ = futures_util::future::join_all(serving) => {}
        () = stop.notified() => {}
    }
}

fn open(address: SocketAddr) -> Result<(TcpListener, SocketAddr), RunwayError> {
    web::open(address).map_err(|source| match source.kind() {
        std::io::ErrorKind::AddrInUse => RunwayError::Taken { address },
        _ => RunwayError::Socket { address, source },
    })
}

impl Drop for RunwayServer {
    fn drop(&mut self) {
        self.stop.notify_one();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_door_is_a_port_with_or_without_a_model() {
        for (text, model, port) in [
            ("8000", None, 8000),
            ("network:8001", Some(Model::Network), 8001),
            ("style:3000", Some(Model::Style), 3000),
        ] {
            assert_eq!(text.parse(), Ok(Door { model, port }));
        }
        for wrong in ["", "a", "70000", "image:8000", "style:", ":8000", "1-ink"] {
            let line = wrong.parse::<Door>().unwrap_err();
            assert!(line.contains("8000") && line.contains("style:") && line.contains(wrong), "{line}");
        }
    }
}
