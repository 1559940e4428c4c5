//! OSCQuery, and a page for browsers: every address, its range and its value, over HTTP and WebSockets.
//!
//! The thread `query` runs the server; it reads the [`board`], a copy of the show's values, and puts what clients
//! write into the event queue through the same reader as UDP. It opens no file, and the show never waits for it:
//! [`Panel`], the show's half, skips a frame's news while the board is being read. Source: the OSCQuery proposal,
//! third revision (Vidvox).

mod announce;
pub mod board;
mod guard;
mod http;
mod socket;
pub mod tree;
mod view;

use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use board::Shared;
pub use board::{Dims, Panel, Viewer};

use super::{Counts, Device, DeviceStatus, EventSender, Listener};

/// Why there is no OSCQuery.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    #[error("TCP port {} is held by another program: no OSCQuery and no page; choose another with --web PORT", address.port())]
    Taken { address: SocketAddr },
    #[error("no OSCQuery and no page on {address}: {source}")]
    Socket { address: SocketAddr, source: std::io::Error },
}

/// Where OSC is heard by UDP, for those who ask over HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OscHost {
    /// `None` when it is every address of this machine.
    pub ip: Option<IpAddr>,
    pub port: u16,
}

impl OscHost {
    /// Of a server that listens on `address`.
    pub fn new(address: SocketAddr) -> Self {
        OscHost { ip: Some(address.ip()).filter(|ip| !ip.is_unspecified()), port: address.port() }
    }
}

/// How a server is started.
pub struct Options {
    /// Where it listens; port 0 takes a free one.
    pub address: SocketAddr,
    /// Where OSC is heard by UDP, if it is.
    pub osc: Option<OscHost>,
    /// Whether it is announced by mDNS: to this machine when it listens on the loopback, else to the network.
    pub announce: bool,
    pub timeouts: Timeouts,
    pub events: EventSender,
    pub counts: Arc<Counts>,
}

/// How long clients are waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// A client must have sent its request within this time.
    pub request: Duration,
    /// A connection on which no further request comes is closed, though its last answer was not read.
    pub silence: Duration,
    /// A WebSocket is asked so often whether it is still there; without an answer to two of these it is closed.
    pub ping: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        let secs = Duration::from_secs;
        Timeouts { request: secs(10), silence: secs(30), ping: secs(15) }
    }
}

/// A running server. Dropping it closes every connection and ends its thread.
pub struct QueryServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    announced: Option<announce::Announcement>,
    counts: Arc<Counts>,
}

impl Device for QueryServer {
    fn status(&self) -> DeviceStatus {
        DeviceStatus::new("web", vec![self.address.to_string()], &self.counts)
    }
    fn listener(&mut self) -> Option<Box<dyn Listener>> {
        Some(Box::new(self.panel()))
    }
}

impl QueryServer {
    /// Listens and starts the thread `query`.
    ///
    /// # Errors
    /// When the port is taken, or the address is not this machine's.
    pub fn start(options: Options) -> Result<Self, QueryError> {
        let Options { address, osc, announce, timeouts, events, counts } = options;
        let failed = |source: std::io::Error| match source.kind() {
            std::io::ErrorKind::AddrInUse => QueryError::Taken { address },
            _ => QueryError::Socket { address, source },
        };
        let listener = TcpListener::bind(address).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let local = listener.local_addr().map_err(failed)?;
        let shared = Arc::new(Shared::new(local, osc));
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build().map_err(failed)?;
        let thread = {
            let site = http::Site::new(shared.clone(), events, counts.clone(), timeouts);
            std::thread::Builder::new()
                .name("query".to_owned())
                .spawn(move || runtime.block_on(http::serve(listener, site)))
                .map_err(failed)?
        };
        let announced = announce.then(|| announce::Announcement::new(local, osc)).flatten();
        Ok(QueryServer { address: local, shared, thread: Some(thread), announced, counts })
    }

    /// Where it listens; the port is the real one.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Whether other programs are told of it by mDNS.
    pub fn is_announced(&self) -> bool {
        self.announced.is_some()
    }

    /// The show's half.
    pub fn panel(&self) -> Panel {
        Panel::new(self.shared.clone())
    }

    /// What brings pictures to those who look at the page.
    pub fn viewer(&self) -> Viewer {
        Viewer::new(self.shared.clone())
    }
}

impl Drop for QueryServer {
    fn drop(&mut self) {
        // The goodbye of the announcement goes out while the port is still open.
        self.announced = None;
        self.shared.stop.notify_one();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
