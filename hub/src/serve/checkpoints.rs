//! Signs the audit log's head from time to time, while the hub runs.

use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use crate::cli::{self, in_one_line};
use crate::config::Audit;
use crate::trust::{CheckpointError, Checkpoints};

/// How often it is looked whether a checkpoint is due.
const LOOK_EVERY: Duration = Duration::from_secs(20);

/// Never ends.
pub(super) async fn run(checkpoints: Checkpoints, settings: Audit) {
    let mut ticks = interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut has_failed = false;
    loop {
        ticks.tick().await;
        let (checkpoints, settings) = (checkpoints.clone(), settings.clone());
        let signed = tokio::task::spawn_blocking(move || sign_if_due(&checkpoints, &settings));
        match signed.await {
            Ok(Ok(())) => has_failed = false,
            // Said once, until it works again.
            Ok(Err(error)) if !has_failed => {
                has_failed = true;
                let reason = in_one_line(&error);
                tracing::warn!(%reason, "no checkpoint of the audit log can be signed");
            }
            Ok(Err(_)) | Err(_) => {}
        }
    }
}

fn sign_if_due(checkpoints: &Checkpoints, settings: &Audit) -> Result<(), CheckpointError> {
    let now = cli::now();
    let (unsigned, since) = checkpoints.unsigned()?;
    let minutes = settings.checkpoint_min.saturating_mul(60);
    let is_old = since.is_none_or(|since| now.0.saturating_sub(since.0) >= minutes);
    if unsigned >= settings.checkpoint_entries || (unsigned > 0 && is_old) {
        checkpoints.sign(now)?;
    }
    Ok(())
}
