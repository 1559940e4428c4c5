//! Patches: files that are checked as a whole before any of them is played.
//!
//! [`preset`] reads presets strictly, [`save`] writes them without losing hand-written parts ([`saver`] does so on its own
//! thread, [`versions`] keeps what was there before), [`library`] lists them, [`set`] puts them in an order, [`key_file`] says what keys do, [`folders`] are where they and
//! what they name are looked for, [`locate`] knows what a written path means, and [`watch`] notices when the current
//! preset changes on disk; `script` runs live code, and [`edit`] is what its editor knows about text. Nothing here touches a running show, which swaps in a whole [`preset::Preset`].

mod check;
pub mod directions;
pub mod edit;
pub mod effects;
pub mod folders;
pub mod key_file;
pub mod library;
pub mod listing;
pub mod locate;
mod macros;
pub mod modulators;
mod palette;
pub mod preset;
pub mod save;
pub mod saver;
#[cfg(feature = "luau")]
pub mod script;
pub mod set;
mod slips;
mod smooth;
pub mod track;
pub mod versions;
pub mod watch;
pub mod watch_files;
