//! Rate limits: how much a peer may request, weighted by cost. Pure; times are inputs. Each thread has its own.

use std::time::Instant;

/// A token bucket: passes a given amount per second, and bursts of twice that.
#[derive(Clone, Debug)]
pub(crate) struct Rate {
    per_sec: f64,
    left: f64,
    seen: Instant,
}

impl Rate {
    pub fn new(per_sec: f64, now: Instant) -> Self {
        Rate { per_sec, left: 2.0 * per_sec, seen: now }
    }

    /// Whether one more may pass.
    pub fn pass(&mut self, now: Instant) -> bool {
        self.take(1.0, now)
    }

    /// Whether something of this `cost` may pass.
    pub fn take(&mut self, cost: f64, now: Instant) -> bool {
        self.refill(now);
        let passes = self.left >= cost;
        if passes {
            self.left -= cost;
        }
        passes
    }

    fn refill(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.seen).as_secs_f64();
        self.seen = now;
        self.left = (self.left + passed * self.per_sec).min(2.0 * self.per_sec);
    }
}

/// How many peers are tracked; beyond that, the one that has been quiet for longest is forgotten.
const PEERS: usize = 64;
/// All peers together may use this many times what one may.
const TOGETHER: f64 = 4.0;

/// A rate limit per peer, so that a flooding peer takes nothing from the others, and one for all together, so that using
/// many addresses does not help.
#[derive(Clone, Debug)]
pub(crate) struct Peers<K> {
    per_sec: f64,
    all: Rate,
    peers: Vec<(K, Rate)>,
}

impl<K: PartialEq> Peers<K> {
    pub fn new(per_sec: f64, now: Instant) -> Self {
        Peers { per_sec, all: Rate::new(TOGETHER * per_sec, now), peers: Vec::with_capacity(PEERS) }
    }

    /// Whether something of this `cost` from this peer may pass.
    pub fn take(&mut self, peer: K, cost: f64, now: Instant) -> bool {
        let known = self.peers.iter().position(|(known, _)| *known == peer);
        let place = known.unwrap_or_else(|| {
            if self.peers.len() >= PEERS
                && let Some(quiet) = (0..PEERS).min_by_key(|&i| self.peers[i].1.seen)
            {
                self.peers.swap_remove(quiet);
            }
            self.peers.push((peer, Rate::new(self.per_sec, now)));
            self.peers.len() - 1
        });
        self.peers[place].1.take(cost, now) && self.all.take(cost, now)
    }
}

#[cfg(test)]
mod test {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_flood_passes_at_its_rate_only() {
        let start = Instant::now();
        let mut rate = Rate::new(100.0, start);
        let at = |ms| start + Duration::from_millis(ms);
        let passed = |rate: &mut Rate, now| (0..1000).filter(|_| rate.pass(now)).count();
        assert_eq!(passed(&mut rate, at(0)), 200);
        assert_eq!(passed(&mut rate, at(500)), 50);
        assert_eq!(passed(&mut rate, at(500)), 0);
        assert_eq!(passed(&mut rate, at(100_000)), 200);
    }

    #[test]
    fn a_flood_takes_nothing_from_others() {
        let start = Instant::now();
        let mut peers = Peers::new(100.0, start);
        let mut passed = |peer: usize, cost| (0..1000).filter(|_| peers.take(peer, cost, start)).count();
        // Two seconds' worth for each.
        assert_eq!((passed(0, 50.0), passed(0, 1.0)), (4, 0));
        assert_eq!((passed(1, 1.0), passed(1, 50.0)), (200, 0));
        // A peer that uses a new name per request is held to the shared limit: 800, of which 400 are left.
        assert_eq!((2..1000).filter(|&peer| peers.take(peer, 1.0, start)).count(), 400);
        assert_eq!(peers.peers.len(), PEERS);
    }
}
