//! Codes of authenticator apps (RFC 6238), and recovery codes for whoever has lost theirs.
//!
//! Six digits, thirty seconds, SHA-1: what every app knows. A code of the step before or after is
//! taken, for clocks somewhat off. Invariant: a code is taken once; so is a recovery code.

use openssl::sha::sha256;
use storage::Digest;
use totp_rs::{Algorithm, Builder, Secret};
use zeroize::Zeroizing;

use super::shown::NoRandom;

/// Bytes of a seed (RFC 4226 recommends 160 bits).
const SEED: usize = 20;
const DIGITS: u8 = 6;
const STEP_S: u64 = 30;
/// Codes that somebody gets at once.
pub(super) const RECOVERY_CODES: usize = 10;

/// A seed, which the app and the hub have.
pub struct Seed(Zeroizing<Vec<u8>>);

impl Seed {
    /// A new one.
    ///
    /// # Errors
    /// [`NoRandom`].
    pub fn new() -> Result<Self, NoRandom> {
        let mut seed = Zeroizing::new(vec![0; SEED]);
        getrandom::fill(&mut seed).map_err(|_| NoRandom)?;
        Ok(Self(seed))
    }

    /// One that was kept.
    #[must_use]
    pub const fn from_bytes(bytes: Zeroizing<Vec<u8>>) -> Self {
        Self(bytes)
    }

    /// To be kept.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// In base32, as people type it.
    #[must_use]
    pub fn to_base32(&self) -> Zeroizing<String> {
        Zeroizing::new(Secret::from(self.0.to_vec()).to_base32())
    }

    /// What an app reads as a picture: who this is for, and the seed.
    #[must_use]
    pub fn uri(&self, issuer: &str, user: &str) -> Zeroizing<String> {
        let (issuer, user) = (encoded(issuer), encoded(user));
        let seed = self.to_base32();
        Zeroizing::new(format!(
            "otpauth://totp/{issuer}:{user}?secret={}&issuer={issuer}&algorithm=SHA1&digits={DIGITS}\
             &period={STEP_S}",
            seed.as_str()
        ))
    }

    /// The step of a code that is right now and newer than `last_step`.
    #[must_use]
    pub fn check(&self, code: &str, last_step: u64, now_s: u64) -> Option<u64> {
        let is_code = code.len() == usize::from(DIGITS) && code.bytes().all(|b| b.is_ascii_digit());
        if !is_code {
            return None;
        }
        let totp = Builder::new()
            .with_algorithm(Algorithm::SHA1)
            .with_digits(DIGITS)
            .with_skew(1)
            .with_step_duration(STEP_S)
            .with_secret(Secret::from(self.0.to_vec()))
            .build()
            .ok()?;
        totp.check(code, now_s).filter(|step| *step > last_step)
    }
}

/// New recovery codes, each of 80 random bits, as `01234-56789-abcde-f0123`.
///
/// # Errors
/// [`NoRandom`].
pub(super) fn recovery_codes() -> Result<Vec<Zeroizing<String>>, NoRandom> {
    (0..RECOVERY_CODES)
        .map(|_| {
            let mut random = Zeroizing::new([0; 10]);
            getrandom::fill(random.as_mut()).map_err(|_| NoRandom)?;
            let mut code = Zeroizing::new(String::with_capacity(23));
            for (at, byte) in random.iter().enumerate() {
                for (half, nibble) in [byte >> 4, byte & 15].into_iter().enumerate() {
                    let digit = at * 2 + half;
                    if digit > 0 && digit % 5 == 0 {
                        code.push('-');
                    }
                    code.extend(char::from_digit(u32::from(nibble), 16));
                }
            }
            Ok(code)
        })
        .collect()
}

/// What is kept of a recovery code, however it is written.
#[must_use]
pub(super) fn recovery_digest(code: &str) -> Digest {
    let letters = code.chars().filter(char::is_ascii_alphanumeric).take(32);
    let plain: Zeroizing<String> =
        Zeroizing::new(letters.map(|l| l.to_ascii_lowercase()).collect());
    sha256(plain.as_bytes())
}

fn encoded(text: &str) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~@".contains(byte);
    text.bytes()
        .map(|byte| match plain(&byte) {
            true => char::from(byte).to_string(),
            false => format!("%{byte:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// RFC 6238 appendix B, in six digits.
    #[test]
    fn codes_are_those_of_the_standard() {
        let seed = Seed(Zeroizing::new(b"12345678901234567890".to_vec()));
        for (now, code) in [(59, "287082"), (1_111_111_109, "081804"), (2_000_000_000, "279037")] {
            assert_eq!(seed.check(code, 0, now), Some(now / 30), "{now}");
        }
        assert_eq!(seed.to_base32().as_str(), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
        let uri = seed.uri("Hub & Co", "anna@example.com");
        assert!(uri.starts_with("otpauth://totp/Hub%20%26%20Co:anna@example.com?secret=GEZD"));
    }

    #[test]
    fn a_code_is_taken_once_and_only_around_its_time() {
        let seed = Seed(Zeroizing::new(b"12345678901234567890".to_vec()));
        let step = seed.check("287082", 0, 59).unwrap();
        assert_eq!(seed.check("287082", step, 59), None);
        assert_eq!(seed.check("287082", 0, 59 + 30), Some(step));
        assert_eq!(seed.check("287082", 0, 59 + 60), None);
        for not in ["", "28708", "2870820", "28 082", "\u{661}87082", "-87082"] {
            assert_eq!(seed.check(not, 0, 59), None, "{not}");
        }
    }

    #[test]
    fn a_recovery_code_is_known_however_it_is_written() {
        let codes = recovery_codes().unwrap();
        let code = &codes[0];
        assert_eq!((codes.len(), code.len()), (RECOVERY_CODES, 23));
        let shouted = format!(" {} ", code.to_uppercase().replace('-', ""));
        assert_eq!(recovery_digest(code), recovery_digest(&shouted));
        assert_ne!(recovery_digest(code), recovery_digest(&codes[1]));
    }

    proptest! {
        #[test]
        fn any_text_is_no_code_or_one(code in any::<String>(), now in 0..u64::MAX / 2) {
            let seed = Seed(Zeroizing::new(b"12345678901234567890".to_vec()));
            let _ = (seed.check(&code, 0, now), recovery_digest(&code));
        }
    }
}
