//! Sessions that a board may resume without a full handshake (RFC 5246 7.3, F.1.4), as the
//! handshake sees them: found by session id.
//!
//! Invariant: what [`Resumptions::find`] returns may connect at this moment: board, tenant and
//! certificate were looked at again. The handshake asks nobody else.

use std::fmt;

use storage::UnixSeconds;
use zeroize::Zeroizing;

use crate::admission::Admitted;
use crate::link::cipher::Suite;
use crate::link::offer::{Offer, SESSION_ID_LEN};

/// Finds sessions to resume. It may block, as a handshake's arithmetic does.
pub trait Resumptions: Send + Sync {
    /// The session that was given this id, if its board may resume it now.
    fn find(&self, session_id: &[u8; SESSION_ID_LEN]) -> Option<Resumable>;
}

/// A session to resume. Its full handshake had the extended master secret (RFC 7627).
#[derive(Clone, PartialEq, Eq)]
pub struct Resumable {
    /// Its cipher suite.
    pub suite: Suite,
    /// Its master secret.
    pub master: Zeroizing<[u8; 48]>,
    /// Whose it is.
    pub admitted: Admitted,
    /// When the board's certificate was checked.
    pub authenticated: UnixSeconds,
}

impl fmt::Debug for Resumable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resumable").field("admitted", &self.admitted).finish_non_exhaustive()
    }
}

/// A client's wish to resume a session that there is.
pub struct Wish<'a> {
    /// What its hello says.
    pub offer: Offer<'a>,
    /// The session.
    pub resumable: Resumable,
}

impl<'a> Wish<'a> {
    /// The wish in an `offer`; `None` where only a full handshake can answer it: there is no such
    /// session, or its suite is not offered.
    pub fn of(offer: Offer<'a>, resumptions: &dyn Resumptions) -> Option<Self> {
        let resumable = resumptions.find(offer.session_id)?;
        offer.offers(resumable.suite).then_some(Self { offer, resumable })
    }
}

/// What a finished handshake leaves for the next one to resume.
#[derive(Clone, PartialEq, Eq)]
pub struct Resumption {
    /// The name under which the client will ask for it.
    pub session_id: [u8; SESSION_ID_LEN],
    /// The master secret.
    pub master: Zeroizing<[u8; 48]>,
    /// When the board's certificate was checked; `None` where that has just been.
    pub authenticated: Option<UnixSeconds>,
}

impl fmt::Debug for Resumption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resumption").finish_non_exhaustive()
    }
}

/// No session can be resumed: every handshake is a full one.
#[derive(Clone, Copy, Debug)]
pub struct Never;

impl Resumptions for Never {
    fn find(&self, _: &[u8; SESSION_ID_LEN]) -> Option<Resumable> {
        None
    }
}
