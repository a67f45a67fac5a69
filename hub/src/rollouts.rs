//! What people say of rollouts, and how it is said to them: filters, groups, windows, reasons.

use storage::{
    BoardFilter, Errors, Hours, RolloutGroup, Share, Target, TargetState, TenantId, UnixSeconds,
};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::http::api::boards_asked_for;

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// Reads a rollout's filter; empty is every board.
pub fn parse(filter: &str, within: Option<&[TenantId]>) -> Option<BoardFilter> {
    boards_asked_for(filter, within).ok()
}

/// Reads a group: `NAME:WHO[:SUCCESS[:ERRORS]]`.
///
/// # Errors
/// What is wrong with it.
pub fn group(text: &str) -> Result<RolloutGroup, String> {
    let (name, rest) = text.split_once(':').ok_or("a group is NAME:WHO[:SUCCESS[:ERRORS]]")?;
    // A label has a colon of its own.
    let label = rest.strip_prefix("label:");
    let mut parts = label.unwrap_or(rest).split(':');
    let who = parts.next().unwrap_or_default();
    let share = match label.map(|_| who.split_once('=')) {
        Some(Some((key, value))) => Share::Label { key: key.to_owned(), value: value.to_owned() },
        Some(None) => return Err(String::from("a label is label:KEY=VALUE")),
        None if who == "rest" => Share::Rest,
        None => match who.strip_suffix('%') {
            Some(percent) => Share::Percent(number(percent)?),
            None => Share::Count(number(who)?),
        },
    };
    let success = parts.next().unwrap_or("90%");
    let success_percent = number(success.strip_suffix('%').unwrap_or(success))?;
    let errors = parts.next().unwrap_or("10%");
    let errors = match errors.strip_suffix('%') {
        Some(percent) => Errors::Percent(number(percent)?),
        None => Errors::Count(number(errors)?),
    };
    let is_named = (1..=40).contains(&name.chars().count()) && !name.contains(char::is_control);
    match parts.next() {
        None if is_named => {
            Ok(RolloutGroup { name: name.to_owned(), share, success_percent, errors })
        }
        None => Err(String::from("a group's name has 1 to 40 characters")),
        Some(more) => Err(format!("{more:?} is too much: a group is NAME:WHO[:SUCCESS[:ERRORS]]")),
    }
}

/// Reads a maintenance window: `mon-fri/22:00/6h`, UTC.
///
/// # Errors
/// What is wrong with it.
pub fn hours(text: &str) -> Result<Hours, String> {
    let malformed =
        || format!("{text:?} is no window: they are as mon-fri/22:00/6h or sat,sun/00:30/90m");
    let [days, from, length] = *text.split('/').collect::<Vec<_>>() else {
        return Err(malformed());
    };
    let day = |name: &str| DAYS.iter().position(|day| *day == name).ok_or_else(malformed);
    let mut bits = 0_u8;
    for span in days.split(',') {
        let (first, last) = match span.split_once('-') {
            None => (day(span)?, day(span)?),
            Some((first, last)) => (day(first)?, day(last)?),
        };
        let mut at = first;
        loop {
            bits |= 1 << at;
            if at == last {
                break;
            }
            at = (at + 1) % DAYS.len();
        }
    }
    let (hour, minute) = from.split_once(':').ok_or_else(malformed)?;
    let (hour, minute): (u16, u16) = (number(hour)?, number(minute)?);
    let (count, unit) = match (length.strip_suffix('h'), length.strip_suffix('m')) {
        (Some(hours), _) => (number::<u16>(hours)?, 60),
        (None, Some(minutes)) => (number::<u16>(minutes)?, 1),
        (None, None) => return Err(malformed()),
    };
    let length_min = count.checked_mul(unit).filter(|length| (1..=7 * 24 * 60).contains(length));
    match length_min {
        Some(length_min) if hour < 24 && minute < 60 => {
            Ok(Hours { days: bits, from_min: hour * 60 + minute, length_min })
        }
        Some(_) | None => Err(malformed()),
    }
}

/// A window as it is read.
#[must_use]
pub fn hours_text(hours: &Hours) -> String {
    let days: Vec<_> = DAYS
        .iter()
        .enumerate()
        .filter(|(at, _)| hours.days & 1 << at != 0)
        .map(|(_, day)| *day)
        .collect();
    let Hours { from_min, length_min, .. } = hours;
    format!("{}/{:02}:{:02}/{length_min}m", days.join(","), from_min / 60, from_min % 60)
}

/// Reads a moment, as 2026-01-31T12:00:00Z.
///
/// # Errors
/// That it is none.
pub fn moment(text: &str) -> Result<UnixSeconds, String> {
    let moment = OffsetDateTime::parse(text, &Rfc3339).ok();
    let seconds = moment.and_then(|moment| u64::try_from(moment.unix_timestamp()).ok());
    seconds.map(UnixSeconds).ok_or_else(|| String::from("a time is as 2026-01-31T12:00:00Z"))
}

/// Reads how far a board is, by its name in lists.
///
/// # Errors
/// The names there are.
pub fn target_state(text: &str) -> Result<TargetState, String> {
    let name = |state| serde_json::to_value(state).unwrap_or_default();
    let found = TargetState::ALL.into_iter().find(|state| name(*state) == text);
    found.ok_or_else(|| {
        let names: Vec<_> = TargetState::ALL
            .into_iter()
            .filter_map(|it| Some(name(it).as_str()?.to_owned()))
            .collect();
        format!("it is one of {}", names.join(", "))
    })
}

/// Why a board is no further, in words.
#[must_use]
pub fn why(target: &Target) -> String {
    match target.refusal {
        0 => target.why.words().to_owned(),
        refusal => format!("{} (refusal {refusal}, see docs/firmware.md)", target.why.words()),
    }
}

fn number<T: std::str::FromStr>(digits: &str) -> Result<T, String> {
    digits.parse().map_err(|_| format!("{digits:?} is no number that fits here"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn groups_are_read_as_they_are_documented() {
        let of = |text| group(text).unwrap();
        let canary = of("canary:5%");
        assert_eq!((canary.share, canary.success_percent), (Share::Percent(5), 90));
        assert_eq!(canary.errors, Errors::Percent(10));
        let first = of("first:label:site=roof:100%:0");
        assert_eq!(first.share, Share::Label { key: "site".into(), value: "roof".into() });
        assert_eq!((first.success_percent, first.errors), (100, Errors::Count(0)));
        assert_eq!(of("all:rest:80:3%").errors, Errors::Percent(3));
        assert_eq!(of("a:100").share, Share::Count(100));
        for text in ["", "a", ":5%", "a:", "a:300%", "a:label:x", "a:5:6:7:8", "a:x"] {
            assert!(group(text).is_err(), "{text}");
        }
    }

    #[test]
    fn windows_are_read_as_they_are_documented() {
        let night = hours("mon-fri/22:00/6h").unwrap();
        assert_eq!(night, Hours { days: 0b1_1111, from_min: 1320, length_min: 360 });
        assert_eq!(hours("sat-mon,wed/00:30/90m").unwrap().days, 0b110_0101);
        assert_eq!(hours(&hours_text(&night)), Ok(night));
        for text in [
            "",
            "mon/22:00",
            "mon/24:00/1h",
            "mon/1/1h",
            "mon/1:00/0h",
            "day/1:00/1h",
            "mon/1:00/169h",
        ] {
            assert!(hours(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_understood_or_refused(text in any::<String>()) {
            let _ = (group(&text), hours(&text), moment(&text), target_state(&text));
        }
    }
}
