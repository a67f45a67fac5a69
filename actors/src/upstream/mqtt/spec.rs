//! A configured broker, with its files read: everything a connection needs.
//! Invariant: secrets stay here and in the TLS context; neither is shown by `Debug` or logged.

use std::time::Duration;

use native_tls::{Certificate, Identity, Protocol};
use openssl::pkey::PKey;
use rumqttc::tokio_native_tls::TlsConnector;
use storage::{MqttUpstream, TenantId, UpstreamName};
use zeroize::Zeroizing;

use super::dialect::{Dialect, Introduction, Login};
use crate::upstream::UpstreamError;

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
            tls: if from.tls { Some(tls(from)?) } else { None },
            dialect: from.version.into(),
            introduction: Introduction {
                client_id: from.client_id.clone(),
                login: login(from)?,
                keep_alive: KEEP_ALIVE,
            },
            in_flight_max: from.in_flight_max,
            queue_max,
        })
    }
}

fn login(from: &MqttUpstream) -> Result<Option<Login>, UpstreamError> {
    match (&from.username, &from.password_file) {
        (None, None) => Ok(None),
        (None, Some(_)) => Err(invalid("password_file", "needs a username beside it")),
        (Some(username), _) if username.is_empty() || username.len() > 1024 => {
            Err(invalid("username", "must have 1 to 1024 bytes"))
        }
        (Some(username), None) => {
            Ok(Some(Login { username: username.clone(), password: Zeroizing::default() }))
        }
        (Some(username), Some(path)) => {
            let what = "password";
            let bytes = read(what, path)?;
            let text = std::str::from_utf8(&bytes)
                .map_err(|_| unusable(what, path, "it is not UTF-8"))?
                .trim_end_matches(['\r', '\n']);
            if text.is_empty() || text.len() > 8192 {
                return Err(unusable(what, path, "it must have 1 to 8192 bytes"));
            }
            let password = Zeroizing::new(text.to_owned());
            Ok(Some(Login { username: username.clone(), password }))
        }
    }
}

/// TLS 1.2 or newer, the server's name verified; only the given CAs when there are any.
fn tls(from: &MqttUpstream) -> Result<TlsConnector, UpstreamError> {
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
    match (&from.client_certificate_file, &from.client_key_file) {
        (None, None) => {}
        (Some(certificate), Some(key)) => {
            builder.identity(identity(certificate, key)?);
        }
        (Some(_), None) => {
            return Err(invalid("client_certificate_file", "needs a client_key_file beside it"));
        }
        (None, Some(_)) => {
            return Err(invalid("client_key_file", "needs a client_certificate_file beside it"));
        }
    }
    Ok(builder.build()?.into())
}

/// The client's certificate and key; any PEM key that OpenSSL reads, not PKCS#8 alone.
fn identity(certificate_path: &str, key_path: &str) -> Result<Identity, UpstreamError> {
    let certificates = read("client certificate", certificate_path)?;
    let what = "client key";
    // An empty passphrase, so that OpenSSL never asks for one at the terminal.
    let key = PKey::private_key_from_pem_passphrase(&read(what, key_path)?, &[])
        .map_err(|error| unusable(what, key_path, error))?;
    let pkcs8 = key
        .private_key_to_pem_pkcs8()
        .map(Zeroizing::new)
        .map_err(|error| unusable(what, key_path, error))?;
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
