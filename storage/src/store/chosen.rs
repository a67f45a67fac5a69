//! All boards that fit a filter, at once: whom a rollout is for.

use std::cmp::Ordering;
use std::hash::{Hash as _, Hasher as _};

use super::boards::Boards;
use crate::query::{Look, Matcher};
use crate::record::parse_utf8;
use crate::rows::{LABELS_MAX, Runs, key_hash, label_hash};
use crate::targets::PaddedId;
use crate::{BoardFilter, BoardId, HardwareName, Release, StoreError};

/// A board that fits, and the first of the labels asked for that it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chosen {
    pub(crate) id: PaddedId,
    /// Which label, by its place.
    pub label: Option<u16>,
    /// What it runs, where it has said so.
    pub(crate) runs: Option<Runs>,
}

/// How what a board said last of its firmware stands to a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It has said nothing.
    Unknown,
    /// It runs something older.
    Older,
    /// It runs this.
    Same,
    /// It runs something newer.
    Newer,
    /// It is another product, or has a hardware that the release is not for.
    Other,
}

impl Chosen {
    /// A number that is as good as random, and the same for the same seed.
    #[must_use]
    pub fn lot(&self, seed: u64) -> u64 {
        let mut hasher = std::hash::DefaultHasher::new();
        (seed, self.id).hash(&mut hasher);
        hasher.finish()
    }

    /// How it stands to the release.
    #[must_use]
    pub fn stands(&self, release: &Release) -> Standing {
        let Some(Runs { version, product, hardware }) = self.runs else {
            return Standing::Unknown;
        };
        let is_it = |name: &HardwareName| key_hash(name.as_str()) == hardware;
        let fits = release.hardware.is_empty() || release.hardware.iter().any(is_it);
        if product != key_hash(release.product.as_str()) || !fits {
            return Standing::Other;
        }
        match version.cmp(&release.version) {
            Ordering::Less => Standing::Older,
            Ordering::Equal => Standing::Same,
            Ordering::Greater => Standing::Newer,
        }
    }

    /// The board.
    #[must_use]
    pub fn board(&self) -> Option<BoardId> {
        let end = self.id.iter().position(|byte| *byte == 0).unwrap_or(self.id.len());
        parse_utf8(self.id.get(..end)?).ok()
    }
}

impl Boards<'_> {
    /// Every board whose row fits, by id, with the first of `labels` that it has. Rows have hashes of
    /// labels: who acts on a board looks at its record before.
    ///
    /// # Errors
    /// [`StoreError::ListsNotReady`] while rows are made anew.
    pub fn choose(
        self,
        filter: &BoardFilter,
        labels: &[(&str, &str)],
    ) -> Result<Vec<Chosen>, StoreError> {
        self.require_rows()?;
        let matcher = Matcher::new(filter);
        let wanted: Vec<u32> = labels.iter().map(|(key, value)| label_hash(key, value)).collect();
        let mut chosen = Vec::new();
        self.inner.rows.each_board(self.inner.unread_rows(), |state, row| {
            let look = matcher.look(state, row, |label| {
                let board = self.find_key(row.id())?;
                let alone = BoardFilter { labels: vec![label.clone()], ..BoardFilter::default() };
                Ok::<_, StoreError>(board.is_some_and(|board| alone.fits(&board)))
            })?;
            if look != Look::Fits {
                return Ok(());
            }
            let has = |hash: &u32| row.labels().any(|(_, pair)| pair == *hash);
            let mut label = wanted.iter().position(has);
            if row.label_count() > LABELS_MAX && !labels.is_empty() {
                let board = self.find_key(row.id())?;
                let has = |(key, value): &(&str, &str)| {
                    board
                        .as_ref()
                        .is_some_and(|board| board.labels.get(*key).is_some_and(|own| own == value))
                };
                label = labels.iter().position(has);
            }
            let label = label.and_then(|label| u16::try_from(label).ok());
            chosen.push(Chosen { id: row.padded_id(), label, runs: row.runs() });
            Ok(())
        })?;
        chosen.sort_unstable_by_key(|chosen| chosen.id);
        chosen.dedup_by_key(|chosen| chosen.id);
        Ok(chosen)
    }
}
