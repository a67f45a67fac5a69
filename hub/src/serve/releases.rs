//! Shows in the metrics how many boards run which release: counted now and then, and never by a scrape.

use std::cmp::Reverse;
use std::sync::Arc;
use std::time::Duration;

use actors::metrics::Metrics;
use tokio::time::{MissedTickBehavior, interval};

use crate::admin::{Admin, AdminError};
use crate::cli::in_one_line;

const LOOK_EVERY: Duration = Duration::from_secs(60);

/// How many boards run which release.
#[derive(Debug, PartialEq, Eq)]
struct Counted {
    /// Releases by number, the most frequent first.
    releases: Vec<(u64, u64)>,
    /// Boards that run something else.
    other: u64,
    /// Boards that have said nothing.
    unknown: u64,
}

/// Never ends.
pub(super) async fn run(admin: Admin, metrics: Arc<Metrics>) {
    let mut ticks = interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let looking = admin.clone();
        match tokio::task::spawn_blocking(move || count(&looking)).await {
            Ok(Ok(Counted { releases, other, unknown })) => {
                metrics.firmware_boards(&releases, other, unknown);
            }
            // While rows are made anew: looked at again in a moment.
            Ok(Err(error)) => {
                tracing::debug!(reason = %in_one_line(&error), "what boards run is not counted");
            }
            Err(_) => {}
        }
    }
}

fn count(admin: &Admin) -> Result<Counted, AdminError> {
    let running = admin.store().boards().running()?;
    let releases = admin.releases()?.into_iter().map(|it| (it.number, running.of(&it, None)));
    let mut releases: Vec<_> = releases.filter(|(_, boards)| *boards > 0).collect();
    releases.sort_unstable_by_key(|(release, boards)| (Reverse(*boards), *release));
    // Two releases may be of the same version, one of them withdrawn: then both have all of its boards.
    let named: u64 = releases.iter().map(|(_, boards)| boards).sum();
    let other = running.known().saturating_sub(named);
    Ok(Counted { releases, other, unknown: running.unknown() })
}
