//! The first boards of a list that is never made as a whole.

use std::collections::BinaryHeap;

use super::{BoardQuery, Cursor, Sort};
use crate::record::parse_utf8;
use crate::rows::{ID_MAX, Row};

/// The best so far of all rows that were offered.
pub(crate) struct Best {
    sort: Sort,
    descending: bool,
    after: Option<Place>,
    limit: usize,
    /// The last of them is on top.
    heap: BinaryHeap<Place>,
}

/// A board's place in the list: moment, and id with zeros behind it, which no id has in it. In a
/// descending list every bit is inverted.
type Place = (u32, [u8; ID_MAX]);

impl Best {
    pub(crate) fn of(query: &BoardQuery) -> Self {
        let after = query.after.as_ref().map(|Cursor { moment, id }| {
            let mut padded = [0; ID_MAX];
            padded.iter_mut().zip(id.as_str().bytes()).for_each(|(to, from)| *to = from);
            turned(query.descending, (*moment, padded))
        });
        // One more, which tells that there is a next page.
        let limit = query.limit.saturating_add(1);
        let (sort, descending) = (query.sort, query.descending);
        Self { sort, descending, after, limit, heap: BinaryHeap::new() }
    }

    pub(crate) fn offer(&mut self, row: Row<'_>) {
        let moment = match self.sort {
            Sort::Id => 0,
            Sort::Created => row.created(),
            Sort::LastSeen => row.last_seen(),
            Sort::CertificateEnd => row.certificate_end(),
        };
        let place = turned(self.descending, (moment, row.padded_id()));
        if self.after.as_ref().is_some_and(|after| place <= *after) {
            return;
        }
        if self.heap.len() < self.limit {
            self.heap.push(place);
        } else if let Some(mut last) = self.heap.peek_mut().filter(|last| place < **last) {
            *last = place;
        }
    }

    /// The places in their order, and whether there are more behind them.
    pub(crate) fn into_places(self) -> (Vec<Cursor>, bool) {
        let mut places = self.heap.into_sorted_vec();
        let is_more = places.len() == self.limit;
        places.truncate(self.limit.saturating_sub(1));
        // A board that moved to another row meanwhile may have been offered twice.
        places.dedup();
        let cursor = |place| {
            let (moment, id) = turned(self.descending, place);
            let length = id.iter().position(|byte| *byte == 0).unwrap_or(ID_MAX);
            let id = parse_utf8(id.get(..length).unwrap_or_default()).ok()?;
            Some(Cursor { moment, id })
        };
        (places.into_iter().filter_map(cursor).collect(), is_more)
    }
}

fn turned(descending: bool, (moment, id): Place) -> Place {
    match descending {
        true => (!moment, id.map(|byte| !byte)),
        false => (moment, id),
    }
}
