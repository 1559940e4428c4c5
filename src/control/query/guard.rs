//! Who may ask, and how often: the checks that stand before everything else. Pure; times are inputs.

use std::net::IpAddr;
use std::time::Instant;

/// Whether a request is meant for us and comes from our own page, or from a program that is no browser.
///
/// A page of a stranger can make a browser call any address of this machine, under a name of its own that it lets
/// point here ("DNS rebinding"). So the name in `Host` must be one that strangers cannot have: on the loopback
/// `localhost` or a loopback address; on the network also any address in digits, a bare name, and `.local`. A
/// browser says in `Origin` whose page it is: that must be ours, of the same name and port. Pictures and scripts that a page
/// embeds come without it; for those the browser says in `Sec-Fetch-Site` whether the page is ours, or `none` where
/// somebody typed the address.
pub fn may_ask(host: Option<&str>, origin: Option<&str>, site: Option<&str>, on_loopback: bool) -> bool {
    let Some(host) = host else { return false };
    let name = name_of(host);
    let is_ours = match name.parse::<IpAddr>() {
        Ok(ip) => !on_loopback || ip.is_loopback(),
        Err(_) if name.eq_ignore_ascii_case("localhost") => true,
        Err(_) => !on_loopback && (!name.contains('.') || name.to_ascii_lowercase().ends_with(".local")),
    };
    let is_own_page = origin.is_none_or(|origin| {
        origin.strip_prefix("http://").is_some_and(|authority| authority.eq_ignore_ascii_case(host))
    });
    let is_asked_by_us = site.is_none_or(|site| matches!(site, "same-origin" | "none"));
    is_ours && is_own_page && is_asked_by_us
}

/// The name or address of `name:port`, without the brackets of IPv6.
fn name_of(host: &str) -> &str {
    if let Some(rest) = host.strip_prefix('[') {
        return rest.split(']').next().unwrap_or_default();
    }
    host.rsplit_once(':').map_or(host, |(name, _)| name)
}

/// Lets so much through in a second, and twice that at once.
#[derive(Clone, Debug)]
pub struct Rate {
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
        let passed = now.saturating_duration_since(self.seen).as_secs_f64();
        self.seen = now;
        self.left = (self.left + passed * self.per_sec).min(2.0 * self.per_sec);
        let passes = self.left >= 1.0;
        if passes {
            self.left -= 1.0;
        }
        passes
    }
}

#[cfg(test)]
mod test {
    use super::*;
    use std::time::Duration;

    #[test]
    fn strangers_and_their_pages_are_kept_out() {
        // (Host, Origin, on the loopback, on the network)
        for (host, origin, loopback, network) in [
            (Some("localhost:9000"), None, true, true),
            (Some("127.0.0.1:9000"), None, true, true),
            (Some("[::1]:9000"), None, true, true),
            (Some("localhost"), None, true, true),
            (Some("192.168.1.7:9000"), None, false, true),
            (Some("stage:9000"), None, false, true),
            (Some("stage.local:9000"), None, false, true),
            (Some("evil.example:9000"), None, false, false),
            (Some("localhost.evil.example"), None, false, false),
            (Some("127.0.0.1.evil.example:9000"), None, false, false),
            (None, None, false, false),
            (Some("localhost:9000"), Some("http://localhost:9000"), true, true),
            (Some("localhost:9000"), Some("http://localhost:8000"), false, false),
            (Some("localhost:9000"), Some("http://evil.example"), false, false),
            (Some("localhost:9000"), Some("null"), false, false),
            (Some("localhost:9000"), Some("https://localhost:9000"), false, false),
        ] {
            assert_eq!(may_ask(host, origin, None, true), loopback, "{host:?} {origin:?} on the loopback");
            assert_eq!(may_ask(host, origin, None, false), network, "{host:?} {origin:?} on the network");
        }
        for (site, expected) in [("same-origin", true), ("none", true), ("cross-site", false), ("same-site", false)] {
            assert_eq!(may_ask(Some("localhost:9000"), None, Some(site), true), expected, "{site}");
        }
    }

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
}
