//! What the demo shows: where to look, what arrives, how far it is. A bar on a terminal, plain
//! lines elsewhere.

use std::io::{IsTerminal as _, Write as _, stderr, stdout};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::delivery::{Arrival, Delivery};
use super::site::{Site, VIEWER};
use super::{DemoError, End, Options};

/// At most one reading a so long is shown: people read, the rest is counted.
const A_READING_EVERY: Duration = Duration::from_millis(250);

/// Between two lines about how far it is, where there is no bar.
const A_LINE_EVERY: Duration = Duration::from_secs(2);

/// Standard output, with a bar below it on a terminal.
pub(super) struct Screen {
    bar: ProgressBar,
    has_bar: bool,
    started: Instant,
    reading_shown: Option<Instant>,
    line_shown: Instant,
    line_said: u64,
}

impl Screen {
    pub(super) fn new(options: &Options) -> Result<Self, DemoError> {
        let has_bar = stdout().is_terminal() && stderr().is_terminal();
        let bar = match (has_bar, options.end) {
            (false, _) => ProgressBar::hidden(),
            (true, End::WhenStopped) => ProgressBar::no_length().with_style(style("{spinner}")),
            (true, End::WhenDelivered { readings, .. }) => {
                let total = u64::from(readings).saturating_mul(u64::from(options.boards));
                ProgressBar::new(total).with_style(style("{bar:30}"))
            }
        };
        let (started, line_shown) = (Instant::now(), Instant::now());
        Ok(Self { bar, has_bar, started, reading_shown: None, line_shown, line_said: 0 })
    }

    pub(super) fn line(&self, text: &str) -> Result<(), DemoError> {
        let say = || writeln!(stdout().lock(), "{text}");
        self.bar.suspend(say).map_err(DemoError::system("write to standard output"))
    }

    /// Says where everything is; `setup` is the hub's line with the link for its first admin.
    pub(super) fn introduce(&self, site: &Site, setup: Option<&str>) -> Result<(), DemoError> {
        let (broker, ca) = (site.broker, site.broker_ca.display());
        let tenants: Vec<_> = site.logins.iter().map(|(user, _)| user.as_str()).collect();
        let fate = if site.is_temporary() { "removed at the end" } else { "left at the end" };
        self.line("")?;
        self.line(&format!("  boards    coaps://{} (DTLS 1.2 over UDP)", site.hub))?;
        self.line(&format!("  metrics   http://{}/metrics", site.monitoring))?;
        if let Some(link) = setup {
            self.line(&format!("  web UI    {link} (makes the first admin)"))?;
        }
        self.line(&format!("  API       https://{}/api/docs/", site.https))?;
        self.line(&format!("  broker    mqtts://{broker}, users {}", tenants.join(", ")))?;
        self.line(&format!("  its CA    {ca}"))?;
        self.line(&format!("  files     {} ({fate})", site.dir().display()))?;
        for port in &site.taken {
            self.line(&format!("  note      port {port} is taken by another program"))?;
        }
        self.line("  subscribe beside this:")?;
        self.line(&format!(
            "    mosquitto_sub -V 5 -h {} -p {} --cafile {ca} -u {VIEWER} -P {} -t '#' -F '%t %l bytes'",
            broker.ip(),
            broker.port(),
            site.password(VIEWER),
        ))?;
        self.line("")?;
        self.line("What arrives at the broker (Ctrl-C ends the demo):")
    }

    pub(super) fn arrived(
        &mut self,
        arrival: &Arrival,
        delivery: &Delivery,
    ) -> Result<(), DemoError> {
        self.bar.set_position(delivery.delivered().0);
        if self.reading_shown.is_some_and(|at| at.elapsed() < A_READING_EVERY) {
            return Ok(());
        }
        self.reading_shown = Some(Instant::now());
        let Arrival { tenant, board, seq, measured } = arrival;
        self.line(&format!("  {tenant}  {board}  #{seq:<4} {measured}"))
    }

    pub(super) fn tick(&mut self, delivery: &Delivery) -> Result<(), DemoError> {
        let ((there, _), (heard, boards)) = (delivery.delivered(), delivery.boards());
        let seconds = self.started.elapsed().as_secs();
        let far = format!("{there} readings from {heard} of {boards} boards in {seconds} s");
        if self.has_bar {
            self.bar.set_message(far);
            self.bar.tick();
        } else if self.line_shown.elapsed() >= A_LINE_EVERY && there != self.line_said {
            (self.line_shown, self.line_said) = (Instant::now(), there);
            self.line(&far)?;
        }
        Ok(())
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

fn style(sign: &str) -> ProgressStyle {
    ProgressStyle::with_template(&format!("{sign} {{msg}}"))
        .unwrap_or_else(|_| ProgressStyle::default_bar())
}
