//! Where the sessions that are known by their boards' addresses are stored: one entry each, awake or
//! asleep. A Connection ID needs none.
//!
//! Invariant: entries of sessions that are gone never outnumber the others, a handful apart, however
//! often boards change their address.

use std::collections::HashMap;
use std::net::SocketAddr;

use storage::Slot;

/// So many are never looked through.
const FEW: usize = 1024;

/// Where a session is stored: its slot, and which session of that slot it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The slot.
    pub slot: Slot,
    /// The generation.
    pub generation: u32,
}

/// Stored sessions of one arbiter, by address.
#[derive(Debug, Default)]
pub struct Addresses {
    stored: HashMap<SocketAddr, Place>,
    /// How many there may be before those that are gone are looked for.
    room: usize,
}

impl Addresses {
    /// The slot of the session that `peer` has.
    #[must_use]
    pub fn slot(&self, peer: &SocketAddr) -> Option<Slot> {
        self.stored.get(peer).map(|place| place.slot)
    }

    /// `peer` has this session. Where there are twice as many entries as were true at the last look,
    /// those that are not `kept` any more go.
    pub fn enter(&mut self, peer: SocketAddr, place: Place, kept: impl Fn(Place) -> bool) {
        self.stored.insert(peer, place);
        if self.stored.len() > self.room.max(FEW) {
            self.stored.retain(|_, place| kept(*place));
            self.room = self.stored.len().saturating_mul(2);
        }
    }

    /// The session is over for good; what else `peer` may have by now stays.
    pub fn leave(&mut self, peer: &SocketAddr, place: Place) {
        if self.stored.get(peer) == Some(&place) {
            self.stored.remove(peer);
        }
    }
}

impl FromIterator<(SocketAddr, Place)> for Addresses {
    fn from_iter<I: IntoIterator<Item = (SocketAddr, Place)>>(stored: I) -> Self {
        let stored = HashMap::from_iter(stored);
        let room = stored.len().saturating_mul(2);
        Self { stored, room }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(port: u16) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, 1], port))
    }

    fn place(slot: u32, generation: u32) -> Place {
        Place { slot: Slot::new(slot).unwrap(), generation }
    }

    #[test]
    fn a_board_that_changes_its_address_with_every_session_leaves_few_entries() {
        let mut addresses = Addresses::default();
        for generation in 1..20_000 {
            let port = u16::try_from(generation).unwrap();
            addresses.enter(peer(port), place(7, generation), |it| it.generation == generation);
        }
        assert!(addresses.stored.len() <= FEW, "{}", addresses.stored.len());
        assert_eq!(addresses.slot(&peer(19_999)), Slot::new(7));
    }

    #[test]
    fn looking_for_what_is_gone_costs_each_session_little() {
        let (mut addresses, looks) = (Addresses::default(), std::cell::Cell::new(0));
        for port in 1..=u16::MAX {
            let kept = |_| {
                looks.set(looks.get() + 1);
                true
            };
            addresses.enter(peer(port), place(u32::from(port), 1), kept);
        }
        assert_eq!(addresses.stored.len(), usize::from(u16::MAX));
        assert!(looks.get() < 2 * 65_536, "{}", looks.get());
    }

    #[test]
    fn a_session_that_ends_takes_its_own_entry_and_not_its_successors() {
        let mut addresses = Addresses::default();
        addresses.enter(peer(1), place(7, 2), |_| true);
        addresses.leave(&peer(1), place(7, 1));
        assert_eq!(addresses.slot(&peer(1)), Slot::new(7));
        addresses.leave(&peer(1), place(7, 2));
        assert_eq!(addresses.slot(&peer(1)), None);
    }
}
