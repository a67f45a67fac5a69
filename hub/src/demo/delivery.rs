//! What has arrived at the broker's subscriber, counted by board.
//!
//! Invariant: no clock, no socket; a reading counts once, however often it comes.

use std::collections::{BTreeMap, BTreeSet};

use wire::{NamedReading, Value};

use super::End;

/// Boards named in a report before it says "and so many more".
const NAMED_BOARDS: usize = 5;

/// One publication of a board: a pack with its counter and what it measured.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Arrival {
    pub(super) tenant: String,
    pub(super) board: String,
    pub(super) seq: i64,
    /// The rest of the pack, for people.
    pub(super) measured: String,
}

impl Arrival {
    /// Reads `<tenant>/<board>/telemetry` and the SenML pack of a virtual board.
    pub(super) fn read(topic: &[u8], payload: &[u8]) -> Option<Self> {
        let topic = str::from_utf8(topic).ok()?;
        let mut levels = topic.split('/');
        let (tenant, board) = (levels.next()?.to_owned(), levels.next()?.to_owned());
        let (mut seq, mut measured) = (None, Vec::new());
        for reading in wire::readings(payload).ok()? {
            let NamedReading { reading, .. } = reading.ok()?;
            let unit = reading.unit.unwrap_or_default();
            match reading.value {
                Value::I64(count) if reading.name == "seq" => seq = Some(count),
                Value::I64(whole) => measured.push(format!("{} {whole} {unit}", reading.name)),
                Value::F64(number) => measured.push(format!("{} {number:.2} {unit}", reading.name)),
                Value::Bool(_) | Value::Text(_) | Value::Data(_) => {}
            }
        }
        Some(Self { tenant, board, seq: seq?, measured: measured.join(", ") })
    }
}

/// Distinct readings by board and counter.
pub(super) struct Delivery {
    arrived: BTreeMap<String, (String, BTreeSet<i64>)>,
    /// Readings of each board that are wanted, where the demo ends by itself.
    wanted: Option<u64>,
}

impl Delivery {
    /// `boards` are board and tenant of each board that takes part.
    pub(super) fn new(boards: &[(String, String)], end: End) -> Self {
        let nothing =
            |(board, tenant): &(String, String)| (board.clone(), (tenant.clone(), BTreeSet::new()));
        let wanted = match end {
            End::WhenStopped => None,
            End::WhenDelivered { readings, .. } => Some(u64::from(readings)),
        };
        Self { arrived: boards.iter().map(nothing).collect(), wanted }
    }

    /// Counts a reading of a board that takes part, under its own tenant.
    pub(super) fn take(&mut self, arrival: &Arrival) {
        if let Some((tenant, seqs)) = self.arrived.get_mut(&arrival.board)
            && *tenant == arrival.tenant
        {
            seqs.insert(arrival.seq);
        }
    }

    /// All that are wanted, once they are there.
    pub(super) fn is_complete(&self) -> Option<u64> {
        let (delivered, total) = self.delivered();
        (self.wanted.is_some() && delivered == total).then_some(total)
    }

    /// Readings that are there and wanted, and wanted at all; without an end, simply those there.
    pub(super) fn delivered(&self) -> (u64, u64) {
        let each = self.arrived.values().map(|(_, seqs)| count(seqs));
        match self.wanted {
            Some(wanted) => {
                let boards = u64::try_from(self.arrived.len()).unwrap_or(u64::MAX);
                (each.map(|there| there.min(wanted)).sum(), wanted.saturating_mul(boards))
            }
            None => {
                let there = each.sum();
                (there, there)
            }
        }
    }

    /// Boards that have been heard of, and all.
    pub(super) fn boards(&self) -> (usize, usize) {
        let heard = self.arrived.values().filter(|(_, seqs)| !seqs.is_empty()).count();
        (heard, self.arrived.len())
    }

    /// What is missing, in words: by tenant, and some boards by name.
    pub(super) fn missing(&self) -> Vec<String> {
        let wanted = self.wanted.unwrap_or_default();
        let mut tenants: BTreeMap<&str, (u64, Vec<String>)> = BTreeMap::new();
        for (board, (tenant, seqs)) in &self.arrived {
            let there = count(seqs);
            let entry = tenants.entry(tenant).or_default();
            if there < wanted {
                entry.0 += wanted - there;
                entry.1.push(format!("{board} ({there} of {wanted})"));
            }
        }
        let mut report = Vec::new();
        for (tenant, (readings, boards)) in tenants {
            let named: Vec<_> = boards.iter().take(NAMED_BOARDS).map(String::as_str).collect();
            let more = match boards.len().saturating_sub(NAMED_BOARDS) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            report.push(match boards.len() {
                0 => format!("{tenant}: nothing is missing"),
                n => format!(
                    "{tenant}: {readings} readings of {n} boards are missing: {}{more}",
                    named.join(", ")
                ),
            });
        }
        report
    }
}

fn count(seqs: &BTreeSet<i64>) -> u64 {
    u64::try_from(seqs.len()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use wire::Reading;

    use super::*;

    fn delivery(readings: u32) -> Delivery {
        let boards = [("CB-0", "tenant-0"), ("CB-1", "tenant-1")];
        let boards = boards.map(|(board, tenant)| (board.to_owned(), tenant.to_owned()));
        Delivery::new(&boards, End::WhenDelivered { readings, within: Duration::ZERO })
    }

    fn arrival(tenant: &str, board: &str, seq: i64) -> Arrival {
        let measured = String::new();
        Arrival { tenant: tenant.to_owned(), board: board.to_owned(), seq, measured }
    }

    #[test]
    fn a_reading_counts_once_and_only_under_its_own_tenant() {
        let mut delivery = delivery(2);
        for (tenant, board, seq) in [
            ("tenant-0", "CB-0", 0),
            ("tenant-0", "CB-0", 0),
            ("tenant-1", "CB-0", 1),
            ("tenant-0", "CB-9", 1),
        ] {
            delivery.take(&arrival(tenant, board, seq));
        }
        assert_eq!(delivery.delivered(), (1, 4));
        assert_eq!(delivery.boards(), (1, 2));
        assert_eq!(delivery.is_complete(), None);
    }

    #[test]
    fn one_boards_surplus_does_not_stand_for_anothers_lack() {
        let mut delivery = delivery(2);
        for seq in 0..9 {
            delivery.take(&arrival("tenant-0", "CB-0", seq));
        }
        assert_eq!(delivery.delivered(), (2, 4));
        assert_eq!(
            delivery.missing(),
            [
                "tenant-0: nothing is missing",
                "tenant-1: 2 readings of 1 boards are missing: CB-1 (0 of 2)"
            ]
        );
        for seq in 5..7 {
            delivery.take(&arrival("tenant-1", "CB-1", seq));
        }
        assert_eq!(delivery.is_complete(), Some(4));
    }

    #[test]
    fn a_boards_pack_is_read_with_its_topic() {
        let reading = |name, unit, value| Reading { name, unit, value, time: None };
        let pack = [
            reading("seq", None, Value::I64(7)),
            reading("temperature", Some("Cel"), Value::F64(21.5)),
        ];
        let mut out = [0; 128];
        let length = wire::encode(Some("CB-0/"), Some(1_700_000_000), &pack, &mut out).unwrap();
        let read = Arrival::read(b"tenant-0/CB-0/telemetry", &out[..length]).unwrap();
        assert_eq!((read.tenant.as_str(), read.board.as_str(), read.seq), ("tenant-0", "CB-0", 7));
        assert_eq!(read.measured, "temperature 21.50 Cel");
        assert_eq!(Arrival::read(b"tenant-0/CB-0/telemetry", b"\xff"), None);
        assert_eq!(Arrival::read(b"tenant-0", &out[..length]), None);
    }
}
