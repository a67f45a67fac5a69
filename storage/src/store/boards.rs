//! Boards in the store, with an index over addresses and a row each ([`super::rows`]), which they are
//! listed by. No index is over certificates: one names its board, so two boards can never present the
//! same.
//!
//! A board's record also says where its session is ([`super::sessions`]); whatever changes the board
//! leaves that as it is. Invariant: no two boards share an address, every board's tenant exists, and
//! index and rows name exactly the boards there are.

use std::net::IpAddr;
use std::ops::Bound;

use sled::transaction::{ConflictableTransactionResult, TransactionalTree};
use sled::{IVec, Transactional};

use super::rows::Places;
use super::{Inner, abort, corrupt, decode, encode};
use crate::board::BoardRecord;
use crate::record::{self, RecordError};
use crate::{
    Board, BoardId, Certificate, DataUse, Fingerprint, Serial, Slot, StoreError, UnixSeconds,
};

/// The boards of a [`crate::Store`].
#[derive(Clone, Copy)]
pub struct Boards<'a> {
    pub(super) inner: &'a Inner,
}

pub(super) const TREE: &str = "boards";

/// What was heard of a board.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    /// The board.
    pub board: BoardId,
    /// When it was heard last; none where that is noted already.
    pub seen: Option<UnixSeconds>,
    /// Bytes that passed between it and the hub and are not noted yet.
    pub bytes: u64,
}

/// Boards that [`Boards::put_many`] writes in one transaction; readers wait meanwhile.
const CHUNK: usize = 256;

impl<'a> Boards<'a> {
    /// Adds the board or replaces the one with its id; durable on return.
    ///
    /// Refused without its tenant ([`StoreError::UnknownTenant`]) and when its address is another
    /// board's ([`StoreError::AddressTaken`]). To alter a board that may be heard meanwhile, use
    /// [`Boards::change`].
    pub fn put(self, board: &Board) -> Result<(), StoreError> {
        self.put_chunk(std::slice::from_ref(board))?;
        self.inner.flush()
    }

    /// Puts all of them and says how many, with one flush at the end; durable on return. After an
    /// error, those before the refused one's group of 256 are stored.
    pub fn put_many(self, boards: impl IntoIterator<Item = Board>) -> Result<u64, StoreError> {
        let mut boards = boards.into_iter();
        let mut count = 0;
        loop {
            let chunk: Vec<Board> = boards.by_ref().take(CHUNK).collect();
            if chunk.is_empty() {
                break;
            }
            if let Err(error) = self.put_chunk(&chunk) {
                self.inner.flush()?;
                return Err(error);
            }
            count += chunk.len() as u64;
        }
        self.inner.flush()?;
        Ok(count)
    }

    /// Alters the board in place and returns it as it then is, or nothing when there is none;
    /// durable on return, refused like [`Boards::put`]. `change` sees the newest state, may run
    /// more than once, and must not touch the store nor the id.
    pub fn change(
        self,
        id: &BoardId,
        change: impl Fn(&mut Board),
    ) -> Result<Option<Board>, StoreError> {
        let changed = self.transaction([id], |trees| {
            let Some(found) = trees.find(id.as_str().as_bytes())? else { return Ok(None) };
            let mut board = found.board;
            change(&mut board);
            board.id = id.clone();
            trees.put(&board)?;
            Ok(Some(board))
        })?;
        self.inner.flush()?;
        Ok(changed)
    }

    /// The board with this id.
    pub fn find(self, id: &BoardId) -> Result<Option<Board>, StoreError> {
        self.find_key(id.as_str().as_bytes())
    }

    /// Every board that owns an address.
    pub fn with_address(self) -> impl Iterator<Item = Result<Board, StoreError>> + use<'a> {
        self.inner
            .by_address
            .iter()
            .values()
            .filter_map(move |id| id.and_then(|id| self.find_key(&id)).transpose())
    }

    /// At most `limit` boards by id, from the one behind `after` on.
    pub fn list(self, after: Option<&BoardId>, limit: usize) -> Result<Vec<Board>, StoreError> {
        let from = match after {
            Some(id) => Bound::Excluded(id.as_str().as_bytes()),
            None => Bound::Unbounded,
        };
        let entries = self.inner.boards.range((from, Bound::Unbounded)).take(limit);
        entries
            .map(|entry| {
                let (key, record) = entry?;
                decode::<BoardRecord>(TREE, &key, &record).map(|found| found.board)
            })
            .collect()
    }

    /// Removes the board with its session and its history and says whether it existed; durable on return.
    pub fn remove(self, id: &BoardId) -> Result<bool, StoreError> {
        let removed = self.transaction([id], |trees| {
            let Some(found) = trees.find(id.as_str().as_bytes())? else { return Ok(None) };
            trees.unlink(&found.board)?;
            trees.boards.remove(id.as_str())?;
            Ok(Some(found.session))
        })?;
        // What it said of its firmware goes with it.
        if self.inner.keyed.board_firmware.get(id.as_str())?.is_some() {
            self.inner.keyed.board_firmware.remove(id.as_str())?;
        }
        if let Some(Some(session)) = removed {
            super::sessions::disown(self.inner, session, id)?;
        }
        self.inner.flush()?;
        Ok(removed.is_some())
    }

    /// Notes which serial number the board's certificate has, if it is this one. Not flushed: what a crash
    /// loses, the next handshake says again.
    pub fn learn_serial(
        self,
        id: &BoardId,
        of: Fingerprint,
        serial: &Serial,
    ) -> Result<(), StoreError> {
        self.inner.update(id, |BoardRecord { board, .. }| {
            if board.fingerprint == Some(of) {
                board.serial = Some(serial.clone());
            }
        })
    }

    /// Notes when boards were heard: the first time stays, the last only moves forward, unknown
    /// boards are passed over. Not flushed: a crash may lose the last half second, no more than
    /// a time of day on a page; a board's row, by which lists are sorted, loses nothing then.
    pub fn mark_seen(self, heard: &[(BoardId, UnixSeconds)]) -> Result<(), StoreError> {
        heard.iter().try_for_each(|(board, at)| {
            let heard = Heard { board: board.clone(), seen: Some(*at), bytes: 0 };
            self.mark_heard(&heard, *at)
        })
    }

    /// Notes when a board was heard, and what has passed since the last note. As
    /// [`Boards::mark_seen`]: a crash may lose some of it.
    ///
    /// # Errors
    /// Those of the store.
    pub fn mark_heard(self, heard: &Heard, now: UnixSeconds) -> Result<(), StoreError> {
        let Heard { board: id, seen, bytes } = heard;
        let mut rows = self.inner.rows.change();
        let mut marked = None;
        self.inner.update(id, |BoardRecord { board, row, used, .. }| {
            if *bytes > 0 {
                used.add(*bytes, now);
            }
            if seen.is_some() {
                board.first_seen = board.first_seen.or(*seen);
                board.last_seen = board.last_seen.max(*seen);
                marked = row.map(|row| (row, board.first_seen, board.last_seen));
            }
        })?;
        if let Some((row, first, last)) = marked {
            let marked = rows.mark_seen(row, first, last);
            marked.map_err(|source| self.inner.spoil(&mut rows, source))?;
        }
        Ok(())
    }

    /// What passed between a board and the hub; nothing of a board that is not there.
    ///
    /// # Errors
    /// Those of the store.
    pub fn data_use(self, id: &BoardId) -> Result<DataUse, StoreError> {
        let record = self.inner.board_record(id.as_str().as_bytes())?;
        Ok(record.map(|record| record.used).unwrap_or_default())
    }

    pub(super) fn find_key(self, key: &[u8]) -> Result<Option<Board>, StoreError> {
        Ok(self.inner.board_record(key)?.map(|found| found.board))
    }

    fn put_chunk(self, boards: &[Board]) -> Result<(), StoreError> {
        let ids = boards.iter().map(|board| &board.id);
        self.transaction(ids, |trees| boards.iter().try_for_each(|board| trees.put(board)))
    }

    /// Runs `body` in one transaction over everything these boards are in. Inside, only `body`'s own
    /// trees may be touched: sled's others wait for the transaction's end.
    fn transaction<'b, T>(
        self,
        ids: impl IntoIterator<Item = &'b BoardId>,
        body: impl Fn(&BoardTrees<'_>) -> ConflictableTransactionResult<T, StoreError>,
    ) -> Result<T, StoreError> {
        let inner = self.inner;
        let _writer = inner.writer();
        let trees = (inner.tenants.raw(), inner.boards.raw(), inner.by_address.raw());
        inner.with_rows(ids, |places| {
            inner.transaction(|| {
                trees.transaction(|(tenants, boards, by_address)| {
                    body(&BoardTrees { tenants, boards, by_address, places })
                })
            })
        })
    }
}

/// The trees a board is in, inside a transaction.
pub(super) struct BoardTrees<'t> {
    pub(super) tenants: &'t TransactionalTree,
    pub(super) boards: &'t TransactionalTree,
    pub(super) by_address: &'t TransactionalTree,
    /// The rows of the boards that may change.
    pub(super) places: &'t Places,
}

impl BoardTrees<'_> {
    pub(super) fn find(
        &self,
        key: &[u8],
    ) -> ConflictableTransactionResult<Option<BoardRecord>, StoreError> {
        let record = self.boards.get(key)?;
        record.map(|record| decode(TREE, key, &record)).transpose().map_err(abort)
    }

    pub(super) fn put(&self, board: &Board) -> ConflictableTransactionResult<(), StoreError> {
        let key = board.id.as_str().as_bytes();
        if self.tenants.get(board.tenant.as_str())?.is_none() {
            return Err(abort(StoreError::UnknownTenant { tenant: board.tenant.clone() }));
        }
        let old = self.find(key)?;
        if let Some(old) = &old {
            self.unlink(&old.board)?;
        }
        let used = old.as_ref().map(|old| old.used).unwrap_or_default();
        let session = old.and_then(|old| old.session);
        let row = self.places.get(&board.id).copied().flatten();
        let record = BoardRecord { board: board.clone(), session, row, used };
        let record = encode(key, &record).map_err(abort)?;
        if let Some(address) = board.address
            && let Some(owner) = self.by_address.insert(address_key(address), key)?
        {
            let board = parse_id("boards/address", &owner).map_err(abort)?;
            return Err(abort(StoreError::AddressTaken { address, board }));
        }
        self.boards.insert(key, record)?;
        Ok(())
    }

    /// Removes the board's index entry.
    fn unlink(&self, board: &Board) -> ConflictableTransactionResult<(), StoreError> {
        if let Some(address) = board.address {
            self.by_address.remove(address_key(address))?;
        }
        Ok(())
    }
}

impl Inner {
    /// What is kept of the board with this key.
    pub(crate) fn board_record(&self, key: &[u8]) -> Result<Option<BoardRecord>, StoreError> {
        let record = self.boards.get(key)?;
        record.map(|record| decode(TREE, key, &record)).transpose()
    }

    /// Lets the board's record say that its session is in `slot` and what its certificate turned out
    /// to be, and gives where its session was before; nothing when there is no such board. Not
    /// flushed.
    pub(super) fn begin(
        &self,
        board: &BoardId,
        slot: Slot,
        certificate: &Certificate,
    ) -> Result<Option<Option<Slot>>, StoreError> {
        let (mut before, mut is_known) = (None, true);
        self.update(board, |found| {
            before = Some(found.session.replace(slot));
            is_known = !learn(&mut found.board.clone(), certificate);
        })?;
        if !is_known {
            let _writer = self.writer();
            self.with_rows([board], |_| {
                self.update(board, |found| {
                    learn(&mut found.board, certificate);
                })
            })?;
        }
        Ok(before)
    }

    /// Lets the board's record say that its session is in `slot`; nothing when there is no such
    /// board. Not flushed.
    pub(super) fn point(&self, board: &BoardId, slot: Option<Slot>) -> Result<(), StoreError> {
        self.update(board, |found| found.session = slot)
    }

    /// Alters the board's record, if there is one, in one step. Not flushed. `change` may run more
    /// than once.
    pub(super) fn update(
        &self,
        board: &BoardId,
        mut change: impl FnMut(&mut BoardRecord),
    ) -> Result<(), StoreError> {
        let key = board.as_str().as_bytes();
        let mut failed = None;
        self.boards.update(key, |record| {
            let record = record?;
            let changed = decode(TREE, key, record).and_then(|mut found: BoardRecord| {
                change(&mut found);
                encode(key, &found)
            });
            match changed {
                Ok(changed) => Some(IVec::from(changed)),
                Err(error) => {
                    failed = Some(error);
                    Some(IVec::from(record))
                }
            }
        })?;
        failed.map_or(Ok(()), Err)
    }
}

/// Whether there was something to learn of the certificate, if it is the board's.
fn learn(board: &mut Board, certificate: &Certificate) -> bool {
    if board.fingerprint != Some(certificate.fingerprint) {
        return false;
    }
    let before = (board.issuer, board.not_after);
    board.issuer = certificate.issuer.or(board.issuer);
    board.not_after = certificate.not_after.or(board.not_after);
    before != (board.issuer, board.not_after)
}

pub(crate) fn address_key(address: IpAddr) -> Vec<u8> {
    match address.to_canonical() {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

pub(crate) fn parse_id(tree: &'static str, id: &[u8]) -> Result<BoardId, StoreError> {
    record::parse_utf8(id).map_err(|source: RecordError| corrupt(tree, id, source))
}
