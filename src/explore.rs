//! Many pictures of one network, beside the show: drawn small, judged and sorted.
//!
//! [`studio`] draws with an engine of its own, [`survey`] keeps what was seen, and [`server`] shows a page in the browser.
//! Nothing here knows of the show, of parameters or of devices, and nothing here runs on the frame's path.

pub mod favourites;
pub mod order;
pub mod realness;
pub mod server;
pub mod studio;
pub mod survey;
pub mod worker;
