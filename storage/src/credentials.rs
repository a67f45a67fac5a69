//! How a person proves who they are. Kept apart from the person: it is read at sign-in alone, and
//! never shown. Holds digests and public keys; a TOTP seed is in the vault.

use bincode::{Decode, Encode};

use crate::record::Record;
use crate::{Digest, UnixSeconds};

/// All that a person can sign in with.
#[derive(Clone, Default, PartialEq, Eq, Encode, Decode)]
pub struct Credentials {
    /// Their password.
    pub password: Option<PasswordHash>,
    /// What is remembered of the codes of their authenticator app.
    pub totp: Option<Totp>,
    /// SHA-256 of each recovery code that was not used yet.
    pub recovery: Vec<Digest>,
    /// Their passkeys.
    pub passkeys: Vec<Passkey>,
    /// Who they are to an OpenID provider.
    pub provider: Option<ProviderIdentity>,
}

/// A password's Argon2id, with how it was made.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
pub struct PasswordHash {
    /// Memory it takes.
    pub memory_kib: u32,
    /// Passes over it.
    pub passes: u32,
    /// Lanes.
    pub lanes: u32,
    /// What makes it this person's.
    pub salt: [u8; 16],
    /// The hash.
    pub hash: [u8; 32],
    /// Since when it is theirs.
    pub since: UnixSeconds,
}

/// What is remembered of time-based codes (RFC 6238), whose seed is in the vault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Totp {
    /// Since when they count.
    pub since: UnixSeconds,
    /// The time step of the last code that was taken: none of it or before is taken again.
    pub last_step: u64,
}

/// A passkey (WebAuthn): a public key, whose private one is in the person's device.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
pub struct Passkey {
    /// The credential's id.
    pub id: Vec<u8>,
    /// What its owner calls it.
    pub label: String,
    /// The credential, JSON as the WebAuthn library writes it.
    pub credential: Vec<u8>,
    /// When it was registered.
    pub created: UnixSeconds,
    /// When it was used last.
    pub last_used: Option<UnixSeconds>,
}

/// Who somebody is to an OpenID provider.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct ProviderIdentity {
    /// The provider (`iss`).
    pub issuer: String,
    /// The person there (`sub`).
    pub subject: String,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").finish_non_exhaustive()
    }
}

impl Record for Credentials {
    const VERSION: u8 = 1;
}
