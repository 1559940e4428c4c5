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
    /// Those that make pictures.
    pub networks: Vec<String>,
    /// Those that paint over pictures.
    pub style_networks: Vec<String>,
}

impl Names {
    fn json(&self) -> Json {
        json!({ "PRESETS": self.presets, "NETWORKS": self.networks, "STYLE_NETWORKS": self.style_networks })
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
