//! Patches: what a file may say, checked as a whole before any of it is played.
//!
//! [`preset`] reads presets strictly, [`save`] writes them without losing what a person wrote there ([`saver`] aside), [`library`]
//! lists them, [`locate`] knows where they and the networks lie, and [`watch`] sees the playing preset change on
//! disk. Nothing here touches a running show: whoever plays takes a whole [`preset::Preset`] and swaps it in.

mod check;
pub mod library;
pub mod locate;
mod modulators;
pub mod preset;
pub mod save;
pub mod saver;
pub mod watch;
