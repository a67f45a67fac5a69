//! The boards of a rollout over a few sockets, some hundred of them at work at a time.
//! Invariant: a hub that is down is no error here; what it does not answer is sent again.

use std::collections::VecDeque;
use std::io;
use std::net::{Ipv4Addr, UdpSocket};
use std::time::{Duration, Instant};

use actors::link::cipher::Suite;
use actors::link::connection_id::LENGTH;
use actors::link::keys::KeyBlock;
use actors::link::record::records;
use wire::FirmwareVersion;

use super::board::{Board, Progress};
use crate::load::board::ID_LEN;
use crate::scenario::error::{ScenarioError, system};
use crate::scenario::site::Site;

/// Bytes of the seed, which stands before the fixture's list.
const SEED: usize = 48;
/// Boards at work at a time.
const AT_WORK: usize = 256;
const AGAIN: Duration = Duration::from_millis(700);
const LOOK: Duration = Duration::from_millis(20);
/// Without any answer for so long, the run is over.
const PATIENCE: Duration = Duration::from_secs(60);

/// All boards.
pub(super) struct Fleet {
    socket: UdpSocket,
    boards: Vec<Board>,
    /// Those at work, and when they are to be repeated.
    at_work: VecDeque<(Instant, usize)>,
    /// When each board last sent something.
    sent: Vec<Option<Instant>>,
    datagram: Vec<u8>,
    /// Boards that were given something else than they were offered, or were not understood.
    pub(super) broken: usize,
    /// Answers so far.
    pub(super) answers: u64,
}

impl Fleet {
    /// Those whose sessions the fixture wrote.
    ///
    /// # Errors
    /// The system's.
    pub(super) fn of(site: &Site) -> Result<Self, ScenarioError> {
        let doing = system("read the sleeping boards' list");
        let bytes = std::fs::read(site.folder().join("sleeping.bin")).map_err(&doing)?;
        let short = || doing(io::ErrorKind::UnexpectedEof.into());
        let (seed, ids) = bytes.split_first_chunk::<SEED>().ok_or_else(short)?;
        let numbered = (0_u32..).zip(ids.as_chunks::<LENGTH>().0);
        let boards = numbered.map(|(number, cid)| {
            let mut random = [0; 32];
            if let Some(place) = random.first_chunk_mut::<4>() {
                *place = number.to_be_bytes();
            }
            let keys = KeyBlock::derive(seed, &random, &[0; 32]);
            let (write, read) = keys.keys(Suite::EcdheEcdsaAes128GcmSha256);
            Board::new(read, write, *cid)
        });
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0));
        let socket = socket.and_then(|socket| {
            socket.set_read_timeout(Some(LOOK))?;
            socket.connect(site.listen)?;
            Ok(socket)
        });
        let boards: Vec<_> = boards.collect();
        Ok(Self {
            sent: vec![None; boards.len()],
            socket: socket.map_err(system("open a socket"))?,
            boards,
            at_work: VecDeque::new(),
            datagram: Vec::new(),
            broken: 0,
            answers: 0,
        })
    }

    /// How many run this version.
    pub(super) fn running(&self, version: FirmwareVersion) -> usize {
        self.boards.iter().filter(|board| board.running() == version).count()
    }

    /// Has every board that does not run `version` report and do what it is told, once; `between` is
    /// called now and then, and may kill the hub.
    ///
    /// # Errors
    /// Those of `between`; [`ScenarioError::Silent`] where the hub says nothing any more.
    pub(super) fn sweep(
        &mut self,
        version: FirmwareVersion,
        fails: impl Fn(usize, FirmwareVersion) -> bool,
        mut between: impl FnMut(u64) -> Result<(), ScenarioError>,
    ) -> Result<(), ScenarioError> {
        let others = (0..self.boards.len())
            .filter(|at| self.boards.get(*at).is_some_and(|board| board.running() != version));
        let mut waiting: VecDeque<usize> = others.collect();
        let (mut working, mut heard) = (0_usize, Instant::now());
        while working > 0 || !waiting.is_empty() {
            while working < AT_WORK
                && let Some(at) = waiting.pop_front()
            {
                if let Some(board) = self.boards.get_mut(at) {
                    board.begin();
                    working += 1;
                    self.transmit(at);
                }
            }
            let mut buffer = [0; 2048];
            if let Ok(length) = self.socket.recv(&mut buffer) {
                heard = Instant::now();
                working -= self.take(buffer.get(..length).unwrap_or_default(), &fails);
                between(self.answers)?;
            }
            self.repeat();
            if heard.elapsed() > PATIENCE {
                let (silent, boards) = (working, self.boards.len());
                return Err(ScenarioError::Silent { silent, boards });
            }
        }
        self.at_work.clear();
        Ok(())
    }

    /// Takes a datagram of the hub; how many boards are done with it.
    fn take(&mut self, datagram: &[u8], fails: &impl Fn(usize, FirmwareVersion) -> bool) -> usize {
        let mut done = 0;
        for record in records(datagram, ID_LEN).map_while(Result::ok) {
            let Ok(number) = record.cid.try_into().map(u32::from_be_bytes) else { continue };
            let Ok(at) = usize::try_from(number) else { continue };
            let Some(board) = self.boards.get_mut(at) else { continue };
            let mut acknowledgement = None;
            let fails = |version| fails(at, version);
            let progress = board.handle_record(&record, fails, &mut acknowledgement);
            if let Some(bytes) = acknowledgement
                && board.acknowledge(&bytes, &mut self.datagram).is_ok()
            {
                // What is lost is asked for again.
                let _ = self.socket.send(&self.datagram);
            }
            self.answers += u64::from(progress != Progress::Nothing);
            match progress {
                Progress::Nothing => {}
                Progress::Goes => self.transmit(at),
                Progress::Rests => done += 1,
                Progress::Broken => {
                    self.broken += 1;
                    done += 1;
                }
            }
        }
        done
    }

    fn transmit(&mut self, at: usize) {
        let Some(board) = self.boards.get_mut(at) else { return };
        if board.write(&mut self.datagram).is_ok() {
            // A hub that is down answers with ICMP, which is no answer.
            let _ = self.socket.send(&self.datagram);
        }
        let now = Instant::now();
        self.at_work.push_back((now + AGAIN, at));
        if let Some(sent) = self.sent.get_mut(at) {
            *sent = Some(now);
        }
    }

    fn repeat(&mut self) {
        let now = Instant::now();
        while let Some((_, at)) = self.at_work.pop_front_if(|(due, _)| *due <= now) {
            // Whoever has sent something since is looked at later.
            let sent = self.sent.get(at).copied().flatten();
            let is_due = sent.is_some_and(|sent| sent + AGAIN <= now);
            if is_due && self.boards.get(at).is_some_and(Board::waits) {
                self.transmit(at);
            }
        }
    }
}
