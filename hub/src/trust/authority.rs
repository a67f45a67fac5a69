//! A certificate authority: a certificate, what it issues, and the name of its key in a key store.
//!
//! Invariant: a private key is never seen here; whatever is signed goes through [`KeyStore::sign`].

use std::sync::{Arc, Mutex, PoisonError};

use rcgen::{
    CertificateParams, CertificateRevocationListParams, Issuer, KeyIdMethod,
    PKCS_ECDSA_P256_SHA256, PublicKeyData, SerialNumber, SignatureAlgorithm, SigningKey,
};
use storage::{AuthorityName, BoardId, TenantId, UnixSeconds};
use time::OffsetDateTime;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::keys::{KeyError, KeyLabel, KeyStore, PublicKey};
use super::profile::{self, Expiry, ServerName, moment};
use super::{Issued, Places, Revoked, TrustError};

/// A certificate authority: the hub's root, or a tenant's under it.
pub struct Authority {
    der: Vec<u8>,
    not_after: OffsetDateTime,
    issuer: Issuer<'static, LabelledKey>,
    /// What boards' certificates name, and by whose name.
    places: Option<(Places, AuthorityName)>,
}

/// A production station: what may enrol boards of a tenant's batches.
#[derive(Clone, Copy, Debug)]
pub struct Station<'a> {
    /// Its name: a line, a bench.
    pub name: &'a str,
    /// Whose boards it enrols.
    pub tenant: &'a TenantId,
    /// Out of which batches: they stand in the certificate, one
    /// `urn:x-cellular-hub:batch:<name>` each.
    pub batches: &'a [String],
}

impl Authority {
    /// A root's certificate for a key that is in `keys`: it signs itself, tenants' authorities and
    /// the server, and it never expires, for with it every board would.
    pub fn new_root(
        keys: Arc<dyn KeyStore>,
        label: KeyLabel,
        now: UnixSeconds,
    ) -> Result<Self, TrustError> {
        let key = LabelledKey::new(Arc::clone(&keys), label.clone())?;
        let mut made = profile::root(label.generation(), now);
        name_key(&mut made, &key.public)?;
        let signed = made.self_signed(&key).map(|made| made.der().to_vec());
        let der = signed.map_err(|error| key.refusal("make the root certificate", &error))?;
        Self::new(der, keys, label)
    }

    /// The authority of a certificate (DER) and the key in `keys` that belongs to it; an error is
    /// [`TrustError::Unissuable`] when it belongs to another.
    pub fn new(der: Vec<u8>, keys: Arc<dyn KeyStore>, label: KeyLabel) -> Result<Self, TrustError> {
        let unfit = |problem: String| TrustError::Unissuable { doing: "use an authority", problem };
        let key = LabelledKey::new(keys, label)?;
        let (_, certificate) =
            X509Certificate::from_der(&der).map_err(|error| unfit(error.to_string()))?;
        if *certificate.public_key().subject_public_key.data != *key.public.point() {
            let (label, store) = (&key.label, key.keys.describe());
            return Err(unfit(format!("the key {label} in {store} is not its certificate's")));
        }
        let not_after = certificate.validity().not_after.to_datetime();
        let issuer = profile::issuer(&certificate).map_err(unfit)?;
        let issuer = Issuer::new(issuer, key);
        Ok(Self { der, not_after, issuer, places: None })
    }

    /// The same authority, whose boards' certificates name these places.
    #[must_use]
    pub(super) fn naming(self, places: Option<(Places, AuthorityName)>) -> Self {
        Self { places, ..self }
    }

    /// A certificate of an authority for one tenant's boards, the tenant's so-manieth. It ends with
    /// this one.
    pub fn issue_tenant(
        &self,
        tenant: &TenantId,
        generation: u16,
        key: &PublicKey,
        now: UnixSeconds,
    ) -> Result<Issued, TrustError> {
        let params = profile::tenant(tenant, generation, now, self.not_after);
        self.issue("make a tenant's authority", params, key)
    }

    /// A certificate for a server that answers to `names` and holds `key`.
    pub fn issue_server(
        &self,
        names: &[ServerName],
        key: &PublicKey,
        now: UnixSeconds,
    ) -> Result<Issued, TrustError> {
        let params = profile::server(names, now)?;
        self.issue("make the server's certificate", params, key)
    }

    /// A certificate for the board that has `key` in it.
    pub fn issue_board(
        &self,
        board: &BoardId,
        key: &PublicKey,
        expiry: Expiry,
        now: UnixSeconds,
    ) -> Result<Issued, TrustError> {
        let mut params = profile::board(board, expiry, now);
        if let Some((places, name)) = &self.places {
            places.name_in(&mut params, name)?;
        }
        self.issue("make a board's certificate", params, key)
    }

    /// A client certificate for a production station.
    pub fn issue_station(
        &self,
        station: Station<'_>,
        key: &PublicKey,
        expiry: Expiry,
        now: UnixSeconds,
    ) -> Result<Issued, TrustError> {
        let params = profile::station(station, expiry, now)?;
        self.issue("make a station's certificate", params, key)
    }

    /// The DER of a list of revoked certificates of this authority, in force until `next`. `number`
    /// only ever grows.
    pub fn sign_crl(
        &self,
        revoked: &[Revoked],
        number: u64,
        this: UnixSeconds,
        next: UnixSeconds,
    ) -> Result<Vec<u8>, TrustError> {
        let key = self.issuer.key();
        let list = CertificateRevocationListParams {
            this_update: moment(this),
            next_update: moment(next),
            crl_number: SerialNumber::from(number),
            issuing_distribution_point: None,
            revoked_certs: revoked.iter().map(Revoked::entry).collect(),
            key_identifier_method: identifier(&key.public),
        };
        let signed = list.signed_by(&self.issuer).map(|list| list.der().to_vec());
        signed.map_err(|error| key.refusal("sign a revocation list", &error))
    }

    /// A certificate that says of another root that it is to be believed: who knows this one believes that
    /// one's servers.
    ///
    /// # Errors
    /// [`TrustError::Unissuable`] for one whose name cannot be repeated.
    pub fn cross_sign(&self, other: &Self, now: UnixSeconds) -> Result<Issued, TrustError> {
        let doing = "sign another root";
        let unfit = |problem: String| TrustError::Unissuable { doing, problem };
        let read = X509Certificate::from_der(&other.der).map_err(|error| unfit(error.to_string()));
        let params = profile::cross(&read?.1, now, self.not_after).map_err(unfit)?;
        self.issue(doing, params, &other.issuer.key().public)
    }

    /// What its key is called.
    pub(super) fn label(&self) -> &KeyLabel {
        &self.issuer.key().label
    }

    /// The authority's signature over `message`: ECDSA with SHA-256, DER.
    pub(super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, TrustError> {
        let key = self.issuer.key();
        Ok(key.keys.sign(&key.label, message)?)
    }

    /// The DER of the authority's own certificate.
    pub fn certificate(&self) -> &[u8] {
        &self.der
    }

    fn issue(
        &self,
        doing: &'static str,
        mut params: CertificateParams,
        key: &PublicKey,
    ) -> Result<Issued, TrustError> {
        if params.not_after > self.not_after {
            let ends = x509_parser::time::ASN1Time::new(self.not_after);
            return Err(TrustError::OutlivesIssuer { issuer_ends: ends.to_string() });
        }
        params.use_authority_key_identifier_extension = true;
        let serial = name_key(&mut params, key)?;
        let signed = params.signed_by(&Subject(*key), &self.issuer).map(|it| it.der().to_vec());
        let der = signed.map_err(|error| self.issuer.key().refusal(doing, &error))?;
        let not_after = u64::try_from(params.not_after.unix_timestamp()).unwrap_or(0);
        Ok(Issued::new(der, serial, UnixSeconds(not_after)))
    }
}

/// Gives a certificate a serial number of 128 random bits, so that nobody can foretell it and none
/// comes twice, and the identifier of the key it is for.
fn name_key(params: &mut CertificateParams, key: &PublicKey) -> Result<[u8; 16], TrustError> {
    let mut serial = [0; 16];
    while serial == [0; 16] {
        getrandom::fill(&mut serial).map_err(|_| KeyError::Random)?;
    }
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    params.key_identifier_method = identifier(key);
    Ok(serial)
}

fn identifier(key: &PublicKey) -> KeyIdMethod {
    KeyIdMethod::PreSpecified(key.identifier().to_vec())
}

/// The key that a certificate is for.
struct Subject(PublicKey);

impl PublicKeyData for Subject {
    fn der_bytes(&self) -> &[u8] {
        self.0.point()
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &PKCS_ECDSA_P256_SHA256
    }
}

/// A key in a key store, as what signs certificates knows one.
struct LabelledKey {
    keys: Arc<dyn KeyStore>,
    label: KeyLabel,
    public: PublicKey,
    /// What the store said when it refused last: rcgen has no room for it in its errors.
    refusal: Mutex<Option<KeyError>>,
}

impl LabelledKey {
    fn new(keys: Arc<dyn KeyStore>, label: KeyLabel) -> Result<Self, TrustError> {
        let public = keys.public_key(&label)?;
        Ok(Self { keys, label, public, refusal: Mutex::new(None) })
    }

    fn refusal(&self, doing: &'static str, error: &rcgen::Error) -> TrustError {
        let said = self.refusal.lock().unwrap_or_else(PoisonError::into_inner).take();
        match said {
            Some(said) if *error == rcgen::Error::RemoteKeyError => said.into(),
            Some(_) | None => TrustError::Unissuable { doing, problem: error.to_string() },
        }
    }
}

impl PublicKeyData for LabelledKey {
    fn der_bytes(&self) -> &[u8] {
        self.public.point()
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &PKCS_ECDSA_P256_SHA256
    }
}

impl SigningKey for LabelledKey {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        self.keys.sign(&self.label, message).map_err(|error| {
            *self.refusal.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
            rcgen::Error::RemoteKeyError
        })
    }
}
