//! `[shutdown]`: what happens between SIGTERM and the end.

use super::key::section;

section! {
    /// What happens between SIGTERM (or Ctrl-C) and the end.
    pub struct Shutdown in "shutdown" {
        /// Seconds that requests on their way to an upstream have to be answered.
        pub drain_s: u64 = 10, from 0 to 600;
    }
}
