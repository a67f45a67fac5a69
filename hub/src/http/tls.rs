//! TLS of the HTTPS server: which certificate it shows, and shows from the next connection on.
//!
//! Invariant: a connection keeps the certificate that it began with.

use std::sync::{Arc, PoisonError, RwLock};

use actors::credentials::Credentials;
use openssl::error::ErrorStack;
use openssl::ssl::{
    ClientHelloResponse, SslAcceptor, SslAcceptorBuilder, SslMethod, SslOptions, SslRef,
    SslSessionCacheMode, SslVerifyMode, SslVersion,
};

/// The certificate that the server shows; clones are the same.
#[derive(Clone)]
pub struct Tls {
    shown: Arc<RwLock<Credentials>>,
}

impl Tls {
    /// TLS 1.2 and 1.3 with this certificate; clients may show theirs.
    ///
    /// # Errors
    /// That OpenSSL does not take the certificate or the key.
    pub fn new(shown: Credentials) -> Result<Self, ErrorStack> {
        try_out(&shown)?;
        Ok(Self { shown: Arc::new(RwLock::new(shown)) })
    }

    /// Shows what `other` shows now, from now on.
    pub fn show_as(&self, other: &Self) {
        let next = other.shown.read().unwrap_or_else(PoisonError::into_inner).clone();
        *self.shown.write().unwrap_or_else(PoisonError::into_inner) = next;
    }

    /// What takes connections.
    pub(super) fn acceptor(&self) -> Result<SslAcceptorBuilder, ErrorStack> {
        let mut acceptor = acceptor()?;
        let shown = Arc::clone(&self.shown);
        acceptor.set_client_hello_callback(move |ssl, _| {
            give(&shown.read().unwrap_or_else(PoisonError::into_inner), ssl)?;
            Ok(ClientHelloResponse::SUCCESS)
        });
        Ok(acceptor)
    }
}

fn give(shown: &Credentials, ssl: &mut SslRef) -> Result<(), ErrorStack> {
    ssl.set_certificate(&shown.certificate)?;
    ssl.set_private_key(&shown.key)?;
    shown.chain.iter().try_for_each(|above| ssl.add_chain_cert(above.clone()))
}

fn try_out(shown: &Credentials) -> Result<(), ErrorStack> {
    let mut acceptor = acceptor()?;
    acceptor.set_certificate(&shown.certificate)?;
    acceptor.set_private_key(&shown.key)?;
    shown.chain.iter().try_for_each(|above| acceptor.add_extra_chain_cert(above.clone()))?;
    acceptor.check_private_key()
}

fn acceptor() -> Result<SslAcceptorBuilder, ErrorStack> {
    let mut acceptor = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server())?;
    acceptor.set_min_proto_version(Some(SslVersion::TLS1_2))?;
    acceptor.set_verify_callback(SslVerifyMode::PEER, |_, _| true);
    // A resumed session would have the client's certificate from memory.
    acceptor.set_session_cache_mode(SslSessionCacheMode::OFF);
    acceptor.set_options(SslOptions::NO_TICKET | SslOptions::NO_RENEGOTIATION);
    acceptor.set_num_tickets(0)?;
    Ok(acceptor)
}
