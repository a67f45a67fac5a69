//! Requests to Azure: HTTPS with the system's authorities, no redirects, and what is asked to come
//! again asks again, a few times.
//!
//! Invariant: an answer is read to a bound; no token and no body is logged.

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ureq::http::{Request, Response};
use ureq::tls::{RootCerts, TlsConfig, TlsProvider};
use ureq::{Agent, Body};
use zeroize::{Zeroize as _, Zeroizing};

/// How long a request may take.
const PATIENCE: Duration = Duration::from_secs(15);
/// Bytes of the longest answer.
const ANSWER_MAX: u64 = 64 * 1024;
/// How often a request is repeated that comes at a bad moment.
const TRIES: u32 = 4;
/// The longest pause that is waited for; behind that, people had better hear of it.
const PAUSE_MAX_S: u64 = 20;
/// The pause where none is asked for, doubled each time.
const PAUSE_MS: u64 = 500;
/// Characters of Azure's words that an error repeats.
const SAID_MAX: usize = 300;

/// Why a request had no answer.
#[derive(Debug)]
pub(super) struct HttpFailure(pub(super) String);

/// An answer.
pub(super) struct Answer {
    pub(super) status: u16,
    /// What it asks to wait, in seconds.
    pub(super) retry_after_s: Option<u64>,
    body: serde_json::Value,
}

impl Drop for Answer {
    /// Tokens and keys are among its texts.
    fn drop(&mut self) {
        for value in self.body.as_object_mut().into_iter().flat_map(|body| body.values_mut()) {
            if let serde_json::Value::String(text) = value {
                text.zeroize();
            }
        }
    }
}

impl Answer {
    /// A text of the body's.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.body.get(name)?.as_str()
    }

    /// A number of the body's; some of Azure's services write it as text.
    pub(super) fn number(&self, name: &str) -> Option<u64> {
        let value = self.body.get(name)?;
        value.as_u64().or_else(|| value.as_str()?.parse().ok())
    }

    /// Azure's words about what went wrong, in one line.
    pub(super) fn said(&self) -> String {
        let error = self.body.get("error");
        let of = |name| error.and_then(|error| error.get(name)).and_then(|text| text.as_str());
        let words = match (of("code"), of("message")) {
            (Some(code), Some(message)) => format!("{code}: {message}"),
            (Some(one), None) | (None, Some(one)) => one.to_owned(),
            // As OAuth has it (RFC 6749, 5.2).
            (None, None) => match (self.text("error"), self.text("error_description")) {
                (Some(code), Some(words)) => format!("{code}: {words}"),
                (Some(one), None) | (None, Some(one)) => one.to_owned(),
                (None, None) => format!("status {}", self.status),
            },
        };
        words.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(SAID_MAX).collect()
    }
}

/// Who asks.
pub(super) struct Http {
    agent: Agent,
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http").finish_non_exhaustive()
    }
}

impl Http {
    /// One that believes the system's authorities.
    pub(super) fn new() -> Self {
        Self::believing(RootCerts::PlatformVerifier)
    }

    pub(super) fn believing(roots: RootCerts) -> Self {
        let tls = TlsConfig::builder().provider(TlsProvider::NativeTls).root_certs(roots).build();
        let config = Agent::config_builder()
            .tls_config(tls)
            .timeout_global(Some(PATIENCE))
            .max_redirects(0)
            .http_status_as_error(false)
            .proxy(None)
            .user_agent("cellular-hub")
            .build();
        Self { agent: config.into() }
    }

    /// Posts a document of JSON with a token.
    pub(super) fn post_json(
        &self,
        url: &str,
        token: &str,
        body: &str,
    ) -> Result<Answer, HttpFailure> {
        let bearer = Zeroizing::new(format!("Bearer {token}"));
        self.patiently(|| {
            let request = Request::post(url)
                .header("authorization", bearer.as_str())
                .header("content-type", "application/json");
            self.agent.run(request.body(body).map_err(ureq::Error::from)?)
        })
    }

    /// Posts a form.
    pub(super) fn post_form(&self, url: &str, body: &str) -> Result<Answer, HttpFailure> {
        self.patiently(|| {
            let kind = "application/x-www-form-urlencoded";
            let request = Request::post(url).header("content-type", kind);
            self.agent.run(request.body(body).map_err(ureq::Error::from)?)
        })
    }

    /// Asks the machine's metadata service, which knows by a header that nobody was led to ask.
    pub(super) fn get_metadata(&self, url: &str) -> Result<Answer, HttpFailure> {
        self.patiently(|| {
            let request = Request::get(url).header("metadata", "true");
            self.agent.run(request.body(()).map_err(ureq::Error::from)?)
        })
    }

    /// Asks again, after a pause, what is answered with 429 or a failure of the server's.
    fn patiently(
        &self,
        ask: impl Fn() -> Result<Response<Body>, ureq::Error>,
    ) -> Result<Answer, HttpFailure> {
        let mut tries = 1;
        loop {
            let answer = read(ask().map_err(|error| HttpFailure(error.to_string()))?)?;
            let is_passing = matches!(answer.status, 429 | 500 | 502..=504);
            let pause = match answer.retry_after_s {
                Some(seconds) => Duration::from_secs(seconds),
                None => Duration::from_millis(PAUSE_MS << tries.min(8)),
            };
            if !is_passing || tries >= TRIES || pause > Duration::from_secs(PAUSE_MAX_S) {
                return Ok(answer);
            }
            tracing::info!(
                status = answer.status,
                pause_ms = pause.as_millis(),
                "Azure asks to wait"
            );
            wait(pause);
            tries += 1;
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a start or a command waits here, on no arbiter")]
fn wait(pause: Duration) {
    std::thread::sleep(pause);
}

fn read(mut response: Response<Body>) -> Result<Answer, HttpFailure> {
    let status = response.status().as_u16();
    let header = response.headers().get("retry-after");
    let retry_after_s = header.and_then(|value| value.to_str().ok()?.trim().parse().ok());
    let body = response.body_mut().with_config().limit(ANSWER_MAX).read_to_vec();
    let body = Zeroizing::new(body.map_err(|error| HttpFailure(error.to_string()))?);
    // What is no JSON says nothing.
    let body = serde_json::from_slice(&body).unwrap_or_default();
    Ok(Answer { status, retry_after_s, body })
}

pub(super) fn base64url(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub(super) fn of_base64url(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).ok().map(Zeroizing::new)
}

/// A value as a form or a query holds it.
pub(super) fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(3 * text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte));
            }
            other => encoded.push_str(&format!("%{other:02X}")),
        }
    }
    encoded
}
