//! Makes the keyring that a board is given where it is produced, of public keys as `openssl ec -pubout
//! -outform DER` writes them; `scripts/firmware keyring` calls it.

use std::{env, fs, io};

use image::{Keyring, PublicKey};

fn main() -> io::Result<()> {
    let mut arguments = env::args().skip(1);
    let out = arguments.next().unwrap_or_default();
    let mut keys = Vec::new();
    for file in arguments {
        let key = fs::read(&file)?;
        let key = PublicKey::from_spki(&key)
            .ok_or_else(|| io::Error::other(format!("{file} is no public key on P-256 in DER")))?;
        keys.push(key);
    }
    let ring = Keyring::new(&keys)
        .ok_or_else(|| io::Error::other("a keyring has one key at least and eight at most"))?;
    fs::write(out, ring.to_bytes())
}
