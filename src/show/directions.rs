//! The directions of the network that plays: when they are asked for, and their named rows in the table.
//!
//! Rows exist from the moment that a preset or a network with names is played, so that a preset can set them; they move the
//! picture once the directions have been found ([`LoadRequest::Directions`](super::loads::LoadRequest)). Live that is asked for as
//! soon as a network plays, offline when something is moved.

use std::sync::{Arc, Weak};

use super::Show;
use super::loads::{Kind, LoadRequest};
use crate::network::Network;
use crate::params::{DIR_KNOBS, Def, Id, Params, TableError, Target, Value};
use crate::patch::directions::Named;

/// The named directions of a running show.
#[derive(Default)]
pub(super) struct Directions {
    names: Vec<Named>,
    rows: Vec<Id>,
    /// The network whose directions have been asked for.
    asked: Weak<Network>,
    /// Says that they are being found, while that is missed.
    line: Option<String>,
}

impl Directions {
    /// These names have rows from now on. A row that stays keeps its value.
    ///
    /// # Errors
    /// When the table cannot take the rows; then the names stay as they were.
    pub fn name(&mut self, names: Vec<Named>, params: &mut Params) -> Result<(), TableError> {
        if names == self.names {
            return Ok(());
        }
        let rows: Vec<Def> = names.iter().map(Named::row).collect();
        let kept: Vec<(&str, Value)> =
            self.rows.iter().filter_map(|id| Some((id.def().address, params.value(*id)?))).collect();
        let ids = params.replace(&self.rows, &rows)?;
        for id in &ids {
            if let Some((_, value)) = kept.iter().find(|(address, _)| *address == id.def().address) {
                // It has the same range.
                let _ = params.write((*id).into(), value);
            }
        }
        // Those that have been found do not know these names.
        (self.rows, self.names, self.asked) = (ids, names, Weak::new());
        Ok(())
    }

    /// Whether the directions of this network are to be asked for now. `at_once` does not wait until something is moved.
    pub fn wants(&mut self, network: &Arc<Network>, params: &Params, at_once: bool) -> bool {
        if std::ptr::eq(self.asked.as_ptr(), Arc::as_ptr(network)) || !(at_once || self.moves(params)) {
            return false;
        }
        self.asked = Arc::downgrade(network);
        true
    }

    /// The directions of this network have come, with their names.
    pub fn found(&mut self, network: &Arc<Network>) {
        self.asked = Arc::downgrade(network);
    }

    /// Whether a direction is followed at the moment.
    fn moves(&self, params: &Params) -> bool {
        let mut knobs = (0..DIR_KNOBS as u16).map(|index| Target { id: Id::Dir, index });
        knobs.any(|knob| params.get(knob) != 0.0) || self.rows.iter().any(|row| params.get(*row) != 0.0)
    }
}

impl Show {
    /// Asks for the directions of the network that plays: live as soon as it plays, offline in the step that needs them, in a take
    /// when they came then.
    pub(super) fn ask_for_directions(&mut self) {
        // A show that is about to play live starts without them: finding them takes up to minutes.
        if self.loads.is_starting() {
            return;
        }
        let at_once = self.loads.is_live() || self.loads.recorded().is_some();
        if self.directions.wants(self.decks.own_network(), &self.params, at_once) {
            self.loads.request(LoadRequest::Directions(self.decks.own_network().clone()));
        }
        let is_missed =
            self.loads.is_live() && self.loads.wants(Kind::Directions) && self.directions.moves(&self.params);
        match (&self.directions.line, is_missed) {
            (None, true) => {
                let line =
                    format!("/dir moves nothing yet: the directions of {} are being found", self.decks.network().name);
                self.status.notice(line.clone());
                self.directions.line = Some(line);
            }
            (Some(line), false) => {
                self.status.withdraw(line);
                self.directions.line = None;
            }
            _ => {}
        }
    }
}
