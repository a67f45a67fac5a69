//! A NOR flash of memory: bits are only cleared by writing and set by erasing, and the power can be cut
//! in the middle of any word written and any sector erased.
//!
//! A word or a sector that was cut off is left in a state between the two, and may read otherwise after
//! the next start, until it is erased or written again: weak cells do.
#![allow(
    dead_code,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test's failure is its report"
)]

use std::collections::BTreeMap;
use std::ops::Range;
use std::vec;
use std::vec::Vec;

use embedded_storage::nor_flash::{
    ErrorType, MultiwriteNorFlash, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash,
};

pub(crate) const SECTOR: u32 = 512;
/// The most that is written at once; an image of it, weak or torn, is not in the order of its bytes.
const WORD: usize = 8;

/// What the processor does not live to see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PowerCut;

impl NorFlashError for PowerCut {
    fn kind(&self) -> NorFlashErrorKind {
        NorFlashErrorKind::Other
    }
}

/// When the power is cut, and what that leaves behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cut {
    /// Operations that are still whole.
    pub(crate) after: u64,
    pub(crate) of: Operation,
    pub(crate) leaves: Leaves,
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    /// Each call to write or to erase.
    Call,
    /// Each word written and each sector erased.
    Word,
}

/// What is left of the operation that is cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leaves {
    /// As before.
    Old,
    /// As it should have become.
    New,
    /// Some words new, one between old and new, the rest old, by this seed.
    Torn(u64),
    /// So too, and the one between reads otherwise after each start.
    Weak(u64),
}

#[derive(Clone)]
pub(crate) struct Flash {
    bytes: Vec<u8>,
    /// Words that read one way or the other: what was there, and what was meant to be.
    weak: BTreeMap<usize, [[u8; WORD]; 2]>,
    random: Random,
    cut: Option<Cut>,
    calls: u64,
    words: u64,
    is_off: bool,
    pub(crate) erased: BTreeMap<u32, u64>,
    /// Bytes that keep nothing.
    worn: Range<u32>,
}

impl Flash {
    pub(crate) fn new(length: u32) -> Self {
        Self {
            bytes: vec![0xff; usize::try_from(length).unwrap()],
            weak: BTreeMap::new(),
            random: Random(1),
            cut: None,
            calls: 0,
            words: 0,
            is_off: false,
            erased: BTreeMap::new(),
            worn: 0..0,
        }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Operations since the last [`Flash::power_on`].
    pub(crate) fn operations(&self, of: Operation) -> u64 {
        match of {
            Operation::Call => self.calls,
            Operation::Word => self.words,
        }
    }

    /// Whether the power is gone.
    pub(crate) fn is_off(&self) -> bool {
        self.is_off
    }

    pub(crate) fn cut_at(&mut self, cut: Cut) {
        self.cut = Some(cut);
    }

    /// Whether the power was cut; weak cells read anew.
    pub(crate) fn power_on(&mut self) -> bool {
        self.cut = None;
        (self.calls, self.words) = (0, 0);
        // All to the same side, as often as each to its own: a sector may look erased, and not be.
        let all = self.random.next();
        for (word, sides) in &self.weak {
            let own = self.random.next();
            let read = between(*sides, if all.is_multiple_of(2) { all } else { own });
            self.bytes[*word * WORD..][..WORD].copy_from_slice(&read);
        }
        std::mem::take(&mut self.is_off)
    }

    /// Puts bytes there by other means than the processor's.
    pub(crate) fn put(&mut self, at: u32, bytes: &[u8]) {
        let at = usize::try_from(at).unwrap();
        self.bytes[at..at + bytes.len()].copy_from_slice(bytes);
    }

    pub(crate) fn wipe(&mut self, from: u32, to: u32) {
        let (from, to) = (usize::try_from(from).unwrap(), usize::try_from(to).unwrap());
        self.bytes[from..to].fill(0xff);
        self.weak.retain(|word, _| !(from / WORD..to / WORD).contains(word));
    }

    /// From now on these bytes keep only half of what is written.
    pub(crate) fn wear_out(&mut self, worn: Range<u32>) {
        self.worn = worn;
    }

    /// Counts a call of so many words; how many of them are whole, and what is left of the next one.
    fn begin(&mut self, words: u64) -> Result<(u64, Option<Leaves>), PowerCut> {
        if self.is_off {
            return Err(PowerCut);
        }
        let cut = self.cut.and_then(|cut| {
            let leaves = cut.leaves;
            let whole = match (cut.of, leaves) {
                (Operation::Word, _) => {
                    cut.after.checked_sub(self.words).filter(|at| *at < words)?
                }
                (Operation::Call, _) if cut.after != self.calls => return None,
                (Operation::Call, Leaves::Old) => 0,
                (Operation::Call, Leaves::New) => words,
                // Often the last one: what was all but written is the worst.
                (Operation::Call, Leaves::Torn(seed) | Leaves::Weak(seed)) => {
                    let random = Random(seed ^ cut.after).below(2 * words);
                    random.min(words - 1)
                }
            };
            Some((whole, Some(leaves)))
        });
        self.calls += 1;
        self.words += words;
        self.is_off = cut.is_some();
        Ok(cut.unwrap_or((words, None)))
    }

    fn end(&self) -> Result<(), PowerCut> {
        if self.is_off { Err(PowerCut) } else { Ok(()) }
    }

    /// Makes a word what it becomes, or what is left of that. Writing to a weak word leaves weak what it
    /// does not clear; only erasing makes it sound.
    fn change(&mut self, word: usize, change: Change, leaves: Option<Leaves>) {
        let place = word * WORD;
        let old: [u8; WORD] = *self.bytes[place..].first_chunk().unwrap();
        let new = change.of(old);
        let [low, high] = self.weak.remove(&word).unwrap_or([old, old]);
        let random = |seed: u64| Random(seed ^ u64::try_from(word).unwrap()).next();
        let (left, sides) = match leaves {
            None | Some(Leaves::New) => (new, [change.of(low), change.of(high)]),
            Some(Leaves::Old) => (old, [low, high]),
            Some(Leaves::Torn(seed)) => {
                let left = between([old, new], random(seed));
                (left, [left, left])
            }
            Some(Leaves::Weak(seed)) => {
                self.random = Random(seed);
                (between([old, new], random(seed)), [low, change.of(high)])
            }
        };
        if sides[0] != sides[1] {
            self.weak.insert(word, sides);
        }
        self.bytes[place..][..WORD].copy_from_slice(&left);
    }
}

/// What is done to a word.
#[derive(Clone, Copy)]
enum Change {
    /// Bits are only cleared.
    Write([u8; WORD]),
    Erase,
}

impl Change {
    fn of(self, old: [u8; WORD]) -> [u8; WORD] {
        match self {
            Self::Write(new) => std::array::from_fn(|at| old[at] & new[at]),
            Self::Erase => [0xff; WORD],
        }
    }
}

impl ErrorType for Flash {
    type Error = PowerCut;
}

impl ReadNorFlash for Flash {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, into: &mut [u8]) -> Result<(), PowerCut> {
        if self.is_off {
            return Err(PowerCut);
        }
        let at = usize::try_from(offset).unwrap();
        into.copy_from_slice(&self.bytes[at..at + into.len()]);
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.bytes.len()
    }
}

impl NorFlash for Flash {
    const WRITE_SIZE: usize = WORD;
    const ERASE_SIZE: usize = SECTOR as usize;

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), PowerCut> {
        let is_aligned = offset.is_multiple_of(8) && bytes.len().is_multiple_of(WORD);
        assert!(is_aligned, "unaligned write");
        let first = usize::try_from(offset).unwrap() / WORD;
        let (whole, leaves) = self.begin(u64::try_from(bytes.len() / WORD).unwrap())?;
        for (at, word) in (0..=whole).zip(bytes.chunks_exact(WORD)) {
            let place = first + usize::try_from(at).unwrap();
            let kept = if self.worn.contains(&offset) { 0x0f } else { 0xff };
            let word = Change::Write(std::array::from_fn(|at| word[at] & kept));
            self.change(place, word, if at < whole { None } else { leaves });
        }
        self.end()
    }

    fn erase(&mut self, from: u32, to: u32) -> Result<(), PowerCut> {
        assert!(from.is_multiple_of(SECTOR) && to.is_multiple_of(SECTOR), "unaligned erase");
        for sector in from / SECTOR..to / SECTOR {
            let (_, leaves) = self.begin(1)?;
            *self.erased.entry(sector).or_default() += 1;
            let words = usize::try_from(SECTOR).unwrap() / WORD;
            let first = usize::try_from(sector).unwrap() * words;
            for word in first..first + words {
                self.change(word, Change::Erase, leaves);
            }
            self.end()?;
        }
        Ok(())
    }
}

/// Cleared bits may be cleared further.
impl MultiwriteNorFlash for Flash {}

/// One of two words, or some bits of each.
fn between([old, new]: [[u8; WORD]; 2], random: u64) -> [u8; WORD] {
    let mask = match random >> 60 {
        0..4 => [0; WORD],
        4..12 => [0xff; WORD],
        _ => *random.to_le_bytes().first_chunk().unwrap(),
    };
    std::array::from_fn(|at| old[at] & !mask[at] | new[at] & mask[at])
}

/// SplitMix64.
#[derive(Clone)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }
}
