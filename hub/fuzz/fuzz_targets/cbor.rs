//! SenML in CBOR: the three readers of a pack agree about any bytes, and every pack written is
//! valid and read back as it was.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wire::{RECORDS_MAX, Reading, Value, encode, readings, validate, well_formed};

fuzz_target!(|data: &[u8]| {
    agree(data);
    written(data);
});

fn agree(pack: &[u8]) {
    let read: Result<Vec<_>, _> = readings(pack).and_then(Iterator::collect);
    match validate(pack) {
        Ok(records) => {
            assert!((1..=RECORDS_MAX).contains(&records));
            assert_eq!(well_formed(pack), Ok(()));
            let read = read.expect("a valid pack is read");
            assert!(read.len() <= records, "a record holds one reading at most");
            for named in read {
                assert!(wire::is_name(named.base_name, named.reading.name));
            }
        }
        Err(malformed) => assert_eq!(read.err(), Some(malformed)),
    }
}

/// The input, cut into pieces, as values to send.
fn written(data: &[u8]) {
    let names = ["seq", "temperature", "a", "0-1:2.3/4_5"];
    let readings_sent: Vec<_> = data
        .chunks(9)
        .filter_map(|chunk| {
            let (&kind, rest) = chunk.split_first()?;
            let mut eight = [0; 8];
            eight[..rest.len()].copy_from_slice(rest);
            let value = match kind % 5 {
                0 => Value::I64(i64::from_be_bytes(eight)),
                1 => Value::F64(f64::from_be_bytes(eight)),
                2 => Value::Bool(kind > 127),
                3 => Value::Text(str::from_utf8(rest).ok()?),
                _ => Value::Data(rest),
            };
            let unit = (kind & 8 != 0).then_some("Cel");
            let time = (kind & 16 != 0).then(|| f64::from(eight[0]));
            Some(Reading { name: names[usize::from(kind >> 6)], unit, value, time })
        })
        .collect();
    let mut out = vec![0; 4 * data.len() + 64];
    let base_time = data.first().map(|byte| 1_700_000_000 + i64::from(*byte));
    let Ok(length) = encode(Some("CB-1/"), base_time, &readings_sent, &mut out) else { return };
    let pack = &out[..length];
    assert_eq!(validate(pack), Ok(readings_sent.len()));
    let read: Vec<_> = readings(pack).unwrap().map(Result::unwrap).collect();
    assert_eq!(read.len(), readings_sent.len());
    for (named, sent) in read.iter().zip(&readings_sent) {
        assert_eq!((named.base_name, named.reading.name), ("CB-1/", sent.name));
        assert_eq!(named.reading.unit, sent.unit);
        assert_eq!(number(named.reading.value), number(sent.value));
    }
}

/// A whole number may come back as a float of the same value, and the other way round.
fn number(value: Value<'_>) -> Result<String, Value<'_>> {
    match value {
        Value::I64(whole) => Ok((whole as f64).to_string()),
        Value::F64(number) => Ok((number + 0.0).to_string()),
        other @ (Value::Bool(_) | Value::Text(_) | Value::Data(_)) => Err(other),
    }
}
