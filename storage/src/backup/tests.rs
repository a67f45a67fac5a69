//! The format: golden bytes, and any bytes at all.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::format::*;

type Trees = BTreeMap<String, BTreeMap<Vec<u8>, Vec<u8>>>;

fn head() -> Head {
    Head { schema: 1, created: 1_700_000_000, hub: String::from("0.1.0") }
}

fn written(trees: &Trees) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new(), &head()).unwrap();
    for (name, records) in trees {
        writer.tree(name).unwrap();
        for (key, value) in records {
            writer.record(key, value).unwrap();
        }
    }
    let (bytes, length) = writer.finish().unwrap();
    assert_eq!(bytes.len() as u64, length);
    bytes
}

fn read(bytes: &[u8]) -> Result<Trees, FormatError> {
    let mut reader = Reader::new(bytes)?;
    assert_eq!(reader.head(), &head());
    let mut trees = Trees::new();
    let mut current = String::new();
    loop {
        match reader.next()? {
            Frame::Tree(name) => {
                name.clone_into(&mut current);
                trees.insert(current.clone(), BTreeMap::new());
            }
            Frame::Record { key, value } => {
                trees.get_mut(&current).unwrap().insert(key.to_vec(), value.to_vec());
            }
            Frame::End { count } => {
                assert_eq!(count, trees.values().map(|records| records.len() as u64).sum::<u64>());
                return Ok(trees);
            }
        }
    }
}

#[test]
fn the_bytes_of_version_1_never_change() {
    let mut trees = Trees::new();
    trees.entry("a".into()).or_default().insert(b"k".to_vec(), b"value".to_vec());
    trees.entry("b/c".into()).or_default();
    let golden = b"CHBACKUP\0\x01\0\0\0\x01\0\0\0\0\x65\x53\xf1\0\x050.1.0\
                   T\x01aR\0\x01\0\0\0\x05kvalueT\x03b/cE\0\0\0\0\0\0\0\x01";
    let bytes = written(&trees);
    assert_eq!(&bytes[..golden.len()], golden);
    use sha2::Digest as _;
    assert_eq!(bytes[golden.len()..], sha2::Sha256::digest(golden)[..]);
    assert_eq!(read(&bytes).unwrap(), trees);
}

#[test]
fn what_is_no_backup_or_a_newer_one_is_told_apart() {
    let bytes = written(&Trees::new());
    for other in [&b""[..], b"short", b"[link]\nlisten = 1", &bytes[1..]] {
        assert!(matches!(read(other), Err(FormatError::NotABackup)), "{other:?}");
    }
    let mut newer = bytes.clone();
    newer[9] = 2;
    assert!(matches!(read(&newer), Err(FormatError::UnknownVersion { found: 2 })));
    let mut longer = bytes;
    longer.push(0);
    assert!(matches!(read(&longer), Err(FormatError::Malformed { .. })));
}

#[test]
fn what_is_too_large_is_refused_on_both_sides() {
    let mut writer = Writer::new(Vec::new(), &head()).unwrap();
    writer.tree("a").unwrap();
    assert!(writer.record(&[0; KEY_MAX + 1], b"").is_err());
    assert!(writer.record(b"", &vec![0; VALUE_MAX + 1]).is_err());
    assert!(writer.tree(&"a".repeat(65)).is_err());
    let begun = written(&Trees::from([(String::from("a"), BTreeMap::new())]));
    // In place of the end: a record that claims four gigabytes.
    let mut bytes = begun[..begun.len() - 41].to_vec();
    bytes.extend_from_slice(b"R\0\0\xff\xff\xff\xff");
    assert!(matches!(read(&bytes), Err(FormatError::Malformed { what: "a record too large", .. })));
}

fn trees() -> impl Strategy<Value = Trees> {
    let bytes = |max| proptest::collection::vec(any::<u8>(), 0..max);
    let records = proptest::collection::btree_map(bytes(9), bytes(40), 0..6);
    proptest::collection::btree_map("[a-z/]{1,9}", records, 0..4)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

    #[test]
    fn what_is_written_is_read_back(trees in trees()) {
        prop_assert_eq!(read(&written(&trees)).unwrap(), trees);
    }

    #[test]
    fn a_backup_cut_short_or_with_a_bit_flipped_is_never_whole(
        trees in trees(),
        at in any::<prop::sample::Index>(),
        bit in 0..8_u8,
    ) {
        let mut bytes = written(&trees);
        let at = at.index(bytes.len());
        prop_assert!(Reader::new(&bytes[..at]).is_err() || read(&bytes[..at]).is_err());
        bytes[at] ^= 1 << bit;
        let flipped = Reader::new(&bytes[..]).and_then(|mut reader| {
            while !matches!(reader.next()?, Frame::End { .. }) {}
            Ok(())
        });
        prop_assert!(flipped.is_err());
    }

    #[test]
    fn any_bytes_are_read_to_an_end(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let begun = [&written(&Trees::new())[..28], &bytes[..]].concat();
        for bytes in [&bytes, &begun] {
            if let Ok(mut reader) = Reader::new(&bytes[..]) {
                while matches!(reader.next(), Ok(Frame::Tree(_) | Frame::Record { .. })) {}
            }
        }
    }
}
