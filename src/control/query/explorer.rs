//! The explorer's tab over HTTP: everything below `/explore/`. The server says who asks; what answers is not in this room.

use std::pin::Pin;

use hyper::StatusCode;

use super::http::{Answer, plain};

/// How its paths begin.
pub const PATH: &str = "/explore/";

/// What a client wants of the explorer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    pub is_post: bool,
    /// What follows [`PATH`], decoded.
    pub path: String,
    pub query: String,
    /// Whether the client is on this machine.
    pub is_local: bool,
}

/// An answer that may take its time; if the client goes, it is dropped.
pub type Answering = Pin<Box<dyn Future<Output = Answer> + Send>>;

/// Who shows the network's pictures.
pub trait Explorer: Send + Sync {
    /// Begins an answer, and waits for nothing.
    fn answer(&self, wish: Wish) -> Answering;
}

pub async fn answer(explorer: Option<&dyn Explorer>, wish: Wish) -> Answer {
    match explorer {
        Some(explorer) => explorer.answer(wish).await,
        None => plain(StatusCode::NOT_FOUND, "there is no explorer here"),
    }
}
