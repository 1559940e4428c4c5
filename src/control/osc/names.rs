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
}

impl Names {
    /// Publishes what exists now, if it has changed.
    pub fn publish(&self, table: &Arc<Table>, aliases: &Arc<[OscEntry]>) {
        self.tables.publish(table);
        if self.aliases.load().as_ref().is_none_or(|known| !Arc::ptr_eq(known.as_ref(), aliases)) {
            self.aliases.store(Some(Arc::new(aliases.clone())));
        }
    }

    /// Whether an address that is not in the table may still play something: it is an alias, or nothing is known yet.
    pub fn may_play(&self, address: &str) -> bool {
        let aliases = self.aliases.load();
        aliases.as_ref().is_none_or(|aliases| aliases.binary_search_by(|a| a.address.as_str().cmp(address)).is_ok())
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
        names.publish(Table::built_in(), &aliases);
        assert_eq!(["/1/fader", "/2/fader", "/3/fader"].map(|address| names.may_play(address)), [true, true, false]);
        let none: Arc<[OscEntry]> = Arc::new([]);
        names.publish(Table::built_in(), &none);
        assert!(!names.may_play("/1/fader"));
    }
}
