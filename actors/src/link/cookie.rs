//! The cookies of the stateless front door (RFC 6347 section 4.2.1): an HMAC over where a
//! ClientHello came from and what it said. Invariant: nothing is remembered about a client.

use std::net::{IpAddr, SocketAddr};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::hello::ClientHello;

/// Bytes of a cookie.
pub const COOKIE_LEN: usize = 16;

/// The key cookies are made with, and the one before it, whose cookies are still taken.
pub struct CookieKeys {
    current: Hmac<Sha256>,
    previous: Option<Hmac<Sha256>>,
}

impl std::fmt::Debug for CookieKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CookieKeys").finish_non_exhaustive()
    }
}

impl CookieKeys {
    /// Starts with a random key.
    #[must_use]
    pub fn new(key: [u8; 32]) -> Self {
        Self { current: keyed(&key), previous: None }
    }

    /// Makes cookies with a new random key from now on. Those of the key before last are refused,
    /// so a cookie lives between one and two rotation periods.
    pub fn rotate(&mut self, key: [u8; 32]) {
        self.previous = Some(std::mem::replace(&mut self.current, keyed(&key)));
    }

    /// The cookie for this hello from this address.
    #[must_use]
    pub fn mint(&self, from: SocketAddr, hello: &ClientHello<'_>) -> [u8; COOKIE_LEN] {
        truncated(&self.current, from, hello)
    }

    /// Whether the hello brings a cookie that was minted for it, in constant time.
    #[must_use]
    pub fn verify(&self, from: SocketAddr, hello: &ClientHello<'_>) -> bool {
        if hello.cookie.len() != COOKIE_LEN {
            return false;
        }
        let matches = |key| bool::from(truncated(key, from, hello).ct_eq(hello.cookie));
        matches(&self.current) || self.previous.as_ref().is_some_and(matches)
    }
}

fn keyed(key: &[u8; 32]) -> Hmac<Sha256> {
    // HMAC pads a short key with zeros to the hash's block; doing it here cannot fail.
    let mut block = Zeroizing::new([0; 64]);
    for (to, from) in block.iter_mut().zip(key) {
        *to = *from;
    }
    Hmac::new((&*block).into())
}

/// HMAC-SHA256, cut to 16 bytes, over fields of fixed length or with their length before them.
fn truncated(key: &Hmac<Sha256>, from: SocketAddr, hello: &ClientHello<'_>) -> [u8; COOKIE_LEN] {
    let mut mac = key.clone();
    let address = match from.ip() {
        IpAddr::V4(v4) => v4.to_ipv6_mapped(),
        IpAddr::V6(v6) => v6,
    };
    mac.update(&address.octets());
    mac.update(&from.port().to_be_bytes());
    mac.update(&hello.version.to_be_bytes());
    mac.update(hello.random);
    // At most 32, so the byte never saturates.
    mac.update(&[u8::try_from(hello.session_id.len()).unwrap_or(u8::MAX)]);
    mac.update(hello.session_id);
    let whole: [u8; 32] = mac.finalize().into_bytes().into();
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, ..] = whole;
    [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p]
}
