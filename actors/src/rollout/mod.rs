//! Rollouts: which board should run which release, decided from what boards report, and what stops it.
//!
//! ```text
//! report ─> Rollouts ─> Live: judge (what the board says) ─> decide (whether it is offered) ─> course
//!                                                             (whether the next group begins, or it stops)
//! GET fw/… ─> Shelf: a block of an image, by its SHA-256
//! ```
//! `judge` and `course` are pure. Invariant: what a board is told is written down before, and what
//! becomes of a rollout follows from its boards' rows alone, so that it goes on after a kill where it was.

pub mod air;
mod assign;
mod calls;
mod course;
mod error;
mod judge;
mod live;
mod preview;
mod rollouts;
mod shelf;

pub use course::Counts;
pub use error::RolloutError;
pub use preview::{Preview, Stand, Total};
pub use rollouts::{NewRollout, Parse, Rollouts, Said, Standing};
pub use shelf::Shelf;
