//! `cellular-hub upstream`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;
use storage::{MqttUpstream, MqttVersion, TenantId, UpstreamKind, UpstreamName};

use super::{Failure, Invocation};
use crate::broker_url::BrokerUrl;

#[derive(Debug, Subcommand)]
pub(super) enum Upstream {
    /// Add an upstream: an MQTT broker, or `discard` for measuring.
    Add(Box<Add>),
    /// List a tenant's upstreams.
    List {
        /// The tenant.
        #[arg(long, value_name = "TENANT")]
        tenant: TenantId,
    },
    /// Remove an upstream that no route leads to.
    Remove {
        /// The upstream.
        upstream: UpstreamName,
        /// The tenant.
        #[arg(long, value_name = "TENANT")]
        tenant: TenantId,
    },
}

#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  cellular-hub upstream add broker --tenant acme --mqtt mqtts://broker.acme.example \\
      --username hub --password-file /etc/cellular-hub/acme.password
  cellular-hub upstream add broker --tenant acme --mqtt mqtts://10.0.0.7 --ca acme-ca.pem \\
      --certificate hub.pem --key hub.key.pem
  cellular-hub upstream add nowhere --tenant acme --discard")]
pub(super) struct Add {
    /// The upstream's name within the tenant: 1 to 32 of a-z, 0-9 and '-'.
    upstream: UpstreamName,
    /// The tenant.
    #[arg(long, value_name = "TENANT")]
    tenant: TenantId,
    #[command(flatten)]
    kind: Kind,
    /// MQTT protocol version.
    #[arg(long, value_name = "VERSION", default_value = "5", requires = "mqtt")]
    mqtt_version: Version,
    /// MQTT client identifier; two connections with one throw each other out
    /// [default: cellular-hub-<tenant>-<upstream>].
    #[arg(long, value_name = "ID", requires = "mqtt")]
    client_id: Option<String>,
    /// PEM of the CAs to trust for this broker instead of the system's.
    #[arg(long, value_name = "FILE", requires = "mqtt")]
    ca: Option<PathBuf>,
    /// User name.
    #[arg(long, value_name = "NAME", requires = "mqtt")]
    username: Option<String>,
    /// File with the password.
    #[arg(long, value_name = "FILE", requires = "username")]
    password_file: Option<PathBuf>,
    /// PEM of the hub's client certificate and its chain.
    #[arg(long, value_name = "FILE", requires_all = ["mqtt", "key"])]
    certificate: Option<PathBuf>,
    /// PEM of that certificate's private key.
    #[arg(long, value_name = "FILE", requires = "certificate")]
    key: Option<PathBuf>,
    /// Publishes that may wait for their acknowledgement at once.
    #[arg(long, value_name = "N", requires = "mqtt",
          default_value_t = storage::IN_FLIGHT_MAX_DEFAULT,
          value_parser = clap::value_parser!(u16).range(1..))]
    in_flight_max: u16,
    /// Readings that may wait to be published; boards are told to come back (5.03) beyond that.
    #[arg(long, value_name = "N", requires = "mqtt",
          default_value_t = storage::QUEUE_MAX_DEFAULT,
          value_parser = clap::value_parser!(u32).range(1..))]
    queue_max: u32,
}

#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
struct Kind {
    /// An MQTT broker: mqtts://HOST[:8883], or mqtt://HOST[:1883] without TLS (everything, the
    /// password included, then travels in the clear).
    #[arg(long, value_name = "URL")]
    mqtt: Option<BrokerUrl>,
    /// Accept and forget everything: for measuring.
    #[arg(long)]
    discard: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Version {
    #[value(name = "3.1.1")]
    V311,
    #[value(name = "5")]
    V5,
}

impl Upstream {
    pub(super) fn run(self, hub: &Invocation) -> Result<(), Failure> {
        match self {
            Self::Add(add) => add.run(hub),
            Self::List { tenant } => list(hub, &tenant),
            Self::Remove { upstream, tenant } => remove(hub, &upstream, &tenant),
        }
    }
}

impl Add {
    fn run(self, hub: &Invocation) -> Result<(), Failure> {
        let admin = hub.admin()?;
        admin.tenant(&self.tenant)?;
        let kind = match &self.kind.mqtt {
            Some(broker) => UpstreamKind::Mqtt(self.mqtt(broker, hub)?),
            None => UpstreamKind::Discard,
        };
        let upstream = storage::Upstream { tenant: self.tenant, name: self.upstream, kind };
        admin.add_upstream(&upstream)?;
        hub.output.answer(&upstream, || {
            format!("upstream {} added to {}", upstream.name, upstream.tenant)
        })
    }

    fn mqtt(&self, broker: &BrokerUrl, hub: &Invocation) -> Result<MqttUpstream, Failure> {
        let file =
            |file: &Option<PathBuf>| file.as_deref().map(|file| hub.absolute(file)).transpose();
        let plain = broker.upstream(&self.tenant, &self.upstream);
        Ok(MqttUpstream {
            version: match self.mqtt_version {
                Version::V311 => MqttVersion::V311,
                Version::V5 => MqttVersion::V5,
            },
            client_id: self.client_id.clone().unwrap_or(plain.client_id),
            ca_file: file(&self.ca)?,
            username: self.username.clone(),
            password_file: file(&self.password_file)?,
            client_certificate_file: file(&self.certificate)?,
            client_key_file: file(&self.key)?,
            in_flight_max: self.in_flight_max,
            queue_max: self.queue_max,
            ..plain
        })
    }
}

fn list(hub: &Invocation, tenant: &TenantId) -> Result<(), Failure> {
    let admin = hub.admin()?;
    admin.tenant(tenant)?;
    let upstreams = admin.store().upstreams().of_tenant(tenant)?;
    let head = format!("{:<32} {:<32} TO", "UPSTREAM", "TENANT");
    hub.output.list(&head, upstreams.into_iter().map(Ok), |upstream| {
        let to = match &upstream.kind {
            UpstreamKind::Discard => String::from("discard"),
            UpstreamKind::Mqtt(mqtt) => {
                BrokerUrl { tls: mqtt.tls, host: mqtt.host.clone(), port: mqtt.port }.to_string()
            }
        };
        format!("{:<32} {:<32} {to}", upstream.name, upstream.tenant)
    })
}

fn remove(hub: &Invocation, name: &UpstreamName, tenant: &TenantId) -> Result<(), Failure> {
    hub.admin()?.remove_upstream(tenant, name)?;
    hub.output.answer(&json!({ "removed": name, "tenant": tenant }), || {
        format!("upstream {name} of {tenant} removed")
    })
}
