//! The anti-replay window of 64 records (RFC 6347 section 4.1.2.6).
//! Invariant: ask before a record is opened, accept only after it was authenticated.

/// Which of the last 64 sequence numbers of an epoch were received. 16 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReplayWindow {
    /// One past the newest accepted number; 0 before the first.
    next: u64,
    /// Bit `n` stands for the number `next - 1 - n`.
    received: u64,
}

/// Whether a record was newer than all before it: only then may a session's address move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Newest(pub bool);

impl ReplayWindow {
    /// How far behind the newest a record may be.
    pub const WIDTH: u64 = 64;

    /// An empty window: every number is fresh.
    #[must_use]
    pub const fn new() -> Self {
        Self { next: 0, received: 0 }
    }

    /// A window taken up again; the two numbers are those of [`Self::parts`].
    #[must_use]
    pub const fn from_parts(next: u64, received: u64) -> Self {
        Self { next, received }
    }

    /// What has to be remembered to take the window up again: one past the newest, and the bits.
    #[must_use]
    pub const fn parts(&self) -> (u64, u64) {
        (self.next, self.received)
    }

    /// Whether this number was neither accepted before nor is too old to tell.
    #[must_use]
    pub const fn is_fresh(&self, sequence: u64) -> bool {
        match self.behind(sequence) {
            None => true,
            Some(age) => age < Self::WIDTH && (self.received >> age) & 1 == 0,
        }
    }

    /// Remembers an authenticated record's number. One that is not fresh changes nothing.
    pub const fn accept(&mut self, sequence: u64) -> Newest {
        match self.behind(sequence) {
            Some(age) => {
                if age < Self::WIDTH {
                    self.received |= 1 << age;
                }
                Newest(false)
            }
            None => {
                let next = sequence.saturating_add(1);
                let step = next - self.next;
                self.received = if step < Self::WIDTH { self.received << step | 1 } else { 1 };
                self.next = next;
                Newest(true)
            }
        }
    }

    /// How many numbers before the newest this one is; none when it is newer.
    const fn behind(&self, sequence: u64) -> Option<u64> {
        if sequence < self.next { Some(self.next - 1 - sequence) } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[test]
    fn a_number_is_fresh_once() {
        let mut window = ReplayWindow::new();
        assert!(window.is_fresh(0));
        assert_eq!(window.accept(0), Newest(true));
        assert!(!window.is_fresh(0));
        assert!(window.is_fresh(1));
    }

    #[test]
    fn a_late_number_is_fresh_within_the_width_and_never_newest() {
        let mut window = ReplayWindow::new();
        assert_eq!(window.accept(100), Newest(true));
        assert!(window.is_fresh(37));
        assert!(!window.is_fresh(36));
        assert_eq!(window.accept(37), Newest(false));
        assert!(!window.is_fresh(37));
    }

    #[test]
    fn a_leap_forgets_everything_before() {
        let mut window = ReplayWindow::new();
        window.accept(1);
        window.accept(65);
        assert!(!window.is_fresh(1));
        assert!(window.is_fresh(2));
        window.accept(super::super::record::SEQUENCE_MAX);
        assert!(!window.is_fresh(65));
    }

    #[test]
    fn a_window_taken_up_again_is_the_same() {
        let mut window = ReplayWindow::new();
        for sequence in [3, 9, 70, 68] {
            window.accept(sequence);
        }
        let (next, received) = window.parts();
        assert_eq!(ReplayWindow::from_parts(next, received), window);
        assert_eq!((next, received), (71, 0b101 | 1 << 61));
    }

    #[test]
    fn it_is_small() {
        assert_eq!(size_of::<ReplayWindow>(), 16);
    }

    proptest! {
        #[test]
        fn it_agrees_with_a_set_of_everything_seen(
            numbers in prop::collection::vec(prop_oneof![0..300_u64, any::<u64>().prop_map(|n| n >> 16)], 0..400),
        ) {
            let mut window = ReplayWindow::new();
            let mut seen = BTreeSet::new();
            for number in numbers {
                let newest = seen.last().copied();
                let old = newest.is_some_and(|newest| newest >= number && newest - number >= 64);
                let fresh = !old && !seen.contains(&number);
                prop_assert_eq!(window.is_fresh(number), fresh);
                if fresh {
                    prop_assert_eq!(window.accept(number).0, newest.is_none_or(|n| number > n));
                    seen.insert(number);
                } else {
                    let before = window;
                    prop_assert_eq!(window.accept(number), Newest(false));
                    prop_assert_eq!(window, before);
                }
            }
        }
    }
}
