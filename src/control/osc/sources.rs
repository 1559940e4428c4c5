//! Which lane of the event queue each OSC sender has.
//!
//! A sender that goes on gets a lane of its own with its second message; the rest share lane 0, among them programs that
//! send one message and quit. A lane changes hands once its sender has been quiet for a while. So neither a flood from one
//! sender nor one from many forged addresses evicts what an established sender sends. Pure; times are inputs.

use std::hash::{BuildHasher, RandomState};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::control::OSC_PEERS;

/// A sender that has been quiet for this long may lose its lane to another.
const QUIET: Duration = Duration::from_secs(2);
/// How many senders of a first message are remembered, roughly.
const STRANGERS: usize = 1024;

/// The senders and their lanes.
pub struct Sources {
    /// The sender of lane `i + 1`, and when it was heard last.
    own: Vec<(SocketAddr, Instant)>,
    /// The hashes of other senders, each at its own place.
    strangers: Box<[u64]>,
    hasher: RandomState,
}

impl Default for Sources {
    fn default() -> Self {
        let strangers = vec![0; STRANGERS].into();
        Sources { own: Vec::with_capacity(OSC_PEERS), strangers, hasher: RandomState::new() }
    }
}

impl Sources {
    /// The lane of a message `from` this sender, 0 to [`OSC_PEERS`].
    pub fn lane(&mut self, from: SocketAddr, now: Instant) -> usize {
        if let Some(known) = self.own.iter().position(|(own, _)| *own == from) {
            self.own[known].1 = now;
            return known + 1;
        }
        let hash = self.hasher.hash_one(from);
        let seen = &mut self.strangers[hash as usize % STRANGERS];
        if *seen != hash {
            *seen = hash;
            return 0;
        }
        if self.own.len() < OSC_PEERS {
            self.own.push((from, now));
            return self.own.len();
        }
        let quietest = (0..self.own.len()).min_by_key(|&i| self.own[i].1);
        match quietest.filter(|&i| now.saturating_duration_since(self.own[i].1) >= QUIET) {
            Some(i) => {
                self.own[i] = (from, now);
                i + 1
            }
            None => 0,
        }
    }
}

#[cfg(test)]
mod test {
    use super::*;

    fn sender(n: u32) -> SocketAddr {
        (std::net::Ipv4Addr::from_bits(0x0a00_0000 + n / 60_000), 1024 + (n % 60_000) as u16).into()
    }

    #[test]
    fn senders_that_go_on_have_a_lane_each() {
        let (mut sources, now) = (Sources::default(), Instant::now());
        let mut lanes: Vec<usize> = (0..OSC_PEERS as u32)
            .map(|n| {
                assert_eq!(sources.lane(sender(n), now), 0, "its first message");
                sources.lane(sender(n), now)
            })
            .collect();
        lanes.sort_unstable();
        assert_eq!(lanes, (1..=OSC_PEERS).collect::<Vec<_>>());
        assert_eq!([0, 1].map(|_| sources.lane(sender(77), now)), [0, 0], "all lanes are in use");
        // One of them goes quiet.
        let later = now + QUIET;
        (0..7).for_each(|n| assert_ne!(sources.lane(sender(n), later), 0));
        assert_eq!(sources.lane(sender(77), later), lanes[7]);
        assert_eq!(sources.lane(sender(7), later), 0, "it has lost its lane");
    }

    #[test]
    fn forged_senders_take_no_lane_from_one_that_plays() {
        let (mut sources, start) = (Sources::default(), Instant::now());
        let mut shared = 0;
        for n in 0..200_000 {
            // 20,000 a second, each from another address; the player sends once every 10 ms.
            let now = start + Duration::from_micros(u64::from(n) * 50);
            sources.lane(sender(1000 + n), now);
            if n % 200 == 0 {
                shared += u32::from(sources.lane(sender(0), now) == 0);
            }
        }
        assert!(shared < 10, "{shared} of 1000 messages in the shared lane");
        assert_eq!((sources.own.len() <= OSC_PEERS, sources.strangers.len()), (true, STRANGERS));
    }
}
