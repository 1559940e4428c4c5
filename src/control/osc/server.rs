//! The threads `osc`: a socket and a buffer each, and one intake.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use crossbeam_channel::{Receiver, Sender, bounded};

use super::echoes::Echoes;
use super::feedback::Heard;
use super::intake::Intake;
use super::names::Names;
use super::outs::{Out, Outs};
use super::reports::Reports;
use super::sockets::{SEND_TIMEOUT, Sockets};
use super::{Feedback, OscError, QUESTIONS_PER_SEC, Request, port_owner};
use crate::control::rate::Peers;
use crate::control::{Counts, Device, DeviceStatus, Event, EventSender, Listen, Listener};

/// How often to wake up when nothing arrives.
const IDLE: Duration = Duration::from_millis(250);
/// Maximum number of requests waiting for the show.
const REQUESTS: usize = 64;
/// Maximum length of a UDP datagram.
const DATAGRAM: usize = 65_536;
/// Size of the system's buffer for what was not read yet, in bytes, where the system allows it: a burst of thousands of
/// messages while the processor is busy elsewhere.
const RECEIVE_BUFFER: usize = 4 << 20;

/// Options for starting a server.
pub struct Options {
    /// Where to listen; port 0 selects a free one.
    pub listen: Listen,
    /// Whether to apply everything at once, whatever its time tag.
    pub ignores_tags: bool,
    /// Receivers that are sent every change.
    pub outs: Vec<Out>,
    pub events: EventSender,
    pub counts: Arc<Counts>,
}

/// A running OSC server. Dropping it ends its threads and frees the port.
pub struct OscServer {
    sockets: Vec<Arc<UdpSocket>>,
    addresses: Vec<SocketAddr>,
    stopped: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
    requests: Receiver<(SocketAddr, Request)>,
    outs: Vec<Out>,
    heard: Heard,
    events: EventSender,
}

impl Device for OscServer {
    fn status(&self) -> DeviceStatus {
        DeviceStatus::new("osc", self.addresses.iter().map(SocketAddr::to_string).collect(), &self.heard.counts)
    }
    fn listener(&mut self) -> Option<Box<dyn Listener>> {
        Some(Box::new(self.feedback()))
    }
}

impl OscServer {
    /// Listens on `address` (port 0 selects a free one) and puts what arrives into the event queue.
    ///
    /// # Errors
    /// As [`OscServer::start`].
    pub fn bind(address: SocketAddr, events: EventSender, counts: Arc<Counts>) -> Result<Self, OscError> {
        OscServer::start(Options { listen: Listen::At(address), ignores_tags: false, outs: Vec::new(), events, counts })
    }

    /// Starts listening, and a thread for each socket.
    ///
    /// # Errors
    /// When the port is taken or the address is not this machine's; the error says what to do. Of the two loopbacks one is
    /// enough.
    pub fn start(options: Options) -> Result<Self, OscError> {
        let Options { listen, ignores_tags, outs, events, counts } = options;
        let sockets: Vec<Arc<UdpSocket>> = listen.open(open, |line| events.send(Event::Notice(line), &counts))?;
        let addresses: Vec<SocketAddr> = sockets.iter().filter_map(|socket| socket.local_addr().ok()).collect();
        let (names, reports, echoes) = (Names::default(), Reports::new(Instant::now()), Echoes::default());
        let heard = Heard { names, reports, echoes, counts };
        let (sender, requests) = bounded(REQUESTS);
        let intake = Arc::new(Mutex::new((
            Intake::new(&events, &heard, ignores_tags),
            Peers::new(QUESTIONS_PER_SEC, Instant::now()),
        )));
        let stopped = Arc::new(AtomicBool::new(false));
        let mut server = OscServer { sockets, addresses, stopped, threads: Vec::new(), requests, outs, heard, events };
        for (socket, &address) in server.sockets.iter().zip(&server.addresses) {
            let (socket, stopped, intake, sender) =
                (socket.clone(), server.stopped.clone(), intake.clone(), sender.clone());
            let thread = std::thread::Builder::new()
                .name("osc".to_owned())
                .spawn(move || read(&socket, &stopped, &intake, &sender))
                .map_err(|source| OscError::Socket { address, source })?;
            server.threads.push(thread);
        }
        Ok(server)
    }

    /// Where it listens; the port is the real one. The first of several addresses, IPv4 before IPv6.
    pub fn local_addr(&self) -> SocketAddr {
        self.addresses.first().copied().unwrap_or(super::DEFAULT_ADDRESS)
    }

    /// Everywhere it listens.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// The half that answers `/get`, `/dump` and `/subscribe`; the show calls it each frame.
    pub fn feedback(&self) -> Feedback {
        let outs = Outs::new(self.outs.clone(), self.events.clone(), self.heard.counts.clone());
        let sockets = Sockets::new(self.sockets.clone());
        Feedback::new(sockets, self.requests.clone(), outs, self.heard.clone())
    }
}

impl Drop for OscServer {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Release);
        // Wakes the threads at once; otherwise they wake after `IDLE`.
        for (socket, mut to) in self.sockets.iter().zip(self.addresses.iter().copied()) {
            if to.ip().is_unspecified() {
                to.set_ip(match to {
                    SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
                    SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
                });
            }
            let _ = socket.send_to(&[], to);
        }
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

fn open(address: SocketAddr) -> Result<(Arc<UdpSocket>, SocketAddr), OscError> {
    let failed = |source: std::io::Error| match source.kind() {
        ErrorKind::AddrInUse => {
            let owner = port_owner::of_udp_port(address.port()).unwrap_or_else(|| "another program".to_owned());
            OscError::Taken { address, owner }
        }
        ErrorKind::AddrNotAvailable => OscError::NoSuchAddress { address },
        _ => OscError::Socket { address, source },
    };
    let socket = UdpSocket::bind(address).map_err(failed)?;
    socket.set_read_timeout(Some(IDLE)).map_err(failed)?;
    socket.set_write_timeout(Some(SEND_TIMEOUT)).map_err(failed)?;
    // A smaller buffer will do.
    let _ = socket2::SockRef::from(&socket).set_recv_buffer_size(RECEIVE_BUFFER);
    let local = socket.local_addr().map_err(failed)?;
    Ok((Arc::new(socket), local))
}

/// What the threads share: the intake, and how much each client may request.
type Clients = Mutex<(Intake, Peers<SocketAddr>)>;

fn read(socket: &UdpSocket, stopped: &AtomicBool, clients: &Clients, requests: &Sender<(SocketAddr, Request)>) {
    let mut buffer = vec![0; DATAGRAM];
    let mut timeout = IDLE;
    let mut wanted = IDLE;
    loop {
        if wanted != timeout && socket.set_read_timeout(Some(wanted)).is_ok() {
            timeout = wanted;
        }
        let received = socket.recv_from(&mut buffer);
        if stopped.load(Ordering::Acquire) {
            return;
        }
        // The other thread holds it for one datagram at a time.
        let mut held = clients.lock().unwrap_or_else(PoisonError::into_inner);
        let (intake, peers) = &mut *held;
        match received {
            Ok((len, from)) => {
                intake.datagram(&buffer[..len], from, SystemTime::now(), Instant::now(), |request| {
                    peers.take(from, request.cost(), Instant::now()) && requests.try_send((from, request)).is_ok()
                });
            }
            Err(error) => match error.kind() {
                // Nothing arrived, or one of our answers was not delivered.
                ErrorKind::WouldBlock
                | ErrorKind::TimedOut
                | ErrorKind::Interrupted
                | ErrorKind::ConnectionRefused
                | ErrorKind::ConnectionReset => {}
                // The network may come back.
                _ => {
                    drop(held);
                    std::thread::sleep(IDLE);
                    continue;
                }
            },
        }
        intake.release(Instant::now());
        wanted = intake.wait(Instant::now()).min(IDLE);
    }
}
