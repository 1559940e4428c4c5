//! The thread `osc`: one socket, one buffer, one schedule.

use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use crossbeam_channel::{Receiver, Sender, bounded};

use super::intake::Intake;
use super::names::Names;
use super::reports::Reports;
use super::{Feedback, OscError, QUESTIONS_PER_SEC, Request, port_owner};
use crate::control::rate::Peers;
use crate::control::{Counts, Device, DeviceStatus, EventSender, Listener};

/// How often to wake up when nothing arrives.
const IDLE: Duration = Duration::from_millis(250);
/// Answers are dropped if the socket cannot take them for this long.
const SEND_TIMEOUT: Duration = Duration::from_millis(1);
/// Maximum number of requests waiting for the show.
const REQUESTS: usize = 64;
/// Maximum length of a UDP datagram.
const DATAGRAM: usize = 65_536;

/// A running OSC server. Dropping it ends its thread and frees the port.
pub struct OscServer {
    socket: Arc<UdpSocket>,
    address: SocketAddr,
    stopped: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    requests: Receiver<(SocketAddr, Request)>,
    names: Names,
    reports: Reports,
    counts: Arc<Counts>,
}

impl Device for OscServer {
    fn status(&self) -> DeviceStatus {
        DeviceStatus::new("osc", vec![self.address.to_string()], &self.counts)
    }
    fn listener(&mut self) -> Option<Box<dyn Listener>> {
        Some(Box::new(self.feedback()))
    }
}

impl OscServer {
    /// Listens on `address` (port 0 selects a free one) and puts what arrives into the event queue.
    ///
    /// # Errors
    /// When the port is taken or the address is not this machine's; the error says what to do.
    pub fn bind(address: SocketAddr, events: EventSender, counts: Arc<Counts>) -> Result<Self, OscError> {
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
        let local = socket.local_addr().map_err(failed)?;
        let socket = Arc::new(socket);
        let stopped = Arc::new(AtomicBool::new(false));
        let (sender, requests) = bounded(REQUESTS);
        let (names, reports) = (Names::default(), Reports::new(Instant::now()));
        let mut intake = Intake::new(&events, &counts, &names, &reports);
        let thread = {
            let (socket, stopped) = (socket.clone(), stopped.clone());
            std::thread::Builder::new()
                .name("osc".to_owned())
                .spawn(move || listen(&socket, &stopped, &mut intake, &sender))
                .map_err(failed)?
        };
        Ok(OscServer { socket, address: local, stopped, thread: Some(thread), requests, names, reports, counts })
    }

    /// Where it listens; the port is the real one.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// The half that answers `/get`, `/dump` and `/subscribe`; the show calls it each frame.
    pub fn feedback(&self) -> Feedback {
        let (names, reports, counts) = (self.names.clone(), self.reports.clone(), self.counts.clone());
        Feedback::new(self.socket.clone(), self.requests.clone(), names, reports, counts)
    }
}

impl Drop for OscServer {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Release);
        // Wakes the thread at once; otherwise it wakes after `IDLE`.
        let mut to = self.address;
        if to.ip().is_unspecified() {
            to.set_ip(match to {
                SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
                SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
            });
        }
        let _ = self.socket.send_to(&[], to);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn listen(socket: &UdpSocket, stopped: &AtomicBool, intake: &mut Intake, requests: &Sender<(SocketAddr, Request)>) {
    let mut buffer = vec![0; DATAGRAM];
    let mut timeout = IDLE;
    let mut peers = Peers::new(QUESTIONS_PER_SEC, Instant::now());
    loop {
        let wanted = intake.wait(Instant::now()).min(IDLE);
        if wanted != timeout && socket.set_read_timeout(Some(wanted)).is_ok() {
            timeout = wanted;
        }
        let received = socket.recv_from(&mut buffer);
        if stopped.load(Ordering::Acquire) {
            return;
        }
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
                _ => std::thread::sleep(IDLE),
            },
        }
        intake.release(Instant::now());
    }
}
