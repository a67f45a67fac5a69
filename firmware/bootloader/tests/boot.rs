//! What starts, and what the application is told of it.

mod rig;

use bootloader::Halt;
use image::{Dependency, Event, Magic, Outcome, Refusal, Start, Swap, Trailer};
use rig::{Board, MAP, Pair, Plan, SECTOR};

fn old() -> Vec<u8> {
    Plan::of("1.0.0").signed(&Pair::of(1))
}

fn new() -> Plan {
    Plan::of("2.0.0").counter(2)
}

/// A board that runs 1.0.0 and is asked to run this.
fn asked(image: &[u8], swap: Swap) -> Board {
    let mut board = Board::made(&old());
    assert_eq!(board.version(), "1.0.0");
    board.download(image);
    board.ask(swap);
    board
}

#[track_caller]
fn assert_refused(image: &[u8], refusal: u8) {
    let mut board = asked(image, Swap::Test);
    let record = board.runs().record;
    assert_eq!((record.version.to_string().as_str(), record.start), ("1.0.0", Start::Again));
    let Outcome { number, event, refusal: said, .. } = record.outcome;
    assert_eq!((number, event, said), (1, Event::Refused, refusal));
    assert_eq!(board.trailer(MAP.second).magic, Magic::Unset, "it is not asked for again");
    assert_eq!(board.runs().record.outcome.number, 1);
}

#[test]
fn a_signed_image_is_started_where_its_vectors_are() {
    let launch = Board::made(&old()).runs();
    assert_eq!(launch.vectors, MAP.address + MAP.first.at + 0x80);
    let record = launch.record;
    assert_eq!((record.start, record.security_counter, record.floor), (Start::Again, 1, 1));
    assert_eq!((record.key, record.outcome), (0, Outcome::default()));
}

#[test]
fn without_keys_or_an_image_nothing_is_started() {
    let mut board = Board::made(&old());
    board.flash.put(MAP.protected.at + 9, &[0]);
    assert_eq!(board.start(), Err(Halt::NoKeys));
    let mut board = Board::made(&[]);
    assert_eq!(board.start(), Err(Halt::NoImage(Refusal::NotAnImage)));
    let mut board = Board::made(&Plan::of("1.0.0").signed(&Pair::of(9)));
    assert_eq!(board.start(), Err(Halt::NoImage(Refusal::UnknownKey)));
}

#[test]
fn no_bit_of_the_only_image_can_be_changed() {
    let image = Plan::of("1.0.0").sectors(1).signed(&Pair::of(1));
    let board = Board::made(&image);
    for bit in 0..image.len() * 8 {
        let mut board = board.clone();
        let at = MAP.first.at + u32::try_from(bit / 8).unwrap();
        board.flash.put(at, &[image[bit / 8] ^ 1 << (bit % 8)]);
        assert!(matches!(board.start(), Err(Halt::NoImage(_))), "bit {bit}");
    }
}

#[test]
fn an_update_runs_on_trial_and_stays_once_it_is_confirmed() {
    let mut board = asked(&new().signed(&Pair::of(2)), Swap::Test);
    let record = board.runs().record;
    assert_eq!((record.version.to_string().as_str(), record.start), ("2.0.0", Start::Trial));
    assert_eq!((record.floor, record.key), (1, 1), "an image on trial raises nothing");
    assert_eq!(record.outcome.event, Event::Installed);
    let trailer = board.trailer(MAP.first);
    let expected =
        Trailer { magic: Magic::Good, image_ok: false, copy_done: true, swap: Swap::Test };
    assert_eq!(trailer, expected);
    assert_eq!(Swap::asked(&trailer, &board.trailer(MAP.second)), Swap::Revert);
    board.confirm();
    let record = board.runs().record;
    assert_eq!((record.version.to_string().as_str(), record.start), ("2.0.0", Start::Again));
    assert_eq!((record.outcome.event, record.floor), (Event::Confirmed, 2));
    assert_eq!(board.runs().record.outcome.number, 2);
}

#[test]
fn an_update_that_never_confirms_is_taken_back_as_it_was() {
    let new = new().sectors(5).signed(&Pair::of(1));
    let mut board = asked(&new, Swap::Test);
    assert_eq!(board.runs().record.start, Start::Trial);
    let record = board.runs().record;
    assert_eq!((record.version.to_string().as_str(), record.start), ("1.0.0", Start::Reverted));
    let outcome = record.outcome;
    assert_eq!((outcome.event, outcome.version.to_string().as_str()), (Event::Reverted, "2.0.0"));
    assert!(board.holds(MAP.first.at, &old()) && board.holds(MAP.second.at + SECTOR, &new));
    let trailer = board.trailer(MAP.first);
    assert_eq!(Swap::asked(&trailer, &board.trailer(MAP.second)), Swap::None);
    assert_eq!(board.runs().record.start, Start::Again);
    // It may be asked for again.
    board.ask(Swap::Test);
    assert_eq!(board.runs().record.start, Start::Trial);
}

#[test]
fn an_update_for_good_needs_no_confirmation() {
    let mut board = asked(&new().signed(&Pair::of(1)), Swap::Permanent);
    let record = board.runs().record;
    assert_eq!((record.start, record.floor), (Start::Updated, 2));
    assert!(board.trailer(MAP.first).image_ok);
    assert_eq!(board.runs().record.start, Start::Again);
    assert!(board.holds(MAP.second.at, &old()), "it is kept until the next one comes");
}

#[test]
fn a_tampered_or_foreign_update_is_refused_with_the_reason() {
    let mut tampered = new().signed(&Pair::of(1));
    tampered[0x123] ^= 0x10;
    assert_refused(&tampered, Refusal::WrongDigest.code());
    assert_refused(&new().signed(&Pair::of(9)), Refusal::UnknownKey.code());
    assert_refused(&new().signed_by(&[]), Refusal::NotSigned.code());
    assert_refused(&[0x55; 700], Refusal::NotAnImage.code());
    let mut forged = new().signed(&Pair::of(1));
    let last = forged.len() - 1;
    forged[last] ^= 1;
    assert_refused(&forged, Refusal::WrongSignature.code());
}

#[test]
fn an_update_that_could_not_run_here_is_refused() {
    let plans = [
        Plan { stack: MAP.memory.at, ..new() },
        Plan { stack: MAP.memory.end() + 8, ..new() },
        Plan { stack: MAP.memory.end() - 4, ..new() },
        Plan { reset: 0x100, ..new() },
        Plan { reset: 0x7f, ..new() },
        Plan { reset: 0x2001, ..new() },
        Plan { header_size: 0x40, ..new() },
        Plan { address: Some(MAP.address + MAP.second.at), ..new() },
    ];
    for plan in plans {
        let image = plan.signed(&Pair::of(1));
        assert_refused(&image, Refusal::NotForThisPlace.code());
    }
    let here = Plan { address: Some(MAP.address + MAP.first.at), ..new() };
    assert_eq!(asked(&here.signed(&Pair::of(1)), Swap::Test).version(), "2.0.0");
}

#[test]
fn the_largest_image_fits_and_a_larger_one_is_refused() {
    let mut board = asked(&new().sectors(5).signed(&Pair::of(1)), Swap::Test);
    assert_eq!(board.version(), "2.0.0");
    let refused = Refusal::Truncated { needed: 0, present: 0 }.code();
    let image = new().sectors(6).signed(&Pair::of(1));
    // The trailer lies where its end would.
    assert_refused(&image[..usize::try_from(6 * SECTOR - 40).unwrap().min(image.len())], refused);
}

#[test]
fn a_rollback_is_refused_once_the_newer_one_was_confirmed_and_not_before() {
    let mut board = asked(&new().signed(&Pair::of(1)), Swap::Test);
    board.runs();
    assert_eq!(board.version(), "1.0.0", "on trial nothing is lost");
    board.ask(Swap::Permanent);
    assert_eq!(board.runs().record.floor, 2);
    board.download(&old());
    board.ask(Swap::Permanent);
    let record = board.runs().record;
    let rollback = Refusal::Rollback { counter: 1, floor: 2 }.code();
    assert_eq!((record.version.to_string().as_str(), record.outcome.refusal), ("2.0.0", rollback));
    // Nor does it run where the newer one is damaged.
    board.flash.put(MAP.first.at + 0x200, &[0; 8]);
    board.download(&old());
    assert_eq!(board.start(), Err(Halt::NoImage(Refusal::WrongDigest)));
    // A debugger that puts it into the first slot has not won either.
    board.flash.put(MAP.first.at, &old());
    assert_eq!(board.start(), Err(Halt::NoImage(Refusal::Rollback { counter: 1, floor: 2 })));
}

#[test]
fn a_key_is_replaced_and_the_old_one_withdrawn() {
    let [first, second] = [1, 2].map(Pair::of);
    // One image signed with both, of which the board needs one.
    let mut board = asked(&new().signed_by(&[&Pair::of(9), &second]), Swap::Permanent);
    assert_eq!(board.runs().record.key, 1);
    let withdrawing = Plan::of("2.1.0").counter(2).revoking(&first);
    board.download(&withdrawing.signed_by(&[&first, &second]));
    board.ask(Swap::Test);
    assert_eq!((board.runs().record.key, board.version().as_str()), (1, "2.0.0"));
    // On trial it withdraws nothing.
    board.download(&Plan::of("2.0.1").counter(2).signed(&first));
    board.ask(Swap::Permanent);
    assert_eq!(board.version(), "2.0.1");
    board.download(&withdrawing.signed(&second));
    board.ask(Swap::Test);
    board.runs();
    board.confirm();
    board.runs();
    board.download(&Plan::of("3.0.0").counter(9).signed(&first));
    board.ask(Swap::Permanent);
    let record = board.runs().record;
    assert_eq!(record.outcome.refusal, Refusal::RevokedKey.code());
    assert_eq!(record.version.to_string(), "2.1.0");
}

#[test]
fn no_image_withdraws_the_key_it_is_signed_with() {
    let image = new().revoking(&Pair::of(1)).signed(&Pair::of(1));
    assert_refused(&image, Refusal::RevokedKey.code());
}

#[test]
fn an_update_that_needs_another_one_first_waits_for_that() {
    let needs = |image: u8, version: &str| {
        let dependency = Dependency { image, at_least: version.parse().unwrap() };
        Plan { dependencies: vec![dependency], ..new() }.signed(&Pair::of(1))
    };
    assert_refused(&needs(0, "1.0.1"), Refusal::Dependency.code());
    assert_refused(&needs(1, "0.0.0"), Refusal::Dependency.code());
    assert_eq!(asked(&needs(0, "1.0.0"), Swap::Test).version(), "2.0.0");
}

#[test]
fn a_damaged_image_is_replaced_with_the_one_before_it() {
    let new = new().counter(1).signed(&Pair::of(1));
    let mut board = asked(&new, Swap::Permanent);
    board.runs();
    board.flash.put(MAP.first.at + 0x210, &[0; 4]);
    let record = board.runs().record;
    assert_eq!((record.version.to_string().as_str(), record.start), ("1.0.0", Start::Rescued));
    assert_eq!(record.outcome.event, Event::Rescued);
    assert_eq!(board.runs().record.start, Start::Again);
}

#[test]
fn a_damaged_image_is_replaced_with_one_that_was_downloaded() {
    let mut board = Board::made(&old());
    board.runs();
    board.download(&new().signed(&Pair::of(1)));
    board.flash.put(MAP.first.at, &[0; 4]);
    let record = board.runs().record;
    assert_eq!((record.version.to_string().as_str(), record.start), ("2.0.0", Start::Rescued));
    // Also where it was asked for.
    let mut board = asked(&new().signed(&Pair::of(1)), Swap::Test);
    board.flash.put(MAP.first.at, &[0; 4]);
    assert_eq!(board.runs().record.start, Start::Rescued);
    assert_eq!(board.runs().record.start, Start::Again);
}

#[test]
fn what_cannot_be_taken_back_is_kept() {
    let mut board = asked(&new().signed(&Pair::of(1)), Swap::Test);
    board.runs();
    // The application wrote over its predecessor, then failed to confirm itself.
    board.flash.wipe(MAP.second.at, MAP.second.end());
    let record = board.runs().record;
    assert_eq!((record.version.to_string().as_str(), record.outcome.event), ("2.0.0", Event::Kept));
    assert_eq!(board.runs().record.outcome.number, record.outcome.number);
    // With a successor that can run, that one has its turn.
    let mut board = asked(&new().signed(&Pair::of(1)), Swap::Test);
    board.runs();
    board.download(&Plan::of("2.0.1").counter(2).signed(&Pair::of(1)));
    board.ask(Swap::Test);
    assert_eq!(board.version(), "2.0.1");
}

#[test]
fn a_flash_that_keeps_nothing_is_told_and_not_started_from() {
    let mut board = asked(&new().signed(&Pair::of(1)), Swap::Test);
    board.flash.wear_out(MAP.second.at..MAP.second.end());
    assert_eq!(board.start(), Err(Halt::Worn));
}

#[test]
fn an_update_erases_each_sector_once_and_the_journal_a_ring_of_them() {
    let mut board = Board::made(&Plan::of("1.0.0").sectors(5).signed(&Pair::of(1)));
    let images = ["2.0.0", "3.0.0"].map(|of| Plan::of(of).sectors(5).signed(&Pair::of(1)));
    for round in 0..60 {
        board.download(&images[round % 2]);
        board.ask(Swap::Permanent);
        board.runs();
    }
    let erased = |at: u32| board.flash.erased.get(&(at / SECTOR)).copied().unwrap_or_default();
    for sector in 0..5 {
        assert_eq!(erased(MAP.first.at + sector * SECTOR), 60);
        assert_eq!(erased(MAP.second.at + sector * SECTOR), 60);
    }
    let keys = [0, 1].map(|sector| erased(MAP.protected.at + sector * SECTOR));
    assert_eq!(keys, [0; 2], "the keys are never erased");
    let journal: Vec<_> = (2..5).map(|sector| erased(MAP.protected.at + sector * SECTOR)).collect();
    let spread = journal.iter().max().unwrap() - journal.iter().min().unwrap();
    assert!(spread <= 1, "{journal:?}");
}
