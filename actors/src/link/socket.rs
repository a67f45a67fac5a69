//! UDP sockets: one per arbiter on one port, inherited ones among them; batched receive.
//!
//! Invariant: knows no DTLS; a datagram is bytes and an address.

use std::io::{self, IoSliceMut};
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;

use quinn_udp::{BATCH_SIZE, RecvMeta, UdpSockRef, UdpSocketState};
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::io::Interest;

/// The largest datagram a board may send, in bytes; what is longer is dropped and counted.
pub const DATAGRAM_MAX: usize = 2048;

/// What the kernel makes at most of several datagrams of one peer.
const COALESCED_MAX: usize = 65_535;

/// The sockets that boards send to.
#[derive(Debug)]
pub struct Sockets {
    /// One for each arbiter with sessions; at least one.
    pub shards: Vec<UdpSocket>,
    /// The front door's, the last of a group on one address; `None` where there is no such group.
    pub door: Option<UdpSocket>,
}

/// Opens a socket for each of `shards` arbiters and one for the front door, on the same address with
/// SO_REUSEPORT, beside those `inherited`.
///
/// Inherited sockets that no other can be bound beside, for want of SO_REUSEPORT or because they are
/// another user's, serve alone.
///
/// # Errors
/// The system's; `AddrInUse` when anybody, another hub included, has the port.
pub fn open(
    listen: SocketAddr,
    shards: usize,
    receive_buffer: usize,
    inherited: Vec<UdpSocket>,
) -> io::Result<Sockets> {
    let wanted = shards.max(1).saturating_add(1);
    let mut sockets = inherited;
    for socket in &sockets {
        prepare(&SockRef::from(socket), receive_buffer)?;
    }
    match group(&sockets)? {
        Group::None => {
            // SO_REUSEPORT would share the port with another hub of the same user: ask without first.
            let mut address = bind(listen, Share::Never, receive_buffer)?.local_addr()?;
            if listen.port() != 0 {
                address = listen;
            }
            while sockets.len() < wanted {
                sockets.push(bind(address, Share::WithOurs, receive_buffer)?);
            }
        }
        Group::Of(address, only_v6) => {
            while sockets.len() < wanted {
                match bind(address, Share::With { only_v6 }, receive_buffer) {
                    Ok(socket) => sockets.push(socket),
                    Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                        tracing::warn!(
                            %address, inherited = sockets.len(), wanted,
                            "no socket can be bound beside the inherited ones, they are another user's; they serve alone"
                        );
                        break;
                    }
                    Err(error) => return Err(error),
                }
            }
        }
        Group::Alone => return Ok(Sockets { shards: sockets, door: None }),
    }
    let door = if sockets.len() > 1 { sockets.pop() } else { None };
    Ok(Sockets { shards: sockets, door })
}

/// Opens one socket, or takes the one inherited.
///
/// # Errors
/// The system's.
pub fn open_one(
    listen: SocketAddr,
    receive_buffer: usize,
    inherited: Option<UdpSocket>,
) -> io::Result<UdpSocket> {
    let Some(socket) = inherited else { return bind(listen, Share::Never, receive_buffer) };
    prepare(&SockRef::from(&socket), receive_buffer)?;
    Ok(socket)
}

/// What inherited sockets are to each other.
enum Group {
    /// There are none.
    None,
    /// All on this address, and others may join; for IPv6, whether without IPv4.
    Of(SocketAddr, bool),
    /// No group.
    Alone,
}

fn group(sockets: &[UdpSocket]) -> io::Result<Group> {
    let Some(first) = sockets.first() else { return Ok(Group::None) };
    let address = first.local_addr()?;
    for socket in sockets {
        if socket.local_addr()? != address || !SockRef::from(socket).reuse_port()? {
            return Ok(Group::Alone);
        }
    }
    let only_v6 = address.is_ipv6() && SockRef::from(first).only_v6()?;
    Ok(Group::Of(address, only_v6))
}

/// Whether others may have the same address.
enum Share {
    Never,
    WithOurs,
    With { only_v6: bool },
}

fn bind(address: SocketAddr, share: Share, receive_buffer: usize) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    match share {
        Share::Never => {}
        Share::WithOurs => socket.set_reuse_port(true)?,
        Share::With { only_v6 } => {
            socket.set_reuse_port(true)?;
            if address.is_ipv6() {
                socket.set_only_v6(only_v6)?;
            }
        }
    }
    prepare(&SockRef::from(&socket), receive_buffer)?;
    socket.bind(&address.into())?;
    Ok(socket.into())
}

fn prepare(socket: &SockRef<'_>, receive_buffer: usize) -> io::Result<()> {
    // Best effort: the kernel caps it at net.core.rmem_max.
    socket.set_recv_buffer_size(receive_buffer)?;
    socket.set_nonblocking(true)
}

/// Sends from any thread; datagrams that the kernel has no room for are lost, as on the air.
#[derive(Debug, Clone)]
pub struct Sender(Arc<UdpSocket>);

impl Sender {
    /// Sends through `socket`.
    ///
    /// # Errors
    /// The system's.
    pub fn new(socket: &UdpSocket) -> io::Result<Self> {
        Ok(Self(Arc::new(socket.try_clone()?)))
    }

    /// Sends one datagram; whether the kernel took it.
    pub fn send(&self, to: SocketAddr, datagram: &[u8]) -> bool {
        self.0.send_to(datagram, to).is_ok()
    }
}

/// The receiving side of one socket, owned by one arbiter.
pub struct Receiver {
    socket: tokio::net::UdpSocket,
    state: UdpSocketState,
    buffers: Box<[u8]>,
}

impl Receiver {
    /// Receives from `socket`; must be called on the arbiter that will.
    ///
    /// # Errors
    /// The system's.
    pub fn new(socket: UdpSocket) -> io::Result<Self> {
        let state = UdpSocketState::new((&socket).into())?;
        let slot = (DATAGRAM_MAX * state.gro_segments().max(1)).min(COALESCED_MAX);
        let buffers = vec![0; slot * BATCH_SIZE].into_boxed_slice();
        Ok(Self { socket: tokio::net::UdpSocket::from_std(socket)?, state, buffers })
    }

    /// Waits for datagrams and gives each to `take`, at most one batch.
    ///
    /// # Errors
    /// The socket's; transient ones are for the caller to log and go on.
    pub async fn receive(&mut self, mut take: impl FnMut(SocketAddr, &[u8])) -> io::Result<()> {
        let slot = self.buffers.len() / BATCH_SIZE;
        let mut meta = [RecvMeta::default(); BATCH_SIZE];
        let received = {
            let mut slices: Vec<IoSliceMut<'_>> =
                self.buffers.chunks_mut(slot).map(IoSliceMut::new).collect();
            self.socket
                .async_io(Interest::READABLE, || {
                    self.state.recv(UdpSockRef::from(&self.socket), &mut slices, &mut meta)
                })
                .await?
        };
        for (meta, buffer) in meta.iter().zip(self.buffers.chunks(slot)).take(received) {
            let bytes = buffer.get(..meta.len).unwrap_or_default();
            for datagram in bytes.chunks(meta.stride.max(1)) {
                take(meta.addr, datagram);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOOPBACK: SocketAddr =
        SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

    fn inherited(address: SocketAddr) -> UdpSocket {
        bind(address, Share::WithOurs, 65_536).unwrap()
    }

    #[test]
    fn an_inherited_socket_that_may_be_shared_is_the_first_of_the_group() {
        let first = inherited(LOOPBACK);
        let address = first.local_addr().unwrap();
        let sockets = open(LOOPBACK, 2, 65_536, vec![first.try_clone().unwrap()]).unwrap();
        let door = sockets.door.unwrap();
        assert_eq!(sockets.shards.len(), 2);
        for socket in sockets.shards.iter().chain([&door]) {
            assert_eq!(socket.local_addr().unwrap(), address);
        }
    }

    #[test]
    fn as_many_inherited_sockets_as_there_are_serve_though_fewer_were_wanted() {
        let first = inherited(LOOPBACK);
        let address = first.local_addr().unwrap();
        let handed = vec![first, inherited(address), inherited(address), inherited(address)];
        let sockets = open(address, 1, 65_536, handed).unwrap();
        assert_eq!((sockets.shards.len(), sockets.door.is_some()), (3, true));
    }

    #[test]
    fn an_inherited_socket_that_may_not_be_shared_is_the_only_one() {
        let only = bind(LOOPBACK, Share::Never, 65_536).unwrap();
        let sockets = open(only.local_addr().unwrap(), 4, 65_536, vec![only]).unwrap();
        assert_eq!((sockets.shards.len(), sockets.door.is_none()), (1, true));
    }

    #[test]
    fn a_port_that_anybody_has_is_not_shared_with_them() {
        let theirs = inherited(LOOPBACK);
        let refused = open(theirs.local_addr().unwrap(), 2, 65_536, Vec::new());
        assert_eq!(refused.unwrap_err().kind(), io::ErrorKind::AddrInUse);
    }
}
