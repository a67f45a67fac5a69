//! Rollouts over a real store, with boards that are nothing but their reports.

use std::collections::BTreeSet;

use storage::{
    Board, Errors, FileDigest, ReleaseState, Share, StateKind, Tenant, TenantState, Why,
};
use tempfile::TempDir;
use wire::UpdateState;

use super::*;
use crate::coap::{Part, Piece};
use crate::rollout::air;

const NOW: UnixSeconds = UnixSeconds(1_700_000_000);
const IMAGE: usize = 3000;

/// `all`, or the value of the label `site`.
fn parse(filter: &str, within: Option<&[TenantId]>) -> Option<BoardFilter> {
    let labels = match filter {
        "all" => Vec::new(),
        "no" => return None,
        site => vec![storage::LabelFilter { key: "site".into(), values: vec![site.into()] }],
    };
    let tenants = within.map(<[TenantId]>::to_vec);
    Some(BoardFilter { tenants, labels, states: vec![StateKind::Active], ..BoardFilter::default() })
}

struct Rig {
    dir: TempDir,
    store: Store,
    rollouts: Arc<Rollouts>,
    now: UnixSeconds,
}

fn board(number: u32) -> BoardId {
    format!("CB-{number:04}").parse().unwrap()
}

fn tenant() -> TenantId {
    "acme".parse().unwrap()
}

fn report() -> FirmwareReport<'static> {
    FirmwareReport { product: "valve", hardware: "A", version: (1, 0, 0, 0), ..Default::default() }
}

fn group(share: Share, success_percent: u8, errors: Errors) -> RolloutGroup {
    RolloutGroup { name: "g".into(), share, success_percent, errors }
}

impl Rig {
    fn new(boards: u32) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        for id in ["acme", "bell"] {
            store
                .tenants()
                .put(&Tenant {
                    id: id.parse().unwrap(),
                    name: String::new(),
                    state: TenantState::Active,
                    created: NOW,
                    issuer: None,
                    quota: storage::Quota::default(),
                })
                .unwrap();
        }
        let all = (0..boards).map(|number| {
            let mut one = Board::new(board(number), tenant(), NOW);
            let site = if number.is_multiple_of(10) { "roof" } else { "cellar" };
            one.labels.insert("site".into(), site.into());
            one
        });
        store.boards().put_many(all).unwrap();
        let rollouts = Rollouts::open(&store, parse).unwrap();
        let rig = Self { dir, store, rollouts, now: NOW };
        rig.release(1, None, "1.1.0");
        rig.release(2, None, "1.2.0");
        rig
    }

    fn release(&self, number: u64, tenant: Option<TenantId>, version: &str) {
        let image = vec![u8::try_from(number).unwrap(); IMAGE];
        let file = self.store.files().put(&image).unwrap();
        let release = Release {
            number,
            tenant,
            product: "valve".parse().unwrap(),
            hardware: Vec::new(),
            version: version.parse().unwrap(),
            security_counter: 1,
            needs: None,
            digest: file,
            file,
            size: u32::try_from(IMAGE).unwrap(),
            notes: String::new(),
            sbom: None,
            added: NOW,
            by: String::new(),
            state: ReleaseState::Signed { key: FileDigest([0; 32]), signed: NOW },
        };
        self.store.releases().put(&number.to_be_bytes(), &release).unwrap();
        self.rollouts.release_changed(number).unwrap();
    }

    fn wanted(&self, groups: Vec<RolloutGroup>) -> NewRollout {
        NewRollout {
            name: "r".into(),
            release: 1,
            filter: "all".into(),
            within: None,
            dynamic: false,
            groups,
            terms: Terms::default(),
            by: "uid:0".into(),
            approve_above: 0,
        }
    }

    fn started(&self, groups: Vec<RolloutGroup>) -> u64 {
        self.started_as(self.wanted(groups))
    }

    fn started_as(&self, new: NewRollout) -> u64 {
        let number = self.rollouts.add(new, self.now).unwrap().number;
        self.rollouts.start(number, false, self.now).unwrap();
        number
    }

    /// As after a kill: nothing but the store is left.
    fn killed(&mut self) {
        self.rollouts = Rollouts::open(&self.store, parse).unwrap();
    }

    fn says(&self, number: u32, report: &FirmwareReport<'_>) -> Said {
        self.rollouts.report(&board(number), &tenant(), report, self.now).unwrap()
    }

    /// The board is offered a release, and runs it, or puts the one before back.
    fn updates(&self, number: u32, succeeds: bool) -> bool {
        let Said::Offer(offer) = self.says(number, &report()) else { return false };
        let update = offer.digest.first_chunk().copied();
        let fetching =
            FirmwareReport { update, state: UpdateState::Fetching, received: 7, ..report() };
        assert!(matches!(self.says(number, &fetching), Said::Offer(_)));
        let after = match succeeds {
            true => FirmwareReport { version: offer.version, ..report() },
            false => FirmwareReport {
                outcome: Some((3, 3, 0)),
                outcome_version: Some(offer.version),
                ..report()
            },
        };
        assert_eq!(self.says(number, &after), Said::Nothing);
        true
    }

    fn state(&self, number: u64) -> RolloutState {
        self.rollouts.show(number).unwrap().rollout.state
    }

    fn count(&self, number: u64, state: TargetState) -> u32 {
        self.rollouts.show(number).unwrap().counts.iter().map(|counts| counts.of(state)).sum()
    }
}

#[test]
fn groups_are_begun_one_after_the_other_and_it_finishes_over_kills() {
    let mut rig = Rig::new(100);
    let groups = vec![
        group(Share::Label { key: "site".into(), value: "roof".into() }, 100, Errors::Count(0)),
        group(Share::Percent(30), 50, Errors::Percent(10)),
        group(Share::Rest, 90, Errors::Percent(10)),
    ];
    let number = rig.started(groups);
    let totals: Vec<_> =
        rig.rollouts.show(number).unwrap().counts.iter().map(Counts::total).collect();
    assert_eq!(totals, [10, 30, 60]);
    let (mut begun, mut rounds) = (BTreeSet::new(), 0);
    while !rig.state(number).is_over() {
        rounds += 1;
        assert!(rounds < 10);
        for at in 0..100 {
            if !begun.contains(&at) && rig.updates(at, true) {
                begun.insert(at);
                if begun.len() <= 10 {
                    assert_eq!(at % 10, 0, "the roof is first");
                }
                if begun.len().is_multiple_of(20) {
                    rig.killed();
                }
            }
        }
    }
    assert_eq!((begun.len(), rig.count(number, TargetState::Succeeded)), (100, 100));
    assert!(matches!(rig.state(number), RolloutState::Finished { .. }));
}

#[test]
fn it_stops_itself_at_the_failure_too_many_and_completes_with_another_release() {
    let mut rig = Rig::new(100);
    let number = rig.started(vec![
        group(Share::Count(20), 90, Errors::Count(2)),
        group(Share::Rest, 90, Errors::Percent(10)),
    ]);
    let (mut begun, mut failed) = (0, 0);
    for at in 0..100 {
        if rig.updates(at, begun % 4 != 0) {
            failed += u32::from(begun % 4 == 0);
            begun += 1;
        }
    }
    let stopped = RolloutState::Stopped { at: NOW, in_group: 0, failed: 3, allowed: 2 };
    assert_eq!((rig.state(number), failed), (stopped, 3));
    assert_eq!(begun, 9, "the ninth was the third that failed");
    rig.killed();
    assert!(matches!(rig.rollouts.resume(number, None, NOW), Err(RolloutError::Refused(_))));
    rig.rollouts.resume(number, Some(2), NOW).unwrap();
    rig.killed();
    let shown = rig.rollouts.show(number).unwrap();
    assert_eq!((shown.rollout.release, shown.rollout.before), (2, vec![1]));
    for _ in 0..2 {
        for at in 0..100 {
            rig.updates(at, true);
        }
    }
    assert!(matches!(rig.state(number), RolloutState::Finished { .. }));
    assert_eq!(rig.count(number, TargetState::Succeeded), 100);
}

#[test]
fn a_failed_board_tries_again_under_another_number() {
    let rig = Rig::new(3);
    let number = rig.started(vec![group(Share::Rest, 0, Errors::Count(0))]);
    assert!(rig.updates(1, false));
    assert!(matches!(rig.state(number), RolloutState::Stopped { failed: 1, allowed: 0, .. }));
    assert_eq!(rig.says(2, &report()), Said::Nothing, "nobody is given it any more");
    rig.rollouts.retry(number, NOW).unwrap();
    match rig.says(1, &report()) {
        Said::Offer(offer) => assert_eq!((offer.attempt, offer.battery_min_percent), (1, 30)),
        other => panic!("{other:?}"),
    }
    let (failed, _) = rig.rollouts.targets(number, &[TargetState::Failed], 0, 10).unwrap();
    assert_eq!(failed, []);
}

#[test]
fn a_pause_takes_the_offer_back_and_an_end_is_for_good() {
    let rig = Rig::new(3);
    let number = rig.started(vec![group(Share::Rest, 0, Errors::Count(9))]);
    assert!(matches!(rig.says(0, &report()), Said::Offer(_)));
    rig.rollouts.pause(number, "anna".into(), NOW).unwrap();
    assert_eq!(rig.says(0, &report()), Said::Nothing);
    rig.rollouts.resume(number, None, NOW).unwrap();
    assert!(matches!(rig.says(0, &report()), Said::Offer(_)));
    rig.rollouts.abort(number, "anna".into(), NOW).unwrap();
    assert_eq!(rig.says(0, &report()), Said::Nothing);
    for refused in [rig.rollouts.resume(number, None, NOW), rig.rollouts.retry(number, NOW)] {
        assert!(refused.unwrap_err().to_string().contains("was ended"));
    }
    assert!(matches!(rig.rollouts.show(9), Err(RolloutError::Unknown(9))));
}

#[test]
fn boards_of_one_cell_and_of_all_wait_for_each_other() {
    let mut rig = Rig::new(10);
    let terms = Terms { at_once: 3, at_once_per_cell: 1, ..Terms::default() };
    let groups = vec![group(Share::Rest, 0, Errors::Count(9))];
    let number = rig.started_as(NewRollout { terms, ..rig.wanted(groups) });
    let at = |cell| FirmwareReport { cell: Some(cell), ..report() };
    assert!(matches!(rig.says(0, &at(7)), Said::Offer(_)));
    assert!(matches!(rig.says(1, &at(7)), Said::Later { after_s: 300..600 }));
    assert!(matches!(rig.says(2, &at(8)), Said::Offer(_)));
    rig.killed();
    assert!(matches!(rig.says(1, &at(7)), Said::Later { .. }), "also after a kill");
    assert!(matches!(rig.says(3, &at(9)), Said::Offer(_)));
    assert!(matches!(rig.says(4, &at(10)), Said::Later { .. }), "three in all");
    let trial = FirmwareReport { on_trial: true, ..at(10) };
    assert_eq!(rig.says(4, &trial), Said::Nothing, "its word is taken");
    let done = FirmwareReport { version: (1, 1, 0, 0), ..at(7) };
    assert_eq!(rig.says(0, &done), Said::Nothing);
    assert!(matches!(rig.says(1, &at(7)), Said::Offer(_)));
    // Who falls silent holds nobody up for ever.
    rig.now = UnixSeconds(NOW.0 + 8 * 86_400);
    rig.rollouts.tick(rig.now).unwrap();
    assert_eq!(rig.count(number, TargetState::Failed), 3);
    let (lost, _) = rig.rollouts.targets(number, &[TargetState::Failed], 0, 10).unwrap();
    assert!(lost.iter().all(|target| target.why == Why::Lost));
}

#[test]
fn boards_that_come_to_fit_later_belong_to_a_dynamic_one_alone() {
    let mut rig = Rig::new(2);
    let groups = || vec![group(Share::Rest, 100, Errors::Count(0))];
    let fixed = rig.started(groups());
    rig.rollouts.pause(fixed, String::new(), NOW).unwrap();
    let dynamic = NewRollout { dynamic: true, filter: "cellar".into(), ..rig.wanted(groups()) };
    let number = rig.started_as(dynamic);
    let mut late = Board::new(board(77), tenant(), NOW);
    rig.store.boards().put(&late).unwrap();
    assert_eq!(rig.says(77, &report()), Said::Nothing, "it does not fit");
    late.labels.insert("site".into(), "cellar".into());
    rig.store.boards().put(&late).unwrap();
    assert!(rig.updates(77, true));
    rig.killed();
    assert_eq!(rig.count(number, TargetState::Succeeded), 1);
    assert_eq!(rig.rollouts.show(fixed).unwrap().counts[0].total(), 2);
}

#[test]
fn schedules_and_windows_hold_boards_back() {
    let mut rig = Rig::new(1);
    let terms = Terms { begins: Some(UnixSeconds(NOW.0 + 60)), ..Terms::default() };
    let groups = vec![group(Share::Rest, 100, Errors::Count(0))];
    rig.started_as(NewRollout { terms, ..rig.wanted(groups) });
    assert!(matches!(rig.says(0, &report()), Said::Later { .. }));
    rig.now = UnixSeconds(NOW.0 + 60);
    assert!(matches!(rig.says(0, &report()), Said::Offer(_)));
}

#[test]
fn a_large_one_waits_for_a_second_person() {
    let rig = Rig::new(3);
    let groups = vec![group(Share::Rest, 100, Errors::Count(0))];
    let new = NewRollout { approve_above: 2, ..rig.wanted(groups) };
    let made = rig.rollouts.add(new, NOW).unwrap();
    assert_eq!(made.state, RolloutState::AwaitingApproval);
    let alone = rig.rollouts.start(made.number, false, NOW).unwrap_err();
    assert!(alone.to_string().contains("takes two people"), "{alone}");
    rig.rollouts.start(made.number, true, NOW).unwrap();
    assert!(matches!(rig.says(0, &report()), Said::Offer(_)));
}

#[test]
fn nonsense_is_refused_with_the_reason() {
    let rig = Rig::new(3);
    let one = |share, success, errors| vec![group(share, success, errors)];
    for (groups, why) in [
        (Vec::new(), "1 to 100 groups"),
        (one(Share::Rest, 101, Errors::Count(0)), "more than 100"),
        (one(Share::Rest, 96, Errors::Percent(5)), "at most 100"),
        (one(Share::Percent(101), 90, Errors::Percent(5)), "no more than 100"),
    ] {
        let refused = rig.rollouts.add(rig.wanted(groups), NOW).unwrap_err().to_string();
        assert!(refused.contains(why), "{refused}");
    }
    let good = || one(Share::Rest, 90, Errors::Percent(5));
    for (new, why) in [
        (NewRollout { filter: "no".into(), ..rig.wanted(good()) }, "no filter"),
        (NewRollout { filter: "moon".into(), ..rig.wanted(good()) }, "no board fits"),
        (NewRollout { release: 9, ..rig.wanted(good()) }, "no release 9"),
        (NewRollout { within: Some(Vec::new()), ..rig.wanted(good()) }, "no board fits"),
    ] {
        let refused = rig.rollouts.add(new, NOW).unwrap_err().to_string();
        assert!(refused.contains(why), "{refused}");
    }
    assert_eq!(rig.rollouts.list().unwrap(), []);
}

#[test]
fn an_image_is_given_block_by_block_to_those_whose_it_is() {
    let rig = Rig::new(1);
    rig.release(3, Some(tenant()), "1.3.0");
    let file = FileDigest::of(&[3; IMAGE]).short();
    let part = |at, length| Part { file, at, length };
    let shelf = rig.rollouts.shelf();
    let read = |bytes: usize| Piece::Read { bytes: vec![3; bytes], size: 3000, etag: file };
    assert_eq!(shelf.read(&tenant(), part(0, 1024)), read(1024));
    assert_eq!(shelf.read(&tenant(), part(2048, 1024)), read(952));
    assert_eq!(shelf.read(&tenant(), part(3000, 1024)), read(0));
    assert_eq!(shelf.read(&tenant(), part(u32::MAX, 1024)), read(0));
    assert_eq!(shelf.read(&"bell".parse().unwrap(), part(0, 64)), Piece::Unknown);
    let unknown = Part { file: [9; 8], at: 0, length: 64 };
    assert_eq!(shelf.read(&tenant(), unknown), Piece::Unknown);
    let withdrawn = ReleaseState::Withdrawn { withdrawn: NOW, why: String::new() };
    let state = move |release: &mut Release| release.state = withdrawn.clone();
    rig.store.releases().change(&3_u64.to_be_bytes(), state).unwrap();
    rig.rollouts.release_changed(3).unwrap();
    assert_eq!(rig.rollouts.shelf().read(&tenant(), part(0, 64)), Piece::Unknown);
    assert!(rig.dir.path().join("files/blobs").is_dir());
}

#[test]
fn boards_that_are_awake_are_called_once_an_attempt_within_pace_group_and_windows() {
    let rig = Rig::new(20);
    let awake = |numbers: std::ops::Range<u32>| -> Vec<_> {
        numbers.map(|number| (tenant(), board(number))).collect()
    };
    let called = |numbers| rig.rollouts.to_call(awake(numbers), rig.now).unwrap().len();
    assert!(!rig.rollouts.calls_boards(rig.now));
    let roof = Share::Label { key: "site".into(), value: "roof".into() };
    let groups =
        vec![group(roof, 100, Errors::Count(0)), group(Share::Rest, 90, Errors::Percent(10))];
    let terms = Terms { at_once: 3, ..Terms::default() };
    let number = rig.rollouts.add(NewRollout { terms, ..rig.wanted(groups) }, rig.now).unwrap();
    let number = number.number;
    assert!(!rig.rollouts.calls_boards(rig.now), "it is not started");
    rig.rollouts.start(number, false, rig.now).unwrap();
    assert!(rig.rollouts.calls_boards(rig.now));
    let chosen = rig.rollouts.to_call(awake(0..20), rig.now).unwrap();
    assert_eq!(
        chosen,
        [(tenant(), board(0)), (tenant(), board(10))],
        "those whose group has begun"
    );
    assert_eq!(called(0..20), 0, "once");
    let stranger: TenantId = "bell".parse().unwrap();
    assert_eq!(rig.rollouts.to_call(vec![(stranger, board(99))], rig.now).unwrap(), []);
    for number in [0, 10] {
        assert!(rig.updates(number, true));
    }
    assert_eq!(called(0..20), 3, "no more than may begin");
    assert!(matches!(rig.says(1, &report()), Said::Offer(_)));
    assert!(matches!(rig.says(2, &report()), Said::Offer(_)));
    assert_eq!(called(0..20), 1, "two fetch");
    rig.rollouts.pause(number, "uid:0".into(), rig.now).unwrap();
    assert_eq!((called(0..20), rig.rollouts.calls_boards(rig.now)), (0, false));
    rig.rollouts.resume(number, Some(2), rig.now).unwrap();
    assert_eq!(called(0..20), 2, "another release is worth another call");
}

#[test]
fn a_board_waits_where_its_data_plan_has_no_room_until_the_month_is_over() {
    let mut rig = Rig::new(2);
    let number = rig.started(vec![group(Share::Rest, 90, Errors::Percent(10))]);
    let plan = |bytes: Option<u32>| {
        let mut acme = rig.store.tenants().find(&tenant()).unwrap().unwrap();
        acme.quota.data_plan = bytes;
        rig.store.tenants().put(&acme).unwrap();
    };
    let takes = air::bytes(u32::try_from(IMAGE).unwrap());
    plan(Some(u32::try_from(takes).unwrap() + 100));
    let heard = |bytes| storage::Heard { board: board(0), seen: None, bytes };
    rig.store.boards().mark_heard(&heard(101), rig.now).unwrap();
    assert_eq!(rig.says(0, &report()), Said::Nothing);
    let waiting = |rig: &Rig| rig.rollouts.targets(number, &[], 0, 1).unwrap().0.remove(0);
    assert_eq!((waiting(&rig).state, waiting(&rig).why), (TargetState::Waiting, Why::DataPlan));
    assert!(matches!(rig.says(1, &report()), Said::Offer(_)), "which has used nothing");
    rig.now = UnixSeconds(rig.now.0 + 31 * 24 * 60 * 60);
    assert!(matches!(rig.says(0, &report()), Said::Offer(_)), "another month");
    assert_eq!((waiting(&rig).state, waiting(&rig).why), (TargetState::Offered, Why::Nothing));
}
