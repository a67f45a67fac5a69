//! `[link]`: the UDP sockets, the DTLS handshakes and the records behind them.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use super::key::section;

section! {
    /// DTLS 1.2 from the boards: sockets, handshakes, records.
    pub struct Link in "link" {
        /// Address and UDP port the boards send to.
        pub listen: SocketAddr = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 5684));
        /// Sockets, each with its own thread; 0 is one for each core.
        pub sockets: usize = 0, from 0 to 255;
        /// The server's certificate, PEM: its own first, then those between it and the root.
        pub certificate: PathBuf = PathBuf::from("pki/server.pem");
        /// The private key of that certificate: sealed as `ca init` seals it, or PEM. The hub's own in
        /// the pki folder has two names, and server.key.pem counts where it is there.
        pub key: PathBuf = PathBuf::from("pki/keys/server.key");
        /// Handshakes in progress at once, over all sockets; further ones wait for the board's
        /// next attempt. Each takes tens of kB while it lasts.
        pub handshakes_max: usize = 1024, from 1 to 1000000;
        /// Threads that compute handshakes; 0 is one for each core.
        pub handshake_workers: usize = 0, from 0 to 256;
        /// Seconds after which an unfinished handshake is given up. NB-IoT takes tens of them.
        pub handshake_timeout_s: u64 = 60, from 1 to 3600;
        /// Largest UDP payload sent, in bytes; 1200 passes every network met so far.
        pub mtu: usize = 1200, from 256 to 16384;
        /// The socket's receive buffer in KiB. The kernel grants at most net.core.rmem_max.
        pub receive_buffer_kib: usize = 4096, from 64 to 1048576;
        /// This hub's number, part of every Connection ID. Two hubs behind one address need two.
        pub node: u8 = 0;
    }
}
