//! Each attack by itself. The certificate is registered before it is shown, so that what refuses it is
//! its fault and nothing else.

use std::time::Instant;

use actors::refusal::Refusal;
use storage::{
    AuthorityNumber, Fingerprint, Revocation, RevocationReason, RevokedCertificate, UnixSeconds,
};

use super::der::tlv;
use super::faults::FAULTS;
use super::form::{Extension, Form, SHA384};
use super::hub::{ACME, Hub, OTHER, certificate_message};
use super::mutations::twin;

/// A board of acme's that is not registered yet.
fn board(hub: &Hub) -> Form {
    Form::board(ACME, &hub.keys.acme, "CB-9", &hub.keys.board, 9)
}

#[track_caller]
fn assert_refused(hub: &Hub, what: &str, chain: &[&[u8]], reason: Refusal) {
    hub.register("CB-9", chain[0]);
    let seen = hub.show(chain);
    assert_eq!(seen.refusal, Some(reason), "{what}: {seen:?}");
    assert_eq!(seen.alert, reason.alert(), "{what}");
}

#[test]
fn a_certificate_without_a_fault_is_taken() {
    let hub = Hub::new();
    for form in [board(&hub), Form { algorithm: SHA384, ..board(&hub) }] {
        let der = form.signed_by(&hub.keys.acme);
        hub.register("CB-9", &der);
        // Whatever comes behind it that leads nowhere.
        for chain in [&[&der[..]][..], &[&der, &hub.acme], &[&der, &hub.other, &der]] {
            let seen = hub.show(chain);
            assert_eq!(seen.refusal, None, "{seen:?}");
            assert_eq!(seen.verified.unwrap().admitted.unwrap().board.as_ref(), "CB-9");
        }
    }
}

#[test]
fn each_fault_that_its_own_authority_has_signed_is_refused_for_what_it_is() {
    let hub = Hub::new();
    for fault in FAULTS {
        let der = (fault.make)(board(&hub)).signed_by(&hub.keys.acme);
        assert_refused(&hub, fault.name, &[&der], fault.reason);
    }
}

#[test]
fn who_is_no_authority_of_the_board_issues_nothing() {
    let hub = Hub::new();
    let (acme, other, own) = (&hub.keys.acme, &hub.keys.other, &hub.keys.board);
    let forged = board(&hub).signed_by(&hub.keys.nobody);
    assert_refused(&hub, "the authority's name, another key", &[&forged], Refusal::BadSignature);
    let copied = Form::board(OTHER, other, "CB-9", own, 9).signed_by(other);
    assert_refused(&hub, "another tenant's authority", &[&copied], Refusal::OtherTenant);
    let mixed = board(&hub).signed_by(other);
    assert_refused(&hub, "another tenant's key", &[&mixed], Refusal::BadSignature);

    let oneself = Form::board("CB-9", own, "CB-9", own, 9).signed_by(own);
    assert_refused(&hub, "self-signed", &[&oneself], Refusal::UnknownAuthority);
    let named = Form::board(ACME, own, ACME, own, 9).signed_by(own);
    assert_refused(&hub, "self-signed, by the name", &[&named], Refusal::UnknownAuthority);

    let (first, under) =
        (hub.certificate("CB-1"), Form::board("CB-1", own, "CB-9", own, 9).signed_by(own));
    let chain = [&under[..], &first];
    assert_refused(&hub, "a board as authority", &chain, Refusal::NotAnAuthority);
    let chain = [&under[..], &first, &hub.acme];
    assert_refused(&hub, "a board as authority", &chain, Refusal::NotAnAuthority);
    let bare = Form { extensions: Vec::new(), ..Form::authority(ACME, acme, "CB-1", own, None) };
    let version_1 = Form { version: Vec::new(), ..bare.clone() };
    for form in [bare, version_1] {
        let chain = [&under[..], &form.signed_by(acme)];
        assert_refused(&hub, "an authority that does not say so", &chain, Refusal::NotAnAuthority);
    }
    assert_refused(&hub, "the authority itself", &[&hub.acme], Refusal::IsAuthority);
}

#[test]
fn a_board_has_the_one_certificate_that_it_is_registered_with() {
    let hub = Hub::new();
    let (acme, own) = (&hub.keys.acme, &hub.keys.board);
    let show = |der: &[u8]| hub.show(&[der]).refusal;
    // Issued by the true authority for the true board, and not the one.
    let second = Form::board(ACME, acme, "CB-1", own, 77).signed_by(acme);
    assert_eq!(show(&second), Some(Refusal::OtherCertificate));
    // The same signed part with the other signature that is as good (r, n - s).
    let (true_one, twin) = (hub.certificate("CB-1"), twin(&hub.certificate("CB-1")));
    assert_ne!(true_one, twin);
    let seen = hub.show(&[&twin]);
    assert_eq!(seen.refusal, Some(Refusal::OtherCertificate));
    assert_eq!(seen.verified.unwrap().leaf, twin, "its signature does verify");
    assert_eq!(show(&true_one), None);

    // Neither comes back when the one is revoked, by whatever it was named.
    let revoke = |board: &str, certificate| {
        let (tenant, board) = ("acme".parse().unwrap(), board.parse().unwrap());
        let (reason, since) = (RevocationReason::KeyCompromise, UnixSeconds(1));
        let issuer = Some(AuthorityNumber::FIRST);
        let board = Some(board);
        let revocation = Revocation { tenant, issuer, board, certificate, reason, since };
        assert!(hub.store.revoked().put(&revocation).unwrap());
    };
    let digest = Fingerprint(openssl::sha::sha256(&true_one));
    revoke("CB-1", RevokedCertificate::Fingerprint(digest));
    assert_eq!(show(&true_one), Some(Refusal::Revoked));
    assert_eq!(show(&twin), Some(Refusal::OtherCertificate));
    revoke("CB-2", RevokedCertificate::Serial(vec![b'2'; 16]));
    let other = hub.certificate("CB-2");
    for der in [super::mutations::twin(&other), other] {
        assert_eq!(show(&der), Some(Refusal::Revoked));
    }
}

#[test]
fn another_encoding_of_a_certificate_is_that_certificate_or_none() {
    let hub = Hub::new();
    let der = hub.certificate("CB-1");
    let content = &der[4..];
    assert_eq!(der[..2], [0x30, 0x82]);
    let long = [&[0x30, 0x83, 0], &der[2..]].concat();
    let indefinite = [&[0x30, 0x80], content, &[0, 0]].concat();
    for form in [long, indefinite] {
        let seen = hub.show(&[&form]);
        assert_eq!(seen.refusal, None);
        assert_eq!(seen.verified.unwrap().leaf, der, "known by what it is as DER");
    }
    // What is signed is signed as it is written.
    let length = usize::from(u16::from_be_bytes([content[2], content[3]]));
    let (tbs, rest) = content.split_at(4 + length);
    let relaid = tlv(0x30, &[&[0x30, 0x83, 0], &tbs[2..], rest].concat());
    assert_eq!(hub.show(&[&relaid]).refusal, Some(Refusal::BadSignature));
    for form in [[&der[..], &[0]].concat(), der[..der.len() - 1].to_vec(), Vec::new()] {
        assert_eq!(hub.show(&[&form]).refusal, Some(Refusal::UnsupportedCertificate));
    }
}

#[test]
fn chains_without_end_and_giant_certificates_cost_little() {
    let hub = Hub::new();
    let own = &hub.keys.board;
    // Each could have issued the next, and all of them have to be looked at.
    let link = Form::authority("link", own, "link", own, None).signed_by(own);
    let leaf = Form::board("link", own, "CB-9", own, 9).signed_by(own);
    let mut chain = vec![leaf.as_slice()];
    while certificate_message(&chain).len() + link.len() < 8 * 1024 {
        chain.push(&link);
    }
    let began = Instant::now();
    let seen = hub.show(&chain);
    let took = began.elapsed();
    println!("{} certificates: {:?} after {took:?}", chain.len(), seen.refusal);
    assert!(seen.verified.is_none() && seen.refusal.is_some(), "{seen:?}");
    assert!(took.as_millis() < 500, "{took:?}");
    chain.push(&link);
    assert_refused(&hub, "one more", &chain, Refusal::ChainTooLong);

    let filler = |size| Extension::new("1.3.6.1.4.1.99999.7", false, tlv(4, &vec![7; size]));
    let giant = |size| board(&hub).with(filler(size)).signed_by(&hub.keys.acme);
    let large = giant(7_000);
    hub.register("CB-9", &large);
    assert_eq!(hub.show(&[&large]).refusal, None);
    assert_refused(&hub, "a giant", &[&giant(8_000)], Refusal::ChainTooLong);
    assert_refused(&hub, "more of a giant", &[&giant(1_000_000)], Refusal::ChainTooLong);
}

#[test]
fn a_list_that_is_none_is_refused() {
    let hub = Hub::new();
    let der = hub.certificate("CB-1");
    assert_eq!(hub.take(&[0, 0, 0]).refusal, Some(Refusal::NoCertificate));
    assert_eq!(hub.take(&[0, 0, 3, 0, 0, 0]).refusal, Some(Refusal::UnsupportedCertificate));
    let message = certificate_message(&[&der]);
    for (at, value) in [(2, message[2] ^ 1), (5, message[5] ^ 1), (0, 0xff), (3, 0xff)] {
        let mut lie = message.clone();
        lie[at] = value;
        let seen = hub.take(&lie);
        assert!(seen.refusal.is_some() && seen.verified.is_none(), "{at}: {seen:?}");
    }
}
