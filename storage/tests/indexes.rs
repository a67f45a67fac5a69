//! The boards' indexes against a model: whatever is done, they name exactly the boards there are.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test's failure is its report")]

mod rig;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use proptest::prelude::*;
use rig::{board, rig, tenant};
use storage::*;

const TENANTS: [&str; 3] = ["a", "a-b", "b"];
const BOARDS: u8 = 6;
const MARKS: u8 = 4;

#[derive(Debug, Clone)]
enum Step {
    Put { board: u8, tenant: usize, fingerprint: Option<u8>, address: Option<u8> },
    PutMany(Vec<(u8, Option<u8>)>),
    Change { board: u8, fingerprint: Option<u8> },
    Seen { board: u8, at: u64 },
    Remove { board: u8 },
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    let mark = || proptest::option::of(0..MARKS);
    prop_oneof![
        6 => (0..BOARDS, 0..TENANTS.len(), mark(), mark()).prop_map(
            |(board, tenant, fingerprint, address)| Step::Put { board, tenant, fingerprint, address }
        ),
        2 => proptest::collection::vec((0..BOARDS, mark()), 0..4).prop_map(Step::PutMany),
        2 => (0..BOARDS, mark()).prop_map(|(board, fingerprint)| Step::Change { board, fingerprint }),
        2 => (0..BOARDS, 1..100_u64).prop_map(|(board, at)| Step::Seen { board, at }),
        2 => (0..BOARDS).prop_map(|board| Step::Remove { board }),
        1 => Just(Step::Reopen),
    ]
}

fn name(board: u8) -> BoardId {
    format!("CB-{board}").parse().unwrap()
}

fn fingerprint(mark: u8) -> Fingerprint {
    Fingerprint([mark; 32])
}

fn address(mark: u8) -> IpAddr {
    Ipv4Addr::new(10, 0, 0, mark).into()
}

fn made(id: u8, tenant: usize, print: Option<u8>, place: Option<u8>) -> Board {
    let mut board = board(name(id).as_str(), TENANTS[tenant]);
    board.fingerprint = print.map(fingerprint);
    board.address = place.map(address);
    board
}

type Model = BTreeMap<BoardId, Board>;

/// Puts into the model what the store should accept, and says whether it should.
fn model_put(model: &mut Model, board: &Board) -> bool {
    let clash = |other: &Board| {
        other.id != board.id && board.address.is_some() && other.address == board.address
    };
    let free = !model.values().any(clash);
    if free {
        model.insert(board.id.clone(), board.clone());
    }
    free
}

fn perform(store: &Store, model: &mut Model, step: Step) {
    match step {
        Step::Put { board, tenant, fingerprint, address } => {
            let board = made(board, tenant, fingerprint, address);
            let accepted = model_put(model, &board);
            assert_eq!(store.boards().put(&board).is_ok(), accepted);
        }
        Step::PutMany(boards) => {
            let boards: Vec<_> = boards.iter().map(|&(b, mark)| made(b, 0, mark, None)).collect();
            let mut after = model.clone();
            let accepted = boards.iter().all(|board| model_put(&mut after, board));
            if accepted {
                *model = after;
            }
            assert_eq!(store.boards().put_many(boards).is_ok(), accepted);
        }
        Step::Change { board, fingerprint: mark } => {
            let id = name(board);
            let change = |board: &mut Board| board.fingerprint = mark.map(fingerprint);
            let changed = store.boards().change(&id, change);
            match model.get(&id).cloned() {
                None => assert_eq!(changed.unwrap(), None),
                Some(mut board) => {
                    change(&mut board);
                    assert_eq!(changed.is_ok(), model_put(model, &board));
                }
            }
        }
        Step::Seen { board, at } => {
            let at = UnixSeconds(at);
            store.boards().mark_seen(&[(name(board), at)]).unwrap();
            if let Some(board) = model.get_mut(&name(board)) {
                board.first_seen = board.first_seen.or(Some(at));
                board.last_seen = board.last_seen.max(Some(at));
            }
        }
        Step::Remove { board } => {
            let existed = model.remove(&name(board)).is_some();
            assert_eq!(store.boards().remove(&name(board)).unwrap(), existed);
        }
        Step::Reopen => {}
    }
}

fn compare(store: &Store, model: &Model) {
    let expected: Vec<_> = model.values().cloned().collect();
    assert_eq!(store.boards().list(None, usize::MAX).unwrap(), expected);
    assert_eq!(store.boards().count(), model.len());
    let mut placed: Vec<_> = store.boards().with_address().map(Result::unwrap).collect();
    placed.sort_by(|a, b| a.id.cmp(&b.id));
    let expected: Vec<_> = model.values().filter(|b| b.address.is_some()).cloned().collect();
    assert_eq!(placed, expected);
    for id in TENANTS {
        let id: TenantId = id.parse().unwrap();
        let owned: Vec<_> = model.values().filter(|b| b.tenant == id).cloned().collect();
        let found: Result<Vec<_>, _> = store.boards().of_tenant(&id).unwrap().collect();
        assert_eq!(store.boards().count_of_tenant(&id).unwrap(), owned.len());
        assert_eq!(found.unwrap(), owned);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..Default::default() })]

    #[test]
    fn the_indexes_name_exactly_the_boards_there_are(steps in proptest::collection::vec(step(), 1..40)) {
        let (dir, mut store) = rig();
        for id in TENANTS {
            store.tenants().put(&tenant(id)).unwrap();
        }
        let mut model = Model::new();
        for step in steps {
            if matches!(step, Step::Reopen) {
                drop(store);
                store = Store::open(&dir.path().join("store")).unwrap();
            }
            perform(&store, &mut model, step);
            compare(&store, &model);
            assert_eq!(store.check(|_| {}).unwrap().problems, []);
        }
    }
}
