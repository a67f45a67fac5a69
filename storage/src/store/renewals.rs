//! Renewals in the store: one a board at most, from the issuing of a certificate to its first use.
//!
//! A tree of their own, because nearly all boards have none. Invariant: a renewal whose board has
//! another certificate than the one it replaces is as good as none.

use super::{Inner, decode, encode};
use crate::{Board, BoardId, Fingerprint, Renewal, Store, StoreError};

/// The renewals of a [`Store`].
#[derive(Clone, Copy)]
pub struct Renewals<'a> {
    store: &'a Store,
    inner: &'a Inner,
}

pub(crate) const TREE: &str = "boards/renewal";

impl<'a> Renewals<'a> {
    pub(super) fn new(store: &'a Store) -> Self {
        Self { store, inner: &store.inner }
    }

    /// Adds the renewal in place of the board's last one; durable on return.
    pub fn put(self, renewal: &Renewal) -> Result<(), StoreError> {
        let key = renewal.board.as_str().as_bytes();
        let record = encode(key, renewal)?;
        self.inner.renewals.insert(key, record)?;
        self.inner.flush()
    }

    /// The renewal of this board, unless it has come to mean nothing.
    pub fn of(self, board: &Board) -> Result<Option<Renewal>, StoreError> {
        let key = board.id.as_str().as_bytes();
        let Some(record) = self.inner.renewals.get(key)? else { return Ok(None) };
        let renewal: Renewal = decode(TREE, key, &record)?;
        Ok(Some(renewal).filter(|it| board.fingerprint == Some(it.replaces)))
    }

    /// The new certificate was used: it is the board's from now on, and the old one nobody's. Gives
    /// that one, where anything has changed; durable on return.
    pub fn complete(
        self,
        id: &BoardId,
        used: Fingerprint,
    ) -> Result<Option<Fingerprint>, StoreError> {
        let Some(board) = self.store.boards().find(id)? else { return Ok(None) };
        let Some(renewal) = self.of(&board)?.filter(|it| it.fingerprint == used) else {
            return Ok(None);
        };
        let changed = self.store.boards().change(id, |board| {
            if board.fingerprint == Some(renewal.replaces) {
                board.certify(renewal.certificate());
            }
        })?;
        // Were this lost, what is left would mean nothing.
        self.inner.renewals.remove(id.as_str())?;
        let is_its = changed.is_some_and(|board| board.fingerprint == Some(used));
        Ok(is_its.then_some(renewal.replaces))
    }

    /// How many there are.
    pub fn count(self) -> usize {
        self.inner.renewals.iter().count()
    }
}
