//! (to be written)
pub struct Plan;
