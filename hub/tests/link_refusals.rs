//! Who is refused: each fault of a certificate gets its alert, a counter and a line in words, and
//! leaves nothing behind. All that can be wrong with one is in `actors/tests/certificates`.

use crate::rig::client::{Client, Refused, Settings, untouched};
use crate::rig::hub::Hub;
use crate::rig::pki::{Authority, Certificate, Identity};
use crate::rig::site::{Plan, Site};
use openssl::asn1::{Asn1Object, Asn1OctetString};
use openssl::hash::MessageDigest;
use openssl::x509::X509Extension;
use openssl::x509::extension::BasicConstraints;
use storage::{BoardState, UnixSeconds};

/// Shakes hands with `identity` and asserts that it is refused as a board should be refused.
fn assert_refused(site: &Site, identity: &Identity, alert: i32, reason: &str, words: &[&str]) {
    let mut hub = site.start();
    let seen = Client::connect(hub.listen, &site.root(), identity).map(|_| ());
    assert_eq!(seen, Err(Refused::Alert(alert)), "{reason}; the log:\n{}", hub.log());
    assert_counted(&hub, reason);
    hub.wait_for_log(words);
    assert_eq!(hub.sessions(), 0.0);
    hub.wait_for_metric("hub_handshakes_in_progress", &[], |handshakes| handshakes == 0.0);
    hub.assert_alive();
}

fn assert_counted(hub: &Hub, reason: &str) {
    let labels = [("outcome", "refused"), ("reason", reason)];
    hub.wait_for_metric("hub_handshakes_total", &labels, |count| count == 1.0);
    assert_eq!(hub.metric("hub_handshakes_total", &[("outcome", "refused")]), 1.0);
    assert_eq!(hub.metric("hub_handshakes_total", &[("outcome", "completed")]), 0.0);
}

/// A registered board with a certificate of its tenant's authority that is as `wanted`.
fn registered(site: &Site, wanted: &Certificate<'_>) -> Identity {
    let identity = site.authority("tenant-0").board(wanted);
    site.register("CB-WRONG", "tenant-0", &identity);
    identity
}

const WRONG: Certificate<'_> = Certificate {
    common_name: None,
    hardware_id: Some("CB-WRONG"),
    not_before: -3600,
    not_after: 86_400,
    client_auth: true,
    digital_signature: true,
};

#[test]
fn a_certificate_made_by_the_test_is_accepted_when_nothing_is_wrong_with_it() {
    let site = Plan::boards(1).build();
    let identity = registered(&site, &WRONG);
    let hub = site.start();
    Client::connect(hub.listen, &site.root(), &identity).expect("a session");
    hub.wait_for_metric("hub_sessions", &[], |sessions| sessions == 1.0);
}

#[test]
fn an_unknown_authority() {
    let site = Plan::boards(1).build();
    let identity = Authority::new("somebody else's").board(&Certificate::default());
    let words = ["issued by no authority of this hub"];
    assert_refused(&site, &identity, 48, "unknown_authority", &words);
}

#[test]
fn an_authority_with_the_name_of_a_tenants() {
    let site = Plan::boards(1).build();
    let name = site.authority("tenant-0").common_name();
    let identity = Authority::new(&name).board(&Certificate::default());
    let mut hub = site.start();
    let seen = Client::connect(hub.listen, &site.root(), &identity).map(|_| ());
    assert!(matches!(seen, Err(Refused::Alert(48 | 51 | 42))), "{seen:?}:\n{}", hub.log());
    hub.wait_for_metric("hub_handshakes_total", &[("outcome", "refused")], |count| count == 1.0);
    assert_eq!(hub.sessions(), 0.0);
    hub.assert_alive();
}

#[test]
fn an_unknown_board() {
    let site = Plan::boards(1).build();
    let wanted = Certificate { hardware_id: Some("CB-NOBODY"), ..Certificate::default() };
    let identity = site.authority("tenant-0").board(&wanted);
    let words = ["no board with this hardware id is registered"];
    assert_refused(&site, &identity, 46, "unknown_board", &words);
}

#[test]
fn an_expired_certificate() {
    let site = Plan::boards(1).build();
    let identity = registered(&site, &Certificate { not_after: -60, ..WRONG });
    assert_refused(&site, &identity, 45, "expired", &["the certificate has expired"]);
}

#[test]
fn a_certificate_of_tomorrow() {
    let site = Plan::boards(1).build();
    let identity = registered(&site, &Certificate { not_before: 3600, ..WRONG });
    assert_refused(&site, &identity, 42, "not_yet_valid", &["is not valid yet"]);
}

#[test]
fn a_blocked_board() {
    let site = Plan::boards(1).build();
    let state = BoardState::Blocked { reason: "lost".to_owned(), since: UnixSeconds(1) };
    site.change_board("CB-00000000", |board| board.state = state);
    let words = ["the board is blocked"];
    assert_refused(&site, &site.boards[0].identity(), 49, "blocked", &words);
}

#[test]
fn a_revoked_board() {
    let site = Plan::boards(1).build();
    let state = BoardState::Revoked { reason: "stolen".to_owned(), since: UnixSeconds(1) };
    site.change_board("CB-00000000", |board| board.state = state);
    let words = ["the board is revoked"];
    assert_refused(&site, &site.boards[0].identity(), 44, "revoked", &words);
}

#[test]
fn the_log_says_which_board_was_refused() {
    let site = Plan::boards(1).build();
    let wanted = Certificate { hardware_id: Some("CB-NOBODY"), ..Certificate::default() };
    let identity = site.authority("tenant-0").board(&wanted);
    let hub = site.start();
    assert!(Client::connect(hub.listen, &site.root(), &identity).is_err());
    hub.wait_for_log(&["no board with this hardware id is registered", "CB-NOBODY"]);
}

#[test]
fn a_suspended_tenants_board() {
    let site = Plan::boards(1).build();
    {
        let (store, id) = (site.store(), "tenant-0".parse().expect("an id"));
        let mut tenant = store.tenants().find(&id).expect("the store").expect("the tenant");
        tenant.state = storage::TenantState::Suspended;
        store.tenants().put(&tenant).expect("the store");
    }
    let words = ["the tenant is suspended"];
    assert_refused(&site, &site.boards[0].identity(), 49, "tenant_suspended", &words);
}

#[test]
fn a_certificate_for_servers() {
    let site = Plan::boards(1).build();
    let identity = registered(&site, &Certificate { client_auth: false, ..WRONG });
    let words = ["key usage does not allow client authentication"];
    assert_refused(&site, &identity, 43, "wrong_key_usage", &words);
}

#[test]
fn a_key_that_may_not_sign() {
    let site = Plan::boards(1).build();
    let identity = registered(&site, &Certificate { digital_signature: false, ..WRONG });
    let words = ["key usage does not allow client authentication"];
    assert_refused(&site, &identity, 43, "wrong_key_usage", &words);
}

/// A registered board whose certificate has this extension as well, or is signed over this digest.
fn registered_with(site: &Site, more: &[X509Extension], digest: MessageDigest) -> Identity {
    let identity = site.authority("tenant-0").board_with(&WRONG, more, digest);
    site.register("CB-WRONG", "tenant-0", &identity);
    identity
}

#[test]
fn a_certificate_signed_over_sha_1() {
    let site = Plan::boards(1).build();
    let identity = registered_with(&site, &[], MessageDigest::sha1());
    let words = ["signed with a digest or a key that is too weak"];
    assert_refused(&site, &identity, 43, "weak_signature", &words);
}

#[test]
fn a_certificate_that_could_issue_others() {
    let site = Plan::boards(1).build();
    let authority = BasicConstraints::new().critical().ca().build().expect("an extension");
    let identity = registered_with(&site, &[authority], MessageDigest::sha256());
    assert_refused(&site, &identity, 43, "is_authority", &["an authority's, not a board's"]);
}

#[test]
fn a_certificate_with_a_critical_extension_that_nobody_knows() {
    let site = Plan::boards(1).build();
    let kind = Asn1Object::from_str("1.3.6.1.4.1.99999.7").expect("an oid");
    let value = Asn1OctetString::new_from_bytes(&[5, 0]).expect("bytes");
    let unknown = X509Extension::new_from_der(&kind, true, &value).expect("an extension");
    let identity = registered_with(&site, &[unknown], MessageDigest::sha256());
    let words = ["critical extension that the hub does not know"];
    assert_refused(&site, &identity, 43, "unknown_extension", &words);
}

#[test]
fn a_certificate_without_a_hardware_id() {
    let site = Plan::boards(1).build();
    let identity = registered(&site, &Certificate { hardware_id: None, ..WRONG });
    assert_refused(&site, &identity, 42, "no_hardware_id", &["holds no hardware id"]);
}

#[test]
fn a_certificate_with_another_boards_hardware_id() {
    let site = Plan::boards(2).build();
    let identity = site.authority("tenant-0").board(&Certificate::default());
    let words = ["registered with another certificate"];
    assert_refused(&site, &identity, 46, "other_certificate", &words);
}

#[test]
fn another_tenants_authority() {
    let site = Plan::boards(2).tenants(2).build();
    let identity = site.authority("tenant-1").board(&Certificate::default());
    let words = ["another tenant's authority"];
    assert_refused(&site, &identity, 49, "other_tenant", &words);
}

#[test]
fn a_client_without_a_certificate() {
    let site = Plan::boards(1).build();
    let mut hub = site.start();
    let seen = Client::connect_with(
        std::net::UdpSocket::bind("127.0.0.1:0").expect("a socket"),
        hub.listen,
        &site.root(),
        None,
        &Settings::default(),
        &mut untouched,
    );
    assert_eq!(seen.map(|_| ()), Err(Refused::Alert(40)));
    assert_counted(&hub, "no_certificate");
    hub.wait_for_log(&["the peer presented no certificate"]);
    assert_eq!(hub.sessions(), 0.0);
    hub.assert_alive();
}

#[test]
fn a_client_with_no_suite_in_common() {
    let (site, mut hub) = Plan::boards(1).start();
    let settings = Settings { ciphers: "ECDHE-ECDSA-AES256-GCM-SHA384", ..Settings::default() };
    let seen = Client::connect_with(
        std::net::UdpSocket::bind("127.0.0.1:0").expect("a socket"),
        hub.listen,
        &site.root(),
        Some(&site.boards[0].identity()),
        &settings,
        &mut untouched,
    );
    assert_eq!(seen.map(|_| ()), Err(Refused::Alert(40)), "{}", hub.log());
    hub.wait_for_metric("hub_handshakes_total", &[("outcome", "failed")], |count| count == 1.0);
    assert_eq!(hub.sessions(), 0.0);
    hub.assert_alive();
}
