//! A configured broker, with its files read and its secrets opened: everything a connection needs.
//! Invariant: secrets stay here and in the TLS context; neither is shown by `Debug` or logged.

use std::time::Duration;

use native_tls::{Certificate, Identity, Protocol};
use openssl::error::ErrorStack;
use openssl::pkey::PKey;
use rumqttc::tokio_native_tls::TlsConnector;
use storage::{MqttUpstream, TenantId, UpstreamName};
use zeroize::Zeroizing;

use super::dialect::{Dialect, Introduction, Login};
use crate::upstream::secrets::password_of;
use crate::upstream::{UpstreamError, UpstreamSecrets};

/// We let the broker hear from us this often; it is given up after twice that without an answer.
const KEEP_ALIVE: Duration = Duration::from_secs(20);

/// A broker and how to speak to it.
#[derive(Clone)]
pub(in super::super) struct Spec {
    pub(super) tenant: TenantId,
    pub(super) name: UpstreamName,
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) tls: Option<TlsConnector>,
    pub(super) dialect: Dialect,
    pub(super) introduction: Introduction,
    pub(super) in_flight_max: u16,
    pub(super) queue_max: usize,
}

impl Spec {
    /// Reads the files and checks the values.
    pub(in super::super) fn load(
        tenant: &TenantId,
        name: &UpstreamName,
        from: &MqttUpstream,
        secrets: &UpstreamSecrets,
    ) -> Result<Self, UpstreamError> {
        if from.host.is_empty() {
            return Err(invalid("host", "is empty"));
        }
        if from.in_flight_max == 0 {
            return Err(invalid("in_flight_max", "must be at least 1"));
        }
        let queue_max = match usize::try_from(from.queue_max) {
            Ok(max @ 1..=1_000_000) => max,
            Ok(_) | Err(_) => return Err(invalid("queue_max", "must be 1 to 1000000")),
        };
        if from.client_id.is_empty() || from.client_id.len() > 1024 {
            return Err(invalid("client_id", "must have 1 to 1024 bytes"));
        }
        Ok(Self {
            tenant: tenant.clone(),
            name: name.clone(),
            host: from.host.clone(),
            port: from.port,
            tls: if from.tls { Some(tls(from, secrets)?) } else { None },
            dialect: from.version.into(),
            introduction: Introduction {
                client_id: from.client_id.clone(),
                login: login(from, secrets)?,
                keep_alive: KEEP_ALIVE,
            },
            in_flight_max: from.in_flight_max,
            queue_max,
        })
    }
}

fn login(from: &MqttUpstream, secrets: &UpstreamSecrets) -> Result<Option<Login>, UpstreamError> {
    let what = "password";
    let username = match (&from.username, &from.password_file) {
        (None, None) if secrets.password.is_none() => return Ok(None),
        (None, _) => return Err(invalid("username", "is missing beside the password")),
        (Some(username), _) if username.is_empty() || username.len() > 1024 => {
            return Err(invalid("username", "must have 1 to 1024 bytes"));
        }
        (Some(username), _) => username.clone(),
    };
    let password = match (&secrets.password, &from.password_file) {
        (Some(sealed), _) => password_of(sealed)
            .map_err(|reason| UpstreamError::Unfit { what, reason: reason.to_owned() })?
            .to_owned(),
        (None, Some(path)) => {
            let bytes = read(what, path)?;
            password_of(&bytes).map_err(|reason| unusable(what, path, reason))?.to_owned()
        }
        (None, None) => String::new(),
    };
    Ok(Some(Login { username, password: Zeroizing::new(password) }))
}

/// TLS 1.2 or newer, the server's name verified; only the given CAs when there are any.
fn tls(from: &MqttUpstream, secrets: &UpstreamSecrets) -> Result<TlsConnector, UpstreamError> {
    let mut builder = native_tls::TlsConnector::builder();
    builder.min_protocol_version(Some(Protocol::Tlsv12));
    if let Some(path) = &from.ca_file {
        let what = "CA certificate";
        let authorities = Certificate::stack_from_pem(&read(what, path)?)
            .map_err(|error| unusable(what, path, error))?;
        if authorities.is_empty() {
            return Err(unusable(what, path, "no PEM certificate is in it"));
        }
        builder.disable_built_in_roots(true);
        for authority in authorities {
            builder.add_root_certificate(authority);
        }
    }
    if let Some(certificate) = &from.client_certificate_file {
        builder.identity(identity(certificate, from, secrets)?);
    } else if from.client_key_file.is_some() || secrets.client_key.is_some() {
        return Err(invalid("client_certificate_file", "is missing beside the client key"));
    }
    Ok(builder.build()?.into())
}

/// The client's certificate and key; any PEM key that OpenSSL reads, not PKCS#8 alone.
fn identity(
    certificate_path: &str,
    from: &MqttUpstream,
    secrets: &UpstreamSecrets,
) -> Result<Identity, UpstreamError> {
    let certificates = read("client certificate", certificate_path)?;
    let what = "client key";
    let (key, path) = match (&secrets.client_key, &from.client_key_file) {
        (Some(sealed), _) => (sealed.clone(), None),
        (None, Some(path)) => (read(what, path)?, Some(path)),
        (None, None) => {
            return Err(invalid("client_key_file", "is missing beside the client certificate"));
        }
    };
    let unfit = |error: ErrorStack| match path {
        Some(path) => unusable(what, path, error),
        None => UpstreamError::Unfit { what, reason: error.to_string() },
    };
    // An empty passphrase, so that OpenSSL never asks for one at the terminal.
    let key = PKey::private_key_from_pem_passphrase(&key, &[]).map_err(unfit)?;
    let pkcs8 = key.private_key_to_pem_pkcs8().map(Zeroizing::new).map_err(unfit)?;
    Identity::from_pkcs8(&certificates, &pkcs8)
        .map_err(|error| unusable("client certificate", certificate_path, error))
}

fn read(what: &'static str, path: &str) -> Result<Zeroizing<Vec<u8>>, UpstreamError> {
    std::fs::read(path).map(Zeroizing::new).map_err(|source| UpstreamError::Unreadable {
        what,
        path: path.to_owned(),
        source,
    })
}

fn unusable(what: &'static str, path: &str, reason: impl ToString) -> UpstreamError {
    UpstreamError::Unusable { what, path: path.to_owned(), reason: reason.to_string() }
}

fn invalid(field: &'static str, rule: &'static str) -> UpstreamError {
    UpstreamError::Invalid { field, rule }
}
