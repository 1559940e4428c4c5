//! mDNS: other programs discover the instrument as `_oscjson._tcp` and `_osc._udp`.
//!
//! A server on the loopback is announced only on the loopback, not to other machines. The threads of `mdns-sd` do
//! the work; nothing here can stop the show.

use std::net::SocketAddr;
use std::time::Duration;

use mdns_sd::{IfKind, ServiceDaemon, ServiceInfo};

use super::OscHost;

/// The instrument's name in other programs.
pub const NAME: &str = "Latent Jockey";

/// Services announced until this is dropped.
pub struct Announcement {
    daemon: ServiceDaemon,
    names: Vec<String>,
}

impl Announcement {
    /// Announces the page's port and, if there is one, the OSC port. `None`, with a line in the log, if this machine has
    /// no network for it.
    pub fn new(page: SocketAddr, osc: Option<OscHost>) -> Option<Self> {
        announce(page, osc).map_err(|error| tracing::warn!("not announced by mDNS: {error}")).ok()
    }
}

fn announce(page: SocketAddr, osc: Option<OscHost>) -> Result<Announcement, mdns_sd::Error> {
    let daemon = ServiceDaemon::new()?;
    if page.ip().is_loopback() {
        daemon.disable_interface(IfKind::All)?;
        daemon.enable_interface(vec![IfKind::LoopbackV4, IfKind::LoopbackV6])?;
    }
    // One name for both services; the port distinguishes two instruments on one machine.
    let instance = format!("{NAME} {}", page.port());
    let host = format!("latent-jockey-{}.local.", page.port());
    let services = [("_oscjson._tcp.local.", Some(page.port())), ("_osc._udp.local.", osc.map(|osc| osc.port))];
    let mut names = Vec::new();
    for (kind, port) in services {
        let Some(port) = port else { continue };
        let ip = if page.ip().is_unspecified() { String::new() } else { page.ip().to_string() };
        let mut service = ServiceInfo::new(kind, &instance, &host, ip.as_str(), port, None)?;
        if page.ip().is_unspecified() {
            service = service.enable_addr_auto();
        }
        names.push(service.get_fullname().to_owned());
        daemon.register(service)?;
    }
    Ok(Announcement { daemon, names })
}

impl Drop for Announcement {
    fn drop(&mut self) {
        const GOODBYE: Duration = Duration::from_millis(200);
        for name in &self.names {
            if let Ok(done) = self.daemon.unregister(name) {
                let _ = done.recv_timeout(GOODBYE);
            }
        }
        let _ = self.daemon.shutdown();
    }
}
