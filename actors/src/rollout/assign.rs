//! Which board is in which group.
//!
//! Invariant: pure; every board is in one group, and which boards are first is left to chance.

use storage::{Chosen, Errors, GROUPS_MAX, RolloutGroup, Share};

use super::error::RolloutError;

/// The labels that groups ask for, in the groups' order.
pub(super) fn labels(groups: &[RolloutGroup]) -> Vec<(&str, &str)> {
    let shares = groups.iter().map(|group| &group.share);
    let mut labels = Vec::new();
    for share in shares {
        if let Share::Label { key, value } = share {
            labels.push((key.as_str(), value.as_str()));
        }
    }
    labels
}

/// The boards' groups, in the boards' order; `seed` makes one rollout's chance another than the next's.
pub(super) fn assign(groups: &[RolloutGroup], chosen: &[Chosen], seed: u64) -> Vec<u16> {
    let numbered = || groups.iter().zip(0_u16..);
    let of_labels: Vec<u16> = numbered()
        .filter(|(group, _)| matches!(group.share, Share::Label { .. }))
        .map(|(_, number)| number)
        .collect();
    let last = u16::try_from(groups.len().saturating_sub(1)).unwrap_or(u16::MAX);
    let mut assigned = vec![last; chosen.len()];
    let mut others = Vec::new();
    for (at, (board, place)) in chosen.iter().zip(&mut assigned).enumerate() {
        let labelled = board.label.and_then(|label| of_labels.get(usize::from(label)).copied());
        match labelled {
            Some(group) => *place = group,
            None => others.push((board.lot(seed), at)),
        }
    }
    others.sort_unstable();
    let total = chosen.len();
    let mut others = others.into_iter();
    for (group, number) in numbered() {
        let count = match group.share {
            Share::Percent(percent) => (total * usize::from(percent)).div_ceil(100),
            Share::Count(count) => usize::try_from(count).unwrap_or(usize::MAX),
            Share::Rest => usize::MAX,
            Share::Label { .. } => 0,
        };
        for (_, at) in others.by_ref().take(count) {
            if let Some(place) = assigned.get_mut(at) {
                *place = number;
            }
        }
    }
    assigned
}

/// Whether the groups can be begun one after the other.
pub(super) fn check(groups: &[RolloutGroup]) -> Result<(), RolloutError> {
    let refuse = |why: String| Err(RolloutError::refused(why));
    if groups.is_empty() || groups.len() > GROUPS_MAX {
        return refuse(format!("a rollout has 1 to {GROUPS_MAX} groups"));
    }
    for group in groups {
        let RolloutGroup { name, success_percent, .. } = group;
        if *success_percent > 100 {
            return refuse(format!("group {name}: more than 100 percent cannot succeed"));
        }
        // Otherwise it would neither stop nor go on.
        if let Errors::Percent(errors) = group.errors
            && u16::from(errors) + u16::from(*success_percent) > 100
        {
            return refuse(format!(
                "group {name}: with {errors} percent failed it would not stop, and {success_percent} \
                 percent could not succeed any more; both together are at most 100"
            ));
        }
        if let Share::Percent(percent) = group.share
            && percent > 100
        {
            return refuse(format!("group {name}: there are no more than 100 percent"));
        }
    }
    Ok(())
}
