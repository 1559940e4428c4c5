//! What the player is told about messages that play nothing: unknown addresses, refusals, clocks.
//!
//! Shared by the inboxes of a server. The nearest address is searched here, on the thread that reads the socket, for one
//! address a second at most. Everything is bounded, whoever sends.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::Refusal;
use super::feeds::Feed;
use super::schedule::Due;
use crate::control::Tally;
use crate::control::mapping::did_you_mean;
use crate::control::tally::Told;
use crate::params::{Kind, Table};

/// Minimum interval between lines about refusals.
const REFUSAL_EVERY: Duration = Duration::from_secs(1);
/// A refusal that was not seen for this long is reported again.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(10);
/// How often to look for something to report while messages are being complained about.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// Time tags that are further ahead are reported: senders that plan ahead do so by less.
const LONG_WAIT: Duration = Duration::from_secs(1);
/// Maximum number of machines whose clocks, or whose use of TCP, have been reported.
const MACHINES: usize = 64;

/// What there is to tell the player.
#[derive(Clone, Debug)]
pub struct Reports(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    started: Instant,
    unknown: Tally,
    /// Who sent an unknown address last.
    from: Option<SocketAddr>,
    /// The last refusal and when it was seen last.
    last_refusal: Option<(Refusal, Instant)>,
    /// When a refusal was last reported.
    told: Option<Instant>,
    /// Machines whose clocks have been reported.
    clocks: Vec<IpAddr>,
    /// Machines that send OSC over TCP.
    tcp: Vec<IpAddr>,
}

impl Reports {
    pub fn new(now: Instant) -> Self {
        Reports(Arc::new(Mutex::new(State {
            started: now,
            unknown: Tally::new(1),
            from: None,
            last_refusal: None,
            told: None,
            clocks: Vec::new(),
            tcp: Vec::new(),
        })))
    }

    /// Notes a message for an address that plays nothing. Costs a hash look-up unless the address is new.
    pub fn unknown(&self, address: &str, from: SocketAddr) {
        let mut state = self.state();
        state.unknown.note(address);
        state.from = Some(from);
    }

    /// Notes a refusal. Returns a line if the reason is new, at most once a second.
    pub fn refused(&self, refusal: Refusal, from: SocketAddr, now: Instant) -> Option<String> {
        let mut state = self.state();
        let recently = |at: Instant, span| now.saturating_duration_since(at) < span;
        let known = state.last_refusal.is_some_and(|(last, at)| last == refusal && recently(at, FORGOTTEN_AFTER));
        let hurried = state.told.is_some_and(|at| recently(at, REFUSAL_EVERY));
        if known || !hurried {
            state.last_refusal = Some((refusal, now));
        }
        (!known && !hurried).then(|| {
            state.told = Some(now);
            format!("OSC from {from}: {refusal}; refused")
        })
    }

    /// Whether to report that this machine sends OSC over TCP: once.
    pub fn is_new_tcp(&self, from: IpAddr) -> bool {
        is_new(&mut self.state().tcp, from)
    }

    /// A line about a clock that is ahead of ours, once for each machine.
    pub fn clock(&self, due: Due, from: IpAddr) -> Option<String> {
        const HELP: &str = "set its clock, or ignore time tags with --osc-ignore-time-tags";
        let line = match due {
            Due::In(wait) if wait >= LONG_WAIT => {
                format!("{:.1} s ahead of our clock, so its messages wait that long: {HELP}", wait.as_secs_f64())
            }
            Due::ForeignClock { ahead_secs } => {
                format!("{} ahead of our clock, so its messages are applied at once", span(ahead_secs))
            }
            Due::Now | Due::In(_) => return None,
        };
        is_new(&mut self.state().clocks, from).then(|| format!("OSC: the time tags of {from} are {line}"))
    }

    /// A line about unknown addresses, at most once a second.
    pub fn line(&self, table: &Table, now: Instant) -> Option<String> {
        let (told, from) = {
            let mut state = self.state();
            let secs = now.saturating_duration_since(state.started).as_secs_f64();
            if !state.unknown.is_due(secs) {
                return None;
            }
            (state.unknown.tell(secs)?, state.from)
        };
        // Without the lock: the show notes addresses, too.
        let from = from.map(|from| format!(" from {from}")).unwrap_or_default();
        let and = |more: usize| if more == 0 { String::new() } else { format!(" and {more} more") };
        Some(match told {
            Told::New(address) => format!("OSC{from}: {}", reason(&address, table)),
            Told::Several { first, more } => format!("OSC{from}: no parameters {}{}", first.join(", "), and(more)),
            Told::Again { first, more } => {
                let counted: Vec<String> =
                    first.iter().map(|(address, count)| format!("{address} ({count} times)")).collect();
                format!("OSC{from}: still no parameter {}{}", counted.join(", "), and(more))
            }
        })
    }

    /// How long until [`Reports::line`] may have something to say.
    pub fn wait(&self) -> Option<Duration> {
        self.state().unknown.is_waiting().then_some(LOOK_EVERY)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Notes a machine, of which not too many are known.
fn is_new(known: &mut Vec<IpAddr>, from: IpAddr) -> bool {
    let is_new = !known.contains(&from) && known.len() < MACHINES;
    if is_new {
        known.push(from);
    }
    is_new
}

/// A length of time, roughly.
fn span(secs: f64) -> String {
    match secs {
        secs if secs < 120.0 => format!("{secs:.1} s"),
        secs if secs < 7200.0 => format!("{:.0} minutes", secs / 60.0),
        secs if secs < 172_800.0 => format!("{:.0} hours", secs / 3600.0),
        secs => format!("{:.0} days", secs / 86_400.0),
    }
}

/// Why an address plays nothing, and what was probably meant.
fn reason(address: &str, table: &Table) -> String {
    if let Some(signal) = address.strip_prefix("/signal/") {
        return format!("no modulator follows the signal {signal}");
    }
    if !address.starts_with('/') {
        let (near, hint) = (format!("/{address}"), "OSC addresses begin with a slash");
        return match table.resolve(&near) {
            Some(target) => format!("no address {address}: {hint}, as in {target}"),
            None => format!("no address {address}: {hint}{}", did_you_mean(&near, table)),
        };
    }
    if let Some((head, value)) = value_in(address, table) {
        return format!(
            "no parameter {address}: the value goes behind the address, as an argument of its own: address {head}, value {value}"
        );
    }
    format!("no parameter {address}{}", did_you_mean(address, table))
}

/// Splits an address with its value in it, such as `/psi 0.9` or `/psi/0.9`.
fn value_in<'a>(address: &'a str, table: &Table) -> Option<(&'a str, &'a str)> {
    let split = |(i, separator): (usize, &'a str)| {
        let (head, value) = (&address[..i], address[i + separator.len()..].trim());
        let target = table.resolve(head)?;
        let is_value = match target.id.def().kind {
            _ if value.is_empty() => false,
            Kind::Text { .. } => true,
            Kind::Choice { options, .. } => value.parse::<f64>().is_ok() || options.contains(&value),
            Kind::Bool { .. } => value.parse::<f64>().is_ok() || matches!(value, "on" | "off" | "true" | "false"),
            _ => value.split([' ', ',']).all(|word| word.parse::<f64>().is_ok()),
        };
        is_value.then_some((head, value))
    };
    address.match_indices([' ', '/', '=', ':', ',']).filter(|(i, _)| *i > 0).find_map(split)
}

/// Whether an address belongs to what we send ourselves, as another instrument does that is subscribed to this one. It
/// plays nothing, and there is nothing wrong with it.
pub fn is_news(address: &str) -> bool {
    Feed::resolve(address).is_some() || address.starts_with("/effective/")
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn refusals_are_reported_once_per_reason_and_at_most_once_a_second() {
        let start = Instant::now();
        let (reports, from) = (Reports::new(start), super::super::DEFAULT_ADDRESS);
        // (milliseconds, reason, is it reported)
        for (ms, refusal, expected) in [
            (0, Refusal::NotOsc, true),
            (1, Refusal::NotOsc, false),
            (2, Refusal::Short, false),
            (1500, Refusal::NotOsc, false),
            (1600, Refusal::Short, true),
            (9000, Refusal::Short, false),
            (20_000, Refusal::Short, true),
        ] {
            let line = reports.refused(refusal, from, start + Duration::from_millis(ms));
            assert_eq!(line.is_some(), expected, "{refusal} after {ms} ms");
        }
    }

    #[test]
    fn a_reason_says_what_was_probably_meant() {
        let behind = "the value goes behind the address, as an argument of its own: address";
        for (address, expected) in [
            ("/psy", "no parameter /psy; did you mean \"/psi\"?".to_owned()),
            ("/accelerometer/x/y/z/w", "no parameter /accelerometer/x/y/z/w".to_owned()),
            ("/signal/a.b", "no modulator follows the signal a.b".to_owned()),
            ("psi", "no address psi: OSC addresses begin with a slash, as in /psi".to_owned()),
            ("psy", "no address psy: OSC addresses begin with a slash; did you mean \"/psi\"?".to_owned()),
            ("/psi 0.9", format!("no parameter /psi 0.9: {behind} /psi, value 0.9")),
            ("/psi/0.9", format!("no parameter /psi/0.9: {behind} /psi, value 0.9")),
            ("/psi=-1", format!("no parameter /psi=-1: {behind} /psi, value -1")),
            ("/z/3/0.5", format!("no parameter /z/3/0.5: {behind} /z/3, value 0.5")),
            ("/z 1 2 3", format!("no parameter /z 1 2 3: {behind} /z, value 1 2 3")),
            ("/walk/kind loop", format!("no parameter /walk/kind loop: {behind} /walk/kind, value loop")),
            ("/freeze/on", format!("no parameter /freeze/on: {behind} /freeze, value on")),
            ("/preset/amber", format!("no parameter /preset/amber: {behind} /preset, value amber")),
        ] {
            assert_eq!(reason(address, Table::built_in()), expected);
        }
    }

    #[test]
    fn unknown_addresses_cost_a_line_a_second() {
        let start = Instant::now();
        let (reports, from) = (Reports::new(start), super::super::DEFAULT_ADDRESS);
        let mut lines = Vec::new();
        for frame in 0..600u64 {
            let now = start + Duration::from_millis(frame * 1000 / 60);
            for shape in 0..100 {
                reports.unknown(&format!("/avatar/{shape}"), from);
            }
            lines.extend(reports.line(Table::built_in(), now));
        }
        let expected = "OSC from 127.0.0.1:9000: no parameters /avatar/0, /avatar/1, /avatar/2 and 97 more";
        assert_eq!(lines, [expected]);
        let later = reports.line(Table::built_in(), start + Duration::from_secs(61)).unwrap();
        assert!(later.contains("still no parameter /avatar/0 (600 times), /avatar/1 (600 times)"), "{later}");
        assert!(later.ends_with("and 97 more"), "{later}");
    }

    #[test]
    fn a_clock_is_reported_once() {
        let reports = Reports::new(Instant::now());
        let ip = |n: u32| IpAddr::from(std::net::Ipv4Addr::from_bits(n));
        let (soon, late) = (Due::In(Duration::from_millis(400)), Due::In(Duration::from_millis(2040)));
        assert_eq!([Due::Now, soon].map(|due| reports.clock(due, ip(1))), [None, None]);
        let line = "OSC: the time tags of 0.0.0.1 are 2.0 s ahead of our clock, so its messages wait that long: set its \
                    clock, or ignore time tags with --osc-ignore-time-tags";
        assert_eq!(reports.clock(late, ip(1)).as_deref(), Some(line));
        assert_eq!(reports.clock(late, ip(1)), None);
        for (ahead_secs, expected) in [(7.04, "7.0 s"), (600.0, "10 minutes"), (7200.0, "2 hours"), (1e9, "11574 days")]
        {
            let line = reports.clock(Due::ForeignClock { ahead_secs }, ip(ahead_secs as u32)).unwrap();
            assert!(
                line.ends_with(&format!("are {expected} ahead of our clock, so its messages are applied at once")),
                "{line}"
            );
        }
        assert!((0..10_000).filter(|&n| reports.clock(late, ip(n)).is_some()).count() < MACHINES);
    }
}
