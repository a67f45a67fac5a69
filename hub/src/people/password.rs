//! Passwords: Argon2id (RFC 9106), and which may be chosen (NIST SP 800-63B: length, and not one that
//! is guessed first; nothing about kinds of characters).
//!
//! 19 MiB, 2 passes, 1 lane: the least that OWASP holds to be enough, because a hub is small; 40 ms
//! of one core, two at a time. Invariant: whoever is not there takes as long as whoever is.

use argon2::{Algorithm, Argon2, Params, Version};
use openssl::memcmp;
use storage::{PasswordHash, UnixSeconds};
use zeroize::Zeroizing;

use super::shown::NoRandom;

const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// Characters of the shortest that may be chosen.
pub(super) const LENGTH_MIN: usize = 12;
/// Bytes of the longest that is hashed.
pub(super) const LENGTH_MAX: usize = 256;

/// Why a password may not be chosen.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Unfit {
    /// Too few characters.
    #[error("a password has at least {LENGTH_MIN} characters; four words are easy to remember")]
    Short,
    /// Too many bytes.
    #[error("a password has at most {LENGTH_MAX} bytes")]
    Long,
    /// Among the first that are tried.
    #[error("this password is among the first that are tried; take words that nobody else would")]
    Guessable,
}

/// Whether somebody with these names may choose this password.
///
/// # Errors
/// [`Unfit`].
pub(super) fn judge(password: &str, names: &[&str]) -> Result<(), Unfit> {
    if password.len() > LENGTH_MAX {
        return Err(Unfit::Long);
    }
    if password.chars().count() < LENGTH_MIN {
        return Err(Unfit::Short);
    }
    let own = [names, &["cellular", "hub", "cellularhub", "cellular-hub"]].concat();
    // The estimate looks at what has a shape; it takes long over long texts, and 64 are enough.
    let beginning: Zeroizing<String> = Zeroizing::new(password.chars().take(64).collect());
    match zxcvbn::zxcvbn(&beginning, &own).score() >= zxcvbn::Score::Three {
        true => Ok(()),
        false => Err(Unfit::Guessable),
    }
}

/// Hashes a password; takes its time and memory.
///
/// # Errors
/// [`NoRandom`].
pub(super) fn hash(password: &str, now: UnixSeconds) -> Result<PasswordHash, NoRandom> {
    let mut salt = [0; 16];
    getrandom::fill(&mut salt).map_err(|_| NoRandom)?;
    let (memory_kib, passes, lanes) = (MEMORY_KIB, PASSES, LANES);
    let mut hashed = PasswordHash { memory_kib, passes, lanes, salt, hash: [0; 32], since: now };
    hashed.hash = *derive(password, &hashed).ok_or(NoRandom)?;
    Ok(hashed)
}

/// Whether this is the password; takes as long where there is none to compare with.
#[must_use]
pub(super) fn verify(password: &str, known: Option<&PasswordHash>) -> bool {
    let nobodys = PasswordHash {
        memory_kib: MEMORY_KIB,
        passes: PASSES,
        lanes: LANES,
        salt: [0; 16],
        hash: [0; 32],
        since: UnixSeconds(0),
    };
    let derived = derive(password, known.unwrap_or(&nobodys));
    match (known, derived) {
        (Some(known), Some(derived)) => memcmp::eq(derived.as_slice(), &known.hash),
        (Some(_), None) | (None, _) => false,
    }
}

/// `None` for parameters that cannot be, and for a password that is too long to be one.
fn derive(password: &str, of: &PasswordHash) -> Option<Zeroizing<[u8; 32]>> {
    if password.len() > LENGTH_MAX {
        return None;
    }
    let params = Params::new(of.memory_kib, of.passes, of.lanes, Some(32)).ok()?;
    let mut hash = Zeroizing::new([0; 32]);
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    argon2.hash_password_into(password.as_bytes(), &of.salt, hash.as_mut()).ok()?;
    Some(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_is_known_again_and_others_are_not() {
        let known = hash("four words nobody says", UnixSeconds(1)).unwrap();
        assert!(verify("four words nobody says", Some(&known)));
        assert!(!verify("four words nobody said", Some(&known)));
        assert!(!verify("", Some(&known)) && !verify("four words nobody says", None));
        assert!(!verify(&"x".repeat(LENGTH_MAX + 1), Some(&known)));
        let again = hash("four words nobody says", UnixSeconds(1)).unwrap();
        assert_ne!(known.hash, again.hash);
    }

    #[test]
    fn length_and_what_is_guessed_first_are_judged_and_kinds_of_characters_are_not() {
        for (password, judged) in [
            ("short", Err(Unfit::Short)),
            ("Ab1!Ab1!", Err(Unfit::Short)),
            ("passwordpassword", Err(Unfit::Guessable)),
            ("aaaaaaaaaaaaaaaa", Err(Unfit::Guessable)),
            ("123456789012345", Err(Unfit::Guessable)),
            ("cellular-hub-1", Err(Unfit::Guessable)),
            ("anna@example.com", Err(Unfit::Guessable)),
            ("purple engine sings softly", Ok(())),
            ("\u{fc}ber vier W\u{f6}rter hinweg", Ok(())),
        ] {
            assert_eq!(judge(password, &["anna@example.com", "Anna"]), judged, "{password}");
        }
        assert_eq!(judge(&"x".repeat(LENGTH_MAX + 1), &[]), Err(Unfit::Long));
    }
}
