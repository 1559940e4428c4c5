//! What the explorer's page gets: an endless grid of small pictures, sorted and starred.
//!
//! | request | answer |
//! | --- | --- |
//! | `GET /` | a page of its own |
//! | `GET /explore.js`, `/explore.css` | what builds the explorer, in that page or another |
//! | `GET /info` | the network, its classes and directions; the times, where pictures are not seeds but moments |
//! | `GET /picture/ID?seed=3&psi=1` | a JPEG, which the browser keeps: `ID` changes with the network's file |
//! | `GET /rough/ID?seeds=3,4&psi=1` | these, small and blurred but soon there, below one another as a JPEG |
//! | `GET /order?sort=artifacts&count=500` | how many pictures have been looked at, or the seeds in order |
//! | `GET /stars` | seed, psi and class of the network's favourites |
//! | `POST /star?seeds=3,4&on=true` | adds favourites, or takes them back |
//!
//! Runs on the thread of a server, which decides who may ask, and waits for nothing but the worker's answers.

use std::path::PathBuf;
use std::sync::Arc;

use clap::ValueEnum;
use hyper::StatusCode;
use hyper::header::{self, HeaderName, HeaderValue};
use serde_json::json;

use super::directions::Direction;
use super::order::Order;
use super::studio::{Moment, Settings};
use super::worker::{Ask, OrderAsk, Progress, Queue, Refused};
use crate::control::web::{Answer, respond};
use crate::network::Network;
use crate::patch::locate::name_of;

/// Most seeds that are starred at once.
const MOST_STARS: usize = 500;
/// Most rough pictures at once.
const MOST_ROUGH: usize = 64;
/// Most seeds of an order.
const MOST_SORTED: u32 = 20_000;
const JSON: &str = "application/json";

/// What the page is told about the network.
#[derive(Clone, Debug)]
pub struct About {
    pub network: String,
    pub psi: f32,
    pub class: f64,
    /// Names of the classes, or their numbers.
    pub classes: Vec<String>,
    pub width: usize,
    pub height: usize,
    pub favourites: PathBuf,
    /// The times of the moments that are shown; `None` for seeds.
    pub times: Option<Vec<String>>,
}

impl About {
    /// The page begins with these settings.
    pub fn new(network: &Network, settings: Settings, favourites: PathBuf) -> About {
        let [height, width] = network.picture_size();
        let classes = match network.class_names.as_slice() {
            [] if network.mapping.c_dim > 0 => (0..network.mapping.c_dim).map(|class| class.to_string()).collect(),
            names => names.to_vec(),
        };
        let network = name_of(&network.path);
        let Settings { psi, class } = settings;
        About { network, psi, class, classes, width, height, favourites, times: None }
    }

    /// The page shows these moments of what is called `name`, with nothing to choose but a direction.
    pub fn of_moments(network: &Network, name: String, moments: &[Moment], favourites: PathBuf) -> About {
        let times = moments.iter().map(Moment::time).collect();
        let about = About::new(network, Settings { psi: 1.0, class: 0.0 }, favourites);
        About { network: name, classes: Vec::new(), times: Some(times), ..about }
    }
}

/// A request that the server lets pass.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    pub is_post: bool,
    /// Below the explorer's folder, decoded: `info`.
    pub path: &'a str,
    pub query: &'a str,
    /// Whether it may write the file of favourites.
    pub may_star: bool,
}

/// Answers for one network. Clones share it.
#[derive(Clone)]
pub struct Site {
    about: Arc<About>,
    queue: Queue,
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

fn ended<E>(_: E) -> Refused {
    Refused::Failed("the explorer ends".to_owned())
}

impl Site {
    pub fn new(about: About, queue: Queue) -> Site {
        Site { about: Arc::new(about), queue }
    }

    pub async fn answer(&self, request: Request<'_>) -> Answer {
        refined(self.route(request).await)
    }

    async fn route(&self, request: Request<'_>) -> Result<Answer, Refusal> {
        let Request { is_post, path, query, may_star } = request;
        if is_post != (path == "star") {
            let expected = if is_post { "GET" } else { "POST" };
            return Err(Refusal(StatusCode::METHOD_NOT_ALLOWED, format!("/{path}: expected {expected}")));
        }
        if let Some(file) = file(path) {
            return Ok(file);
        }
        match path {
            "info" => self.info().await,
            "order" => self.order(query),
            "stars" => self.stars().await,
            "star" if !may_star => {
                let line = "stars are kept only on the machine that plays".to_owned();
                Err(Refusal(StatusCode::FORBIDDEN, line))
            }
            "star" => self.star(query).await,
            _ => match path.split_once('/') {
                Some(("picture", id)) if self.is_own(id).await => self.picture(query).await,
                Some(("rough", id)) if self.is_own(id).await => self.rough(query).await,
                _ => Err(Refusal(StatusCode::NOT_FOUND, format!("no page /{path}"))),
            },
        }
    }

    /// Whether this is the id of the network's file.
    async fn is_own(&self, id: &str) -> bool {
        self.queue.id().await.as_deref() == Some(id)
    }

    async fn info(&self) -> Result<Answer, Refusal> {
        let about = &*self.about;
        let id = self.queue.id().await.ok_or(()).map_err(ended)?;
        let directions = self.queue.directions();
        let names: Vec<&str> =
            directions.iter().flat_map(|all| all.iter()).map(|Direction { name, .. }| name.as_str()).collect();
        let info = json!({
            "network": about.network, "id": &*id, "psi": number(about.psi), "class": about.class,
            "classes": about.classes, "width": about.width, "height": about.height,
            "favourites": about.favourites.display().to_string(),
            // null for seeds
            "times": about.times,
            "is_complete": directions.is_some(), "directions": names,
            // null until that is known
            "rough": self.queue.has_rough(),
        });
        Ok(respond(StatusCode::OK, JSON, info.to_string()))
    }

    async fn stars(&self) -> Result<Answer, Refusal> {
        let stars = self.queue.stars().await.map_err(ended)??;
        let stars: Vec<_> = stars.iter().map(|(seed, psi, class)| json!([seed, number(*psi), class])).collect();
        Ok(respond(StatusCode::OK, JSON, json!(stars).to_string()))
    }

    async fn picture(&self, query: &str) -> Result<Answer, Refusal> {
        let ask = self.ask(query, parsed(query, "seed", None)?)?;
        let side: u32 = parsed(query, "side", Some(256))?;
        let jpeg = self.queue.picture(ask, side.clamp(16, 8192)).await.map_err(ended)??;
        let mut answer = respond(StatusCode::OK, "image/jpeg", jpeg);
        // The same address is the same picture; along a direction it depends on what is found later.
        if ask.along.is_none() {
            let keep = HeaderValue::from_static("private, max-age=604800, immutable");
            answer.headers_mut().insert(header::CACHE_CONTROL, keep);
        }
        Ok(answer)
    }

    /// They are drawn again rather than kept: that costs little, and soon the whole ones are there.
    async fn rough(&self, query: &str) -> Result<Answer, Refusal> {
        let asks = seeds(query, "seeds", MOST_ROUGH)?.into_iter().map(|seed| self.ask(query, seed));
        let asks = asks.collect::<Result<_, _>>()?;
        let none = |line: &str| Err(Refusal(StatusCode::NOT_FOUND, line.to_owned()));
        match self.queue.has_rough() {
            Some(true) => {}
            Some(false) => return none("the network has no rough pictures"),
            None => return none("whether the network has rough pictures is being found out"),
        }
        let strip = self.queue.rough(asks).await.map_err(ended)??;
        Ok(respond(StatusCode::OK, "image/jpeg", strip))
    }

    fn order(&self, query: &str) -> Result<Answer, Refusal> {
        let sort = field(query, "sort").unwrap_or("seed");
        let order = Order::from_str(sort, true).map_err(|_| wrong(format!("sort: no order {sort:?}")))?;
        let count: u32 = parsed(query, "count", Some(500))?;
        if !(1..=MOST_SORTED).contains(&count) {
            return Err(wrong(format!("count: expected 1 to {MOST_SORTED}, found {count}")));
        }
        let like = if order == Order::Like { seeds(query, "like", MOST_STARS)? } else { Vec::new() };
        like.iter().try_for_each(|seed| self.ask(query, *seed).map(drop))?;
        let answer = match self.queue.order(&OrderAsk { order, count, settings: self.settings(query)?, like }) {
            Progress::Looked { looked, of } => json!({ "looked": looked, "of": of, "seeds": null }),
            Progress::Sorted(seeds) => json!({ "seeds": *seeds }),
            Progress::Failed(line) => return Err(Refused::Failed(line).into()),
        };
        Ok(respond(StatusCode::OK, JSON, answer.to_string()))
    }

    async fn star(&self, query: &str) -> Result<Answer, Refusal> {
        let on = parsed(query, "on", Some(true))?;
        let asks = seeds(query, "seeds", MOST_STARS)?.into_iter().map(|seed| self.ask(query, seed));
        let asks = asks.collect::<Result<_, _>>()?;
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
        if let Some(times) = &self.about.times
            && seed as usize >= times.len()
        {
            return Err(wrong(format!("expected one of {} pictures, found {seed}", times.len())));
        }
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

/// An answer with what every one of them says.
fn refined(answer: Result<Answer, Refusal>) -> Answer {
    let plain = |Refusal(status, line)| respond(status, "text/plain; charset=UTF-8", line);
    let mut answer = answer.unwrap_or_else(plain);
    let headers = answer.headers_mut();
    let policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; \
                  frame-ancestors 'none'; base-uri 'none'; form-action 'none'";
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    let own = HeaderName::from_static("cross-origin-resource-policy");
    headers.insert(own, HeaderValue::from_static("same-origin"));
    answer
}

/// An answer that says why there is none.
pub fn refusal(status: StatusCode, line: &str) -> Answer {
    refined(Err(Refusal(status, line.to_owned())))
}

/// A file of the page.
fn file(path: &str) -> Option<Answer> {
    let (kind, text) = match path {
        "" => ("text/html; charset=UTF-8", include_str!("page/explore.html")),
        "explore.css" => ("text/css; charset=UTF-8", include_str!("page/explore.css")),
        "alone.js" => ("text/javascript; charset=UTF-8", include_str!("page/alone.js")),
        "explore.js" => ("text/javascript; charset=UTF-8", include_str!("page/explore.js")),
        _ => return None,
    };
    Some(respond(StatusCode::OK, kind, text))
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
fn seeds(query: &str, name: &str, most: usize) -> Result<Vec<u32>, Refusal> {
    let text = field(query, name).unwrap_or_default().replace("%2C", ",");
    let seeds: Result<Vec<u32>, _> = text.split(',').map(str::parse).collect();
    let seeds = seeds.ok().filter(|seeds| seeds.len() <= most);
    seeds.ok_or_else(|| wrong(format!("{name}: expected 1 to {most} seeds with commas between, found {text:?}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_or_named() {
        let query = "seeds=1%2C2,30&psi=0.7&empty=";
        assert_eq!(seeds(query, "seeds", 3).ok(), Some(vec![1, 2, 30]));
        assert_eq!(seeds(query, "seeds", 2).err().map(|refusal| refusal.0), Some(StatusCode::BAD_REQUEST));
        assert_eq!(parsed::<f32>(query, "psi", None).ok(), Some(0.7));
        assert_eq!(parsed(query, "count", Some(5)).ok(), Some(5));
        for name in ["empty", "none"] {
            let line = seeds(query, name, 3).err().map(|refusal| refusal.1).unwrap();
            assert!(line.starts_with(name), "{line}");
            assert!(parsed::<u32>(query, name, None).err().is_some_and(|refusal| refusal.1.starts_with(name)));
        }
    }
}
