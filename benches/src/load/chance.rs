//! Chance that can be repeated: the same seed, the same run (SplitMix64, Steele et al. 2014).
//! Invariant: for choosing instants and samples; never for keys.

use std::ops::Range;
use std::time::Duration;

/// A sequence of numbers that follow from a seed.
#[derive(Clone, Debug)]
pub struct Chance(u64);

impl Chance {
    /// The sequence of this seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// The next eight bytes.
    pub fn bytes(&mut self) -> [u8; 8] {
        self.bits().to_le_bytes()
    }

    /// A number below `end`; 0 where there is none.
    pub fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end.max(1)).unwrap_or(u64::MAX);
        usize::try_from(self.bits() % end).unwrap_or(0)
    }

    /// A span of time in this range, to the microsecond.
    pub fn span(&mut self, range: Range<Duration>) -> Duration {
        let width = range.end.saturating_sub(range.start).as_micros();
        let micros = u64::try_from(width).unwrap_or(u64::MAX).max(1);
        range.start + Duration::from_micros(self.bits() % micros)
    }

    /// Fills a buffer.
    pub fn fill(&mut self, out: &mut [u8]) {
        for chunk in out.chunks_mut(8) {
            for (to, from) in chunk.iter_mut().zip(self.bytes()) {
                *to = from;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_one_sequence_within_bounds() {
        let (mut one, mut other) = (Chance::new(7), Chance::new(7));
        let range = Duration::from_millis(10)..Duration::from_millis(20);
        for _ in 0..1000 {
            assert_eq!(one.bits(), other.bits());
            assert!(one.below(3) < 3 && other.below(3) < 3);
            assert!(range.contains(&one.span(range.clone())));
            other.bits();
        }
    }
}
