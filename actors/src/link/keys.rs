//! From a master secret to a session's two keys (RFC 5246 sections 5 and 6.3).
//! Invariant: secrets are wiped when dropped and never printed.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::cipher::{DirectionKey, Suite};

/// The TLS 1.2 PRF with SHA-256: fills `out` from a secret, a label and a seed.
pub fn prf_sha256(secret: &[u8], label: &[u8], seed: &[u8], out: &mut [u8]) {
    let Ok(keyed) = <Hmac<Sha256> as KeyInit>::new_from_slice(secret) else {
        // HMAC takes a key of any length; wrong keys are better than a panic here.
        out.fill(0);
        return;
    };
    let mut a: Zeroizing<[u8; 32]> = {
        let mut mac = keyed.clone();
        mac.update(label);
        mac.update(seed);
        Zeroizing::new(mac.finalize().into_bytes().into())
    };
    for chunk in out.chunks_mut(32) {
        let mut mac = keyed.clone();
        mac.update(a.as_slice());
        mac.update(label);
        mac.update(seed);
        let block: Zeroizing<[u8; 32]> = Zeroizing::new(mac.finalize().into_bytes().into());
        for (to, from) in chunk.iter_mut().zip(block.iter()) {
            *to = *from;
        }
        let mut next = keyed.clone();
        next.update(a.as_slice());
        a = Zeroizing::new(next.finalize().into_bytes().into());
    }
}

/// The key block of an AES-128 AEAD suite, in the order of RFC 5246 section 6.3: 40 bytes.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct KeyBlock {
    client_key: [u8; 16],
    server_key: [u8; 16],
    client_salt: [u8; 4],
    server_salt: [u8; 4],
}

impl std::fmt::Debug for KeyBlock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeyBlock").finish_non_exhaustive()
    }
}

impl KeyBlock {
    /// Bytes of the stored form.
    pub const LEN: usize = 40;

    /// Expands the master secret.
    #[must_use]
    pub fn derive(master: &[u8; 48], client_random: &[u8; 32], server_random: &[u8; 32]) -> Self {
        let mut seed = [0; 64];
        for (to, from) in seed.iter_mut().zip(server_random.iter().chain(client_random)) {
            *to = *from;
        }
        let mut block = Zeroizing::new([0; Self::LEN]);
        prf_sha256(master, b"key expansion", &seed, block.as_mut_slice());
        Self::from_bytes(&block)
    }

    /// The block of a session's two keys, to be sealed at rest.
    #[must_use]
    pub fn of(client: &DirectionKey, server: &DirectionKey) -> Self {
        let (client_key, client_salt) = client.expose();
        let (server_key, server_salt) = server.expose();
        Self {
            client_key: *client_key,
            server_key: *server_key,
            client_salt: *client_salt,
            server_salt: *server_salt,
        }
    }

    /// A block from its stored form.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; Self::LEN]) -> Self {
        let mut bytes = bytes.iter().copied();
        let mut block = Self {
            client_key: [0; 16],
            server_key: [0; 16],
            client_salt: [0; 4],
            server_salt: [0; 4],
        };
        let parts: [&mut [u8]; 4] = [
            &mut block.client_key,
            &mut block.server_key,
            &mut block.client_salt,
            &mut block.server_salt,
        ];
        for (to, from) in parts.into_iter().flatten().zip(&mut bytes) {
            *to = from;
        }
        block
    }

    /// The stored form: the four parts in order.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<[u8; Self::LEN]> {
        let mut bytes = Zeroizing::new([0; Self::LEN]);
        let parts: [&[u8]; 4] =
            [&self.client_key, &self.server_key, &self.client_salt, &self.server_salt];
        for (to, from) in bytes.iter_mut().zip(parts.into_iter().flatten()) {
            *to = *from;
        }
        bytes
    }

    /// The two keys: what the client writes with, what the server writes with.
    #[must_use]
    pub fn keys(&self, suite: Suite) -> (DirectionKey, DirectionKey) {
        (
            DirectionKey::new(suite, &self.client_key, &self.client_salt),
            DirectionKey::new(suite, &self.server_key, &self.server_salt),
        )
    }
}

/// The keys of a finished key exchange: (client's, server's).
#[must_use]
pub fn derive(
    suite: Suite,
    master: &[u8; 48],
    client_random: &[u8; 32],
    server_random: &[u8; 32],
) -> (DirectionKey, DirectionKey) {
    KeyBlock::derive(master, client_random, server_random).keys(suite)
}

#[cfg(test)]
mod tests;
