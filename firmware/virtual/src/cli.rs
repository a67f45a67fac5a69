//! The command line of `virtual-board`: arguments, the status line and the exit code.
//!
//! Never a board's business.

use std::io::{IsTerminal, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use board::Config;
use clap::{Args, Parser, Subcommand};
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::clock::OwnClock;
use crate::connector::Connector;
use crate::fixture::Fixture;
use crate::fleet::{Fleet, run_fleet};
use crate::identity::Identity;
use crate::renewal::{RenewalError, Wanted, renew};
use crate::tally::Snapshot;
use crate::virtual_board::Plan;

/// Simulates a fleet of Connectivity Boards against a hub, over DTLS 1.2 and CoAP.
///
/// Each board has its own certificate out of a fixture folder (`cellular-hub fixture`), its own
/// UDP socket and the same core as the real firmware: it sends a SenML pack (seq, temperature,
/// battery, rsrp), keeps it until the hub acknowledges it, and backs off when asked to.
///
/// Exit code: 0 when every reading asked for was acknowledged (or after Ctrl-C without
/// --readings), 1 when not, 2 for arguments or files that cannot be used.
#[derive(Debug, Parser)]
#[command(name = "virtual-board", version)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Arguments {
    /// Something else than readings
    #[command(subcommand)]
    pub action: Option<Action>,
    /// The hub's CoAPS address
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:5684")]
    pub hub: String,
    /// Fixture folder with boards.csv, boards/ and pki/
    #[arg(long, value_name = "DIR", required = true)]
    pub fixture: Option<PathBuf>,
    /// Boards to simulate, in the order of boards.csv
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub count: usize,
    /// Boards of the list to leave out first
    #[arg(long, value_name = "K", default_value_t = 0)]
    pub skip: usize,
    /// Seconds between two readings of a board, give or take a tenth
    #[arg(long, value_name = "S", default_value_t = 60.0, value_parser = seconds)]
    pub interval: f64,
    /// Stop after this many acknowledged readings of each board (without: run until Ctrl-C)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub readings: Option<u64>,
    /// Give up after this many seconds
    #[arg(long, value_name = "S", value_parser = seconds)]
    pub timeout: Option<f64>,
    /// CoAP path to send to
    #[arg(long, value_name = "PATH", default_value = wire::resource::TELEMETRY)]
    pub resource: String,
    /// The boards' own clocks: right, none, or the seconds they are wrong by; unless right, each
    /// board asks the hub for the time on every connection
    #[arg(long, value_name = "CLOCK", default_value = "right", allow_hyphen_values = true)]
    pub clock: OwnClock,
    /// Name that the hub's certificate must carry
    #[arg(long, value_name = "NAME", default_value = "localhost")]
    pub server_name: String,
    /// Root of the hub's certificate, PEM or DER (default: pki/root.pem of the fixture)
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,
    /// Handshakes in progress at a time; the other boards wait
    #[arg(long, value_name = "N", default_value_t = 64)]
    pub handshakes: usize,
    /// Seed of the simulated weather, jitter and back-off
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Print the counters as a line of JSON to stdout at the end
    #[arg(long)]
    pub json: bool,
}

/// What a board can do beside sending readings.
#[derive(Debug, Subcommand)]
pub enum Action {
    /// Has each board make a key, get a certificate for it over its session (EST, /sen), and use it
    Enrol(RenewArguments),
    /// Has each board replace its key and certificate over its session (EST, /sren), and use them
    Renew(RenewArguments),
}

/// Which boards, and how.
#[derive(Debug, Args)]
pub struct RenewArguments {
    /// The hub's CoAPS address
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:5684")]
    pub hub: String,
    /// Fixture folder; the boards' .cert.der and .key.der in it are replaced
    #[arg(long, value_name = "DIR")]
    pub fixture: PathBuf,
    /// Boards, in the order of boards.csv
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub count: usize,
    /// Boards of the list to leave out first
    #[arg(long, value_name = "K", default_value_t = 0)]
    pub skip: usize,
    /// Name that the hub's certificate must carry
    #[arg(long, value_name = "NAME", default_value = "localhost")]
    pub server_name: String,
    /// Root of the hub's certificate, PEM or DER (default: pki/root.pem of the fixture)
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,
    /// Bytes of a block: 16, 32, 64, 128, 256, 512 or 1024
    #[arg(long, value_name = "BYTES", default_value_t = 512, value_parser = block_size)]
    pub block: u16,
    /// Print what each took as a line of JSON to stdout
    #[arg(long)]
    pub json: bool,
}

fn block_size(text: &str) -> Result<u16, String> {
    match text.parse::<u16>() {
        Ok(size) if size.is_power_of_two() && (16..=1024).contains(&size) => Ok(size),
        _ => Err("16, 32, 64, 128, 256, 512 or 1024".to_owned()),
    }
}

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(seconds) if (0.001..=31_536_000.0).contains(&seconds) => Ok(seconds),
        _ => Err("a number of seconds from 0.001 to 31536000".to_owned()),
    }
}

/// Runs what `arguments` ask for. Writes to stderr, with --json to stdout as well.
pub async fn run(arguments: Arguments) -> ExitCode {
    match &arguments.action {
        None => {}
        Some(Action::Enrol(which)) => return renew_all(which, Wanted::Enrolment).await,
        Some(Action::Renew(which)) => return renew_all(which, Wanted::Renewal).await,
    }
    let fleet = match fleet(&arguments).await {
        Ok(fleet) => fleet,
        Err(error) => {
            say(&format!("virtual-board: {error}"));
            return ExitCode::from(2);
        }
    };
    let asked = arguments.readings.map(|readings| {
        readings.saturating_mul(u64::try_from(arguments.count).unwrap_or(u64::MAX))
    });
    let (stop, stopped) = watch::channel(false);
    let tally = Arc::clone(&fleet.tally);
    let mut boards = tokio::spawn(run_fleet(fleet, stopped));
    let deadline = arguments.timeout.map(|s| Instant::now() + Duration::from_secs_f64(s));
    let mut ticks = interval(Duration::from_secs(1));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let shows_status = std::io::stderr().is_terminal();
    let end = loop {
        tokio::select! {
            end = &mut boards => break end.unwrap_or_else(|_| tally.snapshot()),
            _ = tokio::signal::ctrl_c() => { stop.send_replace(true); }
            _ = ticks.tick() => {
                if shows_status {
                    overwrite(&status(&tally.snapshot(), asked));
                }
                if deadline.is_some_and(|at| Instant::now() >= at) {
                    stop.send_replace(true);
                }
            }
        }
    };
    if shows_status {
        overwrite("");
    }
    conclude(&end, asked, arguments.json)
}

async fn fleet(arguments: &Arguments) -> Result<Fleet, String> {
    let hub = resolve(&arguments.hub).await?;
    let folder = arguments.fixture.as_deref().ok_or("--fixture is missing")?;
    let fixture = Fixture::new(folder);
    let ca = arguments.ca.clone().unwrap_or_else(|| fixture.root());
    let connector = Connector::new(hub, &arguments.server_name, &ca, arguments.handshakes)
        .map_err(|error| error.to_string())?;
    let identities =
        fixture.boards(arguments.skip, arguments.count).map_err(|error| error.to_string())?;
    let plan = Plan {
        interval: Duration::from_secs_f64(arguments.interval),
        readings: arguments.readings,
        resource: arguments.resource.clone(),
        clock: arguments.clock,
        core: Config { learns_time: arguments.clock != OwnClock::Right, ..Config::default() },
    };
    Ok(Fleet { identities, connector, plan, seed: arguments.seed, tally: Arc::default() })
}

/// One board after the other; stops at the first that gets nothing.
async fn renew_all(which: &RenewArguments, wanted: Wanted) -> ExitCode {
    match try_renew_all(which, wanted).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(Trouble::Arguments(error)) => {
            say(&format!("virtual-board: {error}"));
            ExitCode::from(2)
        }
        Err(Trouble::Renewal(board, error)) => {
            say(&format!("virtual-board: {board}: {error}"));
            ExitCode::from(1)
        }
    }
}

enum Trouble {
    Arguments(String),
    Renewal(String, RenewalError),
}

async fn try_renew_all(which: &RenewArguments, wanted: Wanted) -> Result<(), Trouble> {
    let unusable = |error: &dyn std::fmt::Display| Trouble::Arguments(error.to_string());
    let hub = resolve(&which.hub).await.map_err(Trouble::Arguments)?;
    let fixture = Fixture::new(&which.fixture);
    let ca = which.ca.clone().unwrap_or_else(|| fixture.root());
    let connector =
        Connector::new(hub, &which.server_name, &ca, 1).map_err(|error| unusable(&error))?;
    let boards = fixture.entries(which.skip, which.count).map_err(|error| unusable(&error))?;
    let exponent = u8::try_from(which.block.ilog2().saturating_sub(4)).unwrap_or(0);
    for (board, files) in boards {
        let identity = Identity::from_files(&board, &files.certificate, &files.key)
            .map_err(|error| unusable(&error))?;
        let renewed = renew(&connector, &identity, wanted, exponent).await;
        let renewed = renewed.map_err(|error| Trouble::Renewal(board, error))?;
        if which.json
            && let Ok(line) = serde_json::to_string(&renewed)
        {
            drop(writeln!(std::io::stdout(), "{line}"));
        }
        say(&format!(
            "{}: a certificate of {} bytes in {} ms; sent {} messages of {} bytes, received {} of {}; \
             it is in use",
            renewed.board,
            renewed.certificate_bytes,
            renewed.elapsed_ms,
            renewed.datagrams_sent,
            renewed.bytes_sent,
            renewed.datagrams_received,
            renewed.bytes_received,
        ));
    }
    Ok(())
}

async fn resolve(hub: &str) -> Result<SocketAddr, String> {
    let mut found =
        tokio::net::lookup_host(hub).await.map_err(|error| format!("--hub {hub}: {error}"))?;
    found.next().ok_or_else(|| format!("--hub {hub}: no address"))
}

fn status(now: &Snapshot, asked: Option<u64>) -> String {
    let of = asked.map(|asked| format!(" of {asked}")).unwrap_or_default();
    format!(
        "{} of {} boards online · {}{of} readings acknowledged, mean {} ms · {} put off, \
         {} rejected · {} failed handshakes · {} renewed",
        now.online,
        now.boards,
        now.acknowledged,
        now.acknowledge_ms_mean,
        now.deferred,
        now.rejected,
        now.handshakes_failed,
        now.renewed,
    )
}

fn conclude(end: &Snapshot, asked: Option<u64>, json: bool) -> ExitCode {
    if json && let Ok(line) = serde_json::to_string(end) {
        drop(writeln!(std::io::stdout(), "{line}"));
    }
    say(&status(end, asked));
    match asked {
        Some(asked) if end.acknowledged < asked => {
            let missing = asked - end.acknowledged;
            let trouble = end.trouble.as_deref().unwrap_or("stopped before");
            say(&format!("virtual-board: {missing} readings were not acknowledged ({trouble})"));
            ExitCode::from(1)
        }
        Some(_) | None => ExitCode::SUCCESS,
    }
}

fn say(line: &str) {
    drop(writeln!(std::io::stderr(), "{line}"));
}

/// Replaces the status line of a terminal.
fn overwrite(line: &str) {
    let mut stderr = std::io::stderr();
    drop(write!(stderr, "\r\x1b[2K{line}"));
    drop(stderr.flush());
}
