//! In the place of the machine, in a program without live code: every evaluation is one line that says so.

use crate::control::Event;
use crate::control::mapping::{MidiEntry, OscEntry};
use crate::modulate::expr::Frame;
use crate::modulate::{SignalId, Signals, Time};
use crate::params::{Params, Table, Target, Value};

/// Never asked for.
pub fn style_number(_: &[String], _: &str) -> Option<f64> {
    None
}

/// Never made.
pub enum Machine {}

impl Machine {
    /// # Errors
    /// Always.
    pub fn new() -> Result<Machine, String> {
        Err("this program was built without live code (feature luau)".to_owned())
    }

    pub fn evaluate(&mut self, _: (&str, u32, bool), _: &str, _: &mut Params, _: Time) -> Result<(), String> {
        match *self {}
    }

    pub fn reseed(&mut self, _: u64) {
        match *self {}
    }

    pub fn end(&mut self, _: &str) {
        match *self {}
    }

    pub fn undo(&mut self) -> bool {
        match *self {}
    }

    pub fn join_undo(&mut self) {
        match *self {}
    }

    pub fn hush(&mut self) {
        match *self {}
    }

    pub fn is_idle(&self) -> bool {
        match *self {}
    }

    pub fn hear(&mut self, _: &Event) -> (bool, Option<(SignalId, f64)>) {
        match *self {}
    }

    pub fn call(&mut self, _: &mut Params, _: Time, _: &Signals) {
        match *self {}
    }

    pub fn step(&mut self, _: &Frame) -> &[(Target, f64)] {
        match *self {}
    }

    pub fn coded(&self) -> std::iter::Empty<Target> {
        match *self {}
    }

    pub fn take_writes(&mut self, _: &mut Vec<(Target, Value)>) {
        match *self {}
    }

    pub fn take_fault(&mut self) -> Option<String> {
        match *self {}
    }

    pub fn take_output(&mut self) -> Vec<String> {
        match *self {}
    }

    pub fn write_words_again(&mut self) {
        match *self {}
    }

    pub fn surround(&mut self, _: &[String], _: &str, _: [usize; 4]) {
        match *self {}
    }

    pub fn has_news(&mut self) -> bool {
        match *self {}
    }

    pub fn new_maps(&mut self, _: &Table) -> Option<(Vec<MidiEntry>, Vec<OscEntry>)> {
        match *self {}
    }

    pub fn addresses(&self) -> Vec<String> {
        match *self {}
    }

    pub fn maps(&self, _: &Table) -> (Vec<MidiEntry>, Vec<OscEntry>) {
        match *self {}
    }
}
