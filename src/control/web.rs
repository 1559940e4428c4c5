//! What the servers for browsers share: connections over HTTP and their limits, WebSockets, and whose requests count.
//!
//! Runs on the thread of the server that uses it. It knows no paths and gives no answers: a [`Site`] does.

use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{self, HeaderValue};
use hyper::upgrade::Upgraded;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::sync::Semaphore;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

/// Maximum size of the headers, in bytes.
const MAX_HEADERS: usize = 16 << 10;

pub type Answer = Response<Full<Bytes>>;
pub type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// How long to wait for clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// A client must have sent its request within this time.
    pub request: Duration,
    /// A connection without further requests for this long is closed, even if its last answer was not read.
    pub silence: Duration,
    /// Interval of WebSocket pings; after two without an answer the socket is closed.
    pub ping: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        let secs = Duration::from_secs;
        Timeouts { request: secs(10), silence: secs(30), ping: secs(15) }
    }
}

/// Answers requests. Clones share their state.
pub(crate) trait Site: Clone + Send + Sync + 'static {
    fn timeouts(&self) -> Timeouts;

    /// Whether a connection that begins with this byte is served. Requests begin with a capital letter.
    fn takes(&self, _first: u8, _from: SocketAddr) -> bool {
        true
    }

    fn answer(self, request: Request<Incoming>, from: SocketAddr) -> impl Future<Output = Answer> + Send;
}

/// Opens a port.
///
/// # Errors
/// When it is taken, or the address is not this machine's.
pub(crate) fn open(address: SocketAddr) -> std::io::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    let local = listener.local_addr()?;
    Ok((listener, local))
}

/// Accepts connections for ever, as many at once as `connections` has permits; further ones wait.
pub(crate) async fn serve(listeners: Vec<TcpListener>, connections: Arc<Semaphore>, site: impl Site) {
    let accepting = listeners.into_iter().map(|listener| accept(listener, connections.clone(), site.clone()));
    futures_util::future::join_all(accepting).await;
}

async fn accept(listener: TcpListener, connections: Arc<Semaphore>, site: impl Site) {
    let listener = match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => return tracing::warn!("no connections: {error}"),
    };
    loop {
        // Never closed while this runs.
        let Ok(place) = connections.clone().acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, from)) => {
                let site = site.clone();
                tokio::spawn(async move {
                    connection(stream, from, site).await;
                    drop(place);
                });
            }
            // Too many open files, or the network is down; it may recover.
            Err(_) => tokio::time::sleep(Duration::from_millis(200)).await,
        }
    }
}

async fn connection(stream: tokio::net::TcpStream, from: SocketAddr, site: impl Site) {
    let _ = stream.set_nodelay(true);
    let timeouts = site.timeouts();
    let mut first = [0; 1];
    match tokio::time::timeout(timeouts.request, stream.peek(&mut first)).await {
        Ok(Ok(1)) if !site.takes(first[0], from) => return,
        Ok(Ok(_)) => {}
        // It said nothing, or is gone.
        Ok(Err(_)) | Err(_) => return,
    }
    let requests = AtomicU64::new(0);
    let service = hyper::service::service_fn(|request| {
        requests.fetch_add(1, Ordering::Relaxed);
        let site = site.clone();
        async move { Ok::<_, std::convert::Infallible>(site.answer(request, from).await) }
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(timeouts.request)
        .max_buf_size(MAX_HEADERS)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    tokio::select! {
        // A client that disconnects is normal.
        _ = connection => {}
        () = silence(&requests, timeouts.silence) => {}
    }
}

/// Returns once no request has arrived for this long: the client may have stopped reading its answer.
async fn silence(requests: &AtomicU64, timeout: Duration) {
    let mut before = None;
    while before.replace(requests.load(Ordering::Relaxed)) != Some(requests.load(Ordering::Relaxed)) {
        tokio::time::sleep(timeout).await;
    }
}

/// Answers the handshake of a WebSocket whose messages have at most `longest` bytes; once it is open, `play` gets it. `None`
/// if the request is no handshake.
pub(crate) fn upgrade<F: Future<Output = ()> + Send>(
    request: &mut Request<Incoming>,
    longest: usize,
    play: impl FnOnce(Socket) -> F + Send + 'static,
) -> Option<Answer> {
    let key = request.headers().get(header::SEC_WEBSOCKET_KEY)?;
    let accept = HeaderValue::from_str(&derive_accept_key(key.as_bytes())).ok()?;
    let upgraded = hyper::upgrade::on(request);
    tokio::spawn(async move {
        if let Ok(upgraded) = upgraded.await {
            let config = WebSocketConfig::default()
                .max_message_size(Some(longest))
                .max_frame_size(Some(longest))
                .read_buffer_size(16 << 10)
                .write_buffer_size(16 << 10)
                .max_write_buffer_size(longest.max(1 << 20));
            play(WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, Some(config)).await).await;
        }
    });
    let mut answer = respond(StatusCode::SWITCHING_PROTOCOLS, "text/plain", "");
    let headers = answer.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    Some(answer)
}

/// Whether a request asks for a WebSocket.
pub(crate) fn wants_socket(request: &Request<Incoming>) -> bool {
    let upgrade = request.headers().get(header::UPGRADE);
    upgrade.is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket"))
}

/// An answer that nobody keeps, and that is only what it says it is.
pub(crate) fn respond(status: StatusCode, kind: &'static str, body: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Full::new(body.into()));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    answer
}

/// Whether the `Host` of a request is a name of this machine that no outsider can own.
///
/// Any web page can make a browser call any address of this machine, even under the page's own domain name pointed here
/// ("DNS rebinding"). On the loopback only `localhost` and loopback addresses are ours; on the network also any numeric
/// address, a bare host name, and `.local`.
pub(crate) fn is_our_host(host: &str, on_loopback: bool) -> bool {
    let name = name_of(host);
    match name.parse::<IpAddr>() {
        Ok(ip) => !on_loopback || ip.is_loopback(),
        Err(_) if name.eq_ignore_ascii_case("localhost") => true,
        Err(_) => !on_loopback && (!name.contains('.') || name.to_ascii_lowercase().ends_with(".local")),
    }
}

/// The name or address of `name:port`, without the brackets of IPv6.
fn name_of(host: &str) -> &str {
    if let Some(rest) = host.strip_prefix('[') {
        return rest.split(']').next().unwrap_or_default();
    }
    host.rsplit_once(':').map_or(host, |(name, _)| name)
}
