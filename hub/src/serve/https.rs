//! The HTTPS server's start, in two steps: what it needs is found before anything else is started,
//! and nobody is answered before the hub serves.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actors::metrics::Metrics;
use actors::taps::Taps;

use super::ServeError;
use super::credentials;
use crate::admin::Admin;
use crate::cli;
use crate::config::{self, Config};
use crate::http::api::{Api, ApiSettings};
use crate::http::{Enrolment, HttpsError, Publication, Services, Tls, bind_https, https_on};
use crate::jobs::Bell;
use crate::origin;
use crate::people::{
    InvalidRoles, Provider, ProviderError, ProviderSettings, Roles, Sessions, SignIn, SignInError,
    is_setup_needed, link_text, new_link,
};
use crate::quota;
use crate::trust::est::Est;
use crate::trust::{Authorities, Checkpoints, ListLives, Lists, Pki};
use crate::vault::Vault;
use crate::watch::Watch;

/// A port that was taken, and who answers there.
pub(super) struct Https {
    listener: TcpListener,
    tls: Tls,
    provider: Option<Provider>,
}

/// What of a running hub the API acts on.
pub(super) struct Running<'a> {
    pub(super) admin: &'a Admin,
    pub(super) vault: &'a Vault,
    pub(super) checkpoints: &'a Checkpoints,
    /// Wakes those who do jobs.
    pub(super) bell: Bell,
    /// How it is.
    pub(super) watch: Arc<Watch>,
    /// Boards whose readings are looked at.
    pub(super) taps: Arc<Taps>,
}

impl Https {
    /// The port and the certificate, where `[https]` is enabled.
    pub(super) fn prepare(config: &Config, pki: &Pki) -> Result<Option<Self>, ServeError> {
        if !config.https.enabled {
            return Ok(None);
        }
        let shown = credentials::read_https(config, pki)?;
        let tls = Tls::new(shown).map_err(HttpsError::Tls)?;
        let provider = provider(config)?;
        let listener = bind_https(config.https.listen)?;
        Ok(Some(Self { listener, tls, provider }))
    }

    /// Serves until the handle is used, or the system ends; with what is shown to clients.
    pub(super) fn start(
        self,
        config: &Config,
        running: Running<'_>,
        authorities: Authorities,
        metrics: &Arc<Metrics>,
    ) -> Result<(ServerHandle, Tls), ServeError> {
        let Self { listener, tls, provider } = self;
        let lives = ListLives {
            list_s: config.https.crl_hours.saturating_mul(60 * 60),
            answer_s: config.https.ocsp_minutes.saturating_mul(60),
        };
        let lists = Arc::new(Lists::new(authorities.clone(), lives));
        let pki = authorities.pki().clone();
        let est = Arc::new(Est::new(authorities));
        let rate = config.https.requests_per_source_s;
        let services = Services {
            enrolment: Enrolment::new(est, Arc::clone(metrics)),
            publication: Publication::new(lists, config.https.ocsp, Arc::clone(metrics)),
            api: api(config, running, (pki, provider))?,
        };
        let server = https_on(listener, &tls, rate, services)?;
        let handle = server.handle();
        actix_rt::spawn(server);
        Ok((handle, tls))
    }
}

fn api(
    config: &Config,
    running: Running<'_>,
    (pki, provider): (Pki, Option<Provider>),
) -> Result<Api, ServeError> {
    let Running { admin, vault, checkpoints, bell, watch, taps } = running;
    let (store, settings) = (admin.store().clone(), &config.sign_in);
    let idle = Duration::from_secs(settings.idle_min.saturating_mul(60));
    let absolute = Duration::from_secs(settings.absolute_h.saturating_mul(3600));
    let sessions = Sessions::new(store, idle, absolute);
    let origin = origin::of(config);
    let sign_in = SignIn::new(admin.clone(), vault.clone(), sessions, &origin)?;
    let sign_in = sign_in.with_provider(provider);
    let settings = ApiSettings {
        now: cli::now,
        origin,
        requests_per_caller_s: config.https.requests_per_caller_s,
        second_factor: settings.second_factor,
        approvals_expire_s: config.approvals.expire_h.saturating_mul(3600),
        approve_rollouts_above: config.approvals.rollout_boards,
        default_quota: quota::bounds(&config.quota),
        bell,
        watch,
        taps,
        pki,
    };
    Ok(Api::new(admin.clone(), sign_in, checkpoints.clone(), settings))
}

/// Prints the link with which the first admin begins, where there is none: on standard output, and
/// not in the log.
pub(super) fn print_link(config: &Config, admin: &Admin) -> Result<(), SignInError> {
    if !config.https.enabled || !is_setup_needed(admin.store())? {
        return Ok(());
    }
    let link = new_link(admin.store(), None, cli::now())?;
    let link = link_text(&origin::of(config), &link);
    cli::print(&format!(
        "This hub has no admin yet. Whoever opens this link within a day becomes it; \
         `cellular-hub user setup-link` makes another:\n  {link}"
    ));
    Ok(())
}

/// The OpenID provider, where one is enabled; nobody is asked yet.
fn provider(config: &Config) -> Result<Option<Provider>, ServeError> {
    let settings = &config.provider;
    if !settings.enabled {
        return Ok(None);
    }
    let settings = settings_of(settings, &origin::of(config))?;
    Ok(Some(Provider::new(settings)?))
}

fn settings_of(config: &config::Provider, origin: &str) -> Result<ProviderSettings, ServeError> {
    let roles: Roles = config
        .roles
        .parse()
        .map_err(|error: InvalidRoles| ProviderError::Setting(error.to_string()))?;
    let ca = match std::fs::read(&config.ca) {
        Ok(pem) => Some(pem),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(source) => {
            let file = config.ca.clone();
            return Err(ServeError::File { key: "provider.ca", file, source });
        }
    };
    Ok(ProviderSettings {
        name: config.name.clone(),
        issuer: config.issuer.clone(),
        client_id: config.client_id.clone(),
        scopes: config.scopes.split_whitespace().map(str::to_owned).collect(),
        user_claim: config.user_claim.clone(),
        groups_claim: config.groups_claim.clone(),
        roles,
        ca,
        callback: format!("{origin}/api/v1/session/provider/callback"),
    })
}
