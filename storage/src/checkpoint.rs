//! A checkpoint of the audit log: where the log ended at a moment, signed, so that nobody rewrites
//! what came before without the key.

use bincode::{Decode, Encode};
use serde::Serialize;

use crate::record::Record;
use crate::{AuditDigest, AuditHead, UnixSeconds};

/// A signed head of the audit log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Encode, Decode)]
pub struct AuditCheckpoint {
    /// How many entries the log had.
    pub entries: u64,
    /// The last one's digest.
    pub digest: AuditDigest,
    /// When it was signed.
    pub at: UnixSeconds,
    /// The digest of the checkpoint before; zeros in the first.
    pub previous: AuditDigest,
    /// The name of the key that has signed it.
    pub key: String,
    /// Its signature, DER, over [`AuditCheckpoint::signed`]; hexadecimal in JSON.
    #[serde(serialize_with = "as_hex")]
    pub signature: Vec<u8>,
}

fn as_hex<S: serde::Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    serializer.serialize_str(&hex)
}

impl AuditCheckpoint {
    /// Where the log ended.
    pub const fn head(&self) -> AuditHead {
        AuditHead { entries: self.entries, digest: self.digest }
    }

    /// What is signed: a name of what it is, entries, digest, time, the checkpoint before.
    pub fn signed(&self) -> Vec<u8> {
        let mut bytes = b"cellular-hub audit checkpoint 1\0".to_vec();
        bytes.extend_from_slice(&self.entries.to_be_bytes());
        bytes.extend_from_slice(&self.digest.0);
        bytes.extend_from_slice(&self.at.0.to_be_bytes());
        bytes.extend_from_slice(&self.previous.0);
        bytes
    }

    /// What the next one names it by.
    pub fn digest_of_it(&self) -> AuditDigest {
        use sha2::{Digest as _, Sha256};
        let mut hash = Sha256::new();
        hash.update(self.signed());
        hash.update(&self.signature);
        AuditDigest(hash.finalize().into())
    }
}

impl Record for AuditCheckpoint {
    const VERSION: u8 = 1;
}
