//! Who may have a session: the certificate's board, checked against the registry.
//!
//! The chain has been verified by the handshake engine before anybody asks here.
//! Invariant: a refused board leaves no trace but a counter and a log line; all that is ever written here
//! is whose a certificate has become, once its session is established.

mod clones;
mod newcomers;
mod twin;

use std::sync::Arc;
use std::time::{Duration, Instant};

use openssl::sha::sha256;
use storage::{
    AuditEvent, Authority, AuthorityNumber, AuthorityState, Board, BoardId, BoardState,
    Fingerprint, Serial, Store, Tenant, TenantId, TenantState, UnixSeconds,
};

use self::clones::Clones;
pub use self::clones::SessionMark;
pub use self::newcomers::{First, Standing};
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
    /// Which of the tenant's authorities issued it.
    pub issuer: AuthorityNumber,
    /// How it stands to what is registered of the board.
    pub standing: Standing,
}

/// What a session says of the certificate that its full handshake showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// The board that it names.
    pub board: BoardId,
    /// The tenant that the board belonged to.
    pub tenant: TenantId,
    /// SHA-256 over it.
    pub fingerprint: Fingerprint,
    /// When it ends.
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
    /// `leaf` and `anchor` are DER; `anchor` is the authority that the chain ended at.
    ///
    /// # Errors
    /// The reason the board is refused.
    fn admit(&self, leaf: &[u8], anchor: &[u8]) -> Result<Admitted, NotAdmitted>;

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
    clones: Clones,
}

impl Registry {
    /// A registry that reads `store`, and admits a board for `grace` after the end of its
    /// certificate. Whoever gives such a board a session lets it renew that, and nothing else.
    #[must_use]
    pub fn new(store: Store, grace: Duration) -> Arc<Self> {
        Arc::new(Self { store, grace_s: grace.as_secs(), clones: Clones::default() })
    }

    /// A session of the board is to begin with this certificate: if it was a new one, it is the
    /// board's from now on, and the one before is nobody's. May wait for the disk.
    ///
    /// # Errors
    /// [`Refusal`] where a newcomer is not taken after all.
    pub fn used(&self, admitted: &Admitted) -> Result<(), Refusal> {
        if admitted.standing == Standing::GaveUp {
            let why = "a certificate that it had given up for another was used again";
            return Err(self.hold(&admitted.board, why));
        }
        self.take_in(admitted).map_err(|error| unreadable(&error))??;
        if let Some(serial) = &admitted.serial {
            self.learn(admitted, serial);
        }
        match self.store.renewals().complete(&admitted.board, admitted.fingerprint) {
            Ok(None) => {}
            Ok(Some(before)) => {
                self.clones.gave_up(&admitted.board, before, wall_clock::seconds());
                tracing::info!(board = %admitted.board, certificate = %admitted.fingerprint, "renewed: the board uses its new certificate");
            }
            // Both are admitted until it can be written down.
            Err(error) => {
                tracing::error!(board = %admitted.board, %error, "a renewal is not complete");
            }
        }
        Ok(())
    }

    /// A full handshake has proved the board's key, offered this session to be resumed, and been given
    /// that one.
    ///
    /// # Errors
    /// [`Refusal::Held`] where there are two of the board: from now on it is held.
    pub fn shook_hands(
        &self,
        board: &BoardId,
        offered: Option<&SessionMark>,
        given: Option<&SessionMark>,
    ) -> Result<(), Refusal> {
        match self.clones.are_two(board, offered, given) {
            true => Err(self.hold(board, "two devices with its certificate take turns")),
            false => Ok(()),
        }
    }

    /// Holds a board until an admin releases it.
    fn hold(&self, board: &BoardId, why: &str) -> Refusal {
        self.clones.forget(board);
        let since = wall_clock::seconds();
        let held = self.store.boards().change(board, |known| {
            if known.state == BoardState::Active {
                known.state = BoardState::Held { reason: why.to_owned(), since };
            }
        });
        match held {
            Ok(known) => {
                self.write_down(board, known.map(|known| known.tenant), why, since);
                let way_out = "find out which of the two is the board; `cellular-hub board release` lets it in again";
                tracing::error!(%board, reason = why, way_out, "held: there seem to be two of a board");
                Refusal::Held
            }
            Err(error) => unreadable(&error),
        }
    }

    /// Has the audit log say that the board is held, which nobody has done but the hub.
    fn write_down(&self, board: &BoardId, tenant: Option<TenantId>, why: &str, at: UnixSeconds) {
        let event = AuditEvent {
            at,
            who: String::from("hub"),
            source: None,
            what: String::from("board.hold"),
            subject: board.to_string(),
            tenant,
            detail: format!("{{\"reason\":\"{why}\"}}"),
        };
        if let Err(error) = self.store.audit().and_then(|audit| audit.append(event)) {
            tracing::error!(%board, %error, "the audit log does not say that the board is held");
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
        leaf: &[u8],
        authority: &Authority,
    ) -> Result<Admitted, Refusal> {
        let (at, fingerprint) = (Instant::now(), Fingerprint(sha256(leaf)));
        let found = self.store.boards().find(&identity.board);
        let board = found.map_err(|error| unreadable(&error))?;
        if board.as_ref().is_some_and(|board| board.tenant != authority.tenant) {
            return Err(Refusal::OtherTenant);
        }
        let (tenant, issuer) = (self.tenant(&authority.tenant)?, authority.number);
        self.not_revoked(fingerprint)?;
        let revoked = self.store.revoked().has_serial(&tenant.id, issuer, &identity.serial);
        if revoked.map_err(|error| unreadable(&error))? {
            return Err(Refusal::Revoked);
        }
        let standing = self.standing(&identity, fingerprint, authority, &tenant, board.as_ref())?;
        if let Standing::First(_) = standing {
            // Of what was revoked before the hub has seen it, it knows no serial number.
            let twin = twin::twin(leaf).ok_or(Refusal::UnsupportedCertificate)?;
            self.not_revoked(twin)?;
        }
        let is_unknown =
            |board: Board| board.fingerprint == Some(fingerprint) && board.serial.is_none();
        let serial = board.is_some_and(is_unknown).then(|| Serial::new(&identity.serial));
        let (board, not_after) = (identity.board, identity.not_after);
        let tenant = tenant.id;
        Ok(Admitted { board, tenant, fingerprint, not_after, at, serial, issuer, standing })
    }

    fn standing(
        &self,
        identity: &Identity,
        fingerprint: Fingerprint,
        authority: &Authority,
        tenant: &Tenant,
        board: Option<&Board>,
    ) -> Result<Standing, Refusal> {
        let Some(board) = board else { return self.first_contact(identity, authority) };
        match self.may_connect(board, tenant, fingerprint) {
            Ok(_) => Ok(Standing::Known),
            Err(Refusal::OtherCertificate) if board.fingerprint.is_none() => {
                // Registered for its authority to vouch for, or its certificate was revoked.
                let first = self.first_contact(identity, authority);
                first.map_err(|refusal| match refusal {
                    Refusal::UnknownBoard => Refusal::OtherCertificate,
                    other => other,
                })
            }
            Err(Refusal::OtherCertificate) => match self.clones.given_up(&board.id, &fingerprint) {
                // Once the board has spoken under its new one, it knows that that is in force.
                Some(at) if board.last_seen.is_some_and(|heard| heard > at) => Ok(Standing::GaveUp),
                Some(_) | None => self.succeeds(identity, authority, board),
            },
            Err(other) => Err(other),
        }
    }

    /// The authority with this certificate.
    fn authority(&self, certificate: &[u8]) -> Result<Authority, Refusal> {
        let found = self.store.authorities().of_certificate(certificate);
        // Taken away since the handshake began.
        found.map_err(|error| unreadable(&error))?.ok_or(Refusal::UnknownAuthority)
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
    pub fn readmit(&self, shown: Shown, now: UnixSeconds) -> Result<Admitted, Refusal> {
        let at = Instant::now();
        let Shown { board, tenant, fingerprint, not_after } = shown;
        let board = self.board(&board)?;
        if board.tenant != tenant {
            return Err(Refusal::OtherTenant);
        }
        self.not_revoked(fingerprint)?;
        let tenant = self.tenant(&board.tenant)?;
        let issuer = self.may_connect(&board, &tenant, fingerprint)?;
        // Sessions of before that was written down are of the one authority there was.
        let issuer = issuer.unwrap_or(AuthorityNumber::FIRST);
        let authority = self.store.authorities().find(&tenant.id, issuer);
        let authority = authority.map_err(|error| unreadable(&error))?;
        believed(&authority.ok_or(Refusal::UnknownAuthority)?)?;
        if now > not_after {
            return Err(Refusal::Expired);
        }
        let (standing, serial) = (Standing::Known, None);
        let (board, tenant) = (board.id, tenant.id);
        Ok(Admitted { board, tenant, fingerprint, not_after, at, serial, issuer, standing })
    }

    /// The board's own certificate, or the one that it was issued in place of that; by whom, as far
    /// as that is known.
    fn may_connect(
        &self,
        board: &Board,
        tenant: &Tenant,
        fingerprint: Fingerprint,
    ) -> Result<Option<AuthorityNumber>, Refusal> {
        match board.state {
            BoardState::Active => {}
            BoardState::Blocked { .. } => return Err(Refusal::Blocked),
            BoardState::Held { .. } => return Err(Refusal::Held),
            BoardState::Revoked { .. } => return Err(Refusal::Revoked),
        }
        match tenant.state {
            TenantState::Active => {}
            TenantState::Suspended => return Err(Refusal::TenantSuspended),
        }
        if board.fingerprint == Some(fingerprint) {
            return Ok(board.issuer);
        }
        match self.store.renewals().of(board) {
            Ok(Some(renewal)) if renewal.fingerprint == fingerprint => Ok(renewal.issuer),
            Ok(_) => Err(Refusal::OtherCertificate),
            Err(error) => Err(unreadable(&error)),
        }
    }
}

impl Admission for Registry {
    fn judges_expired(&self) -> bool {
        self.grace_s > 0
    }

    fn admit(&self, leaf: &[u8], anchor: &[u8]) -> Result<Admitted, NotAdmitted> {
        let authority = self.authority(anchor)?;
        let identity =
            identity::identity(leaf, authority.id_from()).map_err(|error| match error {
                IdentityError::NoSubjectAlternativeName
                | IdentityError::NoHardwareModuleName
                | IdentityError::NoSuchField => Refusal::NoHardwareId,
                IdentityError::MayNotSign => Refusal::WrongKeyUsage,
                IdentityError::IsAuthority => Refusal::IsAuthority,
                IdentityError::Malformed
                | IdentityError::KeyUnsuited
                | IdentityError::NotABoardId => Refusal::UnsupportedCertificate,
            })?;
        let board = Some(identity.board.clone());
        if wall_clock::now().0 / 1000 > identity.not_after.0.saturating_add(self.grace_s) {
            return Err(NotAdmitted { reason: Refusal::Expired, board });
        }
        believed(&authority)
            .and_then(|()| self.known(identity, leaf, &authority))
            .map_err(|reason| NotAdmitted { reason, board })
    }
}

fn believed(authority: &Authority) -> Result<(), Refusal> {
    match authority.state {
        AuthorityState::Active | AuthorityState::Retiring { .. } => Ok(()),
        AuthorityState::Retired { .. } => Err(Refusal::AuthorityRetired),
        AuthorityState::Revoked { .. } => Err(Refusal::AuthorityRevoked),
    }
}

fn unreadable(error: &storage::StoreError) -> Refusal {
    tracing::error!(%error, "the registry cannot be read; the handshake is refused");
    Refusal::Internal
}

#[cfg(test)]
mod tests;
