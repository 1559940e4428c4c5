//! Mappings of the playing preset are removed by hand.

use super::Show;
use crate::control::mapping::parse_control;
use crate::params::Id;

impl Show {
    /// Removes what the control that `/learn/forget` names plays in this preset.
    pub(super) fn forget_mapping(&mut self) {
        let name = self.params.text(Id::LearnForget).trim().to_owned();
        if name.is_empty() {
            return;
        }
        let control = match parse_control(&name) {
            Ok(control) => control,
            Err(error) => return self.status.refuse(&format!("/learn/forget: {error}")),
        };
        let Some(is_saved) = self.presets.forget(&control, self.controls.may_save(), &self.params) else {
            return self.status.refuse(&format!("/learn/forget: the preset says nothing about {control}"));
        };
        self.set_map();
        self.status.notice(format!("{control} no longer plays anything of this preset; U undoes it"));
        self.tell_saving(is_saved);
    }
}
