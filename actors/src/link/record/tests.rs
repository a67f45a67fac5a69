use super::*;
use proptest::prelude::*;

const CID: [u8; 4] = [0xC1, 0xD0, 0xC1, 0xD0];

fn header(content_type: u8, version: u16, epoch: u16, length: u16) -> Vec<u8> {
    let mut bytes = vec![content_type];
    bytes.extend(version.to_be_bytes());
    bytes.extend(epoch.to_be_bytes());
    bytes.extend([0, 0, 0, 0, 0, 5]);
    bytes.extend(length.to_be_bytes());
    bytes
}

fn only(bytes: &[u8], cid_len: usize) -> Result<Record<'_>, MalformedRecord> {
    records(bytes, cid_len).next().unwrap()
}

#[test]
fn a_plaintext_record_has_these_bytes() {
    let mut out = vec![0xEE];
    write_plaintext(ContentType::Alert, 0x0102_0304_0506, &[2, 40], &mut out).unwrap();
    assert_eq!(out, [0xEE, 21, 0xFE, 0xFD, 0, 0, 1, 2, 3, 4, 5, 6, 0, 2, 2, 40]);
    let record = only(&out[1..], 0).unwrap();
    assert_eq!(record.content_type, ContentType::Alert);
    assert_eq!((record.epoch, record.sequence), (0, 0x0102_0304_0506));
    assert_eq!((record.fragment, record.bytes), (&[2, 40][..], &out[1..]));
}

#[test]
fn a_record_with_a_connection_id_has_it_before_the_length() {
    let mut out = Vec::new();
    write_header(ContentType::ConnectionId, VERSION_1_2, 1, 7, &CID, 3, &mut out).unwrap();
    assert_eq!(out, [25, 0xFE, 0xFD, 0, 1, 0, 0, 0, 0, 0, 7, 0xC1, 0xD0, 0xC1, 0xD0, 0, 3]);
    out.extend([9, 9, 9]);
    let record = only(&out, 4).unwrap();
    assert_eq!((record.cid, record.fragment), (&CID[..], &[9, 9, 9][..]));
    assert_eq!((record.epoch, record.sequence), (1, 7));
}

#[test]
fn records_follow_each_other_until_one_is_malformed() {
    let mut out = Vec::new();
    write_plaintext(ContentType::Handshake, 0, b"one", &mut out).unwrap();
    write_plaintext(ContentType::ChangeCipherSpec, 1, &[1], &mut out).unwrap();
    out.extend([22, 0xFE]);
    let found: Vec<_> = records(&out, 0).collect();
    assert_eq!(found.len(), 3);
    assert_eq!(found[0].unwrap().fragment, b"one");
    assert_eq!(found[1].unwrap().content_type, ContentType::ChangeCipherSpec);
    assert_eq!(found[2], Err(MalformedRecord::Truncated { missing: 11 }));
}

#[test]
fn the_version_of_a_first_flight_is_taken_before_the_keys_only() {
    assert!(only(&header(22, VERSION_1_0, 0, 0), 0).is_ok());
    assert_eq!(only(&header(22, VERSION_1_0, 1, 0), 0), Err(MalformedRecord::Version(VERSION_1_0)));
    assert_eq!(only(&header(22, 0x0303, 0, 0), 0), Err(MalformedRecord::Version(0x0303)));
}

#[test]
fn an_unknown_type_is_malformed() {
    for byte in (0..=255_u8).filter(|byte| ![20, 21, 22, 23, 25].contains(byte)) {
        let bytes = header(byte, VERSION_1_2, 1, 0);
        assert_eq!(only(&bytes, 4), Err(MalformedRecord::ContentType(byte)));
    }
}

#[test]
fn a_connection_id_means_nothing_before_the_keys_or_where_none_was_given() {
    let mut bytes = header(25, VERSION_1_2, 0, 0);
    bytes.extend([0; 8]);
    assert_eq!(only(&bytes, 4), Err(MalformedRecord::ContentType(25)));
    bytes[4] = 1;
    assert_eq!(only(&bytes, 0), Err(MalformedRecord::ContentType(25)));
    assert!(only(&bytes, 4).is_ok());
}

#[test]
fn lengths_are_bounded() {
    let with = |epoch, length: u16| {
        let mut bytes = header(23, VERSION_1_2, epoch, length);
        bytes.resize(HEADER_LEN + usize::from(length), 0);
        records(&bytes, 0).next().unwrap().map(|record| record.fragment.len())
    };
    assert_eq!(with(0, 16384), Ok(16384));
    assert_eq!(with(0, 16385), Err(MalformedRecord::TooLong(16385)));
    assert_eq!(with(1, 18432), Ok(18432));
    assert_eq!(with(1, 18433), Err(MalformedRecord::TooLong(18433)));
}

#[test]
fn what_does_not_fit_is_not_written() {
    let mut out = Vec::new();
    let long = vec![0; PLAINTEXT_MAX + 1];
    let written = write_plaintext(ContentType::Alert, 0, &long, &mut out);
    assert_eq!(written, Err(Unsealable::Plaintext(16385)));
    let written = write_plaintext(ContentType::Alert, SEQUENCE_MAX + 1, &[], &mut out);
    assert_eq!(written, Err(Unsealable::SequenceExhausted));
    let written =
        write_header(ContentType::ConnectionId, VERSION_1_2, 1, 0, &[0; 256], 0, &mut out);
    assert_eq!(written, Err(Unsealable::ConnectionId(256)));
    assert!(out.is_empty());
}

proptest! {
    #[test]
    fn an_arbitrary_datagram_gives_only_records_inside_it(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        cid_len in 0..300_usize,
    ) {
        let mut at = 0;
        for record in records(&bytes, cid_len).flatten() {
            prop_assert_eq!(record.bytes, &bytes[at..at + record.bytes.len()]);
            at += record.bytes.len();
        }
    }

    #[test]
    fn a_damaged_datagram_never_panics(
        mut flips in prop::collection::vec((0..80_usize, any::<u8>()), 0..4),
        cut in 0..80_usize,
    ) {
        let mut out = Vec::new();
        write_plaintext(ContentType::Handshake, 0, &[7; 20], &mut out).unwrap();
        write_header(ContentType::ConnectionId, VERSION_1_2, 1, 7, &CID, 20, &mut out).unwrap();
        out.extend([8; 20]);
        for (at, byte) in flips.drain(..) {
            if let Some(slot) = out.get_mut(at) { *slot = byte; }
        }
        out.truncate(cut);
        prop_assert!(records(&out, 4).count() <= 6);
    }

    #[test]
    fn what_is_written_is_read(
        sequence in 0..=SEQUENCE_MAX,
        fragment in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let mut out = Vec::new();
        write_plaintext(ContentType::ApplicationData, sequence, &fragment, &mut out).unwrap();
        let record = only(&out, 0).unwrap();
        prop_assert_eq!((record.sequence, record.fragment), (sequence, &fragment[..]));
    }
}
