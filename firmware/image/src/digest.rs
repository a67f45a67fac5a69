//! SHA-256 over an image, a piece at a time.
//!
//! Never holds more than [`PIECE`] bytes of it.

use sha2_0_10::{Digest as _, Sha256};

use crate::refusal::ImageError;
use crate::source::Source;

/// Bytes of a digest.
pub const DIGEST_LENGTH: usize = 32;
/// A SHA-256 digest.
pub type Digest = [u8; DIGEST_LENGTH];

/// Bytes read at once: on a board, stack.
const PIECE: usize = 512;

/// The digest of bytes in memory.
pub fn digest(bytes: &[u8]) -> Digest {
    Sha256::digest(bytes).into()
}

/// The digest of the first `length` bytes of a source.
pub fn digest_of<S: Source>(source: &mut S, length: u32) -> Result<Digest, ImageError<S::Error>> {
    let mut hash = Sha256::new();
    let mut piece = [0; PIECE];
    let mut at = 0;
    while at < length {
        let left = usize::try_from(length - at).unwrap_or(PIECE);
        let Some(part) = piece.get_mut(..left.min(PIECE)) else { break };
        source.read(at, part).map_err(ImageError::Source)?;
        hash.update(&*part);
        at = at.saturating_add(u32::try_from(part.len()).unwrap_or(u32::MAX));
    }
    Ok(hash.finalize().into())
}
