//! What a rollout would mean, before there is one: how many boards, how long, how many bytes, how much
//! energy.
//!
//! Invariant: changes nothing. Counts are of the boards' rows as they are now; the rest are estimates.

use storage::{Chosen, Hours, Release, RolloutGroup, Standing as Stands, Terms};

use super::air::{self, Radio};

/// Boards report at least so often, and learn of a rollout then.
const REPORT_S: f64 = 24.0 * 60.0 * 60.0;
/// Minutes of a week.
const WEEK_MIN: u64 = 7 * 24 * 60;

/// What a rollout would mean.
#[derive(Debug, Clone, PartialEq)]
pub struct Preview {
    /// Boards that fit the filter.
    pub boards: u64,
    /// How those stand to the release.
    pub stand: Stand,
    /// Boards of each group.
    pub groups: Vec<u64>,
    /// Bytes on the air for each board that fetches it.
    pub bytes_each: u64,
    /// What it would be with one radio and with the other: LTE-M first.
    pub efforts: [Total; 2],
}

/// How many boards stand how to a release, by what they said last.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stand {
    /// Would fetch it.
    pub older: u64,
    /// Run it.
    pub same: u64,
    /// Run something newer.
    pub newer: u64,
    /// Are another product or have another hardware.
    pub other: u64,
    /// Have never said what they run; they are counted as fetching it.
    pub unknown: u64,
}

/// With one radio, for all boards.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Total {
    /// The radio.
    pub radio: Radio,
    /// Seconds of radio for each board.
    pub seconds_each: f64,
    /// Joules for each board.
    pub joules_each: f64,
    /// Seconds from the start until the last group is through.
    pub seconds: f64,
}

impl Stand {
    /// How many would fetch it.
    #[must_use]
    pub const fn fetching(&self) -> u64 {
        self.older + self.unknown
    }
}

impl Preview {
    /// Bytes on the air for all boards.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.bytes_each.saturating_mul(self.stand.fetching())
    }
}

/// Of boards that were chosen and assigned to groups, in their order.
pub(super) fn preview(
    release: &Release,
    groups: &[RolloutGroup],
    terms: &Terms,
    chosen: &[Chosen],
    assigned: &[u16],
) -> Preview {
    let (mut stand, mut of_groups) = (Stand::default(), vec![0_u64; groups.len()]);
    let mut fetching = vec![0_u64; groups.len()];
    for (board, group) in chosen.iter().zip(assigned) {
        let group = usize::from(*group);
        of_groups.get_mut(group).into_iter().for_each(|count| *count += 1);
        let count = match board.stands(release) {
            Stands::Older => &mut stand.older,
            Stands::Same => &mut stand.same,
            Stands::Newer => &mut stand.newer,
            Stands::Other => &mut stand.other,
            Stands::Unknown => &mut stand.unknown,
        };
        *count += 1;
        if matches!(board.stands(release), Stands::Older | Stands::Unknown) {
            fetching.get_mut(group).into_iter().for_each(|count| *count += 1);
        }
    }
    let total = |radio: Radio| {
        let effort = radio.effort(release.size);
        let of_group = |count: &u64| group_seconds(*count, terms, effort.seconds);
        Total {
            radio,
            seconds_each: effort.seconds,
            joules_each: effort.joules,
            seconds: fetching.iter().filter(|count| **count > 0).map(of_group).sum(),
        }
    };
    Preview {
        boards: chosen.len() as u64,
        stand,
        groups: of_groups,
        bytes_each: air::bytes(release.size),
        efforts: [total(Radio::LteM), total(Radio::NbIot)],
    }
}

/// Until every board of a group was there and had its turn; longer where windows are shut meanwhile. Of
/// what boards of one cell wait for, nothing is known before they come.
fn group_seconds(boards: u64, terms: &Terms, each_s: f64) -> f64 {
    let one_behind_the_other = match terms.at_once {
        0 => each_s,
        at_once => boards.div_ceil(at_once.into()) as f64 * each_s,
    };
    one_behind_the_other.max(REPORT_S) / open_share(&terms.windows)
}

/// Which part of a week boards may begin in.
fn open_share(windows: &[Hours]) -> f64 {
    if windows.is_empty() {
        return 1.0;
    }
    // Any week is as another; the first of 1970 begins on a Thursday.
    let minutes = WEEK_MIN..2 * WEEK_MIN;
    let is_open = |minute: &u64| {
        let at = storage::UnixSeconds(minute * 60);
        windows.iter().any(|window| window.is_open(at))
    };
    let open = minutes.filter(is_open).count().max(1);
    open as f64 / WEEK_MIN as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pace_and_windows_make_a_group_longer() {
        let terms = Terms::default();
        assert_eq!(group_seconds(1_000_000, &terms, 60.0), REPORT_S, "each comes within a day");
        let paced = Terms { at_once: 500, ..terms.clone() };
        assert_eq!(group_seconds(1_000_000, &paced, 60.0), 2000.0 * 60.0);
        assert_eq!(group_seconds(10, &paced, 60.0), REPORT_S);
        let nights = Hours { days: 0x7f, from_min: 22 * 60, length_min: 6 * 60 };
        let at_night = Terms { windows: vec![nights], ..terms };
        assert_eq!(group_seconds(10, &at_night, 60.0), 4.0 * REPORT_S);
        let never = Hours { days: 0, from_min: 0, length_min: 60 };
        assert!(open_share(&[never]) > 0.0);
    }
}
