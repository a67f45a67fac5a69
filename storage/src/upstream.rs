//! A tenant's own system that takes its readings. Holds file names, never a secret itself.

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::record::Record;
use crate::{TenantId, UpstreamName};

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
    /// File that holds the password.
    pub password_file: Option<String>,
    /// PEM file of the client certificate and its chain.
    pub client_certificate_file: Option<String>,
    /// PEM file of the client certificate's private key.
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

impl Record for Upstream {
    const VERSION: u8 = 1;
}
