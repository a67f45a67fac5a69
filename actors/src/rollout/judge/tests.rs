use storage::{FileDigest, ReleaseState};

use super::*;

const NOW: UnixSeconds = UnixSeconds(1000);

fn release() -> Release {
    Release {
        number: 1,
        tenant: None,
        product: "valve".parse().unwrap(),
        hardware: vec!["A".parse().unwrap()],
        version: "1.4.0".parse().unwrap(),
        security_counter: 3,
        needs: Some("1.2.0".parse().unwrap()),
        digest: FileDigest([1; 32]),
        file: FileDigest([2; 32]),
        size: 1000,
        notes: String::new(),
        sbom: None,
        added: NOW,
        by: String::new(),
        state: ReleaseState::Draft,
    }
}

fn report() -> FirmwareReport<'static> {
    FirmwareReport {
        product: "valve",
        hardware: "A",
        version: (1, 3, 0, 0),
        floor: 3,
        outcome: Some((7, 2, 0)),
        outcome_version: Some((1, 3, 0, 0)),
        ..FirmwareReport::default()
    }
}

fn target(state: TargetState) -> Target {
    let waiting = Target::waiting("CB-1".parse().unwrap(), 0, UnixSeconds(1));
    Target { state, outcome: Some(7), ..waiting }
}

#[track_caller]
fn is(from: TargetState, report: FirmwareReport<'_>, to: TargetState, why: Why) {
    let judged = judge(&target(from), &report, &release(), NOW);
    assert_eq!((judged.state, judged.why), (to, why));
}

#[test]
fn a_release_that_is_not_for_the_board_is_skipped_with_the_reason() {
    use TargetState::{Skipped, Waiting};
    is(Waiting, report(), Waiting, Why::Nothing);
    for (said, why) in [
        (FirmwareReport { product: "pump", ..report() }, Why::OtherProduct),
        (FirmwareReport { hardware: "B", ..report() }, Why::OtherHardware),
        (FirmwareReport { version: (1, 4, 0, 1), ..report() }, Why::Newer),
        (FirmwareReport { floor: 4, ..report() }, Why::Rollback),
        (FirmwareReport { version: (1, 1, 9, 0), ..report() }, Why::NeedsOther),
    ] {
        is(Waiting, said, Skipped, why);
    }
}

#[test]
fn progress_is_what_the_board_says_of_this_very_file() {
    use TargetState::{Failed, Fetching, Held, Offered, Restarting};
    let says = |state| FirmwareReport { state, update: Some([2; 8]), received: 300, ..report() };
    is(Offered, says(UpdateState::Fetching), Fetching, Why::Nothing);
    is(Fetching, says(UpdateState::AwaitingBattery), Held, Why::Battery);
    is(Offered, says(UpdateState::AwaitingSignal), Held, Why::Signal);
    is(Fetching, says(UpdateState::AwaitingProduct), Held, Why::Product);
    is(Held, says(UpdateState::Restarting), Restarting, Why::Nothing);
    is(Fetching, says(UpdateState::Refused), Failed, Why::Refused);
    let of_another = FirmwareReport { update: Some([3; 8]), ..says(UpdateState::Refused) };
    is(Fetching, of_another, Fetching, Why::Nothing);
    let judged = judge(&target(Offered), &says(UpdateState::Fetching), &release(), NOW);
    assert_eq!((judged.received, judged.changed), (300, NOW));
}

#[test]
fn the_bootloaders_word_counts_once_and_for_this_version_alone() {
    use TargetState::{Failed, OnTrial, Restarting, Succeeded};
    let outcome = |number, event| FirmwareReport {
        outcome: Some((number, event, 16)),
        outcome_version: Some((1, 4, 0, 0)),
        ..report()
    };
    is(Restarting, outcome(8, 3), Failed, Why::Reverted);
    is(OnTrial, outcome(8, 3), Failed, Why::Reverted);
    is(Restarting, outcome(8, 4), Failed, Why::RefusedAtStart);
    assert_eq!(judge(&target(Restarting), &outcome(8, 4), &release(), NOW).refusal, 16);
    is(Restarting, outcome(7, 3), Restarting, Why::Nothing);
    let other = FirmwareReport { outcome_version: Some((1, 3, 5, 0)), ..outcome(8, 3) };
    is(Restarting, other, Restarting, Why::Nothing);
    let runs = |on_trial| FirmwareReport { version: (1, 4, 0, 0), on_trial, ..report() };
    is(Restarting, runs(true), OnTrial, Why::Nothing);
    is(OnTrial, runs(false), Succeeded, Why::Nothing);
    is(Failed, runs(false), Succeeded, Why::Nothing);
    is(Succeeded, report(), Succeeded, Why::Nothing);
    is(Failed, report(), Failed, Why::Nothing);
}
