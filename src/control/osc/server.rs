//! The thread `osc`: one socket, one buffer, one schedule.

use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use crossbeam_channel::{Receiver, Sender, bounded};

use super::schedule::{self, Due, Schedule};
use super::{Feedback, Incoming, OscError, Refusal, Request, holder};
use crate::control::{Counts, Event, EventSender, Source, Write};

/// Wakes up so often when nothing comes.
const IDLE: Duration = Duration::from_millis(250);
/// Answers are given up when the socket cannot take them for so long.
const SEND_TIMEOUT: Duration = Duration::from_millis(1);
/// How many requests wait for the show at most.
const REQUESTS: usize = 64;
/// No UDP datagram is longer.
const DATAGRAM: usize = 65_536;

/// A running OSC server. Dropping it ends its thread and frees the port.
pub struct OscServer {
    socket: Arc<UdpSocket>,
    address: SocketAddr,
    stopped: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    requests: Receiver<(SocketAddr, Request)>,
}

impl OscServer {
    /// Listens on `address` (port 0 takes a free one) and puts what arrives into the event queue.
    ///
    /// # Errors
    /// When the port is taken or the address is not this machine's; the error says what to do.
    pub fn bind(address: SocketAddr, events: EventSender, counts: Arc<Counts>) -> Result<Self, OscError> {
        let failed = |source: std::io::Error| match source.kind() {
            ErrorKind::AddrInUse => {
                let holder = holder::of_udp_port(address.port()).unwrap_or_else(|| "another program".to_owned());
                OscError::Taken { address, holder }
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
        let mut inbox = Inbox {
            events,
            counts,
            schedule: Schedule::default(),
            requests: sender,
            last_refusal: None,
            told: None,
            foreign_clock_told: false,
        };
        let thread = {
            let (socket, stopped) = (socket.clone(), stopped.clone());
            std::thread::Builder::new()
                .name("osc".to_owned())
                .spawn(move || listen(&socket, &stopped, &mut inbox))
                .map_err(failed)?
        };
        Ok(OscServer { socket, address: local, stopped, thread: Some(thread), requests })
    }

    /// Where it listens; the port is the real one.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// The half that answers `/get`, `/dump` and `/subscribe`; the show calls it each frame.
    pub fn feedback(&self) -> Feedback {
        Feedback::new(self.socket.clone(), self.requests.clone())
    }
}

impl Drop for OscServer {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Release);
        // Wakes the thread at once; without this it wakes by itself after `IDLE`.
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

fn listen(socket: &UdpSocket, stopped: &AtomicBool, inbox: &mut Inbox) {
    let mut buffer = vec![0; DATAGRAM];
    let mut timeout = IDLE;
    loop {
        let wanted = inbox.wait(Instant::now());
        if wanted != timeout && socket.set_read_timeout(Some(wanted)).is_ok() {
            timeout = wanted;
        }
        let received = socket.recv_from(&mut buffer);
        if stopped.load(Ordering::Acquire) {
            return;
        }
        match received {
            Ok((len, from)) => inbox.datagram(&buffer[..len], from, SystemTime::now(), Instant::now()),
            Err(error) => match error.kind() {
                // Nothing came, or one of our answers found nobody.
                ErrorKind::WouldBlock
                | ErrorKind::TimedOut
                | ErrorKind::Interrupted
                | ErrorKind::ConnectionRefused
                | ErrorKind::ConnectionReset => {}
                // The network may come back.
                _ => std::thread::sleep(IDLE),
            },
        }
        inbox.release(Instant::now());
    }
}

/// What the thread does with what it receives.
struct Inbox {
    events: EventSender,
    counts: Arc<Counts>,
    schedule: Schedule,
    requests: Sender<(SocketAddr, Request)>,
    /// The last refusal and when it was seen last.
    last_refusal: Option<(Refusal, Instant)>,
    /// When a refusal was last put into words.
    told: Option<Instant>,
    foreign_clock_told: bool,
}

impl Inbox {
    fn datagram(&mut self, bytes: &[u8], from: SocketAddr, time: SystemTime, now: Instant) {
        super::read(bytes, |part| match part {
            Ok((time_tag, incoming)) => {
                Counts::add(&self.counts.received);
                self.incoming(time_tag, incoming, from, time, now);
            }
            Err(refusal) => self.refused(refusal, from, now),
        });
    }

    fn incoming(&mut self, time_tag: u64, incoming: Incoming<'_>, from: SocketAddr, time: SystemTime, now: Instant) {
        let event = match incoming {
            Incoming::Write { target, value } => Event::Write(Write { target, value, source: Source::Osc }),
            Incoming::Unknown { address, value } => Event::Unknown { address: address.to_owned(), value },
            Incoming::Request(request) => {
                if self.requests.try_send((from, request)).is_err() {
                    Counts::add(&self.counts.dropped);
                }
                return;
            }
        };
        match schedule::due(time_tag, time) {
            Due::Now => self.events.send(event, &self.counts),
            Due::In(wait) => {
                if !self.schedule.add(now + wait, event) {
                    Counts::add(&self.counts.dropped);
                }
            }
            Due::ForeignClock => {
                Counts::add(&self.counts.foreign_clock);
                self.events.send(event, &self.counts);
                if !std::mem::replace(&mut self.foreign_clock_told, true) {
                    let notice =
                        format!("OSC from {from}: its clock is ahead of ours; its messages are applied at once");
                    self.events.send(Event::Notice(notice), &self.counts);
                }
            }
        }
    }

    /// Counts a refusal, and tells it when the reason is new: once a second at most.
    fn refused(&mut self, refusal: Refusal, from: SocketAddr, now: Instant) {
        const AT_MOST_EVERY: Duration = Duration::from_secs(1);
        const FORGOTTEN_AFTER: Duration = Duration::from_secs(10);
        Counts::add(&self.counts.refused);
        let recently = |at: Instant, span| now.duration_since(at) < span;
        let known = self.last_refusal.is_some_and(|(last, at)| last == refusal && recently(at, FORGOTTEN_AFTER));
        let hurried = self.told.is_some_and(|at| recently(at, AT_MOST_EVERY));
        if known || !hurried {
            self.last_refusal = Some((refusal, now));
        }
        if !known && !hurried {
            self.told = Some(now);
            self.events.send(Event::Notice(format!("OSC from {from}: {refusal}; refused")), &self.counts);
        }
    }

    fn release(&mut self, now: Instant) {
        while let Some(event) = self.schedule.pop(now) {
            self.events.send(event, &self.counts);
        }
    }

    /// How long the socket may block.
    fn wait(&self, now: Instant) -> Duration {
        const SHORTEST: Duration = Duration::from_micros(500);
        self.schedule.next().map_or(IDLE, |at| at.saturating_duration_since(now).clamp(SHORTEST, IDLE))
    }
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn refusals_are_told_once_for_each_reason_and_once_a_second() {
        let (events, queue) = crate::control::queue();
        let (requests, _) = bounded(1);
        let counts = Arc::new(Counts::default());
        let mut inbox = Inbox {
            events,
            counts: counts.clone(),
            schedule: Schedule::default(),
            requests,
            last_refusal: None,
            told: None,
            foreign_clock_told: false,
        };
        let from = super::super::DEFAULT_ADDRESS;
        let start = Instant::now();
        let mut told = Vec::new();
        // (milliseconds, reason, is it told)
        for (ms, refusal, expected) in [
            (0, Refusal::NotOsc, true),
            (1, Refusal::NotOsc, false),
            (2, Refusal::Short, false),
            (1500, Refusal::NotOsc, false),
            (1600, Refusal::Short, true),
            (9000, Refusal::Short, false),
            (20_000, Refusal::Short, true),
        ] {
            inbox.refused(refusal, from, start + Duration::from_millis(ms));
            told.push((queue.try_iter().count() == 1, expected));
        }
        assert!(told.iter().all(|(is, should)| is == should), "{told:?}");
        assert_eq!(Counts::read(&counts.refused), 7);
    }
}
