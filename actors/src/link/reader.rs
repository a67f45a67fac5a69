//! Reads a socket for as long as its actor lives.
//!
//! Invariant: decides nothing; a datagram is bytes and an address.

use std::net::{SocketAddr, UdpSocket};

use crate::link::socket::Receiver;

/// Gives every datagram of `socket` to `take`, and the number of each batch to `batch_over`.
pub(super) async fn read(
    socket: UdpSocket,
    mut take: impl FnMut(SocketAddr, &[u8]),
    batch_over: impl Fn(u64),
) {
    let mut receiver = match Receiver::new(socket) {
        Ok(receiver) => receiver,
        Err(error) => {
            tracing::error!(%error, "the socket cannot be read; the hub stops");
            return actix::System::current().stop_with_code(1);
        }
    };
    loop {
        let mut count = 0;
        let received = receiver.receive(|from, datagram| {
            count += 1;
            take(from, datagram);
        });
        if let Err(error) = received.await {
            tracing::warn!(%error, "a receive failed");
            tokio::task::yield_now().await;
        }
        batch_over(count);
    }
}
