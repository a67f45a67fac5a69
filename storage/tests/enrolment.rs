//! Enrolment in the store: who may have a certificate, and that a board, its batch's count and its
//! token's use change together.
#![expect(clippy::unwrap_used, reason = "a test's failure is its report")]

mod rig;

use std::collections::BTreeMap;
use std::sync::Arc;

use rig::rig;
use storage::{
    Again, Allowed, Batch, BatchState, Board, BoardId, BoardState, CertificateLife, Enrolled,
    Enrolment, EnrolmentRefusal, Fingerprint, Store, Taking, Token, TokenDigest, UnixSeconds,
};

const NOW: UnixSeconds = UnixSeconds(1_700_000_000);

fn store_with_batch(store: &Store, allowed: Allowed, ids: &[&str]) -> Batch {
    let tenant = rig::tenant("acme");
    store.tenants().put(&tenant).unwrap();
    let batch = Batch {
        tenant: tenant.id,
        name: "spring".parse().unwrap(),
        allowed,
        state: BatchState::Open,
        certificates: CertificateLife::Years(20),
        again: Again::UntilHeard,
        enrolled: 0,
        created: NOW,
        expires: Some(UnixSeconds(NOW.0 + 100)),
    };
    let ids = ids.iter().map(|id| id.parse().unwrap()).collect();
    assert!(store.batches().add(&batch, ids).unwrap());
    batch
}

fn prefix(max: u32) -> Allowed {
    Allowed::Prefix { prefix: "CB-".parse().unwrap(), max }
}

fn wanted(board: &str) -> Enrolment {
    Enrolment {
        board: board.parse().unwrap(),
        tenant: "acme".parse().unwrap(),
        batch: "spring".parse().unwrap(),
        token: None,
        at: NOW,
        taking: Taking::AsTheBatchSays,
        labels: BTreeMap::new(),
    }
}

fn enrol(store: &Store, wanted: &Enrolment, print: u8) -> Result<Enrolled, EnrolmentRefusal> {
    let may = store.may_enrol(wanted).unwrap();
    let done = store.enrol(wanted, &Fingerprint([print; 32]).into()).unwrap();
    assert_eq!(may, done.clone().map(drop), "the answer before is the answer then");
    done
}

fn enrolled(store: &Store) -> u32 {
    let batch = store.batches().find(&"acme".parse().unwrap(), &"spring".parse().unwrap());
    batch.unwrap().unwrap().enrolled
}

#[test]
fn a_board_counts_once_and_has_its_last_certificate() {
    let (_dir, store) = rig();
    store_with_batch(&store, prefix(2), &[]);
    let first = enrol(&store, &wanted("CB-1"), 1).unwrap();
    assert_eq!(first.replaced, None);
    let second = enrol(&store, &wanted("CB-1"), 2).unwrap();
    assert_eq!(second.replaced, Some(Fingerprint([1; 32])));
    assert_eq!(enrolled(&store), 1);
    let board = store.boards().find(&"CB-1".parse().unwrap()).unwrap().unwrap();
    assert_eq!(board.fingerprint, Some(Fingerprint([2; 32])));
    assert_eq!(board.labels.get("batch").map(String::as_str), Some("spring"));
    enrol(&store, &wanted("CB-2"), 3).unwrap();
    let full = EnrolmentRefusal::BatchFull { batch: "spring".parse().unwrap(), max: 2 };
    assert_eq!(enrol(&store, &wanted("CB-3"), 4), Err(full));
    store.flush_together().unwrap();
    assert_eq!(store.check(|_| {}).unwrap().problems, []);
}

#[test]
fn only_boards_of_the_list_are_of_the_batch_however_long_it_is() {
    let (_dir, store) = rig();
    let ids: Vec<String> = (0..1000).map(|n| format!("CB-{:04}", n * 2)).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let batch = store_with_batch(&store, Allowed::List { count: 0 }, &ids);
    let lists = |id: &str| {
        let id: BoardId = id.parse().unwrap();
        store.batches().lists(&batch.tenant, &batch.name, &id).unwrap()
    };
    for n in 0..1000 {
        assert!(lists(&format!("CB-{:04}", n * 2)));
        assert!(!lists(&format!("CB-{:04}", n * 2 + 1)));
    }
    assert!(!lists("A") && !lists("z"));
    assert_eq!(store.batches().find(&batch.tenant, &batch.name).unwrap().unwrap().room(), 1000);
    assert!(!store.batches().add(&batch, vec![]).unwrap(), "there is one of this name");
    assert!(matches!(
        enrol(&store, &wanted("CB-0001"), 1),
        Err(EnrolmentRefusal::NotOfBatch { .. })
    ));
    enrol(&store, &wanted("CB-0002"), 1).unwrap();
}

#[test]
fn a_token_is_used_once_for_its_batch_in_its_time() {
    let (_dir, store) = rig();
    let batch = store_with_batch(&store, prefix(9), &[]);
    let digest = TokenDigest::of("secret");
    let with = |digest, at| Enrolment { token: Some(digest), at, ..wanted("CB-1") };
    assert_eq!(enrol(&store, &with(digest, NOW), 1), Err(EnrolmentRefusal::TokenUnknown));
    let expires = UnixSeconds(NOW.0 + 10);
    let (tenant, name) = (batch.tenant.clone(), batch.name);
    let token = Token { tenant, batch: name, created: NOW, expires, used: None };
    store.put_token(&digest, &token).unwrap();
    let late = UnixSeconds(NOW.0 + 11);
    assert_eq!(enrol(&store, &with(digest, late), 1), Err(EnrolmentRefusal::TokenExpired));
    enrol(&store, &with(digest, NOW), 1).unwrap();
    let used = store.find_token(&digest).unwrap().unwrap().used.unwrap();
    assert_eq!((used.board.as_str(), used.at), ("CB-1", NOW));
    assert_eq!(enrol(&store, &with(digest, NOW), 2), Err(EnrolmentRefusal::TokenUsed));

    store.boards().remove(&"CB-1".parse().unwrap()).unwrap();
    store.tenants().remove(&batch.tenant).unwrap();
    assert_eq!(store.find_token(&digest).unwrap(), None, "it goes with its tenant");
    assert_eq!(store.batches().list(None).count(), 0);
}

#[test]
fn closed_expired_blocked_and_in_the_field_are_refused() {
    let (_dir, store) = rig();
    let batch = store_with_batch(&store, prefix(9), &[]);
    enrol(&store, &wanted("CB-1"), 1).unwrap();
    let late = Enrolment { at: UnixSeconds(NOW.0 + 101), ..wanted("CB-1") };
    assert!(matches!(enrol(&store, &late, 2), Err(EnrolmentRefusal::BatchExpired(_))));

    let id: BoardId = "CB-1".parse().unwrap();
    store.boards().mark_seen(&[(id.clone(), NOW)]).unwrap();
    assert!(matches!(enrol(&store, &wanted("CB-1"), 2), Err(EnrolmentRefusal::InTheField(_))));
    let change = |f: fn(&mut Batch)| store.batches().change(&batch.tenant, &batch.name, f).unwrap();
    change(|batch| batch.again = Again::Always);
    enrol(&store, &wanted("CB-1"), 2).unwrap();

    let blocked = BoardState::Blocked { reason: "lost".into(), since: NOW };
    store.boards().change(&id, |board| board.state = blocked.clone()).unwrap();
    let refused = enrol(&store, &wanted("CB-1"), 3).unwrap_err();
    assert_eq!(refused.to_string(), "board CB-1 is blocked: lost");

    change(|batch| batch.state = BatchState::Closed { since: NOW });
    assert!(matches!(enrol(&store, &wanted("CB-2"), 3), Err(EnrolmentRefusal::BatchClosed(_))));
    let other = Enrolment { tenant: "other".parse().unwrap(), ..wanted("CB-2") };
    assert!(matches!(enrol(&store, &other, 3), Err(EnrolmentRefusal::UnknownTenant(_))));
}

#[test]
fn many_who_enrol_at_once_share_flushes_and_lose_nothing() {
    let (_dir, store) = rig();
    let store = Arc::new(store);
    store_with_batch(&store, prefix(400), &[]);
    std::thread::scope(|scope| {
        for thread in 0..8_u8 {
            let store = Arc::clone(&store);
            scope.spawn(move || {
                for n in 0..50_u8 {
                    let mut print = [thread; 32];
                    *print.first_mut().unwrap() = n;
                    let wanted = wanted(&format!("CB-{thread}-{n}"));
                    store.enrol(&wanted, &Fingerprint(print).into()).unwrap().unwrap();
                    store.flush_together().unwrap();
                }
            });
        }
    });
    assert_eq!((enrolled(&store), store.boards().count()), (400, 400));
    assert_eq!(store.check(|_| {}).unwrap().problems_total, 0);
}

#[test]
fn a_board_that_comes_by_itself_takes_nobodys_place_and_gets_its_labels() {
    let (_dir, store) = rig();
    store_with_batch(&store, prefix(2), &[]);
    let labels = BTreeMap::from([("site".to_owned(), "roof".to_owned())]);
    let first = Enrolment { taking: Taking::WhatIsFree, labels, ..wanted("CB-1") };
    let board = enrol(&store, &first, 1).unwrap().board;
    let labels: Vec<_> = board.labels.iter().map(|(key, of)| format!("{key}={of}")).collect();
    assert_eq!(labels, ["batch=spring", "site=roof"]);
    assert_eq!(enrol(&store, &first, 2), Err(EnrolmentRefusal::HasOne(board.id.clone())));
    store.boards().change(&board.id, Board::decertify).unwrap();
    assert!(enrol(&store, &first, 3).is_ok());
}
