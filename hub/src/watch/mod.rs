//! How the hub and its fleet are, for whoever looks: what goes by the second ([`Course`]), what is
//! looked up now and then ([`Fleet`]), and the host.
//!
//! Invariant: bounded, whatever the fleet's size and however many look: an hour of points, and one
//! look at the store every few seconds for all together.

mod course;
mod fleet;
mod happening;
mod host;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use actors::metrics::Metrics;
use tokio::sync::broadcast::{self, Receiver, Sender};
use tokio::time::{MissedTickBehavior, interval};

pub use self::course::{Course, Point, Rates};
pub use self::fleet::{ENDING_DAYS, Fleet};
pub use self::happening::Happening;
pub use self::host::{Disk, Host, HostSettings};
use crate::admin::{Admin, AdminError};
use crate::cli;

/// What has happened that waits for a listener who is slow.
const WAITING: usize = 256;
/// How long what was looked up is given out again.
const FRESH: Duration = Duration::from_secs(5);

/// Everything that is watched.
pub struct Watch {
    metrics: Arc<Metrics>,
    course: Mutex<Course>,
    fleet: Kept<Fleet>,
    host: Kept<Host>,
    settings: HostSettings,
    since: Instant,
    happenings: Sender<Arc<Happening>>,
}

/// What was looked up last, and when. Who comes while somebody looks waits for what they find.
struct Kept<T>(Mutex<Option<(Instant, Arc<T>)>>);

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self(Mutex::new(None))
    }
}

impl<T> Kept<T> {
    fn of<E>(&self, look: impl FnOnce() -> Result<T, E>) -> Result<Arc<T>, E> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, found)) = &*kept
            && at.elapsed() < FRESH
        {
            return Ok(Arc::clone(found));
        }
        let found = Arc::new(look()?);
        *kept = Some((Instant::now(), Arc::clone(&found)));
        Ok(found)
    }
}

impl Watch {
    /// Nothing seen yet.
    #[must_use]
    pub fn new(metrics: Arc<Metrics>, settings: HostSettings) -> Self {
        Self {
            metrics,
            course: Mutex::default(),
            fleet: Kept::default(),
            host: Kept::default(),
            settings,
            since: Instant::now(),
            happenings: broadcast::channel(WAITING).0,
        }
    }

    /// How long the hub has been running.
    #[must_use]
    pub fn uptime(&self) -> Duration {
        self.since.elapsed()
    }

    /// How it went lately.
    pub fn course(&self) -> MutexGuard<'_, Course> {
        self.course.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How the fleet is, as of some seconds ago. May wait for the disk and for the running hub.
    ///
    /// # Errors
    /// Those of the store.
    pub fn fleet(&self, admin: &Admin) -> Result<Arc<Fleet>, AdminError> {
        self.fleet.of(|| Fleet::look(admin, cli::now()))
    }

    /// How the host is, as of some seconds ago. May wait for the disk and the key store.
    #[must_use]
    pub fn host(&self) -> Arc<Host> {
        let found = self.host.of(|| Ok::<_, std::convert::Infallible>(Host::look(&self.settings)));
        found.unwrap_or_else(|never| match never {})
    }

    /// What happens from now on; who is too slow misses some.
    pub fn happenings(&self) -> Receiver<Arc<Happening>> {
        self.happenings.subscribe()
    }

    fn tell(&self, happening: Happening) {
        // Nobody listens: nobody hears of it.
        let _ = self.happenings.send(Arc::new(happening));
    }

    fn take(&self) {
        let totals = self.metrics.totals();
        self.course().take(cli::now(), Instant::now(), totals);
    }
}

/// Notes how it goes, from now on and for ever; while somebody listens, it is looked now and then what has
/// changed.
pub async fn run(watch: Arc<Watch>, admin: Admin) {
    let mut ticks = interval(course::EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut known = happening::Known::default();
    loop {
        ticks.tick().await;
        watch.take();
        if watch.happenings.receiver_count() == 0 {
            known = happening::Known::default();
            continue;
        }
        watch.tell(Happening::Tick(cli::now()));
        let (looking, admin) = (Arc::clone(&watch), admin.clone());
        let looked = tokio::task::spawn_blocking(move || known.look(&looking, &admin));
        // A look that panicked has said so; the next one begins anew.
        let (now_known, changes) = looked.await.unwrap_or_default();
        known = now_known;
        changes.into_iter().for_each(|change| watch.tell(change));
    }
}
