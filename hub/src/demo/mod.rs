//! The demo: hub, broker, certificates and boards in one command, and what arrives, live.
//!
//! The hub and the boards are the real programs, as children of this one; only the broker and its
//! subscriber, the customer's side, live here.
//!
//! Invariant: everything listens on loopback, and nothing outlives the command but a folder that
//! was asked for by name.

mod broker;
mod child;
mod delivery;
mod error;
mod fleet;
mod pages;
mod ports;
mod screen;
mod site;
mod subscriber;

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use storage::UnixSeconds;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use self::child::Child;
use self::delivery::{Arrival, Delivery};
pub use self::error::DemoError;
use self::screen::Screen;
use self::site::Site;
use crate::admin::Author;

/// How long the hub may take to serve.
const HUB_STARTS_WITHIN: Duration = Duration::from_secs(20);

/// How long the hub may take to drain: its own `shutdown.drain_s` and a little more.
const HUB_ENDS_WITHIN: Duration = Duration::from_secs(15);

/// How long it may take to print the link for its first admin after that.
const LINK_WITHIN: Duration = Duration::from_secs(2);

const BOARDS_END_WITHIN: Duration = Duration::from_secs(5);

/// After the boards are done, what was acknowledged is at the subscriber or lost.
const AFTER_THE_BOARDS: Duration = Duration::from_secs(10);

/// What the demo shows.
#[derive(Clone, Debug)]
pub struct Options {
    /// Boards, shared out among the tenants in turn.
    pub boards: u32,
    /// Customers.
    pub tenants: u32,
    /// Seconds between two readings of a board.
    pub interval_s: f64,
    /// When to end.
    pub end: End,
    /// Folder to make everything in and leave; without one, a temporary one that is removed.
    pub dir: Option<PathBuf>,
    /// The time that certificates bear.
    pub now: UnixSeconds,
    /// Who has done what is done to the fleet before anybody looks.
    pub author: Author,
}

/// When the demo ends.
#[derive(Clone, Copy, Debug)]
pub enum End {
    /// At Ctrl-C.
    WhenStopped,
    /// When so many readings of each board have arrived, or the time is over.
    WhenDelivered {
        /// Readings of each board.
        readings: u32,
        /// For all of them together.
        within: Duration,
    },
}

/// How the demo went.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Shown {
    /// All that was to arrive did, or the demo was stopped by hand.
    All,
    /// Less arrived than was to; standard output says what is missing.
    Less,
}

/// Runs the demo to its end.
///
/// # Errors
/// Whatever kept it from starting, or ended it early.
pub fn run(options: &Options) -> Result<Shown, DemoError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(DemoError::system("make a runtime"))?;
    runtime.block_on(show(options))
}

async fn show(options: &Options) -> Result<Shown, DemoError> {
    let mut stop = Stop::listen()?;
    let screen = Screen::new(options)?;
    screen.line(&format!(
        "Making certificates for {} boards of {} tenants ...",
        options.boards, options.tenants
    ))?;
    let site = Site::make(options)?;
    broker::start(&site)?;
    let arrivals = subscriber::start(&site).await?;
    let hub = start_hub(&site).await?;
    screen.introduce(&site, setup_link(&hub).await.as_deref())?;
    let boards = start_boards(&site, options)?;

    let mut running = Running { site, screen, arrivals, hub, boards };
    let shown = running.watch(options, &mut stop).await;
    running.end().await?;
    shown?.conclude(&mut running.screen)
}

async fn start_hub(site: &Site) -> Result<Child, DemoError> {
    let mut command = Command::new(child::beside_this("cellular-hub")?);
    command.arg("serve").arg("--config").arg(&site.config);
    let mut hub = Child::start(command, "hub", &site.dir().join("hub.log"))?;
    let deadline = Instant::now() + HUB_STARTS_WITHIN;
    while !pages::is_ready(site.monitoring).await {
        if Instant::now() >= deadline || hub.has_ended()? {
            return Err(hub.failure());
        }
        sleep(Duration::from_millis(50)).await;
    }
    Ok(hub)
}

/// The link with which somebody becomes the hub's first admin; the hub prints it once it serves.
async fn setup_link(hub: &Child) -> Option<String> {
    let deadline = Instant::now() + LINK_WITHIN;
    loop {
        let link = hub.said("/setup#");
        if link.is_some() || Instant::now() >= deadline {
            return link;
        }
        sleep(Duration::from_millis(50)).await;
    }
}

fn start_boards(site: &Site, options: &Options) -> Result<Child, DemoError> {
    let mut command = Command::new(child::beside_this("virtual-board")?);
    command
        .args(["--hub", &site.hub.to_string(), "--count", &options.boards.to_string()])
        .args(["--interval", &options.interval_s.to_string()])
        .arg("--fixture")
        .arg(site.fixture());
    if let End::WhenDelivered { readings, .. } = options.end {
        command.args(["--readings", &readings.to_string()]);
    }
    Child::start(command, "boards", &site.dir().join("boards.log"))
}

/// Everything that has to be watched, and ended in the end: boards, hub, and then the folder.
struct Running {
    site: Site,
    screen: Screen,
    arrivals: mpsc::Receiver<Arrival>,
    hub: Child,
    boards: Child,
}

/// Why the watching ended.
enum Watched {
    Stopped,
    Delivered { total: u64 },
    Missing { report: Vec<String>, delivered: u64, total: u64 },
}

impl Running {
    async fn watch(&mut self, options: &Options, stop: &mut Stop) -> Result<Watched, DemoError> {
        let mut delivery = Delivery::new(&self.site.boards, options.end);
        let mut ticks = interval(Duration::from_millis(200));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut deadline = match options.end {
            End::WhenStopped => None,
            End::WhenDelivered { within, .. } => Some(Instant::now() + within),
        };
        loop {
            tokio::select! {
                Some(arrival) = self.arrivals.recv() => {
                    delivery.take(&arrival);
                    self.screen.arrived(&arrival, &delivery)?;
                    if let Some(total) = delivery.is_complete() {
                        return Ok(Watched::Delivered { total });
                    }
                }
                _ = ticks.tick() => {
                    self.screen.tick(&delivery)?;
                    if self.hub.has_ended()? {
                        return Err(self.hub.failure());
                    }
                    if self.boards.has_ended()? {
                        let Some(last) = deadline else { return Err(self.boards.failure()) };
                        deadline = Some(last.min(self.boards.ended_at() + AFTER_THE_BOARDS));
                    }
                    if deadline.is_some_and(|at| Instant::now() >= at) {
                        return Ok(self.missing(&delivery).await);
                    }
                }
                () = stop.wanted() => return Ok(match options.end {
                    End::WhenStopped => Watched::Stopped,
                    End::WhenDelivered { .. } => self.missing(&delivery).await,
                }),
            }
        }
    }

    async fn missing(&self, delivery: &Delivery) -> Watched {
        let mut report = delivery.missing();
        report.push(String::from("what the hub counted:"));
        report.extend(pages::telling_metrics(self.site.monitoring).await);
        let boards = self.boards.last_words();
        report.extend(boards.iter().map(|line| format!("the boards said: {line}")));
        let (delivered, total) = delivery.delivered();
        Watched::Missing { report, delivered, total }
    }

    /// Boards first, so that the hub drains what they sent; the broker is there until the end.
    async fn end(&mut self) -> Result<(), DemoError> {
        self.screen.line("Ending: boards, then the hub, which drains ...")?;
        self.boards.end(BOARDS_END_WITHIN).await?;
        self.hub.end(HUB_ENDS_WITHIN).await?;
        match self.site.remove() {
            Some(kept) => self.screen.line(&format!("Everything is left in {}", kept.display())),
            None => self.screen.line("Ended; the temporary folder is removed."),
        }
    }
}

impl Watched {
    fn conclude(self, screen: &mut Screen) -> Result<Shown, DemoError> {
        let (shown, delivered, total) = match self {
            Self::Stopped => return Ok(Shown::All),
            Self::Delivered { total } => (Shown::All, total, total),
            Self::Missing { report, delivered, total } => {
                report.iter().try_for_each(|line| screen.line(line))?;
                (Shown::Less, delivered, total)
            }
        };
        // The last line: scripts look for it.
        screen.line(&format!("delivered {delivered} of {total}"))?;
        Ok(shown)
    }
}

/// Ctrl-C, or a polite kill.
struct Stop {
    interrupt: Signal,
    terminate: Signal,
}

impl Stop {
    fn listen() -> Result<Self, DemoError> {
        let to = |kind| signal(kind).map_err(DemoError::system("listen for signals"));
        Ok(Self {
            interrupt: to(SignalKind::interrupt())?,
            terminate: to(SignalKind::terminate())?,
        })
    }

    async fn wanted(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
