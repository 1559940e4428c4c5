//! The names that can be played: `GET /?NAMES`. The server is given a function that looks them up, as it knows no folders;
//! it is called on a thread of its own, and rarely.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};

/// For how long an answer is used again.
const FRESH: Duration = Duration::from_secs(2);

/// What can be played, by name, in the order in which to offer it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    pub presets: Vec<String>,
    /// The number by which `/preset` finds each of them, if there is one.
    pub numbers: Vec<Option<usize>>,
    /// Those that make pictures.
    pub networks: Vec<String>,
    /// Those that paint over pictures.
    pub style_networks: Vec<String>,
}

impl Names {
    fn json(&self) -> Json {
        let Names { presets, numbers, networks, style_networks } = self;
        json!({ "PRESETS": presets, "NUMBERS": numbers, "NETWORKS": networks, "STYLE_NETWORKS": style_networks })
    }
}

/// Looks up the names. May read folders.
pub type LookUp = Arc<dyn Fn() -> Names + Send + Sync>;

/// The last answer, and how to get the next. Clones share it.
#[derive(Clone)]
pub struct Known {
    look_up: LookUp,
    last: Arc<tokio::sync::Mutex<Option<(Instant, Json)>>>,
}

impl Known {
    pub fn new(look_up: LookUp) -> Self {
        Known { look_up, last: Arc::default() }
    }

    /// The names as JSON. One look-up at a time; the others wait for it.
    pub async fn json(&self) -> Json {
        let mut last = self.last.lock().await;
        if let Some((at, json)) = &*last
            && at.elapsed() < FRESH
        {
            return json.clone();
        }
        let look_up = self.look_up.clone();
        let names = tokio::task::spawn_blocking(move || look_up()).await.unwrap_or_default();
        let json = names.json();
        *last = Some((Instant::now(), json.clone()));
        json
    }
}
