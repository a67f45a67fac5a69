//! What boards run: noted as they say it, in their firmware's record and in their rows.
//!
//! Neither is flushed: what a crash loses, the board's next report says again. Invariant: a row that
//! says what a board runs has its board's word; the record may have been set back behind it by a kill.

use std::collections::HashMap;

use super::boards::Boards;
use super::{decode, encode};
use crate::rows::{Runs, key_hash, tenant_hash};
use crate::store::keyed::KeyedNoun as _;
use crate::{
    Board, BoardFilter, BoardFirmware, FirmwareVersion, HardwareName, ProductName, Release,
    StateKind, StoreError, TenantId,
};

/// Different kinds of firmware that are counted one by one, tenant by tenant.
const KINDS_MAX: usize = 65_536;

/// How many boards run what; those that are revoked are not counted.
#[derive(Debug, Clone, Default)]
pub struct Running {
    /// By product and version: of which tenant's on which hardware how many.
    kinds: HashMap<(u32, FirmwareVersion), Vec<Kind>>,
    /// Boards that have said what they run.
    known: u64,
    /// Boards that never have.
    unknown: u64,
}

#[derive(Debug, Clone, Copy)]
struct Kind {
    tenant: u64,
    hardware: u32,
    boards: u64,
}

impl Running {
    /// How many boards of these tenants, or of all, run this release.
    #[must_use]
    pub fn of(&self, release: &Release, within: Option<&[TenantId]>) -> u64 {
        let within = within.map(|tenants| tenants.iter().map(tenant_hash).collect::<Vec<_>>());
        let own = release.tenant.as_ref().map(tenant_hash);
        let hardware: Vec<u32> =
            release.hardware.iter().map(|name| key_hash(name.as_str())).collect();
        let kinds = self.kinds.get(&(key_hash(release.product.as_str()), release.version));
        let counts = |kind: &&Kind| {
            own.is_none_or(|own| own == kind.tenant)
                && within.as_ref().is_none_or(|within| within.contains(&kind.tenant))
                && (hardware.is_empty() || hardware.contains(&kind.hardware))
        };
        kinds.into_iter().flatten().filter(counts).map(|kind| kind.boards).sum()
    }

    /// How many boards have said what they run.
    #[must_use]
    pub const fn known(&self) -> u64 {
        self.known
    }

    /// How many never have.
    #[must_use]
    pub const fn unknown(&self) -> u64 {
        self.unknown
    }
}

impl Boards<'_> {
    /// Notes what a board says of its firmware; of a board that is gone, nothing. Not flushed.
    ///
    /// # Errors
    /// Those of the store.
    pub fn mark_firmware(self, said: &BoardFirmware) -> Result<(), StoreError> {
        let key = said.board.as_str().as_bytes();
        let mut rows = self.inner.rows.change();
        let Some(record) = self.inner.board_record(key)? else { return Ok(()) };
        self.inner.keyed.board_firmware.insert(key, encode(key, said)?)?;
        if let Some(row) = record.row {
            let marked = rows.mark_runs(row, Runs::of(said));
            marked.map_err(|source| self.inner.spoil(&mut rows, source))?;
        }
        Ok(())
    }

    /// Whether a board fits, also by what it said last of its firmware.
    ///
    /// # Errors
    /// Those of the store.
    pub fn fits(self, filter: &BoardFilter, board: &Board) -> Result<bool, StoreError> {
        if !filter.fits(board) {
            return Ok(false);
        }
        if !filter.asks_firmware() {
            return Ok(true);
        }
        let said = self.said(board.id.as_str().as_bytes())?;
        Ok(said.is_some_and(|said| filter.fits_firmware(&said)))
    }

    /// How many boards run what. Looks at every board's row once.
    ///
    /// # Errors
    /// [`StoreError::ListsNotReady`] while rows are made anew.
    pub fn running(self) -> Result<Running, StoreError> {
        self.require_rows()?;
        let (mut by_kind, mut running) = (HashMap::<(Runs, u64), u64>::new(), Running::default());
        self.inner.rows.each_board(self.inner.unread_rows(), |state, row| {
            if state == StateKind::Revoked {
                return Ok::<_, StoreError>(());
            }
            let Some(runs) = row.runs() else {
                running.unknown += 1;
                return Ok(());
            };
            running.known += 1;
            let kind = (runs, row.tenant());
            if by_kind.len() < KINDS_MAX || by_kind.contains_key(&kind) {
                *by_kind.entry(kind).or_default() += 1;
            }
            Ok(())
        })?;
        for ((runs, tenant), boards) in by_kind {
            let kind = Kind { tenant, hardware: runs.hardware, boards };
            running.kinds.entry((runs.product, runs.version)).or_default().push(kind);
        }
        Ok(running)
    }

    /// What the board with this key said last of its firmware.
    pub(super) fn said(self, key: &[u8]) -> Result<Option<BoardFirmware>, StoreError> {
        let record = self.inner.keyed.board_firmware.get(key)?;
        record.map(|record| decode(BoardFirmware::TREE, key, &record)).transpose()
    }
}

impl BoardFilter {
    pub(crate) const fn asks_firmware(&self) -> bool {
        !(self.versions.is_empty() && self.products.is_empty() && self.hardware.is_empty())
    }

    pub(crate) fn fits_firmware(&self, said: &BoardFirmware) -> bool {
        let is_product = |name: &ProductName| name.as_str() == said.product;
        let is_hardware = |name: &HardwareName| name.as_str() == said.hardware;
        (self.versions.is_empty() || self.versions.contains(&said.version))
            && (self.products.is_empty() || self.products.iter().any(is_product))
            && (self.hardware.is_empty() || self.hardware.iter().any(is_hardware))
    }
}
