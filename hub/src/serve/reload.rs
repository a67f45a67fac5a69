//! Reloads what may change while boards are served: the hub's certificates and keys, those of boards'
//! port and of HTTPS, the tenants' authorities and the log level; on SIGHUP, or when a file of theirs
//! has changed.
//!
//! Invariant: all of it or none. What cannot be read or used leaves the hub as it was, and says why.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use actors::hub::{Reload, Running};
use tokio::signal::unix::Signal;
use tokio::time::{MissedTickBehavior, interval};

use super::ServeError;
use super::credentials::{self, key_file};
use crate::cli::in_one_line;
use crate::cli::logging::LogLevel;
use crate::config::{Config, Source};
use crate::http::Tls;
use crate::trust::Pki;

const LOOK_EVERY: Duration = Duration::from_secs(3);

/// Watches for changes and applies them.
pub(super) struct Reloader {
    config: Config,
    source: Source,
    log: LogLevel,
    running: Running,
    pki: Pki,
    https: Option<Tls>,
    seen: Seen,
}

/// What a file was like when it was looked at: length and time of its last change.
type Seen = Vec<Option<(u64, SystemTime)>>;

impl Reloader {
    pub(super) fn new(
        config: Config,
        source: Source,
        log: LogLevel,
        running: Running,
        (pki, https): (Pki, Option<Tls>),
    ) -> Self {
        let seen = look(&config, &source);
        Self { config, source, log, running, pki, https, seen }
    }

    /// Never ends.
    pub(super) async fn run(&mut self, hang_up: &mut Signal) {
        let mut ticks = interval(LOOK_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // A change is taken up once it has lasted for a tick: files that belong together are
        // rarely written at once.
        let mut changing = None;
        loop {
            tokio::select! {
                _ = hang_up.recv() => {
                    self.seen = look(&self.config, &self.source);
                    self.reload().await;
                }
                _ = ticks.tick() => {
                    let now = look(&self.config, &self.source);
                    if now == self.seen {
                        changing = None;
                    } else if changing.as_ref() == Some(&now) {
                        self.seen = now;
                        self.reload().await;
                    } else {
                        changing = Some(now);
                    }
                }
            }
        }
    }

    async fn reload(&mut self) {
        match self.try_reload().await {
            Ok(()) => tracing::info!(
                level = %self.config.log.level,
                "reloaded: certificates, authorities and log level"
            ),
            Err(reason) => {
                tracing::error!(%reason, "not reloaded; everything stays as it was");
            }
        }
    }

    async fn try_reload(&mut self) -> Result<(), String> {
        let config = Config::load(&self.source).map_err(|error| in_one_line(&error))?;
        // A passphrase takes its time: on a thread that may wait.
        let (changed, pki) = (config.clone(), self.pki.clone());
        let has_https = self.https.is_some();
        let read = tokio::task::spawn_blocking(move || {
            let https = has_https.then(|| credentials::read_https(&changed, &pki)).transpose()?;
            Ok::<_, ServeError>((credentials::read_link(&changed, &pki)?, https))
        });
        let read = read.await.map_err(|error| error.to_string())?;
        let (link, https) = read.map_err(|error| in_one_line(&error))?;
        // Tried out before anything changes.
        let https_next = https.map(Tls::new).transpose().map_err(|error| in_one_line(&error))?;
        let applied = self.running.hub.send(Reload(link)).await;
        match applied {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Err(in_one_line(&error)),
            Err(error) => return Err(error.to_string()),
        }
        if let (Some(https), Some(next)) = (&self.https, &https_next) {
            https.show_as(next);
        }
        self.log.set(&config.log.level).map_err(|error| in_one_line(&error))?;
        let mut in_force = self.config.clone();
        in_force.log.level = config.log.level.clone();
        in_force.link.certificate.clone_from(&config.link.certificate);
        in_force.link.key.clone_from(&config.link.key);
        in_force.https.certificate.clone_from(&config.https.certificate);
        in_force.https.key.clone_from(&config.https.key);
        if in_force != config {
            tracing::warn!("other changes of the configuration are for the next start");
        }
        self.config = in_force;
        self.seen = look(&self.config, &self.source);
        Ok(())
    }
}

fn look(config: &Config, source: &Source) -> Seen {
    let files = [
        Some(config.link.certificate.clone()),
        Some(key_file(config, &config.link.key)),
        Some(config.https.certificate.clone()),
        Some(key_file(config, &config.https.key)),
        file(source),
    ];
    let of_file = |file: PathBuf| {
        let about = std::fs::metadata(file).ok()?;
        Some((about.len(), about.modified().ok()?))
    };
    files.into_iter().flatten().map(of_file).collect()
}

fn file(source: &Source) -> Option<PathBuf> {
    source.file().map(PathBuf::from)
}
