//! Records: anything is parsed and opened without harm, what was sealed opens, and what was
//! changed on the way does not.
#![no_main]

use libfuzzer_sys::fuzz_target;
use surface::link::cipher::{DirectionKey, Suite};
use surface::link::record::{ContentType, Record, SEQUENCE_MAX, records};

const SUITES: [Suite; 3] =
    [Suite::EcdheEcdsaAes128GcmSha256, Suite::EcdheEcdsaAes128Ccm, Suite::EcdheEcdsaAes128Ccm8];

fuzz_target!(|data: &[u8]| {
    let Some((&choice, bytes)) = data.split_first() else { return };
    let suite = SUITES[usize::from(choice) % SUITES.len()];
    let key = DirectionKey::new(suite, &[7; 16], &[9; 4]);
    let cid_len = usize::from(choice >> 4) % 9;
    from_outside(&key, bytes, cid_len);
    there_and_back(&key, bytes, cid_len, choice);
});

fn from_outside(key: &DirectionKey, datagram: &[u8], cid_len: usize) {
    let (mut used, mut plaintext) = (0, Vec::new());
    for record in records(datagram, cid_len) {
        let Ok(record) = record else { continue };
        // Records lie one behind the other, and a record is its header and its fragment.
        assert_eq!(record.bytes, &datagram[used..used + record.bytes.len()]);
        assert!(record.bytes.ends_with(record.fragment));
        assert!(record.sequence <= SEQUENCE_MAX);
        let is_cid = record.content_type == ContentType::ConnectionId;
        assert_eq!(record.cid.len(), if is_cid { cid_len } else { 0 });
        used += record.bytes.len();
        match key.open(&record, &mut plaintext) {
            Ok(_) => assert!(plaintext.len() < record.fragment.len()),
            Err(_) => assert!(plaintext.is_empty(), "nothing unauthenticated comes out"),
        }
    }
}

fn there_and_back(key: &DirectionKey, plaintext: &[u8], cid_len: usize, choice: u8) {
    let cid = vec![0xC1; cid_len];
    let sequence = u64::from(choice) << 40 | plaintext.len() as u64;
    let mut sealed = Vec::new();
    let done = key.seal(ContentType::ApplicationData, 1, sequence, &cid, plaintext, &mut sealed);
    if done.is_err() {
        assert!(sealed.is_empty());
        return;
    }
    let mut opened = Vec::new();
    let record = only(&sealed, cid_len).expect("one whole record");
    assert_eq!(key.open(&record, &mut opened), Ok(ContentType::ApplicationData));
    assert_eq!(opened, plaintext);

    // One bit changed anywhere after the length: header and fragment are authenticated.
    let at = plaintext.iter().fold(0_usize, |at, &byte| at.wrapping_mul(31) ^ usize::from(byte));
    let at = at % (sealed.len() * 8);
    sealed[at / 8] ^= 1 << (at % 8);
    if let Some(changed) = only(&sealed, cid_len) {
        assert!(key.open(&changed, &mut opened).is_err(), "bit {at} was not missed");
    }
}

fn only(datagram: &[u8], cid_len: usize) -> Option<Record<'_>> {
    let record = records(datagram, cid_len).next()?.ok()?;
    (record.bytes.len() == datagram.len()).then_some(record)
}
