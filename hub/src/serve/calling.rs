//! Has boards that are awake called for a rollout that is due, within its pace.

use std::sync::Arc;
use std::time::Duration;

use actors::hub::{AwakePage, CallBoards, FindSessions, Running};
use actors::metrics::Metrics;
use storage::{BoardId, TenantId};
use tokio::time::{MissedTickBehavior, interval};

use crate::admin::{Admin, AdminError};
use crate::cli::{self, in_one_line};

const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Sessions of one look.
const LOOKED_AT: usize = 500;

/// Never ends.
pub(super) async fn run(admin: Admin, hub: Running, metrics: Arc<Metrics>) {
    let mut ticks = interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut after = None;
    loop {
        ticks.tick().await;
        match look(&admin, &hub, after.take()).await {
            Ok((next, called)) => {
                after = next;
                metrics.firmware_calls(called);
            }
            Err(error) => {
                tracing::debug!(reason = %in_one_line(&error), "no board is called for a rollout");
            }
        }
    }
}

type Place = Option<(TenantId, BoardId)>;

/// Calls those of some awake boards that wait for a rollout; says where to look next, and how many.
async fn look(admin: &Admin, hub: &Running, after: Place) -> Result<(Place, usize), AdminError> {
    let rollouts = admin.rollouts()?;
    if !rollouts.calls_boards(cli::now()) {
        return Ok((None, 0));
    }
    let find = FindSessions { within: None, after, contains: String::new(), limit: LOOKED_AT };
    let Ok(AwakePage { sessions, next }) = hub.hub.send(find).await else { return Ok((None, 0)) };
    // Which of them wait may have to be read from the disk.
    let chosen = tokio::task::spawn_blocking(move || {
        let boards = sessions.into_iter().filter(|it| it.seen.is_secured);
        rollouts.to_call(boards.map(|it| (it.tenant, it.board)).collect(), cli::now())
    });
    let Ok(chosen) = chosen.await else { return Ok((None, 0)) };
    let chosen = chosen?;
    let called = match chosen.is_empty() {
        true => 0,
        false => hub.hub.send(CallBoards(chosen)).await.unwrap_or(0),
    };
    Ok((next, called))
}
