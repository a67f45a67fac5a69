//! Random texts that somebody is given and shows again: tokens, sessions, one-time links. The hub
//! keeps their digests.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openssl::sha::sha256;
use storage::Digest;
use zeroize::Zeroizing;

/// Random bytes of a text.
const BYTES: usize = 32;
/// Characters of that in base64url.
const CHARACTERS: usize = 43;

/// The system gave no random bytes.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the system gives no random bytes")]
pub struct NoRandom;

/// A text of 256 random bits.
pub struct Shown(Zeroizing<String>);

impl Shown {
    /// A new one behind this beginning.
    ///
    /// # Errors
    /// [`NoRandom`].
    pub fn new(prefix: &str) -> Result<Self, NoRandom> {
        let mut random = Zeroizing::new([0; BYTES]);
        getrandom::fill(random.as_mut()).map_err(|_| NoRandom)?;
        let text = Zeroizing::new(URL_SAFE_NO_PAD.encode(random.as_slice()));
        Ok(Self(Zeroizing::new([prefix, text.as_str()].concat())))
    }

    /// The text, for whom it is.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What the hub keeps of it.
    #[must_use]
    pub fn digest(&self) -> Digest {
        sha256(self.0.as_bytes())
    }
}

/// The digest of what somebody shows; `None` for what was never given. Compared by digest: what a
/// search tells by its time is of SHA-256, not of the text.
#[must_use]
pub(super) fn digest_of(shown: &str, prefix: &str) -> Option<Digest> {
    let random = shown.strip_prefix(prefix)?;
    let is_of_it = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let is_one = random.len() == CHARACTERS && random.bytes().all(is_of_it);
    is_one.then(|| sha256(shown.as_bytes()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_text_is_found_by_what_is_shown_and_no_two_are_the_same() {
        let (one, other) = (Shown::new("a_").unwrap(), Shown::new("a_").unwrap());
        assert_eq!(digest_of(one.as_str(), "a_"), Some(one.digest()));
        assert_eq!(digest_of(one.as_str(), ""), None);
        assert_ne!(one.digest(), other.digest());
    }

    proptest! {
        #[test]
        fn any_text_was_given_or_not(text in any::<String>()) {
            let has_digest = digest_of(&text, "").is_some();
            prop_assert!(!has_digest || text.len() == CHARACTERS);
        }
    }
}
