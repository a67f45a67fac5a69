use super::*;
use crate::record::{decode, encode};
use crate::windows::BootId;
use crate::{Board, Fingerprint, KeyId, Keyring, Quota, Resumption, SEAL_OVERHEAD};
use crate::{SealingKey, Secret, Store};
use crate::{Tenant, TenantState, UnixSeconds};

const BOOT: BootId = BootId([1; 16]);

fn keyring() -> Keyring {
    Keyring::new((KeyId::FIRST, SealingKey::new([9; 32])), SealingKey::new([8; 32]))
}

fn session(board: &str, generation: u8) -> Session {
    Session {
        generation: generation_of(&[6; 16], generation),
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
    /// A store with the boards that sessions are made for here.
    fn new() -> Self {
        let rig = Self { dir: tempfile::tempdir().unwrap() };
        let store = rig.store();
        let id = "acme".parse().unwrap();
        let (name, state) = (String::from("Acme"), TenantState::Active);
        let (created, quota) = (UnixSeconds(1), Quota::default());
        let tenant = Tenant { id, name, state, created, issuer: None, quota };
        store.tenants().put(&tenant).unwrap();
        for board in ["CB-1", "CB-2"] {
            let board = Board::new(board.parse().unwrap(), tenant.id.clone(), created);
            store.boards().put(&board).unwrap();
        }
        rig
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.dir.path().join("store").join(name)
    }

    fn store(&self) -> Store {
        Store::open(&self.path("")).unwrap()
    }

    fn open(&self) -> Sessions {
        self.store().sessions(&keyring(), BOOT).unwrap()
    }

    /// The same after the machine has failed.
    fn open_after_power_failure(&self) -> Sessions {
        self.store().sessions(&keyring(), BootId([2; 16])).unwrap()
    }

    /// Changes the bytes of a slot's record behind everybody's back.
    fn spoil(&self, slot: Slot) {
        let mut bytes = std::fs::read(self.path("sessions")).unwrap();
        bytes[4096 + 512 * slot.number() as usize + 100] ^= 1;
        std::fs::write(self.path("sessions"), bytes).unwrap();
    }
}

fn of_board(sessions: &Sessions, board: &str) -> Option<Slot> {
    sessions.0.slot_of(&board.parse().unwrap()).unwrap()
}

fn put(sessions: &Sessions, session: &Session) -> (Lease, Option<Slot>) {
    let lease = sessions.take().unwrap();
    lease.write(&Window { generation: session.generation, ..Window::default() }).unwrap();
    let before = sessions.put(&lease, session, None).unwrap();
    (lease, before)
}

#[test]
fn a_session_is_found_by_slot_by_board_and_by_session_id() {
    let rig = Rig::new();
    let sessions = rig.open();
    let stored = session("CB-1", 1);
    let (lease, _) = put(&sessions, &stored);
    assert_eq!(sessions.find(lease.slot()).unwrap(), Some(stored.clone()));
    assert_eq!(of_board(&sessions, "CB-1"), Some(lease.slot()));
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
    newer.generation = generation_of(&[1; 16], 2);
    let (lease, before) = put(&sessions, &newer);
    assert_eq!(before, Some(old_slot));
    assert_eq!(sessions.find(old_slot).unwrap(), None);
    assert_eq!(sessions.window(old_slot).unwrap().generation, 0);
    assert_eq!(sessions.count(), 1);
    assert_eq!(of_board(&sessions, "CB-1"), Some(lease.slot()));
    assert_eq!(sessions.resumable(&[6; 16]).unwrap(), None, "the older one's id leads nowhere");
}

#[test]
fn a_session_that_is_just_being_stored_anew_is_found_all_the_while() {
    let rig = Rig::new();
    let sessions = rig.open();
    let (mut held, _) = put(&sessions, &session("CB-1", 1));
    std::thread::scope(|threads| {
        let storing = threads.spawn(|| {
            for number in 0..3000_u16 {
                let [.., own] = number.to_be_bytes();
                held = put(&sessions, &session("CB-1", own.max(1))).0;
            }
        });
        while !storing.is_finished() {
            assert!(sessions.resumable(&[6; 16]).unwrap().is_some());
        }
    });
}

#[test]
fn a_session_resumed_under_the_same_id_keeps_it() {
    let rig = Rig::new();
    let sessions = rig.open();
    let (old, _) = put(&sessions, &session("CB-1", 1));
    let (new, _) = put(&sessions, &session("CB-1", 2));
    drop(old);
    assert_eq!(sessions.resumable(&[6; 16]).unwrap().unwrap().generation & 0xFF, 2);
    assert!(sessions.find(new.slot()).unwrap().is_some());
}

#[test]
fn only_the_generation_that_is_meant_is_changed_or_removed() {
    let rig = Rig::new();
    let sessions = rig.open();
    let stored = session("CB-1", 5);
    let (lease, _) = put(&sessions, &stored);
    let (slot, meant) = (lease.slot(), stored.generation);
    assert!(!sessions.change(slot, meant - 1, |session| session.open = false).unwrap());
    assert!(sessions.change(slot, meant, |session| session.open = false).unwrap());
    assert!(!sessions.find(slot).unwrap().unwrap().open);
    assert!(!sessions.remove(slot, meant - 1).unwrap());
    assert!(sessions.remove(slot, meant).unwrap());
    assert_eq!((sessions.find(slot).unwrap(), sessions.count()), (None, 0));
    assert_eq!(of_board(&sessions, "CB-1"), None);
}

#[test]
fn a_board_takes_its_session_along_whether_sessions_are_open_or_not() {
    for are_open in [true, false] {
        let rig = Rig::new();
        let sessions = rig.open();
        put(&sessions, &session("CB-1", 1));
        put(&sessions, &session("CB-2", 2));
        sessions.flush().unwrap();
        let store = Store { inner: Arc::clone(&sessions.0.inner), _building: None };
        let sessions = are_open.then_some(sessions);
        assert!(store.boards().remove(&"CB-1".parse().unwrap()).unwrap());
        assert_eq!(store.check(|_| {}).unwrap().problems, []);
        drop((store, sessions));
        let sessions = rig.open();
        assert_eq!(sessions.count(), 1, "{are_open}");
        assert!(of_board(&sessions, "CB-2").is_some());
    }
}

#[test]
fn a_board_that_is_gone_has_no_session_any_more() {
    let rig = Rig::new();
    let sessions = rig.open();
    let lease = sessions.take().unwrap();
    lease.write(&Window { generation: 1, ..Window::default() }).unwrap();
    let refused = sessions.put(&lease, &session("CB-9", 1), None).unwrap_err();
    assert_eq!(refused.to_string(), "there is no board CB-9");
    assert_eq!((sessions.find(lease.slot()).unwrap(), sessions.count()), (None, 0));
}

#[test]
fn a_boards_session_stays_whatever_is_changed_about_the_board() {
    let rig = Rig::new();
    let sessions = rig.open();
    let slot = put(&sessions, &session("CB-1", 1)).0.slot();
    let store = Store { inner: Arc::clone(&sessions.0.inner), _building: None };
    let id: BoardId = "CB-1".parse().unwrap();
    let mut board = store.boards().change(&id, |board| board.created = UnixSeconds(2)).unwrap();
    store.boards().mark_seen(&[(id, UnixSeconds(3))]).unwrap();
    store.boards().put(&board.take().unwrap()).unwrap();
    assert_eq!(of_board(&sessions, "CB-1"), Some(slot));
    // Only in a backup it is not.
    let mut backup = Vec::new();
    store.backup(UnixSeconds(1), "0.1.0", &mut backup, |_| {}).unwrap();
    put(&sessions, &session("CB-1", 2));
    let mut later = Vec::new();
    store.backup(UnixSeconds(1), "0.1.0", &mut later, |_| {}).unwrap();
    assert_eq!(backup, later);
}

#[test]
fn where_a_board_names_anothers_session_that_one_is_left_alone() {
    let rig = Rig::new();
    let sessions = rig.open();
    let slot = put(&sessions, &session("CB-2", 1)).0.slot();
    // As a kill between a record and the database's next flush leaves it.
    sessions.0.inner.point(&"CB-1".parse().unwrap(), Some(slot)).unwrap();
    assert_eq!(put(&sessions, &session("CB-1", 2)).1, None);
    assert_eq!(sessions.find(slot).unwrap().unwrap().board.as_str(), "CB-2");
    assert_eq!(sessions.count(), 2);
}

#[test]
fn a_record_that_does_not_open_is_a_session_lost_and_makes_room_for_the_next() {
    let rig = Rig::new();
    let sessions = rig.open();
    let slot = put(&sessions, &session("CB-1", 1)).0.slot();
    rig.spoil(slot);
    let error = sessions.find(slot).unwrap_err();
    assert!(matches!(error, StoreError::Sealed { .. }), "{error}");
    assert!(sessions.resumable(&[6; 16]).is_err() && sessions.0.inner.health.failure().is_none());
    assert_eq!(put(&sessions, &session("CB-1", 2)).1, Some(slot));
    assert_eq!((sessions.find(slot).unwrap(), sessions.count()), (None, 1));
}

#[test]
fn after_a_power_failure_what_does_not_open_is_dropped_and_what_led_to_the_rest_is_put_right() {
    let rig = Rig::new();
    let sessions = rig.open();
    let mut named = session("CB-1", 1);
    named.name = SessionName::Address("192.0.2.1:5".parse().unwrap());
    let kept = put(&sessions, &named).0.slot();
    let spoilt = put(&sessions, &session("CB-2", 2)).0.slot();
    // Another of the first board's, whose handshake was not over, and one of nobody.
    let half = put(&sessions, &session("CB-2", 3)).0.slot();
    sessions.0.write(half, &session("CB-1", 3)).unwrap();
    let nobodys = sessions.take().unwrap().slot();
    sessions.0.write(nobodys, &session("CB-9", 4)).unwrap();
    sessions.0.write(spoilt, &session("CB-2", 2)).unwrap();
    sessions.flush().unwrap();
    sessions.0.by_address.clear().unwrap();
    sessions.0.inner.flush().unwrap();
    drop(sessions);
    rig.spoil(spoilt);
    let sessions = rig.open_after_power_failure();
    assert_eq!(sessions.count(), 1);
    for gone in [spoilt, half, nobodys] {
        assert_eq!(sessions.find(gone).unwrap(), None);
    }
    assert_eq!(sessions.by_address().next().unwrap().unwrap().1, kept);
    assert!(sessions.resumable(&[6; 16]).unwrap().is_some());

    // Its board says that there is none: the record knows better.
    sessions.0.inner.point(&"CB-1".parse().unwrap(), None).unwrap();
    sessions.flush().unwrap();
    drop(sessions);
    let sessions = rig.store().sessions(&keyring(), BootId([3; 16])).unwrap();
    assert_eq!((of_board(&sessions, "CB-1"), sessions.count()), (Some(kept), 1));
}

#[test]
fn without_their_file_there_are_no_sessions_and_no_slots_of_theirs() {
    let rig = Rig::new();
    put(&rig.open(), &session("CB-1", 1));
    std::fs::remove_file(rig.path("sessions")).unwrap();
    assert_eq!(rig.open().count(), 0);
}

#[test]
fn forgotten_sessions_are_gone_and_others_begin() {
    let rig = Rig::new();
    let store = rig.store();
    let slot = put(&store.sessions(&keyring(), BOOT).unwrap(), &session("CB-1", 1)).0.slot();
    store.forget_sessions().unwrap();
    let anew = store.sessions(&keyring(), BOOT).unwrap();
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
    sessions.remove(leases[0].slot(), generation_of(&[6; 16], 1)).unwrap();
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
    std::fs::remove_file(rig.path("windows")).unwrap();
    let sessions = rig.open();
    assert_eq!(sessions.count(), 1);
    assert_ne!(sessions.take().unwrap().slot(), slot);
    assert!(sessions.find(slot).unwrap().is_some());
}

#[test]
fn a_whole_session_takes_at_most_300_bytes_of_its_sector() {
    let record = encode(&session("CB-12345678901234", 1)).unwrap();
    let all = 2 + SEAL_OVERHEAD + record.len();
    assert!(all <= 300, "{all}");
}

#[test]
fn the_largest_session_there_can_be_is_kept_if_need_be_without_what_would_resume_it() {
    let rig = Rig::new();
    let sessions = rig.open();
    let store = Store { inner: Arc::clone(&sessions.0.inner), _building: None };
    let mut largest = session(&"B".repeat(32), 255);
    let mut board = Board::new(largest.board.clone(), "acme".parse().unwrap(), UnixSeconds(1));
    board.labels.insert(String::from("site"), String::from("roof"));
    store.boards().put(&board).unwrap();
    let address = "[ffff:ffff::ffff]:65535".parse().unwrap();
    largest.tenant = "t".repeat(32).parse().unwrap();
    (largest.not_after, largest.authenticated) = (UnixSeconds(u64::MAX), UnixSeconds(u64::MAX));
    (largest.name, largest.peer) = (SessionName::Address(address), address);
    (largest.write_floor, largest.suite) = (u64::MAX, u16::MAX);
    for (length, is_resumable) in [(193, true), (194, false), (255, false)] {
        largest.write_cid = vec![7; length];
        let (lease, _) = put(&sessions, &largest);
        let found = sessions.find(lease.slot()).unwrap().unwrap();
        assert_eq!(found.resumption.is_some(), is_resumable, "{length}");
        assert_eq!(Session { resumption: largest.resumption.clone(), ..found }, largest);
    }
}

#[test]
fn a_sessions_bytes_are_frozen() {
    let mut plain = session("CB-1", 1);
    plain.resumption = None;
    plain.generation = 1;
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
