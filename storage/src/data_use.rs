//! What a board has used of its data plan.

use bincode::{Decode, Encode};

use crate::UnixSeconds;

/// Bytes that passed between a board and the hub in one month, as far as the hub knows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Encode, Decode)]
pub struct DataUse {
    /// Months since January 1970, UTC.
    month: u32,
    bytes: u64,
}

impl DataUse {
    /// Bytes of the month that it is now.
    #[must_use]
    pub fn in_month_of(self, now: UnixSeconds) -> u64 {
        if self.month == month_of(now) { self.bytes } else { 0 }
    }

    /// So many more; what was before the month is over.
    pub(crate) fn add(&mut self, bytes: u64, now: UnixSeconds) {
        let before = self.in_month_of(now);
        *self = Self { month: month_of(now), bytes: before.saturating_add(bytes) };
    }
}

/// Months since January 1970. The calendar repeats itself every 400 years; years begin in March, so that
/// the odd day is their last.
fn month_of(UnixSeconds(at): UnixSeconds) -> u32 {
    // From the first of March 0000 to 1970.
    let days = at / 86_400 + 719_468;
    let of_era = days % 146_097;
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let since_march = (5 * of_year + 2) / 153;
    let months = 12 * (400 * (days / 146_097) + year) + since_march + 2;
    u32::try_from(months.saturating_sub(12 * 1970)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_begin_at_their_first_second_in_utc() {
        for (at, month) in [
            (0, 0),
            (31 * 86_400 - 1, 0),
            (31 * 86_400, 1),
            // 2000-02-29 23:59:59 and the second behind it.
            (951_868_799, 12 * 30 + 1),
            (951_868_800, 12 * 30 + 2),
            // 2026-12-31 23:59:59, and the year behind it.
            (1_798_761_599, 12 * 56 + 11),
            (1_798_761_600, 12 * 57),
            // 2100-03-01, a year without a leap day.
            (4_107_542_400, 12 * 130 + 2),
            (4_107_542_399, 12 * 130 + 1),
        ] {
            assert_eq!(month_of(UnixSeconds(at)), month, "{at}");
        }
        let _ = month_of(UnixSeconds(u64::MAX));
    }

    #[test]
    fn what_was_used_before_the_month_is_over_with_it() {
        let (november, december) = (UnixSeconds(1_795_000_000), UnixSeconds(1_796_083_200));
        let mut used = DataUse::default();
        used.add(7, november);
        used.add(u64::from(u32::MAX), november);
        assert_eq!(used.in_month_of(november), u64::from(u32::MAX) + 7);
        assert_eq!(used.in_month_of(december), 0);
        used.add(5, december);
        assert_eq!((used.in_month_of(december), used.in_month_of(november)), (5, 0));
    }
}
