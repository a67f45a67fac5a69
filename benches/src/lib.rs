//! Measurements: what the criterion benches and the load generator share.
//!
//! Invariant: nothing of the product depends on this crate, and nothing here is on a hub's way.

pub mod load;
pub mod scenario;
