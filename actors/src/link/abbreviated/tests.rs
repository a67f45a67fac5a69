//! What OpenSSL as a client cannot show (`tests/abbreviated.rs`): Connection IDs, and a client that
//! has the keys and lies.

use storage::{Fingerprint, UnixSeconds};
use zeroize::Zeroizing;

use super::*;
use crate::admission::Admitted;
use crate::link::cipher::Suite;

const MASTER: [u8; 48] = [4; 48];
const OURS: [u8; 4] = [9; 4];

fn resumable() -> Resumable {
    Resumable {
        suite: Suite::EcdheEcdsaAes128GcmSha256,
        master: Zeroizing::new(MASTER),
        admitted: Admitted {
            board: "CB-1".parse().unwrap(),
            tenant: "acme".parse().unwrap(),
            fingerprint: Fingerprint([0; 32]),
            not_after: UnixSeconds(9),
            at: std::time::Instant::now(),
            serial: None,
            issuer: storage::AuthorityNumber::FIRST,
            standing: crate::admission::Standing::Known,
        },
        authenticated: UnixSeconds(1),
    }
}

fn ours() -> ConnectionId {
    ConnectionId::new(0, 0, OURS)
}

fn begin(connection_id: Option<&[u8]>, mtu: u16) -> Abbreviated {
    let mut body =
        [&[0xFE, 0xFD][..], &[7; 32], &[32], &[5; 32], &[0, 0, 2, 0xC0, 0x2B, 1, 0]].concat();
    let mut extensions = vec![0, 23, 0, 0];
    if let Some(id) = connection_id {
        let length = u8::try_from(id.len()).unwrap();
        extensions.extend([0, 54, 0, length + 1, length]);
        extensions.extend(id);
    }
    body.extend(length16(&extensions));
    body.extend(extensions);
    let message = [&header(1, 1, length16(&body))[..], &body].concat();
    let terms = Terms { ours: ours(), random: [8; 32], next_plain_sequence: 3, mtu };
    Abbreviated::begin(&Offer::parse(&message).unwrap(), resumable(), terms)
}

fn sent(handshake: &mut Abbreviated) -> Vec<Vec<u8>> {
    std::iter::from_fn(|| handshake.poll_datagram()).collect()
}

/// A record of the client's under the right keys.
fn record(handshake: &Abbreviated, cid: &[u8], message: &[u8]) -> Vec<u8> {
    let mut datagram = Vec::new();
    handshake.read.seal(ContentType::Handshake, 1, 0, cid, message, &mut datagram).unwrap();
    datagram
}

#[test]
fn a_negotiated_connection_id_is_on_every_protected_record_from_the_first() {
    for theirs in [&[0xAA, 0xBB][..], &[]] {
        let mut handshake = begin(Some(theirs), 1200);
        let flight = sent(&mut handshake).concat();
        let records: Vec<_> = record::records(&flight, theirs.len()).map(Result::unwrap).collect();
        let told = [&[0, 54, 0, 7, 6][..], ours().as_bytes()].concat();
        assert!(records[0].fragment.ends_with(&told));
        assert_eq!((records[0].sequence, records[1].sequence), (3, 4), "above the hello's");
        assert_eq!((records[2].epoch, records[2].cid), (1, theirs));

        let expected = handshake.expected;
        let without = record(&handshake, &[], &expected);
        assert!(matches!(handshake.handle_datagram(&without), Progress::Pending));
        let finished = record(&handshake, ours().as_bytes(), &expected);
        let progress = handshake.handle_datagram(&finished);
        let Progress::Established(established) = progress else { panic!("{progress:?}") };
        assert_eq!((established.read_cid, &*established.write_cid), (Some(ours()), theirs));
    }
}

#[test]
fn without_one_none_is_told_and_none_is_taken() {
    let mut handshake = begin(None, 1200);
    let flight = sent(&mut handshake).concat();
    assert!(!flight.windows(4).any(|bytes| bytes == [0, 54, 0, 7]));
    let expected = handshake.expected;
    let with = record(&handshake, ours().as_bytes(), &expected);
    assert!(matches!(handshake.handle_datagram(&with), Progress::Pending));
    let finished = record(&handshake, &[], &expected);
    assert!(matches!(handshake.handle_datagram(&finished), Progress::Established(_)));
}

#[test]
fn a_finished_that_does_not_verify_ends_it_with_an_alert_under_the_new_keys() {
    let mut handshake = begin(None, 1200);
    sent(&mut handshake);
    let mut lie = handshake.expected;
    lie[FINISHED_LEN - 1] ^= 1;
    let progress = handshake.handle_datagram(&record(&handshake, &[], &lie));
    assert!(matches!(progress, Progress::Refused(Refusal::BadFinished)), "{progress:?}");
    let alert = sent(&mut handshake).concat();
    let record = record::records(&alert, 0).next().unwrap().unwrap();
    let mut plaintext = Vec::new();
    assert_eq!(handshake.write.open(&record, &mut plaintext), Ok(ContentType::Alert));
    assert_eq!(plaintext, [2, 51]);
}

#[test]
fn alerts_that_anybody_can_forge_end_nothing() {
    let mut handshake = begin(None, 1200);
    let mut alert = Vec::new();
    record::write_plaintext(ContentType::Alert, 5, &[2, 40], &mut alert).unwrap();
    assert!(matches!(handshake.handle_datagram(&alert), Progress::Pending));
    assert_eq!(handshake.expired(), Refusal::PeerAlert);
    let finished = record(&handshake, &[], &handshake.expected.clone());
    assert!(matches!(handshake.handle_datagram(&finished), Progress::Established(_)));
}

#[test]
fn no_datagram_is_longer_than_the_mtu_where_that_can_be() {
    for (id, mtu, datagrams) in [(&[1; 2][..], 1200, 1), (&[1; 100], 256, 2)] {
        let mut handshake = begin(Some(id), mtu);
        let flight = sent(&mut handshake);
        assert_eq!(flight.len(), datagrams);
        assert!(flight.iter().all(|datagram| datagram.len() <= usize::from(mtu)));
    }
}

#[test]
fn the_same_hello_and_another_random_of_ours_give_other_keys() {
    let one = begin(None, 1200);
    let body = [
        &[0xFE, 0xFD][..],
        &[7; 32],
        &[32],
        &[5; 32],
        &[0, 0, 2, 0xC0, 0x2B, 1, 0, 0, 4, 0, 23, 0, 0],
    ]
    .concat();
    let message = [&header(1, 1, length16(&body))[..], &body].concat();
    let terms = Terms { ours: ours(), random: [6; 32], next_plain_sequence: 3, mtu: 1200 };
    let mut other = Abbreviated::begin(&Offer::parse(&message).unwrap(), resumable(), terms);
    let replayed = record(&one, &[], &one.expected);
    assert!(matches!(other.handle_datagram(&replayed), Progress::Pending), "a replay");
}
