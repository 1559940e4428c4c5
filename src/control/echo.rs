//! Echo detection: tells echoes of our own messages from input by a person.
//!
//! Anything sent to another device or program may come back: through a loopback port, a DAW that passes MIDI through, or a
//! second instance subscribed to this one. Treated as input, it would be answered, and the answer would come back as well.
//! [`Echo`] remembers what was sent to one peer and recognises it when it returns. It does no I/O and reads no clock; times
//! are inputs. It runs at the device, before the event queue, so that a take only contains real input.
//!
//! # The rule
//!
//! - Each sent message accounts for at most one identical incoming message (same key, same value) within a window.
//! - A different value is always input.
//! - The same value is input too if the key is known not to echo, which is learned from the messages sent before: the
//!   first one decides, two in a row change the verdict. So a button that happens to send the value of its own light
//!   works on every controller that does not echo, which is nearly all of them.
//! - A new key takes its verdict from the peer as a whole, once four messages in a row have agreed.
//!
//! So a peer that echoes from the start is never mistaken for input. One that starts to echo in the middle of a show
//! is mistaken twice per key, or four times in total, and then no more.
//!
//! # Use
//!
//! One `Echo` per peer: a MIDI output, an OSC subscriber. The key is what the message is about (a control, an
//! address); the value is exactly what goes over the wire (for OSC the `f32` that was sent, not the original `f64`).
//!
//! ```
//! use std::time::{Duration, Instant};
//! use latent_jockey::control::echo::Echo;
//!
//! let mut echo = Echo::new(Duration::from_millis(500));
//! let now = Instant::now();
//! echo.sent("/psi", 0.5_f32, now);
//! // Before the bytes leave, as they may be back at once.
//! assert!(echo.is_echo(&"/psi", &0.5, now));
//! assert!(!echo.is_echo(&"/psi", &0.5, now), "that one was not ours");
//! echo.hand(&"/psi");
//! ```

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::time::{Duration, Instant};

/// Maximum messages waited for; the oldest is forgotten first.
const WAITING: usize = 1024;
/// Maximum keys whose behaviour is remembered.
const KEYS: usize = 4096;
/// Consecutive outcomes that change the verdict on a key.
const KEY_TURNS: i8 = 2;
/// Consecutive outcomes, of any keys, that decide about the peer.
const PEER_TURNS: i8 = 4;

/// What was sent to one peer, and whether it sends that back.
#[derive(Clone, Debug)]
pub struct Echo<K, V> {
    window: Duration,
    /// Oldest first.
    waiting: VecDeque<Sent<K, V>>,
    keys: HashMap<K, Habit>,
    peer: Habit,
    /// The peer was found to echo, and this was reported.
    reported: bool,
}

#[derive(Clone, Debug)]
struct Sent<K, V> {
    key: K,
    value: V,
    at: Instant,
    /// A later message of the key has returned: the peer only sends the newest value, so this one proves nothing.
    skipped: bool,
}

impl<K: Eq + Hash + Clone, V: PartialEq> Echo<K, V> {
    /// Waits for each message for `window`, which must be longer than the slowest loop. Half a second is enough for a DAW
    /// or a network.
    pub fn new(window: Duration) -> Self {
        let peer = Habit::default();
        Echo { window, waiting: VecDeque::with_capacity(WAITING), keys: HashMap::new(), peer, reported: false }
    }

    /// Notes a message to the peer. Call it before the message leaves.
    pub fn sent(&mut self, key: K, value: V, now: Instant) {
        self.expire(now);
        if self.waiting.len() == WAITING {
            self.waiting.pop_front();
        }
        if self.keys.len() < KEYS {
            self.keys.entry(key.clone()).or_default();
        }
        self.waiting.push_back(Sent { key, value, at: now, skipped: false });
    }

    /// Whether an incoming message is an echo and should be dropped. Each sent message accounts for one echo only. Does not
    /// allocate.
    pub fn is_echo(&mut self, key: &K, value: &V, now: Instant) -> bool {
        self.expire(now);
        let Some(found) = self.waiting.iter().position(|sent| sent.key == *key && sent.value == *value) else {
            return false;
        };
        let is_believed = self.echoes(key);
        self.waiting.iter_mut().take(found).filter(|sent| sent.key == *key).for_each(|sent| sent.skipped = true);
        self.waiting.remove(found);
        self.note(key, true);
        is_believed
    }

    /// Notes input on this key. Its pending messages are no longer waited for, unless the key is known to echo, when the echo
    /// is still on its way.
    pub fn hand(&mut self, key: &K) {
        if self.keys.get(key).is_some_and(|habit| habit.echoes == Some(true)) {
            return;
        }
        let before = self.waiting.len();
        self.waiting.retain(|sent| sent.key != *key);
        if self.waiting.len() < before {
            self.note(key, false);
        }
    }

    /// Forgets messages that have been waited for long enough. The other methods call it; call it occasionally when polling
    /// [`Echo::found`].
    pub fn expire(&mut self, now: Instant) {
        while let Some(sent) = self.waiting.pop_front_if(|sent| now.saturating_duration_since(sent.at) > self.window) {
            if !sent.skipped {
                self.note(&sent.key, false);
            }
        }
    }

    /// True once, when the peer was found to echo, for a line to the player.
    pub fn found(&mut self) -> bool {
        self.peer.echoes == Some(true) && !std::mem::replace(&mut self.reported, true)
    }

    fn echoes(&self, key: &K) -> bool {
        let habit = self.keys.get(key).copied().unwrap_or_default();
        match habit.echoes {
            Some(true) => true,
            // A single message may have been lost.
            Some(false) => self.peer.echoes == Some(true) && habit.run > -KEY_TURNS,
            None => self.peer.echoes != Some(false),
        }
    }

    fn note(&mut self, key: &K, returned: bool) {
        self.peer.note(returned, PEER_TURNS);
        if let Some(habit) = self.keys.get_mut(key) {
            let turns = if habit.echoes.is_none() { 1 } else { KEY_TURNS };
            habit.note(returned, turns);
        }
    }
}

/// The outcomes of sent messages.
#[derive(Clone, Copy, Debug, Default)]
struct Habit {
    /// Consecutive messages that returned; negative for those that did not.
    run: i8,
    /// `None` while nothing is known.
    echoes: Option<bool>,
}

impl Habit {
    fn note(&mut self, returned: bool, turns: i8) {
        self.run = match returned {
            true => self.run.max(0).saturating_add(1),
            false => self.run.min(0).saturating_sub(1),
        };
        if self.run.unsigned_abs() >= turns.unsigned_abs() {
            self.echoes = Some(returned);
        }
    }
}

#[cfg(test)]
mod test {
    use super::*;

    const WINDOW: u64 = 500;

    /// Plays a script such as `a1> a1< 600 a1<`: key and value sent `>` or received `<`; a number waits that many
    /// milliseconds. Returns `e` (echo) or `H` (hand) for each one received.
    fn play(echo: &mut Echo<char, u32>, now: &mut Instant, script: &str) -> String {
        let mut heard = String::new();
        for word in script.split_whitespace() {
            if let Ok(ms) = word.parse() {
                *now += Duration::from_millis(ms);
                echo.expire(*now);
                continue;
            }
            let (key, rest) = word.split_at(1);
            let (value, way) = rest.split_at(rest.len() - 1);
            let (key, value) = (key.chars().next().unwrap(), value.parse().unwrap());
            match way {
                ">" => echo.sent(key, value, *now),
                _ if echo.is_echo(&key, &value, *now) => heard.push('e'),
                _ => {
                    echo.hand(&key);
                    heard.push('H');
                }
            }
        }
        heard
    }

    fn played(script: &str) -> String {
        play(&mut Echo::new(Duration::from_millis(WINDOW)), &mut Instant::now(), script)
    }

    #[test]
    fn each_sent_message_accounts_for_one_echo() {
        for (what, script, expected) in [
            ("never sent", "a1<", "H"),
            ("an echo", "a1> 10 a1<", "e"),
            ("once only", "a1> 10 a1< a1<", "eH"),
            ("another value", "a1> 10 a2<", "H"),
            ("another key", "a1> 10 b1<", "H"),
            ("too late", "a1> 501 a1<", "H"),
            ("late", "a1> 500 a1<", "e"),
            ("two, in order", "a1> a2> 10 a1< a2<", "ee"),
            ("the same twice", "a1> 20 a1> 10 a1< a1< a1<", "eeH"),
            ("only the newest comes", "a1> a2> a3> 10 a3< 600 a4> 10 a4<", "ee"),
            ("a touch after the echo", "a1> 10 a1< 30 a1< a0<", "eHH"),
            ("a touch before the echo", "a1> 5 a9< 5 a1<", "HH"),
            ("a touch before the echo of a key that is known", "a1> 5 a1< 100 a2> 5 a9< 5 a2<", "eHe"),
        ] {
            assert_eq!(played(script), expected, "{what}: {script}");
        }
    }

    #[test]
    fn a_peer_that_never_echoes_is_believed_at_once() {
        for (what, script, expected) in [
            ("its light was not returned", "a0> 600 a1> 150 a1<", "H"),
            ("a key of a silent peer", "a0> b0> c0> d0> 600 e1> 5 e1<", "H"),
            // A button pressed four times a second, with its light at 127 while on: press, release, light.
            (
                "drumming",
                "a0> 600 a127< 20 a0< 100 a127> 50 a127< 20 a0< 100 a0> 50 a127< 20 a0< 100 a127> 50 a127< 20 a0< 100 a0> 50 a127< 20 a0< 100 a127> 50 a127<",
                "HHHHHHHHHHH",
            ),
        ] {
            assert_eq!(played(script), expected, "{what}: {script}");
        }
    }

    #[test]
    fn a_loop_that_starts_later_is_found() {
        let (mut echo, mut now) = (Echo::new(Duration::from_millis(WINDOW)), Instant::now());
        let mut play = |script: &str| play(&mut echo, &mut now, script);
        assert_eq!(play("a1> b1> c1> d1> 600"), "", "a silent peer");
        assert_eq!(play("a2> 9 a2< 99 a3> 9 a3< 99 a4> 9 a4< 99 a5> 9 a5<"), "HHee", "a key that changed");
        assert_eq!(play("b2> 9 b2< 99 b3> 9 b3<"), "ee", "and all of them");
        assert_eq!(play("a1> 600 a2> 600 a3> 600 a4> 600 b1> 9 b1< 600 a1> 9 a1<"), "eH", "and cut again");
    }

    #[test]
    fn a_peer_that_returns_everything_is_reported_once() {
        let (mut echo, mut now) = (Echo::new(Duration::from_millis(WINDOW)), Instant::now());
        let mut told = 0;
        for _ in 0..20 {
            assert_eq!(play(&mut echo, &mut now, "a1> 9 a1< 99 b2> 9 b2< 99"), "ee");
            told += u32::from(echo.found());
        }
        assert_eq!(told, 1);
        let mut silent = Echo::new(Duration::from_millis(WINDOW));
        assert_eq!(play(&mut silent, &mut now, "a1> 9 a1< a2> 9 a2< a3> 600"), "ee");
        assert!(!silent.found(), "a few say nothing");
    }

    /// A loop that returns everything, and a light that answers every press, must come to rest.
    #[test]
    fn a_loop_comes_to_rest() {
        let mut rng = crate::control::test_rng(5);
        for silent_first in [false, true] {
            let (mut echo, mut now) = (Echo::new(Duration::from_millis(WINDOW)), Instant::now());
            if silent_first {
                play(&mut echo, &mut now, "a0> b0> c0> d0> 600");
            }
            // Each input on a key toggles its light, which is sent and comes back.
            let mut lights = [0_u32; 4];
            let mut flying = VecDeque::from_iter((0..4).map(|i| (i, 1_u32)));
            let (mut hands, mut steps) = (0, 0);
            for (i, value) in flying.clone() {
                echo.sent((b'a' + i as u8) as char, value, now);
            }
            while let Some((i, value)) = flying.pop_front() {
                steps += 1;
                assert!(steps < 1000, "it never ends");
                now += Duration::from_millis(1 + rng() % 30);
                let key = (b'a' + i as u8) as char;
                if !echo.is_echo(&key, &value, now) {
                    hands += 1;
                    echo.hand(&key);
                    lights[i] ^= 1;
                    echo.sent(key, lights[i], now);
                    flying.push_back((i, lights[i]));
                }
            }
            let most = if silent_first { 2 * 4 } else { 0 };
            assert!(hands <= most, "{hands} taken for hands");
        }
    }

    #[test]
    fn long_runs_of_the_same_outcome_are_counted() {
        for (script, expected) in [("a1> 501", ""), ("a1> a1<", "e")] {
            let (mut echo, mut now) = (Echo::new(Duration::from_millis(WINDOW)), Instant::now());
            for _ in 0..300 {
                assert_eq!(play(&mut echo, &mut now, script), expected);
            }
        }
    }

    #[test]
    fn memory_is_bounded() {
        let (mut echo, now) = (Echo::new(Duration::from_millis(WINDOW)), Instant::now());
        for key in 0..20_000 {
            echo.sent(key, 0, now);
        }
        assert!(echo.waiting.len() <= WAITING && echo.keys.len() <= KEYS);
        assert!(echo.is_echo(&19_999, &0, now));
    }
}
