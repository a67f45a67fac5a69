//! An AES key in a token that seals other keys: made inside with CKA_SENSITIVE and without
//! CKA_EXTRACTABLE, so that what it sealed opens with that token and with no other.
//!
//! ```text
//! 0   version 1   1
//! 1   nonce       12
//! 13  the key, under AES-256-GCM (CKM_AES_GCM) with its context authenticated   n + 16
//! ```
//! The key's CKA_ID is four random bytes, by which people tell it from another of its name.

use std::fmt;

use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::mechanism::aead::GcmParams;
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::Session;
use zeroize::Zeroizing;

use super::Pkcs11Options;
use super::pool::{Failure, Pool};
use crate::trust::keys::KeyError;

const VERSION: u8 = 1;
const NONCE: usize = 12;
const KEY_BYTES: u64 = 32;
const TAG_BITS: u64 = 128;

/// An AES key in a token, by its label.
pub struct WrappingKey {
    pool: Pool,
    label: String,
}

impl fmt::Debug for WrappingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (token, label) = (&self.pool.options().token, &self.label);
        f.debug_struct("WrappingKey").field("token", token).field("label", label).finish()
    }
}

impl WrappingKey {
    /// The key of this label, which need not be there yet; logs in to the token.
    pub fn open(options: Pkcs11Options, label: &str) -> Result<Self, KeyError> {
        Ok(Self { pool: Pool::open(options)?, label: label.to_owned() })
    }

    /// Where it is looked for.
    pub fn describe(&self) -> String {
        format!("AES key {} in the token {:?}", self.label, self.pool.options().token)
    }

    /// What people tell it by; `None` where there is no such key.
    pub fn name(&self) -> Result<Option<String>, KeyError> {
        self.pool.run("find the wrapping key", |session| {
            let Some(key) = self.find(session)? else { return Ok(None) };
            let mut id = String::new();
            for attribute in session.get_attributes(key, &[AttributeType::Id])? {
                if let Attribute::Id(bytes) = attribute {
                    id = bytes.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
                }
            }
            Ok(Some(format!("token key {} {id}", self.label)))
        })
    }

    /// Makes the key; refused where there is one.
    pub fn make(&self) -> Result<(), KeyError> {
        let mut id = [0; 4];
        getrandom::fill(&mut id).map_err(|_| KeyError::Random)?;
        let _alone = self.pool.generating();
        self.pool.run("make the wrapping key", |session| {
            if self.find(session)?.is_some() {
                return Err(self.said(format!("there is a key {} already", self.label)));
            }
            let template = [
                Attribute::Token(true),
                Attribute::Private(true),
                Attribute::Sensitive(true),
                Attribute::Extractable(false),
                Attribute::Encrypt(true),
                Attribute::Decrypt(true),
                Attribute::Wrap(false),
                Attribute::Unwrap(false),
                Attribute::ValueLen(KEY_BYTES.into()),
                Attribute::Label(self.label.clone().into_bytes()),
                Attribute::Id(id.to_vec()),
            ];
            let key = session.generate_key(&Mechanism::AesKeyGen, &template)?;
            let problem = leak(session, key)?;
            if let Some(problem) = problem {
                session.destroy_object(key)?;
                let token = self.pool.options().token.clone();
                return Err(Failure::Said(KeyError::Leaky { token, problem }));
            }
            Ok(())
        })
    }

    /// Seals a key for what `context` says.
    pub fn seal(&self, context: &[u8], key: &[u8; 32]) -> Result<Vec<u8>, KeyError> {
        self.pool.run("seal a key", |session| {
            let mut nonce = [0; NONCE];
            getrandom::fill(&mut nonce).map_err(|_| Failure::Said(KeyError::Random))?;
            let wrapping = self.find(session)?.ok_or_else(|| self.missing())?;
            let parameters = GcmParams::new(&mut nonce, context, TAG_BITS.into())?;
            let sealed = session.encrypt(&Mechanism::AesGcm(parameters), wrapping, key)?;
            // Some tokens put a nonce of their own in place of ours.
            Ok([&[VERSION][..], &nonce, &sealed].concat())
        })
    }

    /// The key; `None` where another key has sealed it, for something else, or it was changed.
    pub fn unseal(
        &self,
        context: &[u8],
        sealed: &[u8],
    ) -> Result<Option<Zeroizing<Vec<u8>>>, KeyError> {
        let [VERSION, sealed @ ..] = sealed else { return Ok(None) };
        let Some((nonce, sealed)) = sealed.split_first_chunk::<NONCE>() else { return Ok(None) };
        self.pool.run("open a key", |session| {
            let Some(wrapping) = self.find(session)? else { return Err(self.missing()) };
            let mut nonce = *nonce;
            let parameters = GcmParams::new(&mut nonce, context, TAG_BITS.into())?;
            match session.decrypt(&Mechanism::AesGcm(parameters), wrapping, sealed) {
                Ok(key) => Ok(Some(Zeroizing::new(key))),
                Err(Error::Pkcs11(refusal, _)) if is_another_keys(refusal) => Ok(None),
                Err(error) => Err(error.into()),
            }
        })
    }

    fn find(&self, session: &Session) -> Result<Option<ObjectHandle>, Failure> {
        let named = [
            Attribute::Class(ObjectClass::SECRET_KEY),
            Attribute::KeyType(KeyType::AES),
            Attribute::Label(self.label.clone().into_bytes()),
        ];
        match session.find_objects(&named)?.as_slice() {
            [] if !super::pool::is_logged_in(session) => Err(self.missing()),
            [] => Ok(None),
            [one] => Ok(Some(*one)),
            _ => Err(self.said(format!("there are several keys {}; keep one", self.label))),
        }
    }

    fn missing(&self) -> Failure {
        let store = format!("the token {:?}", self.pool.options().token);
        Failure::Said(KeyError::NoWrappingKey { label: self.label.clone(), store })
    }

    fn said(&self, problem: String) -> Failure {
        let token = self.pool.options().token.clone();
        Failure::Said(KeyError::Token { token, doing: "use its wrapping key", problem })
    }
}

/// What lets a key leave its token, if anything does.
fn leak(session: &Session, key: ObjectHandle) -> Result<Option<&'static str>, Failure> {
    let asked = [AttributeType::Sensitive, AttributeType::Extractable];
    Ok(match session.get_attributes(key, &asked)?.as_slice() {
        [Attribute::Sensitive(true), Attribute::Extractable(false)] => None,
        [Attribute::Sensitive(false), ..] => Some("CKA_SENSITIVE is false"),
        _ => Some("CKA_EXTRACTABLE is true"),
    })
}

/// How tokens say that a tag is not right: they do not agree.
const fn is_another_keys(refusal: RvError) -> bool {
    matches!(
        refusal,
        RvError::EncryptedDataInvalid | RvError::EncryptedDataLenRange | RvError::GeneralError
    )
}
