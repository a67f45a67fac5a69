//! The pack format from outside: golden bytes, RFC 8428 examples, and bytes of every kind.
#![expect(clippy::unwrap_used, reason = "a test's failure is its report")]

use proptest::prelude::*;
use wire::{
    EncodeError, MalformedCbor, MalformedPack, Reading, Value, encode, readings, validate,
    well_formed,
};

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
    let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(pair).collect()
}

fn reading<'a>(name: &'a str, unit: Option<&'a str>, value: Value<'a>) -> Reading<'a> {
    Reading { name, unit, value, time: None }
}

#[test]
fn a_telemetry_pack_has_these_bytes_for_ever() {
    let pack = [
        reading("temp", Some("Cel"), Value::F64(21.4375)),
        reading("bat", Some("V"), Value::F64(3.7)),
        Reading { time: Some(-5.0), ..reading("rsrp", Some("dBm"), Value::I64(-97)) },
        reading("door", None, Value::Bool(true)),
        reading("note", None, Value::Text("ok")),
        reading("raw", None, Value::Data(&[1, 2])),
    ];
    let mut out = [0; 256];
    let length = encode(Some("CB-00000007/"), Some(1_700_000_000), &pack, &mut out).unwrap();
    let golden = "86 a5 21 6c 43422d30303030303030372f 22 1a 6553f100 00 64 74656d70 01 63 43656c
        02 fa 41ab8000  a3 00 63 626174 01 61 56 02 fb 400d99999999999a
        a4 00 64 72737270 01 63 64426d 02 38 60 06 24  a2 00 64 646f6f72 04 f5
        a2 00 64 6e6f7465 03 62 6f6b  a2 00 63 726177 08 42 0102";
    assert_eq!(&out[..length], bytes(golden));
    assert_eq!(validate(&out[..length]), Ok(6));
}

#[test]
fn the_example_of_rfc_8428_section_6_is_read_with_its_base_fields_resolved() {
    let pack = bytes(
        "87a721781b75726e3a6465763a6f773a3130653230373361303130383030363a22fb41d303a15b00106223
         614120050067766f6c7461676501615602fb405e066666666666a3006763757272656e74062402fb3ff3333333333333
         a3006763757272656e74062302fb3ff4cccccccccccda3006763757272656e74062202fb3ff6666666666666
         a3006763757272656e74062102f93e00a3006763757272656e74062002fb3ff999999999999a
         a3006763757272656e74060002fb3ffb333333333333",
    );
    assert_eq!(validate(&pack), Ok(7));
    let all: Vec<_> = readings(&pack).unwrap().map(Result::unwrap).collect();
    assert_eq!(all[0].to_string(), "urn:dev:ow:10e2073a0108006:voltage");
    assert_eq!(all[0].reading.unit, Some("V"));
    assert_eq!(all[1].reading.unit, Some("A"));
    assert_eq!(all[4].reading.value, Value::F64(1.5));
    assert_eq!(all[1].reading.time, Some(1.276020076001e9 - 5.0));
}

#[test]
fn a_decimal_fraction_and_an_indefinite_pack_are_senml_too() {
    let pack = bytes("9f bf 00 61 74 02 c4 82 21 19 0859 ff ff");
    let all: Vec<_> = readings(&pack).unwrap().map(Result::unwrap).collect();
    assert_eq!(all[0].reading.value, Value::F64(21.37));
}

#[test]
fn each_broken_rule_is_named() {
    for (pack, malformed) in [
        ("80", MalformedPack::Count),
        ("9fff", MalformedPack::Count),
        ("a0", MalformedPack::NotAnArray),
        ("8100", MalformedPack::NotAMap { record: 0 }),
        ("81a0", MalformedPack::Empty { record: 0 }),
        ("81a1 00 61 74", MalformedPack::Empty { record: 0 }),
        ("81a1 02 01", MalformedPack::Name { record: 0 }),
        ("81a2 00 61 2f 02 01", MalformedPack::Name { record: 0 }),
        ("81a2 00 61 74 02 61 31", MalformedPack::Field { record: 0, label: 2 }),
        ("81a2 00 61 74 02 f97e00", MalformedPack::Field { record: 0, label: 2 }),
        ("81a3 00 61 74 02 01 02 02", MalformedPack::Twice { record: 0 }),
        ("81a3 00 61 74 02 01 04 f5", MalformedPack::Twice { record: 0 }),
        ("81a3 00 61 74 02 01 62 785f 00", MalformedPack::Incompatible { record: 0 }),
        ("81a3 20 0b 00 61 74 02 01", MalformedPack::Incompatible { record: 0 }),
        ("81a3 00 61 74 02 01 f5 00", MalformedPack::Label { record: 0 }),
        ("81a2 00 61 74 02 01 00", MalformedPack::Cbor(MalformedCbor::Trailing(1))),
        ("81a2 00 61 74 02", MalformedPack::Cbor(MalformedCbor::Truncated)),
    ] {
        assert_eq!(validate(&bytes(pack)), Err(malformed), "{pack}");
    }
}

#[test]
fn unknown_labels_are_passed_over_whatever_they_hold() {
    let pack = bytes(
        "81a5 00 61 74 02 01 18 63 9f 82 01 02 ff 62 7878 a1 01 c1 00 1b 7fffffffffffffff 00",
    );
    assert_eq!(validate(&pack), Ok(1));
}

#[test]
fn a_pack_with_a_record_too_many_is_refused() {
    let pack = |records: u16| {
        let mut pack = vec![0x99];
        pack.extend(records.to_be_bytes());
        (0..records).for_each(|_| pack.extend(bytes("a2 00 61 74 02 01")));
        pack
    };
    assert_eq!(validate(&pack(1024)), Ok(1024));
    assert_eq!(validate(&pack(1025)), Err(MalformedPack::Count));
}

#[test]
fn cbor_is_held_to_the_rules_of_rfc_8949() {
    for ok in ["00", "f4", "f8ff", "5f 41 00 ff", "7f 61 61 ff", "bf 00 01 ff", "c1 00", "a0", "80"]
    {
        assert_eq!(well_formed(&bytes(ok)), Ok(()), "{ok}");
    }
    for (broken, malformed) in [
        ("", MalformedCbor::Truncated),
        ("9b ffffffffffffffff", MalformedCbor::Truncated),
        ("bb ffffffffffffffff", MalformedCbor::Truncated),
        ("5b ffffffffffffffff", MalformedCbor::Truncated),
        ("0000", MalformedCbor::Trailing(1)),
        ("ff", MalformedCbor::Invalid(0)),
        ("81ff", MalformedCbor::Invalid(1)),
        ("1f", MalformedCbor::Invalid(0)),
        ("1c", MalformedCbor::Invalid(0)),
        ("df", MalformedCbor::Invalid(0)),
        ("f8 18", MalformedCbor::Invalid(0)),
        ("5f 61 61 ff", MalformedCbor::Invalid(1)),
        ("5f 5f ff ff", MalformedCbor::Invalid(1)),
        ("bf 00 ff", MalformedCbor::Invalid(2)),
        ("61 ff", MalformedCbor::NotText(1)),
    ] {
        assert_eq!(well_formed(&bytes(broken)), Err(malformed), "{broken}");
    }
    assert_eq!(well_formed(&[&[0x81; 16][..], &[0x00]].concat()), Ok(()));
    assert_eq!(well_formed(&[&[0x81; 17][..], &[0x00]].concat()), Err(MalformedCbor::TooDeep));
}

#[test]
fn readings_that_make_no_pack_are_refused_by_name() {
    let ok = reading("t", None, Value::I64(1));
    assert_eq!(encode(None, None, &[], &mut [0; 64]), Err(EncodeError::Count(0)));
    assert_eq!(encode(None, None, &[ok], &mut [0; 4]), Err(EncodeError::NoSpace(4)));
    let nameless = reading("", None, Value::I64(1));
    assert_eq!(encode(None, None, &[ok, nameless], &mut [0; 64]), Err(EncodeError::Name(1)));
    let infinite = reading("t", None, Value::F64(f64::INFINITY));
    assert_eq!(encode(None, None, &[infinite], &mut [0; 64]), Err(EncodeError::NotFinite(0)));
}

fn value() -> impl Strategy<Value = OwnedValue> {
    prop_oneof![
        proptest::num::f64::NORMAL.prop_map(OwnedValue::F64),
        any::<i64>().prop_map(OwnedValue::I64),
        any::<bool>().prop_map(OwnedValue::Bool),
        ".{0,40}".prop_map(OwnedValue::Text),
        proptest::collection::vec(any::<u8>(), 0..40).prop_map(OwnedValue::Data),
    ]
}

#[derive(Clone, Debug)]
enum OwnedValue {
    F64(f64),
    I64(i64),
    Bool(bool),
    Text(String),
    Data(Vec<u8>),
}

/// A whole number is written as an integer, whichever way the caller held it.
fn equal(found: Value<'_>, sent: &OwnedValue) -> bool {
    match (found, sent) {
        (Value::F64(a), OwnedValue::F64(b)) => a.to_bits() == b.to_bits(),
        (Value::I64(a), OwnedValue::F64(b)) => (a as f64).to_bits() == b.to_bits(),
        (Value::I64(a), OwnedValue::I64(b)) => a == *b,
        (Value::Bool(a), OwnedValue::Bool(b)) => a == *b,
        (Value::Text(a), OwnedValue::Text(b)) => a == b,
        (Value::Data(a), OwnedValue::Data(b)) => a == b,
        _ => false,
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let records = validate(&bytes);
        let read = readings(&bytes).map(|all| all.filter(Result::is_ok).count());
        if let (Ok(records), Ok(read)) = (records, read) {
            prop_assert!(read <= records);
        }
        let _ = well_formed(&bytes);
    }

    #[test]
    fn a_flipped_byte_never_panics_and_never_reads_what_does_not_validate(
        at in 0_usize..60, byte in any::<u8>(), cut in 0_usize..80,
    ) {
        let pack = [
            reading("temp", Some("Cel"), Value::F64(21.4375)),
            reading("rsrp", Some("dBm"), Value::I64(-97)),
        ];
        let mut out = [0; 80];
        let length = encode(Some("CB-1/"), Some(1_700_000_000), &pack, &mut out).unwrap();
        out[at % length] = byte;
        let bytes = &out[..length.min(cut)];
        if validate(bytes).is_ok() {
            prop_assert!(readings(bytes).unwrap().all(|found| found.is_ok()));
        }
    }

    #[test]
    fn what_is_encoded_validates_and_reads_back(
        base in "[a-zA-Z0-9][a-z:./_-]{0,10}", time in proptest::option::of(0_i64..1 << 40),
        sent in proptest::collection::vec(("[a-z0-9._/-]{0,12}", value()), 1..20),
    ) {
        let pack: Vec<_> = sent
            .iter()
            .map(|(name, value)| reading(name, None, match value {
                OwnedValue::F64(v) => Value::F64(*v),
                OwnedValue::I64(v) => Value::I64(*v),
                OwnedValue::Bool(v) => Value::Bool(*v),
                OwnedValue::Text(v) => Value::Text(v),
                OwnedValue::Data(v) => Value::Data(v),
            }))
            .collect();
        let mut out = vec![0; 8192];
        let length = encode(Some(&base), time, &pack, &mut out).unwrap();
        prop_assert_eq!(validate(&out[..length]), Ok(sent.len()));
        let found: Vec<_> = readings(&out[..length]).unwrap().map(Result::unwrap).collect();
        prop_assert_eq!(found.len(), sent.len());
        for (found, (name, value)) in found.iter().zip(&sent) {
            prop_assert_eq!(found.to_string(), format!("{base}{name}"));
            prop_assert!(equal(found.reading.value, value));
            prop_assert_eq!(found.reading.time, time.map(|t| t as f64));
        }
    }
}
