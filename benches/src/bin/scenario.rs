//! `scenario`: shows what the hub promises as a whole, each in one table and one line.
//!
//! Exit code 0 where the targets are met, 1 where not, 2 where it could not run.

use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use benches::load::error::LoadError;
use benches::scenario::error::ScenarioError;
use benches::scenario::{
    Size, Verdict, crash, enrol, flood, lists, restart, rollout, scale, sleep, suspend,
};
use clap::{Args, Parser, Subcommand};

/// Shows what the hub promises as a whole, on hubs of its own on free ports of loopback.
///
/// Each scenario prints one table, and as its last line its name and its figure. Exit code 0 means
/// that its targets are met, 1 that they are not, 2 that it could not run.
#[derive(Debug, Parser)]
#[command(name = "scenario", version)]
struct Arguments {
    /// As small as continuous integration runs it: within two minutes
    #[arg(long, global = true)]
    quick: bool,
    /// Chooses instants and samples; the same seed chooses the same
    #[arg(long, global = true, default_value_t = 1)]
    seed: u64,
    /// Boards, or sessions; for `scale` the largest step
    #[arg(long, global = true, value_name = "N")]
    boards: Option<usize>,
    #[command(subcommand)]
    name: Name,
}

#[derive(Clone, Copy, Debug, Subcommand)]
enum Name {
    /// kill -9 at random instants while boards send to a broker: no handshake afterwards, no nonce
    /// twice, nothing recorded taken again, and all that was acknowledged was delivered
    Crash(Crash),
    /// A graceful stop and a kill -9 with all sessions open: how long until each is answered again,
    /// and that it takes no handshake. Target: 2 s for 100,000
    Restart,
    /// Sleeping sessions: memory with and without them, bytes on the disk, time to start; how long
    /// one takes to wake, and what it costs awake. Targets: hub under 80 MB, none for a sleeping
    /// session, 1.5 kB for one awake, 1 ms to wake
    Sleep,
    /// A tenant is suspended while all its boards are awake: how long until the last session has
    /// ended. Target: 1 s for 100,000
    Suspend,
    /// Boards that send once a second, without and with a thread that sends hellos, cookies of
    /// others, half handshakes and rubbish at full rate. Target: 90 % of the goodput
    Flood,
    /// Throughput, latency and cost of a message with 1,000, 10,000, 100,000 and 1,000,000 sessions.
    /// Target: the last with 80 % of the throughput of the first
    Scale,
    /// A station enrols 10,000 boards over HTTPS and is killed and started again in the middle, and
    /// the hub is killed once: every board has one valid certificate, the one the hub knows.
    /// Target: 100 a second, pauses and all
    Enrol,
    /// A million boards in the store, of several tenants, with labels and states: listed, searched,
    /// filtered, sorted and counted. Target: 200 ms for 95 of 100 questions of each kind
    Lists,
    /// 10,000 boards are given a release that fails on one in twenty: the rollout stops itself in the
    /// group and at the failure that it should, and resumed with a better one it completes; the hub is
    /// killed five times. Before that a rollout of a million boards is made. Target: that, in 10 s
    Rollout,
}

#[derive(Args, Clone, Copy, Debug)]
struct Crash {
    /// Kills
    #[arg(long, value_name = "N")]
    rounds: Option<usize>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments).and_then(|verdict| told(&arguments, &verdict)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            let mut words = error.to_string();
            let mut cause: &dyn Error = &error;
            while let Some(next) = cause.source() {
                words = format!("{words}: {next}");
                cause = next;
            }
            let _ = writeln!(io::stderr(), "scenario: {words}");
            ExitCode::from(2)
        }
    }
}

fn run(arguments: &Arguments) -> Result<Verdict, ScenarioError> {
    let size = if arguments.quick { Size::Quick } else { Size::Full };
    match arguments.name {
        Name::Crash(Crash { rounds }) => {
            let usual = crash::Options::of(size, arguments.seed);
            let boards = arguments.boards.unwrap_or(usual.boards);
            crash::run(&crash::Options { boards, rounds: rounds.unwrap_or(usual.rounds), ..usual })
        }
        Name::Restart => {
            let usual = restart::Options::of(size);
            restart::run(&restart::Options { boards: arguments.boards.unwrap_or(usual.boards) })
        }
        Name::Sleep => {
            let usual = sleep::Options::of(size);
            let sleeping = arguments.boards.unwrap_or(usual.sleeping);
            sleep::run(&sleep::Options { sleeping, ..usual })
        }
        Name::Suspend => {
            let usual = suspend::Options::of(size);
            suspend::run(&suspend::Options { boards: arguments.boards.unwrap_or(usual.boards) })
        }
        Name::Flood => {
            let usual = flood::Options::of(size, arguments.seed);
            let boards = arguments.boards.unwrap_or(usual.boards);
            flood::run(&flood::Options { boards, ..usual })
        }
        Name::Enrol => {
            let usual = enrol::Options::of(size, arguments.seed);
            let boards = arguments.boards.unwrap_or(usual.boards);
            enrol::run(&enrol::Options { boards, ..usual })
        }
        Name::Lists => {
            let usual = lists::Options::of(size, arguments.seed);
            let boards = arguments.boards.unwrap_or(usual.boards);
            lists::run(&lists::Options { boards, ..usual })
        }
        Name::Rollout => {
            let usual = rollout::Options::of(size, arguments.seed);
            let boards = arguments.boards.unwrap_or(usual.boards);
            rollout::run(&rollout::Options { boards, ..usual })
        }
        Name::Scale => {
            let mut options = scale::Options::of(size);
            if let Some(most) = arguments.boards {
                options.sessions.retain(|sessions| *sessions < most);
                options.sessions.push(most);
                options.time = options.time.max(Duration::from_secs(5));
            }
            scale::run(&options)
        }
    }
}

/// Prints the table and the last line; whether the targets are met.
fn told(arguments: &Arguments, verdict: &Verdict) -> Result<bool, ScenarioError> {
    let name = match arguments.name {
        Name::Crash(_) => "crash",
        Name::Restart => "restart",
        Name::Sleep => "sleep",
        Name::Suspend => "suspend",
        Name::Flood => "flood",
        Name::Scale => "scale",
        Name::Enrol => "enrol",
        Name::Lists => "lists",
        Name::Rollout => "rollout",
    };
    let mut out = io::stdout().lock();
    verdict.report.write_table(&mut out)?;
    writeln!(out, "{name}: {}", verdict.figure).map_err(LoadError::Report)?;
    Ok(verdict.met)
}
