//! A swarm's handshakes: one at a time on each socket, because only records that are protected
//! name their board.

use std::time::{Duration, Instant};

use indicatif::ProgressBar;

use super::super::board::Board;
use super::super::client::{Established, Handshake, HandshakeFailed};
use super::super::error::LoadError;
use super::super::fixture::Fixture;
use super::{SOCKETS, Swarm};

const LOOK: Duration = Duration::from_millis(250);
const TIMEOUT: Duration = Duration::from_secs(30);

impl Swarm {
    /// Opens sessions for the fixture's first `count` boards; those that are open stay.
    ///
    /// # Errors
    /// [`LoadError`], also when a handshake failed: then the sessions wanted are not there.
    pub fn open(
        &mut self,
        fixture: &Fixture,
        count: usize,
        bar: &ProgressBar,
    ) -> Result<(), LoadError> {
        fixture.require(count)?;
        let first = self.boards.len();
        self.boards.resize_with(count.max(first), || None);
        // By socket: its next board.
        let mut next: Vec<usize> = (0..SOCKETS)
            .map(|socket| first + (socket + SOCKETS - first % SOCKETS) % SOCKETS)
            .collect();
        let (wanted, mut looked) = (count.saturating_sub(first), Instant::now());
        self.opened = 0;
        while self.opened < wanted {
            for (socket, next) in next.iter_mut().enumerate() {
                if *next < count && self.begin(socket, fixture, *next)? {
                    *next += SOCKETS;
                }
            }
            let before = self.opened;
            self.turn(LOOK, &mut Vec::new())?;
            if looked.elapsed() >= LOOK {
                looked = Instant::now();
                (0..SOCKETS).for_each(|socket| self.look(socket));
            }
            bar.inc(u64::try_from(self.opened - before).unwrap_or(0));
            if let Some(failed) = self.failed.take() {
                let done = u64::try_from(self.opened).unwrap_or(u64::MAX);
                return Err(LoadError::Handshakes { failed: 1, done, reason: failed.to_string() });
            }
        }
        Ok(())
    }

    /// Begins a board's handshake unless its socket has one under way; whether it did.
    fn begin(&mut self, number: usize, fixture: &Fixture, board: usize) -> Result<bool, LoadError> {
        let Some(socket) = self.sockets.get_mut(number) else { return Ok(false) };
        if socket.handshake.is_some() {
            return Ok(false);
        }
        let credentials = fixture.credentials(board)?;
        let board = u32::try_from(board).unwrap_or(u32::MAX);
        let handshake = Handshake::named(&self.profile, &credentials, &board.to_be_bytes())?;
        socket.handshake = Some((board, Box::new(handshake), Instant::now()));
        self.look(number);
        Ok(true)
    }

    /// Lets a handshake go on by itself: at its start, and for what it has to repeat.
    fn look(&mut self, socket: usize) {
        self.step(socket, Handshake::drive);
    }

    /// Gives a handshake a datagram that names no board.
    pub(super) fn advance(&mut self, socket: usize, datagram: &[u8]) {
        self.step(socket, |handshake| handshake.handle_datagram(datagram));
    }

    fn step(
        &mut self,
        number: usize,
        go: impl FnOnce(&mut Handshake) -> Result<Option<Established>, HandshakeFailed>,
    ) {
        let Some(socket) = self.sockets.get_mut(number) else { return };
        let Some((board, handshake, began)) = &mut socket.handshake else { return };
        let board = *board;
        let late = began.elapsed() > TIMEOUT;
        let result = go(handshake).and_then(|ended| {
            while let Some(datagram) = handshake.poll_transmit()? {
                let _ = socket.socket.send(&datagram);
            }
            if late && ended.is_none() { Err(HandshakeFailed::TimedOut) } else { Ok(ended) }
        });
        match result {
            Ok(None) => {}
            Ok(Some(keys)) => {
                socket.handshake = None;
                if let Some(witness) = &mut self.witness {
                    keys.received.iter().for_each(|number| witness.note(board, 1 << 48 | number));
                }
                let opened = Board::new(board, keys);
                if opened.is_none() {
                    self.failed = Some(HandshakeFailed::Unexpected);
                }
                let place = usize::try_from(board).ok().and_then(|at| self.boards.get_mut(at));
                if let Some(place) = place {
                    *place = opened;
                }
                self.opened += 1;
            }
            Err(failed) => {
                socket.handshake = None;
                self.failed = Some(failed);
            }
        }
    }
}
