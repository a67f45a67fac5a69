//! The nouns as JSON, as scripts get them from `--json`.
#![expect(clippy::unwrap_used, reason = "a test's failure is its report")]

mod rig;

use serde_json::{json, to_value};
use storage::*;

#[test]
fn a_boards_state_stands_beside_its_other_fields() {
    let mut board = rig::board("CB-1", "acme");
    assert_eq!(to_value(&board).unwrap()["state"], "active");
    board.state = BoardState::Blocked { reason: "lost".into(), since: UnixSeconds(5) };
    board.fingerprint = Some(Fingerprint([0xab; 32]));
    board.address = Some("10.0.0.1".parse().unwrap());
    let expected = json!({
        "id": "CB-1", "tenant": "acme", "fingerprint": "ab".repeat(32), "state": "blocked",
        "reason": "lost", "since": 5, "labels": {}, "address": "10.0.0.1",
        "created": 1_700_000_000, "first_seen": null, "last_seen": null,
    });
    assert_eq!(to_value(&board).unwrap(), expected);
}

#[test]
fn a_tenants_issuer_is_a_number_and_its_quota_has_every_bound() {
    let mut tenant = Tenant { issuer: AuthorityNumber::new(2), ..rig::tenant("acme") };
    tenant.quota.board.messages_per_minute = Some(60);
    let none = json!({
        "messages_per_minute": null, "bytes_per_minute": null, "handshakes_per_hour": null,
        "in_flight_max": null,
    });
    let mut board = none.clone();
    board["messages_per_minute"] = 60.into();
    let expected = json!({
        "id": "acme", "name": "ACME", "state": "active", "created": 1_700_000_000,
        "issuer": 2, "quota": { "board": board, "tenant": none, "data_plan": null },
    });
    assert_eq!(to_value(&tenant).unwrap(), expected);
}

#[test]
fn an_authority_is_flat_and_its_certificate_a_fingerprint() {
    let labels = [("site".to_owned(), "roof".to_owned())].into();
    let first_contact = FirstContact::Register { batch: "spring".parse().unwrap(), labels };
    let mut authority = Authority {
        tenant: "acme".parse().unwrap(),
        number: AuthorityNumber::FIRST,
        certificate: b"abc".to_vec(),
        origin: Origin::Foreign(Foreign {
            id_from: IdentityField::CommonName,
            first_contact,
            successors: Successors::Later,
        }),
        state: AuthorityState::Retiring { since: UnixSeconds(5) },
        added: UnixSeconds(4),
    };
    let fingerprint = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    let expected = json!({
        "tenant": "acme", "number": 1, "fingerprint": fingerprint, "origin": "foreign",
        "id_from": "CN", "first_contact": "register", "batch": "spring",
        "labels": { "site": "roof" }, "successors": "later", "state": "retiring", "since": 5,
        "added": 4,
    });
    assert_eq!(to_value(&authority).unwrap(), expected);
    authority.origin = Origin::Own { key: "tenant/acme".into() };
    authority.state = AuthorityState::Active;
    let expected = json!({
        "tenant": "acme", "number": 1, "fingerprint": fingerprint, "origin": "own",
        "key": "tenant/acme", "state": "active", "added": 4,
    });
    assert_eq!(to_value(&authority).unwrap(), expected);
}

#[test]
fn routes_and_upstreams_are_flat() {
    let expected = json!({
        "tenant": "acme", "resource": "t", "upstream": "broker",
        "topic": "{tenant}/{board}/telemetry", "acknowledge": "on-receive",
    });
    assert_eq!(to_value(rig::route("acme", "t")).unwrap(), expected);
    let upstream = to_value(rig::upstream("acme", "broker")).unwrap();
    assert_eq!(upstream["kind"], "mqtt");
    assert_eq!(upstream["version"], "5");
    assert_eq!(upstream["host"], "broker.example");
}

#[test]
fn a_name_is_checked_when_it_is_read() {
    assert!(serde_json::from_str::<TenantId>("\"acme\"").is_ok());
    assert!(serde_json::from_str::<TenantId>("\"../etc\"").is_err());
    assert!(serde_json::from_str::<Fingerprint>("\"00\"").is_err());
}
