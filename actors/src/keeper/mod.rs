//! What keeps sessions: it stores them when they begin, and wakes them when their boards speak again.
//!
//! Invariant: everything that waits for the disk is here, on arbiters of its own; no session and no
//! socket ever does. The one exception is the session's own slot, whose write goes no further than
//! memory.

use std::sync::Arc;

use actix::Addr;

use crate::campaign::Campaigns;
use crate::enrolment::Desk;
use crate::firmware::{Counter, Librarian};

pub mod keep;
pub mod resuming;
pub mod waker;
pub mod writer;

pub use keep::{Keep, Kept, NotKept, NotWoken, Place};
pub use resuming::Resuming;
pub use waker::{Wake, Waker, Woken};
pub use writer::{Begin, BeginWith, Change, Changed, Close, Keeper, Raise, Store, Stored};

/// The sessions that are kept, and who does it.
#[derive(Clone)]
pub struct Keeping {
    /// The sessions.
    pub keep: Keep,
    /// Who stores them.
    pub keeper: Addr<Keeper>,
    /// Who wakes them.
    pub waker: Addr<Waker>,
    /// Who has their boards' enrolments answered.
    pub desk: Addr<Desk>,
    /// Who takes what they say of their firmware.
    pub counter: Addr<Counter>,
    /// Who reads images for them.
    pub librarian: Addr<Librarian>,
    /// Which of their boards are told to renew their certificates.
    pub campaigns: Arc<Campaigns>,
}
