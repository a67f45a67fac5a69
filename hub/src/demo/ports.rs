//! Ports on loopback: the documented one where it is free, else any.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};

/// An address for a UDP listener, free a moment ago.
pub(super) fn udp(documented: u16) -> io::Result<SocketAddr> {
    let at = |port| UdpSocket::bind((Ipv4Addr::LOCALHOST, port));
    at(documented).or_else(|_| at(0))?.local_addr()
}

/// An address for a TCP listener, free a moment ago.
pub(super) fn tcp(documented: u16) -> io::Result<SocketAddr> {
    let at = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port));
    at(documented).or_else(|_| at(0))?.local_addr()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_replaced_by_a_free_one() {
        let taken = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = taken.local_addr().unwrap().port();
        assert_ne!(udp(port).unwrap().port(), port);
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = taken.local_addr().unwrap().port();
        assert_ne!(tcp(port).unwrap().port(), port);
    }
}
