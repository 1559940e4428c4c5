//! Keys that play without a controller. The window names them; what they do is listed here once.

/// A key pressed in the window, by the character on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key(pub char);
