//! RowsState of boards against a simple model: whatever was done and is asked, the pages of a list put
//! together, its count and its facets are what looking at every board would have given.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test's failure is its report")]

mod rig;

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::sample::{Index, subsequence};
use rig::{board, names, rig, tenant};
use storage::*;

const TENANTS: [&str; 3] = ["a", "a-b", "b"];
const KEYS: [&str; 12] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"];
/// Products and revisions of hardware, as boards call themselves.
const KINDS: [&str; 3] = ["pump", "valve", "A"];
const VALUES: [&str; 3] = ["", "north", "south"];

fn state(number: u8) -> BoardState {
    let (reason, since) = (String::from("lost"), UnixSeconds(1));
    match number {
        0 => BoardState::Active,
        1 => BoardState::Blocked { reason, since },
        2 => BoardState::Held { reason, since },
        _ => BoardState::Revoked { reason, since },
    }
}

prop_compose! {
    fn any_board()(
        id in "[ABab]{1,3}",
        owner in 0..TENANTS.len(),
        shut in 0..4_u8,
        // More than a row has room for, now and then.
        keys in prop_oneof![4 => subsequence(&KEYS[..3], 0..=3), 1 => subsequence(&KEYS[..], 6..=12)],
        values in proptest::collection::vec(0..VALUES.len(), 12),
        created in 1..6_u64,
        seen in proptest::option::of(1..6_u64),
        (issuer, ends) in (0..3_u16, proptest::option::of(1..6_u64)),
    ) -> Board {
        let mut one = board(&id, TENANTS[owner]);
        one.state = state(shut);
        let value = |(key, value): (&&str, &usize)| (key.to_string(), VALUES[*value].to_owned());
        one.labels = keys.iter().zip(&values).map(value).collect();
        one.created = UnixSeconds(created);
        (one.first_seen, one.last_seen) = (seen.map(UnixSeconds), seen.map(UnixSeconds));
        (one.issuer, one.not_after) = (AuthorityNumber::new(issuer), ends.map(UnixSeconds));
        one
    }
}

fn any_span() -> impl Strategy<Value = Span> {
    let moment = || proptest::option::weighted(0.3, (0..7_u64).prop_map(UnixSeconds));
    (moment(), moment()).prop_map(|(from, before)| Span { from, before })
}

fn version(major: u8) -> FirmwareVersion {
    FirmwareVersion { major, revision: 300, ..FirmwareVersion::default() }
}

fn said(board: &BoardId, (major, product, hardware): (u8, usize, usize)) -> BoardFirmware {
    BoardFirmware {
        board: board.clone(),
        product: KINDS[product].into(),
        hardware: KINDS[hardware].into(),
        version: version(major),
        floor: 0,
        on_trial: false,
        battery_percent: None,
        rsrp_dbm: None,
        reset_cause: 0,
        fault: None,
        reported: UnixSeconds(1),
    }
}

prop_compose! {
    fn any_filter()(
        tenants in proptest::option::weighted(0.4, subsequence(&TENANTS[..], 0..=3)),
        states in prop_oneof![2 => Just(vec![]), 1 => subsequence(StateKind::ALL.to_vec(), 1..=2)],
        id_contains in proptest::option::weighted(0.4, "[ABab]{0,2}"),
        labels in proptest::collection::vec((0..KEYS.len(), subsequence(&VALUES[..], 0..=2)), 0..=2),
        created in any_span(),
        last_seen in any_span(),
        heard in proptest::option::weighted(0.2, any::<bool>()),
        certificate_ends in prop_oneof![2 => Just(Span::default()), 1 => any_span()],
        issuers in prop_oneof![3 => Just(vec![]), 1 => subsequence(vec![0, 1, 2], 1..=2)],
        versions in prop_oneof![3 => Just(vec![]), 1 => subsequence(vec![1, 2], 1..=2)],
        products in prop_oneof![3 => Just(vec![]), 1 => subsequence(&KINDS[..], 1..=2)],
        hardware in prop_oneof![5 => Just(vec![]), 1 => subsequence(&KINDS[..], 1..=2)],
    ) -> BoardFilter {
        let owned = |texts: &[&str]| texts.iter().map(|text| text.to_string()).collect();
        BoardFilter {
            tenants: tenants.map(|tenants| tenants.iter().map(|id| id.parse().unwrap()).collect()),
            states,
            id_contains,
            labels: labels
                .iter()
                .map(|(key, values)| LabelFilter { key: KEYS[*key].into(), values: owned(values) })
                .collect(),
            created,
            last_seen,
            heard,
            certificate_ends,
            issuers: issuers.into_iter().map(AuthorityNumber::new).collect(),
            versions: versions.into_iter().map(version).collect(),
            products: products.iter().map(|name| name.parse().unwrap()).collect(),
            hardware: hardware.iter().map(|name| name.parse().unwrap()).collect(),
        }
    }
}

fn any_sort() -> impl Strategy<Value = Sort> {
    prop_oneof![
        Just(Sort::Id),
        Just(Sort::Created),
        Just(Sort::LastSeen),
        Just(Sort::CertificateEnd)
    ]
}

#[derive(Debug, Clone)]
enum Step {
    Put(Vec<Board>),
    Change(Index, Box<Board>),
    Seen(Index, u64),
    Says(Index, (u8, usize, usize)),
    Remove(Index),
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => proptest::collection::vec(any_board(), 1..12).prop_map(Step::Put),
        3 => (any::<Index>(), any_board()).prop_map(|(at, to)| Step::Change(at, Box::new(to))),
        2 => (any::<Index>(), 1..9_u64).prop_map(|(at, moment)| Step::Seen(at, moment)),
        3 => (any::<Index>(), (1..3_u8, 0..2_usize, 1..3_usize))
            .prop_map(|(at, said)| Step::Says(at, said)),
        2 => any::<Index>().prop_map(Step::Remove),
    ]
}

fn perform(store: &Store, step: Step) {
    let known = |at: Index| {
        let all = store.boards().list(None, usize::MAX).unwrap();
        (!all.is_empty()).then(|| all[at.index(all.len())].id.clone())
    };
    match step {
        Step::Put(boards) => drop(store.boards().put_many(boards).unwrap()),
        Step::Change(at, to) => {
            let Some(id) = known(at) else { return };
            let change = |board: &mut Board| {
                (board.tenant, board.state) = (to.tenant.clone(), to.state.clone());
                board.labels.clone_from(&to.labels);
                (board.issuer, board.not_after) = (to.issuer, to.not_after);
            };
            store.boards().change(&id, change).unwrap();
        }
        Step::Seen(at, moment) => {
            let Some(id) = known(at) else { return };
            store.boards().mark_seen(&[(id, UnixSeconds(moment))]).unwrap();
        }
        Step::Says(at, what) => {
            let Some(id) = known(at) else { return };
            store.boards().mark_firmware(&said(&id, what)).unwrap();
        }
        Step::Remove(at) => {
            let Some(id) = known(at) else { return };
            store.boards().remove(&id).unwrap();
        }
    }
}

/// What the list should be, written without the code under test.
fn is_in(span: Span, moment: Option<UnixSeconds>) -> bool {
    let (from, before) = (span.from.map(|at| at.0), span.before.map(|at| at.0));
    match (from, before, moment) {
        (None, None, _) => true,
        (_, _, None) => false,
        (from, before, Some(UnixSeconds(at))) => {
            at >= from.unwrap_or(0) && before.is_none_or(|before| at < before)
        }
    }
}

fn runs_it(store: &Store, filter: &BoardFilter, board: &Board) -> bool {
    let said = store.board_firmware().find(board.id.as_str()).unwrap();
    let is_asked = [filter.versions.len(), filter.products.len(), filter.hardware.len()] != [0; 3];
    let Some(said) = said else { return !is_asked };
    let product = said.product.parse().unwrap();
    let hardware = said.hardware.parse().unwrap();
    (filter.versions.is_empty() || filter.versions.contains(&said.version))
        && (filter.products.is_empty() || filter.products.contains(&product))
        && (filter.hardware.is_empty() || filter.hardware.contains(&hardware))
}

fn fits(store: &Store, filter: &BoardFilter, board: &Board, but: Option<&str>) -> bool {
    let tenant = filter.tenants.as_ref().is_none_or(|ids| ids.contains(&board.tenant));
    let state = filter.states.is_empty() || filter.states.contains(&StateKind::of(&board.state));
    let part = filter.id_contains.clone().unwrap_or_default().to_lowercase();
    let label = |wanted: &LabelFilter| {
        but == Some(&format!("label {}", wanted.key))
            || board.labels.iter().any(|(key, value)| {
                *key == wanted.key && (wanted.values.is_empty() || wanted.values.contains(value))
            })
    };
    (but == Some("firmware") || runs_it(store, filter, board))
        && (tenant || but == Some("tenant"))
        && (state || but == Some("state"))
        && board.id.as_str().to_lowercase().contains(&part)
        && filter.labels.iter().all(label)
        && is_in(filter.created, Some(board.created))
        && is_in(filter.last_seen, board.last_seen)
        && is_in(filter.certificate_ends, board.not_after)
        && (filter.issuers.is_empty() || filter.issuers.contains(&board.issuer))
        && filter.heard.is_none_or(|heard| heard == board.last_seen.is_some())
}

fn counted<T: Ord + Clone>(boards: impl Iterator<Item = T>) -> BTreeMap<T, u64> {
    let mut counts = BTreeMap::new();
    boards.for_each(|value| *counts.entry(value).or_default() += 1);
    counts
}

fn as_map<T: Ord + Clone>(counts: &[Counted<T>]) -> BTreeMap<T, u64> {
    let some = counts.iter().filter(|counted| counted.boards > 0);
    some.map(|counted| (counted.value.clone(), counted.boards)).collect()
}

fn compare(store: &Store, filter: &BoardFilter, sort: Sort, descending: bool, limit: usize) {
    let all = store.boards().list(None, usize::MAX).unwrap();
    let mut expected: Vec<_> =
        all.iter().filter(|board| fits(store, filter, board, None)).cloned().collect();
    expected.sort_by_key(|board| {
        let moment = match sort {
            Sort::CertificateEnd => board.not_after.map_or(0, |at| at.0),
            Sort::Id => 0,
            Sort::Created => board.created.0,
            Sort::LastSeen => board.last_seen.map_or(0, |at| at.0),
        };
        (moment, board.id.clone())
    });
    if descending {
        expected.reverse();
    }
    let values_of = vec!["a".into(), "b".into()];
    let facets = Facets { states: true, tenants: true, keys: true, values_of, firmware: true };
    let mut query =
        BoardQuery { filter: filter.clone(), sort, descending, after: None, limit, facets };
    let mut found = Vec::new();
    loop {
        let page = store.boards().query(&query).unwrap();
        assert_eq!(page.total, expected.len() as u64);
        assert!(page.boards.len() == limit || page.next.is_none());
        if query.after.is_none() {
            facets_agree(store, &page.counts, filter, &all);
        }
        found.extend(page.boards);
        let Some(next) = page.next else { break };
        query.after = Some(Cursor::from_bytes(&next.to_bytes()).unwrap());
    }
    assert_eq!(names(&found), names(&expected));
    let matching: Vec<_> = store.boards().matching(filter).unwrap().map(Result::unwrap).collect();
    expected.sort_by(|a, b| a.id.cmp(&b.id));
    assert_eq!(matching, expected);
}

fn facets_agree(store: &Store, counts: &FacetCounts, filter: &BoardFilter, all: &[Board]) {
    let but = |part: &str| {
        let part = part.to_owned();
        all.iter().filter(move |board| fits(store, filter, board, Some(&part)))
    };
    assert_eq!(
        as_map(&counts.states),
        counted(but("state").map(|board| StateKind::of(&board.state)))
    );
    assert_eq!(as_map(&counts.tenants), counted(but("tenant").map(|board| board.tenant.clone())));
    for values in &counts.values {
        // Of a label beyond the eighth a row knows nothing.
        let known = |board: &Board| {
            board.labels.iter().take(8).find(|(key, _)| **key == values.key).map(|(_, v)| v.clone())
        };
        assert_eq!(
            as_map(&values.values),
            counted(but(&format!("label {}", values.key)).filter_map(known))
        );
        assert_eq!(values.others, 0);
    }
    let keys = but("").flat_map(|board| board.labels.keys().take(8).cloned());
    assert_eq!(as_map(&counts.keys), counted(keys));
    let said = |board: &Board| store.board_firmware().find(board.id.as_str()).unwrap();
    let expected = counted(but("firmware").filter_map(said).map(|said| {
        let BoardFirmware { product, hardware, version, .. } = said;
        (product, hardware, version)
    }));
    let FirmwareCounts { kinds, others, unknown } = &counts.firmware;
    let kinds = kinds
        .iter()
        .map(|kind| ((kind.product.clone(), kind.hardware.clone(), kind.version), kind.boards));
    assert_eq!(kinds.collect::<BTreeMap<_, _>>(), expected);
    let silent = but("firmware").filter(|board| said(board).is_none()).count() as u64;
    assert_eq!((*others, *unknown), (0, silent));
}

/// Before these moments boards' certificates have ended, or are soon to.
const ENDED: u64 = 3;
const ENDING: u64 = 7;

/// Every bound between two of the moments that boards are heard at.
fn census_agrees(store: &Store) {
    let all = store.boards().list(None, usize::MAX).unwrap();
    for (active, silent) in [(1, 1), (5, 3), (9, 9), (3, 4)] {
        let mut expected = BTreeMap::<TenantId, BoardCounts>::new();
        for board in &all {
            let counts = expected.entry(board.tenant.clone()).or_default();
            let one = |is: bool| u64::from(is);
            let heard = board.last_seen.map_or(0, |at| at.0);
            let may = board.state == BoardState::Active;
            counts.total += 1;
            counts.blocked += one(matches!(board.state, BoardState::Blocked { .. }));
            counts.held += one(matches!(board.state, BoardState::Held { .. }));
            counts.revoked += one(matches!(board.state, BoardState::Revoked { .. }));
            counts.unheard += one(heard == 0);
            counts.active += one(heard >= active);
            counts.silent += one(may && heard != 0 && heard < active && heard < silent);
            let end = board.not_after;
            counts.ended += one(end.is_some_and(|end| end.0 < ENDED));
            counts.ending += one(end.is_some_and(|end| (ENDED..ENDING).contains(&end.0)));
        }
        let moments = CensusMoments {
            active_since: UnixSeconds(active),
            silent_since: UnixSeconds(silent),
            ended_before: UnixSeconds(ENDED),
            ending_before: UnixSeconds(ENDING),
        };
        assert_eq!(store.boards().census(&moments).unwrap(), expected);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..Default::default() })]

    #[test]
    fn a_list_is_what_looking_at_every_board_gives(
        steps in proptest::collection::vec(any_step(), 1..16),
        asked in proptest::collection::vec(
            (any_filter(), any_sort(), any::<bool>(), 1..9_usize), 6..12),
    ) {
        let (_dir, store) = rig();
        for id in TENANTS {
            store.tenants().put(&tenant(id)).unwrap();
        }
        for step in steps {
            perform(&store, step);
        }
        compare(&store, &BoardFilter::default(), Sort::Id, false, 4);
        census_agrees(&store);
        for (filter, sort, descending, limit) in &asked {
            compare(&store, filter, *sort, *descending, *limit);
        }
    }

    #[test]
    fn any_bytes_are_a_cursor_or_none(bytes in any::<Vec<u8>>()) {
        if let Some(cursor) = Cursor::from_bytes(&bytes) {
            prop_assert_eq!(cursor.to_bytes(), bytes);
        }
    }
}

#[test]
fn a_page_goes_on_where_it_ended_whatever_came_and_went_meanwhile() {
    let (_dir, store) = rig();
    store.tenants().put(&tenant("a")).unwrap();
    store.boards().put_many(["CB-1", "CB-3", "CB-5"].map(|id| board(id, "a"))).unwrap();
    let mut query = BoardQuery { limit: 2, ..BoardQuery::default() };
    let first = store.boards().query(&query).unwrap();
    assert_eq!(names(&first.boards), ["CB-1", "CB-3"]);
    store.boards().remove(&"CB-3".parse().unwrap()).unwrap();
    for id in ["CB-2", "CB-4"] {
        store.boards().put(&board(id, "a")).unwrap();
    }
    query.after = first.next;
    let second = store.boards().query(&query).unwrap();
    assert_eq!(names(&second.boards), ["CB-4", "CB-5"]);
    assert_eq!((second.next, second.total), (None, 4));
}

#[test]
fn certificates_are_counted_between_the_moments_that_they_end_at() {
    let (_dir, store) = rig();
    store.tenants().put(&tenant("a")).unwrap();
    let ending = |(number, end): (usize, u64)| {
        let mut one = board(&format!("CB-{number}"), "a");
        one.not_after = (end != 0).then_some(UnixSeconds(end));
        one
    };
    let ends = [0, 5, 10, 19, 20, 29, 30, 31, u64::MAX];
    store.boards().put_many(ends.into_iter().enumerate().map(ending)).unwrap();
    let revoked = BoardState::Revoked { reason: String::new(), since: UnixSeconds(1) };
    store.boards().change(&"CB-1".parse().unwrap(), |one| one.state = revoked.clone()).unwrap();
    let counts = store.boards().forecast(&[10, 20, 30].map(UnixSeconds), UnixSeconds(15)).unwrap();
    assert_eq!(counts.between, [("a".parse().unwrap(), vec![0, 2, 2, 3])].into());
    let ends = counts.tenants[&"a".parse::<TenantId>().unwrap()];
    assert_eq!((ends.ended, ends.unknown), (1, 1), "in the same look");
}

#[test]
fn more_values_than_are_named_are_counted_together() {
    let (_dir, store) = rig();
    store.tenants().put(&tenant("a")).unwrap();
    let labelled = |number: u32| {
        let mut one = board(&format!("CB-{number:04}"), "a");
        let value = if number < 30 { "many".to_owned() } else { number.to_string() };
        one.labels.insert("site".into(), value);
        one
    };
    store.boards().put_many((0..5000).map(labelled)).unwrap();
    let facets = Facets { values_of: vec!["site".into()], ..Facets::default() };
    let page = store.boards().query(&BoardQuery { facets, ..BoardQuery::default() }).unwrap();
    let values = &page.counts.values[0];
    assert_eq!(values.values[0], Counted { value: "many".into(), boards: 30 });
    assert_eq!((values.values.len(), values.others), (50, 5000 - 30 - 49));
    assert_eq!((page.boards.len(), page.next.is_none(), page.total), (0, true, 5000));
}

#[test]
fn a_forecast_counts_what_looking_at_every_board_counts_and_is_kept_for_a_minute() {
    const DAY_S: u64 = 86_400;
    let (_folder, store) = rig();
    for id in ["acme", "beta", "none"] {
        store.tenants().put(&tenant(id)).unwrap();
    }
    let now = UnixSeconds(10_000 * DAY_S);
    let put = |id: &str, owner: &str, state: BoardState, end: Option<u64>| {
        let mut one = board(id, owner);
        (one.state, one.not_after) = (state, end.map(UnixSeconds));
        store.boards().put(&one).unwrap();
    };
    put("a", "acme", BoardState::Active, Some(now.0 - 1));
    put("b", "acme", state(1), Some(now.0 + 29 * DAY_S));
    put("c", "acme", BoardState::Active, None);
    put("d", "acme", state(3), Some(now.0 + DAY_S));
    put("e", "beta", state(2), Some(now.0 + 300 * DAY_S));
    // RFC 5280's end of all days.
    put("f", "beta", BoardState::Active, Some(253_402_300_799));
    let forecast = store.boards().forecast(&[], now).unwrap();
    let acme = CertificateEnds {
        ended: 1,
        within_30_days: 1,
        within_90_days: 1,
        within_365_days: 1,
        unknown: 1,
        next: Some(UnixSeconds(now.0 + 29 * DAY_S)),
        ..CertificateEnds::default()
    };
    let next = Some(UnixSeconds(now.0 + 300 * DAY_S));
    let beta = CertificateEnds { within_365_days: 1, later: 1, next, ..CertificateEnds::default() };
    let named = |id: &str| id.parse::<TenantId>().unwrap();
    assert_eq!(forecast.tenants, BTreeMap::from([(named("acme"), acme), (named("beta"), beta)]));
    assert_eq!((forecast.all().within_365_days, forecast.all().next), (2, acme.next));

    put("g", "none", BoardState::Active, Some(now.0));
    let at = |second| store.boards().forecast(&[], UnixSeconds(second)).unwrap();
    assert_eq!(at(now.0 + 59), forecast);
    assert_eq!(at(now.0 + 60).tenants.len(), 3);
    assert_eq!(at(now.0 - 1).at.0, now.0 - 1, "a clock that was set back");
}
