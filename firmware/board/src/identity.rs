//! What production writes into a board whose modem keeps no keys: who it is, whom it trusts, where its hub
//! is, and the secret that its randomness comes from. It lies apart from every image and is written once.
//!
//! Invariant: what is damaged, or of another version, is no identity.

use alloc::vec::Vec;

use image::digest;

const MAGIC: [u8; 4] = *b"CHI\x01";

/// A board's own.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Identity<'b> {
    /// The hub's IPv4 address.
    pub hub: [u8; 4],
    /// Its UDP port.
    pub port: u16,
    /// When this was written, in seconds since 1970: it is never earlier on this board.
    pub made_s: u64,
    /// From production's random generator, for this board alone; with the number of a start it is what
    /// the board's own generator begins from.
    pub seed: &'b [u8; 32],
    /// The name that is in the hub's certificate.
    pub hub_name: &'b str,
    /// The private key, DER (RFC 5915 or PKCS #8).
    pub key: &'b [u8],
    /// Its certificate, DER.
    pub certificate: &'b [u8],
    /// The certificate that the hub's leads to, DER.
    pub root: &'b [u8],
}

/// Without what is secret.
impl core::fmt::Debug for Identity<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Identity").field("hub_name", &self.hub_name).finish_non_exhaustive()
    }
}

impl<'b> Identity<'b> {
    /// For the flash: magic, address, port, time and seed, then four fields with their lengths, and a
    /// digest of all that. Numbers are little-endian. `None` where a field is longer than 65,535 bytes.
    pub fn to_bytes(&self) -> Option<Vec<u8>> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&self.hub);
        bytes.extend_from_slice(&self.port.to_le_bytes());
        bytes.extend_from_slice(&self.made_s.to_le_bytes());
        bytes.extend_from_slice(self.seed);
        for field in [self.hub_name.as_bytes(), self.key, self.certificate, self.root] {
            bytes.extend_from_slice(&u16::try_from(field.len()).ok()?.to_le_bytes());
            bytes.extend_from_slice(field);
        }
        let check = digest(&bytes);
        bytes.extend_from_slice(&check);
        Some(bytes)
    }

    /// From there; what stands behind it does not matter.
    pub fn parse(bytes: &'b [u8]) -> Option<Self> {
        let rest = bytes.strip_prefix(&MAGIC)?;
        let (hub, rest) = rest.split_first_chunk::<4>()?;
        let (port, rest) = rest.split_first_chunk::<2>()?;
        let (made_s, rest) = rest.split_first_chunk::<8>()?;
        let (seed, rest) = rest.split_first_chunk::<32>()?;
        let (hub_name, rest) = field(rest)?;
        let (key, rest) = field(rest)?;
        let (certificate, rest) = field(rest)?;
        let (root, rest) = field(rest)?;
        let check = rest.first_chunk::<32>()?;
        let content = bytes.get(..bytes.len().checked_sub(rest.len())?)?;
        (digest(content) == *check).then_some(())?;
        Some(Self {
            hub: *hub,
            port: u16::from_le_bytes(*port),
            made_s: u64::from_le_bytes(*made_s),
            seed,
            hub_name: core::str::from_utf8(hub_name).ok()?,
            key,
            certificate,
            root,
        })
    }
}

fn field(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<2>()?;
    rest.split_at_checked(usize::from(u16::from_le_bytes(*length)))
}
