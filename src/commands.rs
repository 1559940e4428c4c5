//! What the command line does, one file a command.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "commands talk to the terminal")]

pub mod style;
