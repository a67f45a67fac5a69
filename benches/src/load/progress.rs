//! Progress bars on stderr, redrawn a few times a second and absent where nobody looks.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// Counts towards `total` things.
#[must_use]
pub fn counting(what: &'static str, total: usize) -> ProgressBar {
    let bar = ProgressBar::new(u64::try_from(total).unwrap_or(u64::MAX));
    bar.set_style(style("{msg} {wide_bar} {pos}/{len} {per_sec}"));
    bar.set_message(what);
    bar
}

/// Runs for a time; positions are milliseconds.
#[must_use]
pub fn running(what: &'static str, time: Duration) -> ProgressBar {
    let bar = ProgressBar::new(u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
    bar.set_style(style("{msg} {wide_bar} {elapsed}"));
    bar.set_message(what);
    bar
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
