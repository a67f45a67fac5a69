//! A public key on P-256.

use openssl::bn::BigNumContext;
use openssl::ec::{EcGroup, EcKey, EcPoint, PointConversionForm};
use openssl::error::ErrorStack;
use openssl::pkey::{HasPublic, PKey, PKeyRef, Public};

use super::KeyError;
use crate::trust::key::CURVE;

/// A point not compressed: 4, x, y.
const POINT: usize = 65;

/// A point on P-256, checked to be on the curve.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PublicKey {
    point: [u8; POINT],
}

impl PublicKey {
    /// Bytes of [`PublicKey::point`].
    pub const LEN: usize = POINT;

    /// The key of this point (SEC 1, section 2.3.3, not compressed); `None` when it is not on the
    /// curve.
    pub fn of_point(bytes: &[u8]) -> Option<Self> {
        let point = <[u8; POINT]>::try_from(bytes).ok()?;
        let key = Self { point };
        key.to_openssl().ok().map(|_| key)
    }

    /// The public half of `key`; `None` when it is of another kind or on another curve.
    pub fn of<T: HasPublic>(key: &PKeyRef<T>) -> Option<Self> {
        let key = key.ec_key().ok()?;
        if key.group().curve_name() != Some(CURVE) {
            return None;
        }
        let mut context = BigNumContext::new().ok()?;
        let form = PointConversionForm::UNCOMPRESSED;
        let bytes = key.public_key().to_bytes(key.group(), form, &mut context).ok()?;
        Some(Self { point: bytes.try_into().ok()? })
    }

    /// 4, x, y.
    pub const fn point(&self) -> &[u8; POINT] {
        &self.point
    }

    /// The key identifier of certificates: SHA-1 over the point (RFC 5280, 4.2.1.2, method 1). It
    /// names a key and secures nothing.
    pub fn identifier(&self) -> [u8; 20] {
        openssl::sha::sha1(&self.point)
    }

    /// As OpenSSL has it.
    pub fn to_openssl(&self) -> Result<PKey<Public>, ErrorStack> {
        let group = EcGroup::from_curve_name(CURVE)?;
        let mut context = BigNumContext::new()?;
        let point = EcPoint::from_bytes(&group, &self.point, &mut context)?;
        let key = EcKey::from_public_key(&group, &point)?;
        key.check_key()?;
        PKey::from_ec_key(key)
    }

    /// PEM of its SubjectPublicKeyInfo.
    pub fn to_pem(&self) -> Result<String, KeyError> {
        let pem = self.to_openssl().and_then(|key| key.public_key_to_pem());
        let pem = pem.map_err(KeyError::cryptography("encode a public key"))?;
        Ok(String::from_utf8_lossy(&pem).into_owned())
    }
}
