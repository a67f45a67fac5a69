//! A data key as the store has it: wrapped under a master key that is elsewhere.

use bincode::{Decode, Encode};
use serde::Serialize;

use crate::record::Record;
use crate::{KeyId, UnixSeconds};

/// A wrapped data key.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct DataKey {
    /// Its number; no two keys have one, whatever they are for.
    pub id: KeyId,
    /// What it is for.
    pub purpose: KeyPurpose,
    /// When it was made, or taken over from a former hub.
    pub made: UnixSeconds,
    /// Under which master key it is wrapped, in words for people: never a secret.
    pub master: String,
    /// The key itself, as that master key wraps it.
    pub wrapped: Vec<u8>,
}

/// What a data key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Encode, Decode)]
#[serde(rename_all = "kebab-case")]
pub enum KeyPurpose {
    /// Records: secrets and sessions are sealed under it.
    Records,
    /// Connection IDs are made with it, and boards keep those: there is one, for good.
    ConnectionIds,
}

impl Record for DataKey {
    const VERSION: u8 = 1;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{decode, encode};

    #[test]
    fn the_bytes_of_version_1_stay_as_they_are() {
        let key = DataKey {
            id: KeyId(300),
            purpose: KeyPurpose::ConnectionIds,
            made: UnixSeconds(1_700_000_000),
            master: String::from("file"),
            wrapped: vec![1, 0xff],
        };
        let golden =
            [&[1, 0xfb, 0x2c, 1, 1, 0xfc, 0, 0xf1, 0x53, 0x65, 4][..], b"file", &[2, 1, 0xff]];
        assert_eq!(encode(&key).unwrap(), golden.concat());
        assert_eq!(decode::<DataKey>(&golden.concat()).unwrap(), key);
    }
}
