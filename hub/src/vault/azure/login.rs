//! Who the hub is to Azure: an application with a secret (OAuth 2.0 client credentials, RFC 6749
//! section 4.4), or the machine's managed identity.
//!
//! Invariant: secret and token are wiped when dropped and never printed.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use zeroize::Zeroizing;

use super::http::{Http, encoded};
use super::{AzureError, unreachable};
use crate::config::{AzureLogin, Vault, credential};
use crate::trust::keys::SecretFile;

/// A token is not used any more so long before its end.
const MARGIN: Duration = Duration::from_secs(120);

/// What managed identities are called that are the machine's own.
const SYSTEM: &str = "system";

/// Where tokens come from.
pub(super) struct Login {
    kind: AzureLogin,
    directory: String,
    client: String,
    secret: SecretFile,
    login_url: String,
    metadata_url: String,
    resource: String,
    token: Mutex<Option<Token>>,
}

struct Token {
    text: Zeroizing<String>,
    ends: Instant,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").field("kind", &self.kind).finish_non_exhaustive()
    }
}

impl Login {
    pub(super) fn new(vault: &Vault, resource: &str) -> Self {
        let without_slash = |url: &str| url.trim_end_matches('/').to_owned();
        Self {
            kind: vault.azure_login,
            directory: vault.azure_directory.clone(),
            client: vault.azure_client.clone(),
            secret: SecretFile {
                key: "vault.azure_secret_file",
                file: vault.azure_secret_file.clone(),
                credential: credential("azure.secret"),
            },
            login_url: without_slash(&vault.azure_login_url),
            metadata_url: without_slash(&vault.azure_metadata_url),
            resource: resource.to_owned(),
            token: Mutex::default(),
        }
    }

    /// A token; another one than before where that is not accepted any more.
    pub(super) fn token(&self, http: &Http, anew: bool) -> Result<Zeroizing<String>, AzureError> {
        let mut known = self.token.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(token) = known.as_ref().filter(|token| !anew && Instant::now() < token.ends) {
            return Ok(token.text.clone());
        }
        let token = match self.kind {
            AzureLogin::ClientSecret => self.of_application(http)?,
            AzureLogin::ManagedIdentity => self.of_machine(http)?,
        };
        Ok(known.insert(token).text.clone())
    }

    fn of_application(&self, http: &Http) -> Result<Token, AzureError> {
        let misconfigured =
            |problem| AzureError::Misconfigured { key: "vault.azure_secret_file", problem };
        let secret = self.secret.read().map_err(|error| misconfigured(error.to_string()))?;
        let secret = secret.ok_or_else(|| {
            let file = self.secret.source().display();
            misconfigured(format!("there is no {file}; write the application's secret into it"))
        })?;
        let text = std::str::from_utf8(&secret)
            .map_err(|_| misconfigured(String::from("the secret is no text")))?;
        if !self.login_url.starts_with("https://") {
            let problem = String::from("it must begin with https://");
            return Err(AzureError::Misconfigured { key: "vault.azure_login_url", problem });
        }
        let url = format!("{}/{}/oauth2/v2.0/token", self.login_url, encoded(&self.directory));
        let form = Zeroizing::new(format!(
            "grant_type=client_credentials&client_id={}&client_secret={}&scope={}",
            encoded(&self.client),
            *Zeroizing::new(encoded(text)),
            encoded(&format!("{}/.default", self.resource)),
        ));
        let answer = http.post_form(&url, &form).map_err(unreachable(&url))?;
        Token::of(&answer).ok_or_else(|| AzureError::NoToken { url, said: answer.said() })
    }

    fn of_machine(&self, http: &Http) -> Result<Token, AzureError> {
        let mut url = format!(
            "{}/metadata/identity/oauth2/token?api-version=2018-02-01&resource={}",
            self.metadata_url,
            encoded(&self.resource)
        );
        if self.client != SYSTEM {
            url += &format!("&client_id={}", encoded(&self.client));
        }
        let answer = http.get_metadata(&url).map_err(unreachable(&url))?;
        Token::of(&answer).ok_or_else(|| AzureError::NoToken { url, said: answer.said() })
    }
}

impl Token {
    fn of(answer: &super::http::Answer) -> Option<Self> {
        let text = answer.text("access_token").filter(|_| answer.status == 200)?;
        let lasts = Duration::from_secs(answer.number("expires_in")?);
        let ends = Instant::now() + lasts.saturating_sub(MARGIN);
        Some(Self { text: Zeroizing::new(text.to_owned()), ends })
    }
}
