//! What other programs are given while the show plays. The threads of the shares do the work (see [`crate::record::share`]);
//! here they begin and end, and what becomes of them is told.

use super::output::{Output, Shown, Tap};
use super::status::{About, Status};
use crate::params::{Id, Params};
use crate::record::recorder::Look;
use crate::record::share::{Share, ShareTap, Target};

impl Tap for ShareTap {
    fn wants(&self) -> bool {
        ShareTap::wants(self)
    }
    fn picture(&mut self, shown: &Shown) {
        let look = Look { fit: shown.fit, brightness: shown.brightness };
        self.frame(shown.dt, look, shown.output, shown.picture);
    }
    fn is_over(&self) -> bool {
        ShareTap::is_over(self)
    }
}

/// The running shares, and those that are ending.
#[derive(Default)]
pub(super) struct Sharing {
    running: Vec<Share>,
    ended: Vec<Share>,
}

impl Sharing {
    /// Shares what `/share` names: those that run already go on, others begin, and the rest ends. After a mistake, all stays.
    pub fn set(&mut self, params: &Params, output: &mut Output, status: &mut Status) {
        if output.is_offline() {
            return;
        }
        let targets = match Target::parse_all(params.text(Id::Share)) {
            Ok(targets) => targets,
            Err(line) => return status.error(About::Sharing, format!("/share: {line}")),
        };
        status.mended(About::Sharing);
        for ended in self.running.extract_if(.., |share| !targets.contains(share.target())) {
            ended.stop();
            status.notice(format!("{} has ended", ended.target()));
            self.ended.push(ended);
        }
        for target in targets {
            if self.running.iter().any(|share| *share.target() == target) {
                continue;
            }
            // Of the same name there is only one at a time.
            let before = self.ended.iter().position(|share| *share.target() == target);
            let before = before.map(|place| self.ended.swap_remove(place));
            match Share::start(target, params.get(Id::ShareFps), output.newest(), before) {
                Ok((share, tap)) => {
                    output.tap(Box::new(tap));
                    self.running.push(share);
                }
                Err(error) => status.error(About::Sharing, format!("/share: {error}")),
            }
        }
    }

    /// Tells what has become of the shares.
    pub fn step(&mut self, params: &Params, status: &mut Status) {
        self.ended.retain(|share| !share.has_ended());
        self.running.retain(|share| {
            share.set_fps(params.get(Id::ShareFps));
            // Asked first: what it says at its end is there by then.
            let has_ended = share.has_ended();
            if let Some(note) = share.take_note() {
                status.notice(note);
            }
            !has_ended
        });
    }

    /// Where pictures go, who receives them, and what was dropped.
    pub fn line(&self) -> Option<String> {
        let lines: Vec<String> = self.running.iter().map(Share::line).collect();
        (!lines.is_empty()).then(|| lines.join(", "))
    }
}
