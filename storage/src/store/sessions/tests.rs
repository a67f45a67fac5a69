use super::*;
use crate::record::{decode, encode};
use crate::{Fingerprint, Resumption, SEAL_OVERHEAD, Secret, UnixSeconds};

const BOOT: BootId = BootId([1; 16]);

fn key() -> SealingKey {
    SealingKey::new([9; 32])
}

fn session(board: &str, generation: u32) -> Session {
    Session {
        generation,
        board: board.parse().unwrap(),
        tenant: "acme".parse().unwrap(),
        fingerprint: Fingerprint([3; 32]),
        not_after: UnixSeconds(2_000_000_000),
        authenticated: UnixSeconds(1_700_000_000),
        open: true,
        name: SessionName::ConnectionId([1, 2, 3, 4, 5, 6]),
        write_cid: vec![8; 4],
        peer: "[2001:db8::1]:40000".parse().unwrap(),
        write_floor: 1 << 40,
        suite: 0xC02B,
        keys: Secret([5; 40]),
        resumption: Some(Resumption { id: [6; 16], master: Secret([4; 48]) }),
    }
}

struct Rig {
    dir: tempfile::TempDir,
}

impl Rig {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    fn open(&self) -> Sessions {
        Store::open(&self.dir.path().join("store")).unwrap().sessions(key(), BOOT).unwrap()
    }
}

fn put(sessions: &Sessions, session: &Session) -> (Lease, Option<Slot>) {
    let lease = sessions.take().unwrap();
    lease.write(&Window { generation: session.generation, ..Window::default() }).unwrap();
    let before = sessions.put(&lease, session).unwrap();
    (lease, before)
}

#[test]
fn a_session_is_found_by_slot_by_board_and_by_session_id() {
    let rig = Rig::new();
    let sessions = rig.open();
    let stored = session("CB-1", 1);
    let (lease, _) = put(&sessions, &stored);
    assert_eq!(sessions.find(lease.slot()).unwrap(), Some(stored.clone()));
    assert_eq!(sessions.of_board(&stored.board).unwrap(), Some(lease.slot()));
    assert_eq!(sessions.resumable(&[6; 16]).unwrap(), Some(stored));
    assert_eq!(sessions.resumable(&[7; 16]).unwrap(), None);
}

#[test]
fn a_newer_session_of_a_board_removes_the_older_one() {
    let rig = Rig::new();
    let sessions = rig.open();
    let (old, _) = put(&sessions, &session("CB-1", 1));
    let old_slot = old.slot();
    drop(old);
    let mut newer = session("CB-1", 2);
    newer.resumption.as_mut().unwrap().id = [1; 16];
    let (lease, before) = put(&sessions, &newer);
    assert_eq!(before, Some(old_slot));
    assert_eq!(sessions.find(old_slot).unwrap(), None);
    assert_eq!(sessions.window(old_slot).unwrap().generation, 0);
    assert_eq!(sessions.count(), 1);
    assert_eq!(sessions.of_board(&newer.board).unwrap(), Some(lease.slot()));
    assert_eq!(sessions.resumable(&[6; 16]).unwrap(), None, "the older one's id leads nowhere");
}

#[test]
fn a_session_resumed_under_the_same_id_keeps_it() {
    let rig = Rig::new();
    let sessions = rig.open();
    let (old, _) = put(&sessions, &session("CB-1", 1));
    let (new, _) = put(&sessions, &session("CB-1", 2));
    drop(old);
    assert_eq!(sessions.resumable(&[6; 16]).unwrap().unwrap().generation, 2);
    assert!(sessions.find(new.slot()).unwrap().is_some());
}

#[test]
fn only_the_generation_that_is_meant_is_changed_or_removed() {
    let rig = Rig::new();
    let sessions = rig.open();
    let (lease, _) = put(&sessions, &session("CB-1", 5));
    let slot = lease.slot();
    assert!(!sessions.change(slot, 4, |session| session.open = false).unwrap());
    assert!(sessions.change(slot, 5, |session| session.open = false).unwrap());
    assert!(!sessions.find(slot).unwrap().unwrap().open);
    assert!(!sessions.remove(slot, 4).unwrap());
    assert!(sessions.remove(slot, 5).unwrap());
    assert_eq!((sessions.find(slot).unwrap(), sessions.count()), (None, 0));
    assert_eq!(sessions.of_board(&"CB-1".parse().unwrap()).unwrap(), None);
}

#[test]
fn another_master_key_opens_nothing() {
    let rig = Rig::new();
    let (slot, store) = {
        let store = Store::open(&rig.dir.path().join("store")).unwrap();
        let sessions = store.sessions(key(), BOOT).unwrap();
        (put(&sessions, &session("CB-1", 1)).0.slot(), store)
    };
    let refused = store.sessions(SealingKey::new([1; 32]), BOOT).unwrap_err();
    assert!(matches!(refused, StoreError::OtherMasterKey { .. }), "{refused}");
    store.forget_sessions().unwrap();
    let anew = store.sessions(SealingKey::new([1; 32]), BOOT).unwrap();
    assert_eq!((anew.find(slot).unwrap(), anew.count()), (None, 0));
}

#[test]
fn sessions_known_by_address_are_listed() {
    let rig = Rig::new();
    let sessions = rig.open();
    let addresses = ["192.0.2.1:5", "[2001:db8::7]:65535"].map(|text| text.parse().unwrap());
    let mut expected = Vec::new();
    let leases = addresses.iter().zip(1..).map(|(address, generation)| {
        let mut named = session(&format!("CB-{generation}"), generation);
        named.name = SessionName::Address(*address);
        let (lease, _) = put(&sessions, &named);
        expected.push((*address, lease.slot()));
        lease
    });
    let leases: Vec<_> = leases.collect();
    let mut listed: Vec<_> = sessions.by_address().map(Result::unwrap).collect();
    listed.sort();
    assert_eq!(listed, expected);
    sessions.remove(leases[0].slot(), 1).unwrap();
    assert_eq!(sessions.by_address().count(), 1);
}

#[test]
fn slots_of_stored_sessions_are_not_given_out_after_a_power_failure() {
    let rig = Rig::new();
    let sessions = rig.open();
    let (lease, _) = put(&sessions, &session("CB-1", 1));
    let slot = lease.slot();
    sessions.flush().unwrap();
    drop((lease, sessions));
    // The slots' file did not make it to the disk.
    std::fs::remove_file(rig.dir.path().join("store/windows")).unwrap();
    let sessions = rig.open();
    assert_eq!(sessions.count(), 1);
    assert_ne!(sessions.take().unwrap().slot(), slot);
    assert!(sessions.find(slot).unwrap().is_some());
}

#[test]
fn a_whole_session_takes_at_most_300_bytes() {
    let record = encode(&session("CB-12345678901234", 1)).unwrap();
    let indexes = (17 + 4) + (16 + 4);
    let all = 4 + SEAL_OVERHEAD + record.len() + indexes;
    assert!(all <= 300, "{all}");
}

#[test]
fn a_sessions_bytes_are_frozen() {
    let mut plain = session("CB-1", 1);
    plain.resumption = None;
    plain.name = SessionName::Address("10.0.0.1:9".parse().unwrap());
    plain.peer = "10.0.0.1:9".parse().unwrap();
    let hex: String = encode(&plain).unwrap().iter().map(|byte| format!("{byte:02x}")).collect();
    let golden = [
        "01",
        "01",
        "0443422d31",
        "0461636d65",
        &"03".repeat(32),
        "fc00943577",
        "fc00f15365",
        "01",
        "01000a00000109",
        "0408080808",
        "000a00000109",
        "fd0000000000010000",
        "fb2bc0",
        &"05".repeat(40),
        "00",
    ];
    assert_eq!(hex, golden.concat());
    let bytes = encode(&plain).unwrap();
    assert_eq!(decode::<Session>(&bytes).unwrap(), plain);
}
