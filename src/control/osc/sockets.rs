//! The sockets that answers leave from: the port that listens, wherever that can reach the receiver.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// What is sent is lost if a socket cannot take it for this long.
pub(super) const SEND_TIMEOUT: Duration = Duration::from_millis(1);

/// A server's sockets.
pub(super) struct Sockets {
    listening: Vec<Arc<UdpSocket>>,
    /// For receivers that no listening socket reaches, as one on the loopback reaches no other machine: IPv4, IPv6.
    free: [OnceLock<Option<UdpSocket>>; 2],
}

impl Sockets {
    pub fn new(listening: Vec<Arc<UdpSocket>>) -> Self {
        Sockets { listening, free: [const { OnceLock::new() }; 2] }
    }

    /// Whether this is where the server itself listens.
    pub fn are_at(&self, to: SocketAddr) -> bool {
        let is_here = |own: SocketAddr| {
            let is_same_machine = own.ip() == to.ip() || (own.ip().is_unspecified() && to.ip().is_loopback());
            own.port() == to.port() && is_same_machine
        };
        self.listening.iter().filter_map(|socket| socket.local_addr().ok()).any(is_here)
    }

    /// Sends a datagram. What the socket does not take is lost.
    pub fn send(&self, bytes: &[u8], to: SocketAddr) {
        if let Some(socket) = self.listening.iter().find(|socket| reaches(socket, to.ip())) {
            let _ = socket.send_to(bytes, to);
        } else if let Some(socket) = self.free[usize::from(to.is_ipv6())].get_or_init(|| free(to)) {
            let _ = socket.send_to(bytes, to);
        }
    }
}

fn reaches(socket: &UdpSocket, to: IpAddr) -> bool {
    let own = socket.local_addr().map(|own| own.ip());
    own.is_ok_and(|own| own.is_ipv6() == to.is_ipv6() && (!own.is_loopback() || to.is_loopback()))
}

fn free(to: SocketAddr) -> Option<UdpSocket> {
    let any: IpAddr = if to.is_ipv6() { Ipv6Addr::UNSPECIFIED.into() } else { Ipv4Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0)).ok()?;
    socket.set_write_timeout(Some(SEND_TIMEOUT)).ok()?;
    Some(socket)
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn answers_leave_from_the_port_that_listens_if_it_reaches_the_receiver() {
        let listening = Arc::new(UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap());
        let own = listening.local_addr().unwrap();
        let sockets = Sockets::new(vec![listening.clone()]);
        assert!(reaches(&listening, Ipv4Addr::LOCALHOST.into()));
        assert!(!reaches(&listening, Ipv4Addr::new(192, 168, 1, 20).into()), "the loopback reaches no other machine");
        assert!(!reaches(&listening, Ipv6Addr::LOCALHOST.into()));
        assert!(sockets.are_at(own) && !sockets.are_at((Ipv4Addr::LOCALHOST, own.port() ^ 1).into()));
        let receiver = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        receiver.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        sockets.send(b"a", receiver.local_addr().unwrap());
        assert_eq!(receiver.recv_from(&mut [0; 8]).unwrap(), (1, own));
        // An address of this machine other than the loopback, if it has one.
        let others = if_addrs::get_if_addrs().unwrap_or_default();
        if let Some(other) = others.iter().map(|i| i.ip()).find(|ip| ip.is_ipv4() && !ip.is_loopback()) {
            let receiver = UdpSocket::bind((other, 0)).unwrap();
            receiver.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
            sockets.send(b"b", receiver.local_addr().unwrap());
            assert_eq!(receiver.recv_from(&mut [0; 8]).unwrap().0, 1);
        }
    }
}
