//! How a noun becomes the bytes of a record: one version byte, then bincode's standard encoding.
//!
//! The nouns are the newest version's layout. Invariant: append-only. Who changes a noun's fields
//! raises its `VERSION`, keeps the old layout as a private struct, and leaves its golden bytes.

use bincode::config::{Configuration, Limit, LittleEndian, Varint};
use bincode::{Decode, Encode};

/// Bytes of the largest record that is written.
const RECORD_BYTES_MAX: usize = 64 * 1024;

/// Bound on what decoding may claim; a map's entry claims its size in memory, at most 24 times
/// its encoding.
const DECODE_BYTES_MAX: usize = 32 * RECORD_BYTES_MAX;

const CONFIG: Configuration<LittleEndian, Varint, Limit<DECODE_BYTES_MAX>> =
    bincode::config::standard().with_limit::<DECODE_BYTES_MAX>();

/// A noun that is kept as a record.
pub(crate) trait Record: Encode + Decode<()> {
    /// Of the layout that is written.
    const VERSION: u8;

    /// The noun and the bytes used, from a layout that is no longer written; `None` for versions
    /// that never were.
    fn decode_older(_version: u8, _body: &[u8]) -> Option<Result<(Self, usize), RecordError>> {
        None
    }
}

/// What is wrong with a record.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// Written by a newer hub, or not by one.
    #[error("record version {found} is not known; this hub knows {known}")]
    UnknownVersion {
        /// The version byte in the record.
        found: u8,
        /// The newest that can be read.
        known: u8,
    },
    /// The bytes are no encoding of the noun.
    #[error("malformed record")]
    Malformed(#[source] bincode::error::DecodeError),
    /// Bytes are left over behind the noun.
    #[error("malformed record: {count} bytes too many")]
    TooLong {
        /// How many.
        count: usize,
    },
    /// The noun is larger than a record may be.
    #[error("a record of {bytes} bytes is larger than {max} bytes")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// What a record may have.
        max: usize,
    },
    /// The noun could not be encoded.
    #[error("the record cannot be encoded")]
    Unencodable(#[source] bincode::error::EncodeError),
}

/// The record of `noun`.
pub(crate) fn encode<T: Record>(noun: &T) -> Result<Vec<u8>, RecordError> {
    let mut bytes = Vec::with_capacity(128);
    bytes.push(T::VERSION);
    bincode::encode_into_std_write(noun, &mut bytes, CONFIG).map_err(RecordError::Unencodable)?;
    if bytes.len() > RECORD_BYTES_MAX {
        return Err(RecordError::TooLarge { bytes: bytes.len(), max: RECORD_BYTES_MAX });
    }
    Ok(bytes)
}

/// The noun in `record`; any bytes give a noun or an error.
pub(crate) fn decode<T: Record>(record: &[u8]) -> Result<T, RecordError> {
    let (&found, body) = record.split_first().ok_or(RecordError::Malformed(
        bincode::error::DecodeError::UnexpectedEnd { additional: 1 },
    ))?;
    let (noun, used) = if found == T::VERSION {
        decode_body(body)?
    } else {
        T::decode_older(found, body)
            .unwrap_or(Err(RecordError::UnknownVersion { found, known: T::VERSION }))?
    };
    match body.len() - used {
        0 => Ok(noun),
        count => Err(RecordError::TooLong { count }),
    }
}

/// A layout behind the version byte, and the bytes used.
pub(crate) fn decode_body<T: Decode<()>>(body: &[u8]) -> Result<(T, usize), RecordError> {
    bincode::decode_from_slice(body, CONFIG).map_err(RecordError::Malformed)
}

/// The board id that an index entry holds as plain text.
pub(crate) fn parse_utf8(value: &[u8]) -> Result<crate::BoardId, RecordError> {
    use bincode::error::DecodeError;
    let text = std::str::from_utf8(value)
        .map_err(|inner| RecordError::Malformed(DecodeError::Utf8 { inner }))?;
    text.parse().map_err(|error: crate::InvalidName| {
        RecordError::Malformed(DecodeError::OtherString(error.to_string()))
    })
}

#[cfg(test)]
mod tests;
