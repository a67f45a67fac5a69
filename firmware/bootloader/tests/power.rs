//! The power is cut everywhere: at every operation of every kind of start, and again while that is made
//! good. A board always comes up with a whole, signed image, and with the one that it should be.
#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test's failure is its report"
)]

mod rig;

use bootloader::Launch;
use image::{Event, Start, Swap};
use rig::flash::{Cut, Leaves, Operation, Random};
use rig::{Board, MAP, Pair, Plan};

/// A board before the start that is cut, and what must run in the end.
struct Story {
    name: &'static str,
    board: Board,
    /// Images that may run, by their versions, and the last of them in the end.
    images: Vec<(&'static str, Vec<u8>)>,
    /// A trial that was begun when the power was cut is over: the one before runs instead.
    may_revert: bool,
    floor: u32,
}

fn image(version: &'static str, sectors: u32, counter: u32) -> (&'static str, Vec<u8>) {
    (version, Plan::of(version).sectors(sectors).counter(counter).signed(&Pair::of(1)))
}

/// Old and new of different sizes, the old one running and trusted.
fn updating(old: u32, new: u32, swap: Swap) -> Story {
    let images = vec![image("1.0.0", old, 1), image("2.0.0", new, 2)];
    let mut board = Board::made(&images[0].1);
    board.runs();
    board.download(&images[1].1);
    board.ask(swap);
    let is_test = swap == Swap::Test;
    let floor = if is_test { 1 } else { 2 };
    Story { name: "updating", board, images, may_revert: is_test, floor }
}

fn reverting(old: u32, new: u32) -> Story {
    let Story { mut board, mut images, .. } = updating(old, new, Swap::Test);
    assert_eq!(board.runs().record.start, Start::Trial);
    images.reverse();
    Story { name: "reverting", board, images, may_revert: false, floor: 1 }
}

fn confirming() -> Story {
    let Story { mut board, mut images, .. } = updating(2, 3, Swap::Test);
    board.runs();
    board.confirm();
    images.remove(0);
    Story { name: "confirming", board, images, may_revert: false, floor: 2 }
}

/// The image in the first slot is damaged, and the one before it is still there.
fn rescuing() -> Story {
    let Story { mut board, mut images, .. } = reverting(2, 3);
    board.confirm();
    // The same counter: the one before may run again.
    let second = image("2.0.0", 3, 1);
    let mut other = Board::made(&images[1].1);
    other.download(&second.1);
    other.ask(Swap::Test);
    other.runs();
    other.confirm();
    other.runs();
    other.flash.put(MAP.first.at + 0x200, &[0; 16]);
    images.remove(0);
    Story { name: "rescuing", board: other, images, may_revert: false, floor: 1 }
}

fn refusing() -> Story {
    let images = vec![image("1.0.0", 2, 1)];
    let mut board = Board::made(&images[0].1);
    board.runs();
    let mut tampered = image("2.0.0", 3, 2).1;
    tampered[0x100] ^= 1;
    board.download(&tampered);
    board.ask(Swap::Test);
    Story { name: "refusing", board, images, may_revert: false, floor: 1 }
}

/// The journal's ring comes round: the swap's records go over the end of every sector.
fn around_the_ring(starts: usize) -> Story {
    let images = vec![image("1.0.0", 1, 1), image("2.0.0", 2, 1)];
    let mut board = Board::made(&images[0].1);
    for _ in 0..starts {
        let mut tampered = images[1].1.clone();
        tampered[0x100] ^= 1;
        board.download(&tampered);
        board.ask(Swap::Test);
        assert_eq!(board.runs().record.outcome.event, Event::Refused);
    }
    board.download(&images[1].1);
    board.ask(Swap::Permanent);
    Story { name: "around the ring", board, images, may_revert: false, floor: 1 }
}

impl Story {
    /// What ran is one of the images, whole.
    fn check(&self, board: &Board, launch: &Launch, cuts: &[Cut]) {
        assert!(launch.proof.is_complete());
        let version = launch.record.version.to_string();
        let (_, bytes) = self
            .images
            .iter()
            .find(|(of, _)| *of == version)
            .unwrap_or_else(|| panic!("{}: {version} ran after {cuts:?}", self.name));
        assert!(board.holds(MAP.first.at, bytes), "{}: damaged after {cuts:?}", self.name);
    }

    /// Cuts the power so, one start after the other, and then lets it come up.
    fn play(&self, cuts: &[Cut]) {
        let mut board = self.board.clone();
        for cut in cuts {
            if let Some(launch) = board.start_and_cut(*cut) {
                // The cut was meant for later than this start had operations.
                self.check(&board, &launch, cuts);
                if self.may_revert {
                    return;
                }
            }
        }
        let launch = board.runs();
        self.check(&board, &launch, cuts);
        let version = launch.record.version.to_string();
        let (expected, _) = self.images.last().unwrap();
        let was_reverted = self.may_revert && launch.record.start == Start::Reverted;
        assert!(version == *expected || was_reverted, "{}: {version} after {cuts:?}", self.name);
        assert_eq!(launch.record.floor, self.floor, "{}: after {cuts:?}", self.name);
        if launch.record.start == Start::Trial {
            board.confirm();
            assert_eq!(board.version(), *expected, "{}: confirmed after {cuts:?}", self.name);
        }
        board.flash.power_on();
        let again = board.runs();
        assert_eq!(again.record.start, Start::Again, "{}: after {cuts:?}", self.name);
        assert_eq!(again.record.outcome.number, board.runs().record.outcome.number);
    }

    fn operations(&self, of: Operation) -> u64 {
        let mut board = self.board.clone();
        board.flash.power_on();
        board.runs();
        board.flash.operations(of)
    }
}

/// All of it takes minutes: `scripts/firmware test` does it; other runs do a part.
const STRIDE: usize = if cfg!(feature = "exhaustive") { 1 } else { 7 };

/// Every word written and every sector erased is the last before the power is gone.
fn cut_at_every_word(story: &Story) {
    for after in (0..story.operations(Operation::Word)).step_by(STRIDE) {
        for leaves in [Leaves::Torn(after), Leaves::Weak(after)] {
            story.play(&[Cut { after, of: Operation::Word, leaves }]);
        }
    }
}

/// Every operation is cut, and every one of the repair too. What is left varies from one to the next, so
/// that each kind meets each operation of the repair.
fn cut_twice(story: &Story) {
    let calls = story.operations(Operation::Call);
    for first in 0..calls {
        let begin = if STRIDE == 1 { 0 } else { first % 7 };
        for second in (begin..calls + 4).step_by(STRIDE) {
            let seed = first * 1000 + second;
            let kinds = [Leaves::Old, Leaves::New, Leaves::Torn(seed), Leaves::Weak(seed)];
            let leaves = |number: u64| kinds[usize::try_from(number % 4).unwrap()];
            story.play(&[
                Cut { after: first, of: Operation::Call, leaves: leaves(first / 4 + second) },
                Cut { after: second, of: Operation::Call, leaves: leaves(first + second / 4) },
            ]);
        }
    }
}

/// A power supply that fails again and again.
fn cut_often(story: &Story) {
    let mut random = Random(7);
    for _ in 0..140 / STRIDE {
        let cuts: Vec<_> = (0..2 + random.below(8))
            .map(|_| {
                let (after, seed) = (random.below(24), random.next());
                let kinds = [Leaves::Old, Leaves::New, Leaves::Torn(seed), Leaves::Weak(seed)];
                let leaves = kinds[usize::try_from(random.below(4)).unwrap()];
                Cut { after, of: Operation::Call, leaves }
            })
            .collect();
        story.play(&cuts);
    }
}

macro_rules! survives {
    ($($name:ident: $story:expr;)*) => {$(
        mod $name {
            use super::*;

            #[test]
            fn survives_a_cut_at_every_word_and_every_sector() {
                cut_at_every_word(&$story);
            }

            #[test]
            fn survives_a_cut_at_every_operation_and_at_every_one_of_the_repair() {
                cut_twice(&$story);
            }

            #[test]
            fn survives_a_power_supply_that_fails_again_and_again() {
                cut_often(&$story);
            }
        }
    )*};
}

survives! {
    a_trial: updating(2, 3, Swap::Test);
    an_update_to_a_smaller_image: updating(3, 1, Swap::Permanent);
    an_update_of_the_largest_image: updating(5, 5, Swap::Permanent);
    a_return_to_a_larger_image: reverting(3, 2);
    a_return_to_a_smaller_image: reverting(1, 3);
    a_confirmation: confirming();
    a_rescue: rescuing();
    a_refusal: refusing();
    a_swap_over_the_end_of_a_journals_sector: around_the_ring(3);
    a_swap_over_the_end_of_the_next: around_the_ring(5);
    a_swap_over_the_end_of_the_ring: around_the_ring(8);
}

/// The worst that a cut can leave: a record that reads as whole at one start, is built upon, and reads as
/// never written at the next, or the other way round.
#[test]
fn a_record_that_reads_otherwise_at_each_start_is_not_built_upon() {
    let story = updating(1, 1, Swap::Permanent);
    let calls = story.operations(Operation::Call);
    for (first, second) in (0..calls).flat_map(|first| (0..6).map(move |second| (first, second))) {
        for seed in 0..28 / u64::try_from(STRIDE).unwrap() {
            let cut = |after, leaves| Cut { after, of: Operation::Call, leaves };
            story.play(&[
                cut(first, Leaves::Weak(seed)),
                cut(second, Leaves::Torn(seed)),
                cut(0, Leaves::Old),
            ]);
        }
    }
}
