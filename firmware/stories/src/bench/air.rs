//! The air between a board and its hub: datagrams pass through it, and what a network does to them.
//!
//! Never looks into them.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use super::{Failure, Told};

/// How often a thread looks whether it is still wanted.
const LOOK: Duration = Duration::from_millis(50);
const DATAGRAM_MAX: usize = 2048;

pub(crate) struct Air {
    shared: Arc<Shared>,
    port: u16,
}

struct Shared {
    board_side: UdpSocket,
    hub: SocketAddr,
    way: Mutex<Way>,
    is_over: AtomicBool,
}

/// How datagrams go at the moment.
struct Way {
    board: Option<SocketAddr>,
    hub_side: Arc<UdpSocket>,
    is_out: bool,
}

impl Air {
    pub(crate) fn to(hub: SocketAddr) -> Told<Self> {
        let failed = || Failure::bench("a socket of the air");
        let board_side = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).map_err(failed())?;
        board_side.set_read_timeout(Some(LOOK)).map_err(failed())?;
        let port = board_side.local_addr().map_err(failed())?.port();
        let hub_side = hub_side(hub).map_err(failed())?;
        let way = Mutex::new(Way { board: None, hub_side, is_out: false });
        let is_over = AtomicBool::new(false);
        let shared = Arc::new(Shared { board_side, hub, way, is_over });
        let upward = Arc::clone(&shared);
        thread::spawn(move || upward.carry_up());
        let air = Self { shared, port };
        air.carry_down();
        Ok(air)
    }

    /// Where the board sends to.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// From now on the hub sees the board at another address, as behind a network that forgot it.
    pub(crate) fn change_address(&self) -> Told {
        let hub_side = hub_side(self.shared.hub).map_err(Failure::bench("a socket of the air"))?;
        self.shared.way().hub_side = hub_side;
        self.carry_down();
        Ok(())
    }

    /// Whether nothing gets through from now on.
    pub(crate) fn set_outage(&self, is_out: bool) {
        self.shared.way().is_out = is_out;
    }

    /// A thread for each address: what is sent to an old one is lost.
    fn carry_down(&self) {
        let shared = Arc::clone(&self.shared);
        let hub_side = Arc::clone(&shared.way().hub_side);
        thread::spawn(move || shared.carry_down(&hub_side));
    }
}

impl Drop for Air {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Relaxed);
    }
}

impl Shared {
    fn carry_up(&self) {
        let mut datagram = [0; DATAGRAM_MAX];
        while !self.is_over.load(Ordering::Relaxed) {
            let Ok((length, board)) = self.board_side.recv_from(&mut datagram) else { continue };
            let mut way = self.way();
            way.board = Some(board);
            if !way.is_out {
                // What cannot be sent is lost, as on the air.
                let _ = way.hub_side.send(datagram.get(..length).unwrap_or_default());
            }
        }
    }

    fn carry_down(&self, hub_side: &Arc<UdpSocket>) {
        let mut datagram = [0; DATAGRAM_MAX];
        while !self.is_over.load(Ordering::Relaxed) && Arc::ptr_eq(hub_side, &self.way().hub_side) {
            let Ok(length) = hub_side.recv(&mut datagram) else { continue };
            let way = self.way();
            if let Some(board) = way.board.filter(|_| !way.is_out) {
                let bytes = datagram.get(..length).unwrap_or_default();
                let _ = self.board_side.send_to(bytes, board);
            }
        }
    }

    fn way(&self) -> MutexGuard<'_, Way> {
        self.way.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn hub_side(hub: SocketAddr) -> io::Result<Arc<UdpSocket>> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    socket.connect(hub)?;
    socket.set_read_timeout(Some(LOOK))?;
    Ok(Arc::new(socket))
}
