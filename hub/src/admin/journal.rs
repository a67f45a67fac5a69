//! Where changes are written down: who changed what, and when.
//!
//! Invariant: an entry holds no secret; the journal is told after the store has the change.

/// One change.
#[derive(Clone, Debug)]
pub struct Entry {
    /// What was done, as `board.block`.
    pub what: &'static str,
    /// To whom: a name, or several with slashes between.
    pub subject: String,
    /// What else there is to say, an object of JSON.
    pub detail: serde_json::Value,
}

/// Takes entries.
pub trait Journal: Send + Sync {
    /// One more.
    fn append(&self, entry: &Entry);
}

/// The log of the process, for as long as there is no journal of its own.
#[derive(Clone, Copy, Debug, Default)]
pub struct Log;

impl Journal for Log {
    fn append(&self, entry: &Entry) {
        let Entry { what, subject, detail } = entry;
        tracing::info!(what, %subject, %detail, "an admin's change");
    }
}
