//! Keys in a token behind PKCS#11: a hardware security module, or SoftHSM.
//!
//! A key pair's label and id are the key's name. Invariant: private keys are made inside with
//! CKA_SENSITIVE and without CKA_EXTRACTABLE, and a token that does otherwise is refused; a wrong PIN
//! is tried once, for a token locks it after a few.

mod pool;
mod wrapping;

use std::fmt;
use std::path::PathBuf;

use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::Session;
use openssl::bn::BigNum;
use openssl::ecdsa::EcdsaSig;

use self::pool::Pool;
pub use self::wrapping::WrappingKey;
use crate::config::{Trust, credential};

use super::{KeyError, KeyLabel, KeyStore, PublicKey, SecretFile};

/// DER of the OID prime256v1, as CKA_EC_PARAMS.
const P256: [u8; 10] = [0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];

/// Which token, and how it is reached.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Pkcs11Options {
    /// The module: the vendor's shared library.
    pub module: PathBuf,
    /// The token's label.
    pub token: String,
    /// The user's PIN.
    pub pin: SecretFile,
    /// Sessions that are open at once, at most.
    pub sessions: usize,
}

impl Pkcs11Options {
    /// The token that a configuration names.
    pub fn of(trust: &Trust) -> Self {
        Self {
            module: trust.pkcs11_module.clone(),
            token: trust.pkcs11_token.clone(),
            pin: SecretFile {
                key: "trust.pkcs11_pin_file",
                file: trust.pkcs11_pin_file.clone(),
                credential: credential("token.pin"),
            },
            sessions: usize::from(trust.pkcs11_sessions),
        }
    }
}

/// Keys in a token.
pub struct Pkcs11Store {
    pool: Pool,
}

impl Pkcs11Store {
    /// Loads the module, finds the token and logs in.
    pub fn open(options: Pkcs11Options) -> Result<Self, KeyError> {
        Ok(Self { pool: Pool::open(options)? })
    }

    fn token(&self) -> String {
        self.pool.options().token.clone()
    }

    /// Both objects of a key pair have these.
    fn named(class: ObjectClass, label: &KeyLabel) -> [Attribute; 3] {
        let name = label.to_string().into_bytes();
        [Attribute::Class(class), Attribute::KeyType(KeyType::EC), Attribute::Label(name)]
    }

    /// The one object of a class and name; `None` where there is none.
    fn find(
        &self,
        session: &Session,
        class: ObjectClass,
        label: &KeyLabel,
    ) -> Result<Option<ObjectHandle>, pool::Failure> {
        let found = session.find_objects(&Self::named(class, label))?;
        match found.as_slice() {
            [] => Ok(None),
            [one] => Ok(Some(*one)),
            _ => Err(pool::Failure::Said(KeyError::Ambiguous {
                label: label.clone(),
                store: self.describe(),
            })),
        }
    }

    fn missing(&self, label: &KeyLabel) -> pool::Failure {
        pool::Failure::Said(KeyError::Missing { label: label.clone(), store: self.describe() })
    }

    fn point(&self, session: &Session, key: ObjectHandle) -> Result<PublicKey, pool::Failure> {
        for attribute in session.get_attributes(key, &[AttributeType::EcPoint])? {
            if let Attribute::EcPoint(encoded) = attribute
                && let Some(public) = point_of(&encoded)
            {
                return Ok(public);
            }
        }
        Err(self.failed("read a public key", "its point is not on P-256"))
    }

    fn failed(&self, doing: &'static str, problem: &str) -> pool::Failure {
        let problem = problem.to_owned();
        pool::Failure::Said(KeyError::Token { token: self.token(), doing, problem })
    }

    fn make(&self, session: &Session, label: &KeyLabel) -> Result<PublicKey, pool::Failure> {
        let name = || label.to_string().into_bytes();
        let public = [
            Attribute::Token(true),
            Attribute::Verify(true),
            Attribute::EcParams(P256.to_vec()),
            Attribute::Label(name()),
            Attribute::Id(name()),
        ];
        let private = [
            Attribute::Token(true),
            Attribute::Private(true),
            Attribute::Sensitive(true),
            Attribute::Extractable(false),
            Attribute::Sign(true),
            Attribute::Decrypt(false),
            Attribute::Unwrap(false),
            Attribute::Derive(false),
            Attribute::Label(name()),
            Attribute::Id(name()),
        ];
        let (public, private) =
            session.generate_key_pair(&Mechanism::EccKeyPairGen, &public, &private)?;
        let asked = [AttributeType::Sensitive, AttributeType::Extractable, AttributeType::Private];
        let problem = match session.get_attributes(private, &asked)?.as_slice() {
            [
                Attribute::Sensitive(true),
                Attribute::Extractable(false),
                Attribute::Private(true),
            ] => {
                return self.point(session, public);
            }
            [Attribute::Sensitive(false), ..] => "CKA_SENSITIVE is false",
            [_, Attribute::Extractable(true), ..] => "CKA_EXTRACTABLE is true",
            _ => "CKA_PRIVATE is not true",
        };
        session.destroy_object(private)?;
        session.destroy_object(public)?;
        Err(pool::Failure::Said(KeyError::Leaky { token: self.token(), problem }))
    }
}

impl fmt::Debug for Pkcs11Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pkcs11Store").field("options", self.pool.options()).finish_non_exhaustive()
    }
}

impl KeyStore for Pkcs11Store {
    fn generate(&self, label: &KeyLabel) -> Result<PublicKey, KeyError> {
        // A token itself takes any number of keys of one name.
        let _alone = self.pool.generating();
        self.pool.run("make a key", |session| {
            for class in [ObjectClass::PRIVATE_KEY, ObjectClass::PUBLIC_KEY] {
                if !session.find_objects(&Self::named(class, label))?.is_empty() {
                    let (label, store) = (label.clone(), self.describe());
                    return Err(pool::Failure::Said(KeyError::Exists { label, store }));
                }
            }
            self.make(session, label)
        })
    }

    fn public_key(&self, label: &KeyLabel) -> Result<PublicKey, KeyError> {
        self.pool.run("read a public key", |session| {
            let found = self.find(session, ObjectClass::PUBLIC_KEY, label)?;
            self.point(session, found.ok_or_else(|| self.missing(label))?)
        })
    }

    fn sign(&self, label: &KeyLabel, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        // The digest is made here: not every token knows ECDSA with a hash of its own.
        let digest = openssl::sha::sha256(message);
        let raw = self.pool.run("sign", |session| {
            let key = match self.pool.handle(label) {
                Some(known) => known,
                None => {
                    let found = self.find(session, ObjectClass::PRIVATE_KEY, label)?;
                    let key = found.ok_or_else(|| self.missing(label))?;
                    self.pool.remember(label, key);
                    key
                }
            };
            Ok(session.sign(&Mechanism::Ecdsa, key, &digest)?)
        })?;
        to_der(&raw).ok_or_else(|| KeyError::Token {
            token: self.token(),
            doing: "sign",
            problem: format!("a signature of {} bytes is none on P-256", raw.len()),
        })
    }

    fn labels(&self) -> Result<Vec<KeyLabel>, KeyError> {
        self.pool.run("list its keys", |session| {
            let mut labels = Vec::new();
            let wanted =
                [Attribute::Class(ObjectClass::PRIVATE_KEY), Attribute::KeyType(KeyType::EC)];
            for key in session.find_objects(&wanted)? {
                for attribute in session.get_attributes(key, &[AttributeType::Label])? {
                    if let Attribute::Label(label) = attribute {
                        // Other applications may have keys of their own there.
                        let text = std::str::from_utf8(&label).ok();
                        labels.extend(text.and_then(|text| text.parse::<KeyLabel>().ok()));
                    }
                }
            }
            labels.sort();
            labels.dedup();
            Ok(labels)
        })
    }

    fn describe(&self) -> String {
        format!("the token {:?}", self.pool.options().token)
    }
}

/// CKA_EC_POINT is a DER OCTET STRING around the point; some tokens leave the wrapping out.
fn point_of(encoded: &[u8]) -> Option<PublicKey> {
    match encoded {
        [0x04, 0x41, point @ ..] if point.len() == PublicKey::LEN => PublicKey::of_point(point),
        bare => PublicKey::of_point(bare),
    }
}

/// The DER of a signature that PKCS#11 gives as r and s, 32 bytes each.
fn to_der(raw: &[u8]) -> Option<Vec<u8>> {
    let (r, s) = raw.split_first_chunk::<32>().filter(|(_, s)| s.len() == 32)?;
    let (r, s) = (BigNum::from_slice(r).ok()?, BigNum::from_slice(s).ok()?);
    EcdsaSig::from_private_components(r, s).ok()?.to_der().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_signature_has_64_bytes_and_short_numbers_stay_short() {
        let mut raw = [0; 64];
        raw[31] = 1;
        raw[32] = 0x80;
        let mut der = vec![0x30, 38, 2, 1, 1, 2, 33, 0, 0x80];
        der.extend_from_slice(&[0; 31]);
        assert_eq!(to_der(&raw), Some(der));
        assert_eq!((to_der(&raw[..63]), to_der(&[0; 65])), (None, None));
    }

    proptest! {
        #[test]
        fn whatever_a_token_says_is_a_key_or_none(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = (point_of(&bytes), to_der(&bytes));
        }
    }
}
