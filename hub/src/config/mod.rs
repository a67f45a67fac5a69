//! The configuration: one TOML file, one section a file here, every key with its default.
//!
//! Invariant: this module opens no socket and no store; it reads one file and the environment (where
//! that file is, which sockets are open already, where systemd keeps credentials), and it is the only reader of the environment.

mod approvals;
mod audit;
mod coap;
mod credential;
mod error;
mod flood;
mod https;
mod inherited;
mod key;
mod link;
mod load;
mod log;
mod monitoring;
mod plain;
mod print;
mod provider;
mod quota;
mod session;
mod shutdown;
mod sign_in;
mod store;
mod trust;
mod vault;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub use self::approvals::Approvals;
pub use self::audit::Audit;
pub use self::coap::Coap;
pub use self::credential::credential;
pub use self::error::{ConfigError, Place};
pub use self::flood::Flood;
pub use self::https::Https;
pub use self::inherited::{Inherited, InheritedError};
pub use self::key::{Key, Kind, Section};
pub use self::link::Link;
pub use self::load::{ENVIRONMENT_VARIABLE, FILE_BY_DEFAULT, Source};
pub use self::log::{Log, LogFilter, LogFormat};
pub use self::monitoring::Monitoring;
pub use self::plain::Plain;
pub use self::provider::Provider;
pub use self::quota::Quota;
pub use self::session::Session;
pub use self::shutdown::Shutdown;
pub use self::sign_in::{SecondFactorFor, SignIn};
pub use self::store::Store;
pub use self::trust::{KeyStoreKind, Trust};
pub use self::vault::{AzureLogin, MasterKind, Vault};

/// Everything that can be set, in force: defaults, and what the file says instead.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where tenants, boards and routes are remembered.
    pub store: Store,
    /// Certificates and keys of the hub's own certificate authorities.
    pub trust: Trust,
    /// Under which key secrets in the store are sealed.
    pub vault: Vault,
    /// The DTLS side: sockets, handshakes, records.
    pub link: Link,
    /// Bounds against floods of handshakes.
    pub flood: Flood,
    /// How long sessions stay in memory, and can be resumed.
    pub session: Session,
    /// CoAP over the boards' sessions.
    pub coap: Coap,
    /// What each board and each tenant may take.
    pub quota: Quota,
    /// CoAP without DTLS.
    pub plain: Plain,
    /// HTTPS: the API, enrolment of boards, what is revoked.
    pub https: Https,
    /// Signing in at a browser.
    pub sign_in: SignIn,
    /// An OpenID provider that people sign in with.
    pub provider: Provider,
    /// What takes two people.
    pub approvals: Approvals,
    /// How often the audit log is signed.
    pub audit: Audit,
    /// Metrics and health over HTTP.
    pub monitoring: Monitoring,
    /// What is logged, and how.
    pub log: Log,
    /// What happens between SIGTERM and the end.
    pub shutdown: Shutdown,
}

impl Config {
    /// Reads and checks what `source` names; relative paths count from the file's folder.
    pub fn load(source: &Source) -> Result<Self, ConfigError> {
        let config = Self::as_written(source)?;
        Ok(match source.file().and_then(Path::parent) {
            Some(folder) => config.relative_to(folder),
            None => config,
        })
    }

    /// Reads and checks what `source` names; paths stay as the file has them.
    pub fn as_written(source: &Source) -> Result<Self, ConfigError> {
        match source.file() {
            Some(file) => load::read(file),
            None => Ok(Self::default()),
        }
    }

    /// Parses a configuration's text; `file` is what error messages call it.
    pub fn parse(text: &str, file: &Path) -> Result<Self, ConfigError> {
        load::parse(text, file)
    }

    /// The whole configuration as commented TOML: each key with its meaning, default and range.
    pub fn to_commented_toml(&self) -> String {
        print::commented(self)
    }

    /// Every section with its keys, in the order of the file.
    pub fn sections() -> Vec<Section> {
        vec![
            Store::section(),
            Trust::section(),
            Vault::section(),
            Link::section(),
            Flood::section(),
            Session::section(),
            Coap::section(),
            Quota::section(),
            Plain::section(),
            Https::section(),
            SignIn::section(),
            Provider::section(),
            Approvals::section(),
            Audit::section(),
            Monitoring::section(),
            Log::section(),
            Shutdown::section(),
        ]
    }

    /// The same, with relative paths counted from `folder`.
    pub(crate) fn relative_to(mut self, folder: &Path) -> Self {
        let paths: [&mut PathBuf; 12] = [
            &mut self.store.dir,
            &mut self.trust.dir,
            &mut self.trust.passphrase_file,
            &mut self.trust.pkcs11_module,
            &mut self.trust.pkcs11_pin_file,
            &mut self.vault.master_key,
            &mut self.vault.azure_secret_file,
            &mut self.link.certificate,
            &mut self.link.key,
            &mut self.https.certificate,
            &mut self.https.key,
            &mut self.provider.ca,
        ];
        for path in paths {
            // `join` keeps an absolute path as it is.
            *path = folder.join(&*path);
        }
        self
    }
}
