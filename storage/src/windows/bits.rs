//! A set of small numbers, a bit each.

/// The set; grows to the largest number that was put in.
#[derive(Debug, Default)]
pub(super) struct Bits(Vec<u64>);

impl Bits {
    pub(super) fn has(&self, number: u32) -> bool {
        self.0.get(word(number)).is_some_and(|bits| bits & bit(number) != 0)
    }

    pub(super) fn set(&mut self, number: u32) {
        if self.0.len() <= word(number) {
            self.0.resize(word(number) + 1, 0);
        }
        if let Some(bits) = self.0.get_mut(word(number)) {
            *bits |= bit(number);
        }
    }

    pub(super) fn clear(&mut self, number: u32) {
        if let Some(bits) = self.0.get_mut(word(number)) {
            *bits &= !bit(number);
        }
    }

    pub(super) fn count(&self) -> usize {
        self.0.iter().map(|bits| bits.count_ones()).map(|ones| ones as usize).sum()
    }
}

const fn word(number: u32) -> usize {
    (number / 64) as usize
}

const fn bit(number: u32) -> u64 {
    1 << (number % 64)
}
