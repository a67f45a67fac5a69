//! Tokens of people's programs: made, shown once, and found again by what is shown.

use storage::Digest;

use super::shown::{self, NoRandom, Shown};

/// How each begins, so that scanners for leaked secrets know it.
const PREFIX: &str = "chub_";

/// A new token.
///
/// # Errors
/// [`NoRandom`].
pub fn new() -> Result<Shown, NoRandom> {
    Shown::new(PREFIX)
}

/// The digest of what somebody shows as a token; `None` for what is none.
#[must_use]
pub fn digest_of(shown: &str) -> Option<Digest> {
    shown::digest_of(shown, PREFIX)
}
