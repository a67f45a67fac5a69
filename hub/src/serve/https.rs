//! The HTTPS server's start, in two steps: what it needs is found before anything else is started,
//! and nobody is answered before the hub serves.

use std::net::TcpListener;
use std::sync::Arc;

use actix_web::dev::ServerHandle;

use super::ServeError;
use super::credentials::Credentials;
use crate::admin::Admin;
use crate::cli;
use crate::config::Config;
use crate::http::api::Api;
use crate::http::{Enrolment, Publication, Services, bind_https, https_on, tls};
use crate::trust::est::Est;
use crate::trust::{Authorities, Lists, Pki};

/// A port that was taken, and who answers there.
pub(super) struct Https {
    listener: TcpListener,
    credentials: Credentials,
}

impl Https {
    /// The port and the certificate, where `[https]` is enabled.
    pub(super) fn prepare(config: &Config, pki: &Pki) -> Result<Option<Self>, ServeError> {
        if !config.https.enabled {
            return Ok(None);
        }
        let credentials = Credentials::read_https(config, pki)?;
        let listener = bind_https(config.https.listen)?;
        Ok(Some(Self { listener, credentials }))
    }

    /// Serves until the handle is used, or the system ends.
    pub(super) fn start(
        self,
        config: &Config,
        admin: &Admin,
        authorities: Authorities,
    ) -> Result<ServerHandle, ServeError> {
        let Self { listener, credentials: Credentials { certificate, key } } = self;
        let store = admin.store();
        let lists =
            Arc::new(Lists::new(store.clone(), authorities.clone(), config.https.crl_hours));
        let est = Arc::new(Est::new(store.clone(), authorities));
        let tls = tls(&certificate, &key)?;
        let rate = config.https.requests_per_source_s;
        let services = Services {
            enrolment: Enrolment::new(est),
            publication: Publication::new(lists),
            api: Api::new(admin.clone(), cli::now, config.https.requests_per_caller_s),
        };
        let server = https_on(listener, tls, rate, services)?;
        let handle = server.handle();
        actix_rt::spawn(server);
        Ok(handle)
    }
}
