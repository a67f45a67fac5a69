//! What a server of the hub shows in handshakes, and proves to be.

use openssl::pkey::{PKey, Private};
use openssl::x509::X509;

/// A server's certificate, what it leads over, and its key.
#[derive(Clone)]
pub struct Credentials {
    /// The server's own.
    pub certificate: X509,
    /// Those between it and a root that clients may have, in their order; mostly none.
    pub chain: Vec<X509>,
    /// Its key.
    pub key: PKey<Private>,
}
