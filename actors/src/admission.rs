//! Who may have a session: the certificate's board, checked against the registry.
//!
//! The chain has been verified by the handshake engine before anybody asks here.
//! Invariant: nothing is written here; a refused board leaves no trace but a counter and a log line.

use std::sync::Arc;

use openssl::sha::sha256;
use storage::{
    Board, BoardId, BoardState, Fingerprint, Store, Tenant, TenantId, TenantState, UnixSeconds,
};

use crate::identity::{self, Identity, IdentityError};
use crate::refusal::Refusal;

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
}

/// Admission by the registry in the store.
pub struct Registry {
    store: Store,
}

impl Registry {
    /// A registry that reads `store`.
    #[must_use]
    pub fn new(store: Store) -> Arc<Self> {
        Arc::new(Self { store })
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
        may_connect(&board, &tenant, fingerprint)?;
        let not_after = identity.not_after;
        Ok(Admitted { board: board.id, tenant: tenant.id, fingerprint, not_after })
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
        may_connect(&board, &tenant, admitted.fingerprint)?;
        if now > admitted.not_after { Err(Refusal::Expired) } else { Ok(()) }
    }
}

fn may_connect(board: &Board, tenant: &Tenant, fingerprint: Fingerprint) -> Result<(), Refusal> {
    match board.state {
        BoardState::Active => {}
        BoardState::Blocked { .. } => return Err(Refusal::Blocked),
        BoardState::Revoked { .. } => return Err(Refusal::Revoked),
    }
    match tenant.state {
        TenantState::Active => {}
        TenantState::Suspended => return Err(Refusal::TenantSuspended),
    }
    if board.fingerprint != Some(fingerprint) {
        return Err(Refusal::OtherCertificate);
    }
    Ok(())
}

impl Admission for Registry {
    fn admit(&self, leaf: &[u8], issuer: &[u8]) -> Result<Admitted, NotAdmitted> {
        let identity = identity::identity(leaf).map_err(|error| match error {
            IdentityError::NoSubjectAlternativeName | IdentityError::NoHardwareModuleName => {
                Refusal::NoHardwareId
            }
            IdentityError::MayNotSign => Refusal::WrongKeyUsage,
            IdentityError::Malformed | IdentityError::NotABoardId => {
                Refusal::UnsupportedCertificate
            }
        })?;
        let board = Some(identity.board.clone());
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
