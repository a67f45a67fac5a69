//! A board that makes itself a new key and asks the hub for its certificate, over its session; and uses
//! it, for only then the hub forgets the old one.
//!
//! Invariant: the files keep the old key and certificate until a session stands on the new ones, and
//! the new ones are in files before the first such session begins.

use std::path::PathBuf;
use std::time::Duration;

use board::{Ask, Transfer, TransferError};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};
use rustls::pki_types::CertificateDer;
use thiserror::Error;
use tokio::time::{Instant, timeout_at};

use crate::connector::{ConnectError, Connection, Connector};
use crate::identity::{Identity, IdentityError};
use crate::signing_request::signing_request;

/// Bytes of the longest certificate that is taken.
const CERTIFICATE_MAX: usize = 4096;

/// What a board asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Another certificate (`/sen`).
    Enrolment,
    /// A certificate in place of the one it has (`/sren`).
    Renewal,
}

/// Where a board's key and certificate are, DER.
#[derive(Clone, Debug)]
pub struct Files {
    /// The certificate.
    pub certificate: PathBuf,
    /// The key, PKCS#8.
    pub key: PathBuf,
}

impl Files {
    /// Where the root is that a hub gave the board last; there may be none.
    pub(crate) fn root(&self) -> PathBuf {
        self.certificate.with_extension("root.der")
    }
}

/// What a renewal took.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Renewed {
    /// The board.
    pub board: String,
    /// Datagrams sent over the session.
    pub datagrams_sent: u64,
    /// Their CoAP messages, in bytes.
    pub bytes_sent: u64,
    /// Datagrams received.
    pub datagrams_received: u64,
    /// Their CoAP messages, in bytes.
    pub bytes_received: u64,
    /// Bytes of the new certificate.
    pub certificate_bytes: usize,
    /// From the first datagram to the certificate.
    pub elapsed_ms: u64,
}

/// Why a board has no new certificate.
#[derive(Debug, Error)]
pub enum RenewalError {
    /// There is no session with the old one, or none with the new one.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The session broke.
    #[error("the session broke: {0}")]
    Session(#[from] webrtc_dtls::Error),
    /// The hub did not answer with a certificate.
    #[error("the hub gave no certificate: {}", said(.0))]
    Refused(TransferError),
    /// The system has no randomness.
    #[error("the system has no randomness to make a key of")]
    Random,
    /// What the hub gave is not usable.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// A file could not be written.
    #[error("cannot write {}: {source}", file.display())]
    Write {
        /// Which file.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

fn said(error: &TransferError) -> String {
    match error {
        TransferError::Refused { code, words, max_age_s } => {
            let code = format!("{}.{:02}", code >> 5, code & 31);
            let later = max_age_s.map(|s| format!(" (again in {s} s)")).unwrap_or_default();
            format!("{code} {words}{later}")
        }
        TransferError::Silent => "no answer".to_owned(),
        TransferError::Unexpected => "an answer that makes no sense".to_owned(),
    }
}

/// A certificate that a board has and has not used yet.
pub(crate) struct Unused {
    /// The board with it.
    pub(crate) identity: Identity,
    /// What it took.
    pub(crate) renewed: Renewed,
}

impl Unused {
    /// A session stands on it: its files take the place of those before.
    pub(crate) fn take_place(&self, of: &Files) -> Result<Identity, RenewalError> {
        let new = &self.identity.files;
        for (from, to) in [(&new.key, &of.key), (&new.certificate, &of.certificate)] {
            std::fs::rename(from, to)
                .map_err(|source| RenewalError::Write { file: to.clone(), source })?;
        }
        Ok(Identity { files: of.clone(), ..self.identity.clone() })
    }
}

/// Renews the certificate of `identity`, and uses the new one once.
pub async fn renew(
    connector: &Connector,
    identity: &Identity,
    wanted: Wanted,
    exponent: u8,
) -> Result<Renewed, RenewalError> {
    let connection = connector.connect(identity).await?;
    let unused = ask(&connection, identity, wanted, exponent).await;
    connection.close().await;
    let unused = unused?;
    connector.connect(&unused.identity).await?.close().await;
    unused.take_place(&identity.files)?;
    Ok(unused.renewed)
}

/// Asks over a session for another certificate, for a new key; both are in files beside the old ones then.
pub(crate) async fn ask(
    connection: &Connection,
    identity: &Identity,
    wanted: Wanted,
    exponent: u8,
) -> Result<Unused, RenewalError> {
    take_root(connection, identity).await?;
    let files = &identity.files;
    let (random, algorithm) = (SystemRandom::new(), &ECDSA_P256_SHA256_ASN1_SIGNING);
    let pkcs8 =
        EcdsaKeyPair::generate_pkcs8(algorithm, &random).map_err(|_| RenewalError::Random)?;
    let key = EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref(), &random)
        .map_err(|_| RenewalError::Random)?;
    let request = signing_request(identity.board(), &key).ok_or(RenewalError::Random)?;
    let name = match wanted {
        Wanted::Enrolment => wire::resource::EST_SEN,
        Wanted::Renewal => wire::resource::EST_SREN,
    };
    let ask = Ask {
        path: format!("{}/{name}", wire::resource::EST),
        accept: wire::CONTENT_FORMAT_CERTIFICATE,
        body: Some((wire::CONTENT_FORMAT_PKCS10, request)),
        exponent,
        answer_max: CERTIFICATE_MAX,
        from: 0,
    };
    let (certificate, mut renewed) = exchange(connection, ask).await?;
    renewed.board = identity.board().to_owned();

    let new = Files {
        certificate: files.certificate.with_extension("der.new"),
        key: files.key.with_extension("der.new"),
    };
    write(&new.key, pkcs8.as_ref())?;
    write(&new.certificate, &certificate)?;
    let root = std::fs::read(files.root()).ok().map(CertificateDer::from);
    let new = Identity::from_files(identity.board(), &new.certificate, &new.key)?;
    Ok(Unused { identity: Identity { root, ..new }, renewed })
}

/// Takes the hub's newest root, before the board could come to need it; what the hub shows leads to the
/// one before as well until then.
async fn take_root(connection: &Connection, identity: &Identity) -> Result<(), RenewalError> {
    let ask = Ask {
        path: format!("{}/{}", wire::resource::EST, wire::resource::EST_CRTS),
        accept: wire::CONTENT_FORMAT_CERTIFICATE,
        body: None,
        exponent: 5,
        answer_max: CERTIFICATE_MAX,
        from: 0,
    };
    let (root, _) = exchange(connection, ask).await?;
    let (file, new) = (identity.files.root(), identity.files.root().with_extension("der.new"));
    write(&new, &root)?;
    std::fs::rename(&new, &file).map_err(|source| RenewalError::Write { file, source })
}

async fn exchange(connection: &Connection, ask: Ask) -> Result<(Vec<u8>, Renewed), RenewalError> {
    let started = Instant::now();
    let now = || u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    let mut transfer = Transfer::new(now(), ask, 1);
    let mut renewed = Renewed::default();
    let mut buffer = [0_u8; 1500];
    loop {
        while let Some(datagram) = transfer.poll_transmit() {
            renewed.datagrams_sent += 1;
            renewed.bytes_sent += datagram.len() as u64;
            connection.send(&datagram).await?;
        }
        match transfer.outcome() {
            Some(Ok(certificate)) => {
                renewed.certificate_bytes = certificate.len();
                renewed.elapsed_ms = now();
                return Ok((certificate.clone(), renewed));
            }
            Some(Err(error)) => return Err(RenewalError::Refused(error.clone())),
            None => {}
        }
        let due = started + Duration::from_millis(transfer.poll_timeout().unwrap_or_default());
        match timeout_at(due, connection.receive(&mut buffer)).await {
            Ok(received) => {
                let length = received?;
                renewed.datagrams_received += 1;
                renewed.bytes_received += length as u64;
                transfer.handle_datagram(now(), buffer.get(..length).unwrap_or_default());
            }
            Err(_) => transfer.handle_timeout(now()),
        }
    }
}

fn write(file: &PathBuf, bytes: &[u8]) -> Result<(), RenewalError> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut options = std::fs::OpenOptions::new();
    let opened = options.write(true).create(true).truncate(true).mode(0o600).open(file);
    let written = opened.and_then(|mut to| to.write_all(bytes).and_then(|()| to.sync_all()));
    written.map_err(|source| RenewalError::Write { file: file.clone(), source })
}
