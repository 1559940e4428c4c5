//! The same line again and again: a button that is held, a program that repeats its mistake sixty times a second. Each line
//! is logged once and then counted, and lines that differ each time are logged a few a second. Pure; times are inputs.

/// A line that was not said for so long is new again, in seconds.
const FORGOTTEN_SECS: f64 = 10.0;
/// How often a line that goes on is logged with its count, in seconds.
const COUNT_SECS: f64 = 60.0;
/// How many lines are told apart; of more, the one that was said longest ago is forgotten.
const KNOWN: usize = 64;
/// Different lines that are logged at once, and each second after that.
const BURST: f64 = 30.0;
const LINES_A_SEC: f64 = 3.0;

/// The lines of the last seconds.
#[derive(Clone, Debug)]
pub struct Again {
    known: Vec<Entry>,
    /// Lines that may still be logged at once.
    left: f64,
    /// New lines that were too many for the log.
    unlogged: u64,
}

#[derive(Clone, Debug)]
struct Entry {
    line: String,
    count: u64,
    /// The count in the log, and when it was logged.
    logged: u64,
    logged_secs: f64,
    /// When the line was said last.
    last_secs: f64,
}

impl Default for Again {
    fn default() -> Self {
        Again { known: Vec::new(), left: BURST, unlogged: 0 }
    }
}

impl Again {
    /// Notes a line that is said at `now_secs`; a new one is logged. Returns how often it has been said in a row.
    pub fn note(&mut self, line: &str, now_secs: f64, log: impl FnOnce(&str)) -> u64 {
        if let Some(entry) = self.known.iter_mut().find(|entry| entry.line == line) {
            entry.count += 1;
            entry.last_secs = now_secs;
            return entry.count;
        }
        if self.known.len() == KNOWN
            && let Some(oldest) =
                (0..KNOWN).min_by(|a, b| self.known[*a].last_secs.total_cmp(&self.known[*b].last_secs))
        {
            self.known.swap_remove(oldest);
        }
        let (line, count, logged) = (line.to_owned(), 1, 1);
        if self.left >= 1.0 {
            self.left -= 1.0;
            log(&line);
        } else {
            self.unlogged += 1;
        }
        self.known.push(Entry { line, count, logged, logged_secs: now_secs, last_secs: now_secs });
        1
    }

    /// Advances by `dt` to `now_secs`: logs the counts of lines that have stopped or go on.
    pub fn step(&mut self, dt: f64, now_secs: f64, mut log: impl FnMut(&str)) {
        self.left = (self.left + dt * LINES_A_SEC).min(BURST);
        self.known.retain_mut(|entry| {
            let is_over = now_secs - entry.last_secs > FORGOTTEN_SECS;
            if entry.count > entry.logged && (is_over || now_secs - entry.logged_secs >= COUNT_SECS) {
                (entry.logged, entry.logged_secs) = (entry.count, now_secs);
                log(&format!("{} ({} times)", entry.line, entry.count));
            }
            !is_over
        });
        if self.unlogged > 0 && self.left >= 1.0 {
            self.left -= 1.0;
            log(&format!("and {} more lines", std::mem::take(&mut self.unlogged)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_logged_once_and_then_counted() {
        let (mut again, mut log) = (Again::default(), Vec::new());
        for frame in 0..600 {
            let now = f64::from(frame) / 60.0;
            let count = again.note("no", now, |line| log.push(line.to_owned()));
            assert_eq!(count, frame as u64 + 1);
            again.step(1.0 / 60.0, now, |line| log.push(line.to_owned()));
        }
        assert_eq!(log, ["no"]);
        again.step(11.0, 21.0, |line| log.push(line.to_owned()));
        assert_eq!(log, ["no", "no (600 times)"]);
        assert_eq!(again.note("no", 22.0, |line| log.push(line.to_owned())), 1, "new again");
        assert_eq!(log.len(), 3);
    }

    #[test]
    fn a_line_that_goes_on_is_counted_each_minute() {
        let (mut again, mut log) = (Again::default(), 0);
        for second in 0..=120 {
            again.note("no", f64::from(second), |_| log += 1);
            again.step(1.0, f64::from(second), |_| log += 1);
        }
        assert_eq!(log, 3);
    }

    #[test]
    fn lines_that_differ_cost_a_few_a_second_and_bounded_memory() {
        let (mut again, mut log) = (Again::default(), Vec::new());
        for frame in 0..1200 {
            let now = f64::from(frame) / 60.0;
            again.note(&format!("no preset {frame}"), now, |line| log.push(line.to_owned()));
            again.step(1.0 / 60.0, now, |line| log.push(line.to_owned()));
        }
        assert!(log.len() < 100 && again.known.len() <= KNOWN, "{}", log.len());
        assert!(log.iter().any(|line| line.starts_with("and ")), "{log:?}");
    }
}
