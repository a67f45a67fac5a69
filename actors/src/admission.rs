//! Who may have a session: the certificate's board, checked against the registry.
//!
//! The chain has been verified by the handshake engine before anybody asks here.
//! Invariant: a refused board leaves no trace but a counter and a log line; all that is ever written here
//! is that a renewed certificate was used, once its session is established.

use std::sync::Arc;
use std::time::{Duration, Instant};

use openssl::sha::sha256;
use storage::{
    Board, BoardId, BoardState, Fingerprint, Serial, Store, Tenant, TenantId, TenantState,
    UnixSeconds,
};

use crate::identity::{self, Identity, IdentityError};
use crate::refusal::Refusal;
use crate::wall_clock;

/// A board that may have a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admitted {
    /// The board the certificate names.
    pub board: BoardId,
    /// The tenant it belongs to.
    pub tenant: TenantId,
    /// SHA-256 of the certificate it authenticated with.
    pub fingerprint: Fingerprint,
    /// When that certificate ends.
    pub not_after: UnixSeconds,
    /// When it was asked for, before the store was: whoever is shut out later is, with this.
    pub at: Instant,
    /// That certificate's serial number, where the store does not have it yet.
    pub serial: Option<Serial>,
}

/// A board that may not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotAdmitted {
    /// Why.
    pub reason: Refusal,
    /// The board the certificate names, where it could be read.
    pub board: Option<BoardId>,
}

impl From<Refusal> for NotAdmitted {
    fn from(reason: Refusal) -> Self {
        Self { reason, board: None }
    }
}

/// Decides whether the holder of a verified certificate may have a session.
pub trait Admission: Send + Sync {
    /// `leaf` and `issuer` are DER; `issuer` is the authority the chain ended at.
    ///
    /// # Errors
    /// The reason the board is refused.
    fn admit(&self, leaf: &[u8], issuer: &[u8]) -> Result<Admitted, NotAdmitted>;

    /// Whether a certificate that has ended is to be judged here, and not refused before.
    fn judges_expired(&self) -> bool {
        false
    }
}

/// Admission by the registry in the store.
pub struct Registry {
    store: Store,
    /// For how long after its end a certificate may still be renewed.
    grace_s: u64,
}

impl Registry {
    /// A registry that reads `store`, and admits a board for `grace` after the end of its
    /// certificate. Whoever gives such a board a session lets it renew that, and nothing else.
    #[must_use]
    pub fn new(store: Store, grace: Duration) -> Arc<Self> {
        Arc::new(Self { store, grace_s: grace.as_secs() })
    }

    /// A session of the board was begun with this certificate: if it was a new one, it is the
    /// board's from now on, and the one before is nobody's. May wait for the disk.
    pub fn used(&self, admitted: &Admitted) {
        if let Some(serial) = &admitted.serial {
            self.learn(admitted, serial);
        }
        match self.store.renewals().complete(&admitted.board, admitted.fingerprint) {
            Ok(false) => {}
            Ok(true) => {
                tracing::info!(board = %admitted.board, certificate = %admitted.fingerprint, "renewed: the board uses its new certificate");
            }
            // Both are admitted until it can be written down.
            Err(error) => {
                tracing::error!(board = %admitted.board, %error, "a renewal is not complete");
            }
        }
    }

    /// Writes down which serial number a board's certificate has that was registered without: a list of
    /// revoked certificates names nothing else.
    fn learn(&self, admitted: &Admitted, serial: &Serial) {
        let boards = self.store.boards();
        if let Err(error) = boards.learn_serial(&admitted.board, admitted.fingerprint, serial) {
            tracing::error!(board = %admitted.board, %error, "a certificate's serial number is not known");
        }
    }

    fn board(&self, id: &BoardId) -> Result<Board, Refusal> {
        match self.store.boards().find(id) {
            Ok(Some(board)) => Ok(board),
            Ok(None) => Err(Refusal::UnknownBoard),
            Err(error) => Err(unreadable(&error)),
        }
    }

    fn tenant(&self, id: &TenantId) -> Result<Tenant, Refusal> {
        match self.store.tenants().find(id) {
            Ok(Some(tenant)) => Ok(tenant),
            Ok(None) => Err(Refusal::UnknownBoard),
            Err(error) => Err(unreadable(&error)),
        }
    }
}

impl Registry {
    fn known(
        &self,
        identity: Identity,
        fingerprint: Fingerprint,
        issuer: &[u8],
    ) -> Result<Admitted, Refusal> {
        let at = Instant::now();
        let board = self.board(&identity.board)?;
        let tenant = self.tenant(&board.tenant)?;
        if tenant.authority.as_deref() != Some(issuer) {
            return Err(Refusal::OtherTenant);
        }
        self.not_revoked(fingerprint)?;
        let revoked = self.store.revoked().has_serial(&tenant.id, &identity.serial);
        if revoked.map_err(|error| unreadable(&error))? {
            return Err(Refusal::Revoked);
        }
        self.may_connect(&board, &tenant, fingerprint)?;
        let not_after = identity.not_after;
        let is_unknown = board.fingerprint == Some(fingerprint) && board.serial.is_none();
        let serial = is_unknown.then(|| Serial::new(&identity.serial));
        Ok(Admitted { board: board.id, tenant: tenant.id, fingerprint, not_after, at, serial })
    }

    fn not_revoked(&self, fingerprint: Fingerprint) -> Result<(), Refusal> {
        match self.store.revoked().has_fingerprint(&fingerprint) {
            Ok(false) => Ok(()),
            Ok(true) => Err(Refusal::Revoked),
            Err(error) => Err(unreadable(&error)),
        }
    }

    /// Whether a board that was admitted once would be again, `now`, with the same certificate.
    ///
    /// # Errors
    /// What has changed since.
    pub fn still(&self, admitted: &Admitted, now: UnixSeconds) -> Result<(), Refusal> {
        let board = self.board(&admitted.board)?;
        if board.tenant != admitted.tenant {
            return Err(Refusal::OtherTenant);
        }
        self.not_revoked(admitted.fingerprint)?;
        let tenant = self.tenant(&board.tenant)?;
        self.may_connect(&board, &tenant, admitted.fingerprint)?;
        if now > admitted.not_after { Err(Refusal::Expired) } else { Ok(()) }
    }

    /// The board's own certificate, or the one that it was issued in place of that.
    fn may_connect(
        &self,
        board: &Board,
        tenant: &Tenant,
        fingerprint: Fingerprint,
    ) -> Result<(), Refusal> {
        match board.state {
            BoardState::Active => {}
            BoardState::Blocked { .. } => return Err(Refusal::Blocked),
            BoardState::Revoked { .. } => return Err(Refusal::Revoked),
        }
        match tenant.state {
            TenantState::Active => {}
            TenantState::Suspended => return Err(Refusal::TenantSuspended),
        }
        if board.fingerprint == Some(fingerprint) {
            return Ok(());
        }
        match self.store.renewals().of(board) {
            Ok(Some(renewal)) if renewal.fingerprint == fingerprint => Ok(()),
            Ok(_) => Err(Refusal::OtherCertificate),
            Err(error) => Err(unreadable(&error)),
        }
    }
}

impl Admission for Registry {
    fn judges_expired(&self) -> bool {
        self.grace_s > 0
    }

    fn admit(&self, leaf: &[u8], issuer: &[u8]) -> Result<Admitted, NotAdmitted> {
        let identity = identity::identity(leaf).map_err(|error| match error {
            IdentityError::NoSubjectAlternativeName | IdentityError::NoHardwareModuleName => {
                Refusal::NoHardwareId
            }
            IdentityError::MayNotSign => Refusal::WrongKeyUsage,
            IdentityError::IsAuthority => Refusal::IsAuthority,
            IdentityError::Malformed | IdentityError::KeyUnsuited | IdentityError::NotABoardId => {
                Refusal::UnsupportedCertificate
            }
        })?;
        let board = Some(identity.board.clone());
        if wall_clock::now().0 / 1000 > identity.not_after.0.saturating_add(self.grace_s) {
            return Err(NotAdmitted { reason: Refusal::Expired, board });
        }
        self.known(identity, Fingerprint(sha256(leaf)), issuer)
            .map_err(|reason| NotAdmitted { reason, board })
    }
}

fn unreadable(error: &storage::StoreError) -> Refusal {
    tracing::error!(%error, "the registry cannot be read; the handshake is refused");
    Refusal::Internal
}

#[cfg(test)]
mod tests;
