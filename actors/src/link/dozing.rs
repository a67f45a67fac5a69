//! Which sessions are to be asked when whether they are idle: one entry a session, by the second.
//!
//! Invariant: a session that is gone costs its entry until its time comes, and nothing then.

use std::collections::BTreeMap;

use actix::{Actor, WeakAddr};

use crate::link::table::Millis;

const SECOND: Millis = 1000;

/// Sessions by the second they are to be asked in.
pub struct Dozing<S: Actor>(BTreeMap<u64, Vec<WeakAddr<S>>>);

impl<S: Actor> Default for Dozing<S> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<S: Actor> Dozing<S> {
    /// Asks `session` at `at`, up to a second later.
    pub fn enter(&mut self, at: Millis, session: WeakAddr<S>) {
        self.0.entry(at / SECOND + 1).or_default().push(session);
    }

    /// The sessions that are to be asked by now.
    pub fn due(&mut self, now: Millis) -> impl Iterator<Item = WeakAddr<S>> + use<S> {
        let later = self.0.split_off(&(now / SECOND + 1));
        std::mem::replace(&mut self.0, later).into_values().flatten()
    }
}
