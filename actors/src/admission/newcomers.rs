//! Certificates that the registry does not know yet and a tenant's own authority has issued: of boards
//! that come for the first time, and of boards that their authority has given another.
//!
//! Invariant: a certificate is public. So nothing is written when it is shown, only when its session is
//! about to begin, which its key was needed for.

use std::collections::BTreeMap;

use storage::{
    Authority, BatchName, Board, BoardId, BoardState, Certificate, Enrolment, EnrolmentRefusal,
    Fingerprint, FirstContact, Foreign, Origin, Serial, StoreError, Successors, Taking, TenantId,
};

use super::{Admitted, Registry, unreadable};
use crate::identity::Identity;
use crate::refusal::Refusal;
use crate::wall_clock;

/// How a certificate that is admitted stands to what is registered of its board.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It is the board's, or was issued to become so.
    Known,
    /// The board is to be registered with it.
    First(Box<First>),
    /// It takes the place of the one that the board is registered with.
    Successor {
        /// That one.
        replaces: Fingerprint,
        /// The new one's serial number.
        serial: Serial,
    },
    /// The board gave it up for another that it has used since: whoever proves to have its key is not
    /// the board, or has gone back in time.
    GaveUp,
}

/// What a board is to be registered with that comes for the first time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct First {
    /// The batch that takes it.
    pub batch: BatchName,
    /// The labels that it gets beside the batch's.
    pub labels: BTreeMap<String, String>,
    /// The serial number of its certificate.
    pub serial: Serial,
}

impl Registry {
    /// A board that nobody has registered, or nobody with a certificate.
    pub(super) fn first_contact(
        &self,
        identity: &Identity,
        authority: &Authority,
    ) -> Result<Standing, Refusal> {
        let Origin::Foreign(Foreign { first_contact, .. }) = &authority.origin else {
            return Err(Refusal::UnknownBoard);
        };
        let FirstContact::Register { batch, labels } = first_contact else {
            return Err(Refusal::UnknownBoard);
        };
        let first = First {
            batch: batch.clone(),
            labels: labels.clone(),
            serial: Serial::new(&identity.serial),
        };
        let wanted = enrolment(&identity.board, &authority.tenant, &first);
        let may = self.store.may_enrol(&wanted).map_err(|error| unreadable(&error))?;
        may.map_err(|refusal| {
            let (board, authority) = (&identity.board, authority.name());
            tracing::info!(%board, %authority, %refusal, "a board that is not registered comes and is not taken");
            not_taken(&refusal)
        })?;
        Ok(Standing::First(Box::new(first)))
    }

    /// Whether another certificate than the board's takes that one's place.
    pub(super) fn succeeds(
        &self,
        identity: &Identity,
        authority: &Authority,
        board: &Board,
    ) -> Result<Standing, Refusal> {
        let Origin::Foreign(foreign) = &authority.origin else {
            return Err(Refusal::OtherCertificate);
        };
        let ends_later = board.not_after.is_some_and(|before| before < identity.not_after);
        match (foreign.successors, board.fingerprint) {
            // What the hub has issued, the hub renews.
            (Successors::Later, Some(replaces)) if ends_later && self.is_foreign(board)? => {
                Ok(Standing::Successor { replaces, serial: Serial::new(&identity.serial) })
            }
            (Successors::Refuse | Successors::Later, _) => Err(Refusal::OtherCertificate),
        }
    }

    fn is_foreign(&self, board: &Board) -> Result<bool, Refusal> {
        let Some(issuer) = board.issuer else { return Ok(false) };
        let issuer = self.store.authorities().find(&board.tenant, issuer);
        let issuer = issuer.map_err(|error| unreadable(&error))?;
        Ok(issuer.is_some_and(|issuer| matches!(issuer.origin, Origin::Foreign(_))))
    }

    /// Writes down what a session's beginning changes about its board; the caller flushes.
    pub(super) fn take_in(&self, admitted: &Admitted) -> Result<Result<(), Refusal>, StoreError> {
        match &admitted.standing {
            Standing::Known => Ok(Ok(())),
            // Nobody gets so far with it.
            Standing::GaveUp => Ok(Err(Refusal::OtherCertificate)),
            Standing::First(first) => self.register(admitted, first),
            Standing::Successor { replaces, serial } => {
                let certificate = certificate(admitted, serial);
                let changed = self.store.boards().change(&admitted.board, |board| {
                    if board.fingerprint == Some(*replaces) && board.state == BoardState::Active {
                        board.certify(certificate.clone());
                    }
                })?;
                let is_its = |board: Board| board.fingerprint == Some(admitted.fingerprint);
                if !changed.is_some_and(is_its) {
                    return Ok(Err(Refusal::OtherCertificate));
                }
                self.clones.gave_up(&admitted.board, *replaces, wall_clock::seconds());
                tracing::info!(board = %admitted.board, certificate = %admitted.fingerprint, "the board comes with another certificate of its authority");
                Ok(Ok(()))
            }
        }
    }

    fn register(
        &self,
        admitted: &Admitted,
        first: &First,
    ) -> Result<Result<(), Refusal>, StoreError> {
        let Admitted { board, tenant, fingerprint, .. } = admitted;
        let known = self.store.boards().find(board)?;
        // Two handshakes of a board at once: the other was sooner.
        if known.is_some_and(|known| known.fingerprint == Some(*fingerprint)) {
            return Ok(Ok(()));
        }
        let wanted = enrolment(board, tenant, first);
        Ok(match self.store.enrol(&wanted, &certificate(admitted, &first.serial))? {
            Ok(_) => {
                tracing::info!(%board, %tenant, batch = %first.batch, certificate = %fingerprint, "registered at its first contact");
                Ok(())
            }
            Err(refusal) => {
                tracing::info!(%board, %tenant, %refusal, "a board was not registered after all");
                Err(not_taken(&refusal))
            }
        })
    }
}

fn certificate(admitted: &Admitted, serial: &Serial) -> Certificate {
    Certificate {
        fingerprint: admitted.fingerprint,
        serial: Some(serial.clone()),
        issuer: Some(admitted.issuer),
        not_after: Some(admitted.not_after),
    }
}

fn enrolment(board: &BoardId, tenant: &TenantId, first: &First) -> Enrolment {
    Enrolment {
        board: board.clone(),
        tenant: tenant.clone(),
        batch: first.batch.clone(),
        token: None,
        at: wall_clock::seconds(),
        taking: Taking::WhatIsFree,
        labels: first.labels.clone(),
    }
}

fn not_taken(refusal: &EnrolmentRefusal) -> Refusal {
    match refusal {
        EnrolmentRefusal::TenantSuspended(_) => Refusal::TenantSuspended,
        EnrolmentRefusal::AnotherTenants(_) => Refusal::OtherTenant,
        EnrolmentRefusal::HasOne(_) | EnrolmentRefusal::InTheField(_) => Refusal::OtherCertificate,
        EnrolmentRefusal::Shut { .. } => Refusal::Blocked,
        EnrolmentRefusal::UnknownTenant(_)
        | EnrolmentRefusal::UnknownBatch { .. }
        | EnrolmentRefusal::BatchClosed(_)
        | EnrolmentRefusal::BatchExpired(_)
        | EnrolmentRefusal::BatchFull { .. }
        | EnrolmentRefusal::NotOfBatch { .. }
        | EnrolmentRefusal::TokenUnknown
        | EnrolmentRefusal::TokenUsed
        | EnrolmentRefusal::TokenExpired => Refusal::NotInBatch,
    }
}
