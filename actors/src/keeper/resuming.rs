//! Stored sessions as the handshake resumes them: found by session id, and looked at again.
//!
//! Invariant: a session is resumed only while its board would be admitted, with the certificate that
//! its full handshake showed, and not longer after that than the configuration says.

use std::sync::Arc;
use std::time::{Duration, Instant};

use storage::{ResumptionId, Session, UnixSeconds};
use zeroize::Zeroizing;

use super::keep::Keep;
use crate::admission::Shown;
use crate::handshake_quota::HandshakeQuota;
use crate::link::cipher::Suite;
use crate::link::offer::SESSION_ID_LEN;
use crate::link::resumptions::{Resumable, Resumptions};
use crate::wall_clock;

/// The stored sessions that may be resumed.
pub struct Resuming {
    keep: Keep,
    quota: Arc<HandshakeQuota>,
    lifetime: Duration,
}

impl Resuming {
    /// Those of `keep`, for `lifetime` after their full handshake, within boards' `quota`.
    #[must_use]
    pub const fn new(keep: Keep, quota: Arc<HandshakeQuota>, lifetime: Duration) -> Self {
        Self { keep, quota, lifetime }
    }

    /// The session of this id, if it may be resumed at `now`.
    fn find_at(&self, session_id: &[u8; SESSION_ID_LEN], now: UnixSeconds) -> Option<Resumable> {
        let id = session_id.first_chunk::<{ size_of::<ResumptionId>() }>()?;
        let session = match self.keep.sessions().resumable(id) {
            Ok(session) => session?,
            Err(error) => {
                tracing::error!(%error, "a session cannot be read; its board shakes hands in full");
                return None;
            }
        };
        // A clock that went back makes no session younger than it is.
        let age = now.0.saturating_sub(session.authenticated.0);
        if age >= self.lifetime.as_secs() {
            return None;
        }
        let Session { board, tenant, fingerprint, not_after, authenticated, .. } = session;
        let shown = Shown { board, tenant, fingerprint, not_after };
        // The full handshake that follows says the reason, to the board as an alert.
        let admitted = self.keep.registry().readmit(shown, now).ok()?;
        if !self.quota.allows(&admitted, Instant::now()) {
            return None;
        }
        let suite = Suite::from_iana(session.suite)?;
        let master = Zeroizing::new(session.resumption?.master.0);
        Some(Resumable { suite, master, admitted, authenticated })
    }
}

impl Resumptions for Resuming {
    fn find(&self, session_id: &[u8; SESSION_ID_LEN]) -> Option<Resumable> {
        self.find_at(session_id, wall_clock::seconds())
    }
}
