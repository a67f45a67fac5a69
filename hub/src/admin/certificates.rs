//! Certificates that are revoked while their boards are not: a board may get another one.
//!
//! Invariant: a revoked certificate is never trusted again, by whatever it was named.

use actors::refusal::Refusal;
use serde::Serialize;
use serde_json::json;
use storage::{
    AuthorityName, AuthorityNumber, Board, BoardId, Certificate, Fingerprint, Revocation,
    RevocationReason, RevokedCertificate, Serial, TenantId, UnixSeconds,
};

use super::boards::of;
use super::{Admin, AdminError, refused, unknown};

/// Boards that are looked at together.
const PAGE: usize = 1000;

/// Which certificate is meant, as far as that is known.
#[derive(Clone, Debug)]
pub enum Which {
    /// SHA-256 of its DER.
    Fingerprint(Fingerprint),
    /// Its serial number among those of an authority.
    Serial(AuthorityName, Serial),
    /// What there is to know of one that is at hand and whose board is registered.
    Whole(BoardId, Certificate),
}

/// A certificate's revocation, and what it ended.
#[derive(Clone, Debug, Serialize)]
pub struct CertificateRevoked {
    /// What names it from now on.
    pub revocations: Vec<Revocation>,
    /// The board that had it until now.
    pub board: Option<BoardId>,
    /// Sessions that were awake and end now; `None` where no hub runs.
    pub sessions_ended: Option<usize>,
}

impl Admin {
    /// Revokes a certificate. The board that has it loses it, its sessions end, and it may get
    /// another. A board's serial number is known of what the hub issued, and of what it has shaken hands
    /// with.
    ///
    /// # Errors
    /// [`AdminError::Unknown`] for a fingerprint or a board that is not registered;
    /// [`AdminError::Refused`] for one that is revoked already.
    pub fn revoke_certificate(
        &self,
        which: &Which,
        reason: RevocationReason,
        words: Option<&str>,
        now: UnixSeconds,
    ) -> Result<CertificateRevoked, AdminError> {
        let _changing = self.changing();
        let way_out = "`cellular-hub board show BOARD` shows a board's";
        let (board, tenant, issuer, fingerprint, serial) = match which {
            Which::Fingerprint(fingerprint) => {
                let board = self.board_with(fingerprint)?;
                let Some(board) = board else {
                    if self.store.revoked().has_fingerprint(fingerprint)? {
                        return Err(refused("that certificate is revoked already"));
                    }
                    return Err(unknown("board with the certificate", fingerprint, way_out));
                };
                (Some(board.id), board.tenant, board.issuer, Some(*fingerprint), board.serial)
            }
            Which::Serial(name, serial) => {
                let known = self.authority(name)?;
                let (tenant, issuer, serial) = (known.tenant, known.number, serial.clone());
                match self.board_with_serial(&tenant, issuer, &serial)? {
                    Some((board, fingerprint)) => {
                        (Some(board.id), tenant, Some(issuer), fingerprint, Some(serial))
                    }
                    None => (None, tenant, Some(issuer), None, Some(serial)),
                }
            }
            Which::Whole(board, it) => {
                let (board, serial) = (self.board(board)?, it.serial.clone());
                (Some(board.id), board.tenant, it.issuer, Some(it.fingerprint), serial)
            }
        };
        let serial = serial.map(|serial| serial.as_bytes().to_vec());
        let mut revocations = Vec::new();
        let by_fingerprint = fingerprint.map(RevokedCertificate::Fingerprint);
        for certificate in by_fingerprint.into_iter().chain(serial.map(RevokedCertificate::Serial))
        {
            let (tenant, board, since) = (tenant.clone(), board.clone(), now);
            let revocation = Revocation { tenant, issuer, board, certificate, reason, since };
            if self.store.revoked().put(&revocation)? {
                revocations.push(revocation);
            }
        }
        if revocations.is_empty() {
            return Err(refused("that certificate is revoked already"));
        }
        let mut detail = json!({ "tenant": tenant, "revocations": revocations });
        if let (Some(words), Some(detail)) = (words, detail.as_object_mut()) {
            detail.insert(String::from("reason"), words.into());
        }
        let subject = board.as_ref().map_or_else(|| tenant.to_string(), ToString::to_string);
        self.record("certificate.revoke", &subject, detail)?;
        let (mut had_it, mut sessions_ended) = (None, None);
        if let (Some(id), Some(fingerprint)) = (&board, fingerprint) {
            let known = self.board(id)?;
            if known.fingerprint == Some(fingerprint) {
                self.store.boards().change(id, |board| {
                    if board.fingerprint == Some(fingerprint) {
                        board.decertify();
                    }
                })?;
                sessions_ended =
                    self.tell(|live| live.end_sessions(of(&known), Refusal::Revoked))?;
                had_it = Some(known.id);
            }
        }
        Ok(CertificateRevoked { revocations, board: had_it, sessions_ended })
    }

    /// The board of the tenant whose certificate, or the one it renews it with, has this serial number
    /// among those of the authority, and that certificate's fingerprint. Looks at one after the other.
    fn board_with_serial(
        &self,
        tenant: &TenantId,
        issuer: AuthorityNumber,
        serial: &Serial,
    ) -> Result<Option<(Board, Option<Fingerprint>)>, AdminError> {
        // Where it is not known by whom one is, the number tells.
        let is_its = |known: Option<AuthorityNumber>, of: Option<&Serial>| {
            of == Some(serial) && known.is_none_or(|known| known == issuer)
        };
        for board in self.store.boards().of_tenant(tenant)? {
            let board = board?;
            if is_its(board.issuer, board.serial.as_ref()) {
                let fingerprint = board.fingerprint;
                return Ok(Some((board, fingerprint)));
            }
            let renewal = self.store.renewals().of(&board)?;
            if let Some(renewal) = renewal.filter(|it| is_its(it.issuer, it.serial.as_ref())) {
                return Ok(Some((board, Some(renewal.fingerprint))));
            }
        }
        Ok(None)
    }

    /// The board whose certificate this is. Looks at one after the other, for no index over
    /// certificates is kept in memory: a second for a million boards.
    ///
    /// # Errors
    /// Those of the store.
    pub fn board_with(&self, fingerprint: &Fingerprint) -> Result<Option<Board>, AdminError> {
        let mut after = None;
        loop {
            let page = self.store.boards().list(after.as_ref(), PAGE)?;
            let Some(last) = page.last() else { return Ok(None) };
            after = Some(last.id.clone());
            let found = page.into_iter().find(|board| board.fingerprint == Some(*fingerprint));
            if found.is_some() {
                return Ok(found);
            }
        }
    }
}
