//! What boards ask for over their sessions (EST over CoAP, RFC 9148): the certificates they may trust,
//! and new ones for themselves.
//!
//! A new certificate is the board's second until it is first used. Invariant: blocking, so called off
//! the arbiters; a board is given a certificate only when the disk has it that it may use it, and
//! never one for another board.

use std::sync::Arc;

use actors::enrolment::{Answer, Enrolment, Operation, Request, format};
use storage::{
    Board, BoardState, Fingerprint, Renewal, Store, StoreError, Tenant, TenantId, TenantState,
    UnixSeconds,
};

use super::est::{
    self, CsrError, Request as SigningRequest, certificates_only, request_attributes,
};
use super::{Authorities, Issuing, TrustError, Unopened};

/// The authority as boards' sessions know it.
pub struct BoardEnrolment {
    authorities: Authorities,
}

/// Why a board gets nothing.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error(transparent)]
    Malformed(#[from] CsrError),
    #[error("{0}")]
    Forbidden(String),
    #[error("cannot read or write the store")]
    Store(#[from] StoreError),
    #[error("cannot use the hub's root or the tenant's authority")]
    Trust(#[from] TrustError),
    #[error("the key that issues certificates for tenant {0}'s boards is not here")]
    OtherAuthority(TenantId),
}

impl From<Unopened> for Refusal {
    fn from(error: Unopened) -> Self {
        match error {
            Unopened::Store(error) => Self::Store(error),
            Unopened::Trust(error) => Self::Trust(error),
        }
    }
}

impl BoardEnrolment {
    /// Certificates by `authorities` for the boards in their store.
    #[must_use]
    pub fn new(authorities: Authorities) -> Arc<Self> {
        Arc::new(Self { authorities })
    }

    const fn store(&self) -> &Store {
        self.authorities.store()
    }

    fn given(&self, request: &Request, now: UnixSeconds) -> Result<Vec<u8>, Refusal> {
        match request.operation {
            Operation::Certificates => self.authorities(request),
            Operation::RequestAttributes => Ok(request_attributes()),
            Operation::Enrol if now > request.not_after => {
                Err(forbidden("your certificate has ended; renew it (sren)"))
            }
            Operation::Enrol | Operation::Renew => self.certificate(request, now),
        }
    }

    /// The hub's newest root; with the others and the tenant's authorities that are believed where more than
    /// one can be given.
    fn authorities(&self, request: &Request) -> Result<Vec<u8>, Refusal> {
        let mut all = self.authorities.roots()?;
        if request.format == format::CERTIFICATE {
            return Ok(all.swap_remove(0));
        }
        for known in self.store().authorities().list(Some(&request.tenant)) {
            let known = known?;
            all.extend(known.is_believed().then_some(known.certificate));
        }
        Ok(certificates_only(&all.iter().map(Vec::as_slice).collect::<Vec<_>>()))
    }

    fn certificate(&self, request: &Request, now: UnixSeconds) -> Result<Vec<u8>, Refusal> {
        let Some(board) = self.store().boards().find(&request.board)? else {
            return Err(forbidden("no such board is registered"));
        };
        let Some(tenant) = self.store().tenants().find(&board.tenant)? else {
            return Err(forbidden("no such board is registered"));
        };
        let replaces = self.may_have_one(&board, &tenant, request)?;
        let signing = SigningRequest::check(&request.body)?;
        if signing.board != request.board {
            let (theirs, own) = (&signing.board, &request.board);
            return Err(Refusal::Forbidden(format!(
                "the request is {theirs}'s, the session {own}'s"
            )));
        }
        let issuing = self.authorities.issuing(&tenant)?;
        let Issuing { number, authority } =
            issuing.ok_or_else(|| Refusal::OtherAuthority(tenant.id.clone()))?;
        let (life, key) = (est::life_of(self.store(), &board)?, signing.public_key());
        let certificate = authority.issue_board(&board.id, key, life.into(), now)?;
        let der = certificate.der().to_vec();
        let renewal = Renewal {
            board: board.id.clone(),
            fingerprint: certificate.fingerprint(),
            replaces,
            not_after: certificate.not_after(),
            issued: now,
            serial: Some(certificate.serial()),
            issuer: Some(number),
        };
        self.store().renewals().put(&renewal)?;
        tracing::info!(
            board = %renewal.board, tenant = %tenant.id, certificate = %renewal.fingerprint,
            replaces = %renewal.replaces, "issued over the board's session"
        );
        Ok(match request.format {
            format::CERTIFICATE => der,
            _ => certificates_only(&[&der]),
        })
    }

    /// The certificate that a new one would replace.
    fn may_have_one(
        &self,
        board: &Board,
        tenant: &Tenant,
        request: &Request,
    ) -> Result<Fingerprint, Refusal> {
        match &board.state {
            BoardState::Active => {}
            BoardState::Blocked { reason, .. } => {
                return Err(Refusal::Forbidden(format!("the board is blocked: {reason}")));
            }
            BoardState::Revoked { reason, .. } => {
                return Err(Refusal::Forbidden(format!("the board is revoked: {reason}")));
            }
            BoardState::Held { reason, .. } => {
                return Err(Refusal::Forbidden(format!("the board is held: {reason}")));
            }
        }
        if tenant.id != request.tenant {
            return Err(forbidden("the board is another tenant's by now"));
        }
        match tenant.state {
            TenantState::Active => {}
            TenantState::Suspended => return Err(forbidden("the tenant is suspended")),
        }
        if self.store().revoked().has_fingerprint(&request.certificate)? {
            return Err(forbidden("your certificate is revoked"));
        }
        match board.fingerprint {
            Some(current) if current == request.certificate => Ok(current),
            _ => Err(forbidden("the board is registered with another certificate by now")),
        }
    }
}

impl Enrolment for BoardEnrolment {
    fn answer(&self, request: &Request, now: UnixSeconds) -> Answer {
        let (board, tenant) = (&request.board, &request.tenant);
        match self.given(request, now) {
            Ok(body) => Answer::Given(body.into()),
            Err(Refusal::Malformed(why)) => {
                let why = why.to_string();
                tracing::info!(%board, %tenant, why, "a signing request was refused");
                Answer::BadRequest(why)
            }
            Err(Refusal::Forbidden(why)) => {
                tracing::warn!(%board, %tenant, why, "a certificate was refused");
                Answer::Forbidden(why)
            }
            Err(error @ (Refusal::Store(_) | Refusal::Trust(_) | Refusal::OtherAuthority(_))) => {
                let cause = std::error::Error::source(&error).map(ToString::to_string);
                tracing::error!(%board, %tenant, %error, cause, "no certificate can be given");
                Answer::Failed
            }
        }
    }
}

fn forbidden(why: &str) -> Refusal {
    Refusal::Forbidden(String::from(why))
}

#[cfg(test)]
mod tests;
