//! Which requests are accepted: the check before everything else. Pure.

use crate::control::web::is_our_host;

/// Whether a request is meant for us and comes from our own page, or from a program other than a browser.
///
/// The name in `Host` must be one that no outsider can own. Browsers send the page's origin in
/// `Origin`, which must be ours, with the same name and port. Requests for embedded pictures and scripts lack it; for
/// those `Sec-Fetch-Site` says whether the page is ours, or `none` if the user typed the address.
pub fn may_ask(host: Option<&str>, origin: Option<&str>, site: Option<&str>, on_loopback: bool) -> bool {
    let Some(host) = host else { return false };
    let is_own_page = origin.is_none_or(|origin| {
        origin.strip_prefix("http://").is_some_and(|authority| authority.eq_ignore_ascii_case(host))
    });
    let is_asked_by_us = site.is_none_or(|site| matches!(site, "same-origin" | "none"));
    is_our_host(host, on_loopback) && is_own_page && is_asked_by_us
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn foreign_hosts_and_pages_are_refused() {
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
}
