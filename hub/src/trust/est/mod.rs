//! Enrolment over secure transport, the part that is the same over HTTPS (RFC 7030) and CoAPS
//! (RFC 9148): who may have which certificate, and the bytes of the answers.
//!
//! Invariant: blocking, so called off the arbiters; no socket, no clock. A certificate is handed out
//! only when the disk has it that the board's is this one.

mod client;
mod csr;
mod pkcs7;
mod recent;
mod refusal;
mod request;

use std::collections::BTreeMap;

use openssl::x509::X509;
use storage::{
    AuthorityNumber, BatchName, Board, BoardState, CertificateLife, Enrolment, EnrolmentRefusal,
    Fingerprint, Renewal, Serial, Store, StoreError, Taking, Tenant, TenantId, TenantState,
    TokenDigest, UnixSeconds,
};

use self::client::Station;
use self::recent::{Entry, Recent};
use crate::trust::{Authorities, BOARD_YEARS, Issued, Issuing};

pub use self::csr::{CSR_MAX, Csr, CsrError};
pub use self::pkcs7::{certificates_only, request_attributes};
pub use self::refusal::Refusal;
pub use self::request::Request;

/// Who vouches for a board that is to be enrolled.
#[derive(Clone, Copy, Debug)]
pub enum Voucher<'a> {
    /// A station, by its certificate (DER); the transport has seen that it has the key.
    Station(&'a [u8]),
    /// Whoever has this one-time token.
    Token(&'a str),
}

/// The enrolment of one hub.
pub struct Est {
    authorities: Authorities,
    recent: Recent,
}

impl Est {
    /// Enrolment into the store of `authorities`, with certificates by them.
    pub fn new(authorities: Authorities) -> Self {
        Self { authorities, recent: Recent::new() }
    }

    const fn store(&self) -> &Store {
        self.authorities.store()
    }

    /// What vouches for boards and for the hub, as PKCS#7 (DER): the roots, and with a label what
    /// that tenant's boards are believed for.
    pub fn authorities(&self, label: Option<&TenantId>) -> Result<Vec<u8>, Refusal> {
        let mut all = self.authorities.roots()?;
        if let Some(label) = label {
            let tenant = self.tenant(label)?;
            let theirs = self.theirs(&tenant.id)?.into_iter();
            all.extend(theirs.filter(|it| it.is_believed()).map(|it| it.certificate));
        }
        Ok(certificates_only(&all.iter().map(Vec::as_slice).collect::<Vec<_>>()))
    }

    /// A certificate (DER) for the board of the request (PKCS#10, DER), which it is registered with
    /// from now on. Asked again with the same key within minutes, the same certificate.
    pub fn enrol(
        &self,
        label: Option<&TenantId>,
        voucher: Voucher<'_>,
        csr: &[u8],
        now: UnixSeconds,
    ) -> Result<Vec<u8>, Refusal> {
        let vouched = self.vouched(label, voucher, now)?;
        let request = Request::check(csr)?;
        let _turn = self.recent.turn(&request.board);
        let wanted = self.allowed(&vouched, &request, now)?;
        if let Some(entry) = self.recent.find(&request.board, request.key_digest(), now)
            && self.is_current(&request, &entry.fingerprint)?
        {
            return Ok(entry.der);
        }
        let batch = self.store().batches().find(&wanted.tenant, &wanted.batch)?;
        let life = batch.map_or(CertificateLife::Years(BOARD_YEARS), |batch| batch.certificates);
        let (issued, issuer) = self.issue(&vouched.tenant, &request, life, now)?;
        let enrolled = self.store().enrol(&wanted, &issued.remembered(issuer))??;
        self.store().flush_together()?;
        tracing::debug!(board = %request.board, tenant = %wanted.tenant, batch = %wanted.batch,
                        fingerprint = %issued.fingerprint(), "enrolled");
        let entry = Entry {
            key: *request.key_digest(),
            fingerprint: issued.fingerprint(),
            replaced: enrolled.replaced,
            der: issued.der().to_vec(),
            at: now,
        };
        self.recent.put(request.board, entry);
        Ok(issued.into_der())
    }

    /// A certificate (DER) that takes the place of `certificate` (DER), which a board has shown that
    /// it has the key of, once it is used; until then both are the board's. Asked again with the same
    /// key within minutes, the same certificate.
    pub fn renew(
        &self,
        label: Option<&TenantId>,
        certificate: &[u8],
        csr: &[u8],
        now: UnixSeconds,
    ) -> Result<Vec<u8>, Refusal> {
        let old = X509::from_der(certificate).map_err(|_| Refusal::NotABoard)?;
        let shown = Fingerprint(openssl::sha::sha256(certificate));
        let request = Request::check(csr)?;
        let _turn = self.recent.turn(&request.board);
        // A foreign authority's say it elsewhere; the fingerprint tells all the same.
        let holder = crate::trust::hardware_id(certificate);
        let board = self.store().boards().find(holder.as_ref().unwrap_or(&request.board))?;
        let board = board.filter(|board| board.fingerprint == Some(shown));
        let board = board.ok_or(Refusal::NotABoard)?;
        let tenant = self.serving(&board.tenant)?;
        of_label(label, &tenant.id)?;
        let issuer = client::verify(&old, &tenant.id, &self.theirs(&tenant.id)?, now)?;
        self.not_revoked(&tenant.id, issuer, certificate)?;
        may_connect(&board)?;
        if board.id != request.board || !same_names(certificate, &request.csr) {
            return Err(Refusal::OtherNames);
        }
        let lately = self.recent.find(&request.board, request.key_digest(), now);
        if let Some(entry) = lately.filter(|entry| entry.replaced == Some(shown)) {
            return Ok(entry.der);
        }
        let life = life_of(self.store(), &board)?;
        let (issued, issuer) = self.issue(&tenant, &request, life, now)?;
        let renewal = Renewal {
            board: board.id,
            fingerprint: issued.fingerprint(),
            replaces: shown,
            not_after: issued.not_after(),
            issued: now,
            serial: Some(issued.serial()),
            issuer: Some(issuer),
        };
        self.store().renewals().put(&renewal)?;
        let entry = Entry {
            key: *request.key_digest(),
            fingerprint: renewal.fingerprint,
            replaced: Some(shown),
            der: issued.der().to_vec(),
            at: now,
        };
        self.recent.put(request.board, entry);
        Ok(issued.into_der())
    }

    /// A certificate by the tenant's authority for the board of the request, and by which.
    fn issue(
        &self,
        tenant: &Tenant,
        request: &Request<'_>,
        life: CertificateLife,
        now: UnixSeconds,
    ) -> Result<(Issued, AuthorityNumber), Refusal> {
        let issuing = self.authorities.issuing(tenant)?;
        let Issuing { number, authority } =
            issuing.ok_or_else(|| Refusal::OwnAuthority(tenant.id.clone()))?;
        let (board, key) = (&request.board, request.public_key());
        Ok((authority.issue_board(board, key, life.into(), now)?, number))
    }

    /// All authorities of the tenant.
    fn theirs(&self, tenant: &TenantId) -> Result<Vec<storage::Authority>, Refusal> {
        Ok(self.store().authorities().list(Some(tenant)).collect::<Result<_, _>>()?)
    }

    fn not_revoked(
        &self,
        tenant: &TenantId,
        issuer: AuthorityNumber,
        der: &[u8],
    ) -> Result<(), Refusal> {
        use x509_parser::prelude::{FromDer as _, X509Certificate};
        let revoked = self.store().revoked();
        let by_digest = revoked.has_fingerprint(&Fingerprint(openssl::sha::sha256(der)))?;
        let (_, certificate) = X509Certificate::from_der(der).map_err(|_| Refusal::NotABoard)?;
        let serial = Serial::new(certificate.raw_serial());
        match by_digest || revoked.has_serial(tenant, issuer, serial.as_bytes())? {
            true => Err(Refusal::Revoked(certificate.raw_serial_as_string())),
            false => Ok(()),
        }
    }

    fn vouched(
        &self,
        label: Option<&TenantId>,
        voucher: Voucher<'_>,
        now: UnixSeconds,
    ) -> Result<Vouched, Refusal> {
        match voucher {
            Voucher::Station(der) => {
                let station = Station::read(der)?;
                let tenant = self.serving(&station.tenant)?;
                let certificate = X509::from_der(der).map_err(|_| Refusal::NotAStation)?;
                let theirs = self.theirs(&tenant.id)?;
                let issuer = client::verify(&certificate, &tenant.id, &theirs, now)?;
                self.not_revoked(&tenant.id, issuer, der)?;
                of_label(label, &tenant.id)?;
                Ok(Vouched { tenant, batches: station.batches, token: None })
            }
            Voucher::Token(text) => {
                let digest = TokenDigest::of(text);
                let token = self.store().find_token(&digest)?;
                let token = token.ok_or(EnrolmentRefusal::TokenUnknown)?;
                of_label(label, &token.tenant)?;
                let tenant = self.serving(&token.tenant)?;
                Ok(Vouched { tenant, batches: vec![token.batch], token: Some(digest) })
            }
        }
    }

    /// The enrolment in the first batch that takes the board, or why none of them does.
    fn allowed(
        &self,
        vouched: &Vouched,
        request: &Request<'_>,
        now: UnixSeconds,
    ) -> Result<Enrolment, Refusal> {
        let mut reason = None;
        for batch in &vouched.batches {
            let wanted = Enrolment {
                board: request.board.clone(),
                tenant: vouched.tenant.id.clone(),
                batch: batch.clone(),
                token: vouched.token,
                at: now,
                taking: Taking::AsTheBatchSays,
                labels: BTreeMap::new(),
            };
            match self.store().may_enrol(&wanted)? {
                Ok(()) => return Ok(wanted),
                // Of several batches, the one that lists the board has the better reason.
                Err(refusal) => match (&reason, &refusal) {
                    (Some(_), EnrolmentRefusal::NotOfBatch { .. }) => {}
                    _ => reason = Some(refusal),
                },
            }
        }
        Err(reason.map_or(Refusal::NotAStation, Refusal::Rule))
    }

    fn is_current(&self, request: &Request<'_>, of: &Fingerprint) -> Result<bool, Refusal> {
        let board = self.store().boards().find(&request.board)?;
        Ok(board.and_then(|board| board.fingerprint).as_ref() == Some(of))
    }

    fn serving(&self, id: &TenantId) -> Result<Tenant, Refusal> {
        let tenant = self.tenant(id)?;
        match tenant.state {
            TenantState::Active => Ok(tenant),
            TenantState::Suspended => Err(EnrolmentRefusal::TenantSuspended(tenant.id).into()),
        }
    }

    fn tenant(&self, id: &TenantId) -> Result<Tenant, Refusal> {
        self.store().tenants().find(id)?.ok_or_else(|| Refusal::UnknownTenant(id.clone()))
    }
}

/// For how long a board's next certificate is valid: as the batch it was enrolled in has it.
pub(super) fn life_of(store: &Store, board: &Board) -> Result<CertificateLife, StoreError> {
    let name = board.labels.get("batch").and_then(|name| name.parse::<BatchName>().ok());
    let batch = name.map(|name| store.batches().find(&board.tenant, &name)).transpose()?.flatten();
    Ok(batch.map_or(CertificateLife::Years(BOARD_YEARS), |batch| batch.certificates))
}

/// A board of one of these batches may be enrolled.
struct Vouched {
    tenant: Tenant,
    batches: Vec<BatchName>,
    token: Option<TokenDigest>,
}

fn of_label(label: Option<&TenantId>, theirs: &TenantId) -> Result<(), Refusal> {
    match label {
        Some(label) if label != theirs => {
            Err(Refusal::OtherLabel { theirs: theirs.clone(), label: label.clone() })
        }
        _ => Ok(()),
    }
}

fn may_connect(board: &Board) -> Result<(), Refusal> {
    let (state, reason) = match &board.state {
        BoardState::Active => return Ok(()),
        BoardState::Blocked { reason, .. } => ("blocked", reason),
        BoardState::Revoked { reason, .. } => ("revoked", reason),
        BoardState::Held { reason, .. } => ("held", reason),
    };
    let (board, reason) = (board.id.clone(), reason.clone());
    Err(EnrolmentRefusal::Shut { board, state, reason }.into())
}

/// Whether subject and subject alternative name are the same (RFC 7030 4.2.2).
fn same_names(certificate: &[u8], csr: &Csr<'_>) -> bool {
    use x509_parser::prelude::{FromDer as _, X509Certificate};
    let Ok((_, certificate)) = X509Certificate::from_der(certificate) else { return false };
    let kind = x509_parser::oid_registry::OID_X509_EXT_SUBJECT_ALT_NAME;
    let name = certificate.get_extension_unique(&kind).ok().flatten().map(|name| name.value);
    certificate.subject().as_raw() == csr.subject && name == csr.alternative_name
}
