//! `[audit]`: how often the audit log is signed.

use super::key::section;

section! {
    /// Checkpoints of the audit log: its head, signed with the key `audit`.
    pub struct Audit in "audit" {
        /// A checkpoint is signed after so many entries without one.
        pub checkpoint_entries: u64 = 1000, from 1 to 1000000;
        /// And after so many minutes, where there is an entry without one.
        pub checkpoint_min: u64 = 60, from 1 to 10080;
    }
}
