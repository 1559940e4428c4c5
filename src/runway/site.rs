//! The routes: `/info`, `/query`, `/data`, `/error`, and `/socket.io/`. Runs on the thread `runway`.
//!
//! Any page may ask, as in Runway's app: sketches are files, or come from an editor on the web. Bodies, queries a second and
//! what waits are limited; what is wrong is answered with a line.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use http_body_util::{BodyExt, Limited};
use hyper::body::{Body, Bytes, Incoming};
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::{Method, Request, StatusCode};
use percent_encoding::percent_decode_str;
use serde_json::json;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::packet;
use super::query::QueryError;
use super::session::{Session, Sessions, Submit};
use super::worker::{Board, Form, Job, Queue};
use crate::control::Counts;
use crate::control::rate::Peers;
use crate::control::web::{self, Answer, Timeouts, respond};

/// Maximum connections of a port; further ones wait.
pub const MAX_CONNECTIONS: usize = 48;
/// Maximum WebSockets; further ones are refused.
const MAX_SOCKETS: usize = 16;
/// Longest body or message, in bytes.
pub const MAX_BODY: usize = 16 << 20;
/// All bodies together, in KiB.
const MAX_BODIES: usize = 64 << 10;
/// Requests per second from one address: Processing's library asks twice before each frame.
const MAX_REQUESTS_PER_SEC: f64 = 2000.0;
/// A query counts as this many requests, and one more for each [`COSTLY`] bytes.
const QUERY_COST: f64 = 10.0;
const COSTLY: usize = 64 << 10;
/// The path of socket.io.
const SOCKET_IO: &str = "/socket.io";
const JSON: &str = "application/json";
const TEXT: &str = "text/plain; charset=UTF-8";

/// What all ports share.
pub struct State {
    queue: Queue,
    sessions: Sessions,
    timeouts: Timeouts,
    counts: Arc<Counts>,
    rate: Mutex<Peers<IpAddr>>,
    sockets: Arc<Semaphore>,
    bodies: Arc<Semaphore>,
}

impl State {
    pub fn new(queue: Queue, timeouts: Timeouts, counts: Arc<Counts>) -> Self {
        State {
            queue,
            sessions: Sessions::default(),
            timeouts,
            counts,
            rate: Mutex::new(Peers::new(MAX_REQUESTS_PER_SEC, Instant::now())),
            sockets: Arc::new(Semaphore::new(MAX_SOCKETS)),
            bodies: Arc::new(Semaphore::new(MAX_BODIES)),
        }
    }

    fn may_pass(&self, from: IpAddr, cost: f64) -> bool {
        self.rate.lock().unwrap_or_else(PoisonError::into_inner).take(from, cost, Instant::now())
    }

    fn may_query(&self, from: IpAddr, bytes: usize) -> bool {
        self.may_pass(from, QUERY_COST + (bytes / COSTLY) as f64)
    }

    /// A query over socket.io. What is wrong with it goes to its client; what comes of it, to all.
    fn submit(self: &Arc<Self>, session: &Arc<Session>, json: String, from: IpAddr) {
        let room = KiB::of(json.len()).and_then(|kib| self.bodies.clone().try_acquire_many_owned(kib.0).ok());
        let (reply, answer) = oneshot::channel();
        let pushed = if room.is_none() || !self.may_query(from, json.len()) {
            Counts::add(&self.counts.dropped);
            Err(QueryError::TooMany)
        } else {
            let form = Form::Event { session: session.number };
            self.queue.push(Job { board: session.board.clone(), form, json: json.into(), reply, room })
        };
        let session = session.clone();
        match pushed {
            Err(error) => session.push(packet::error(&error.to_string())),
            Ok(()) => drop(tokio::spawn(async move {
                match answer.await {
                    // Its newer query is on its way.
                    Ok(Ok(_) | Err(QueryError::Superseded)) | Err(_) => {}
                    Ok(Err(error)) => session.push(packet::error(&error.to_string())),
                }
            })),
        }
    }
}

/// The size of a body, rounded up.
struct KiB(u32);

impl KiB {
    /// `None` beyond [`MAX_BODY`].
    fn of(bytes: usize) -> Option<KiB> {
        u32::try_from(bytes.div_ceil(1 << 10)).ok().filter(|_| bytes <= MAX_BODY).map(KiB)
    }
}

/// One port.
#[derive(Clone)]
pub struct Site {
    pub state: Arc<State>,
    pub board: Arc<Board>,
    pub on_loopback: bool,
}

impl web::Site for Site {
    fn timeouts(&self) -> Timeouts {
        self.state.timeouts
    }

    async fn answer(self, request: Request<Incoming>, from: SocketAddr) -> Answer {
        let origin = request.headers().get(header::ORIGIN).cloned();
        let path = request.uri().path().to_owned();
        let is_socket_io = path.strip_prefix(SOCKET_IO).is_some_and(|rest| matches!(rest, "" | "/"));
        let answer = match self.route(request, &path, is_socket_io, from).await {
            Ok(answer) => answer,
            Err(refusal) => refusal.answer(),
        };
        shared(answer, origin, is_socket_io)
    }
}

/// Why a request has no answer.
struct Refusal(StatusCode, String);

impl Refusal {
    fn new(status: StatusCode, line: &str) -> Self {
        Refusal(status, line.to_owned())
    }

    fn answer(self) -> Answer {
        respond(self.0, JSON, json!({ "error": self.1 }).to_string())
    }
}

impl From<QueryError> for Refusal {
    fn from(error: QueryError) -> Self {
        let status = match &error {
            QueryError::TooMany => StatusCode::TOO_MANY_REQUESTS,
            QueryError::Failed(_) => StatusCode::INTERNAL_SERVER_ERROR,
            QueryError::Json(_)
            | QueryError::Asked(_)
            | QueryError::Picture { .. }
            | QueryError::NoStyle
            | QueryError::Style { .. }
            | QueryError::Superseded => StatusCode::BAD_REQUEST,
        };
        Refusal(status, error.to_string())
    }
}

impl Site {
    async fn route(
        &self,
        request: Request<Incoming>,
        path: &str,
        is_socket_io: bool,
        from: SocketAddr,
    ) -> Result<Answer, Refusal> {
        let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
        if !host.is_some_and(|host| web::is_our_host(host, self.on_loopback)) {
            return Err(Refusal::new(
                StatusCode::FORBIDDEN,
                "unknown host: ask localhost, or the machine by its address",
            ));
        }
        if !self.state.may_pass(from.ip(), 1.0) {
            return Err(Refusal::new(StatusCode::TOO_MANY_REQUESTS, "too many requests"));
        }
        if request.method() == Method::OPTIONS {
            return Ok(preflight(&request));
        }
        if is_socket_io {
            return self.socket_io(request, from).await;
        }
        let is_get = matches!(*request.method(), Method::GET | Method::HEAD);
        match path {
            "/info" if is_get => Ok(respond(StatusCode::OK, JSON, self.board.info())),
            "/data" if is_get => Ok(respond(StatusCode::OK, JSON, self.board.last().to_string())),
            "/error" if is_get => Ok(respond(StatusCode::OK, JSON, self.board.error())),
            "/query" if request.method() == Method::POST => self.query(request, from).await,
            "/info" | "/data" | "/error" | "/query" => {
                let line = format!("{path}: expected {}, found {}", asked_by(path), request.method());
                Err(Refusal(StatusCode::METHOD_NOT_ALLOWED, line))
            }
            _ => Err(Refusal::new(
                StatusCode::NOT_FOUND,
                "not found: there are GET /info, GET /data, GET /error, POST /query and /socket.io/",
            )),
        }
    }

    async fn query(&self, request: Request<Incoming>, from: SocketAddr) -> Result<Answer, Refusal> {
        let (json, room) = self.body(request).await?;
        if !self.state.may_query(from.ip(), json.len()) {
            Counts::add(&self.state.counts.dropped);
            return Err(QueryError::TooMany.into());
        }
        let (reply, answer) = oneshot::channel();
        let job = Job { board: self.board.clone(), form: Form::Object, json, reply, room: Some(room) };
        self.state.queue.push(job)?;
        // If the client leaves, hyper drops this, and the query is passed over.
        let ended = |_| QueryError::Failed("the show is over".to_owned());
        let data = answer.await.map_err(ended)??;
        Ok(respond(StatusCode::OK, JSON, data.to_string()))
    }

    /// The body, and the room that it takes.
    async fn body(&self, request: Request<Incoming>) -> Result<(Bytes, OwnedSemaphorePermit), Refusal> {
        let too_large =
            || Refusal(StatusCode::PAYLOAD_TOO_LARGE, format!("expected a body of at most {} MB", MAX_BODY >> 20));
        let body = request.into_body();
        // Without a length, the most.
        let most = body.size_hint().upper().unwrap_or(MAX_BODY as u64);
        let KiB(kib) = usize::try_from(most).ok().and_then(KiB::of).ok_or_else(too_large)?;
        let reading = async {
            let room = self.state.bodies.clone().acquire_many_owned(kib).await;
            (Limited::new(body, MAX_BODY).collect().await, room)
        };
        match tokio::time::timeout(self.state.timeouts.request, reading).await {
            Ok((Ok(body), Ok(room))) => Ok((body.to_bytes(), room)),
            Ok((Err(error), _)) if error.is::<http_body_util::LengthLimitError>() => Err(too_large()),
            Ok(_) => Err(Refusal::new(StatusCode::BAD_REQUEST, "the body broke off")),
            Err(_) => Err(Refusal::new(StatusCode::REQUEST_TIMEOUT, "the body did not arrive in time")),
        }
    }

    async fn socket_io(&self, mut request: Request<Incoming>, from: SocketAddr) -> Result<Answer, Refusal> {
        let wrong = |line| Refusal::new(StatusCode::BAD_REQUEST, line);
        let query = request.uri().query().unwrap_or_default().to_owned();
        let field = |name| field(&query, name);
        if field("EIO").as_deref() != Some("3") {
            return Ok(respond(StatusCode::BAD_REQUEST, JSON, packet::other_revision().to_string()));
        }
        let sid = field("sid").filter(|sid| !sid.is_empty());
        let found = sid.as_ref().map(|sid| self.state.sessions.find(sid, &self.board));
        if let Some(None) = found {
            let unknown = json!({ "code": 1, "message": "Session ID unknown" });
            return Ok(respond(StatusCode::BAD_REQUEST, JSON, unknown.to_string()));
        }
        let found = found.flatten();
        match field("transport").as_deref() {
            Some("websocket") => {
                if !web::wants_socket(&request) {
                    return Err(wrong("expected a WebSocket's handshake"));
                }
                self.socket(&mut request, found, from.ip())
            }
            Some("polling") => match (request.method(), found) {
                (&Method::GET, None) => {
                    let session = self.open()?;
                    let open = packet::open(&session.sid, &["websocket"]);
                    Ok(respond(StatusCode::OK, TEXT, packet::payload([&open, packet::CONNECTED])))
                }
                (&Method::GET, Some(session)) => match session.poll().await {
                    Some(payload) => Ok(respond(StatusCode::OK, TEXT, payload)),
                    None => Err(wrong("the session is over")),
                },
                (&Method::POST, Some(session)) => {
                    let (body, _room) = self.body(request).await?;
                    let text = std::str::from_utf8(&body).map_err(|_| wrong("expected text, found other bytes"))?;
                    if session.posted(text, &self.submit(from.ip())) {
                        Ok(respond(StatusCode::OK, "text/html", "ok"))
                    } else {
                        Counts::add(&self.state.counts.refused);
                        Err(wrong("expected packets of Engine.IO 3"))
                    }
                }
                _ => Err(Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "expected GET, or POST with a session")),
            },
            _ => {
                let unknown = json!({ "code": 0, "message": "Transport unknown" });
                Ok(respond(StatusCode::BAD_REQUEST, JSON, unknown.to_string()))
            }
        }
    }

    fn open(&self) -> Result<Arc<Session>, Refusal> {
        let session = self.state.sessions.open(&self.board);
        session.ok_or_else(|| Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "too many clients"))
    }

    fn socket(
        &self,
        request: &mut Request<Incoming>,
        found: Option<Arc<Session>>,
        from: IpAddr,
    ) -> Result<Answer, Refusal> {
        let Ok(place) = self.state.sockets.clone().try_acquire_owned() else {
            return Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "too many clients"));
        };
        let is_upgrade = found.is_some();
        let session = match found {
            Some(session) => session,
            None => self.open()?,
        };
        let submit = self.submit(from);
        let play = move |socket| async move {
            session.play(socket, is_upgrade, submit).await;
            drop(place);
        };
        web::upgrade(request, MAX_BODY, play)
            .ok_or_else(|| Refusal::new(StatusCode::BAD_REQUEST, "missing WebSocket key"))
    }

    fn submit(&self, from: IpAddr) -> Submit {
        let state = self.state.clone();
        Arc::new(move |session, json| state.submit(session, json, from))
    }
}

/// A field of a URL's query, decoded.
fn field(query: &str, name: &str) -> Option<String> {
    let mut fields = query.split('&').filter_map(|field| field.split_once('='));
    fields.find(|(key, _)| *key == name).map(|(_, value)| percent_decode_str(value).decode_utf8_lossy().into_owned())
}

fn asked_by(path: &str) -> &'static str {
    if path == "/query" { "POST" } else { "GET" }
}

/// What a browser asks before a page's request that a form could not make.
fn preflight(request: &Request<Incoming>) -> Answer {
    const PRIVATE: HeaderName = HeaderName::from_static("access-control-request-private-network");
    const MAY_PRIVATE: HeaderName = HeaderName::from_static("access-control-allow-private-network");
    let mut answer = respond(StatusCode::OK, TEXT, "");
    let methods = HeaderValue::from_static("GET, HEAD, POST, OPTIONS, PUT, PATCH, DELETE");
    answer.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods);
    if let Some(wanted) = request.headers().get(header::ACCESS_CONTROL_REQUEST_HEADERS) {
        answer.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_HEADERS, wanted.clone());
    }
    if request.headers().contains_key(PRIVATE) {
        answer.headers_mut().insert(MAY_PRIVATE, HeaderValue::from_static("true"));
    }
    answer
}

/// An answer that pages of this origin may read. socket.io's clients ask with credentials, for which `*` does not do.
fn shared(mut answer: Answer, origin: Option<HeaderValue>, has_credentials: bool) -> Answer {
    let headers = answer.headers_mut();
    match origin {
        Some(origin) => {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            headers.insert(header::VARY, HeaderValue::from_static("Origin"));
            if has_credentials {
                headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
            }
        }
        None => drop(headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"))),
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_urls_are_decoded() {
        let query = "EIO=3&transport=polling&t=NxYz%21&sid=a%2Bb&empty=";
        assert_eq!(field(query, "EIO").as_deref(), Some("3"));
        assert_eq!(field(query, "t").as_deref(), Some("NxYz!"));
        assert_eq!(field(query, "sid").as_deref(), Some("a+b"));
        assert_eq!((field(query, "empty").as_deref(), field(query, "IO")), (Some(""), None));
    }

    #[test]
    fn bodies_have_a_size() {
        assert_eq!(
            [0, 1, 1024, 1025, MAX_BODY].map(|bytes| KiB::of(bytes).map(|kib| kib.0)),
            [Some(0), Some(1), Some(1), Some(2), Some(16 << 10)]
        );
        assert!(KiB::of(MAX_BODY + 1).is_none());
    }

    #[test]
    fn any_page_may_read_and_only_socket_io_has_credentials() {
        let header = |answer: &Answer, name| answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        let of = |origin: Option<&'static str>, has_credentials| {
            let answer =
                shared(respond(StatusCode::OK, TEXT, ""), origin.map(HeaderValue::from_static), has_credentials);
            [header::ACCESS_CONTROL_ALLOW_ORIGIN, header::ACCESS_CONTROL_ALLOW_CREDENTIALS, header::VARY]
                .map(|name| header(&answer, name))
        };
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(of(None, true), [some("*"), None, None]);
        assert_eq!(of(Some("null"), false), [some("null"), None, some("Origin")]);
        assert_eq!(of(Some("http://a.b:1"), true), [some("http://a.b:1"), some("true"), some("Origin")]);
    }
}
