//! Where servers listen: at one address, or on this machine alone.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Where to listen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listen {
    At(SocketAddr),
    /// On both loopbacks, 127.0.0.1 and ::1, because programs understand `localhost` as either. One of them is enough.
    Loopback {
        port: u16,
    },
}

impl Listen {
    /// At `ip`, or on the loopbacks.
    pub fn new(ip: Option<IpAddr>, port: u16) -> Self {
        ip.map_or(Listen::Loopback { port }, |ip| Listen::At((ip, port).into()))
    }

    /// The address, IPv4 if there are two.
    pub fn address(self) -> SocketAddr {
        match self {
            Listen::At(address) => address,
            Listen::Loopback { port } => (Ipv4Addr::LOCALHOST, port).into(),
        }
    }

    /// Opens a socket at each address with `open`, which returns it and its real address. IPv6 missing from the machine is
    /// normal; `say` is called if its loopback cannot be opened for another reason.
    ///
    /// # Errors
    /// When nothing can be opened, or the port is taken on IPv4.
    pub(crate) fn open<S, E: std::error::Error + Refuses>(
        self,
        open: impl Fn(SocketAddr) -> Result<(S, SocketAddr), E>,
        say: impl FnOnce(String),
    ) -> Result<Vec<S>, E> {
        let first = open(self.address());
        let Listen::Loopback { port } = self else { return Ok(vec![first?.0]) };
        let (first, port) = match first {
            Ok((socket, local)) => (Ok(socket), local.port()),
            // IPv4 itself is missing.
            Err(error) if error.is_missing_family() => (Err(error), port),
            Err(error) => return Err(error),
        };
        match (first, open((Ipv6Addr::LOCALHOST, port).into())) {
            (Ok(first), Ok((second, _))) => Ok(vec![first, second]),
            (Ok(first), Err(error)) => {
                if !error.is_missing_family() {
                    say(format!("{error}; localhost works over IPv4 (127.0.0.1) only"));
                }
                Ok(vec![first])
            }
            (Err(_), Ok((second, _))) => Ok(vec![second]),
            (Err(error), Err(_)) => Err(error),
        }
    }
}

/// Errors of opening a socket.
pub(crate) trait Refuses {
    /// Whether the machine has no such address at all.
    fn is_missing_family(&self) -> bool;
}

/// Whether the machine has no such family of addresses, or none of its addresses.
pub(crate) fn is_missing_family(error: &std::io::Error) -> bool {
    // EAFNOSUPPORT on Linux, macOS and the BSDs, WSAEAFNOSUPPORT.
    const UNSUPPORTED: [i32; 3] = [97, 47, 10_047];
    error.kind() == std::io::ErrorKind::AddrNotAvailable
        || error.kind() == std::io::ErrorKind::Unsupported
        || error.raw_os_error().is_some_and(|code| UNSUPPORTED.contains(&code))
}

#[cfg(test)]
mod test {
    use super::*;
    use std::cell::RefCell;

    #[derive(Debug, PartialEq, thiserror::Error)]
    enum Fault {
        #[error("missing")]
        Missing,
        #[error("taken")]
        Taken,
    }

    impl Refuses for Fault {
        fn is_missing_family(&self) -> bool {
            *self == Fault::Missing
        }
    }

    #[test]
    fn one_loopback_is_enough() {
        // What IPv4 and IPv6 do, the addresses that are open, and whether a line is said.
        for (faults, expected, says) in [
            ([None, None], Ok("127.0.0.1:7 [::1]:7"), false),
            ([None, Some(Fault::Missing)], Ok("127.0.0.1:7"), false),
            ([None, Some(Fault::Taken)], Ok("127.0.0.1:7"), true),
            ([Some(Fault::Missing), None], Ok("[::1]:7"), false),
            ([Some(Fault::Taken), None], Err(Fault::Taken), false),
            ([Some(Fault::Missing), Some(Fault::Taken)], Err(Fault::Missing), false),
        ] {
            let faults = RefCell::new(faults);
            let open = |address: SocketAddr| match faults.borrow_mut()[usize::from(address.is_ipv6())].take() {
                None => Ok((address.to_string(), address)),
                Some(fault) => Err(fault),
            };
            let said = RefCell::new(false);
            let opened = Listen::Loopback { port: 7 }.open(open, |_| *said.borrow_mut() = true);
            assert_eq!((opened.map(|open| open.join(" ")), said.into_inner()), (expected.map(str::to_owned), says));
        }
    }

    #[test]
    fn an_address_is_used_as_it_is() {
        let open = |address: SocketAddr| Ok::<_, Fault>((address, address));
        let given: IpAddr = Ipv4Addr::LOCALHOST.into();
        assert_eq!(Listen::new(Some(given), 7).open(open, |_| ()), Ok(vec![(given, 7).into()]));
        assert_eq!(Listen::new(None, 7), Listen::Loopback { port: 7 });
    }

    #[test]
    fn a_free_port_is_the_same_for_both() {
        let open = |address: SocketAddr| {
            let port = if address.port() == 0 { 5555 } else { address.port() };
            Ok::<_, Fault>((port, SocketAddr::new(address.ip(), port)))
        };
        assert_eq!(Listen::Loopback { port: 0 }.open(open, |_| ()), Ok(vec![5555, 5555]));
    }
}
