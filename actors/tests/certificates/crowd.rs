//! A hundred thousand mutated certificates, in four parts that run beside each other. None is taken for
//! anything but the certificate that it is byte for byte as DER; the reasons are counted by kind.

use std::collections::BTreeMap;

use actors::refusal::Refusal;
use openssl::x509::X509;

use super::faults::FAULTS;
use super::form::{Form, Key, name};
use super::hub::{ACME, Hub, OTHER, Seen, certificate_message};
use super::mutations::{Chance, MUTATIONS, Mutation};

/// Mutants of each part.
const MUTANTS: usize = 25_000;

/// What became of the mutants, by their kind.
#[derive(Default)]
struct Tally(BTreeMap<&'static str, BTreeMap<String, usize>>);

impl Tally {
    fn count(&mut self, kind: &'static str, seen: &Seen) {
        let reason = seen.refusal.map_or_else(|| "taken".to_owned(), |it| format!("{it:?}"));
        *self.0.entry(kind).or_default().entry(reason).or_default() += 1;
    }

    fn of(&self, kind: &str, reason: &str) -> usize {
        self.0.get(kind).and_then(|reasons| reasons.get(reason)).copied().unwrap_or(0)
    }

    fn print(&self) {
        for (kind, reasons) in &self.0 {
            println!("{kind}: {} {reasons:?}", reasons.values().sum::<usize>());
        }
    }
}

/// Reasons that are none of a certificate's.
fn is_of_a_certificate(reason: Refusal) -> bool {
    !matches!(
        reason,
        Refusal::Internal | Refusal::Protocol | Refusal::NoCertificate | Refusal::NothingInCommon
    )
}

/// The DER that OpenSSL makes of it; none where it is no certificate.
fn canonical(bytes: &[u8]) -> Option<Vec<u8>> {
    X509::from_der(bytes).ok()?.to_der().ok()
}

/// What is signed of a certificate.
fn signed_part(der: &[u8]) -> Vec<u8> {
    let nodes = super::der::nodes(der);
    der[nodes[1].whole()].to_vec()
}

/// Whatever was shown, who is admitted has shown a certificate that is registered, and whose chain
/// verified has shown what an authority has signed.
#[track_caller]
fn judge(shown: &[u8], seen: &Seen, registered: &[Vec<u8>]) {
    let hex = || shown.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    match (&seen.refusal, &seen.verified) {
        (Some(reason), _) => assert_eq!(seen.alert, reason.alert(), "{}", hex()),
        (None, Some(verified)) => {
            assert!(verified.admitted.is_ok(), "{}", hex());
            assert!(registered.contains(&verified.leaf), "{}", hex());
            assert_eq!(canonical(shown).as_ref(), Some(&verified.leaf), "{}", hex());
        }
        (None, None) => panic!("nobody was asked: {}", hex()),
    }
}

/// Changes that nobody signs: what verifies nevertheless says word for word what was signed.
fn unsigned(seed: u64, count: usize) -> Tally {
    let (hub, mut chance, mut tally) = (Hub::new(), Chance::new(seed), Tally::default());
    let registered = ["CB-1", "CB-2", "OT-1"].map(|board| hub.certificate(board));
    let signed = registered.clone().map(|der| signed_part(&der));
    for number in 0..count {
        let der = &registered[number % registered.len()];
        let (kind, mutate): (_, Mutation) = MUTATIONS[number % MUTATIONS.len()];
        let mut mutant = mutate(der, &mut chance);
        // Now and then a second change.
        if chance.below(4) == 0 && !mutant.is_empty() && super::der::nodes(&mutant).len() > 1 {
            mutant = MUTATIONS[chance.below(3)].1(&mutant, &mut chance);
        }
        let seen = hub.show(&[&mutant]);
        judge(&mutant, &seen, &registered);
        if let Some(verified) = &seen.verified {
            assert!(signed.contains(&signed_part(&verified.leaf)), "{kind} {number}");
        }
        assert!(seen.refusal.is_none_or(is_of_a_certificate), "{kind} {number}: {seen:?}");
        tally.count(kind, &seen);
    }
    tally
}

#[test]
fn of_the_first_mutants_that_nobody_signed_none_is_taken_for_another() {
    check_unsigned(&unsigned(1, MUTANTS));
}

#[test]
fn of_the_second_mutants_that_nobody_signed_none_is_taken_for_another() {
    check_unsigned(&unsigned(2, MUTANTS));
}

fn check_unsigned(tally: &Tally) {
    tally.print();
    assert_eq!(tally.0.len(), MUTATIONS.len());
    for kind in ["bits", "swapped", "removed", "repeated", "tag"] {
        assert!(tally.of(kind, "BadSignature") > 40, "{kind}");
        assert!(tally.of(kind, "UnsupportedCertificate") > 1000, "{kind}");
    }
    assert!(tally.of("cut", "UnsupportedCertificate") > 1000);
    // The other good signature makes another certificate.
    assert!(tally.of("signature", "OtherCertificate") > 100);
    // Outside of what is signed, encodings that are no DER are the certificate itself.
    assert!(tally.of("encoding", "taken") > 10);
}

/// Who signs a forged certificate.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Signer {
    Acme,
    OtherByItsName,
    OtherByAcmesName,
    Nobody,
    Board,
}

/// Faulty certificates that are signed: by the true authority, and by those who would like to be it.
#[test]
fn of_faulty_certificates_that_are_signed_none_is_taken_for_another() {
    let (hub, mut chance, mut tally) = (Hub::new(), Chance::new(3), Tally::default());
    let registered = ["CB-1", "CB-2", "OT-1"].map(|board| hub.certificate(board));
    for number in 0..MUTANTS {
        use Signer::{Acme, Board, Nobody, OtherByAcmesName, OtherByItsName};
        let signer =
            *chance.one_of(&[Acme, Acme, Acme, OtherByItsName, OtherByAcmesName, Nobody, Board]);
        let (kind, issuer, key): (_, _, &Key) = match signer {
            Acme => ("by its authority", ACME, &hub.keys.acme),
            OtherByItsName => ("by another tenant's", OTHER, &hub.keys.other),
            OtherByAcmesName => ("by another's key", ACME, &hub.keys.other),
            Nobody => ("by nobody", ACME, &hub.keys.nobody),
            Board => ("by a board", "CB-2", &hub.keys.board),
        };
        let serial = 1 + chance.byte() / 2;
        // It names the key of whom it pretends to be by.
        let named = match signer {
            OtherByAcmesName | Nobody => &hub.keys.acme,
            Acme | OtherByItsName | Board => key,
        };
        let mut form = Form::board(issuer, named, "CB-1", &hub.keys.board, serial);
        let fault = &FAULTS[number % FAULTS.len()];
        let mut faults = vec![fault];
        form = (fault.make)(form);
        if chance.below(3) == 0 {
            let second = chance.one_of(FAULTS);
            // Faults of one extension are made instead of it, and cannot be made twice.
            if !fault.name.contains("version 1") && !second.name.contains("twice") {
                faults.push(second);
                form = (second.make)(form);
            }
        }
        let der = form.signed_by(key);
        let chain: &[&[u8]] = match signer {
            Board => &[&der, &registered[1]],
            Acme | OtherByItsName | OtherByAcmesName | Nobody => &[&der],
        };
        let seen = hub.show(chain);
        let names: Vec<_> = faults.iter().map(|fault| fault.name).collect();
        judge(&der, &seen, &registered);
        let reason = seen.refusal.unwrap_or_else(|| panic!("taken: {signer:?}, {names:?}"));
        assert!(is_of_a_certificate(reason), "{signer:?}, {names:?}: {reason:?}");
        if signer == Acme && faults.len() == 1 {
            assert_eq!(reason, fault.reason, "{names:?}");
        }
        if matches!(signer, Nobody | Board | OtherByAcmesName) {
            assert!(seen.verified.is_none(), "{signer:?}, {names:?}: it verified");
        }
        tally.count(kind, &seen);
    }
    tally.print();
    assert!(tally.of("by nobody", "BadSignature") > 1000);
    assert!(tally.of("by a board", "NotAnAuthority") > 1000);
    for fault in FAULTS {
        let reason = format!("{:?}", fault.reason);
        assert!(tally.of("by its authority", &reason) > 0, "{reason}");
    }
}

/// Chains that are put together of what there is, true and forged, and lists of them that lie.
#[test]
fn of_chains_and_lists_that_lie_none_is_taken_for_another() {
    let (hub, mut chance, mut tally) = (Hub::new(), Chance::new(4), Tally::default());
    let registered = ["CB-1", "CB-2", "OT-1"].map(|board| hub.certificate(board));
    let own = &hub.keys.board;
    let under = Form::board("CB-1", own, "CB-1", own, 9).signed_by(own);
    let false_authority = Form::authority(ACME, own, ACME, own, None).signed_by(own);
    let renamed = Form { subject: name(ACME), ..hub.form("CB-1") }.signed_by(&hub.keys.nobody);
    let forged = hub.form("CB-1").signed_by(own);
    let mut pool: Vec<&[u8]> = registered.iter().map(Vec::as_slice).collect();
    pool.extend([&hub.acme[..], &hub.other, &under, &false_authority, &renamed, &forged]);
    for _ in 0..MUTANTS {
        let chain: Vec<&[u8]> = (0..=chance.below(6)).map(|_| *chance.one_of(&pool)).collect();
        let mut message = certificate_message(&chain);
        let kind = match chance.below(3) {
            0 => "a chain",
            1 => {
                let at = chance.below(6);
                message[at] = chance.byte();
                "a list that lies"
            }
            _ => {
                message = MUTATIONS[chance.below(4)].1(&message, &mut chance);
                "a list that is changed"
            }
        };
        let seen = hub.take(&message);
        if let Some(verified) = &seen.verified {
            let is_signed = registered.contains(&verified.leaf);
            assert!(is_signed || seen.refusal.is_some(), "{kind}: {seen:?}");
        }
        if let Some(reason) = seen.refusal {
            assert_eq!(seen.alert, reason.alert());
            assert!(!matches!(reason, Refusal::Internal), "{kind}: {seen:?}");
        }
        tally.count(kind, &seen);
    }
    tally.print();
    assert!(tally.of("a chain", "taken") > 1000 && tally.of("a chain", "BadSignature") > 100);
    assert!(tally.of("a list that lies", "Protocol") > 1000);
}
