use super::*;
use crate::SealingKey;
use proptest::prelude::*;

struct Rig {
    dir: tempfile::TempDir,
}

impl Rig {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    fn path(&self) -> std::path::PathBuf {
        self.dir.path().join("sessions")
    }

    fn open(&self) -> SealedFile {
        SealedFile::open(&self.path(), keyring()).unwrap()
    }

    /// Changes the file's bytes behind everybody's back.
    fn spoil(&self, change: impl FnOnce(&mut Vec<u8>)) {
        let mut bytes = std::fs::read(self.path()).unwrap();
        change(&mut bytes);
        std::fs::write(self.path(), bytes).unwrap();
    }
}

fn keyring() -> Keyring {
    Keyring::new((KeyId::FIRST, SealingKey::new([9; 32])), SealingKey::new([8; 32]))
}

fn slot(number: u32) -> Slot {
    Slot::new(number).unwrap()
}

fn put(file: &SealedFile, number: u32, record: &[u8]) {
    file.make_room(slot(number)).unwrap();
    file.write(slot(number), record).unwrap();
}

fn read(file: &SealedFile, number: u32) -> Option<Vec<u8>> {
    file.read(slot(number)).unwrap().map(|record| record.to_vec())
}

fn all(file: &SealedFile) -> Vec<(u32, Option<Vec<u8>>)> {
    let mut found = Vec::new();
    let each = file.each(std::convert::identity, |slot, record| {
        found.push((slot.number(), record.ok().map(|record| record.to_vec())));
        Ok(())
    });
    each.unwrap();
    found
}

#[test]
fn a_record_is_read_back_until_it_is_removed_and_its_slot_can_be_used_again() {
    let rig = Rig::new();
    let file = rig.open();
    assert!(file.is_new());
    put(&file, 5, b"one");
    drop(file);
    let file = rig.open();
    assert!(!file.is_new());
    assert_eq!((read(&file, 5), read(&file, 4)), (Some(b"one".to_vec()), None));
    file.remove(slot(5)).unwrap();
    assert_eq!((read(&file, 5), all(&file)), (None, vec![]));
    put(&file, 5, b"two");
    assert_eq!(all(&file), [(5, Some(b"two".to_vec()))]);
    file.sync().unwrap();
}

#[test]
fn the_longest_record_fits_into_one_sector_and_one_more_byte_is_refused() {
    let rig = Rig::new();
    let file = rig.open();
    put(&file, 0, &[1; RECORD_MAX]);
    assert_eq!(read(&file, 0), Some(vec![1; RECORD_MAX]));
    let refused = file.write(slot(0), &[1; RECORD_MAX + 1]).unwrap_err();
    assert!(
        matches!(refused, SealedError::File(error) if error.kind() == io::ErrorKind::InvalidInput)
    );
    assert_eq!(offset_of(7) % 512, 0);
}

#[test]
fn another_slots_bytes_do_not_open_here() {
    let rig = Rig::new();
    let file = rig.open();
    put(&file, 1, b"one");
    put(&file, 2, b"two");
    rig.spoil(|bytes| bytes.copy_within(4096 + 512..4096 + 1024, 4096 + 1024));
    let refused = file.read(slot(2)).unwrap_err();
    assert!(refused.to_string().contains("does not open"), "{refused}");
    assert_eq!(all(&file), [(1, Some(b"one".to_vec())), (2, None)]);
}

#[test]
fn behind_the_files_end_there_is_no_session() {
    let rig = Rig::new();
    let file = rig.open();
    put(&file, 3, b"three");
    rig.spoil(|bytes| bytes.truncate(4096 + 3 * 512 + 20));
    assert!(file.read(slot(3)).is_err(), "cut through");
    assert_eq!(read(&file, 4000), None);
    // What is left of the slot is room no more, and grown over.
    let file = rig.open();
    assert_eq!(all(&file), []);
    put(&file, 3, b"again");
    assert_eq!(read(&rig.open(), 3), Some(b"again".to_vec()));
}

#[test]
fn a_file_of_something_else_is_refused_and_one_that_was_never_finished_is_not() {
    let rig = Rig::new();
    std::fs::write(rig.path(), [b'x'; 600]).unwrap();
    let refused = SealedFile::open(&rig.path(), keyring()).map(drop).unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::InvalidData);
    std::fs::write(rig.path(), [0; 3]).unwrap();
    assert!(rig.open().is_new());
}

#[test]
fn a_disk_without_room_shows_before_a_slot_is_used() {
    // Every write to this device is refused for want of room.
    let file = File::options().read(true).write(true).open("/dev/full").unwrap();
    let full = SealedFile { file, keyring: keyring(), room: Mutex::new(0), is_new: true };
    assert_eq!(full.make_room(slot(0)).unwrap_err().kind(), io::ErrorKind::StorageFull);
    assert_eq!(*full.room.lock().unwrap(), 0);
}

#[test]
fn a_survey_sees_the_form_without_the_key() {
    let rig = Rig::new();
    let file = rig.open();
    put(&file, 0, b"zero");
    put(&file, 1, b"one");
    rig.spoil(|bytes| bytes[4096 + 512 + 2] = 9);
    let mut seen = Vec::new();
    survey(&rig.path(), |slot, bytes, form| seen.push((slot.number(), bytes, form))).unwrap();
    let unknown = Err(SealError::UnknownVersion { found: 9 });
    assert_eq!(seen, [(0, SEAL_OVERHEAD + 4, Ok(KeyId::FIRST)), (1, SEAL_OVERHEAD + 3, unknown)]);
    survey(&rig.dir.path().join("missing"), |_, _, _| panic!("nothing is there")).unwrap();
}

#[test]
fn the_bytes_around_a_record_are_frozen() {
    let rig = Rig::new();
    put(&rig.open(), 1, b"gold");
    let bytes = std::fs::read(rig.path()).unwrap();
    assert_eq!(bytes.len(), 4096 + 1024 * 512);
    assert_eq!(bytes[..16], *b"hubses\0\x01\0\0\0\0\0\0\0\0");
    let at = 4096 + 512;
    assert_eq!(bytes[at..at + 5], [39, 0, 2, 0, 1]);
    let sealed = &bytes[at + 2..at + 41];
    let opened = keyring().open(&[b"sessions", &[0, 0, 0, 1]], sealed);
    assert_eq!(**opened.unwrap(), *b"gold");
    assert!(bytes[at + 41..].iter().all(|byte| *byte == 0));
}

#[test]
fn a_record_of_a_hub_before_data_keys_opens_under_the_first() {
    let rig = Rig::new();
    put(&rig.open(), 1, b"new");
    let sealed = SealingKey::new([9; 32]).seal(&[b"sessions", &[0, 0, 0, 1]], b"gold").unwrap();
    rig.spoil(|bytes| {
        let at = 4096 + 512;
        bytes[at..at + 2].copy_from_slice(&[37, 0]);
        bytes[at + 2..at + 39].copy_from_slice(&sealed);
    });
    let keyring = keyring();
    let file = SealedFile::open(&rig.path(), keyring.clone()).unwrap();
    assert_eq!(read(&file, 1), Some(b"gold".to_vec()));
    assert_eq!(file.under_older_keys(0).unwrap(), (vec![], Some(SCAN)));
    keyring.add(KeyId(2), SealingKey::new([7; 32]));
    assert_eq!(read(&file, 1), Some(b"gold".to_vec()));
    put(&file, 2, b"new");
    assert_eq!(file.under_older_keys(0).unwrap().0, [slot(1)]);
    assert_eq!(file.under_older_keys(1024 - SCAN).unwrap(), (vec![], None));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 64, ..Default::default() })]

    #[test]
    fn a_torn_or_spoilt_record_is_an_error_or_as_it_was(
        old in prop::collection::vec(any::<u8>(), 0..RECORD_MAX),
        new in prop::collection::vec(any::<u8>(), 0..RECORD_MAX),
        cut in 0..512_usize,
        flips in prop::collection::vec((0..512_usize, 0..8_u8), 0..3),
    ) {
        let rig = Rig::new();
        let file = rig.open();
        put(&file, 2, &old);
        let at = 4096 + 2 * 512;
        let before = std::fs::read(rig.path()).unwrap()[at..at + 512].to_vec();
        put(&file, 2, &new);
        rig.spoil(|bytes| {
            // The beginning is the new record's, the rest the old one's.
            bytes[at + cut..at + 512].copy_from_slice(&before[cut..]);
            for (byte, bit) in flips {
                bytes[at + byte] ^= 1 << bit;
            }
        });
        if let Ok(Some(record)) = file.read(slot(2)) {
            prop_assert!(*record == old || *record == new);
        }
    }

    #[test]
    fn slots_hold_what_was_written_last(
        steps in prop::collection::vec((0..6_u32, prop::option::of(any::<[u8; 9]>())), 0..40),
    ) {
        let rig = Rig::new();
        let file = rig.open();
        let mut model = std::collections::BTreeMap::new();
        for (number, record) in steps {
            match record {
                Some(record) => {
                    put(&file, number, &record);
                    model.insert(number, Some(record.to_vec()));
                }
                None => {
                    file.make_room(slot(number)).unwrap();
                    file.remove(slot(number)).unwrap();
                    model.remove(&number);
                }
            }
        }
        prop_assert_eq!(all(&rig.open()), model.into_iter().collect::<Vec<_>>());
    }
}
