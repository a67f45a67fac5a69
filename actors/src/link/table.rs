//! Who a datagram belongs to: sessions by Connection ID or address.
//!
//! Invariant: belongs to one arbiter; holds addresses of actors, never their state. They are weak: one
//! that could be sent to has two allocations of its own, 80 bytes for every session, and is made in
//! the time of two allocations when a datagram comes.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::SocketAddr;

use actix::{Actor, Addr, WeakAddr};

use crate::link::connection_id::ConnectionId;

/// Milliseconds on the arbiter's monotonic clock.
pub type Millis = u64;

/// Tells a session from another of the same name or board; no two of a hub have the same.
pub type Serial = u64;

/// What names a session on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Key {
    /// A negotiated Connection ID, from whatever address.
    ConnectionId(ConnectionId),
    /// The peer's address.
    Address(SocketAddr),
}

/// The sessions of one arbiter, actors of type `S`.
pub struct Table<S: Actor> {
    by_id: Sessions<ConnectionId, S>,
    by_address: Sessions<SocketAddr, S>,
}

/// One for each kind of name: most are Connection IDs, and an address takes five times their room.
type Sessions<K, S> = HashMap<K, (Serial, WeakAddr<S>)>;

impl<S: Actor> Default for Table<S> {
    fn default() -> Self {
        Self { by_id: HashMap::new(), by_address: HashMap::new() }
    }
}

impl<S: Actor> Table<S> {
    /// The session named by `key`, if it is awake.
    #[must_use]
    pub fn session(&self, key: &Key) -> Option<Addr<S>> {
        let entry = match key {
            Key::ConnectionId(id) => self.by_id.get(id),
            Key::Address(address) => self.by_address.get(address),
        };
        entry.and_then(|(_, session)| session.upgrade())
    }

    /// Enters a session; one that had the same name is given back.
    pub fn insert(&mut self, key: Key, serial: Serial, session: &Addr<S>) -> Option<Addr<S>> {
        let entry = (serial, session.downgrade());
        let before = match key {
            Key::ConnectionId(id) => self.by_id.insert(id, entry),
            Key::Address(address) => self.by_address.insert(address, entry),
        };
        before.and_then(|(_, before)| before.upgrade())
    }

    /// Forgets the session `serial` if it still has the name `key`; a successor's entry stays.
    pub fn remove(&mut self, key: &Key, serial: Serial) {
        match key {
            Key::ConnectionId(id) => remove(&mut self.by_id, id, serial),
            Key::Address(address) => remove(&mut self.by_address, address, serial),
        }
    }
}

fn remove<K: Eq + Hash, S: Actor>(sessions: &mut Sessions<K, S>, name: &K, serial: Serial) {
    if sessions.get(name).is_some_and(|(entered, _)| *entered == serial) {
        sessions.remove(name);
    }
}
