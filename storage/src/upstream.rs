//! A tenant's own system that takes its readings. Holds no secret itself: it says whether one is in
//! the vault, or names its file.

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::record::{Record, RecordError, decode_body};
use crate::{InvalidName, SecretKind, SecretName, TenantId, UpstreamName};

/// Publishes that wait for their PUBACK at once, unless said otherwise: a broker 20 ms away then
/// takes 50,000 readings a second.
pub const IN_FLIGHT_MAX_DEFAULT: u16 = 1_000;

/// Readings that wait to be published, unless said otherwise.
pub const QUEUE_MAX_DEFAULT: u32 = 10_000;

/// A system of a tenant that takes readings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Encode, Decode)]
pub struct Upstream {
    /// Whose system.
    pub tenant: TenantId,
    /// Its name within the tenant.
    pub name: UpstreamName,
    /// What it is and how to reach it; in JSON its fields stand beside the upstream's.
    #[serde(flatten)]
    pub kind: UpstreamKind,
}

/// What an upstream is and how to reach it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Encode, Decode)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum UpstreamKind {
    /// Accepts and forgets everything: for measuring.
    Discard,
    /// An MQTT broker.
    Mqtt(MqttUpstream),
}

/// An MQTT broker and how to speak to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Encode, Decode)]
pub struct MqttUpstream {
    /// Host name or address; the name the broker's certificate must hold.
    pub host: String,
    /// TCP port, usually 8883.
    pub port: u16,
    /// Whether to speak TLS; without it everything, passwords included, travels in the clear.
    pub tls: bool,
    /// Protocol version.
    pub version: MqttVersion,
    /// MQTT client identifier; two connections with one identifier throw each other out.
    pub client_id: String,
    /// PEM file of the CAs to trust for this broker instead of the system's.
    pub ca_file: Option<String>,
    /// User name.
    pub username: Option<String>,
    /// Whether the password is in the vault.
    pub password_sealed: bool,
    /// File that holds the password, where the vault does not: as upstreams were before it.
    pub password_file: Option<String>,
    /// PEM file of the client certificate and its chain.
    pub client_certificate_file: Option<String>,
    /// Whether the client certificate's private key is in the vault.
    pub client_key_sealed: bool,
    /// PEM file of that key, where the vault does not have it.
    pub client_key_file: Option<String>,
    /// Publishes that may wait for their PUBACK at once.
    pub in_flight_max: u16,
    /// Readings that may wait to be published; more are answered 5.03.
    pub queue_max: u32,
}

/// An MQTT protocol version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub enum MqttVersion {
    /// MQTT 3.1.1.
    #[serde(rename = "3.1.1")]
    V311,
    /// MQTT 5.0.
    #[serde(rename = "5")]
    V5,
}

impl Upstream {
    /// The name that a secret of this upstream has in the vault.
    ///
    /// # Errors
    /// None: an upstream's name is one of a secret.
    pub fn secret(&self, kind: SecretKind) -> Result<SecretName, InvalidName> {
        SecretName::new(Some(&self.tenant), kind, self.name.as_str())
    }
}

/// As version 1 had it, before the vault held secrets.
#[derive(Decode)]
enum KindV1 {
    Discard,
    Mqtt(Box<MqttV1>),
}

#[derive(Decode)]
struct MqttV1 {
    host: String,
    port: u16,
    tls: bool,
    version: MqttVersion,
    client_id: String,
    ca_file: Option<String>,
    username: Option<String>,
    password_file: Option<String>,
    client_certificate_file: Option<String>,
    client_key_file: Option<String>,
    in_flight_max: u16,
    queue_max: u32,
}

impl From<MqttV1> for MqttUpstream {
    fn from(old: MqttV1) -> Self {
        Self {
            host: old.host,
            port: old.port,
            tls: old.tls,
            version: old.version,
            client_id: old.client_id,
            ca_file: old.ca_file,
            username: old.username,
            password_sealed: false,
            password_file: old.password_file,
            client_certificate_file: old.client_certificate_file,
            client_key_sealed: false,
            client_key_file: old.client_key_file,
            in_flight_max: old.in_flight_max,
            queue_max: old.queue_max,
        }
    }
}

impl Record for Upstream {
    const VERSION: u8 = 2;

    fn decode_older(version: u8, body: &[u8]) -> Option<Result<(Self, usize), RecordError>> {
        (version == 1).then(|| {
            let ((tenant, name, kind), used) = decode_body(body)?;
            let kind = match kind {
                KindV1::Discard => UpstreamKind::Discard,
                KindV1::Mqtt(mqtt) => UpstreamKind::Mqtt((*mqtt).into()),
            };
            Ok((Self { tenant, name, kind }, used))
        })
    }
}
