//! Several authorities a tenant, and stores from before there could be.
#![expect(clippy::unwrap_used, reason = "a test's failure is its report")]

mod rig;

use rig::{board, rig, tenant};
use storage::*;

fn new(tenant: &str, certificate: &[u8]) -> NewAuthority {
    NewAuthority {
        tenant: tenant.parse().unwrap(),
        certificate: certificate.to_vec(),
        origin: Origin::Own { key: format!("tenant/{tenant}") },
        added: UnixSeconds(7),
    }
}

#[test]
fn a_tenants_authorities_are_numbered_as_they_come_and_found_by_certificate() {
    let (dir, store) = rig();
    for id in ["acme", "acme-2"] {
        store.tenants().put(&tenant(id)).unwrap();
    }
    let first = store.authorities().put_new(new("acme", b"one")).unwrap();
    let second = store.authorities().put_new(new("acme", b"two")).unwrap();
    let other = store.authorities().put_new(new("acme-2", b"three")).unwrap();
    let names = [&first, &second, &other].map(|authority| authority.name().to_string());
    assert_eq!(names, ["acme/1", "acme/2", "acme-2/1"]);
    let changed = store.authorities().change(&second.name(), |authority| {
        authority.state = AuthorityState::Retired { since: UnixSeconds(9) };
        authority.number = AuthorityNumber::FIRST;
    });
    let changed = changed.unwrap().unwrap();
    assert_eq!(changed.name(), second.name(), "its name stays");
    drop(store);

    let store = Store::open(&dir.path().join("store")).unwrap();
    let authorities = store.authorities();
    assert_eq!(authorities.of_certificate(b"two").unwrap(), Some(changed.clone()));
    assert_eq!(authorities.of_certificate(b"four").unwrap(), None);
    let acme = first.tenant.clone();
    let all: Result<Vec<_>, _> = authorities.list(Some(&acme)).collect();
    assert_eq!(all.unwrap(), [first, changed]);
    assert_eq!(authorities.list(None).count(), 3);
    assert_eq!(store.check(|_| {}).unwrap().problems, []);
    assert!(store.tenants().remove(&acme).unwrap());
    assert_eq!(authorities.of_certificate(b"one").unwrap(), None);
    assert_eq!(authorities.list(None).count(), 1);
    assert_eq!(store.check(|_| {}).unwrap().problems, []);
}

#[test]
fn a_certificate_is_one_authority_of_one_tenant() {
    let (_dir, store) = rig();
    for id in ["acme", "other"] {
        store.tenants().put(&tenant(id)).unwrap();
    }
    store.authorities().put_new(new("acme", b"one")).unwrap();
    for id in ["acme", "other"] {
        let refused = store.authorities().put_new(new(id, b"one")).unwrap_err().to_string();
        assert_eq!(refused, "that certificate is the authority acme/1 already");
    }
    let nobody = store.authorities().put_new(new("nobody", b"two"));
    assert!(matches!(nobody, Err(StoreError::UnknownTenant { .. })));
}

#[test]
fn what_a_boards_certificate_is_stays_with_it_until_it_has_another() {
    let mut board = board("CB-1", "acme");
    board.certify(Certificate {
        fingerprint: Fingerprint([1; 32]),
        serial: Some(Serial::new(&[5])),
        issuer: AuthorityNumber::new(2),
        not_after: Some(UnixSeconds(9)),
    });
    assert_eq!((board.issuer, board.not_after), (AuthorityNumber::new(2), Some(UnixSeconds(9))));
    board.certify(Fingerprint([2; 32]).into());
    assert_eq!((board.serial.as_ref(), board.issuer, board.not_after), (None, None, None));
    board.decertify();
    assert_eq!(board.fingerprint, None);
}

#[test]
fn boards_are_found_by_who_issued_their_certificates_and_by_when_those_end() {
    let (_dir, store) = rig();
    store.tenants().put(&tenant("acme")).unwrap();
    for (number, issuer) in [(1, 0), (2, 1), (3, 2), (4, 2)] {
        let mut board = board(&format!("CB-{number}"), "acme");
        board.certify(Certificate {
            issuer: AuthorityNumber::new(issuer),
            not_after: (issuer > 0).then_some(UnixSeconds(1_700_000_000 + number)),
            ..Certificate::from(Fingerprint([1; 32]))
        });
        store.boards().put(&board).unwrap();
    }
    let ids = |filter: BoardFilter| {
        let query = BoardQuery { filter: filter.clone(), limit: 10, ..BoardQuery::default() };
        let page = store.boards().query(&query).unwrap();
        let all = store.boards().matching(&filter).unwrap().map(|board| board.unwrap());
        assert!(page.boards.iter().eq(all.collect::<Vec<_>>().iter()), "by row and by record");
        rig::names(&page.boards).join(" ")
    };
    let of = |issuers: &[u16]| {
        let issuers = issuers.iter().map(|number| AuthorityNumber::new(*number)).collect();
        BoardFilter { issuers, ..BoardFilter::default() }
    };
    assert_eq!(ids(of(&[2])), "CB-3 CB-4");
    assert_eq!(ids(of(&[0, 1])), "CB-1 CB-2");
    assert_eq!(ids(of(&[3])), "");
    let before = Some(UnixSeconds(1_700_000_004));
    let certificate_ends = Span { from: None, before };
    assert_eq!(ids(BoardFilter { certificate_ends, ..BoardFilter::default() }), "CB-2 CB-3");
}
