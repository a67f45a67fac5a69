//! An MQTT broker's address as people write it: `mqtts://broker.example.com:8883`.

use std::fmt;
use std::str::FromStr;

use storage::{
    IN_FLIGHT_MAX_DEFAULT, MqttUpstream, MqttVersion, QUEUE_MAX_DEFAULT, TenantId, UpstreamName,
};

/// Where an MQTT broker is, and whether TLS is spoken with it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct BrokerUrl {
    /// Whether to speak TLS.
    pub tls: bool,
    /// Host name, or an address without brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
}

/// A text that names no broker.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a broker is mqtts://HOST[:PORT], or mqtt://HOST[:PORT] without TLS")]
pub struct InvalidBrokerUrl;

impl BrokerUrl {
    /// An upstream at this broker with everything else at its default: MQTT 5, the system's CAs,
    /// no credentials.
    pub fn upstream(&self, tenant: &TenantId, name: &UpstreamName) -> MqttUpstream {
        MqttUpstream {
            host: self.host.clone(),
            port: self.port,
            tls: self.tls,
            version: MqttVersion::V5,
            client_id: format!("cellular-hub-{tenant}-{name}"),
            ca_file: None,
            username: None,
            password_sealed: false,
            password_file: None,
            client_certificate_file: None,
            client_key_sealed: false,
            client_key_file: None,
            in_flight_max: IN_FLIGHT_MAX_DEFAULT,
            queue_max: QUEUE_MAX_DEFAULT,
        }
    }
}

impl FromStr for BrokerUrl {
    type Err = InvalidBrokerUrl;

    fn from_str(text: &str) -> Result<Self, InvalidBrokerUrl> {
        let (scheme, rest) = text.split_once("://").ok_or(InvalidBrokerUrl)?;
        let (tls, default_port) = match scheme {
            "mqtts" => (true, 8883),
            "mqtt" => (false, 1883),
            _ => return Err(InvalidBrokerUrl),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (host, port) = match rest.strip_prefix('[') {
            Some(rest) => {
                let (host, port) = rest.split_once(']').ok_or(InvalidBrokerUrl)?;
                host.parse::<std::net::Ipv6Addr>().map_err(|_| InvalidBrokerUrl)?;
                (host, port.strip_prefix(':').or(Some(port).filter(|port| port.is_empty())))
            }
            None => match rest.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (rest, Some("")),
            },
        };
        let port = match port.ok_or(InvalidBrokerUrl)? {
            "" => default_port,
            port => port.parse().map_err(|_| InvalidBrokerUrl)?,
        };
        let in_a_host = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
        if host.is_empty() || port == 0 || !host.chars().all(in_a_host) {
            return Err(InvalidBrokerUrl);
        }
        Ok(Self { tls, host: host.to_owned(), port })
    }
}

impl fmt::Display for BrokerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "mqtts" } else { "mqtt" };
        match self.host.contains(':') {
            true => write!(f, "{scheme}://[{}]:{}", self.host, self.port),
            false => write!(f, "{scheme}://{}:{}", self.host, self.port),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broker_is_read_with_and_without_its_port() {
        for (text, whole) in [
            ("mqtts://broker.example.com", "mqtts://broker.example.com:8883"),
            ("mqtt://127.0.0.1", "mqtt://127.0.0.1:1883"),
            ("mqtts://[::1]:18883/", "mqtts://[::1]:18883"),
            ("mqtts://[::1]", "mqtts://[::1]:8883"),
        ] {
            assert_eq!(text.parse::<BrokerUrl>().unwrap().to_string(), whole);
        }
    }

    #[test]
    fn what_names_no_broker_is_refused() {
        for text in [
            "",
            "broker",
            "http://broker",
            "mqtts://",
            "mqtts://a:99999",
            "mqtts://a:0",
            "mqtts://user@a",
            "mqtts://[::1",
            "mqtts://[::1]x",
            "mqtts://a b",
        ] {
            assert_eq!(text.parse::<BrokerUrl>(), Err(InvalidBrokerUrl), "{text:?}");
        }
    }
}
