//! Tokens of people's programs: made, shown once, and found again by what is shown.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openssl::sha::sha256;
use storage::Digest;
use zeroize::Zeroizing;

/// How each begins, so that scanners for leaked secrets know it.
pub const PREFIX: &str = "chub_";

/// Random bytes of a token.
const BYTES: usize = 32;

/// The system gave no random bytes.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the system gives no random bytes")]
pub struct NoRandom;

/// A token's text.
pub struct TokenText(Zeroizing<String>);

impl TokenText {
    /// A new one, of 256 random bits.
    ///
    /// # Errors
    /// [`NoRandom`].
    pub fn new() -> Result<Self, NoRandom> {
        let mut random = Zeroizing::new([0; BYTES]);
        getrandom::fill(random.as_mut()).map_err(|_| NoRandom)?;
        let text = Zeroizing::new(URL_SAFE_NO_PAD.encode(random.as_slice()));
        Ok(Self(Zeroizing::new(format!("{PREFIX}{}", text.as_str()))))
    }

    /// The text, to be shown once.
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

/// The digest of what somebody shows as a token; `None` for what is none. Compared by digest: what
/// the search in the store tells by its time is of SHA-256, not of the token.
#[must_use]
pub fn digest_of(shown: &str) -> Option<Digest> {
    let random = shown.strip_prefix(PREFIX)?;
    let is_of_it = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let is_one = random.len() == 43 && random.bytes().all(is_of_it);
    is_one.then(|| sha256(shown.as_bytes()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_token_is_found_by_its_text_and_no_two_are_the_same() {
        let (one, other) = (TokenText::new().unwrap(), TokenText::new().unwrap());
        assert_eq!(digest_of(one.as_str()), Some(one.digest()));
        assert_ne!(one.digest(), other.digest());
    }

    proptest! {
        #[test]
        fn any_text_is_a_token_or_none(text in any::<String>()) {
            prop_assert!(digest_of(&text).is_none());
            let prefixed = [PREFIX, &text].concat();
            prop_assert!(digest_of(&prefixed).is_none() || text.len() == 43);
        }
    }
}
