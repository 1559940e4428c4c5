//! The explorer's page as a server of its own, on this machine only.
//!
//! Runs on the thread `explore page`. Only its page may ask: what that asks for writes to the file of favourites.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::thread::JoinHandle;

use hyper::body::Incoming;
use hyper::header::{self, HeaderName};
use hyper::{Method, Request, StatusCode};
use tokio::sync::{Notify, Semaphore};

use super::site::{self, Site, refusal};
use crate::control::query::may_ask;
use crate::control::web::{self, Answer, Timeouts};

/// Maximum connections; further ones wait.
const MAX_CONNECTIONS: usize = 32;

/// A running server. Dropping it closes every connection.
pub struct Server {
    address: SocketAddr,
    stop: Arc<Notify>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Listens on this machine. Port 0 chooses a free one.
    ///
    /// # Errors
    /// When the port is taken, or the system refuses the thread.
    pub fn start(port: u16, site: Site) -> std::io::Result<Server> {
        let (listener, address) = web::open((Ipv4Addr::LOCALHOST, port).into())?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
        let stop = Arc::new(Notify::new());
        let stopped = stop.clone();
        let run = move || {
            runtime.block_on(async move {
                tokio::select! {
                    () = web::serve(vec![listener], Arc::new(Semaphore::new(MAX_CONNECTIONS)), Alone(site)) => {}
                    () = stopped.notified() => {}
                }
            });
        };
        let thread = std::thread::Builder::new().name("explore page".to_owned()).spawn(run)?;
        Ok(Server { address, stop, thread: Some(thread) })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.notify_one();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The whole server is the explorer.
#[derive(Clone)]
struct Alone(Site);

impl web::Site for Alone {
    fn timeouts(&self) -> Timeouts {
        // Pictures of a large network may take their time.
        Timeouts { silence: std::time::Duration::from_secs(120), ..Timeouts::default() }
    }

    async fn answer(self, request: Request<Incoming>, _from: SocketAddr) -> Answer {
        let header = |name: HeaderName| request.headers().get(name).and_then(|value| value.to_str().ok());
        let by = header(HeaderName::from_static("sec-fetch-site"));
        if !may_ask(header(header::HOST), header(header::ORIGIN), by, true) {
            return refusal(StatusCode::FORBIDDEN, "unknown host or origin");
        }
        let is_post = match *request.method() {
            Method::GET | Method::HEAD => false,
            Method::POST => true,
            _ => return refusal(StatusCode::METHOD_NOT_ALLOWED, "only GET and POST"),
        };
        let path = request.uri().path().trim_start_matches('/');
        let query = request.uri().query().unwrap_or_default();
        self.0.answer(site::Request { is_post, path, query, may_star: true }).await
    }
}
