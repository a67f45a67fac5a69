//! Boards by the hundred thousand over a few sockets: each offers its number as its Connection ID,
//! so that the hub's records name the board. The shell around [`super::board`].
//! Invariant: a hub that is down is no error here; what it does not answer is sent again.

use std::collections::VecDeque;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

use actors::link::record::{ContentType, records};
use mio::net::UdpSocket;
use mio::{Events, Interest, Poll, Token};

use super::board::{Board, ID_LEN, Meaning, Request, nonce};
use super::client::{Handshake, HandshakeFailed, Profile};
use super::coap::Post;
use super::error::LoadError;
use super::witness::{Answered, Witness};

mod opening;

/// Sockets of a swarm; a board keeps to one of them.
pub const SOCKETS: usize = 64;
const EVENTS: usize = 256;
const DATAGRAM_MAX: usize = 2048;
/// Datagrams of one socket before the others have their turn.
const BATCH: usize = 256;

/// When a request is sent again, and how often.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// After this long without an answer.
    pub again: Duration,
    /// Datagrams in all before it is given up.
    pub datagrams: u16,
}

/// A request's end.
#[derive(Clone, Copy, Debug)]
pub struct Heard {
    /// Whose.
    pub board: u32,
    /// Which reading.
    pub reading: u32,
    /// The answer's code as on the wire; none where it was given up.
    pub code: Option<u8>,
    /// When it ended.
    pub at: Instant,
    /// What it was.
    pub request: Request,
}

impl Heard {
    /// Whether the answer is a success: its class is 2.
    #[must_use]
    pub fn is_success(&self) -> bool {
        self.code.is_some_and(|code| code >> 5 == 2)
    }

    /// From the first transmission to the end.
    #[must_use]
    pub fn took(&self) -> Duration {
        self.at.saturating_duration_since(self.request.first_sent)
    }
}

/// The boards of a run.
pub struct Swarm {
    hub: SocketAddr,
    poll: Poll,
    events: Events,
    profile: Profile,
    sockets: Vec<Socket>,
    boards: Vec<Option<Board>>,
    post: Post,
    patience: Patience,
    /// When which request is looked at again; in the order of time.
    due: VecDeque<Due>,
    /// The ticket of the first of them.
    first_due: u64,
    /// What a run that is about security remembers.
    pub witness: Option<Witness>,
    /// Datagrams sent for requests, repetitions included.
    pub sent: u64,
    /// Handshakes that ended well since the last opening began.
    opened: usize,
    failed: Option<HandshakeFailed>,
    message: Vec<u8>,
    datagram: Vec<u8>,
    plaintext: Vec<u8>,
}

/// A request to be looked at again.
struct Due {
    at: Instant,
    board: u32,
    message_id: u16,
    /// It was answered: its board, long out of the processor's cache, need not be asked.
    over: bool,
}

struct Socket {
    socket: UdpSocket,
    /// More may be there to read.
    ready: bool,
    handshake: Option<(u32, Box<Handshake>, Instant)>,
}

impl Swarm {
    /// A swarm without boards.
    ///
    /// # Errors
    /// [`LoadError::Network`] when the system gives no poll or no socket.
    pub fn new(
        hub: SocketAddr,
        profile: Profile,
        post: Post,
        patience: Patience,
    ) -> Result<Self, LoadError> {
        let network = |source| LoadError::network(hub, source);
        let poll = Poll::new().map_err(network)?;
        let mut sockets = Vec::new();
        for number in 0..SOCKETS {
            let mut socket = socket(hub).map_err(network)?;
            poll.registry()
                .register(&mut socket, Token(number), Interest::READABLE)
                .map_err(network)?;
            sockets.push(Socket { socket, ready: false, handshake: None });
        }
        Ok(Self {
            hub,
            poll,
            events: Events::with_capacity(EVENTS),
            profile,
            sockets,
            boards: Vec::new(),
            post,
            patience,
            due: VecDeque::new(),
            first_due: 0,
            witness: None,
            sent: 0,
            opened: 0,
            failed: None,
            message: Vec::new(),
            datagram: Vec::new(),
            plaintext: Vec::new(),
        })
    }

    /// How many boards there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.boards.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.boards.is_empty()
    }

    /// Takes a board in whose session is there without a handshake.
    pub fn adopt(&mut self, board: Board) {
        self.boards.push(Some(board));
    }

    /// The board with this number.
    #[must_use]
    pub fn board(&self, board: u32) -> Option<&Board> {
        self.boards.get(usize::try_from(board).ok()?)?.as_ref()
    }

    /// Sends the board's next reading.
    pub fn send(&mut self, board: u32) {
        let now = Instant::now();
        if let Some(sender) = board_mut(&mut self.boards, board) {
            sender.begin(now);
            self.transmit(board, now);
        }
    }

    /// Sends the reading of a refused request once more.
    pub fn send_again(&mut self, refused: &Heard) {
        if let Some(sender) = board_mut(&mut self.boards, refused.board) {
            sender.begin_again(refused.request);
            self.transmit(refused.board, Instant::now());
        }
    }

    /// Sends the request under way now, before its time.
    pub fn repeat(&mut self, board: u32) {
        self.transmit(board, Instant::now());
    }

    /// Sends an old datagram as an attacker would who has recorded it.
    pub fn replay(&self, old: &Answered) {
        if let Some(socket) = socket_of(&self.sockets, old.board) {
            let _ = socket.socket.send(&old.datagram);
        }
    }

    /// Sends a record under the board's name that does not authenticate.
    pub fn forge(&mut self, number: u32) {
        let Some(board) = board_mut(&mut self.boards, number) else { return };
        if board.forge(&mut self.datagram).is_ok()
            && let Some(socket) = socket_of(&self.sockets, number)
        {
            let _ = socket.socket.send(&self.datagram);
        }
    }

    /// Waits for datagrams, at most this long, takes what has come and repeats what is due.
    ///
    /// # Errors
    /// [`LoadError::Network`] when the poll fails.
    pub fn turn(&mut self, at_most: Duration, heard: &mut Vec<Heard>) -> Result<(), LoadError> {
        heard.clear();
        self.wait(at_most)?;
        for number in 0..self.sockets.len() {
            let (mut buffer, mut left) = ([0; DATAGRAM_MAX], BATCH);
            while let Some(length) = self.receive(number, &mut buffer, &mut left) {
                self.take(number, buffer.get(..length).unwrap_or_default(), heard);
            }
        }
        self.handle_timeout(Instant::now(), heard);
        Ok(())
    }

    fn wait(&mut self, at_most: Duration) -> Result<(), LoadError> {
        let at_most = if self.sockets.iter().any(|socket| socket.ready) {
            Duration::ZERO
        } else {
            let next = self.due.front().map(|due| due.at.saturating_duration_since(Instant::now()));
            next.map_or(at_most, |next| next.min(at_most))
        };
        match self.poll.poll(&mut self.events, Some(at_most)) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => result.map_err(|source| LoadError::network(self.hub, source))?,
        }
        for event in &self.events {
            if let Some(socket) = self.sockets.get_mut(event.token().0) {
                socket.ready = true;
            }
        }
        Ok(())
    }

    fn receive(&mut self, number: usize, buffer: &mut [u8], left: &mut usize) -> Option<usize> {
        let socket = self.sockets.get_mut(number)?;
        while socket.ready && *left > 0 {
            *left -= 1;
            match socket.socket.recv(buffer) {
                Ok(length) => return Some(length),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => socket.ready = false,
                // Nobody listens there for the moment.
                Err(_) => {}
            }
        }
        None
    }

    fn take(&mut self, socket: usize, datagram: &[u8], heard: &mut Vec<Heard>) {
        let Some(Ok(first)) = records(datagram, ID_LEN).next() else { return };
        if first.content_type != ContentType::ConnectionId {
            return self.advance(socket, datagram);
        }
        for record in records(datagram, ID_LEN).map_while(Result::ok) {
            let Ok(number) = record.cid.try_into().map(u32::from_be_bytes) else { continue };
            let Some(board) = board_mut(&mut self.boards, number) else { continue };
            let (reading, waits_for) = (board.reading(), board.waits_for());
            let meaning = board.handle_record(&record, &mut self.plaintext, &mut self.datagram);
            if let Some(witness) = &mut self.witness {
                match (meaning, waits_for) {
                    (Meaning::Unopened, _) => witness.breaches.unopened += 1,
                    (Meaning::Unasked(message_id), _) => witness.unasked(number, message_id),
                    (Meaning::Answer { .. }, Some(message_id)) => {
                        witness.answered(number, message_id);
                    }
                    (Meaning::Answer { .. } | Meaning::Nothing, _) => {}
                }
                if let (false, Some(nonce)) = (matches!(meaning, Meaning::Unopened), nonce(&record))
                {
                    witness.note(number, nonce);
                }
            }
            if let Meaning::Answer { code, request } = meaning {
                let due = request.ticket.checked_sub(self.first_due);
                let due = due.and_then(|at| self.due.get_mut(usize::try_from(at).ok()?));
                if let Some(due) = due {
                    due.over = true;
                }
                let (code, at) = (Some(code), Instant::now());
                heard.push(Heard { board: number, reading, code, at, request });
            }
            if !self.datagram.is_empty()
                && let Some(socket) = self.sockets.get(socket)
            {
                let _ = socket.socket.send(&self.datagram);
            }
        }
    }

    fn handle_timeout(&mut self, now: Instant, heard: &mut Vec<Heard>) {
        while let Some(due) = self.due.pop_front_if(|due| due.at <= now || due.over) {
            self.first_due += 1;
            let (number, message_id) = (due.board, due.message_id);
            if due.over {
                continue;
            }
            let Some(board) = board_mut(&mut self.boards, number) else { continue };
            if board.waits_for() != Some(message_id) {
                continue;
            }
            let reading = board.reading();
            match board.give_up() {
                Some(request) if request.datagrams >= self.patience.datagrams => {
                    heard.push(Heard { board: number, reading, code: None, at: now, request });
                }
                Some(request) => {
                    board.keep_on(request);
                    self.transmit(number, now);
                }
                None => {}
            }
        }
    }

    fn transmit(&mut self, number: u32, now: Instant) {
        let Some(board) = board_mut(&mut self.boards, number) else { return };
        let ticket = self.first_due + u64::try_from(self.due.len()).unwrap_or(0);
        let written =
            board.write(number, ticket, &self.post, &mut self.message, &mut self.datagram);
        let Ok(Some((message_id, count))) = written else { return };
        if let Some(socket) = socket_of(&self.sockets, number) {
            // What the system has no room for is lost, as on any network.
            let _ = socket.socket.send(&self.datagram);
        }
        self.sent += 1;
        let at = now + self.patience.again;
        self.due.push_back(Due { at, board: number, message_id, over: false });
        if let Some(witness) = &mut self.witness {
            witness.sent(number, count, &self.datagram);
        }
    }
}

fn board_mut(boards: &mut [Option<Board>], board: u32) -> Option<&mut Board> {
    boards.get_mut(usize::try_from(board).ok()?)?.as_mut()
}

fn socket_of(sockets: &[Socket], board: u32) -> Option<&Socket> {
    sockets.get(usize::try_from(board).ok()? % sockets.len().max(1))
}

fn socket(hub: SocketAddr) -> io::Result<UdpSocket> {
    let any: SocketAddr = match hub {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(any)?;
    socket.connect(hub)?;
    Ok(socket)
}
