//! From the window to the page: a key opens its explorer in the system's browser.

use std::net::SocketAddr;
use std::sync::Arc;

use crate::control::{Counts, Event, EventSender};

/// Where the page is. Clones lead to the same.
#[derive(Clone)]
pub struct Doorway {
    page: Option<SocketAddr>,
    port: u16,
    events: EventSender,
    counts: Arc<Counts>,
}

impl std::fmt::Debug for Doorway {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Doorway").field("page", &self.page).finish_non_exhaustive()
    }
}

impl Doorway {
    /// `page` is where the server listens; `None` if it does not, on `port`.
    pub fn new(page: Option<SocketAddr>, port: u16, events: EventSender) -> Doorway {
        Doorway { page, port, events, counts: Arc::default() }
    }

    /// Opens the explorer `with` the system's browser, on the thread `browser`. One line says the address, and what goes wrong.
    pub fn open(&self, with: impl FnOnce(&str) -> std::io::Result<()> + Send + 'static) {
        let Some(page) = self.page else {
            let address = explorer(SocketAddr::from(([127, 0, 0, 1], self.port)));
            return self.say(format!("no explorer: no page answers at {address}"));
        };
        let (address, doorway) = (explorer(page), self.clone());
        let open = move || {
            doorway.say(match with(&address) {
                // A browser on another desktop is not seen.
                Ok(()) => format!("the explorer: {address}"),
                Err(error) => format!("cannot open a browser ({error}): the explorer is at {address}"),
            });
        };
        if let Err(error) = std::thread::Builder::new().name("browser".to_owned()).spawn(open) {
            self.say(format!("cannot open a browser ({error}): the explorer is at {}", explorer(page)));
        }
    }

    fn say(&self, line: String) {
        self.events.send(Event::Notice(line), &self.counts);
    }
}

/// The address of the explorer for a browser on this machine.
fn explorer(page: SocketAddr) -> String {
    if page.ip().is_loopback() || page.ip().is_unspecified() {
        return format!("http://localhost:{}/#explore", page.port());
    }
    format!("http://{page}/#explore")
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;
    use std::time::Duration;

    use super::*;
    use crate::control::queue;

    const PATIENCE: Duration = Duration::from_secs(60);

    #[test]
    fn a_browser_is_led_to_the_explorer() {
        for (page, expected) in [
            ("127.0.0.1:9000", "http://localhost:9000/#explore"),
            ("0.0.0.0:9001", "http://localhost:9001/#explore"),
            ("[::1]:9002", "http://localhost:9002/#explore"),
            ("192.168.1.7:9000", "http://192.168.1.7:9000/#explore"),
            ("[fe80::1]:9000", "http://[fe80::1]:9000/#explore"),
        ] {
            let (sender, events) = queue();
            let (opened, seen) = channel();
            let doorway = Doorway::new(page.parse().ok(), 1, sender);
            doorway.open(move |address| opened.send(address.to_owned()).map_err(std::io::Error::other));
            assert_eq!(seen.recv_timeout(PATIENCE).as_deref(), Ok(expected));
            let said = events.recv_timeout(PATIENCE);
            assert!(matches!(&said, Ok(Event::Notice(line)) if line.ends_with(expected)), "{said:?}");
        }
    }

    #[test]
    fn without_a_browser_or_a_page_a_line_has_the_address() {
        let page = "127.0.0.1:9000".parse().ok();
        for (page, expected) in [
            (page, "cannot open a browser (there is none): the explorer is at http://localhost:9000/#explore"),
            (None, "no explorer: no page answers at http://localhost:8000/#explore"),
        ] {
            let (sender, events) = queue();
            Doorway::new(page, 8000, sender).open(|_| Err(std::io::Error::other("there is none")));
            let line = match events.recv_timeout(PATIENCE) {
                Ok(Event::Notice(line)) => line,
                other => panic!("{other:?}"),
            };
            assert_eq!(line, expected);
        }
    }
}
