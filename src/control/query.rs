//! OSCQuery and the browser page: every address, its range and its value, over HTTP and WebSockets.
//!
//! The thread `query` runs the server. It reads the [`board`], a copy of the show's values, and puts what clients
//! write into the event queue through the same parser as UDP. It opens no file that a client names, and the show never waits for it:
//! [`Panel`], the show's half, skips a frame's update while the board is being read. Source: the OSCQuery proposal,
//! third revision (Vidvox).

mod announce;
mod assets;
pub mod board;
mod doorway;
mod explorer;
mod guard;
mod http;
pub mod names;
mod playing;
mod socket;
mod thumb;
pub mod tree;
mod view;

use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;

use board::Shared;
pub use board::{Bending, Dims, Panel, Viewer};
pub use doorway::Doorway;
pub use explorer::{Answering, Explorer, Wish};
pub use guard::may_ask;
pub use names::{LookUp, Names};
pub use thumb::{Thumb, Thumbs};

use super::listen::{Refuses, is_missing_family};
pub use super::web::Timeouts;
use super::{Counts, Device, DeviceStatus, Event, EventSender, Lane, Listen, Listener, web};

/// Why OSCQuery is unavailable.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    #[error("TCP port {} is in use by another program: no OSCQuery and no page; choose another with --web PORT", address.port())]
    Taken { address: SocketAddr },
    #[error("no OSCQuery and no page on {address}: {source}")]
    Socket { address: SocketAddr, source: std::io::Error },
}

impl Refuses for QueryError {
    fn is_missing_family(&self) -> bool {
        matches!(self, QueryError::Socket { source, .. } if is_missing_family(source))
    }
}

/// Where OSC listens on UDP, for clients that ask over HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OscHost {
    /// `None` for every address of this machine.
    pub ip: Option<IpAddr>,
    pub port: u16,
}

impl OscHost {
    /// For a server that listens on `address`.
    pub fn new(address: SocketAddr) -> Self {
        OscHost { ip: Some(address.ip()).filter(|ip| !ip.is_unspecified()), port: address.port() }
    }
}

/// Options for starting a server.
pub struct Options {
    /// Where to listen; port 0 selects a free one.
    pub listen: Listen,
    /// Where OSC listens on UDP, if it does.
    pub osc: Option<OscHost>,
    /// Whether to announce it by mDNS: on this machine if it listens on the loopback, otherwise on the network.
    pub announce: bool,
    pub timeouts: Timeouts,
    /// Small pictures of what can be chosen, if there are any.
    pub thumbs: Option<Arc<dyn Thumbs>>,
    /// Pictures of the network that plays, if there are any.
    pub explorer: Option<Arc<dyn Explorer>>,
    /// What can be played: may read folders, and is called on a thread of its own.
    pub names: LookUp,
    pub events: EventSender,
    pub counts: Arc<Counts>,
}

/// A running server. Dropping it closes every connection and ends its thread.
pub struct QueryServer {
    addresses: Vec<SocketAddr>,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    announced: Option<announce::Announcement>,
    counts: Arc<Counts>,
}

impl Device for QueryServer {
    fn status(&self) -> DeviceStatus {
        DeviceStatus::new("web", self.addresses.iter().map(SocketAddr::to_string).collect(), &self.counts)
    }
    fn listener(&mut self) -> Option<Box<dyn Listener>> {
        Some(Box::new(self.panel()))
    }
}

impl QueryServer {
    /// Starts listening, and the thread `query`.
    ///
    /// # Errors
    /// When the port is taken, or the address is not this machine's.
    pub fn start(options: Options) -> Result<Self, QueryError> {
        let Options { listen, osc, announce, timeouts, thumbs, explorer, names, events, counts } = options;
        let listeners = listen.open(open, |line| events.send(Event::Notice(line), &counts))?;
        let addresses: Vec<SocketAddr> = listeners.iter().filter_map(|listener| listener.local_addr().ok()).collect();
        let local = addresses.first().copied().unwrap_or(listen.address());
        let failed = |source| QueryError::Socket { address: local, source };
        let shared = Arc::new(Shared::new(local, osc));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .thread_name("names")
            .max_blocking_threads(1)
            .build()
            .map_err(failed)?;
        let thread = {
            let events = events.on(Lane::Web);
            let site = http::Site::new(shared.clone(), (thumbs, explorer), names, events, counts.clone(), timeouts);
            std::thread::Builder::new()
                .name("query".to_owned())
                .spawn(move || {
                    runtime.block_on(http::serve(listeners, site));
                    // A look-up of names on a slow disk must not hold up the end.
                    runtime.shutdown_background();
                })
                .map_err(failed)?
        };
        let announced = announce.then(|| announce::Announcement::new(local, osc)).flatten();
        Ok(QueryServer { addresses, shared, thread: Some(thread), announced, counts })
    }

    /// Where it listens; the port is the real one. The first of several addresses, IPv4 before IPv6.
    pub fn local_addr(&self) -> SocketAddr {
        self.shared.address
    }

    /// Everywhere it listens.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Whether it is announced by mDNS.
    pub fn is_announced(&self) -> bool {
        self.announced.is_some()
    }

    /// The show's half.
    pub fn panel(&self) -> Panel {
        Panel::new(self.shared.clone())
    }

    /// Sends pictures to clients with the page open.
    pub fn viewer(&self) -> Viewer {
        Viewer::new(self.shared.clone())
    }
}

fn open(address: SocketAddr) -> Result<(TcpListener, SocketAddr), QueryError> {
    web::open(address).map_err(|source| match source.kind() {
        std::io::ErrorKind::AddrInUse => QueryError::Taken { address },
        _ => QueryError::Socket { address, source },
    })
}

impl Drop for QueryServer {
    fn drop(&mut self) {
        // The announcement's goodbye is sent while the port is still open.
        self.announced = None;
        self.shared.stop.notify_one();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
