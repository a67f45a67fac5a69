//! Asks the provider, over TLS by OpenSSL: no redirect is followed, and nothing is read without end.

use std::time::Duration;

use openidconnect::http::{Request, Response};
use openidconnect::{HttpRequest, HttpResponse, SyncHttpClient};
use ureq::Agent;
use ureq::tls::{Certificate, RootCerts, TlsConfig, TlsProvider};

use super::ProviderError;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Bytes of the longest.
const ANSWER_MAX: u64 = 256 * 1024;

/// A client of HTTP.
pub(super) struct Fetch(Agent);

impl Fetch {
    /// That trusts the system's CAs, or those in `ca` instead.
    pub(super) fn new(ca: Option<&[u8]>) -> Result<Self, ProviderError> {
        let mut tls = TlsConfig::builder().provider(TlsProvider::NativeTls);
        tls = tls.root_certs(match ca {
            Some(pem) => {
                let certificates = openssl::x509::X509::stack_from_pem(pem).and_then(|stack| {
                    stack.iter().map(|it| it.to_der()).collect::<Result<Vec<_>, _>>()
                });
                let certificates = certificates.map_err(|_| {
                    ProviderError::Setting("ca is not PEM of certificates".to_owned())
                })?;
                let certificates: Vec<_> =
                    certificates.iter().map(|der| Certificate::from_der(der).to_owned()).collect();
                RootCerts::new_with_certs(&certificates)
            }
            None => RootCerts::PlatformVerifier,
        });
        let config = Agent::config_builder()
            .tls_config(tls.build())
            .timeout_global(Some(PATIENCE))
            .max_redirects(0)
            .http_status_as_error(false)
            // What the environment says of proxies is not the configuration.
            .proxy(None)
            .build();
        Ok(Self(config.into()))
    }
}

impl SyncHttpClient for Fetch {
    type Error = ureq::Error;

    fn call(&self, request: HttpRequest) -> Result<HttpResponse, ureq::Error> {
        let (parts, body) = request.into_parts();
        let answer = self.0.run(Request::from_parts(parts, body))?;
        let (parts, mut body) = answer.into_parts();
        let body = body.with_config().limit(ANSWER_MAX).read_to_vec()?;
        Ok(Response::from_parts(parts, body))
    }
}
