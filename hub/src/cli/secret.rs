//! Secrets on their way in: from a file or from standard input, never from an argument, which every
//! process of the machine could read.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use zeroize::Zeroizing;

use super::Failure;

/// Bytes of the longest file with a secret.
const LENGTH_MAX: usize = storage::SECRET_BYTES_MAX;

/// What stands for standard input.
const STANDARD_INPUT: &str = "-";

/// The secret in a file; `-` is standard input.
pub(super) fn read(file: &Path) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let failed =
        |error: io::Error| Failure::Unusable(format!("cannot read {}: {error}", file.display()));
    let secret = match file == Path::new(STANDARD_INPUT) {
        true => read_from(io::stdin().lock()),
        false => File::open(file).and_then(read_from),
    };
    let secret = secret.map_err(failed)?;
    match secret.len() {
        0 => Err(Failure::Unusable(format!("{} holds nothing", file.display()))),
        1..=LENGTH_MAX => Ok(secret),
        _ => {
            let file = file.display();
            Err(Failure::Unusable(format!("{file} holds more than {LENGTH_MAX} bytes")))
        }
    }
}

/// With room for all of it at once: a buffer that grows leaves copies behind.
fn read_from(from: impl Read) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut secret = Zeroizing::new(Vec::with_capacity(LENGTH_MAX + 64));
    from.take(LENGTH_MAX as u64 + 1).read_to_end(&mut secret)?;
    Ok(secret)
}
