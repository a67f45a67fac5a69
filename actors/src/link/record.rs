//! DTLS 1.2 record syntax (RFC 6347 section 4.1, RFC 9146 section 4): bytes to records and back.
//! Invariant: nothing here knows a key, a session or an address; a record is only borrowed bytes.

use thiserror::Error;

/// The only version of a protected record: DTLS 1.2.
pub const VERSION_1_2: u16 = 0xFEFD;
/// What clients put on the records of their first flight, before a version is agreed (DTLS 1.0).
pub const VERSION_1_0: u16 = 0xFEFF;
/// Bytes of an ordinary record's header.
pub const HEADER_LEN: usize = 13;
/// The longest plaintext of one record (RFC 6347 section 4.1).
pub const PLAINTEXT_MAX: usize = 1 << 14;
/// What protection may add to a plaintext: nonce, tag, inner type, padding (RFC 5246 section 6.2.3).
pub const EXPANSION_MAX: usize = 2048;
/// The longest Connection ID that fits its length byte (RFC 9146 section 3).
pub const CID_MAX: usize = 255;
/// The last sequence number of an epoch: 48 bits.
pub const SEQUENCE_MAX: u64 = (1 << 48) - 1;

/// What a record carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum ContentType {
    /// The switch to the next epoch.
    ChangeCipherSpec = 20,
    /// A warning or the end.
    Alert = 21,
    /// Part of a handshake flight.
    Handshake = 22,
    /// CoAP, for us.
    ApplicationData = 23,
    /// A protected record with a Connection ID; the real type is inside (RFC 9146).
    ConnectionId = 25,
}

impl ContentType {
    /// The byte on the wire.
    #[must_use]
    pub const fn byte(self) -> u8 {
        match self {
            Self::ChangeCipherSpec => 20,
            Self::Alert => 21,
            Self::Handshake => 22,
            Self::ApplicationData => 23,
            Self::ConnectionId => 25,
        }
    }

    /// The type a byte stands for, if it is one of DTLS 1.2.
    #[must_use]
    pub const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            20 => Some(Self::ChangeCipherSpec),
            21 => Some(Self::Alert),
            22 => Some(Self::Handshake),
            23 => Some(Self::ApplicationData),
            25 => Some(Self::ConnectionId),
            _ => None,
        }
    }
}

/// One record, borrowed from its datagram. Nothing of it is authenticated yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// The outer type; [`ContentType::ConnectionId`] hides the real one.
    pub content_type: ContentType,
    /// The version as it was sent; part of what the tag covers.
    pub version: u16,
    /// 0 before the keys, 1 after.
    pub epoch: u16,
    /// 48 bits, counted up within an epoch.
    pub sequence: u64,
    /// Empty unless the type is [`ContentType::ConnectionId`].
    pub cid: &'a [u8],
    /// What follows the header.
    pub fragment: &'a [u8],
    /// The whole record, header included.
    pub bytes: &'a [u8],
}

/// Bytes that are no DTLS 1.2 record: the sender's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum MalformedRecord {
    /// The datagram ends inside a record.
    #[error("record cut short: {missing} bytes missing")]
    Truncated {
        /// How many more the record would need.
        missing: usize,
    },
    /// A type that DTLS 1.2 does not have, or a Connection ID where none was agreed.
    #[error("unknown content type {0}")]
    ContentType(u8),
    /// Neither DTLS 1.2 nor, before the keys, DTLS 1.0.
    #[error("unknown record version {0:#06x}")]
    Version(u16),
    /// Longer than any record may be.
    #[error("record of {0} bytes is too long")]
    TooLong(usize),
}

/// A record that cannot be written: our own misuse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Unsealable {
    /// More than [`PLAINTEXT_MAX`] bytes.
    #[error("plaintext of {0} bytes does not fit one record")]
    Plaintext(usize),
    /// More than [`CID_MAX`] bytes.
    #[error("connection id of {0} bytes is too long")]
    ConnectionId(usize),
    /// Past [`SEQUENCE_MAX`]: a nonce would be used twice.
    #[error("sequence numbers of this epoch are used up")]
    SequenceExhausted,
    /// The cipher refused, which its own limits rule out for a record.
    #[error("cipher refused the record")]
    Cipher,
}

/// The records of a datagram; ends after the first malformed one, because lengths are lost then.
///
/// `cid_len` is the length of the ids we hand out: the header does not say it (RFC 9146 section 4).
#[must_use]
pub fn records(datagram: &[u8], cid_len: usize) -> Records<'_> {
    Records { rest: datagram, cid_len }
}

/// See [`records`].
#[derive(Clone, Debug)]
pub struct Records<'a> {
    rest: &'a [u8],
    cid_len: usize,
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<Record<'a>, MalformedRecord>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        match split_record(self.rest, self.cid_len) {
            Ok((record, rest)) => {
                self.rest = rest;
                Some(Ok(record))
            }
            Err(malformed) => {
                self.rest = &[];
                Some(Err(malformed))
            }
        }
    }
}

impl std::iter::FusedIterator for Records<'_> {}

fn split_record(bytes: &[u8], cid_len: usize) -> Result<(Record<'_>, &[u8]), MalformedRecord> {
    let short = |needed: usize| MalformedRecord::Truncated {
        missing: needed.saturating_sub(bytes.len()).max(1),
    };
    let Some((&[first, v0, v1, e0, e1, s0, s1, s2, s3, s4, s5], after_sequence)) =
        bytes.split_first_chunk::<11>()
    else {
        return Err(short(HEADER_LEN));
    };
    let content_type = ContentType::from_byte(first).ok_or(MalformedRecord::ContentType(first))?;
    let version = u16::from_be_bytes([v0, v1]);
    let epoch = u16::from_be_bytes([e0, e1]);
    let sequence = u64::from_be_bytes([0, 0, s0, s1, s2, s3, s4, s5]);
    if version != VERSION_1_2 && !(version == VERSION_1_0 && epoch == 0) {
        return Err(MalformedRecord::Version(version));
    }
    let cid_len = match content_type {
        // Without keys, or where no id was handed out, such a record means nothing.
        ContentType::ConnectionId if epoch == 0 || cid_len == 0 => {
            return Err(MalformedRecord::ContentType(first));
        }
        ContentType::ConnectionId => cid_len,
        ContentType::ChangeCipherSpec
        | ContentType::Alert
        | ContentType::Handshake
        | ContentType::ApplicationData => 0,
    };
    let header_len = HEADER_LEN.saturating_add(cid_len);
    let (cid, after_cid) =
        after_sequence.split_at_checked(cid_len).ok_or_else(|| short(header_len))?;
    let (&[l0, l1], body) = after_cid.split_first_chunk::<2>().ok_or_else(|| short(header_len))?;
    let length = usize::from(u16::from_be_bytes([l0, l1]));
    let longest = if epoch == 0 { PLAINTEXT_MAX } else { PLAINTEXT_MAX + EXPANSION_MAX };
    if length > longest {
        return Err(MalformedRecord::TooLong(length));
    }
    let whole = header_len.saturating_add(length);
    let (fragment, rest) = body.split_at_checked(length).ok_or_else(|| short(whole))?;
    let (bytes, _) = bytes.split_at_checked(whole).ok_or_else(|| short(whole))?;
    Ok((Record { content_type, version, epoch, sequence, cid, fragment, bytes }, rest))
}

/// Appends a record of epoch 0, unprotected: alerts and handshake messages before the keys.
///
/// # Errors
/// [`Unsealable`] when the fragment or the sequence number does not fit; nothing is appended.
pub fn write_plaintext(
    content_type: ContentType,
    sequence: u64,
    fragment: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), Unsealable> {
    if fragment.len() > PLAINTEXT_MAX {
        return Err(Unsealable::Plaintext(fragment.len()));
    }
    write_header(content_type, VERSION_1_2, 0, sequence, &[], fragment.len(), out)?;
    out.extend_from_slice(fragment);
    Ok(())
}

/// Appends a header; `length` is that of the protected fragment. Nothing is appended on an error.
pub(super) fn write_header(
    content_type: ContentType,
    version: u16,
    epoch: u16,
    sequence: u64,
    cid: &[u8],
    length: usize,
    out: &mut Vec<u8>,
) -> Result<(), Unsealable> {
    let number = epoch_and_sequence(epoch, sequence)?;
    if cid.len() > CID_MAX {
        return Err(Unsealable::ConnectionId(cid.len()));
    }
    let length = u16::try_from(length).map_err(|_| Unsealable::Plaintext(length))?;
    let [v0, v1] = version.to_be_bytes();
    out.extend_from_slice(&[content_type.byte(), v0, v1]);
    out.extend_from_slice(&number);
    out.extend_from_slice(cid);
    out.extend_from_slice(&length.to_be_bytes());
    Ok(())
}

/// The 64-bit number of a record: epoch, then sequence. Also our explicit nonce.
pub(super) fn epoch_and_sequence(epoch: u16, sequence: u64) -> Result<[u8; 8], Unsealable> {
    if sequence > SEQUENCE_MAX {
        return Err(Unsealable::SequenceExhausted);
    }
    Ok((u64::from(epoch) << 48 | sequence).to_be_bytes())
}

#[cfg(test)]
mod tests;
