//! Who may do what: people, their roles, and the tokens of their programs.
//!
//! Invariant: nothing here knows HTTP. Who shows what is asked what they may; nobody may anything
//! that no line of [`permission`]'s table gives them.

pub mod permission;
pub mod token;

pub use self::permission::{Permission, PermissionSet, Powers, Reach};
