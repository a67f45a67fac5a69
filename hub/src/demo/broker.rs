//! The customers' MQTT broker: rumqttd with TLS, MQTT 5, and a password for each of them.
//!
//! Invariant: it lives in memory and ends with the process.

use std::collections::HashMap;
use std::thread;

use rumqttd::{Broker, Config, ConnectionSettings, RouterConfig, ServerSettings, TlsConfig};

use super::{DemoError, Site};

/// Starts it; whether it serves is found out by subscribing.
pub(super) fn start(site: &Site) -> Result<(), DemoError> {
    let mut broker = Broker::new(configuration(site));
    let started = thread::Builder::new().name(String::from("broker")).spawn(move || {
        if let Err(error) = broker.start() {
            tracing::error!(%error, "the broker ended");
        }
    });
    started.map(drop).map_err(DemoError::system("start its broker"))
}

fn configuration(site: &Site) -> Config {
    let (identity, password) = &site.broker_identity;
    let server = ServerSettings {
        name: String::from("broker"),
        listen: site.broker,
        tls: Some(TlsConfig::NativeTls {
            pkcs12path: identity.to_string_lossy().into_owned(),
            pkcs12pass: password.clone(),
        }),
        next_connection_delay_ms: 1,
        connections: ConnectionSettings {
            connection_timeout_ms: 10_000,
            max_payload_size: 256 * 1024,
            max_inflight_count: 1000,
            auth: Some(site.logins.iter().cloned().collect()),
            external_auth: None,
            dynamic_filters: true,
        },
    };
    Config {
        router: RouterConfig {
            max_connections: 100,
            max_outgoing_packet_count: 200,
            max_segment_size: 1024 * 1024,
            max_segment_count: 10,
            ..RouterConfig::default()
        },
        v5: Some(HashMap::from([(String::from("tls"), server)])),
        ..Config::default()
    }
}
