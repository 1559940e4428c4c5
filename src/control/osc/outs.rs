//! Receivers that are sent every change without asking: `--osc-out` and a preset's `[osc-out]`.
//!
//! Names are looked up on the thread `osc out`, because that may take seconds; a receiver that is not found is tried again.

use std::net::{IpAddr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};

use crate::control::{Counts, Event, EventSender};

/// Maximum number of receivers.
pub const MAX_OUTS: usize = 16;
/// How often to look for receivers that were not found.
const RETRY: Duration = Duration::from_secs(10);

/// A receiver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Out {
    /// A name, or an IP address without brackets.
    pub host: String,
    pub port: u16,
    /// What it is sent: these addresses and everything below them.
    pub prefixes: Vec<String>,
}

/// Why a receiver cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{text}\" is not HOST:PORT, such as 192.168.1.20:9001 or tablet.local:9001: {reason}")]
pub struct OutError {
    text: String,
    reason: &'static str,
}

impl Out {
    /// Parses `HOST:PORT`, such as `192.168.1.20:9001`, `tablet.local:9001` or `[::1]:9001`. It is sent everything.
    ///
    /// # Errors
    /// When the text has another form.
    pub fn parse(text: &str) -> Result<Self, OutError> {
        let wrong = |reason| OutError { text: text.to_owned(), reason };
        let (host, port) = text.trim().rsplit_once(':').ok_or_else(|| wrong("it has no port"))?;
        let port = port.parse().ok().filter(|&port| port > 0).ok_or_else(|| wrong("a port is 1 to 65535"))?;
        let host = match host.strip_prefix('[') {
            Some(rest) => rest
                .strip_suffix(']')
                .filter(|ip| ip.parse::<Ipv6Addr>().is_ok())
                .ok_or_else(|| wrong("the brackets hold no IPv6 address"))?,
            None if host.contains(':') => return Err(wrong("an IPv6 address needs brackets, as in [::1]:9001")),
            None => host,
        };
        if host.is_empty() || host.len() > 255 || host.chars().any(|c| c.is_whitespace() || c.is_control() || c == '/')
        {
            return Err(wrong("it has no host"));
        }
        Ok(Out { host: host.to_owned(), port, prefixes: vec!["/".to_owned()] })
    }

    fn address(&self) -> Option<SocketAddr> {
        self.host.parse::<IpAddr>().ok().map(|ip| SocketAddr::new(ip, self.port))
    }

    /// Looks up the name; may take seconds. IPv4 first: most programs listen there only.
    fn look_up(&self) -> Option<SocketAddr> {
        let found: Vec<SocketAddr> = (self.host.as_str(), self.port).to_socket_addrs().ok()?.collect();
        found.iter().find(|address| address.is_ipv4()).or(found.first()).copied()
    }
}

impl std::str::FromStr for Out {
    type Err = OutError;

    fn from_str(text: &str) -> Result<Self, OutError> {
        Out::parse(text)
    }
}

impl std::fmt::Display for Out {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let brackets = if self.host.contains(':') { ["[", "]"] } else { ["", ""] };
        write!(f, "{}{}{}:{}", brackets[0], self.host, brackets[1], self.port)
    }
}

/// Finds the receivers' addresses.
pub(super) struct Outs {
    /// Those of the command line.
    always: Vec<Out>,
    /// Those of the preset.
    preset: Arc<[Out]>,
    is_fresh: bool,
    lookup: Option<Lookup>,
    /// The addresses found so far.
    found: Vec<(SocketAddr, String)>,
    events: EventSender,
    counts: Arc<Counts>,
}

/// A running thread. Dropping it ends the thread, once its look-up is done.
struct Lookup {
    _asked: Sender<Vec<Out>>,
    answers: Receiver<Vec<(SocketAddr, String)>>,
}

impl Outs {
    pub fn new(always: Vec<Out>, events: EventSender, counts: Arc<Counts>) -> Self {
        let preset: Arc<[Out]> = Arc::new([]);
        Outs { always, preset, is_fresh: true, lookup: None, found: Vec::new(), events, counts }
    }

    /// The addresses and prefixes to send to, if they have changed. Never waits.
    pub fn changed(&mut self, preset: &Arc<[Out]>) -> Option<&[(SocketAddr, String)]> {
        if self.is_fresh || !Arc::ptr_eq(&self.preset, preset) {
            self.is_fresh = false;
            self.preset = preset.clone();
            let outs: Vec<Out> = self.always.iter().chain(&**preset).take(MAX_OUTS).cloned().collect();
            self.found = outs.iter().filter_map(|out| Some((out, out.address()?))).flat_map(prefixes).collect();
            let names: Vec<Out> = outs.into_iter().filter(|out| out.address().is_none()).collect();
            self.look_up(names);
            return Some(&self.found);
        }
        let newer = self.lookup.as_ref().and_then(|lookup| lookup.answers.try_iter().last())?;
        let known = self.always.iter().chain(&*self.preset).take(MAX_OUTS);
        self.found = known.filter_map(|out| Some((out, out.address()?))).flat_map(prefixes).chain(newer).collect();
        Some(&self.found)
    }

    fn look_up(&mut self, names: Vec<Out>) {
        self.lookup = None;
        if names.is_empty() {
            return;
        }
        let (asked, questions) = bounded::<Vec<Out>>(1);
        let (sender, answers) = bounded(4);
        let (events, counts) = (self.events.clone(), self.counts.clone());
        let thread = std::thread::Builder::new().name("osc out".to_owned());
        let started = thread.spawn(move || find(&questions, &sender, |line| events.send(Event::Notice(line), &counts)));
        match started {
            Ok(_) => {
                // It holds one question and is empty.
                let _ = asked.try_send(names);
                self.lookup = Some(Lookup { _asked: asked, answers });
            }
            Err(error) => {
                let line = format!("cannot start the osc out thread: {error}");
                self.events.send(Event::Notice(line), &self.counts);
            }
        }
    }
}

fn prefixes((out, address): (&Out, SocketAddr)) -> impl Iterator<Item = (SocketAddr, String)> {
    out.prefixes.iter().map(move |prefix| (address, prefix.clone()))
}

/// The thread `osc out`: looks up names until the other end is gone.
fn find(questions: &Receiver<Vec<Out>>, answers: &Sender<Vec<(SocketAddr, String)>>, say: impl Fn(String)) {
    let Ok(outs) = questions.recv() else { return };
    let mut told: Vec<bool> = vec![false; outs.len()];
    let mut known = None;
    loop {
        let found: Vec<Option<SocketAddr>> = outs.iter().map(Out::look_up).collect();
        for (i, out) in outs.iter().enumerate() {
            let is_lost = found[i].is_none();
            if is_lost && !told[i] {
                say(format!("OSC out: no machine {} was found; trying again every ten seconds", out.host));
            } else if !is_lost && told[i] {
                say(format!("OSC out: {out} was found"));
            }
            told[i] = is_lost;
        }
        if known.as_ref() != Some(&found) {
            let addresses = outs.iter().zip(&found).filter_map(|(out, address)| Some((out, (*address)?)));
            if answers.try_send(addresses.flat_map(prefixes).collect()).is_ok() {
                known = Some(found.clone());
            }
        }
        let is_done = found.iter().all(Option::is_some) && known.is_some();
        if is_done || questions.recv_timeout(RETRY) != Err(RecvTimeoutError::Timeout) {
            return;
        }
    }
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn receivers_are_a_host_and_a_port() {
        for (text, host, port) in [
            ("192.168.1.20:9001", "192.168.1.20", 9001),
            ("tablet.local:8000", "tablet.local", 8000),
            ("localhost:1", "localhost", 1),
            ("[fe80::1]:9001", "fe80::1", 9001),
        ] {
            let out = Out::parse(text).unwrap();
            assert_eq!((out.host.as_str(), out.port, out.to_string().as_str()), (host, port, text));
        }
        for (text, reason) in [
            ("9001", "it has no port"),
            ("tablet", "it has no port"),
            ("tablet:osc", "a port is 1 to 65535"),
            ("tablet:0", "a port is 1 to 65535"),
            ("tablet:70000", "a port is 1 to 65535"),
            (":9001", "it has no host"),
            ("a b:9001", "it has no host"),
            ("osc.udp://tablet:9001", "an IPv6 address needs brackets, as in [::1]:9001"),
            ("::1:9001", "an IPv6 address needs brackets, as in [::1]:9001"),
            ("[tablet]:9001", "the brackets hold no IPv6 address"),
        ] {
            let expected =
                format!("\"{text}\" is not HOST:PORT, such as 192.168.1.20:9001 or tablet.local:9001: {reason}");
            assert_eq!(Out::parse(text).unwrap_err().to_string(), expected);
        }
    }

    #[test]
    fn names_are_looked_up_elsewhere() {
        let (events, queue) = crate::control::queue();
        let mut outs = Outs::new(vec![Out::parse("127.0.0.1:9001").unwrap()], events, Arc::default());
        let none: Arc<[Out]> = Arc::new([]);
        let first = ((std::net::Ipv4Addr::LOCALHOST, 9001).into(), "/".to_owned());
        assert_eq!(outs.changed(&none), Some(&[first.clone()][..]));
        assert_eq!(outs.changed(&none), None);
        let mut named = Out::parse("localhost:9002").unwrap();
        named.prefixes = vec!["/psi".to_owned(), "/walk".to_owned()];
        let preset: Arc<[Out]> = Arc::new([named, Out::parse("no-such-host.invalid:9003").unwrap()]);
        assert_eq!(outs.changed(&preset), Some(&[first.clone()][..]), "at once what needs no look-up");
        let until = std::time::Instant::now() + Duration::from_secs(20);
        let found = loop {
            if let Some(found) = outs.changed(&preset) {
                break found.to_vec();
            }
            assert!(std::time::Instant::now() < until, "localhost was not found");
            std::thread::sleep(Duration::from_millis(5));
        };
        let prefixes: Vec<_> = found.iter().map(|(to, prefix)| (to.port(), prefix.as_str())).collect();
        assert_eq!(prefixes, [(9001, "/"), (9002, "/psi"), (9002, "/walk")]);
        let line = "OSC out: no machine no-such-host.invalid was found; trying again every ten seconds";
        assert_eq!(queue.recv_timeout(Duration::from_secs(20)), Ok(Event::Notice(line.to_owned())));
        // Another preset.
        assert_eq!(outs.changed(&none), Some(&[first][..]));
    }
}
