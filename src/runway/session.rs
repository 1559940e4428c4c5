//! Sessions of socket.io: clients that poll, and clients with a WebSocket.
//!
//! Runs on the thread `runway`. A client begins by polling and asks for a WebSocket then; one that never does, or begins
//! with a WebSocket, is served as well. What it is told: `info` once, `data` of every query of anybody (only the newest,
//! if it is slow), `error` of its own.

use std::collections::hash_map::RandomState;
use std::collections::{HashMap, VecDeque};
use std::hash::BuildHasher;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use tokio::sync::{Notify, watch};
use tokio_tungstenite::tungstenite::Message;

use super::packet::{self, Said};
use super::worker::Board;
use crate::control::web::Socket;

/// Most sessions; further clients are refused until one has gone.
const MAX_SESSIONS: usize = 64;
/// Most packets that wait for a client, pongs and errors: beyond that the oldest are dropped.
const MOST_PACKETS: usize = 32;
/// Longest text of a ping, in bytes: it is sent back.
const LONGEST_PING: usize = 64;
/// A client that says nothing for so long has gone. Browsers slow the pings of hidden pages down to one a minute.
const GONE: Duration = Duration::from_secs(90);
/// A poll without news ends after this time.
const LONGEST_POLL: Duration = Duration::from_secs(60);
/// A client that reads nothing for this long is disconnected.
const SEND_TIMEOUT: Duration = Duration::from_secs(10);

/// What a query over socket.io goes to: the text of its event.
pub type Submit = Arc<dyn Fn(&Arc<Session>, String) + Send + Sync>;

/// One client.
pub struct Session {
    pub sid: String,
    /// Counted from 1.
    pub number: u64,
    pub board: Arc<Board>,
    inner: Mutex<Inner>,
    /// Tells whoever waits for packets.
    news: Notify,
}

struct Inner {
    packets: VecDeque<String>,
    data: watch::Receiver<Option<Arc<str>>>,
    heard: Instant,
    /// The number of the newest poll: an older one ends.
    poll: u64,
    /// A WebSocket is being tried: polls end at once.
    is_upgrading: bool,
    has_socket: bool,
    is_closed: bool,
}

impl Inner {
    /// What the client has not been told yet.
    fn take(&mut self) -> Vec<String> {
        let mut packets: Vec<String> = self.packets.drain(..).collect();
        if self.data.has_changed().unwrap_or(false)
            && let Some(data) = &*self.data.borrow_and_update()
        {
            packets.push(packet::event("data", data));
        }
        packets
    }
}

impl Session {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues a packet.
    pub fn push(&self, packet: String) {
        let mut inner = self.inner();
        if inner.packets.len() == MOST_PACKETS {
            inner.packets.pop_front();
        }
        inner.packets.push_back(packet);
        drop(inner);
        self.news.notify_waiters();
    }

    fn close(&self) {
        let mut inner = self.inner();
        inner.is_closed = true;
        inner.packets.clear();
        drop(inner);
        self.news.notify_waiters();
    }

    fn is_gone(&self) -> bool {
        let inner = self.inner();
        inner.is_closed || !inner.has_socket && inner.heard.elapsed() > GONE
    }

    /// A packet from the client. False for nonsense.
    fn said(self: &Arc<Self>, text: &str, submit: &Submit) -> bool {
        self.inner().heard = Instant::now();
        match packet::read(text) {
            Said::Ping(rest) if rest.len() > LONGEST_PING => return false,
            Said::Ping(rest) => self.push(format!("3{rest}")),
            Said::Close => self.close(),
            Said::Query(json) => submit(self, json.to_owned()),
            Said::Upgrade | Said::Other => {}
            Said::Nonsense => return false,
        }
        true
    }

    /// The payload of a client's POST. False for nonsense: the session is over then, as engine.io has it.
    pub fn posted(self: &Arc<Self>, payload: &str, submit: &Submit) -> bool {
        let is_sensible =
            packet::split(payload).is_some_and(|packets| packets.iter().all(|packet| self.said(packet, submit)));
        if !is_sensible {
            self.close();
        }
        is_sensible
    }

    /// The payload of the client's next poll: waits for news. `None` once the session is over.
    pub async fn poll(&self) -> Option<String> {
        let number = {
            let mut inner = self.inner();
            inner.heard = Instant::now();
            inner.poll += 1;
            inner.poll
        };
        // An older poll ends.
        self.news.notify_waiters();
        let end = tokio::time::Instant::now() + LONGEST_POLL;
        let mut data = self.board.data.subscribe();
        loop {
            let news = self.news.notified();
            tokio::pin!(news);
            // Before looking, so that nothing is missed in between.
            news.as_mut().enable();
            {
                let mut inner = self.inner();
                inner.heard = Instant::now();
                if inner.is_closed {
                    return None;
                }
                if inner.has_socket || inner.poll != number {
                    return Some(packet::payload([packet::NOTHING]));
                }
                let packets = inner.take();
                if !packets.is_empty() {
                    return Some(packet::payload(packets.iter().map(String::as_str)));
                }
                if inner.is_upgrading {
                    return Some(packet::payload([packet::NOTHING]));
                }
            }
            tokio::select! {
                () = news => {}
                Ok(()) = data.changed() => {}
                () = tokio::time::sleep_until(end) => return Some(packet::payload([packet::NOTHING])),
            }
        }
    }

    /// Serves the client over a WebSocket until that closes; with `is_upgrade` the client polls until it is sure of it.
    pub async fn play(self: Arc<Self>, mut socket: Socket, is_upgrade: bool, submit: Submit) {
        let is_there = if is_upgrade {
            self.probe(&mut socket).await
        } else {
            self.inner().has_socket = true;
            send(&mut socket, vec![packet::open(&self.sid, &[]), packet::CONNECTED.to_owned()]).await
        };
        if is_there {
            self.talk(&mut socket, &submit).await;
            self.close();
        }
        let _ = tokio::time::timeout(SEND_TIMEOUT, socket.close(None)).await;
    }

    /// The client tries the WebSocket, and says that it will use it from now on. False if it does not: it goes on polling.
    async fn probe(&self, socket: &mut Socket) -> bool {
        let end = tokio::time::Instant::now() + GONE;
        loop {
            let message = tokio::time::timeout_at(end, socket.next()).await;
            let said = match &message {
                Ok(Some(Ok(Message::Text(text)))) => packet::read(text.as_str()),
                Ok(Some(Ok(Message::Ping(_) | Message::Pong(_)))) => continue,
                _ => Said::Nonsense,
            };
            match said {
                Said::Ping(rest) => {
                    self.inner().is_upgrading = true;
                    self.news.notify_waiters();
                    if !send(socket, vec![format!("3{rest}")]).await {
                        break;
                    }
                }
                Said::Upgrade => {
                    self.inner().has_socket = true;
                    self.news.notify_waiters();
                    return true;
                }
                _ => break,
            }
        }
        self.inner().is_upgrading = false;
        false
    }

    async fn talk(self: &Arc<Self>, socket: &mut Socket, submit: &Submit) {
        let mut data = self.board.data.subscribe();
        loop {
            let news = self.news.notified();
            tokio::pin!(news);
            news.as_mut().enable();
            let (packets, gone_at) = {
                let mut inner = self.inner();
                if inner.is_closed {
                    return;
                }
                (inner.take(), inner.heard + GONE)
            };
            if !packets.is_empty() && !send(socket, packets).await {
                return;
            }
            tokio::select! {
                message = socket.next() => match message {
                    Some(Ok(Message::Text(text))) => {
                        if !self.said(text.as_str(), submit) {
                            return;
                        }
                    }
                    // Pings of WebSockets are answered by the library; binary messages are no part of this protocol.
                    Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
                    Some(Ok(Message::Binary(_) | Message::Close(_)) | Err(_)) | None => return,
                },
                () = news => {}
                Ok(()) = data.changed() => {}
                () = tokio::time::sleep_until(gone_at.into()) => return,
            }
        }
    }
}

/// Sends packets, each as a frame. False if the client does not read.
async fn send(socket: &mut Socket, packets: Vec<String>) -> bool {
    let sending = async {
        for packet in packets {
            socket.feed(Message::text(packet)).await?;
        }
        socket.flush().await
    };
    matches!(tokio::time::timeout(SEND_TIMEOUT, sending).await, Ok(Ok(())))
}

/// All sessions.
#[derive(Default)]
pub struct Sessions {
    open: Mutex<(u64, HashMap<String, Arc<Session>>)>,
}

impl Sessions {
    /// A new session, which is told `info` first. `None` when there are too many.
    pub fn open(&self, board: &Arc<Board>) -> Option<Arc<Session>> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let (count, sessions) = &mut *open;
        sessions.retain(|_, session| !session.is_gone());
        if sessions.len() >= MAX_SESSIONS {
            return None;
        }
        *count += 1;
        // Nobody should guess it.
        let random = |salt: u64| RandomState::new().hash_one(salt);
        let sid = format!("{:016x}{:04x}", random(*count), random(*count) & 0xffff);
        let mut data = board.data.subscribe();
        // What was before is not for this client.
        data.mark_unchanged();
        let inner = Inner {
            packets: VecDeque::from([packet::event("info", &board.info())]),
            data,
            heard: Instant::now(),
            poll: 0,
            is_upgrading: false,
            has_socket: false,
            is_closed: false,
        };
        let session = Arc::new(Session {
            sid: sid.clone(),
            number: *count,
            board: board.clone(),
            inner: Mutex::new(inner),
            news: Notify::new(),
        });
        sessions.insert(sid, session.clone());
        Some(session)
    }

    /// The session of that name and model, unless it is over.
    pub fn find(&self, sid: &str, board: &Arc<Board>) -> Option<Arc<Session>> {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.1.get(sid).filter(|session| !session.is_gone() && Arc::ptr_eq(&session.board, board)).cloned()
    }
}
