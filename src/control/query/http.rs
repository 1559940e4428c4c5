//! HTTP: connections, and answers to requests.
//!
//! Everything runs on the thread `query`. Connections, requests per second, and the size and duration of headers are
//! limited; bodies are ignored; only the explorer is posted to; a request that neither our own page nor a native program could have made is refused.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use hyper::body::{Bytes, Incoming};
use hyper::header::{self, HeaderValue};
use hyper::{Method, Request, StatusCode};
use tokio::sync::Semaphore;

use super::announce::NAME;
use super::assets::{self, Asset};
use super::board::Shared;
use super::explorer::{self, Explorer, Wish};
use super::names::{Known, LookUp};
use super::thumb::{self, Thumbs};
use super::{Timeouts, guard, socket, tree};
use crate::control::rate::Peers;
use crate::control::{Counts, Event, EventSender, web};

/// Maximum connections; further ones wait.
const MAX_CONNECTIONS: usize = 48;
/// Maximum WebSockets; further ones are refused.
pub const MAX_SOCKETS: usize = 16;
/// Requests per second from one address.
const MAX_REQUESTS_PER_SEC: f64 = 200.0;
/// The whole tree, or a branch of it, counts as this many requests.
const TREE_COST: f64 = 20.0;
/// How long a client waits for a new picture.
const PICTURE_TIMEOUT: Duration = Duration::from_millis(500);

pub use web::Answer;

/// Who has small pictures: of what can be chosen, and of the network that plays.
type Pictures = (Option<Arc<dyn Thumbs>>, Option<Arc<dyn Explorer>>);

/// State shared by all connections.
#[derive(Clone)]
pub struct Site {
    pub shared: Arc<Shared>,
    pub thumbs: Option<Arc<dyn Thumbs>>,
    pub explorer: Option<Arc<dyn Explorer>>,
    pub events: EventSender,
    pub counts: Arc<Counts>,
    pub timeouts: Timeouts,
    names: Known,
    rate: Arc<Mutex<Peers<IpAddr>>>,
    pub sockets: Arc<Semaphore>,
}

impl Site {
    pub fn new(
        shared: Arc<Shared>,
        (thumbs, explorer): Pictures,
        names: LookUp,
        events: EventSender,
        counts: Arc<Counts>,
        timeouts: Timeouts,
    ) -> Self {
        let rate = Arc::new(Mutex::new(Peers::new(MAX_REQUESTS_PER_SEC, Instant::now())));
        let (names, sockets) = (Known::new(names), Arc::new(Semaphore::new(MAX_SOCKETS)));
        Site { shared, thumbs, explorer, names, events, counts, timeouts, rate, sockets }
    }
}

/// Accepts connections until the server is dropped.
pub async fn serve(listeners: Vec<std::net::TcpListener>, site: Site) {
    let shared = site.shared.clone();
    tokio::select! {
        () = web::serve(listeners, Arc::new(Semaphore::new(MAX_CONNECTIONS)), site) => {}
        () = shared.stop.notified() => {}
    }
}

impl web::Site for Site {
    fn timeouts(&self) -> Timeouts {
        self.timeouts
    }

    fn takes(&self, first: u8, from: SocketAddr) -> bool {
        let is_osc = is_osc(first);
        if is_osc {
            tell_osc_over_tcp(from, self);
        }
        !is_osc
    }

    async fn answer(self, request: Request<Incoming>, from: SocketAddr) -> Answer {
        answer(request, from, self).await
    }
}

/// Whether a connection that begins with this byte carries OSC: its packets have their size in front, or are framed by SLIP,
/// or are bare. A request begins with a capital letter.
fn is_osc(first: u8) -> bool {
    const SLIP_END: u8 = 0xc0;
    matches!(first, 0 | SLIP_END | b'/' | b'#')
}

fn tell_osc_over_tcp(from: SocketAddr, site: &Site) {
    Counts::add(&site.counts.refused);
    if site.shared.reports.is_new_tcp(from.ip()) {
        let web = site.shared.address.port();
        let udp = site.shared.osc.map_or("UDP".to_owned(), |osc| format!("UDP port {}", osc.port));
        let line =
            format!("OSC over TCP from {from} on port {web}, which is for browsers and OSCQuery: send it to {udp}");
        site.events.send(Event::Notice(line), &site.counts);
    }
}

async fn answer(mut request: Request<Incoming>, from: SocketAddr, site: Site) -> Answer {
    let header = |name| request.headers().get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let by = header(header::HeaderName::from_static("sec-fetch-site"));
    if !guard::may_ask(header(header::HOST), header(header::ORIGIN), by, site.shared.address.ip().is_loopback()) {
        return plain(StatusCode::FORBIDDEN, "unknown host or origin");
    }
    if !may_pass(&site, from, 1.0) {
        return plain(StatusCode::TOO_MANY_REQUESTS, "too many requests");
    }
    let is_post = request.method() == Method::POST && request.uri().path().starts_with(explorer::PATH);
    if !is_post && request.method() != Method::GET && request.method() != Method::HEAD {
        return plain(StatusCode::METHOD_NOT_ALLOWED, "only GET");
    }
    if web::wants_socket(&request) {
        return socket::upgrade(&mut request, from, site);
    }
    let wants_page = header(header::ACCEPT).is_some_and(|accepted| accepted.contains("text/html"));
    let Some(address) = decoded(request.uri().path()) else {
        return plain(StatusCode::BAD_REQUEST, "the path is not valid text");
    };
    if let Some(path) = address.strip_prefix(explorer::PATH) {
        let (path, query) = (path.to_owned(), request.uri().query().unwrap_or_default().to_owned());
        let wish = Wish { is_post, path, query, is_local: from.ip().to_canonical().is_loopback() };
        return explorer::answer(site.explorer.as_deref(), wish).await;
    }
    if let Some(rest) = address.strip_prefix(thumb::PATH) {
        return thumb::answer(site.thumbs.as_deref(), rest, header(header::IF_NONE_MATCH));
    }
    let known = header(header::IF_NONE_MATCH);
    let asset = assets::find(&address);
    match request.uri().query() {
        None | Some("") if asset.is_some() || wants_page && address == "/" => {
            send(asset.unwrap_or(assets::page()), known)
        }
        None | Some("") => node(&site, from, &address, None),
        Some("HTML") => send(assets::page(), known),
        Some("HOST_INFO") => json(&tree::host(NAME, site.shared.address, site.shared.osc)),
        Some("PICTURE") => picture(&site).await,
        Some("PLAYING") if address == "/" => json(&site.shared.board().playing.clone().json(0)),
        Some("NAMES") if address == "/" => names(&site, from).await,
        Some(attribute) => node(&site, from, &address, Some(attribute)),
    }
}

fn may_pass(site: &Site, from: SocketAddr, cost: f64) -> bool {
    site.rate.lock().unwrap_or_else(PoisonError::into_inner).take(from.ip(), cost, Instant::now())
}

/// A node, or one attribute of it.
fn node(site: &Site, from: SocketAddr, address: &str, attribute: Option<&str>) -> Answer {
    // A copy, so that the show can keep writing while the tree is built.
    let board = site.shared.board().clone();
    if board.find(address).is_none() && !may_pass(site, from, TREE_COST) {
        return plain(StatusCode::TOO_MANY_REQUESTS, "too many requests");
    }
    let Some(node) = tree::node(&board, address) else {
        return plain(StatusCode::NOT_FOUND, "no such address");
    };
    let Some(attribute) = attribute else { return json(&node) };
    if !tree::ATTRIBUTES.contains(&attribute) {
        return plain(StatusCode::BAD_REQUEST, "unknown attribute");
    }
    // Without modulation, the effective value is the value.
    let value = node.get(attribute).or_else(|| node.get("VALUE").filter(|_| attribute == "EFFECTIVE"));
    match value {
        Some(value) => json(&serde_json::json!({ attribute: value })),
        None if matches!(attribute, "VALUE" | "EFFECTIVE") && node.get("TYPE").is_some() => {
            respond(StatusCode::NO_CONTENT, "text/plain", "")
        }
        None => json(&serde_json::json!({})),
    }
}

/// The next picture, or the last one if none arrives.
async fn picture(site: &Site) -> Answer {
    let mut views = site.shared.views.subscribe();
    site.shared.looked_for.store(true, std::sync::atomic::Ordering::Release);
    let _ = tokio::time::timeout(PICTURE_TIMEOUT, views.changed()).await;
    let jpeg = site.shared.view.lock().unwrap_or_else(PoisonError::into_inner).jpeg();
    match jpeg {
        Some(jpeg) => respond(StatusCode::OK, "image/jpeg", jpeg.to_vec()),
        None => respond(StatusCode::NO_CONTENT, "text/plain", ""),
    }
}

/// What can be played.
async fn names(site: &Site, from: SocketAddr) -> Answer {
    if !may_pass(site, from, TREE_COST) {
        return plain(StatusCode::TOO_MANY_REQUESTS, "too many requests");
    }
    json(&site.names.json().await)
}

/// A file of the page, unless it is what the browser has: `known` are the tags of its copies. No other file is ever sent.
fn send(asset: &'static Asset, known: Option<&str>) -> Answer {
    let mut answer = if is_known(known, &asset.tag) {
        respond(StatusCode::NOT_MODIFIED, asset.kind, "")
    } else {
        respond(StatusCode::OK, asset.kind, asset.text)
    };
    let headers = answer.headers_mut();
    // Kept, but asked for each time: after an update of the program, an old page would not fit it.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    if let Ok(tag) = HeaderValue::from_str(&asset.tag) {
        headers.insert(header::ETAG, tag);
    }
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self' ws:; \
             img-src 'self' blob: data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
        ),
    );
    answer
}

/// Whether a browser has what this entity tag stands for: `known` are the tags of its copies.
pub fn is_known(known: Option<&str>, tag: &str) -> bool {
    let is_it = |one: &str| one.trim().trim_start_matches("W/") == tag;
    known.is_some_and(|known| known.trim() == "*" || known.split(',').any(is_it))
}

fn json(value: &serde_json::Value) -> Answer {
    respond(StatusCode::OK, "application/json", value.to_string())
}

pub fn plain(status: StatusCode, line: &'static str) -> Answer {
    respond(status, "text/plain", line)
}

pub fn respond(status: StatusCode, kind: &'static str, body: impl Into<Bytes>) -> Answer {
    let mut answer = web::respond(status, kind, body);
    // No other site's page may show our answers, not even as a picture.
    let policy = header::HeaderName::from_static("cross-origin-resource-policy");
    answer.headers_mut().insert(policy, HeaderValue::from_static("same-origin"));
    answer
}

/// A path with its %41 escapes decoded; `None` if the result is not valid text.
fn decoded(path: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        if first != b'%' {
            bytes.push(first);
            continue;
        }
        let (digits, after) = rest.split_at_checked(2)?;
        let digits = std::str::from_utf8(digits).ok().filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()))?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        rest = after;
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod test {
    use super::{decoded, is_known, is_osc};

    #[test]
    fn osc_is_told_from_requests() {
        for osc in [&b"\0\0\0\x10/psi"[..], b"\xc0/psi", b"/psi", b"#bundle"] {
            assert!(is_osc(osc[0]), "{osc:?}");
        }
        for request in [&b"GET / HTTP/1.1"[..], b"HEAD / HTTP/1.1", b"\x16\x03\x01"] {
            assert!(!is_osc(request[0]), "{request:?}");
        }
    }

    #[test]
    fn a_tag_is_known_as_a_whole() {
        for known in ["\"1f\"", "W/\"1f\"", "\"a\", \"1f\"", " * "] {
            assert!(is_known(Some(known), "\"1f\""), "{known}");
        }
        for other in [None, Some(""), Some("\"1\""), Some("\"a\"1f\"\""), Some("1f")] {
            assert!(!is_known(other, "\"1f\""), "{other:?}");
        }
    }

    #[test]
    fn paths_are_decoded_or_refused() {
        assert_eq!(decoded("/1/fader%C3%A9").as_deref(), Some("/1/fader\u{e9}"));
        assert_eq!(decoded("/psi").as_deref(), Some("/psi"));
        for wrong in ["/%", "/%4", "/%+1", "/%ff", "/%zz"] {
            assert_eq!(decoded(wrong), None, "{wrong}");
        }
    }
}
