//! From host and port to the addresses that can be listened on.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, ToSocketAddrs};

use crate::StartError;

/// The addresses of `host`, those that this machine does not have left out. `are_inherited` says
/// that the sockets come from a process that still listens on them.
pub(crate) fn addresses(
    host: &str,
    port: u16,
    are_inherited: bool,
) -> Result<Vec<SocketAddr>, StartError> {
    let wanted = candidates(host, port)?;
    if are_inherited {
        return Ok(wanted);
    }
    let mut available = Vec::new();
    let mut refused = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for address in wanted {
        // The workers share their port, so the kernel would let a stranger of the same user share
        // it too and split the traffic. This socket shares with nobody: it fails if anyone listens.
        match TcpListener::bind(address) {
            Ok(_) => available.push(address),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                return Err(StartError::AddressInUse(address));
            }
            Err(error) => refused = error,
        }
    }
    match available.is_empty() {
        true => Err(StartError::Host { host: host.to_owned(), error: refused }),
        false => Ok(available),
    }
}

fn candidates(host: &str, port: u16) -> Result<Vec<SocketAddr>, StartError> {
    match host {
        // A free port is only known to be free for the family it was found in.
        "localhost" if port == 0 => Ok(vec![(Ipv4Addr::LOCALHOST, port).into()]),
        "localhost" => {
            Ok(vec![(Ipv4Addr::LOCALHOST, port).into(), (Ipv6Addr::LOCALHOST, port).into()])
        }
        // As in Go: no host is every address.
        "" => Ok(vec![(Ipv4Addr::UNSPECIFIED, port).into()]),
        name => {
            let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
            let found = (bare.unwrap_or(name), port).to_socket_addrs();
            let error = |error| StartError::Host { host: host.to_owned(), error };
            found.map(Iterator::collect).map_err(error)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_named() {
        let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = taken.local_addr().expect("bound");
        let error = addresses("localhost", address.port(), false).expect_err("taken");
        let message = error.to_string();
        assert!(message.contains(&format!("port {} is in use", address.port())), "{message}");
        assert!(message.contains("-port"), "{message}");
        assert!(addresses("localhost", address.port(), true).is_ok(), "inherited ports are taken");
    }

    #[test]
    fn addresses_of_other_machines_are_refused() {
        // TEST-NET-1 belongs to no machine.
        let error = addresses("192.0.2.1", 0, false).expect_err("not ours");
        assert!(error.to_string().contains("192.0.2.1"), "{error}");
    }

    #[test]
    fn hosts_are_names_or_addresses() {
        for (host, expected) in
            [("localhost", "127.0.0.1:0"), ("0.0.0.0", "0.0.0.0:0"), ("", "0.0.0.0:0")]
        {
            let found = addresses(host, 0, false).expect("ours");
            assert_eq!(found, [expected.parse().expect("an address")], "{host}");
        }
        let both = candidates("localhost", 80).expect("two addresses");
        assert_eq!(both.len(), 2);
        assert_eq!(candidates("[::1]", 80).expect("one").len(), 1);
    }
}
