//! The publishes that wait for their acknowledgement, by packet identifier (MQTT 5 section 2.2.1).
//!
//! Acknowledgements may come in any order; each frees its own identifier. Identifiers are reused as
//! late as possible, so that a duplicated acknowledgement meets nobody instead of another's publish.
//! Invariant: no clock, socket or actor is reachable from here.

use std::collections::VecDeque;

/// At most `limit` values in flight, each under a packet identifier of its own.
pub(super) struct Window<T> {
    /// Identifier `n` is at index `n - 1`.
    slots: Vec<Option<T>>,
    free: VecDeque<u16>,
}

impl<T> Window<T> {
    /// An empty window of identifiers 1 to `limit`.
    pub(super) fn new(limit: u16) -> Self {
        Self { slots: (0..limit).map(|_| None).collect(), free: (1..=limit).collect() }
    }

    /// How many more may be in flight.
    pub(super) fn room(&self) -> usize {
        self.free.len()
    }

    /// How many are in flight.
    pub(super) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// The identifier that [`Window::occupy`] would use next; `None` when the window is full.
    pub(super) fn next(&self) -> Option<u16> {
        self.free.front().copied()
    }

    /// Puts a value in flight under [`Window::next`].
    ///
    /// # Errors
    /// The value itself, when the window is full.
    pub(super) fn occupy(&mut self, value: T) -> Result<u16, T> {
        let Some(id) = self.free.front().copied() else { return Err(value) };
        let Some(slot) = self.slots.get_mut(usize::from(id) - 1) else { return Err(value) };
        *slot = Some(value);
        self.free.pop_front();
        Ok(id)
    }

    /// Takes out what is in flight under `id`; `None` when nothing is.
    pub(super) fn release(&mut self, id: u16) -> Option<T> {
        let slot = self.slots.get_mut(usize::from(id).checked_sub(1)?)?;
        let value = slot.take()?;
        self.free.push_back(id);
        Some(value)
    }

    /// Takes out everything.
    pub(super) fn into_values(self) -> impl Iterator<Item = T> {
        self.slots.into_iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_full_window_gives_the_value_back() {
        let mut window = Window::new(2);
        assert_eq!((window.occupy('a'), window.occupy('b')), (Ok(1), Ok(2)));
        assert_eq!((window.next(), window.occupy('c')), (None, Err('c')));
        assert_eq!(window.release(2), Some('b'));
        assert_eq!((window.next(), window.occupy('c')), (Some(2), Ok(2)));
    }

    #[test]
    fn an_identifier_is_reused_as_late_as_possible() {
        let mut window = Window::new(3);
        let first = window.occupy(()).unwrap();
        window.release(first).unwrap();
        assert_ne!(window.occupy(()).unwrap(), first);
        assert_eq!(window.release(first), None, "a second acknowledgement meets nobody");
    }

    #[test]
    fn identifiers_that_were_never_given_release_nothing() {
        let mut window = Window::new(1);
        window.occupy(()).unwrap();
        assert_eq!(
            (window.release(0), window.release(2), window.release(u16::MAX)),
            (None, None, None)
        );
    }

    #[test]
    fn the_largest_window_uses_every_identifier() {
        let mut window = Window::new(u16::MAX);
        for id in 1..=u16::MAX {
            assert_eq!(window.occupy(id), Ok(id));
        }
        assert_eq!(window.room(), 0);
        assert_eq!(window.into_values().count(), 65_535);
    }

    proptest! {
        #[test]
        fn acknowledgements_in_any_order_release_their_own_value(
            steps in proptest::collection::vec(prop_oneof![Just(None), (0_u16..12).prop_map(Some)], 0..400)
        ) {
            let mut window = Window::new(8);
            let mut model = HashMap::new();
            for (value, step) in steps.into_iter().enumerate() {
                match step {
                    None => match window.occupy(value) {
                        Ok(id) => prop_assert!(model.insert(id, value).is_none()),
                        Err(_) => prop_assert_eq!(model.len(), 8),
                    },
                    Some(id) => prop_assert_eq!(window.release(id), model.remove(&id)),
                }
                prop_assert_eq!(window.len(), model.len());
                prop_assert_eq!(window.room(), 8 - model.len());
            }
        }
    }
}
