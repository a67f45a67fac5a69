//! A certificate authority: a certificate with its key, and what it issues.

use std::cmp::Ordering;

use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::pkey::{HasPublic, PKey, PKeyRef, Private};
use openssl::x509::extension::{AuthorityKeyIdentifier, SubjectKeyIdentifier};
use openssl::x509::{X509, X509Builder, X509Extension, X509Name, X509Ref};
use storage::{BatchName, BoardId, Fingerprint, TenantId, UnixSeconds};

use super::profile::{self, Expiry, ServerName, StationName};
use super::{TrustError, new_key};

/// A certificate authority: the hub's root, or a tenant's under it.
pub struct Authority {
    certificate: X509,
    key: PKey<Private>,
    /// A board's extensions that are the same for all of them, so that a million is quick.
    board_extensions: Vec<X509Extension>,
}

impl Authority {
    /// A new root: it signs itself, tenants' authorities and the server, and it never expires, for
    /// with it every board would.
    pub fn new_root(now: UnixSeconds) -> Result<Self, TrustError> {
        let key = new_key()?;
        let made = || {
            let subject = profile::subject("Cellular Hub root", None)?;
            let mut builder = begin(&subject, &key, now, Expiry::Never)?;
            builder.set_issuer_name(&subject)?;
            append(&mut builder, &profile::authority(1)?)?;
            builder.sign(&key, MessageDigest::sha256())?;
            Ok(builder.build())
        };
        let certificate = made().map_err(TrustError::cryptography("make the root certificate"))?;
        Self::new(certificate, key)
    }

    /// An authority of a certificate and the key that belongs to it; the caller has compared them.
    pub(super) fn new(certificate: X509, key: PKey<Private>) -> Result<Self, TrustError> {
        let prepared = || {
            let builder = X509Builder::new()?;
            let mut extensions = profile::board()?;
            extensions.push(key_of_issuer(&builder, &certificate)?);
            Ok(extensions)
        };
        let board_extensions =
            prepared().map_err(TrustError::cryptography("prepare an authority"))?;
        Ok(Self { certificate, key, board_extensions })
    }

    /// An authority for one tenant's boards, with a key of its own. It ends with this one.
    pub fn issue_tenant(&self, tenant: &TenantId, now: UnixSeconds) -> Result<Self, TrustError> {
        let key = new_key()?;
        let made = || {
            let name = format!("{tenant}'s boards");
            let subject = profile::subject(&name, Some(tenant.as_str()))?;
            let mut builder = begin(&subject, &key, now, Expiry::Never)?;
            builder.set_not_after(self.certificate.not_after())?;
            append(&mut builder, &profile::tenant()?)?;
            let issuer = key_of_issuer(&builder, &self.certificate)?;
            builder.append_extension(issuer)?;
            self.sign(builder)
        };
        let certificate = made().map_err(TrustError::cryptography("make a tenant's authority"))?;
        Self::new(certificate, key)
    }

    /// A certificate for a server that answers to `names` and holds `key`.
    pub fn issue_server<T: HasPublic>(
        &self,
        names: &[ServerName],
        key: &PKeyRef<T>,
        now: UnixSeconds,
    ) -> Result<X509, TrustError> {
        let made = || {
            let first = names.first().map(ToString::to_string).unwrap_or_default();
            // A common name takes 64 bytes (X.520); what counts are the alternative names.
            let first: String = first.chars().take(64).collect();
            let subject = profile::subject(&first, None)?;
            let mut builder = begin(&subject, key, now, Expiry::Years(profile::SERVER_YEARS))?;
            append(&mut builder, &profile::server()?)?;
            let issuer = key_of_issuer(&builder, &self.certificate)?;
            builder.append_extension(issuer)?;
            let names = profile::server_names(&builder, names)?;
            builder.append_extension(names)?;
            self.sign(builder)
        };
        let certificate =
            made().map_err(TrustError::cryptography("make the server's certificate"))?;
        self.within_own_life(certificate)
    }

    /// A certificate for the board that has `key` in it.
    pub fn issue_board<T: HasPublic>(
        &self,
        board: &BoardId,
        key: &PKeyRef<T>,
        expiry: Expiry,
        now: UnixSeconds,
    ) -> Result<X509, TrustError> {
        let made = || {
            let subject = profile::subject(board.as_str(), None)?;
            let mut builder = begin(&subject, key, now, expiry)?;
            append(&mut builder, &self.board_extensions)?;
            let name = profile::board_name(&builder, board)?;
            builder.append_extension(name)?;
            self.sign(builder)
        };
        let certificate = made().map_err(TrustError::cryptography("make a board's certificate"))?;
        self.within_own_life(certificate)
    }

    /// A client certificate for a production station: it may enrol boards of these batches.
    pub fn issue_station<T: HasPublic>(
        &self,
        station: &StationName,
        tenant: &TenantId,
        batches: &[BatchName],
        key: &PKeyRef<T>,
        expiry: Expiry,
        now: UnixSeconds,
    ) -> Result<X509, TrustError> {
        let made = || {
            let subject = profile::station(station, tenant)?;
            let mut builder = begin(&subject, key, now, expiry)?;
            append(&mut builder, &self.board_extensions)?;
            let names = profile::station_batches(&builder, batches)?;
            builder.append_extension(names)?;
            self.sign(builder)
        };
        let certificate =
            made().map_err(TrustError::cryptography("make a station's certificate"))?;
        self.within_own_life(certificate)
    }

    /// The authority's own certificate.
    pub fn certificate(&self) -> &X509Ref {
        &self.certificate
    }

    /// The DER of [`Authority::certificate`].
    pub fn certificate_der(&self) -> Result<Vec<u8>, TrustError> {
        self.certificate.to_der().map_err(TrustError::cryptography("encode a certificate"))
    }

    pub(super) fn key(&self) -> &PKeyRef<Private> {
        &self.key
    }

    fn sign(&self, mut builder: X509Builder) -> Result<X509, ErrorStack> {
        builder.set_issuer_name(self.certificate.subject_name())?;
        builder.sign(&self.key, MessageDigest::sha256())?;
        Ok(builder.build())
    }

    /// Gives `certificate` back unless it ends after this authority's.
    fn within_own_life(&self, certificate: X509) -> Result<X509, TrustError> {
        match certificate.not_after().compare(self.certificate.not_after()) {
            Ok(Ordering::Less | Ordering::Equal) => Ok(certificate),
            _ => Err(TrustError::OutlivesIssuer {
                issuer_ends: self.certificate.not_after().to_string(),
            }),
        }
    }
}

/// SHA-256 over a certificate's DER: how the hub knows the one certificate of a board.
pub fn fingerprint(certificate: &X509Ref) -> Result<Fingerprint, TrustError> {
    let digest = certificate
        .digest(MessageDigest::sha256())
        .map_err(TrustError::cryptography("digest a certificate"))?;
    let mut bytes = [0; 32];
    for (to, from) in bytes.iter_mut().zip(digest.iter()) {
        *to = *from;
    }
    Ok(Fingerprint(bytes))
}

fn begin<T: HasPublic>(
    subject: &X509Name,
    key: &PKeyRef<T>,
    now: UnixSeconds,
    expiry: Expiry,
) -> Result<X509Builder, ErrorStack> {
    let mut builder = X509Builder::new()?;
    let version_3 = 2;
    builder.set_version(version_3)?;
    let serial = profile::serial_number()?;
    builder.set_serial_number(&serial)?;
    builder.set_subject_name(subject)?;
    builder.set_pubkey(key)?;
    profile::set_validity(&mut builder, now, expiry)?;
    let key_id = SubjectKeyIdentifier::new().build(&builder.x509v3_context(None, None))?;
    builder.append_extension(key_id)?;
    Ok(builder)
}

fn append(builder: &mut X509Builder, extensions: &[X509Extension]) -> Result<(), ErrorStack> {
    extensions.iter().try_for_each(|extension| builder.append_extension2(extension))
}

fn key_of_issuer(builder: &X509Builder, issuer: &X509Ref) -> Result<X509Extension, ErrorStack> {
    AuthorityKeyIdentifier::new().keyid(true).build(&builder.x509v3_context(Some(issuer), None))
}
