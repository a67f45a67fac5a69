//! Shows in the metrics when certificates end: counted now and then, and never by a scrape.

use std::sync::Arc;
use std::time::Duration;

use actors::metrics::{CertificateKind, Metrics};
use storage::{CertificateEnds, UnixSeconds};
use tokio::time::{MissedTickBehavior, interval};

use crate::admin::{Admin, Forecast};
use crate::cli::{self, in_one_line};
use crate::config::Config;
use crate::trust::Pki;

const LOOK_EVERY: Duration = Duration::from_secs(10);
/// Looks from one count to the next: ten minutes.
const LOOKS: u32 = 60;

/// Never ends.
pub(super) async fn run(config: Arc<Config>, admin: Admin, pki: Pki, metrics: Arc<Metrics>) {
    let mut ticks = interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut wait = 0;
    loop {
        ticks.tick().await;
        if wait > 0 {
            wait -= 1;
            continue;
        }
        let (config, admin, pki) = (Arc::clone(&config), admin.clone(), pki.clone());
        let now = cli::now();
        let counted =
            tokio::task::spawn_blocking(move || admin.forecast((&config, &pki), None, now));
        match counted.await {
            Ok(Ok(forecast)) => {
                show(&metrics, &forecast, now);
                wait = LOOKS;
            }
            // While rows are made anew: looked at again in a moment.
            Ok(Err(error)) => {
                tracing::debug!(reason = %in_one_line(&error), "certificates' ends are not counted");
            }
            Err(_) => {}
        }
    }
}

fn show(metrics: &Metrics, forecast: &Forecast, now: UnixSeconds) {
    let counted = |ends: &mut dyn Iterator<Item = UnixSeconds>| {
        let mut counted = CertificateEnds::default();
        ends.for_each(|end| counted.count(Some(end), now));
        counted
    };
    let authorities = counted(&mut forecast.authorities.iter().map(|it| it.not_after));
    let root = counted(&mut forecast.root.into_iter());
    let servers = counted(&mut forecast.servers.iter().map(|it| it.not_after));
    metrics.certificates_end(CertificateKind::Board, &forecast.boards);
    metrics.certificates_end(CertificateKind::Authority, &authorities);
    metrics.certificates_end(CertificateKind::Root, &root);
    metrics.certificates_end(CertificateKind::Server, &servers);
}
