//! UDP sockets: one per arbiter on one port, batched receive.
//!
//! Invariant: knows no DTLS; a datagram is bytes and an address.

use std::io::{self, IoSliceMut};
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;

use quinn_udp::{BATCH_SIZE, RecvMeta, UdpSockRef, UdpSocketState};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::Interest;

/// The largest datagram a board may send, in bytes; what is longer is dropped and counted.
pub const DATAGRAM_MAX: usize = 2048;

/// Binds `count` sockets to the same address with SO_REUSEPORT; the kernel spreads flows by address.
///
/// # Errors
/// The system's; `AddrInUse` when anybody, another hub included, has the port.
pub fn bind(listen: SocketAddr, count: usize, receive_buffer: usize) -> io::Result<Vec<UdpSocket>> {
    // SO_REUSEPORT would share the port with another hub of the same user: ask without it first.
    let mut address = open(listen, false, receive_buffer)?.local_addr()?;
    if listen.port() != 0 {
        address = listen;
    }
    (0..count.max(1)).map(|_| open(address, true, receive_buffer)).collect()
}

fn open(address: SocketAddr, shared: bool, receive_buffer: usize) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if shared {
        socket.set_reuse_port(true)?;
    }
    // Best effort: the kernel caps it at net.core.rmem_max.
    socket.set_recv_buffer_size(receive_buffer)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(socket.into())
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
        let slots = BATCH_SIZE * state.gro_segments().max(1);
        let buffers = vec![0; DATAGRAM_MAX * slots].into_boxed_slice();
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
