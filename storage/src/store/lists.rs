//! Boards listed, searched and counted by their rows.
//!
//! Invariant: a board that is given out was read from its record, and fits. Where the rows are being
//! made anew, what depends on all boards reads all records instead; lists for people wait
//! ([`StoreError::ListsNotReady`]).

use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;

use super::boards::{Boards, TREE};
use super::decode;
use crate::board::BoardRecord;
use crate::query::{Best, FirmwareTally, Look, Matcher, Tally, ValueTally};
use crate::record::parse_utf8;
use crate::rows::{Phase, Runs, key_hash, label_hash, tenant_hash};
use crate::{
    Board, BoardFilter, BoardFirmware, BoardId, BoardPage, BoardQuery, Counted, FacetCounts,
    FirmwareCount, FirmwareCounts, StateKind, StoreError, TenantId, ValueCounts,
};

/// Values of one label that are named.
const VALUES_NAMED: usize = 50;
/// Kinds of firmware that are named.
const FIRMWARE_NAMED: usize = 200;
/// Ids that are gathered before all records are read instead.
const GATHERED_MAX: usize = 50_000;

impl<'a> Boards<'a> {
    /// A page of the boards that fit, how many they are, and what else is to be counted; looks at
    /// every board's row once.
    ///
    /// # Errors
    /// [`StoreError::ListsNotReady`] while rows are made anew.
    pub fn query(self, query: &BoardQuery) -> Result<BoardPage, StoreError> {
        self.require_rows()?;
        let matcher = Matcher::new(&query.filter);
        let mut best = Best::of(query);
        let mut tally = Tally::of(&query.facets);
        let mut total = 0;
        self.inner.rows.each_board(self.inner.unread_rows(), |state, row| {
            let look = matcher.look(state, row, |label| {
                let board = self.find_key(row.id())?;
                let alone = BoardFilter { labels: vec![label.clone()], ..BoardFilter::default() };
                Ok::<_, StoreError>(board.is_some_and(|board| alone.fits(&board)))
            })?;
            tally.count(look, state, row);
            if look == Look::Fits {
                total += 1;
                best.offer(row);
            }
            Ok(())
        })?;
        let (places, is_more) = best.into_places();
        let next = places.last().filter(|_| is_more).cloned();
        let mut boards = Vec::with_capacity(places.len());
        for place in places {
            if let Some(board) = self.find(&place.id)?
                && self.fits(&query.filter, &board)?
            {
                boards.push(board);
            }
        }
        Ok(BoardPage { boards, next, total, counts: self.named(tally)? })
    }

    /// Every board that fits, by id.
    ///
    /// # Errors
    /// Those of the store.
    pub fn matching(
        self,
        filter: &BoardFilter,
    ) -> Result<impl Iterator<Item = Result<Board, StoreError>> + use<'a>, StoreError> {
        let ids = self.gather(filter)?;
        let all = ids.is_none().then(|| self.inner.boards.iter());
        let some = ids.into_iter().flatten().filter_map(move |id| self.find(&id).transpose());
        let all = all.into_iter().flatten().map(|entry| {
            let (key, record) = entry?;
            decode::<BoardRecord>(TREE, &key, &record).map(|found| found.board)
        });
        let filter = filter.clone();
        Ok(some.chain(all).filter_map(move |board| match board {
            Ok(board) => match self.fits(&filter, &board) {
                Ok(true) => Some(Ok(board)),
                Ok(false) => None,
                Err(error) => Some(Err(error)),
            },
            Err(error) => Some(Err(error)),
        }))
    }

    /// Every board of the tenant, by id.
    ///
    /// # Errors
    /// Those of the store.
    pub fn of_tenant(
        self,
        tenant: &TenantId,
    ) -> Result<impl Iterator<Item = Result<Board, StoreError>> + use<'a>, StoreError> {
        let tenants = Some(vec![tenant.clone()]);
        self.matching(&BoardFilter { tenants, ..BoardFilter::default() })
    }

    /// How many boards there are; reads all their keys while rows are made anew.
    #[must_use]
    pub fn count(self) -> usize {
        match self.inner.rows.phase() {
            Phase::Ready => usize::try_from(self.inner.rows.boards()).unwrap_or(usize::MAX),
            Phase::Reading | Phase::Assigning | Phase::Spoilt => self.inner.boards.iter().count(),
        }
    }

    /// How many boards the tenant has.
    ///
    /// # Errors
    /// Those of the store.
    pub fn count_of_tenant(self, tenant: &TenantId) -> Result<usize, StoreError> {
        Ok(self.count_by_tenant()?.get(tenant).copied().unwrap_or(0))
    }

    /// How many boards each tenant has that has some.
    ///
    /// # Errors
    /// Those of the store.
    pub fn count_by_tenant(self) -> Result<BTreeMap<TenantId, usize>, StoreError> {
        let mut counts = BTreeMap::new();
        if self.require_rows().is_err() {
            for entry in self.inner.boards.iter() {
                let (key, record) = entry?;
                let BoardRecord { board, .. } = decode(TREE, &key, &record)?;
                *counts.entry(board.tenant).or_default() += 1;
            }
            return Ok(counts);
        }
        let mut by_hash = HashMap::<u64, usize>::new();
        self.inner.rows.each_board(self.inner.unread_rows(), |_, row| {
            *by_hash.entry(row.tenant()).or_default() += 1;
            Ok::<_, StoreError>(())
        })?;
        for key in self.inner.tenants.iter().keys() {
            let key = key?;
            let tenant = std::str::from_utf8(&key).ok().and_then(|id| id.parse().ok());
            let Some(tenant): Option<TenantId> = tenant else { continue };
            if let Some(count) = by_hash.get(&tenant_hash(&tenant)) {
                counts.insert(tenant, *count);
            }
        }
        Ok(counts)
    }

    pub(super) fn require_rows(self) -> Result<(), StoreError> {
        match self.inner.rows.phase() {
            Phase::Ready => Ok(()),
            Phase::Reading | Phase::Assigning | Phase::Spoilt => Err(StoreError::ListsNotReady),
        }
    }

    /// The ids of the boards whose rows fit, in their order; nothing where they are too many to be
    /// kept, or rows are made anew.
    fn gather(self, filter: &BoardFilter) -> Result<Option<Vec<BoardId>>, StoreError> {
        if self.require_rows().is_err() {
            return Ok(None);
        }
        let matcher = Matcher::new(filter);
        let mut ids = Vec::new();
        self.inner.rows.each_board(self.inner.unread_rows(), |state, row| {
            // What a row has no room for shows in the record, which is read in any case.
            let look = matcher.look(state, row, |_| Ok::<_, Infallible>(true));
            if let (Ok(Look::Fits), Ok(id)) = (look, parse_utf8(row.id()))
                && ids.len() <= GATHERED_MAX
            {
                ids.push(id);
            }
            Ok::<_, StoreError>(())
        })?;
        ids.sort_unstable();
        ids.dedup();
        Ok((ids.len() <= GATHERED_MAX).then_some(ids))
    }

    /// What was counted, with names instead of hashes.
    fn named(self, tally: Tally) -> Result<FacetCounts, StoreError> {
        let mut counts = FacetCounts::default();
        for (value, boards) in StateKind::ALL.into_iter().zip(tally.states.into_iter().flatten()) {
            counts.states.push(Counted { value, boards });
        }
        if let Some(by_hash) = tally.tenants {
            for tenant in self.inner.tenants.iter().keys() {
                let tenant = tenant?;
                let tenant = std::str::from_utf8(&tenant).ok().and_then(|id| id.parse().ok());
                let Some(value): Option<TenantId> = tenant else { continue };
                if let Some(&boards) = by_hash.get(&tenant_hash(&value)) {
                    counts.tenants.push(Counted { value, boards });
                }
            }
            counts.tenants.sort_by_key(|counted| u64::MAX - counted.boards);
        }
        if let Some(keys) = tally.keys {
            let name = |board: &Board, hash| {
                board.labels.keys().find(|key| key_hash(key) == hash).cloned()
            };
            counts.keys = self.most(keys, name)?.0;
        }
        for (key, values) in tally.values {
            let name = |board: &Board, hash| {
                let value = board.labels.get(&key.name)?;
                (label_hash(&key.name, value) == hash).then(|| value.clone())
            };
            let (values, others) = self.most(values, name)?;
            counts.values.push(ValueCounts { key: key.name, values, others });
        }
        if let Some(firmware) = tally.firmware {
            counts.firmware = self.named_firmware(firmware)?;
        }
        Ok(counts)
    }

    /// The most frequent, by the words of a board that runs it.
    fn named_firmware(self, tally: FirmwareTally) -> Result<FirmwareCounts, StoreError> {
        let FirmwareTally { counts, others, unknown } = tally;
        let mut counts: Vec<_> = counts.into_iter().collect();
        counts.sort_unstable_by_key(|(runs, (count, _))| {
            (u64::MAX - count, runs.product, runs.hardware, runs.version)
        });
        let mut named = FirmwareCounts { others, unknown, ..FirmwareCounts::default() };
        for (at, (runs, (boards, id))) in counts.into_iter().enumerate() {
            let length = id.iter().position(|byte| *byte == 0).unwrap_or(id.len());
            let said = match at < FIRMWARE_NAMED {
                true => self.said(id.get(..length).unwrap_or_default())?,
                false => None,
            };
            match said.filter(|said| Runs::of(said) == runs) {
                Some(BoardFirmware { product, hardware, version, .. }) => {
                    named.kinds.push(FirmwareCount { product, hardware, version, boards });
                }
                None => named.others += boards,
            }
        }
        Ok(named)
    }

    /// The most frequent, as their boards call them.
    fn most(
        self,
        values: ValueTally,
        name: impl Fn(&Board, u32) -> Option<String>,
    ) -> Result<(Vec<Counted<String>>, u64), StoreError> {
        let (most, mut others) = values.most(VALUES_NAMED);
        let mut named = Vec::with_capacity(most.len());
        for (hash, boards, id) in most {
            let length = id.iter().position(|byte| *byte == 0).unwrap_or(id.len());
            let board = self.find_key(id.get(..length).unwrap_or_default())?;
            match board.and_then(|board| name(&board, hash)) {
                Some(value) => named.push(Counted { value, boards }),
                None => others += boards,
            }
        }
        Ok((named, others))
    }
}
