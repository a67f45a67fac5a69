//! How many boards have which tenant, state, label: counted while rows are looked at.
//!
//! Invariant: bounded; what is counted are hashes, and each is given a row's board to be asked what
//! the hash stands for.

use std::collections::HashMap;

use super::{Facets, Look, Part};
use crate::StateKind;
use crate::rows::{ID_MAX, Row, Runs, key_hash};

/// Different values that are counted one by one.
const VALUES_MAX: usize = 4096;

/// The counts so far.
pub(crate) struct Tally {
    pub(crate) states: Option<[u64; StateKind::ALL.len()]>,
    pub(crate) tenants: Option<HashMap<u64, u64>>,
    pub(crate) keys: Option<ValueTally>,
    pub(crate) values: Vec<(LabelKey, ValueTally)>,
    pub(crate) firmware: Option<FirmwareTally>,
}

/// How often each firmware came, with one board that runs it.
#[derive(Default)]
pub(crate) struct FirmwareTally {
    pub(crate) counts: HashMap<Runs, (u64, [u8; ID_MAX])>,
    pub(crate) others: u64,
    pub(crate) unknown: u64,
}

/// The key of a label that is counted.
pub(crate) struct LabelKey {
    pub(crate) name: String,
    hash: u32,
}

/// How often each hash came, with one board that has it.
#[derive(Default)]
pub(crate) struct ValueTally {
    counts: HashMap<u32, (u64, [u8; ID_MAX])>,
    others: u64,
}

impl Tally {
    pub(crate) fn of(facets: &Facets) -> Self {
        let value = |name: &String| {
            (LabelKey { name: name.clone(), hash: key_hash(name) }, ValueTally::default())
        };
        Self {
            states: facets.states.then(Default::default),
            tenants: facets.tenants.then(HashMap::new),
            keys: facets.keys.then(ValueTally::default),
            values: facets.values_of.iter().map(value).collect(),
            firmware: facets.firmware.then(FirmwareTally::default),
        }
    }

    pub(crate) fn count(&mut self, look: Look, state: StateKind, row: Row<'_>) {
        let counts_for = |part: Part| match look {
            Look::Fits => true,
            Look::But(other) => other == part,
            Look::Not => false,
        };
        if let Some(states) = self.states.as_mut().filter(|_| counts_for(Part::State)) {
            let place = StateKind::ALL.iter().position(|one| *one == state);
            if let Some(count) = place.and_then(|place| states.get_mut(place)) {
                *count += 1;
            }
        }
        if let Some(tenants) = self.tenants.as_mut().filter(|_| counts_for(Part::Tenant))
            && (tenants.len() < VALUES_MAX || tenants.contains_key(&row.tenant()))
        {
            *tenants.entry(row.tenant()).or_default() += 1;
        }
        if let Some(keys) = self.keys.as_mut().filter(|_| look == Look::Fits) {
            row.labels().for_each(|(key, _)| keys.count(key, row));
        }
        if let Some(firmware) = self.firmware.as_mut().filter(|_| counts_for(Part::Firmware)) {
            firmware.count(row);
        }
        for (key, values) in &mut self.values {
            if counts_for(Part::Label(key.hash)) {
                let pairs = row.labels().filter(|(hash, _)| *hash == key.hash);
                pairs.for_each(|(_, pair)| values.count(pair, row));
            }
        }
    }
}

impl FirmwareTally {
    fn count(&mut self, row: Row<'_>) {
        let has_room = self.counts.len() < VALUES_MAX;
        let Some(runs) = row.runs() else {
            self.unknown += 1;
            return;
        };
        match self.counts.get_mut(&runs) {
            Some((count, _)) => *count += 1,
            None if has_room => {
                self.counts.insert(runs, (1, row.padded_id()));
            }
            None => self.others += 1,
        }
    }
}

impl ValueTally {
    fn count(&mut self, hash: u32, row: Row<'_>) {
        let has_room = self.counts.len() < VALUES_MAX;
        match self.counts.get_mut(&hash) {
            Some((count, _)) => *count += 1,
            None if has_room => {
                self.counts.insert(hash, (1, row.padded_id()));
            }
            None => self.others += 1,
        }
    }

    /// The most frequent hashes, each with a board that has it, and how often there were others.
    pub(crate) fn most(self, limit: usize) -> (Vec<(u32, u64, [u8; ID_MAX])>, u64) {
        let mut counts: Vec<_> =
            self.counts.into_iter().map(|(hash, (count, id))| (hash, count, id)).collect();
        counts.sort_unstable_by_key(|(hash, count, _)| (u64::MAX - count, *hash));
        let others: u64 = counts.iter().skip(limit).map(|(_, count, _)| count).sum();
        counts.truncate(limit);
        (counts, self.others + others)
    }
}
