use super::*;
use proptest::prelude::*;

const MONDAY: BootId = BootId([1; 16]);
const TUESDAY: BootId = BootId([2; 16]);

struct Rig {
    dir: tempfile::TempDir,
}

impl Rig {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    fn open(&self, boot: BootId) -> (Windows, Past) {
        Windows::open(&self.dir.path().join("windows"), boot).unwrap()
    }
}

fn window(next: u64) -> Window {
    Window { generation: 7, next, received: 0b1011, write_limit: 64 + next, trust: Trust::Yes }
}

fn untrusted(next: u64) -> Window {
    Window { trust: Trust::No, ..window(next) }
}

/// The slot of a session of the store's that has written `window`, and is awake.
fn stored(windows: &Windows, window: &Window) -> Lease {
    let lease = windows.take().unwrap();
    lease.write(window).unwrap();
    windows.keep(lease.slot(), window.generation).unwrap();
    lease
}

/// The same, in a hub that is killed: `mem::forget` is as near to a kill as one process comes.
fn killed(windows: Windows, window: &Window) -> Slot {
    let lease = stored(&windows, window);
    let slot = lease.slot();
    std::mem::forget((windows, lease));
    slot
}

#[test]
fn what_was_written_is_there_after_the_hub_died() {
    let rig = Rig::new();
    let slot = killed(rig.open(MONDAY).0, &window(9));
    let (windows, past) = rig.open(MONDAY);
    assert_eq!(past, Past::Known);
    assert_eq!(windows.read(slot).unwrap(), window(9));
    assert_eq!(windows.count(), 1);
    assert_ne!(windows.take().unwrap().slot(), slot);
}

#[test]
fn after_a_power_failure_a_slot_is_untrusted_until_it_is_written_again() {
    let rig = Rig::new();
    let slot = killed(rig.open(MONDAY).0, &window(9));
    let (windows, past) = rig.open(TUESDAY);
    assert_eq!(past, Past::Lost);
    assert_eq!(windows.read(slot).unwrap(), untrusted(9));
    windows.rebuild([(slot, 7)]).unwrap();
    let lease = windows.lease(slot).unwrap();
    lease.write(&window(10)).unwrap();
    assert_eq!(windows.read(slot).unwrap(), window(10));
    std::mem::forget((windows, lease));
    // The hub dies and starts again on the same boot: trust does not come back by itself, nor go.
    let (windows, past) = rig.open(TUESDAY);
    assert_eq!(past, Past::Known);
    assert_eq!(windows.read(slot).unwrap(), window(10));
}

#[test]
fn a_second_power_failure_does_not_bring_back_trust_in_what_the_first_one_spoilt() {
    let rig = Rig::new();
    let slot = killed(rig.open(MONDAY).0, &window(9));
    let (windows, _) = rig.open(TUESDAY);
    windows.rebuild([(slot, 7)]).unwrap();
    windows.close().unwrap();
    drop(windows);
    let (windows, past) = rig.open(MONDAY);
    assert_eq!(past, Past::Known);
    assert_eq!(windows.read(slot).unwrap(), untrusted(9));
}

#[test]
fn what_was_closed_cleanly_is_believed_after_any_boot() {
    let rig = Rig::new();
    let (windows, _) = rig.open(MONDAY);
    let slot = stored(&windows, &window(3)).slot();
    windows.close().unwrap();
    drop(windows);
    let (windows, past) = rig.open(TUESDAY);
    assert_eq!(past, Past::Known);
    assert_eq!(windows.read(slot).unwrap(), window(3));
}

#[test]
fn a_slot_has_one_holder_and_is_free_when_nobody_owns_it() {
    let rig = Rig::new();
    let (windows, _) = rig.open(MONDAY);
    let lease = windows.take().unwrap();
    let slot = lease.slot();
    lease.write(&window(1)).unwrap();
    assert!(windows.lease(slot).is_none(), "nobody stored a session there");
    windows.keep(slot, 7).unwrap();
    assert!(windows.lease(slot).is_none(), "it is held");
    drop(lease);
    assert_eq!(windows.read(slot).unwrap().generation, 7, "its session sleeps");
    let lease = windows.lease(slot).unwrap();
    windows.forget(slot);
    lease.write(&window(2)).unwrap();
    assert_eq!(windows.count(), 0);
    drop(lease);
    assert_eq!(windows.read(slot).unwrap(), Window::default());
}

#[test]
fn a_session_is_found_by_its_generations_first_bits_as_long_as_it_has_its_slot() {
    let rig = Rig::new();
    let (windows, _) = rig.open(MONDAY);
    let generation = |n: u32| n.wrapping_mul(2_654_435_761) | 1;
    // So many that the table is made anew several times.
    let leases: Vec<_> = (0..5000)
        .map(|n| stored(&windows, &Window { generation: generation(n), ..window(0) }))
        .collect();
    for (lease, n) in leases.iter().zip(0..) {
        assert!(windows.named(generation(n) ^ 0xF0).unwrap().contains(&lease.slot()), "{n}");
    }
    windows.forget(leases[7].slot());
    assert!(!windows.named(generation(7)).unwrap().contains(&leases[7].slot()));
    let slot = leases[4999].slot();
    std::mem::forget((windows, leases));
    assert!(rig.open(MONDAY).0.named(generation(4999)).unwrap().contains(&slot));
}

#[test]
fn a_file_of_something_else_is_refused() {
    let rig = Rig::new();
    let path = rig.dir.path().join("windows");
    std::fs::write(&path, [b'x'; 64]).unwrap();
    let refused = Windows::open(&path, MONDAY).map(drop).unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::InvalidData);
}

#[test]
fn what_a_power_failure_left_is_put_right_once_for_all_starts_after() {
    let rig = Rig::new();
    let gone_slot = killed(rig.open(MONDAY).0, &window(1));
    // The store has a session in a slot behind the end of the file, and none in the first.
    let there = Slot::new(5000).unwrap();
    let (windows, past) = rig.open(TUESDAY);
    assert_eq!(past, Past::Lost);
    windows.rebuild([(there, 5 << 8)]).unwrap();
    std::mem::forget(windows);
    let (windows, past) = rig.open(TUESDAY);
    assert_eq!((past, windows.count()), (Past::Known, 1));
    assert!(windows.keeps(there) && !windows.keeps(gone_slot));
    assert_eq!(windows.read(there).unwrap().trust, Trust::No);
    assert_eq!(windows.named(5 << 8).unwrap(), [there], "its name is known again");
    assert_eq!(windows.take().unwrap().slot(), gone_slot);
}

#[test]
fn an_unproven_session_stays_so_whoever_starts_again() {
    let rig = Rig::new();
    let slot = killed(rig.open(MONDAY).0, &untrusted(5));
    let unproven = Window { trust: Trust::Writes, ..window(5) };
    for _ in 0..2 {
        assert_eq!(rig.open(MONDAY).0.read(slot).unwrap(), unproven);
    }
}

#[test]
fn this_boot_has_a_name() {
    let boot = BootId::of_this_boot().unwrap();
    assert_eq!(boot, BootId::of_this_boot().unwrap());
    assert_ne!(boot, BootId([0; 16]));
}

#[test]
fn the_bytes_of_a_slot_are_frozen() {
    let rig = Rig::new();
    let (windows, _) = rig.open(MONDAY);
    let lease = windows.take().unwrap();
    let window = Window { generation: 1, next: 2, received: 3, write_limit: 4, ..window(0) };
    lease.write(&window).unwrap();
    let file = std::fs::read(rig.dir.path().join("windows")).unwrap();
    let number = |n: u8, width: usize| [vec![n], vec![0; width - 1]].concat();
    let slot = [number(1, 4), number(2, 4), number(2, 8), number(3, 8), number(4, 8)].concat();
    assert_eq!(file[4096..4128], slot);
    let header = [&b"hubwnd\0\x01"[..], &number(2, 4), &number(1, 4), &[1; 16], &[0]].concat();
    assert_eq!(file[..33], header);
}

proptest! {
    /// Any order of taking, storing, waking, letting go and forgetting, against a plain model.
    #[test]
    fn no_slot_ever_has_two_owners(steps in prop::collection::vec((0_u8..5, any::<prop::sample::Index>()), 1..200)) {
        let rig = Rig::new();
        let (windows, _) = rig.open(MONDAY);
        let (mut leases, mut kept): (Vec<Lease>, Vec<Slot>) = (Vec::new(), Vec::new());
        for (step, which) in steps {
            match step {
                0 => {
                    let lease = windows.take().unwrap();
                    prop_assert!(leases.iter().all(|other| other.slot() != lease.slot()));
                    prop_assert!(!kept.contains(&lease.slot()));
                    lease.write(&window(1)).unwrap();
                    leases.push(lease);
                }
                1 if !leases.is_empty() => {
                    let slot = which.get(&leases).slot();
                    windows.keep(slot, 7).unwrap();
                    if !kept.contains(&slot) {
                        kept.push(slot);
                    }
                }
                2 if !leases.is_empty() => {
                    let at = which.index(leases.len());
                    drop(leases.swap_remove(at));
                }
                3 if !kept.is_empty() => {
                    let slot = *which.get(&kept);
                    let held = leases.iter().any(|lease| lease.slot() == slot);
                    let lease = windows.lease(slot);
                    prop_assert_eq!(lease.is_none(), held);
                    leases.extend(lease);
                }
                4 if !kept.is_empty() => {
                    let at = which.index(kept.len());
                    windows.forget(kept.swap_remove(at));
                }
                _ => {}
            }
            prop_assert_eq!(windows.count(), kept.len());
        }
    }
}
