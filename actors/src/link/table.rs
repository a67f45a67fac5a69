//! Who a datagram belongs to: sessions by Connection ID or address.
//!
//! Invariant: belongs to one arbiter; holds addresses of actors, never their state.

use std::collections::HashMap;
use std::net::SocketAddr;

use actix::{Actor, Addr};

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
    sessions: HashMap<Key, (Serial, Addr<S>)>,
}

impl<S: Actor> Default for Table<S> {
    fn default() -> Self {
        Self { sessions: HashMap::new() }
    }
}

impl<S: Actor> Table<S> {
    /// The session named by `key`.
    #[must_use]
    pub fn session(&self, key: &Key) -> Option<&Addr<S>> {
        self.sessions.get(key).map(|(_, session)| session)
    }

    /// Enters a session; one that had the same name is given back.
    pub fn insert(&mut self, key: Key, serial: Serial, session: Addr<S>) -> Option<Addr<S>> {
        self.sessions.insert(key, (serial, session)).map(|(_, before)| before)
    }

    /// Forgets the session `serial` if it still has the name `key`; a successor's entry stays.
    pub fn remove(&mut self, key: &Key, serial: Serial) {
        if self.sessions.get(key).is_some_and(|(entered, _)| *entered == serial) {
            self.sessions.remove(key);
        }
    }
}
