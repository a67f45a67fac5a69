//! Record protection: AES-128-GCM, CCM and CCM-8 over DTLS 1.2 records, ordinary and with a
//! Connection ID (RFC 5288, RFC 6655, RFC 6347, RFC 9146). Invariant: no clock, socket or session
//! is reachable from here, and no plaintext leaves before its tag was verified.

mod gcm;

use aes::Aes128Enc;
use ccm::Ccm;
use ccm::aead::{AeadInOut, KeyInit, Nonce, Tag};
use ccm::consts::{U8, U12, U16};
use thiserror::Error;
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::record::{
    CID_MAX, ContentType, PLAINTEXT_MAX, Record, Unsealable, VERSION_1_2, epoch_and_sequence,
    write_header,
};

type Ccm16 = Ccm<Aes128Enc, U16, U12>;
type Ccm8 = Ccm<Aes128Enc, U8, U12>;

/// Bytes of the nonce that travel with each record; the other four are the salt.
const EXPLICIT_NONCE_LEN: usize = 8;
/// The longest additional data: 23 bytes and a Connection ID (RFC 9146 section 5.3).
const AAD_MAX: usize = 23 + CID_MAX;

/// The cipher suites the hub speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u16)]
pub enum Suite {
    /// The default: hardware has instructions for it.
    EcdheEcdsaAes128GcmSha256 = 0xC02B,
    /// For constrained clients (RFC 7251).
    EcdheEcdsaAes128Ccm = 0xC0AC,
    /// With a tag of 8 bytes: what RFC 7252 makes mandatory for CoAP.
    EcdheEcdsaAes128Ccm8 = 0xC0AE,
}

impl Suite {
    /// Every suite, most wanted first.
    pub const ALL: [Self; 3] =
        [Self::EcdheEcdsaAes128GcmSha256, Self::EcdheEcdsaAes128Ccm, Self::EcdheEcdsaAes128Ccm8];

    /// The number in IANA's registry.
    #[must_use]
    pub const fn iana(self) -> u16 {
        match self {
            Self::EcdheEcdsaAes128GcmSha256 => 0xC02B,
            Self::EcdheEcdsaAes128Ccm => 0xC0AC,
            Self::EcdheEcdsaAes128Ccm8 => 0xC0AE,
        }
    }

    /// The suite of a number, if it is one of ours.
    #[must_use]
    pub fn from_iana(number: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|suite| suite.iana() == number)
    }

    /// OpenSSL's name, for its cipher list.
    #[must_use]
    pub const fn openssl_name(self) -> &'static str {
        match self {
            Self::EcdheEcdsaAes128GcmSha256 => "ECDHE-ECDSA-AES128-GCM-SHA256",
            Self::EcdheEcdsaAes128Ccm => "ECDHE-ECDSA-AES128-CCM",
            Self::EcdheEcdsaAes128Ccm8 => "ECDHE-ECDSA-AES128-CCM8",
        }
    }

    /// The suite that OpenSSL says was agreed, if it is one of ours.
    #[must_use]
    pub fn from_openssl_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|suite| suite.openssl_name() == name)
    }

    /// Bytes of the authentication tag.
    #[must_use]
    pub const fn tag_len(self) -> usize {
        match self {
            Self::EcdheEcdsaAes128GcmSha256 | Self::EcdheEcdsaAes128Ccm => 16,
            Self::EcdheEcdsaAes128Ccm8 => 8,
        }
    }

    /// How many bytes longer a record is than its plaintext, header and a Connection ID of
    /// `cid_len` bytes included (0 for none).
    #[must_use]
    pub const fn overhead(self, cid_len: usize) -> usize {
        let inner_type = if cid_len == 0 { 0 } else { 1 };
        super::record::HEADER_LEN + cid_len + EXPLICIT_NONCE_LEN + inner_type + self.tag_len()
    }
}

/// Why a protected record was dropped. Never tells a peer which it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum OpenError {
    /// Shorter than nonce and tag.
    #[error("protected record of {0} bytes is too short")]
    TooShort(usize),
    /// Not sealed with this key, or changed on the way.
    #[error("record does not authenticate")]
    Forged,
    /// Authentic, but longer than a plaintext may be.
    #[error("plaintext of {0} bytes is too long")]
    TooLong(usize),
    /// Authentic, but without a real content type inside (RFC 9146 section 4).
    #[error("record with a connection id has no valid inner type")]
    InnerType,
}

/// One direction's key: 22 bytes, 44 for both of a session.
///
/// It keeps the 16-byte key and expands it for every record: with AES instructions that costs
/// some 8 ns, and saves 160 bytes of key schedule a direction in every idle session; GCM's hash key
/// is made of it as well.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct DirectionKey {
    key: [u8; 16],
    salt: [u8; 4],
    #[zeroize(skip)]
    suite: Suite,
}

impl std::fmt::Debug for DirectionKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DirectionKey").field("suite", &self.suite).finish_non_exhaustive()
    }
}

impl DirectionKey {
    /// A direction's key from the key block: write key and fixed part of the nonce.
    #[must_use]
    pub const fn new(suite: Suite, key: &[u8; 16], salt: &[u8; 4]) -> Self {
        Self { key: *key, salt: *salt, suite }
    }

    /// The suite this key is for.
    #[must_use]
    pub const fn suite(&self) -> Suite {
        self.suite
    }

    /// The write key and the salt, to be sealed at rest.
    pub(super) const fn expose(&self) -> (&[u8; 16], &[u8; 4]) {
        (&self.key, &self.salt)
    }

    /// Appends one whole protected record; with a `cid` it is a `tls12_cid` record without padding.
    ///
    /// The explicit nonce is epoch and sequence: the caller never uses a sequence number twice.
    ///
    /// # Errors
    /// [`Unsealable`] when something does not fit; `out` is as it was then.
    pub fn seal(
        &self,
        content_type: ContentType,
        epoch: u16,
        sequence: u64,
        cid: &[u8],
        plaintext: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), Unsealable> {
        if plaintext.len() > PLAINTEXT_MAX {
            return Err(Unsealable::Plaintext(plaintext.len()));
        }
        let explicit = epoch_and_sequence(epoch, sequence)?;
        let outer = if cid.is_empty() { content_type } else { ContentType::ConnectionId };
        let inner_len = plaintext.len() + usize::from(!cid.is_empty());
        let mut aad = [0; AAD_MAX];
        let aad = additional_data(outer, VERSION_1_2, &explicit, cid, inner_len, &mut aad)
            .ok_or(Unsealable::ConnectionId(cid.len()))?;

        let before = out.len();
        out.reserve(self.suite.overhead(cid.len()) + plaintext.len());
        let length = EXPLICIT_NONCE_LEN + inner_len + self.suite.tag_len();
        write_header(outer, VERSION_1_2, epoch, sequence, cid, length, out)?;
        out.extend_from_slice(&explicit);
        let start = out.len();
        out.extend_from_slice(plaintext);
        if !cid.is_empty() {
            out.push(content_type.byte());
        }
        let tag = out.get_mut(start..).and_then(|inner| self.encrypt(&explicit, aad, inner));
        let Some(tag) = tag.as_ref().and_then(|tag| tag.get(..self.suite.tag_len())) else {
            out.truncate(before);
            return Err(Unsealable::Cipher);
        };
        out.extend_from_slice(tag);
        Ok(())
    }

    /// Opens a protected record into `out` (which is cleared first) and tells its real type.
    ///
    /// # Errors
    /// [`OpenError`]; `out` is empty then.
    pub fn open(&self, record: &Record<'_>, out: &mut Vec<u8>) -> Result<ContentType, OpenError> {
        out.clear();
        let too_short = || OpenError::TooShort(record.fragment.len());
        let (explicit, rest) =
            record.fragment.split_first_chunk::<EXPLICIT_NONCE_LEN>().ok_or_else(too_short)?;
        let inner_len = rest.len().checked_sub(self.suite.tag_len()).ok_or_else(too_short)?;
        let (ciphertext, tag) = rest.split_at_checked(inner_len).ok_or_else(too_short)?;
        let number =
            epoch_and_sequence(record.epoch, record.sequence).map_err(|_| OpenError::Forged)?;
        let mut aad = [0; AAD_MAX];
        let aad = additional_data(
            record.content_type,
            record.version,
            &number,
            record.cid,
            inner_len,
            &mut aad,
        )
        .ok_or(OpenError::Forged)?;

        out.extend_from_slice(ciphertext);
        if !self.decrypt(explicit, aad, out, tag) {
            out.zeroize();
            return Err(OpenError::Forged);
        }
        let opened = unwrap_inner(record.content_type, out);
        if opened.is_err() {
            out.clear();
        }
        opened
    }

    fn nonce(&self, explicit: &[u8; EXPLICIT_NONCE_LEN]) -> [u8; 12] {
        let [a, b, c, d] = self.salt;
        let [e, f, g, h, i, j, k, l] = *explicit;
        [a, b, c, d, e, f, g, h, i, j, k, l]
    }

    /// Encrypts in place; the tag is the first bytes of what comes back.
    fn encrypt(&self, explicit: &[u8; 8], aad: &[u8], inner: &mut [u8]) -> Option<[u8; 16]> {
        let schedule = Aes128Enc::new((&self.key).into());
        let nonce = self.nonce(explicit);
        match self.suite {
            Suite::EcdheEcdsaAes128GcmSha256 => Some(gcm::seal(&schedule, &nonce, aad, inner)),
            Suite::EcdheEcdsaAes128Ccm => {
                let nonce = Nonce::<Ccm16>::from(nonce);
                let tag = Ccm16::from(schedule).encrypt_inout_detached(&nonce, aad, inner.into());
                tag.ok().map(Into::into)
            }
            Suite::EcdheEcdsaAes128Ccm8 => {
                let nonce = Nonce::<Ccm8>::from(nonce);
                let tag = Ccm8::from(schedule).encrypt_inout_detached(&nonce, aad, inner.into());
                let [a, b, c, d, e, f, g, h]: [u8; 8] = tag.ok()?.into();
                Some([a, b, c, d, e, f, g, h, 0, 0, 0, 0, 0, 0, 0, 0])
            }
        }
    }

    /// Decrypts in place; what is there after a `false` is not to be read.
    fn decrypt(&self, explicit: &[u8; 8], aad: &[u8], inner: &mut [u8], tag: &[u8]) -> bool {
        let schedule = Aes128Enc::new((&self.key).into());
        let nonce = self.nonce(explicit);
        match self.suite {
            Suite::EcdheEcdsaAes128GcmSha256 => gcm::open(&schedule, &nonce, aad, inner, tag),
            Suite::EcdheEcdsaAes128Ccm => Tag::<Ccm16>::try_from(tag).is_ok_and(|tag| {
                let nonce = Nonce::<Ccm16>::from(nonce);
                let cipher = Ccm16::from(schedule);
                cipher.decrypt_inout_detached(&nonce, aad, inner.into(), &tag).is_ok()
            }),
            Suite::EcdheEcdsaAes128Ccm8 => Tag::<Ccm8>::try_from(tag).is_ok_and(|tag| {
                let nonce = Nonce::<Ccm8>::from(nonce);
                let cipher = Ccm8::from(schedule);
                cipher.decrypt_inout_detached(&nonce, aad, inner.into(), &tag).is_ok()
            }),
        }
    }
}

/// Strips padding and inner type of a `tls12_cid` record, and bounds the plaintext.
fn unwrap_inner(outer: ContentType, inner: &mut Vec<u8>) -> Result<ContentType, OpenError> {
    let real = match outer {
        ContentType::ConnectionId => {
            let end = inner.iter().rposition(|byte| *byte != 0).ok_or(OpenError::InnerType)?;
            let real = inner.get(end).copied().and_then(ContentType::from_byte);
            inner.truncate(end);
            match real {
                None | Some(ContentType::ConnectionId) => return Err(OpenError::InnerType),
                Some(real) => real,
            }
        }
        ContentType::ChangeCipherSpec
        | ContentType::Alert
        | ContentType::Handshake
        | ContentType::ApplicationData => outer,
    };
    if inner.len() > PLAINTEXT_MAX {
        return Err(OpenError::TooLong(inner.len()));
    }
    Ok(real)
}

/// What the tag covers beside the ciphertext: RFC 5246 section 6.2.3.3 for an ordinary record,
/// RFC 9146 section 5.3 for one with a Connection ID. None when the id or the length cannot be.
fn additional_data<'a>(
    outer: ContentType,
    version: u16,
    number: &[u8; 8],
    cid: &[u8],
    inner_len: usize,
    out: &'a mut [u8; AAD_MAX],
) -> Option<&'a [u8]> {
    const CID: u8 = ContentType::ConnectionId.byte();
    let length = u16::try_from(inner_len).ok()?.to_be_bytes();
    let version = version.to_be_bytes();
    let cid_len = [u8::try_from(cid.len()).ok()?];
    let ordinary: [&[u8]; 4] = [number, &[outer.byte()], &version, &length];
    let with_cid: [&[u8]; 8] =
        [&[0xFF; 8], &[CID], &cid_len, &[CID], &version, number, cid, &length];
    let parts: &[&[u8]] = match outer {
        ContentType::ConnectionId => &with_cid,
        ContentType::ChangeCipherSpec
        | ContentType::Alert
        | ContentType::Handshake
        | ContentType::ApplicationData => &ordinary,
    };
    let mut end = 0;
    for part in parts {
        let next = end + part.len();
        out.get_mut(end..next)?.copy_from_slice(part);
        end = next;
    }
    out.get(..end)
}

#[cfg(test)]
mod tests;
