//! The explorer's page, on this machine only: an endless grid of small pictures, sorted and starred.
//!
//! | request | answer |
//! | --- | --- |
//! | `GET /` | the page |
//! | `GET /info` | the network, its classes and directions, and the stars |
//! | `GET /picture/ID?seed=3&psi=1` | a JPEG, which the browser keeps: `ID` changes with the network's file |
//! | `GET /order?sort=artifacts&count=500` | how many pictures have been looked at, or the seeds in order |
//! | `POST /star?seeds=3,4&on=true` | adds favourites, or takes them back |
//!
//! Runs on the thread `explore page`. Only this page may ask: what it asks for writes to the file of favourites.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use clap::ValueEnum;
use hyper::body::Incoming;
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::{Method, Request, StatusCode};
use serde_json::json;
use tokio::sync::{Notify, Semaphore};

use super::favourites;
use super::order::Order;
use super::studio::Settings;
use super::worker::{Ask, OrderAsk, Progress, Queue, Refused};
use crate::control::query::may_ask;
use crate::control::web::{self, Answer, Timeouts, respond};

/// Maximum connections; further ones wait.
const MAX_CONNECTIONS: usize = 32;
/// Most seeds that are starred at once.
const MOST_STARS: usize = 500;
/// Most seeds of an order.
const MOST_SORTED: u32 = 20_000;
const JSON: &str = "application/json";

/// What the page is told about the network.
#[derive(Clone, Debug)]
pub struct About {
    pub network: String,
    /// Changes with the network's file.
    pub id: String,
    pub psi: f32,
    pub class: f64,
    /// Names of the classes, or their numbers.
    pub classes: Vec<String>,
    pub width: usize,
    pub height: usize,
    pub favourites: std::path::PathBuf,
    /// What favourites call the network.
    pub named: String,
}

/// A running server. Dropping it closes every connection.
pub struct Server {
    address: SocketAddr,
    directions: Directions,
    stop: Arc<Notify>,
    thread: Option<JoinHandle<()>>,
}

/// The names of the directions; `None` until they have been found. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Directions(Arc<Mutex<Option<Vec<String>>>>);

#[derive(Clone)]
struct Site {
    about: Arc<About>,
    queue: Queue,
    directions: Directions,
}

impl Server {
    /// Listens on this machine. Port 0 chooses a free one.
    ///
    /// # Errors
    /// When the port is taken, or the system refuses the thread.
    pub fn start(port: u16, about: About, queue: Queue) -> std::io::Result<Server> {
        let (listener, address) = web::open((Ipv4Addr::LOCALHOST, port).into())?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
        let directions = Directions::default();
        let site = Site { about: Arc::new(about), queue, directions: directions.clone() };
        let stop = Arc::new(Notify::new());
        let stopped = stop.clone();
        let run = move || {
            runtime.block_on(async move {
                tokio::select! {
                    () = web::serve(vec![listener], Arc::new(Semaphore::new(MAX_CONNECTIONS)), site) => {}
                    () = stopped.notified() => {}
                }
            });
        };
        let thread = std::thread::Builder::new().name("explore page".to_owned()).spawn(run)?;
        Ok(Server { address, directions, stop, thread: Some(thread) })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where the names of the directions are put.
    pub fn directions(&self) -> Directions {
        self.directions.clone()
    }
}

impl Directions {
    /// The names, in the order in which the worker has the steps.
    pub fn set(&self, names: Vec<String>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(names);
    }

    fn get(&self) -> Option<Vec<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
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

/// Why a request has no answer.
struct Refusal(StatusCode, String);

impl From<Refused> for Refusal {
    fn from(refused: Refused) -> Refusal {
        let status = match refused {
            Refused::Busy => StatusCode::SERVICE_UNAVAILABLE,
            Refused::Failed(_) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Refusal(status, refused.to_string())
    }
}

fn wrong(line: String) -> Refusal {
    Refusal(StatusCode::BAD_REQUEST, line)
}

impl web::Site for Site {
    fn timeouts(&self) -> Timeouts {
        // Pictures of a large network may take their time.
        Timeouts { silence: std::time::Duration::from_secs(120), ..Timeouts::default() }
    }

    async fn answer(self, request: Request<Incoming>, _from: SocketAddr) -> Answer {
        let mut answer = match self.route(&request).await {
            Ok(answer) => answer,
            Err(Refusal(status, line)) => respond(status, "text/plain; charset=UTF-8", line),
        };
        let headers = answer.headers_mut();
        let policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; \
                      frame-ancestors 'none'; base-uri 'none'; form-action 'none'";
        headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
        let own = HeaderName::from_static("cross-origin-resource-policy");
        headers.insert(own, HeaderValue::from_static("same-origin"));
        answer
    }
}

impl Site {
    async fn route(&self, request: &Request<Incoming>) -> Result<Answer, Refusal> {
        let header = |name: HeaderName| request.headers().get(name).and_then(|value| value.to_str().ok());
        let by = header(HeaderName::from_static("sec-fetch-site"));
        if !may_ask(header(header::HOST), header(header::ORIGIN), by, true) {
            return Err(Refusal(StatusCode::FORBIDDEN, "unknown host or origin".to_owned()));
        }
        let query = request.uri().query().unwrap_or_default();
        let path = request.uri().path();
        let expected = if path == "/star" { Method::POST } else { Method::GET };
        if *request.method() != expected {
            return Err(Refusal(
                StatusCode::METHOD_NOT_ALLOWED,
                format!("{path}: expected {expected}, found {}", request.method()),
            ));
        }
        match path {
            "/" => Ok(respond(StatusCode::OK, "text/html; charset=UTF-8", include_str!("page/explore.html"))),
            "/explore.css" => Ok(respond(StatusCode::OK, "text/css", include_str!("page/explore.css"))),
            "/explore.js" => {
                Ok(respond(StatusCode::OK, "text/javascript; charset=UTF-8", include_str!("page/explore.js")))
            }
            "/info" => self.info(),
            "/order" => self.order(query),
            "/star" => self.star(query).await,
            _ if path.strip_prefix("/picture/").is_some_and(|id| id == self.about.id) => self.picture(query).await,
            _ => Err(Refusal(StatusCode::NOT_FOUND, format!("no page {path}"))),
        }
    }

    fn info(&self) -> Result<Answer, Refusal> {
        let about = &*self.about;
        let failed = |error: favourites::FavouritesError| Refused::Failed(error.to_string());
        let stars = favourites::read(&about.favourites).map_err(failed)?;
        let stars: Vec<_> = stars
            .iter()
            .filter(|star| star.network == about.named)
            .map(|star| json!([star.seed, number(star.psi), star.class]))
            .collect();
        let directions = self.directions.get();
        let info = json!({
            "network": about.network, "id": about.id, "psi": number(about.psi), "class": about.class,
            "classes": about.classes, "width": about.width, "height": about.height,
            "favourites": about.favourites.display().to_string(), "stars": stars,
            "is_complete": directions.is_some(), "directions": directions.unwrap_or_default(),
        });
        Ok(respond(StatusCode::OK, JSON, info.to_string()))
    }

    async fn picture(&self, query: &str) -> Result<Answer, Refusal> {
        let ask = self.ask(query, parsed(query, "seed", None)?)?;
        let side: u32 = parsed(query, "side", Some(256))?;
        let ended = |_| Refused::Failed("the explorer ends".to_owned());
        let jpeg = self.queue.picture(ask, side.clamp(16, 8192)).await.map_err(ended)??;
        let mut answer = respond(StatusCode::OK, "image/jpeg", jpeg);
        // The same address is the same picture; along a direction it depends on what is found later.
        if ask.along.is_none() {
            let keep = HeaderValue::from_static("private, max-age=604800, immutable");
            answer.headers_mut().insert(header::CACHE_CONTROL, keep);
        }
        Ok(answer)
    }

    fn order(&self, query: &str) -> Result<Answer, Refusal> {
        let sort = field(query, "sort").unwrap_or("seed");
        let order = Order::from_str(sort, true).map_err(|_| wrong(format!("sort: no order {sort:?}")))?;
        let count: u32 = parsed(query, "count", Some(500))?;
        if !(1..=MOST_SORTED).contains(&count) {
            return Err(wrong(format!("count: expected 1 to {MOST_SORTED}, found {count}")));
        }
        let like = if order == Order::Like { seeds(query, "like")? } else { Vec::new() };
        let answer = match self.queue.order(&OrderAsk { order, count, settings: self.settings(query)?, like }) {
            Progress::Looked { looked, of } => json!({ "looked": looked, "of": of, "seeds": null }),
            Progress::Sorted(seeds) => json!({ "seeds": *seeds }),
            Progress::Failed(line) => return Err(Refused::Failed(line).into()),
        };
        Ok(respond(StatusCode::OK, JSON, answer.to_string()))
    }

    async fn star(&self, query: &str) -> Result<Answer, Refusal> {
        let on = parsed(query, "on", Some(true))?;
        let asks = seeds(query, "seeds")?.into_iter().map(|seed| self.ask(query, seed)).collect::<Result<_, _>>()?;
        let ended = |_| Refused::Failed("the explorer ends".to_owned());
        let changed = self.queue.star(asks, on).await.map_err(ended)??;
        Ok(respond(StatusCode::OK, JSON, json!({ "changed": changed }).to_string()))
    }

    fn settings(&self, query: &str) -> Result<Settings, Refusal> {
        let (psi, class): (f32, f64) =
            (parsed(query, "psi", Some(self.about.psi))?, parsed(query, "class", Some(0.0))?);
        let last = self.about.classes.len().saturating_sub(1) as f64;
        if !(-4.0..=4.0).contains(&psi) || !(0.0..=last).contains(&class) {
            return Err(wrong(format!(
                "expected psi from -4 to 4 and class from 0 to {last}, found {psi} and {class}"
            )));
        }
        Ok(Settings { psi, class })
    }

    fn ask(&self, query: &str, seed: u32) -> Result<Ask, Refusal> {
        let within = |name: &str, value: f32, most: f32| {
            (value.abs() <= most)
                .then_some(value)
                .ok_or_else(|| wrong(format!("{name}: expected at most {most}, found {value}")))
        };
        let along = match field(query, "dir") {
            Some(_) => {
                Some((parsed(query, "dir", None)?, within("amount", parsed(query, "amount", Some(0.0))?, 100.0)?))
            }
            None => None,
        };
        let around = match field(query, "around") {
            Some(_) => {
                Some((parsed(query, "around", None)?, within("radius", parsed(query, "radius", Some(0.3))?, 4.0)?))
            }
            None => None,
        };
        Ok(Ask { seed, settings: self.settings(query)?, along, around })
    }
}

/// The number as it is written, without the digits that 64 bits add.
fn number(x: f32) -> serde_json::Value {
    json!(x.to_string().parse::<f64>().unwrap_or(f64::from(x)))
}

/// A field of a query; none is escaped.
fn field<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    query.split('&').filter_map(|field| field.split_once('=')).find(|(key, _)| *key == name).map(|(_, value)| value)
}

fn parsed<T: std::str::FromStr>(query: &str, name: &str, default: Option<T>) -> Result<T, Refusal> {
    match (field(query, name), default) {
        (Some(text), _) => text.parse().map_err(|_| wrong(format!("{name}: no such value {text:?}"))),
        (None, Some(default)) => Ok(default),
        (None, None) => Err(wrong(format!("{name} is missing"))),
    }
}

/// Seeds, separated by commas, which a browser may have escaped.
fn seeds(query: &str, name: &str) -> Result<Vec<u32>, Refusal> {
    let text = field(query, name).unwrap_or_default().replace("%2C", ",");
    let seeds: Result<Vec<u32>, _> = text.split(',').map(str::parse).collect();
    let seeds = seeds.ok().filter(|seeds| seeds.len() <= MOST_STARS);
    seeds.ok_or_else(|| wrong(format!("{name}: expected 1 to {MOST_STARS} seeds with commas between, found {text:?}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_or_named() {
        let query = "seeds=1%2C2,30&psi=0.7&empty=";
        assert_eq!(seeds(query, "seeds").ok(), Some(vec![1, 2, 30]));
        assert_eq!(parsed::<f32>(query, "psi", None).ok(), Some(0.7));
        assert_eq!(parsed(query, "count", Some(5)).ok(), Some(5));
        for name in ["empty", "none"] {
            let line = seeds(query, name).err().map(|refusal| refusal.1).unwrap();
            assert!(line.starts_with(name), "{line}");
            assert!(parsed::<u32>(query, name, None).err().is_some_and(|refusal| refusal.1.starts_with(name)));
        }
    }
}
