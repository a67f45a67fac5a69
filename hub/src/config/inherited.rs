//! Sockets that were open before the hub was: what systemd's socket activation hands over in the
//! environment (`sd_listen_fds(3)`).
//!
//! Invariant: a socket that is for nothing in the configuration is an error, never left unread.

use std::io;
use std::net::{SocketAddr, UdpSocket};

use listenfd::ListenFd;

use super::Config;

/// The sockets, by what they are for.
#[derive(Debug, Default)]
pub struct Inherited {
    /// Of `link.listen`.
    pub link: Vec<UdpSocket>,
    /// Of `plain.listen`.
    pub plain: Option<UdpSocket>,
}

/// An inherited descriptor that the hub has no use for.
#[derive(Debug, thiserror::Error)]
pub enum InheritedError {
    /// It is no UDP socket.
    #[error("inherited descriptor {number} of LISTEN_FDS is not a UDP socket: use ListenDatagram=")]
    NotUdp {
        /// Its place, from 0.
        number: usize,
        /// The system's words.
        #[source]
        source: io::Error,
    },
    /// It has another port than those configured.
    #[error(
        "the inherited socket on {address}/udp has neither the port of link.listen nor, with \
         plain.enabled, that of plain.listen"
    )]
    OtherPort {
        /// Where it listens.
        address: SocketAddr,
    },
    /// More than one for CoAP without DTLS.
    #[error("more than one inherited socket has the port of plain.listen")]
    PlainTwice,
}

impl Inherited {
    /// Takes the sockets of LISTEN_FDS, if they are this process's.
    ///
    /// # Errors
    /// A descriptor that is for nothing in `config`.
    pub fn take(config: &Config) -> Result<Self, InheritedError> {
        let mut handed = of_the_environment();
        let mut inherited = Self::default();
        for number in 0..handed.len() {
            let not_udp = |source| InheritedError::NotUdp { number, source };
            let Some(socket) = handed.take_udp_socket(number).map_err(not_udp)? else { continue };
            let address = socket.local_addr().map_err(not_udp)?;
            if address.port() == config.link.listen.port() {
                inherited.link.push(socket);
            } else if config.plain.enabled && address.port() == config.plain.listen.port() {
                if inherited.plain.replace(socket).is_some() {
                    return Err(InheritedError::PlainTwice);
                }
            } else {
                return Err(InheritedError::OtherPort { address });
            }
        }
        Ok(inherited)
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the one reader of the environment")]
fn of_the_environment() -> ListenFd {
    ListenFd::from_env()
}
