//! A master key in Azure Key Vault, which it never leaves: data keys are wrapped and unwrapped there
//! (`wrapKey` and `unwrapKey` of its REST API, version 7.4, with RSA-OAEP-256).
//!
//! ```text
//! 0   version 1             1
//! 1   length of the next    2, big-endian
//! 3   the key's identifier, with its version: https://<vault>/keys/<key>/<version>
//! ... what Key Vault made of the data key and SHA-256 of its place
//! ```
//! RSA-OAEP authenticates nothing beside what it wraps; so the place is wrapped with the key, and what
//! was moved to another number does not open.
//!
//! Invariant: a token is shown to the vault of the configuration alone, whatever the store says.

mod http;
mod login;

use storage::SealingKey;
use zeroize::Zeroizing;

use self::http::{Answer, Http, HttpFailure};
use self::login::Login;
use super::VaultError;
use super::master::{Master, Place, key_of};
use crate::config::Config;

const API: &str = "api-version=7.4";
const ALGORITHM: &str = "RSA-OAEP-256";
const VERSION: u8 = 1;
const DIGEST: usize = 32;

/// Why Key Vault did not help. Holds no token and no key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AzureError {
    /// A value of the configuration is none.
    #[error("{key}: {problem}")]
    Misconfigured {
        /// The configuration's key.
        key: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// It could not be reached.
    #[error("cannot reach {url}: {problem}")]
    Unreachable {
        /// What was asked.
        url: String,
        /// Why not.
        problem: String,
    },
    /// Nobody who is known asks.
    #[error("{url} gives no token: {said}")]
    NoToken {
        /// What was asked.
        url: String,
        /// What it says.
        said: String,
    },
    /// The token is not accepted.
    #[error("Key Vault accepts no token for {url}: {said}")]
    Unauthorised {
        /// What was asked.
        url: String,
        /// What it says.
        said: String,
    },
    /// Whoever asks may not.
    #[error(
        "Key Vault refuses {url}: {said}; the hub's identity needs wrapKey and unwrapKey on this key \
         (role Key Vault Crypto Service Encryption User), the key must be enabled, and the vault's \
         firewall must let the hub in"
    )]
    Forbidden {
        /// What was asked.
        url: String,
        /// What it says.
        said: String,
    },
    /// There is no such key or version.
    #[error(
        "Key Vault has no {url}: {said}; a deleted key or version can be recovered for a while"
    )]
    Missing {
        /// What was asked.
        url: String,
        /// What it says.
        said: String,
    },
    /// It is asked too often, or is away for a moment.
    #[error("Key Vault is too busy for {url} and says to come again in {after_s} s")]
    Busy {
        /// What was asked.
        url: String,
        /// What it asks to wait.
        after_s: u64,
    },
    /// It said something else.
    #[error("Key Vault answered {url} with {status}: {said}")]
    Odd {
        /// What was asked.
        url: String,
        /// Its status.
        status: u16,
        /// What it says.
        said: String,
    },
}

/// A key in Key Vault.
#[derive(Debug)]
pub(super) struct AzureMaster {
    http: Http,
    login: Login,
    /// `https://<vault>/keys/<key>`, without a slash at its end.
    key: String,
}

impl AzureMaster {
    /// The key that a configuration names; nobody is asked yet.
    pub(super) fn new(config: &Config) -> Result<Self, AzureError> {
        Self::with(config, Http::new())
    }

    fn with(config: &Config, http: Http) -> Result<Self, AzureError> {
        let key = config.vault.azure_key.trim_end_matches('/').to_owned();
        let problem = || AzureError::Misconfigured {
            key: "vault.azure_key",
            problem: format!("{key} is not as https://NAME.vault.azure.net/keys/KEY"),
        };
        let (host, name) = parts(&key).ok_or_else(problem)?;
        if name.contains('/') {
            return Err(problem());
        }
        let login = Login::new(&config.vault, &resource_of(host));
        Ok(Self { http, login, key })
    }

    /// Has a key do something: what it answers, or `None` where it finds the request malformed.
    fn ask(&self, url: &str, doing: &str, value: &[u8]) -> Result<Option<Done>, AzureError> {
        let body = Zeroizing::new(
            serde_json::json!({ "alg": ALGORITHM, "value": http::base64url(value) }).to_string(),
        );
        let url = format!("{url}/{doing}?{API}");
        let mut is_fresh = false;
        loop {
            let token = self.login.token(&self.http, is_fresh)?;
            let answer = self.http.post_json(&url, &token, &body).map_err(unreachable(&url))?;
            match answer.status {
                200 => {
                    let done = Done::parse(&answer).ok_or_else(|| odd(&url, &answer))?;
                    return Ok(Some(done));
                }
                // A token may end early: once more with another.
                401 if !is_fresh => is_fresh = true,
                400 => {
                    tracing::warn!(
                        url,
                        said = answer.said(),
                        "Key Vault finds a request malformed"
                    );
                    return Ok(None);
                }
                _ => return Err(refusal(url, &answer)),
            }
        }
    }
}

fn unreachable(url: &str) -> impl Fn(HttpFailure) -> AzureError {
    let url = url.to_owned();
    move |HttpFailure(problem)| AzureError::Unreachable { url: url.clone(), problem }
}

fn odd(url: &str, answer: &Answer) -> AzureError {
    AzureError::Odd { url: url.to_owned(), status: answer.status, said: answer.said() }
}

fn refusal(url: String, answer: &Answer) -> AzureError {
    let said = answer.said();
    match answer.status {
        401 => AzureError::Unauthorised { url, said },
        403 => AzureError::Forbidden { url, said },
        404 => AzureError::Missing { url, said },
        429 | 503 => AzureError::Busy { url, after_s: answer.retry_after_s.unwrap_or(0) },
        status => AzureError::Odd { url, status, said },
    }
}

/// What an operation gives.
struct Done {
    kid: String,
    value: Zeroizing<Vec<u8>>,
}

impl Done {
    fn parse(answer: &Answer) -> Option<Self> {
        let kid = answer.text("kid")?.to_owned();
        Some(Self { kid, value: http::of_base64url(answer.text("value")?)? })
    }
}

impl Master for AzureMaster {
    fn wrap(&self, place: Place, key: &SealingKey) -> Result<Vec<u8>, VaultError> {
        let digest = openssl::sha::sha256(&place.bytes());
        let bound = Zeroizing::new([&key.bytes()[..], &digest].concat());
        let malformed = || AzureError::Misconfigured {
            key: "vault.azure_key",
            problem: format!("{} does not wrap with {ALGORITHM}; it must be an RSA key", self.key),
        };
        let done = self.ask(&self.key, "wrapkey", &bound)?.ok_or_else(malformed)?;
        let is_ours = done.kid.strip_prefix(&self.key).is_some_and(|rest| rest.starts_with('/'));
        let length = u16::try_from(done.kid.len()).ok().filter(|_| is_ours);
        let length = length.ok_or_else(|| AzureError::Odd {
            url: self.key.clone(),
            status: 200,
            said: String::from("it names another key"),
        })?;
        Ok([&[VERSION][..], &length.to_be_bytes(), done.kid.as_bytes(), &done.value].concat())
    }

    fn unwrap(&self, place: Place, wrapped: &[u8]) -> Result<Option<SealingKey>, VaultError> {
        let Some((kid, value)) = split(wrapped) else { return Ok(None) };
        // A version of this key, and of no other vault's: whoever changed the store gets no token.
        let version = kid.strip_prefix(&self.key).and_then(|rest| rest.strip_prefix('/'));
        let is_version = version
            .is_some_and(|it| !it.is_empty() && it.bytes().all(|b| b.is_ascii_alphanumeric()));
        if !is_version {
            return Ok(None);
        }
        let Some(done) = self.ask(kid, "unwrapkey", value)? else { return Ok(None) };
        let Some((key, digest)) = done.value.split_last_chunk::<DIGEST>() else { return Ok(None) };
        Ok(key_of(key).filter(|_| *digest == openssl::sha::sha256(&place.bytes())))
    }

    fn name(&self) -> String {
        self.key.clone()
    }
}

/// The identifier in a wrapped key, and what is behind it.
fn split(wrapped: &[u8]) -> Option<(&str, &[u8])> {
    let [VERSION, rest @ ..] = wrapped else { return None };
    let (length, rest) = rest.split_first_chunk::<2>()?;
    let (kid, value) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
    Some((std::str::from_utf8(kid).ok()?, value))
}

/// Host and key of a key's address.
fn parts(key: &str) -> Option<(&str, &str)> {
    let (host, name) = key.strip_prefix("https://")?.split_once("/keys/")?;
    let is_host = |byte: u8| byte.is_ascii_alphanumeric() || b".-:".contains(&byte);
    let is_whole = !host.is_empty() && host.bytes().all(is_host) && !name.is_empty();
    is_whole.then_some((host, name))
}

/// What tokens are for: the service behind the vault's own name, such as `https://vault.azure.net`.
fn resource_of(host: &str) -> String {
    let host = host.split(':').next().unwrap_or(host);
    match host.split_once('.') {
        Some((_, service)) if service.contains('.') => format!("https://{service}"),
        Some(_) | None => format!("https://{host}"),
    }
}

#[cfg(test)]
mod tests;
