//! `cellular-hub upstream`.

use std::path::{Path, PathBuf};

use actors::upstream::{UpstreamSecrets, is_client_key, password_of};
use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;
use storage::{MqttUpstream, MqttVersion, TenantId, UpstreamKind, UpstreamName};
use zeroize::Zeroizing;

use super::{Failure, Files, Invocation, secret};
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
    /// Give an upstream another password or client key; it connects anew.
    ///
    /// What is given is sealed in the vault and never shown.
    Secret(Secret),
    /// Take the password and client key of an upstream from the files it names into the vault.
    ///
    /// For upstreams from before the vault. The files are not read any more, and left to be destroyed.
    Seal {
        /// The upstream.
        upstream: UpstreamName,
        /// The tenant.
        #[arg(long, value_name = "TENANT")]
        tenant: TenantId,
    },
    /// Remove an upstream that no route leads to, with its secrets.
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
    /// File with the password, or - for standard input; what it holds is sealed in the vault, and the
    /// file is not needed any more.
    #[arg(long, value_name = "FILE", requires = "username")]
    password_file: Option<PathBuf>,
    /// PEM of the hub's client certificate and its chain.
    #[arg(long, value_name = "FILE", requires_all = ["mqtt", "key"])]
    certificate: Option<PathBuf>,
    /// PEM of that certificate's private key, or - for standard input; it is sealed as the password is.
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
#[command(after_long_help = "\
Examples:
  cellular-hub upstream secret broker --tenant acme --password-file - < new.password")]
pub(super) struct Secret {
    /// The upstream.
    upstream: UpstreamName,
    /// The tenant.
    #[arg(long, value_name = "TENANT")]
    tenant: TenantId,
    #[command(flatten)]
    given: Given,
}

#[derive(Args, Debug)]
#[group(required = true, multiple = true)]
struct Given {
    /// File with the password, or - for standard input.
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// PEM of the client certificate's private key, or - for standard input.
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
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
    /// The files that it hands to a running hub: those with secrets, which the hub does not keep.
    pub(super) fn files(&self) -> Files {
        let (password, key) = match self {
            Self::Add(add) => (&add.password_file, &add.key),
            Self::Secret(secret) => (&secret.given.password_file, &secret.given.key),
            Self::List { .. } | Self::Seal { .. } | Self::Remove { .. } => (&None, &None),
        };
        let secret = [password, key].into_iter().flatten().cloned().collect();
        Files { secret, ..Files::default() }
    }

    pub(super) fn run(self, hub: &Invocation) -> Result<(), Failure> {
        match self {
            Self::Add(add) => add.run(hub),
            Self::Secret(secret) => secret.run(hub),
            Self::Seal { upstream, tenant } => take_in(hub, &upstream, &tenant),
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
        let open = |file: &Path| hub.read_secret(file);
        let secrets = read(open, self.password_file.as_deref(), self.key.as_deref())?;
        let upstream = storage::Upstream { tenant: self.tenant, name: self.upstream, kind };
        let upstream = match (&secrets.password, &secrets.client_key) {
            (None, None) => {
                admin.add_upstream(&upstream)?;
                upstream
            }
            _ => admin.add_upstream_with(upstream, &secrets, &hub.vault(&admin)?)?,
        };
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
            client_certificate_file: file(&self.certificate)?,
            in_flight_max: self.in_flight_max,
            queue_max: self.queue_max,
            ..plain
        })
    }
}

impl Secret {
    fn run(self, hub: &Invocation) -> Result<(), Failure> {
        let admin = hub.admin()?;
        admin.upstream(&self.tenant, &self.upstream)?;
        let given = &self.given;
        let open = |file: &Path| hub.read_secret(file);
        let secrets = read(open, given.password_file.as_deref(), given.key.as_deref())?;
        let vault = hub.vault(&admin)?;
        let upstream =
            admin.set_upstream_secrets(&self.tenant, &self.upstream, &secrets, &vault)?;
        hub.output.answer(&upstream, || {
            format!("the secrets of {} of {} are sealed", upstream.name, upstream.tenant)
        })
    }
}

/// The secrets in files of the command line.
fn read(
    open: impl Fn(&Path) -> Result<Zeroizing<Vec<u8>>, Failure>,
    password: Option<&Path>,
    key: Option<&Path>,
) -> Result<UpstreamSecrets, Failure> {
    let unfit = |file: &Path, problem: &str| {
        Failure::Unusable(format!("{} cannot be used: {problem}", file.display()))
    };
    let password = password.map(|file| {
        let bytes = open(file)?;
        let text = password_of(&bytes).map_err(|problem| unfit(file, problem))?;
        Ok::<_, Failure>(Zeroizing::new(text.as_bytes().to_vec()))
    });
    let client_key = key.map(|file| {
        let bytes = open(file)?;
        match is_client_key(&bytes) {
            true => Ok(bytes),
            false => Err(unfit(file, "it holds no private key in PEM without a passphrase")),
        }
    });
    Ok(UpstreamSecrets { password: password.transpose()?, client_key: client_key.transpose()? })
}

/// Takes secrets in from the files that an upstream names.
fn take_in(hub: &Invocation, name: &UpstreamName, tenant: &TenantId) -> Result<(), Failure> {
    let admin = hub.admin()?;
    let before = admin.upstream(tenant, name)?;
    let UpstreamKind::Mqtt(MqttUpstream { password_file, client_key_file, .. }) = before.kind
    else {
        return Err(Failure::Refused(format!("{name} of {tenant} names no files")));
    };
    let files: Vec<_> = [&password_file, &client_key_file].into_iter().flatten().cloned().collect();
    if files.is_empty() {
        return Err(Failure::Refused(format!("{name} of {tenant} names no file with a secret")));
    }
    // The store names them, not the command line: a running hub reads them itself, as it did before.
    let (password, key) = (password_file.as_deref().map(Path::new), client_key_file.as_deref());
    let secrets = read(secret::read, password, key.map(Path::new))?;
    let upstream = admin.set_upstream_secrets(tenant, name, &secrets, &hub.vault(&admin)?)?;
    let answer = json!({ "upstream": upstream, "files": files });
    hub.output.answer(&answer, || {
        let files = files.join(" ");
        format!("the secrets of {name} of {tenant} are sealed; destroy the files: shred -u {files}")
    })
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
