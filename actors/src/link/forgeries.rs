//! How many forged records of one session are opened in a second.
//!
//! Opening one costs a microsecond or two, so whoever floods a session costs little; what must not
//! happen is that a few forged records silence the board. So there are two counts. Records from the
//! board's own address are opened up to many: only who can also spoof that address gets there, and then
//! the rest of the second is dropped, the board's with it. Records from elsewhere, where the board is
//! only after its address changed, are opened up to a few. Invariant: no clock is reachable from here.

use std::collections::HashMap;

use crate::link::table::{Millis, Serial};

const SECOND_MS: Millis = 1000;
/// Forged records a second, from the board's own address, that are opened: a millisecond's work.
const FROM_ITS_ADDRESS: u16 = 512;
/// Those from any other.
const FROM_ELSEWHERE: u16 = 32;

/// Where a record came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The address the board's newest record had.
    ItsAddress,
    /// Any other.
    Elsewhere,
}

/// What was forged in the second at hand, by session: a session that nobody attacks has nothing here.
#[derive(Debug, Default)]
pub struct Forgeries {
    second: Millis,
    counts: HashMap<Serial, Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    from_its_address: u16,
    from_elsewhere: u16,
}

impl Forgeries {
    /// Whether a record from there is worth opening at `now`.
    #[must_use]
    pub fn allow(&self, session: Serial, origin: Origin, now: Millis) -> bool {
        if self.counts.is_empty() || now / SECOND_MS != self.second {
            return true;
        }
        self.counts.get(&session).is_none_or(|counts| match origin {
            Origin::ItsAddress => counts.from_its_address < FROM_ITS_ADDRESS,
            Origin::Elsewhere => counts.from_elsewhere < FROM_ELSEWHERE,
        })
    }

    /// A record from there was opened and did not authenticate.
    pub fn forged(&mut self, session: Serial, origin: Origin, now: Millis) {
        let second = now / SECOND_MS;
        if second != self.second {
            *self = Self { second, ..Self::default() };
        }
        let counts = self.counts.entry(session).or_default();
        let count = match origin {
            Origin::ItsAddress => &mut counts.from_its_address,
            Origin::Elsewhere => &mut counts.from_elsewhere,
        };
        *count = count.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_from_elsewhere_does_not_silence_the_board_and_ends_with_its_second() {
        let mut forgeries = Forgeries::default();
        for _ in 0..FROM_ELSEWHERE {
            assert!(forgeries.allow(1, Origin::Elsewhere, 5999));
            forgeries.forged(1, Origin::Elsewhere, 5999);
        }
        assert!(!forgeries.allow(1, Origin::Elsewhere, 5999));
        assert!(forgeries.allow(1, Origin::ItsAddress, 5999));
        assert!(forgeries.allow(2, Origin::Elsewhere, 5999), "another session");
        assert!(forgeries.allow(1, Origin::Elsewhere, 6000));
    }

    #[test]
    fn a_flood_from_the_boards_own_address_is_cut_off_much_later() {
        let mut forgeries = Forgeries::default();
        let mut opened = 0;
        while forgeries.allow(1, Origin::ItsAddress, 7000) {
            forgeries.forged(1, Origin::ItsAddress, 7000);
            opened += 1;
        }
        assert_eq!(opened, FROM_ITS_ADDRESS);
    }
}
