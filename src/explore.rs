//! Many pictures of one network, beside the show: drawn small, judged and sorted.
//!
//! [`studio`] draws with an engine of its own, [`rough`] something blurred before it, [`survey`] keeps what was seen, and [`site`]
//! answers a page in the browser: one of its own ([`server`]), or a tab of the show's ([`beside`]). Nothing here knows of the show,
//! of parameters or of devices, and nothing here runs on the frame's path.

pub mod beside;
pub mod directions;
pub mod favourites;
pub mod order;
pub mod realness;
pub mod rough;
pub mod server;
pub mod site;
pub mod studio;
pub mod survey;
pub mod worker;
