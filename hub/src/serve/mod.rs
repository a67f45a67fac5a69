//! `serve`: from a configuration to a running hub, and back down on a signal.
//!
//! Invariant: whatever cannot work is found here, before the first board is answered.

mod calling;
mod campaigns;
mod checkpoints;
mod credentials;
mod forecast;
mod https;
mod live;
mod releases;
mod reload;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::thread::available_parallelism;
use std::time::Duration;

use actors::campaign::{CampaignError, Campaigns};
use actors::coap::Limits;
use actors::credentials::Credentials;
use actors::hub::{FloodBounds, Running, Settings, Shutdown, StartError};
use actors::metrics::Metrics;
use actors::rollout::{RolloutError, Rollouts};
use storage::{RowsState, Store, StoreError};
use tokio::signal::unix::{SignalKind, signal};

use self::https::Https;
use self::reload::Reloader;
use crate::admin::Admin;
use crate::cli;
use crate::cli::logging::LogLevel;
use crate::config::{Config, Inherited, InheritedError, Source};
use crate::control::Control;
use crate::http::{self, HttpError, HttpsError};
use crate::jobs::Jobs;
use crate::people::{NoRandom, ProviderError};
use crate::quota;
use crate::trust::keys::KeyError;
use crate::trust::{Authorities, BoardEnrolment, Checkpoints, Pki, Places};
use crate::vault::{Sweeper, Vault, VaultError};
use crate::watch::{self, HostSettings, Watch};

/// Why the hub did not run.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// A file of the configuration cannot be read.
    #[error("{key}: cannot read {}; `cellular-hub ca init` makes it", file.display())]
    File {
        /// The configuration's key.
        key: &'static str,
        /// The file.
        file: PathBuf,
        /// The system's reason.
        #[source]
        source: std::io::Error,
    },
    /// A file of the configuration is not what it should be.
    #[error("{key}: {} is not a {wanted} in PEM", file.display())]
    NotA {
        /// The configuration's key.
        key: &'static str,
        /// The file.
        file: PathBuf,
        /// What was wanted.
        wanted: &'static str,
    },
    /// A sealed key does not open.
    #[error("{key}: {source}")]
    SealedKey {
        /// The configuration's key.
        key: &'static str,
        /// Why.
        source: KeyError,
    },
    /// The hub's key is not its certificate's.
    #[error("{setting}: {} does not belong to the certificate {}", key.display(), certificate.display())]
    AnotherKey {
        /// The configuration's key.
        setting: &'static str,
        /// The key's file.
        key: PathBuf,
        /// The certificate's file.
        certificate: PathBuf,
    },
    /// The store cannot be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Campaigns cannot be gone on with.
    #[error(transparent)]
    Campaigns(#[from] CampaignError),
    /// Rollouts cannot be gone on with.
    #[error(transparent)]
    Rollouts(#[from] RolloutError),
    /// A socket that was handed over is for nothing.
    #[error(transparent)]
    Inherited(#[from] InheritedError),
    /// The vault does not open.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// Monitoring cannot be served.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// HTTPS cannot be served.
    #[error(transparent)]
    Https(#[from] HttpsError),
    /// The OpenID provider cannot be as it is configured.
    #[error(transparent)]
    Provider(#[from] ProviderError),
    /// The system gave no random bytes.
    #[error(transparent)]
    Random(#[from] NoRandom),
    /// The actors did not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The system gave no signal handler or runtime.
    #[error("the system refused a signal handler or a runtime")]
    System(#[source] std::io::Error),
}

/// Whether boards can be served, for `/readyz`.
#[derive(Clone)]
struct Phase(Arc<AtomicU8>);

impl Phase {
    const STARTING: u8 = 0;
    const SERVING: u8 = 1;
    const DRAINING: u8 = 2;

    fn ready(&self) -> Result<(), String> {
        match self.0.load(Ordering::Relaxed) {
            Self::STARTING => Err(String::from("the hub is starting")),
            Self::SERVING => Ok(()),
            _ => Err(String::from("the hub is draining")),
        }
    }
}

/// Runs the hub until SIGTERM or SIGINT, then drains it.
///
/// # Errors
/// Whatever kept it from starting.
pub fn run(config: Config, source: Source, log: LogLevel) -> Result<(), ServeError> {
    let metrics = Arc::new(Metrics::new());
    let pki = Pki::of(&config.trust).naming(Places::of(&config)).measured(&metrics);
    let credentials = credentials::read_link(&config, &pki)?;
    let store = Store::open(&config.store.dir)?;
    let monitoring = http::bind(config.monitoring.listen)?;
    let https = Https::prepare(&config, &pki)?;
    let inherited = Inherited::take(&config)?;
    let vault = Vault::unlock(&config, &store, cli::now())?;
    let authorities = Authorities::new(pki.clone(), store.clone());
    let enrolment = BoardEnrolment::new(authorities.clone());
    let rollouts = Rollouts::open(&store, crate::rollouts::parse)?;
    let campaigns = Campaigns::open(&store, cli::now())?;
    let whom = (Arc::clone(&rollouts), Arc::clone(&campaigns));
    let settings = settings(&config, credentials, &vault, enrolment, whom, inherited);

    let phase = Phase(Arc::new(AtomicU8::new(Phase::STARTING)));
    let system = actix_rt::System::new();
    let served = system.block_on(async {
        tell_of_failure(&store, &metrics);
        let (ready, health) = (phase.clone(), store.clone());
        let ready = move || {
            ready.ready()?;
            health.failure().map_or(Ok(()), |failure| Err(failure.to_owned()))
        };
        let server = http::monitoring_on(monitoring, Arc::clone(&metrics), ready)?;
        let pages = server.handle();
        actix_rt::spawn(server);
        let mut terminate = signal(SignalKind::terminate()).map_err(ServeError::System)?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(ServeError::System)?;

        let mut hang_up = signal(SignalKind::hangup()).map_err(ServeError::System)?;

        let running = actors::hub::start(settings, &store, &metrics)?;
        let live = Arc::new(live::Told(running.clone()));
        let admin = Admin::running(store.clone(), cli::author(), live);
        let admin = admin.signing_with(pki.keys()).rolling_out(&rollouts).campaigning(&campaigns);
        let checkpoints = Checkpoints::new(admin.clone(), Arc::clone(pki.keys()));
        let jobs = Jobs::start(admin.clone(), cli::now).map_err(ServeError::System)?;
        let watch = Arc::new(Watch::new(Arc::clone(&metrics), HostSettings::of(&config, &pki)));
        let parts = https::Running {
            admin: &admin,
            vault: &vault,
            checkpoints: &checkpoints,
            bell: jobs.bell(),
            watch: Arc::clone(&watch),
            taps: Arc::clone(&running.taps),
        };
        let https = https
            .map(|https| https.start(&config, parts, authorities, &metrics))
            .transpose()?;
        let (https, tls) = https.unzip();
        let sweeper = Sweeper::start(vault.clone()).map_err(ServeError::System)?;
        let control = control(&config, admin.clone(), pki.clone(), vault);
        announce(&config, &running, &store);
        if let Err(error) = https::print_link(&config, &admin) {
            tracing::error!(%error, "no link for a first admin: `cellular-hub user setup-link` makes one");
        }
        phase.0.store(Phase::SERVING, Ordering::Relaxed);
        let forecasting = forecast::run(
            Arc::new(config.clone()),
            admin.clone(),
            pki.clone(),
            Arc::clone(&metrics),
        );
        let forecasting = actix_rt::spawn(forecasting);
        let shown = (pki.clone(), tls);
        let mut reloader = Reloader::new(config.clone(), source, log, running.clone(), shown);
        let signing = actix_rt::spawn(checkpoints::run(checkpoints, config.audit.clone()));
        let calling =
            actix_rt::spawn(calling::run(admin.clone(), running.clone(), Arc::clone(&metrics)));
        let counting = actix_rt::spawn(releases::run(admin.clone(), Arc::clone(&metrics)));
        let campaigning = actix_rt::spawn(campaigns::run(admin.clone(), Arc::clone(&metrics)));
        let watching = actix_rt::spawn(watch::run(watch, admin.clone()));
        let reloading = actix_rt::spawn(async move { reloader.run(&mut hang_up).await });
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        reloading.abort();
        signing.abort();
        calling.abort();
        counting.abort();
        watching.abort();
        campaigning.abort();
        forecasting.abort();
        phase.0.store(Phase::DRAINING, Ordering::Relaxed);
        // The board that a job is at may wait for an actor of this thread's.
        let _ = actix_rt::task::spawn_blocking(move || drop(jobs)).await;
        drain(&running, Duration::from_secs(config.shutdown.drain_s)).await;
        if let Some(https) = https {
            https.stop(true).await;
        }
        pages.stop(false).await;
        drop((control, sweeper));
        Ok(())
    });
    actix_rt::System::current().stop();
    // Threads that end with the process may hold the store until then.
    if store.failure().is_none()
        && let Err(error) = store.close()
    {
        tracing::warn!(%error, "what lists are made from is made anew at the next start");
    }
    served
}

/// Says once, where people and machines look, that the store failed.
fn tell_of_failure(store: &Store, metrics: &Arc<Metrics>) {
    let metrics = Arc::clone(metrics);
    store.on_failure(move |failure| {
        metrics.store_failed();
        tracing::error!(failure, "the store failed: nothing new is remembered until a restart");
    });
}

/// The control socket; a hub without one serves all the same.
fn control(config: &Config, admin: Admin, pki: Pki, vault: Vault) -> Option<Control> {
    let store = admin.store().clone();
    let started = Control::start(&store, cli::runner(config.clone(), admin, pki, vault));
    let without = "no backups and no commands while the hub runs";
    started.inspect_err(|error| tracing::warn!(%error, without)).ok()
}

async fn drain(running: &Running, within: Duration) {
    tracing::info!(within_s = within.as_secs(), "draining: nothing new is taken");
    match running.hub.send(Shutdown(within)).await {
        Ok(0) => tracing::info!("drained; the hub stops"),
        Ok(left) => tracing::warn!(left, "some readings had no answer in time; boards keep them"),
        Err(error) => tracing::error!(%error, "the hub did not drain"),
    }
}

fn announce(config: &Config, running: &Running, store: &Store) {
    if store.rows_state() != RowsState::Ready {
        let why = "the rows that boards are listed by are made anew from their records; lists wait";
        tracing::warn!("{why}");
    }
    tracing::info!(
        coaps = %running.listen,
        coap = running.plain.map(tracing::field::display),
        https = config.https.enabled.then_some(tracing::field::display(config.https.listen)),
        monitoring = %config.monitoring.listen,
        openssl = openssl::version::version(),
        tenants = store.tenants().list().count(),
        "the hub serves"
    );
}

fn settings(
    config: &Config,
    credentials: Credentials,
    vault: &Vault,
    enrolment: Arc<BoardEnrolment>,
    (rollouts, campaigns): (Arc<Rollouts>, Arc<Campaigns>),
    inherited: Inherited,
) -> Settings {
    let cores = available_parallelism().map_or(1, std::num::NonZero::get);
    let or_cores = |configured: usize| if configured == 0 { cores } else { configured };
    let (link, flood, coap) = (&config.link, &config.flood, &config.coap);
    Settings {
        listen: link.listen,
        sockets: or_cores(link.sockets),
        credentials,
        handshakes_max: link.handshakes_max,
        handshake_workers: or_cores(link.handshake_workers),
        handshake_timeout: Duration::from_secs(link.handshake_timeout_s),
        flood: FloodBounds {
            hellos_per_source_s: flood.hellos_per_source_s,
            hellos_s: flood.hellos_s,
            handshakes_per_source_s: flood.handshakes_per_source_s,
            handshakes_s: flood.handshakes_s,
            handshakes_per_tenant_s: flood.handshakes_per_tenant_s,
            half_open_silence: Duration::from_secs(flood.half_open_silence_s),
        },
        mtu: u16::try_from(link.mtu).unwrap_or(u16::MAX),
        receive_buffer: link.receive_buffer_kib.saturating_mul(1024),
        node: link.node,
        keyring: vault.keyring().clone(),
        idle: Duration::from_secs(config.session.idle_s),
        resumption: Duration::from_secs(config.session.resumption_h.saturating_mul(3600)),
        limits: Limits {
            payload_max: coap.payload_max,
            acknowledge_within_ms: coap.acknowledge_within_ms,
            exchange_lifetime_ms: coap.exchange_lifetime_s.saturating_mul(1000),
            block_timeout_ms: coap.block_timeout_s.saturating_mul(1000),
            retry_after_s: coap.retry_after_s,
            ..Limits::default()
        },
        enrolment,
        rollouts,
        campaigns,
        renew_after_expiry: Duration::from_secs(
            config.trust.renew_after_expiry_days.saturating_mul(24 * 60 * 60),
        ),
        quota: quota::bounds(&config.quota),
        plain: config.plain.enabled.then_some(config.plain.listen),
        inherited: inherited.link,
        plain_inherited: inherited.plain,
    }
}
