//! `[approvals]`: what takes two people.

use super::key::section;

section! {
    /// Acts over the API that take two people: removing a tenant, revoking an authority, signing
    /// firmware, starting a large rollout. On the hub's host, the command line does them at once.
    pub struct Approvals in "approvals" {
        /// Hours within which another person has to allow what was asked for.
        pub expire_h: u64 = 72, from 1 to 720;
        /// A rollout for more boards than this takes two people; 0 lets one person start any.
        pub rollout_boards: u64 = 1000, from 0 to 100_000_000;
    }
}
