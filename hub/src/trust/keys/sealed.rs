//! A sealed key: how a private key lies in a file.
//!
//! ```text
//! 0   "cellular-hub key"     16 bytes
//! 16  version                1
//! 17  memory KiB, passes, lanes of Argon2id (RFC 9106)   3 * u32, big-endian
//! 29  salt                   16
//! 45  nonce                  12
//! 57  public key             65, a point not compressed
//! 122 label's length, label  1 + n
//! ... private scalar, sealed with AES-256-GCM   32 + 16; all before it is authenticated
//! ```
//! Invariant: append-only, frozen by golden bytes; any bytes give a key's file or an error, and no
//! more memory than [`Cost::MEMORY_KIB_MAX`] is taken for any.

use aes_gcm::aead::{Aead as _, KeyInit as _, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use argon2::{Algorithm, Argon2, Params, Version};
use zeroize::Zeroizing;

use super::{KeyLabel, PublicKey};

const MAGIC: &[u8; 16] = b"cellular-hub key";
const VERSION: u8 = 1;
const SCALAR: usize = 32;
const TAG: usize = 16;

/// Bytes of the longest file.
pub(super) const LENGTH_MAX: usize = 512;

/// What a guess at a passphrase costs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Cost {
    /// Memory, KiB.
    pub(super) memory_kib: u32,
    /// Passes over it.
    pub(super) passes: u32,
    /// Lanes.
    pub(super) lanes: u32,
}

impl Cost {
    /// What new keys are sealed with: 64 MiB and 3 passes (RFC 9106, section 4, the second
    /// recommendation, with one lane).
    pub(super) const DEFAULT: Self = Self { memory_kib: 64 * 1024, passes: 3, lanes: 1 };

    /// A file that asks for more memory is refused.
    const MEMORY_KIB_MAX: u32 = 1024 * 1024;

    const fn is_bearable(self) -> bool {
        self.memory_kib <= Self::MEMORY_KIB_MAX && self.passes <= 64 && self.lanes <= 16
    }
}

/// A key derived from a passphrase.
#[derive(Clone)]
pub(super) struct Derived {
    cost: Cost,
    salt: [u8; 16],
    key: Zeroizing<[u8; 32]>,
}

impl Derived {
    /// Takes as long and as much memory as `cost` says. `None` when Argon2 cannot do that.
    pub(super) fn new(passphrase: &[u8], cost: Cost, salt: [u8; 16]) -> Option<Self> {
        let params = Params::new(cost.memory_kib, cost.passes, cost.lanes, Some(32)).ok()?;
        let mut key = Zeroizing::new([0; 32]);
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(passphrase, &salt, key.as_mut())
            .ok()?;
        Some(Self { cost, salt, key })
    }

    /// Whether it is the one that `sealed` asks for.
    pub(super) fn opens(&self, sealed: &Sealed) -> bool {
        (self.cost, self.salt) == (sealed.cost, sealed.salt)
    }

    pub(super) fn has_cost(&self, cost: Cost) -> bool {
        self.cost == cost
    }

    /// The file of a private key.
    pub(super) fn seal(
        &self,
        label: &KeyLabel,
        public: &PublicKey,
        scalar: &[u8; SCALAR],
        nonce: [u8; 12],
    ) -> Option<Vec<u8>> {
        let label = label.to_string();
        let mut file = Vec::with_capacity(LENGTH_MAX);
        file.extend_from_slice(MAGIC);
        file.push(VERSION);
        for number in [self.cost.memory_kib, self.cost.passes, self.cost.lanes] {
            file.extend_from_slice(&number.to_be_bytes());
        }
        file.extend_from_slice(&self.salt);
        file.extend_from_slice(&nonce);
        file.extend_from_slice(public.point());
        file.push(u8::try_from(label.len()).ok()?);
        file.extend_from_slice(label.as_bytes());
        let payload = Payload { msg: scalar, aad: &file };
        let sealed = self.cipher().encrypt(&Nonce::from(nonce), payload).ok()?;
        file.extend_from_slice(&sealed);
        Some(file)
    }

    /// The private scalar; `None` under another passphrase, or when a byte was changed.
    pub(super) fn open(&self, sealed: &Sealed) -> Option<Zeroizing<[u8; SCALAR]>> {
        let payload = Payload { msg: &sealed.ciphertext, aad: &sealed.head };
        let opened = self.cipher().decrypt(&Nonce::from(sealed.nonce), payload).ok()?;
        let opened = Zeroizing::new(opened);
        let mut scalar = Zeroizing::new([0; SCALAR]);
        if opened.len() != SCALAR {
            return None;
        }
        scalar.copy_from_slice(&opened);
        Some(scalar)
    }

    fn cipher(&self) -> Aes256Gcm {
        Aes256Gcm::new((&*self.key).into())
    }
}

/// A key's file, read and not yet opened.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Sealed {
    pub(super) cost: Cost,
    pub(super) salt: [u8; 16],
    pub(super) label: KeyLabel,
    pub(super) public: PublicKey,
    nonce: [u8; 12],
    head: Vec<u8>,
    ciphertext: [u8; SCALAR + TAG],
}

impl Sealed {
    /// Whether bytes are such a file's, as far as their beginning tells.
    pub(super) fn begins(file: &[u8]) -> bool {
        file.starts_with(MAGIC)
    }

    /// Reads a file; an error says what it "is" or "holds".
    pub(super) fn parse(file: &[u8]) -> Result<Self, String> {
        let short = || String::from("breaks off");
        let mut rest = file;
        if take(&mut rest).ok_or_else(short)? != *MAGIC {
            return Err(String::from("is no sealed key"));
        }
        let [version] = take(&mut rest).ok_or_else(short)?;
        if version != VERSION {
            return Err(format!("has version {version}; this hub knows {VERSION}"));
        }
        let mut number = || take(&mut rest).map(u32::from_be_bytes).ok_or_else(short);
        let cost = Cost { memory_kib: number()?, passes: number()?, lanes: number()? };
        if !cost.is_bearable() {
            return Err(String::from("asks for more than 1 GiB of memory, 64 passes or 16 lanes"));
        }
        let salt = take(&mut rest).ok_or_else(short)?;
        let nonce = take(&mut rest).ok_or_else(short)?;
        let point: [u8; PublicKey::LEN] = take(&mut rest).ok_or_else(short)?;
        let public = PublicKey::of_point(&point)
            .ok_or_else(|| String::from("holds no public key on P-256"))?;
        let [length] = take(&mut rest).ok_or_else(short)?;
        let (label, rest) = rest.split_at_checked(usize::from(length)).ok_or_else(short)?;
        let label = std::str::from_utf8(label).ok().and_then(|text| text.parse().ok());
        let label = label.ok_or_else(|| String::from("holds no key's name"))?;
        let ciphertext = rest.try_into().map_err(|_| String::from("is too short or too long"))?;
        let head = file.get(..file.len() - rest.len()).unwrap_or_default().to_vec();
        Ok(Self { cost, salt, label, public, nonce, head, ciphertext })
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, behind) = rest.split_first_chunk()?;
    *rest = behind;
    Some(*taken)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::memory::{new_key, public_half};
    use super::*;

    const CHEAP: Cost = Cost { memory_kib: 8, passes: 1, lanes: 1 };

    /// The key 1: its point is the curve's generator.
    fn one() -> (PublicKey, [u8; 32]) {
        let hex = "046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296\
                   4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5";
        let point: Vec<u8> = (0..hex.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
            .collect();
        let mut scalar = [0; 32];
        scalar[31] = 1;
        (PublicKey::of_point(&point).unwrap(), scalar)
    }

    fn file() -> Vec<u8> {
        let (public, scalar) = one();
        let derived = Derived::new(b"passphrase", CHEAP, [7; 16]).unwrap();
        derived.seal(&"tenant/acme".parse().unwrap(), &public, &scalar, [9; 12]).unwrap()
    }

    #[test]
    fn the_bytes_of_version_1_stay_as_they_are() {
        let hex: String = file().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, include_str!("sealed_1.hex").trim());
        let sealed = Sealed::parse(&file()).unwrap();
        let scalar = Derived::new(b"passphrase", CHEAP, [7; 16]).unwrap().open(&sealed).unwrap();
        assert_eq!((sealed.public, *scalar), one());
    }

    #[test]
    fn a_key_opens_under_its_passphrase_alone() {
        let key = new_key().unwrap();
        let public = public_half(&key).unwrap();
        let derived = Derived::new(b"right", CHEAP, [1; 16]).unwrap();
        let file = derived.seal(&KeyLabel::ROOT, &public, &[5; 32], [2; 12]).unwrap();
        let sealed = Sealed::parse(&file).unwrap();
        assert!(derived.opens(&sealed) && derived.open(&sealed).is_some());
        assert!(Derived::new(b"wrong", CHEAP, [1; 16]).unwrap().open(&sealed).is_none());
    }

    #[test]
    fn a_changed_byte_anywhere_is_noticed() {
        let whole = file();
        let derived = Derived::new(b"passphrase", CHEAP, [7; 16]).unwrap();
        for at in 0..whole.len() {
            let mut changed = whole.clone();
            changed[at] ^= 1;
            let opened = Sealed::parse(&changed).ok().and_then(|sealed| derived.open(&sealed));
            assert!(opened.is_none(), "byte {at}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_file_or_an_error(bytes in any::<Vec<u8>>(), cut in 0_usize..256) {
            let _ = Sealed::parse(&bytes);
            let whole = file();
            let mut mixed = whole[..cut.min(whole.len())].to_vec();
            mixed.extend_from_slice(&bytes);
            let _ = Sealed::parse(&mixed);
        }
    }
}
