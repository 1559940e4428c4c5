//! Recent events, for the HUD and the status line. Nothing here changes the show.

mod again;
mod faults;

use std::collections::VecDeque;
use std::time::Duration;

use super::log::Log;
use crate::control::osc::feeds::Heard;
use crate::control::scene::Notices;
use crate::control::tally::{Tally, Told};
use crate::control::{DeviceStatus, Write};
use crate::params::Value;
use again::Again;
pub use faults::About;
use faults::Faults;

/// How long a notice stays.
const NOTICE_SECS: f64 = 8.0;
/// From how often on a line that is said again and again has its count.
const MANY: u64 = 3;
/// How often the feed of pictures per second is updated.
const FPS_EVERY_SECS: f64 = 1.0;
/// Number of pictures for the median synthesis time.
const PICTURES: usize = 61;

/// What the HUD shows.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    pub network: String,
    /// Width and height of the network's picture.
    pub resolution: [u32; 2],
    pub engine: String,
    pub preset: String,
    /// Median over the last pictures.
    pub synthesis_ms: f32,
    pub pictures_per_sec: f32,
    /// What is loading.
    pub loading: Option<String>,
    pub bpm: f64,
    /// What sets the tempo; empty for the show itself.
    pub tempo_from: &'static str,
    /// Beats since the start.
    pub beat: f64,
    /// Where the timecode is, if there is any.
    pub timecode: Option<String>,
    pub devices: Vec<DeviceStatus>,
    /// What the sound does, 0 to 1.
    pub heard: Heard,
    pub last_message: String,
    pub received: u64,
    pub dropped: u64,
    pub refused: u64,
    /// Requests that were replaced by newer ones before the engine got to them.
    pub skipped_pictures: u64,
    /// The one line that needs attention.
    pub notice: Option<String>,
    /// What went wrong, until it is mended or was read; the newest first, without what the notice says.
    pub faults: Vec<String>,
    /// Time, size, dropped frames and name.
    pub recording: Option<String>,
    /// The take that is being written.
    pub take: Option<String>,
    /// Where the stream goes, and its dropped frames.
    pub streaming: Option<String>,
    /// Which other programs get pictures, and the dropped frames.
    pub sharing: Option<String>,
    /// MIDI learn, while it waits for a control.
    pub learning: Option<String>,
    /// What is waiting for its beat.
    pub pending: Option<String>,
}

/// A line that is shown for a while.
#[derive(Clone, Debug)]
struct Notice {
    until: f64,
    /// What was said, and how often if that is more than twice.
    line: String,
    /// How long it is without the count, in bytes.
    said: usize,
    /// How often it was said in a row, and what `line` says about that.
    count: u64,
    shown: u64,
    /// What went wrong.
    about: Option<About>,
}

impl Notice {
    fn said(&self) -> &str {
        &self.line[..self.said]
    }

    /// Said again.
    fn again(&mut self, count: u64, now: f64) {
        (self.count, self.until) = (count, now + NOTICE_SECS);
    }

    /// Brings the count in the line up to date.
    fn show_count(&mut self) {
        if self.count != self.shown && self.count >= MANY {
            self.shown = self.count;
            self.line.truncate(self.said);
            // Writing to a string cannot fail.
            let _ = std::fmt::Write::write_fmt(&mut self.line, format_args!(" ({} times)", self.count));
        }
    }
}

/// What happened in the last seconds.
#[derive(Clone, Debug, Default)]
pub struct Status {
    now: f64,
    /// The last published pictures per second, and when.
    fps: (f32, f64),
    millis: VecDeque<f32>,
    times: VecDeque<f64>,
    last_message: String,
    notice: Option<Notice>,
    notices: Notices,
    again: Again,
    pub(super) said: Log,
    faults: Faults,
    /// Number of values that no parameter accepted.
    refused: u64,
    refusals: Tally,
    /// The first failure offline, where no picture may be missing.
    failure: Option<String>,
    is_offline: bool,
    /// Whether a take is rendered. What failed when it was played fails again.
    is_repeating: bool,
}

impl Status {
    pub fn new(is_offline: bool) -> Self {
        Status { is_offline, ..Status::default() }
    }

    /// As [`Status::new`], for a take that is rendered.
    pub fn repeating() -> Self {
        Status { is_repeating: true, ..Status::default() }
    }

    /// Notes a failure that was none when the take was played.
    pub fn fail(&mut self, line: &str) {
        if self.is_repeating {
            self.failure.get_or_insert_with(|| line.to_owned());
        }
    }

    /// Takes the place of another show's: what that has said comes first, and time goes on from there.
    pub fn take_over(&mut self, old: &mut Status) {
        let later = old.now - self.now;
        self.now += later;
        self.fps.1 += later;
        self.times.iter_mut().for_each(|time| *time += later);
        self.notice.iter_mut().for_each(|notice| notice.until += later);
        let own = std::mem::replace(&mut self.said, std::mem::take(&mut old.said));
        for said in own.iter() {
            self.said.add(&said.line, said.secs + later);
            if said.is_fault {
                self.said.is_fault();
            }
        }
        self.faults.take_devices(&mut old.faults);
        let own = std::mem::replace(&mut self.notices, std::mem::take(&mut old.notices));
        own.since(0).for_each(|notice| self.notices.push(notice.at_secs + later, &notice.line));
    }

    pub fn step(&mut self, dt: f64) {
        self.now += dt;
        if self.now - self.fps.1 >= FPS_EVERY_SECS {
            self.fps = (self.pictures_per_sec(), self.now);
        }
        if self.notice.as_ref().is_some_and(|notice| notice.until < self.now) {
            self.notice = None;
        }
        self.tell_refusals();
        let (notices, now) = (&mut self.notices, self.now);
        self.again.step(dt, now, |line| {
            log(line);
            notices.push(now, line);
        });
        self.notice.iter_mut().for_each(Notice::show_count);
    }

    pub fn drawn(&mut self, took: Duration) {
        if self.millis.len() == PICTURES {
            self.millis.pop_front();
            self.times.pop_front();
        }
        self.millis.push_back(took.as_secs_f32() * 1e3);
        self.times.push_back(self.now);
    }

    /// Pictures per second over the last ones.
    fn pictures_per_sec(&self) -> f32 {
        let span = match (self.times.front(), self.times.back()) {
            (Some(first), Some(last)) => (last - first) as f32,
            _ => 0.0,
        };
        if span > 0.0 { (self.times.len() - 1) as f32 / span } else { 0.0 }
    }

    /// Pictures per second, updated once a second.
    pub fn fps(&self) -> f32 {
        self.fps.0
    }

    pub fn message(&mut self, write: &Write) {
        self.last_message.clear();
        // Writing to a string cannot fail.
        let _ = match &write.value {
            Value::Nothing => std::fmt::Write::write_fmt(&mut self.last_message, format_args!("{}", write.target)),
            value => std::fmt::Write::write_fmt(&mut self.last_message, format_args!("{} {value}", write.target)),
        };
        self.mended_by_value();
    }

    /// Shows a line for a while and logs it. One that is said again and again is counted instead.
    pub fn notice(&mut self, line: String) {
        let line = printable(&line);
        self.said.add(&line, self.now);
        let count = self.again.note(&line, self.now, log);
        if count < MANY {
            self.notices.push(self.now, &line);
        }
        match &mut self.notice {
            Some(notice) if notice.said() == line => {
                notice.again(count, self.now);
                notice.about = None;
            }
            _ => {
                let (until, said) = (self.now + NOTICE_SECS, line.len());
                self.notice = Some(Notice { until, line, said, count, shown: 0, about: None });
            }
        }
    }

    /// Logs a line without showing it.
    pub fn log(&mut self, line: &str) {
        let line = printable(line);
        self.said.add(&line, self.now);
        self.again.note(&line, self.now, log);
    }

    /// Reports that something cannot be played; offline, where nobody reads it, the first one is kept as the failure of it all.
    /// Otherwise as [`Status::error`].
    pub fn fault(&mut self, about: impl Into<About>, line: String) {
        let about = about.into();
        if self.is_offline || (self.is_repeating && about == About::Drawing) {
            self.failure.get_or_insert_with(|| line.clone());
        }
        self.error(about, line);
    }

    /// Shows a line that stays until the same thing works ([`Status::mended`]) or the line was read ([`Status::dismiss`]).
    pub fn error(&mut self, about: impl Into<About>, line: String) {
        let about = about.into();
        self.notice(line);
        self.said.is_fault();
        if let Some(notice) = &mut self.notice {
            notice.about = Some(about.clone());
            self.faults.add(about, notice.said());
        }
    }

    /// What went wrong, until it is mended or was read; the newest at the end.
    pub fn faults(&self) -> &[String] {
        self.faults.lines()
    }

    /// What went wrong and was not read, unless the notice says it; the newest first.
    fn unread(&self) -> Vec<String> {
        let notice = self.notice.as_ref().map(Notice::said);
        let lines = self.faults.lines().iter().rev();
        lines.filter(|line| notice != Some(line.as_str())).cloned().collect()
    }

    /// A line is no longer true: it disappears.
    pub fn withdraw(&mut self, line: &str) {
        self.notice.take_if(|notice| notice.said() == line);
    }

    /// A problem is solved: its line disappears.
    pub fn mended(&mut self, about: impl Into<About>) {
        let about = about.into();
        self.notice.take_if(|notice| notice.about.as_ref() == Some(&about));
        self.faults.mend(&about);
    }

    /// A value was taken: what was refused at its address before is no longer wrong.
    fn mended_by_value(&mut self) {
        let refused = self.faults.of(&About::Refused);
        if refused.is_some_and(|line| address(line) == address(&self.last_message)) {
            self.mended(About::Refused);
        }
    }

    /// The lines have been read: they disappear. False if nothing was wrong.
    pub fn dismiss(&mut self) -> bool {
        let were_there = self.faults.clear();
        if were_there {
            self.notice = None;
        }
        were_there
    }

    /// The first failure offline.
    pub fn failure(&self) -> Option<&str> {
        self.failure.as_deref()
    }

    /// The one line that needs attention.
    pub fn line(&self) -> Option<&str> {
        self.notice.as_ref().map(|notice| notice.line.as_str())
    }

    /// The last notices.
    pub fn notices(&self) -> &Notices {
        &self.notices
    }

    /// Reports an invalid write: always counted, shown once and later with a count.
    pub fn refuse(&mut self, why: &str) {
        self.refused += 1;
        self.refusals.note(why);
        if let Some(notice) = self.notice.as_mut().filter(|notice| notice.said() == why) {
            notice.again(notice.count + 1, self.now);
        }
        self.tell_refusals();
    }

    /// What is new stays until it was read; that it goes on is said now and then.
    fn tell_refusals(&mut self) {
        let and = |more: usize| if more == 0 { String::new() } else { format!("; and {more} more") };
        match self.refusals.tell(self.now) {
            None => {}
            Some(Told::New(why)) => self.error(About::Refused, why),
            Some(Told::Several { first, more }) => self.error(About::Refused, first.join("; ") + &and(more)),
            Some(Told::Again { first, more }) => {
                let counted: Vec<String> = first.iter().map(|(why, count)| format!("{why} ({count} times)")).collect();
                self.notice(counted.join("; ") + &and(more));
            }
        }
    }
}

/// The address at the beginning of a line.
fn address(line: &str) -> &str {
    line.split([' ', ':']).next().unwrap_or_default()
}

fn log(line: &str) {
    tracing::info!(target: "show", "{line}");
}

/// A line that is safe to display: names from files may contain control characters, or be very long.
pub fn printable(line: &str) -> String {
    const LONGEST: usize = 1000;
    let mut shown: String =
        line.chars().take(LONGEST).map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect();
    if line.chars().nth(LONGEST).is_some() {
        shown.push('…');
    }
    shown
}

impl Summary {
    pub(super) fn new(history: &Status, devices: Vec<DeviceStatus>) -> Self {
        let mut sorted: Vec<f32> = history.millis.iter().copied().collect();
        sorted.sort_by(f32::total_cmp);
        let sum = |count: fn(&DeviceStatus) -> u64| devices.iter().map(count).sum::<u64>();
        Summary {
            synthesis_ms: sorted.get(sorted.len() / 2).copied().unwrap_or(0.0),
            pictures_per_sec: history.pictures_per_sec(),
            last_message: history.last_message.clone(),
            received: sum(|device| device.received),
            dropped: sum(|device| device.dropped),
            refused: sum(|device| device.refused) + history.refused,
            notice: history.line().map(str::to_owned),
            faults: history.unread(),
            devices,
            ..Summary::default()
        }
    }
}

impl std::fmt::Display for Summary {
    /// The status line of a show without a window.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{:.1} pictures/s · {:.1} ms · {} {}x{} · preset {}",
            self.pictures_per_sec, self.synthesis_ms, self.network, self.resolution[0], self.resolution[1], self.preset,
        )?;
        for device in &self.devices {
            let open = if device.open.is_empty() { "none".to_owned() } else { device.open.join(", ") };
            write!(f, " · {} {open}", device.name)?;
        }
        if let Some(timecode) = &self.timecode {
            write!(f, " · timecode {timecode}")?;
        }
        write!(f, " · {} received, {} dropped, {} refused", self.received, self.dropped, self.refused)?;
        if !self.last_message.is_empty() {
            write!(f, " · last {}", self.last_message)?;
        }
        let outputs = [("recording", &self.recording), ("streaming to", &self.streaming), ("sharing", &self.sharing)];
        for (what, line) in outputs {
            if let Some(line) = line {
                write!(f, " · {what} {line}")?;
            }
        }
        let lines = [&self.take, &self.learning, &self.pending, &self.notice];
        for line in lines.into_iter().flatten().chain(&self.faults) {
            write!(f, " · {line}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::show::loads::Kind;

    #[test]
    fn a_line_disappears_when_its_problem_is_solved() {
        let mut status = Status::new(true);
        status.fault(Kind::Style, "no such style".to_owned());
        status.mended(Kind::Network);
        assert_eq!(status.line(), Some("no such style"), "that was a different problem");
        status.mended(Kind::Style);
        assert_eq!((status.line(), status.failure()), (None, Some("no such style")));
        status.fault(Kind::Preset, "no such preset".to_owned());
        status.notice("something else".to_owned());
        status.mended(Kind::Preset);
        assert_eq!(status.line(), Some("something else"));
        status.step(9.0);
        assert_eq!(status.line(), None, "it stays for a while");
        assert!(unread(&status).is_empty(), "it was mended");
        status.fault(About::Drawing, "no such device".to_owned());
        assert_eq!((status.line(), unread(&status).len()), (Some("no such device"), 0), "it is said once");
        status.step(9.0);
        assert_eq!((status.line(), unread(&status)), (None, vec!["no such device".to_owned()]), "until it was read");
        assert!(status.dismiss() && !status.dismiss() && unread(&status).is_empty());
        assert!(Status::new(false).failure().is_none());
    }

    #[test]
    fn the_same_refusal_is_shown_once_and_always_counted() {
        let mut status = Status::default();
        status.refuse("no parameter /a");
        status.step(9.0);
        status.refuse("no parameter /a");
        assert_eq!((status.line(), status.refused), (None, 2));
        status.refuse("no parameter /b");
        assert_eq!(status.line(), Some("no parameter /b"));
        // Two that take turns are not shown each time; a minute later there is a count.
        for _ in 0..75 {
            status.step(0.7);
            status.refuse("no parameter /a");
            status.refuse("no parameter /b");
        }
        assert_eq!(status.refused, 153);
        let line = status.line().unwrap();
        assert!(line.starts_with("no parameter /a (") && line.contains("; no parameter /b ("), "{line}");
    }

    fn unread(status: &Status) -> Vec<String> {
        Summary::new(status, Vec::new()).faults
    }

    #[test]
    fn errors_stay_side_by_side_until_each_is_mended_or_all_were_read() {
        let mut status = Status::default();
        status.error(About::Saving, "no room".to_owned());
        status.error(About::Device("MIDI: pads".to_owned()), "pads are gone".to_owned());
        status.error(About::Saving, "still no room".to_owned());
        status.step(9.0);
        assert_eq!(unread(&status), ["still no room", "pads are gone"], "of each the newest");
        status.mended(About::Device("MIDI: keys".to_owned()));
        status.mended(About::Saving);
        assert_eq!(unread(&status), ["pads are gone"]);
        status.notice("saved".to_owned());
        assert_eq!(unread(&status), ["pads are gone"]);
        assert!(status.dismiss() && unread(&status).is_empty());
        assert!(status.failure().is_none(), "offline, only what cannot be played is a failure");
    }

    #[test]
    fn a_refusal_stays_until_its_address_takes_a_value() {
        let mut status = Status::default();
        status.refuse("/psi takes a number from -1 to 2; got \"wild\"");
        status.step(9.0);
        assert_eq!(unread(&status).len(), 1);
        let write = |id: crate::params::Id| Write {
            target: id.into(),
            value: Value::Float(0.5),
            source: crate::control::Source::Osc,
        };
        status.message(&write(crate::params::Id::PsiCutoff));
        assert_eq!(unread(&status).len(), 1, "another address");
        status.message(&write(crate::params::Id::Psi));
        assert!(unread(&status).is_empty());
    }

    #[test]
    fn a_line_that_is_said_again_and_again_has_a_count() {
        let mut status = Status::default();
        for _ in 0..120 {
            status.notice("nothing to undo".to_owned());
            status.refuse("no parameter /a");
            status.notice("nothing to undo".to_owned());
            status.step(1.0 / 60.0);
        }
        assert_eq!(status.line(), Some("nothing to undo (240 times)"));
        status.withdraw("nothing to undo");
        assert_eq!(status.line(), None);
        // A refusal that goes on stays, with its count.
        status.refuse("no parameter /b");
        for _ in 0..1000 {
            status.refuse("no parameter /b");
            status.step(1.0 / 60.0);
        }
        assert_eq!(status.line(), Some("no parameter /b (1001 times)"));
        // By hand, twice is twice.
        status.notice("saved".to_owned());
        status.step(1.0);
        status.notice("saved".to_owned());
        status.step(1.0);
        assert_eq!(status.line(), Some("saved"));
    }

    #[test]
    fn text_from_a_file_cannot_control_the_terminal() {
        assert_eq!(printable("os.\x1b[2J\nall fine"), "os.\u{fffd}[2J\u{fffd}all fine");
        assert_eq!(printable(&"ä".repeat(5000)).chars().count(), 1001);
    }
}
