//! Every nonce a board ever saw from the hub, to show that none comes twice under one key.
//! Invariant: nothing is forgotten while the key lives; numbers in a row cost one entry.

/// The numbers (epoch and sequence, 64 bits) of one key, as runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Nonces {
    /// First and last of each run, ascending; the newest is the last.
    runs: Vec<(u64, u64)>,
}

impl Nonces {
    /// Takes a number down; whether it is new.
    pub fn note(&mut self, number: u64) -> bool {
        let at = self.runs.partition_point(|(first, _)| *first <= number);
        let before = at.checked_sub(1);
        if before.and_then(|at| self.runs.get(at)).is_some_and(|(_, last)| number <= *last) {
            return false;
        }
        let joins = before.filter(|at| {
            self.runs.get(*at).is_some_and(|(_, last)| last.checked_add(1) == Some(number))
        });
        match joins.and_then(|at| self.runs.get_mut(at)) {
            Some((_, last)) => *last = number,
            None => self.runs.insert(at, (number, number)),
        }
        let grown = joins.unwrap_or(at);
        let Some(&(first, last)) = self.runs.get(grown) else { return true };
        let following = grown + 1;
        if let Some((next, _)) = self.runs.get_mut(following)
            && last.checked_add(1) == Some(*next)
        {
            *next = first;
            self.runs.remove(grown);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_new_once_in_whatever_order() {
        let mut nonces = Nonces::default();
        for number in [5, 3, 4, 1, 2, 9, u64::MAX, 0] {
            assert!(nonces.note(number), "{number}");
        }
        for number in [5, 3, 4, 1, 2, 9, u64::MAX, 0] {
            assert!(!nonces.note(number), "{number}");
        }
        assert_eq!(nonces.runs, [(0, 5), (9, 9), (u64::MAX, u64::MAX)]);
    }

    #[test]
    fn numbers_in_a_row_cost_one_entry() {
        let mut nonces = Nonces::default();
        assert!((0..10_000).all(|number| nonces.note(number)));
        assert_eq!(nonces.runs, [(0, 9_999)]);
    }
}
