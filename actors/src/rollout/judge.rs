//! What a board's report says of its place in a rollout.
//!
//! Invariant: pure; a board that has come to an end leaves it only by running the release after all.

use image::Event;
use storage::{FirmwareVersion, Release, Target, TargetState, UnixSeconds, Why};
use wire::{FirmwareReport, UpdateState};

/// The board's version in the store's terms.
pub(super) fn version(told: wire::FirmwareVersion) -> FirmwareVersion {
    let (major, minor, revision, build) = told;
    FirmwareVersion { major, minor, revision, build }
}

/// Where the board is, now that it has said this.
pub(super) fn judge(
    target: &Target,
    report: &FirmwareReport<'_>,
    release: &Release,
    now: UnixSeconds,
) -> Target {
    let heard = Target { cell: report.cell.or(target.cell), ..target.clone() };
    let (state, why, refusal) = stand(target, report, release);
    let received = match state {
        TargetState::Fetching | TargetState::Held => report.received,
        TargetState::Restarting | TargetState::OnTrial | TargetState::Succeeded => release.size,
        _ => heard.received,
    };
    let changed = if state == target.state && state.is_end() { target.changed } else { now };
    Target { state, why, refusal, received, changed, ..heard }
}

fn stand(
    target: &Target,
    report: &FirmwareReport<'_>,
    release: &Release,
) -> (TargetState, Why, u8) {
    let as_before = (target.state, target.why, target.refusal);
    let skipped = |why| (TargetState::Skipped, why, 0);
    let failed = |why, refusal| (TargetState::Failed, why, refusal);
    if report.product != release.product.as_str() {
        return if target.state.is_end() { as_before } else { skipped(Why::OtherProduct) };
    }
    let running = version(report.version);
    if running == release.version {
        let state = if report.on_trial { TargetState::OnTrial } else { TargetState::Succeeded };
        // A trial that was won is not begun again by a report that was under way.
        let is_won = target.state == TargetState::Succeeded;
        return if is_won { as_before } else { (state, Why::Nothing, 0) };
    }
    if target.state.is_end() {
        return as_before;
    }
    let fits = |revision: &storage::HardwareName| revision.as_str() == report.hardware;
    if !release.hardware.is_empty() && !release.hardware.iter().any(fits) {
        return skipped(Why::OtherHardware);
    }
    if target.state.is_under_way()
        && let Some((number, event, refusal)) = report.outcome
        && report.outcome_version.map(version) == Some(release.version)
        && target.outcome != Some(number)
    {
        if [Event::Reverted, Event::Kept, Event::Rescued].iter().any(|it| it.code() == event) {
            return failed(Why::Reverted, 0);
        }
        if Event::Refused.code() == event {
            return failed(Why::RefusedAtStart, refusal);
        }
    }
    if running > release.version {
        return skipped(Why::Newer);
    }
    if report.floor > release.security_counter {
        return skipped(Why::Rollback);
    }
    if release.needs.is_some_and(|needed| running < needed) {
        return skipped(Why::NeedsOther);
    }
    // Also of a board whose row a power failure has set back.
    if report.update != Some(release.file.short()) {
        return as_before;
    }
    match report.state {
        UpdateState::Idle if target.state == TargetState::Waiting => as_before,
        UpdateState::Idle => (TargetState::Offered, Why::Nothing, 0),
        UpdateState::Fetching => (TargetState::Fetching, Why::Nothing, 0),
        UpdateState::AwaitingBattery => (TargetState::Held, Why::Battery, 0),
        UpdateState::AwaitingSignal => (TargetState::Held, Why::Signal, 0),
        UpdateState::AwaitingProduct => (TargetState::Held, Why::Product, 0),
        UpdateState::Restarting => (TargetState::Restarting, Why::Nothing, 0),
        UpdateState::Refused => failed(Why::Refused, 0),
    }
}

#[cfg(test)]
mod tests;
