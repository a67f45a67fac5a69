//! What is counted of firmware: boards' reports, and the blocks of images that they fetch.

use prometheus::{IntCounter, IntGaugeVec, Registry};

use super::labels::{BlockEnd, Label as _, ReportEnd};
use super::series::Series;
use super::{counter, counters, gauges};

/// Releases that are named.
const NAMED: usize = 50;

/// The series of firmware.
pub(super) struct FirmwareSeries {
    pub(super) reports: Series<ReportEnd>,
    pub(super) blocks: Series<BlockEnd>,
    pub(super) bytes: IntCounter,
    pub(super) calls: IntCounter,
    boards: IntGaugeVec,
}

impl FirmwareSeries {
    pub(super) fn new(to: &Registry) -> Result<Self, prometheus::Error> {
        let reports = counters(
            to,
            "hub_firmware_reports_total",
            "Boards' reports on their firmware, by what they were told.",
            &["answer"],
        )?;
        let blocks = counters(
            to,
            "hub_firmware_blocks_total",
            "Blocks of images that boards asked for, by what became of it.",
            &["outcome"],
        )?;
        let bytes = "Bytes of images that boards were given.";
        Ok(Self {
            reports: Series::new(&reports, |end: ReportEnd| vec![end.label()])?,
            blocks: Series::new(&blocks, |end: BlockEnd| vec![end.label()])?,
            bytes: counter(to, "hub_firmware_bytes_total", bytes)?,
            calls: counter(
                to,
                "hub_firmware_calls_total",
                "Boards that were awake and told that a rollout has something for them.",
            )?,
            boards: gauges(
                to,
                "hub_firmware_boards",
                "Boards by the release that they run, of which the 50 most frequent are named; counted every minute.",
                &["release"],
            )?,
        })
    }

    /// How many boards run which release, by number; the most frequent first.
    pub(super) fn boards(&self, releases: &[(u64, u64)], other: u64, unknown: u64) {
        let whole = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let set = |release: &str, boards| {
            self.boards.with_label_values(&[release]).set(whole(boards));
        };
        // Those that are named no more are no series any more.
        self.boards.reset();
        let (named, rest) = releases.split_at(releases.len().min(NAMED));
        named.iter().for_each(|(release, boards)| set(&release.to_string(), *boards));
        set("other", rest.iter().map(|(_, boards)| boards).sum::<u64>().saturating_add(other));
        set("unknown", unknown);
    }
}
