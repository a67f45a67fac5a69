//! Has campaigns go on while the hub runs, and shows in the metrics how far they are.

use std::sync::Arc;
use std::time::Duration;

use actors::metrics::Metrics;
use tokio::time::{MissedTickBehavior, interval};

use crate::admin::Admin;
use crate::cli::{self, in_one_line};

const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Never ends.
pub(super) async fn run(admin: Admin, metrics: Arc<Metrics>) {
    let mut ticks = interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let looking = admin.clone();
        let went = tokio::task::spawn_blocking(move || {
            looking.tick_campaigns(cli::now())?;
            looking.campaigns()
        });
        match went.await {
            Ok(Ok(campaigns)) => metrics.campaigns(&campaigns.running()),
            // While rows are made anew: looked at again in a moment.
            Ok(Err(error)) => {
                tracing::debug!(reason = %in_one_line(&error), "campaigns stand still");
            }
            Err(_) => {}
        }
    }
}
