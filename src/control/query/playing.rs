//! What the page shows besides the tree: the names of the styles, what waits for its beat, what sets the tempo, the last
//! notices, and errors until they are mended or were read. Our own extension: `GET /?PLAYING`, and pushed to WebSockets that send `LISTEN` for it.

use std::sync::Arc;

use serde_json::{Value as Json, json};

use crate::control::Write;
use crate::control::scene::{Notices, Scene};
use crate::params::Value;

/// A copy of a [`Scene`], made when it changes. Immutable, so that a client may keep it while the show goes on.
#[derive(Clone, Debug, Default)]
pub struct Playing {
    styles: Vec<String>,
    tempo_from: &'static str,
    waiting: Vec<Write>,
    notices: Notices,
    faults: Vec<String>,
    /// Grows with each change; 0 before the first.
    pub serial: u64,
}

impl Playing {
    /// Whether nothing has changed. Allocates nothing.
    pub fn is_of(&self, scene: &Scene) -> bool {
        self.serial > 0
            && self.notices.count() == scene.notices.count()
            && self.tempo_from == scene.tempo_from
            && self.styles == scene.styles
            && self.faults == scene.faults
            && self.waiting == scene.waiting
    }

    /// The next one.
    pub fn after(&self, scene: &Scene) -> Arc<Playing> {
        Arc::new(Playing {
            styles: scene.styles.to_vec(),
            tempo_from: scene.tempo_from,
            waiting: scene.waiting.to_vec(),
            notices: scene.notices.clone(),
            faults: scene.faults.to_vec(),
            serial: self.serial + 1,
        })
    }

    /// How many notices there have been.
    pub fn notices(&self) -> u64 {
        self.notices.count()
    }

    /// With the notices after the first `since`: each is its number, its time in seconds since the show began, and its line.
    pub fn json(&self, since: u64) -> Json {
        let waiting = |write: &Write| {
            let value = match &write.value {
                Value::Text(text) => text.clone(),
                value => value.to_string(),
            };
            json!([write.target.to_string(), value])
        };
        let notices: Vec<Json> = self.notices.since(since).map(|n| json!([n.number, n.at_secs, &*n.line])).collect();
        json!({
            "STYLES": self.styles,
            "TEMPO_FROM": self.tempo_from,
            "WAITING": self.waiting.iter().map(waiting).collect::<Vec<_>>(),
            "NOTICES": notices,
            "ERRORS": self.faults,
        })
    }
}

#[cfg(test)]
mod test {
    use super::*;
    use crate::control::Source;
    use crate::params::Id;

    #[test]
    fn changes_are_seen_and_only_new_notices_told() {
        let (mut notices, styles) = (Notices::default(), ["starry".to_owned()]);
        notices.push(1.0, "one");
        let playing = Playing::default();
        assert!(!playing.is_of(&Scene::default()), "nothing is known yet");
        let scene = Scene { notices: &notices, styles: &styles, tempo_from: "link", ..Scene::default() };
        let playing = playing.after(&scene);
        assert!(playing.is_of(&scene) && !playing.is_of(&Scene { styles: &[], ..scene }));
        let write = Write { target: Id::Preset.into(), value: Value::Text("ink".to_owned()), source: Source::Web };
        assert!(!playing.is_of(&Scene { waiting: std::slice::from_ref(&write), ..scene }));

        let mut more = notices.clone();
        more.push(2.5, "two");
        let faults = ["two".to_owned()];
        assert!(!playing.is_of(&Scene { faults: &faults, ..scene }));
        let scene = Scene { notices: &more, waiting: std::slice::from_ref(&write), faults: &faults, ..scene };
        assert!(!playing.is_of(&scene));
        let next = playing.after(&scene);
        assert_eq!(
            next.json(playing.notices()),
            json!({
                "STYLES": ["starry"], "TEMPO_FROM": "link", "WAITING": [["/preset", "ink"]], "NOTICES": [[2, 2.5, "two"]],
                "ERRORS": ["two"],
            })
        );
        assert_eq!(next.json(0)["NOTICES"], json!([[1, 1.0, "one"], [2, 2.5, "two"]]));
        assert!(next.serial > playing.serial);
    }
}
