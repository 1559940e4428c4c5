//! The addresses that play something: the table of parameters and the preset's aliases, as the show last published them.
//!
//! The threads that read sockets look them up without a lock, so that a message for an unknown address costs a look-up
//! and never reaches the show.

use std::sync::Arc;

use arc_swap::ArcSwapOption;

use crate::control::mapping::OscEntry;
use crate::params::{SharedTable, Table};

/// Shared between the show and the threads that read sockets.
#[derive(Clone, Debug, Default)]
pub struct Names {
    pub tables: SharedTable,
    /// Sorted by address; `None` before the show has published any.
    aliases: Arc<ArcSwapOption<Arc<[OscEntry]>>>,
    /// What live code listens to, sorted.
    heard: Arc<ArcSwapOption<Arc<[String]>>>,
}

impl Names {
    /// Publishes what exists now, if it has changed.
    pub fn publish(&self, table: &Arc<Table>, aliases: &Arc<[OscEntry]>, heard: &Arc<[String]>) {
        self.tables.publish(table);
        if self.aliases.load().as_ref().is_none_or(|known| !Arc::ptr_eq(known.as_ref(), aliases)) {
            self.aliases.store(Some(Arc::new(aliases.clone())));
        }
        if self.heard.load().as_ref().is_none_or(|known| !Arc::ptr_eq(known.as_ref(), heard)) {
            self.heard.store(Some(Arc::new(heard.clone())));
        }
    }

    /// Whether an address that is not in the table may still play something: it is an alias, live code listens to it, or
    /// nothing is known yet.
    pub fn may_play(&self, address: &str) -> bool {
        let aliases = self.aliases.load();
        let is_alias = |aliases: &Arc<Arc<[OscEntry]>>| {
            aliases.binary_search_by(|alias| alias.address.as_str().cmp(address)).is_ok()
        };
        let is_heard = |heard: &Arc<Arc<[String]>>| heard.binary_search_by(|known| known.as_str().cmp(address)).is_ok();
        aliases.as_ref().is_none_or(is_alias) || self.heard.load().as_ref().is_some_and(is_heard)
    }
}

#[cfg(test)]
mod test {
    use super::*;
    use crate::params::Id;

    #[test]
    fn aliases_play_and_everything_may_before_they_are_known() {
        let names = Names::default();
        assert!(names.may_play("/anything"));
        let aliases: Arc<[OscEntry]> =
            ["/1/fader", "/2/fader"].map(|address| OscEntry::plain(address.to_owned(), Id::Psi.into())).into();
        let heard: Arc<[String]> = Arc::new(["/go".to_owned()]);
        names.publish(Table::built_in(), &aliases, &heard);
        assert!(names.may_play("/go") && !names.may_play("/gone"));
        assert_eq!(["/1/fader", "/2/fader", "/3/fader"].map(|address| names.may_play(address)), [true, true, false]);
        let none: Arc<[OscEntry]> = Arc::new([]);
        names.publish(Table::built_in(), &none, &heard);
        assert!(!names.may_play("/1/fader"));
    }
}
