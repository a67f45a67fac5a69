//! Times of power saving as a network takes them: eight or four bits in a text (3GPP TS 24.008, 10.5.7.3,
//! 10.5.7.4a and 10.5.5.32).
//!
//! A time that has no code is rounded up, so that a board is never away for shorter than it asked for.

use alloc::format;
use alloc::string::String;

/// The code of a periodic update (T3412 extended), in PSM the time between two wake-ups: seconds.
pub fn periodic_update(seconds: u32) -> String {
    // Unit by its bits, finest first.
    let units = [(2, 0b011), (30, 0b100), (60, 0b101), (600, 0b000), (3_600, 0b001)];
    let coarse = [(36_000, 0b010), (1_152_000, 0b110)];
    code(seconds, units.into_iter().chain(coarse))
}

/// The code of the time a board listens before it sleeps (T3324): seconds.
pub fn active_time(seconds: u32) -> String {
    code(seconds, [(2, 0b000), (60, 0b001), (360, 0b010)].into_iter())
}

fn code(seconds: u32, units: impl Iterator<Item = (u32, u32)>) -> String {
    const COUNT_MAX: u32 = 31;
    let mut longest = String::from("11100000");
    for (unit, bits) in units {
        let count = seconds.div_ceil(unit);
        if count <= COUNT_MAX {
            return format!("{bits:03b}{count:05b}");
        }
        longest = format!("{bits:03b}{COUNT_MAX:05b}");
    }
    longest
}

/// The code of a paging cycle (eDRX) that both LTE-M and NB-IoT have: seconds, at most 2621.
pub fn edrx_cycle(seconds: u32) -> &'static str {
    let cycles = [
        (20, "0010"),
        (40, "0011"),
        (81, "0101"),
        (163, "1001"),
        (327, "1010"),
        (655, "1011"),
        (1310, "1100"),
    ];
    cycles.iter().find(|(cycle, _)| *cycle >= seconds).map_or("1101", |(_, bits)| bits)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// As a network reads it.
    fn seconds(code: &str, units: [u32; 8]) -> u32 {
        let (unit, count) = code.split_at(3);
        let unit = usize::from_str_radix(unit, 2).unwrap();
        units[unit] * u32::from_str_radix(count, 2).unwrap()
    }

    const UPDATE: [u32; 8] = [600, 3_600, 36_000, 2, 30, 60, 1_152_000, 0];
    const ACTIVE: [u32; 8] = [2, 60, 360, 0, 0, 0, 0, 0];

    #[test]
    fn known_times_have_the_codes_of_the_standard() {
        assert_eq!(periodic_update(3_600), "00000110");
        assert_eq!(periodic_update(86_400), "00111000");
        assert_eq!(active_time(16), "00001000");
        assert_eq!(edrx_cycle(81), "0101");
        assert_eq!(edrx_cycle(5_000), "1101");
    }

    proptest! {
        #[test]
        fn a_board_is_never_away_for_shorter_than_it_asks(asked in 1_u32..35_712_000) {
            let granted = seconds(&periodic_update(asked), UPDATE);
            prop_assert!(granted >= asked, "{asked} became {granted}");
        }

        #[test]
        fn nor_does_it_listen_for_shorter(asked in 1_u32..11_160) {
            prop_assert!(seconds(&active_time(asked), ACTIVE) >= asked);
        }
    }
}
