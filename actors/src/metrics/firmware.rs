//! What is counted of firmware: boards' reports, and the blocks of images that they fetch.

use prometheus::{IntCounter, Registry};

use super::labels::{BlockEnd, Label as _, ReportEnd};
use super::series::Series;
use super::{counter, counters};

/// The series of firmware.
pub(super) struct FirmwareSeries {
    pub(super) reports: Series<ReportEnd>,
    pub(super) blocks: Series<BlockEnd>,
    pub(super) bytes: IntCounter,
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
        })
    }
}
