//! One table of figures, or the same as JSON.

use std::io::{self, Write};
use std::time::Duration;

use super::error::LoadError;

/// The figures of a run, in the order they are shown.
#[derive(Debug, Default)]
pub struct Report {
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    key: &'static str,
    value: f64,
    unit: &'static str,
}

impl Report {
    /// An empty report.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a figure; `key` is its name in both forms.
    pub fn row(&mut self, key: &'static str, value: f64, unit: &'static str) -> &mut Self {
        self.rows.push(Row { key, value, unit });
        self
    }

    /// Adds the median, 99th percentile and worst of durations, in milliseconds.
    pub fn latencies(&mut self, taken: Vec<Duration>) -> &mut Self {
        self.percentiles([("latency_p50", 50), ("latency_p99", 99), ("latency_max", 100)], taken)
    }

    /// Adds percentiles of durations, in milliseconds, each under its name.
    pub fn percentiles<const N: usize>(
        &mut self,
        wanted: [(&'static str, usize); N],
        mut taken: Vec<Duration>,
    ) -> &mut Self {
        taken.sort_unstable();
        for (key, percent) in wanted {
            self.row(key, percentile(&taken, percent).as_secs_f64() * 1e3, "ms");
        }
        self
    }

    /// Writes the table.
    ///
    /// # Errors
    /// [`LoadError::Report`].
    pub fn write_table(&self, out: &mut impl Write) -> Result<(), LoadError> {
        let width = self.rows.iter().map(|row| row.key.len()).max().unwrap_or(0);
        self.rows
            .iter()
            .try_for_each(|Row { key, value, unit }| {
                writeln!(out, "{key:<width$}  {:>12}  {unit}", rounded(*value))
            })
            .map_err(LoadError::Report)
    }

    /// Writes one JSON object, keys with their unit: `"latency_p50_ms": 1.2`.
    ///
    /// # Errors
    /// [`LoadError::Report`].
    pub fn write_json(&self, out: &mut impl Write) -> Result<(), LoadError> {
        let object: serde_json::Map<_, _> = self
            .rows
            .iter()
            .map(|row| {
                let unit = row.unit.replace('/', "_per_").replace([' ', '%'], "_");
                let key = if unit.is_empty() {
                    row.key.to_owned()
                } else {
                    format!("{}_{unit}", row.key)
                };
                (key, serde_json::Value::from(row.value))
            })
            .collect();
        serde_json::to_writer(&mut *out, &object)
            .map_err(io::Error::from)
            .and_then(|()| writeln!(out))
            .map_err(LoadError::Report)
    }
}

/// A percentile of ascending durations; nought where there is none.
#[must_use]
pub fn percentile(ascending: &[Duration], percent: usize) -> Duration {
    let rank = (ascending.len() * percent / 100).min(ascending.len().saturating_sub(1));
    ascending.get(rank).copied().unwrap_or_default()
}

/// Three digits where they say something.
fn rounded(value: f64) -> String {
    if value.fract() == 0.0 || value >= 1000.0 {
        format!("{value:.0}")
    } else if value >= 10.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.3}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_a_table_or_an_object() {
        let mut report = Report::new();
        report.row("requests", 61_234.0, "1/s").row("server_cpu", 14.25, "us");
        report.latencies((1..=100).map(Duration::from_millis).collect());
        let (mut table, mut json) = (Vec::new(), Vec::new());
        report.write_table(&mut table).unwrap();
        report.write_json(&mut json).unwrap();
        let table = String::from_utf8(table).unwrap();
        assert!(table.starts_with("requests            61234  1/s\n"), "{table}");
        let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
        assert_eq!(json["requests_1_per_s"], 61_234.0);
        assert_eq!(json["latency_p50_ms"], 51.0);
        assert_eq!(json["latency_p99_ms"], 100.0);
    }
}
