//! A classic BPF program that has the kernel put each datagram into the socket of the arbiter it is
//! for, by the same rules as `destination`: what costs a hand-over elsewhere costs nothing here.
//!
//! It is an optimisation: a datagram in another socket is handed over, not lost. Sockets are numbered
//! in the order they were bound: those of the arbiters, then the front door's.
//! Invariant: the program is a pure function of the number of arbiters.

use std::io;
use std::net::UdpSocket;

use nix::libc::{self, SKF_NET_OFF, sock_filter, sock_fprog};
use nix::sys::socket::{setsockopt, sockopt};

use crate::link::destination::{SPREAD, SPREAD_SHIFT};
use crate::link::record::{ContentType, HEADER_LEN};

/// Steers the datagrams of the group that `socket` is in: `shards` sockets, and the front door's.
///
/// # Errors
/// The system's; without the program the kernel spreads datagrams by their addresses.
pub fn attach(socket: &UdpSocket, shards: u8) -> io::Result<()> {
    let mut program = program(shards.max(1));
    let len = u16::try_from(program.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    let program = sock_fprog { len, filter: program.as_mut_ptr() };
    setsockopt(socket, sockopt::AttachReusePortCbpf, &program).map_err(io::Error::from)
}

/// Offset 0 is the UDP payload's first byte; `NETWORK` and up is the IP header.
const NETWORK: u32 = SKF_NET_OFF.cast_unsigned();
/// Of a record's header: the epoch, and of a Connection ID's second byte, which is the arbiter.
const EPOCH: u32 = 3;
const SHARD: u32 = 12;
/// Of IP headers.
const IPV4_SOURCE: u32 = NETWORK + 12;
const IPV6_SOURCE: u32 = NETWORK + 8;
/// The source port, where no extension header is in between; with one the datagram is handed over.
const IPV6_PORT: u32 = NETWORK + 40;

fn program(shards: u8) -> Vec<sock_filter> {
    use libc::{
        BPF_ABS, BPF_ADD, BPF_ALU, BPF_B, BPF_H, BPF_IND, BPF_JA, BPF_JEQ, BPF_JGE, BPF_JMP, BPF_K,
        BPF_LD, BPF_LDX, BPF_LEN, BPF_MEM, BPF_MISC, BPF_MOD, BPF_MSH, BPF_MUL, BPF_RET, BPF_RSH,
        BPF_ST, BPF_TAX, BPF_W, BPF_X, BPF_XOR,
    };
    let shards = u32::from(shards);
    let (byte, half, word) =
        (BPF_LD | BPF_B | BPF_ABS, BPF_LD | BPF_H | BPF_ABS, BPF_LD | BPF_W | BPF_ABS);
    let xor_next =
        |offset| [op(BPF_MISC | BPF_TAX, 0), op(word, offset), op(BPF_ALU | BPF_XOR | BPF_X, 0)];
    // Each part ends in a return or a jump of its own; jumps count the instructions they leave out.
    let mut program = vec![
        op(BPF_LD | BPF_W | BPF_LEN, 0),
        jump(BPF_JMP | BPF_JGE | BPF_K, to_u32(HEADER_LEN), 0, 7), // no: the front door
        op(byte, 0),
        jump(BPF_JMP | BPF_JEQ | BPF_K, u32::from(ContentType::ConnectionId.byte()), 2, 0),
        op(half, EPOCH),
        jump(BPF_JMP | BPF_JEQ | BPF_K, 0, 3, 4), // the front door, or by address
        op(byte, SHARD),
        op(BPF_ALU | BPF_MOD | BPF_K, shards),
        op(BPF_RET | BPF_A, 0),
        op(BPF_RET | BPF_K, shards),
        op(byte, NETWORK),
        op(BPF_ALU | BPF_RSH | BPF_K, 4),
        jump(BPF_JMP | BPF_JEQ | BPF_K, 6, 6, 0), // IPv6
        op(word, IPV4_SOURCE),
        op(BPF_ALU | BPF_MUL | BPF_K, SPREAD),
        op(BPF_ST, 0),
        op(BPF_LDX | BPF_B | BPF_MSH, NETWORK),
        op(BPF_LD | BPF_H | BPF_IND, NETWORK),
        op(BPF_JMP | BPF_JA, 13),
        op(word, IPV6_SOURCE),
    ];
    program.extend([4, 8, 12].into_iter().flat_map(|word| xor_next(IPV6_SOURCE + word)));
    program.extend([
        op(BPF_ALU | BPF_MUL | BPF_K, SPREAD),
        op(BPF_ST, 0),
        op(half, IPV6_PORT),
        // Both: the address, multiplied, is in the scratch memory, and the port at hand.
        op(BPF_LDX | BPF_W | BPF_MEM, 0),
        op(BPF_ALU | BPF_ADD | BPF_X, 0),
        op(BPF_ALU | BPF_MUL | BPF_K, SPREAD),
        op(BPF_ALU | BPF_RSH | BPF_K, SPREAD_SHIFT),
        op(BPF_ALU | BPF_MOD | BPF_K, shards),
        op(BPF_RET | BPF_A, 0),
    ]);
    program
}

use libc::BPF_A;

fn op(code: u32, k: u32) -> sock_filter {
    jump(code, k, 0, 0)
}

fn jump(code: u32, k: u32, jt: u8, jf: u8) -> sock_filter {
    // Every code of classic BPF is below 256.
    sock_filter { code: u16::try_from(code).unwrap_or(u16::MAX), jt, jf, k }
}

fn to_u32(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

    use super::*;
    use crate::link::destination::owner_of_address;
    use crate::link::socket;

    const SHARDS: u8 = 3;

    /// A steered group of sockets on `address`: which of them a datagram is put into.
    struct Group(Vec<UdpSocket>, SocketAddr);

    impl Group {
        fn on(address: SocketAddr) -> Self {
            let sockets = socket::open(address, usize::from(SHARDS), 65_536, Vec::new()).unwrap();
            let door = sockets.door.unwrap();
            attach(&door, SHARDS).unwrap();
            let address = door.local_addr().unwrap();
            let all: Vec<_> = sockets.shards.into_iter().chain([door]).collect();
            Self(all, address)
        }

        fn receives(&self, from: &UdpSocket, datagram: &[u8]) -> usize {
            from.send_to(datagram, self.1).unwrap();
            let mut buffer = [0; 64];
            let found = self.0.iter().position(|socket| socket.recv_from(&mut buffer).is_ok());
            found.expect("loopback delivers at once")
        }
    }

    fn check(address: SocketAddr) {
        let group = Group::on(address);
        let door = usize::from(SHARDS);
        let record = |content_type: u8, epoch: u8, shard: u8| {
            let mut record = vec![content_type, 0xFE, 0xFD, 0, epoch, 0, 0, 0, 0, 0, 1, 9, shard];
            record.extend([1, 2, 3, 4, 0, 0]);
            record
        };
        for _ in 0..24 {
            let board = UdpSocket::bind((address.ip(), 0)).unwrap();
            let owner = owner_of_address(board.local_addr().unwrap(), door);
            assert_eq!(group.receives(&board, &record(23, 1, 0)), owner);
            assert_eq!(group.receives(&board, &record(22, 0, 0)), door);
        }
        let board = UdpSocket::bind((address.ip(), 0)).unwrap();
        for shard in [0, 1, 2, 3, 7, 255] {
            assert_eq!(group.receives(&board, &record(25, 1, shard)), usize::from(shard) % door);
        }
        for short in 0..HEADER_LEN {
            assert_eq!(group.receives(&board, &record(25, 1, 1)[..short]), door, "{short} bytes");
        }
    }

    #[test]
    fn the_kernel_and_the_hub_agree_on_who_owns_a_datagram_over_ipv4() {
        check((Ipv4Addr::LOCALHOST, 0).into());
    }

    #[test]
    fn the_kernel_and_the_hub_agree_on_who_owns_a_datagram_over_ipv6() {
        check((Ipv6Addr::LOCALHOST, 0).into());
    }
}
