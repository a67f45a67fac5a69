//! What people say of campaigns, and how it is said to them.

use storage::{CampaignGroup, CampaignState};

/// A group as people name it, before it is known what is left for the last.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct GroupAsked {
    name: String,
    /// Of a hundred; `None` for whoever is in no other.
    percent: Option<u8>,
    success_percent: u8,
}

/// Reads a group: `NAME:WHO[:SUCCESS]`, WHO `5%` or `rest`.
///
/// # Errors
/// What is wrong with it.
pub fn group(text: &str) -> Result<GroupAsked, String> {
    const FORM: &str = "a group is NAME:WHO[:SUCCESS], as canary:5%:100% or others:rest";
    let parts: Vec<_> = text.split(':').collect();
    let (name, who, success) = match *parts.as_slice() {
        [name, who] => (name, who, "90%"),
        [name, who, success] => (name, who, success),
        _ => return Err(String::from(FORM)),
    };
    if !(1..=40).contains(&name.chars().count()) || name.contains(char::is_control) {
        return Err(String::from("a group's name has 1 to 40 characters"));
    }
    let percent = |text: &str| -> Result<u8, String> {
        let number = text.strip_suffix('%').and_then(|digits| digits.parse().ok());
        number.filter(|it| *it <= 100).ok_or_else(|| format!("{text:?} is no percentage; {FORM}"))
    };
    let percent_of_boards = if who == "rest" { None } else { Some(percent(who)?) };
    let success_percent = percent(success)?;
    Ok(GroupAsked { name: name.to_owned(), percent: percent_of_boards, success_percent })
}

/// The groups; without any, all boards are one.
///
/// # Errors
/// Where `rest` is not the last.
pub fn groups(asked: Vec<GroupAsked>) -> Result<Vec<CampaignGroup>, String> {
    if asked.is_empty() {
        let name = String::from("all");
        return Ok(vec![CampaignGroup { name, percent: 100, success_percent: 90 }]);
    }
    let (mut left, last) = (100_u8, asked.len() - 1);
    let mut groups = Vec::with_capacity(asked.len());
    for (at, GroupAsked { name, percent, success_percent }) in asked.into_iter().enumerate() {
        let percent = match percent {
            Some(percent) => percent,
            None if at == last => left,
            None => return Err(format!("group {name} has the rest, so it comes last")),
        };
        left = left.saturating_sub(percent);
        groups.push(CampaignGroup { name, percent, success_percent });
    }
    Ok(groups)
}

/// Why it is as it is, where somebody did that.
#[must_use]
pub fn why(state: &CampaignState) -> Option<String> {
    match state {
        CampaignState::Paused { halted_by, .. } => Some(format!("paused by {halted_by}")),
        CampaignState::Ended { ended_by, .. } => Some(format!("ended by {ended_by}")),
        CampaignState::Draft | CampaignState::Running { .. } | CampaignState::Completed { .. } => {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn groups_are_read_and_the_last_may_have_the_rest() {
        let read = |all: &[&str]| groups(all.iter().map(|it| group(it).unwrap()).collect());
        let shares = |all: &[&str]| -> Vec<(u8, u8)> {
            read(all).unwrap().iter().map(|it| (it.percent, it.success_percent)).collect()
        };
        assert_eq!(shares(&["a:5%:100%", "b:20%", "c:rest:50%"]), [(5, 100), (20, 90), (75, 50)]);
        assert_eq!(shares(&[]), [(100, 90)]);
        assert!(read(&["a:rest", "b:5%"]).unwrap_err().contains("comes last"));
        for text in ["a", "a:5", "a:101%", ":5%", "a:5%:1%:2%", "a:x%", "a:-1%"] {
            assert!(group(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_group_or_is_told_why_not(text in ".{0,60}") {
            if let Err(why) = group(&text) {
                prop_assert!(!why.contains('\n'));
            }
        }
    }
}
