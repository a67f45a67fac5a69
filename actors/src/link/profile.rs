//! What every handshake shares, in OpenSSL's terms: the hub's certificate, the authorities it trusts,
//! the suites it speaks, and the callbacks for cookie, certificate and Connection ID.
//!
//! Invariant: a certificate that verifies is not yet a board; admission decides inside the handshake,
//! so that a refusal is still an alert of it.

use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use openssl::error::ErrorStack;
use openssl::ex_data::Index;
use openssl::ssl::{
    ExtensionContext, Ssl, SslAlert, SslContext, SslMethod, SslOptions, SslRef,
    SslSessionCacheMode, SslStream, SslVerifyMode, SslVersion,
};
use openssl::x509::store::X509StoreBuilder;
use openssl::x509::verify::X509VerifyFlags;
use openssl::x509::{X509, X509StoreContext, X509StoreContextRef, X509VerifyResult};
use storage::BoardId;

use crate::admission::{Admission, Admitted, NotAdmitted};
use crate::credentials::Credentials;
use crate::identity::{self, IdentityError};
use crate::link::connection_id::{self, ConnectionId};
use crate::link::cookie::COOKIE_LEN;
use crate::refusal::Refusal;

/// The number of `connection_id` among TLS extensions (RFC 9146 3).
const CONNECTION_ID_EXTENSION: u16 = 54;

/// What keys and digests above a board's certificate have to be worth: level 2 is 112 bits, so no
/// SHA-1 and no RSA of less than 2048 bits (SSL_CTX_set_security_level(3)).
pub const AUTHORITIES_LEVEL: i32 = 2;

/// Values of `X509_V_ERR_*`, x509_vfy.h.
const CERT_HAS_EXPIRED: i32 = 10;
const UNABLE_TO_GET_ISSUER_CERT_LOCALLY: i32 = 20;
const INVALID_PURPOSE: i32 = 26;

/// What every handshake shares: the hub's certificate and key, the tenants' authorities, admission.
pub struct Profile {
    context: SslContext,
    exchange: Index<Ssl, Mutex<Exchange>>,
    mtu: u16,
}

/// One handshake's facts that OpenSSL's callbacks write and read.
struct Exchange {
    cookie: [u8; COOKIE_LEN],
    ours: ConnectionId,
    theirs: Option<Box<[u8]>>,
    verdict: Option<Result<Admitted, NotAdmitted>>,
}

impl Profile {
    /// A profile from the hub's `credentials`, with `authorities` to issue boards'
    /// certificates, those as well that `admission` will not believe; datagrams stay within `mtu` bytes of UDP payload.
    ///
    /// # Errors
    /// OpenSSL's, where a certificate and key do not match or a part is not supported.
    pub fn new(
        credentials: &Credentials,
        authorities: &[X509],
        admission: Arc<dyn Admission>,
        mtu: u16,
    ) -> Result<Arc<Self>, ErrorStack> {
        let exchange = Ssl::new_ex_index::<Mutex<Exchange>>()?;
        let mut builder = SslContext::builder(SslMethod::dtls_server())?;
        builder.set_min_proto_version(Some(SslVersion::DTLS1_2))?;
        builder.set_max_proto_version(Some(SslVersion::DTLS1_2))?;
        // CCM-8 is below OpenSSL's default level; the lists here say all that is allowed.
        builder.set_security_level(0);
        builder.set_cipher_list(
            "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES128-CCM:ECDHE-ECDSA-AES128-CCM8",
        )?;
        builder.set_groups_list("P-256")?;
        builder.set_sigalgs_list("ECDSA+SHA256")?;
        builder.set_options(
            SslOptions::COOKIE_EXCHANGE
                | SslOptions::NO_QUERY_MTU
                | SslOptions::NO_RENEGOTIATION
                | SslOptions::NO_TICKET
                | SslOptions::CIPHER_SERVER_PREFERENCE,
        );
        // A session id for every client and no memory of it: resuming is not OpenSSL's business.
        builder
            .set_session_cache_mode(SslSessionCacheMode::SERVER | SslSessionCacheMode::NO_INTERNAL);
        builder.set_session_id_context(b"cellular-hub")?;
        builder.set_certificate(&credentials.certificate)?;
        builder.set_private_key(&credentials.key)?;
        builder.check_private_key()?;
        for above in &credentials.chain {
            builder.add_extra_chain_cert(above.clone())?;
        }

        let mut trusted = X509StoreBuilder::new()?;
        for authority in authorities {
            trusted.add_cert(authority.clone())?;
        }
        builder.set_cert_store(trusted.build());
        // A tenant's authority is an anchor itself: one signature to verify, not the whole chain; and
        // the first that is known ends it, so that nobody gets past one that is revoked.
        builder.verify_param_mut().set_flags(X509VerifyFlags::PARTIAL_CHAIN)?;
        builder.verify_param_mut().set_auth_level(AUTHORITIES_LEVEL);
        builder.set_verify_depth(2);
        let ssl_index = X509StoreContext::ssl_idx()?;
        builder.set_verify_callback(
            SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT,
            move |verified, chain| {
                let verdict = judge(verified, chain, admission.as_ref());
                let refused = verdict.as_ref().is_some_and(Result::is_err);
                if let Some(verdict) = verdict {
                    let Some(ssl) = chain.ex_data(ssl_index) else { return false };
                    let Some(shared) = ssl.ex_data(exchange) else { return false };
                    locked(shared).verdict = Some(verdict);
                }
                if refused && verified {
                    chain.set_error(X509VerifyResult::APPLICATION_VERIFICATION);
                }
                !refused
            },
        );

        builder.set_cookie_generate_cb(move |ssl, out| {
            let Some(shared) = ssl.ex_data(exchange) else { return Err(ErrorStack::get()) };
            let cookie = locked(shared).cookie;
            match out.get_mut(..COOKIE_LEN) {
                Some(place) => {
                    place.copy_from_slice(&cookie);
                    Ok(COOKIE_LEN)
                }
                None => Err(ErrorStack::get()),
            }
        });
        // The front door has verified it before this engine existed.
        builder.set_cookie_verify_cb(|_, _| true);

        builder.add_custom_ext(
            CONNECTION_ID_EXTENSION,
            ExtensionContext::CLIENT_HELLO | ExtensionContext::TLS1_2_SERVER_HELLO,
            move |ssl, _, _| Ok(offered_id(ssl, exchange)),
            move |ssl, _, bytes, _| accept_id(ssl, exchange, bytes),
        )?;
        Ok(Arc::new(Self { context: builder.build(), exchange, mtu }))
    }

    /// A server in memory that waits for its first ClientHello; `cookie` is what the front door has
    /// verified, `ours` the Connection ID to offer.
    pub(super) fn stream(
        &self,
        cookie: [u8; COOKIE_LEN],
        ours: ConnectionId,
    ) -> Result<SslStream<Pipe>, ErrorStack> {
        let exchange = Exchange { cookie, ours, theirs: None, verdict: None };
        let mut ssl = Ssl::new(&self.context)?;
        ssl.set_ex_data(self.exchange, Mutex::new(exchange));
        ssl.set_accept_state();
        ssl.set_mtu(u32::from(self.mtu))?;
        SslStream::new(ssl, Pipe::default())
    }

    /// Why the certificate was refused, if it was.
    pub(super) fn refusal(&self, ssl: &SslRef) -> Option<Refusal> {
        match &locked(ssl.ex_data(self.exchange)?).verdict {
            Some(Err(refused)) => Some(refused.reason),
            Some(Ok(_)) | None => None,
        }
    }

    /// The board that a refused certificate names, where it could be read.
    pub(super) fn claimed(&self, ssl: &SslRef) -> Option<BoardId> {
        match &locked(ssl.ex_data(self.exchange)?).verdict {
            Some(Err(refused)) => refused.board.clone(),
            Some(Ok(_)) | None => None,
        }
    }

    /// Whether the client asked for a Connection ID.
    pub(super) fn has_connection_id(&self, ssl: &SslRef) -> bool {
        ssl.ex_data(self.exchange).is_some_and(|exchange| locked(exchange).theirs.is_some())
    }

    /// Who was admitted, our Connection ID, and theirs where one was negotiated.
    pub(super) fn outcome(&self, ssl: &SslRef) -> Option<Outcome> {
        let mut exchange = locked(ssl.ex_data(self.exchange)?);
        let admitted = exchange.verdict.take()?.ok()?;
        Some((admitted, exchange.ours, exchange.theirs.take()))
    }
}

type Outcome = (Admitted, ConnectionId, Option<Box<[u8]>>);

fn locked(exchange: &Mutex<Exchange>) -> MutexGuard<'_, Exchange> {
    exchange.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Our id as the extension's body: a length octet, then the id.
fn offered_id(ssl: &SslRef, exchange: Index<Ssl, Mutex<Exchange>>) -> Option<Vec<u8>> {
    let exchange = locked(ssl.ex_data(exchange)?);
    exchange.theirs.as_ref()?;
    let id = exchange.ours;
    let mut body = vec![u8::try_from(connection_id::LENGTH).ok()?];
    body.extend_from_slice(id.as_bytes());
    Some(body)
}

fn accept_id(
    ssl: &SslRef,
    exchange: Index<Ssl, Mutex<Exchange>>,
    body: &[u8],
) -> Result<(), SslAlert> {
    let Some((&length, id)) = body.split_first() else { return Err(SslAlert::DECODE_ERROR) };
    if usize::from(length) != id.len() {
        return Err(SslAlert::DECODE_ERROR);
    }
    let Some(exchange) = ssl.ex_data(exchange) else { return Err(SslAlert::INTERNAL_ERROR) };
    locked(exchange).theirs = Some(id.into());
    Ok(())
}

/// The verdict on the certificate at hand; `None` while OpenSSL is still on its way to the leaf.
fn judge(
    verified: bool,
    chain: &mut X509StoreContextRef,
    admission: &dyn Admission,
) -> Option<Result<Admitted, NotAdmitted>> {
    if !verified {
        let expired = chain.error().as_raw() == CERT_HAS_EXPIRED;
        if expired && chain.error_depth() == 0 && admission.judges_expired() {
            chain.set_error(X509VerifyResult::OK);
            return None;
        }
        return Some(Err(refusal(chain).into()));
    }
    if chain.error_depth() != 0 {
        return None;
    }
    let admitted = (|| {
        let certificates = chain.chain().ok_or(Refusal::Internal)?;
        let leaf = certificates.get(0).ok_or(Refusal::NoCertificate)?;
        let last = certificates.len().checked_sub(1).filter(|last| *last > 0);
        let anchor = last.and_then(|last| certificates.get(last));
        let anchor = anchor.ok_or(Refusal::UnknownAuthority)?;
        let leaf = leaf.to_der().map_err(|_| Refusal::UnsupportedCertificate)?;
        let anchor = anchor.to_der().map_err(|_| Refusal::UnsupportedCertificate)?;
        admission.admit(&leaf, &anchor)
    })();
    Some(admitted)
}

/// What OpenSSL's verdict on a chain means. A leaf whose extensions contradict each other is nobody's
/// issue to OpenSSL, and one that is an authority's is for no purpose: both are told by what they are.
fn refusal(chain: &X509StoreContextRef) -> Refusal {
    let verdict = chain.error();
    let leaf = || {
        let leaf = chain.chain().and_then(|certificates| certificates.get(0))?;
        identity::hardware_id(&leaf.to_der().ok()?).err()
    };
    match (verdict.as_raw(), chain.error_depth()) {
        (UNABLE_TO_GET_ISSUER_CERT_LOCALLY, 0) if leaf() == Some(IdentityError::Malformed) => {
            Refusal::UnsupportedCertificate
        }
        (INVALID_PURPOSE, 0) if leaf() == Some(IdentityError::IsAuthority) => Refusal::IsAuthority,
        _ => Refusal::from_verdict(verdict),
    }
}

/// OpenSSL's two ends of the wire: at most one record to read, every datagram written.
#[derive(Debug, Default)]
pub(super) struct Pipe {
    pub(super) inbound: Option<Vec<u8>>,
    pub(super) outbound: Vec<Vec<u8>>,
}

impl Read for Pipe {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(datagram) = self.inbound.take() else {
            return Err(io::ErrorKind::WouldBlock.into());
        };
        let length = datagram.len().min(buffer.len());
        if let (Some(to), Some(from)) = (buffer.get_mut(..length), datagram.get(..length)) {
            to.copy_from_slice(from);
        }
        Ok(length)
    }
}

impl Write for Pipe {
    fn write(&mut self, datagram: &[u8]) -> io::Result<usize> {
        self.outbound.push(datagram.to_vec());
        Ok(datagram.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
