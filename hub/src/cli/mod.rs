//! The command line: parse, call, answer. Every command that changes something does it in the
//! store or the pki folder and returns when that is durable.
//!
//! Invariant: no rule of the hub is decided here; commands translate between people and modules.

mod backup;
mod batch;
mod board;
mod ca;
mod configuration;
#[cfg(feature = "demo")]
mod demo;
mod factory;
mod failure;
mod fixture;
pub mod logging;
mod output;
mod quota;
mod restore;
mod route;
mod serve;
mod station;
mod store;
mod tenant;
mod token;
mod upstream;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::{Args, CommandFactory as _, Parser, Subcommand};
use storage::{Store, Tenant, TenantId, UnixSeconds};

use self::failure::Failure;
pub(crate) use self::failure::in_one_line;
use self::output::Output;
use crate::config::{Config, Source};
use crate::trust::Pki;

/// Runs what the process was asked for and says what to exit with.
pub fn main() -> ExitCode {
    let line = CommandLine::parse();
    match line.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if !failure.is_silent() {
                output::complain(&failure);
            }
            failure.exit_code()
        }
    }
}

/// The whole command line, for help pages and completions.
pub fn command() -> clap::Command {
    CommandLine::command()
}

/// A self-hosted hub for cellular Connectivity Boards: DTLS in, each customer's cloud out.
#[derive(Debug, Parser)]
#[command(name = "cellular-hub", version, max_term_width = 100, after_long_help = EXAMPLES)]
struct CommandLine {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  A hub from nothing, with a tenant, a broker and a board:
    cellular-hub config print > hub.toml
    cellular-hub ca init --server-name hub.example.com
    cellular-hub tenant add acme --name 'Acme Water'
    cellular-hub upstream add broker --tenant acme --mqtt mqtts://broker.acme.example
    cellular-hub route add t --tenant acme --upstream broker
    cellular-hub ca issue CB-1 --tenant acme --csr cb-1.csr --out cb-1.pem
    cellular-hub serve

  A hub with a thousand boards, to point a load generator at:
    cellular-hub fixture --boards 1000 --dir /tmp/hub
    cellular-hub serve --config /tmp/hub/hub.toml

Exit codes: 0 done; 1 refused by a rule of the hub; 2 could not be tried (bad configuration,
missing file, taken port, store in use, unknown name).";

/// Options of every command.
#[derive(Args, Debug)]
struct Common {
    /// Configuration file [default: $CELLULAR_HUB_CONFIG, else ./hub.toml if there, else defaults].
    #[arg(long, global = true, value_name = "FILE", help_heading = "Common options")]
    config: Option<PathBuf>,
    /// Answer in JSON, one document a line.
    #[arg(long, global = true, help_heading = "Common options")]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the hub until SIGTERM or Ctrl-C.
    Serve,
    #[cfg(feature = "demo")]
    Demo(demo::Demo),
    /// Customers: each with its own boards, certificate authority, upstreams and routes.
    #[command(subcommand)]
    Tenant(tenant::Tenant),
    /// Connectivity Boards, each known by its hardware id and its certificate.
    #[command(subcommand)]
    Board(board::Board),
    /// The systems of a tenant that take its boards' readings.
    #[command(subcommand)]
    Upstream(upstream::Upstream),
    /// Which upstream takes the readings of which resource.
    #[command(subcommand)]
    Route(route::Route),
    /// The hub's certificate authorities.
    #[command(subcommand)]
    Ca(ca::Ca),
    /// Production batches: which boards may be enrolled where they are made.
    #[command(subcommand)]
    Batch(batch::Batch),
    /// Production stations, which enrol the boards of batches.
    #[command(subcommand)]
    Station(station::Station),
    /// One-time tokens, each of which enrols one board.
    #[command(subcommand)]
    Token(token::Token),
    Factory(factory::Factory),
    Backup(backup::Backup),
    Restore(restore::Restore),
    /// The store itself.
    #[command(subcommand)]
    Store(store::Store),
    Fixture(fixture::Fixture),
    /// Show and check the configuration.
    #[command(subcommand)]
    Config(configuration::Configuration),
}

impl CommandLine {
    fn run(self) -> Result<(), Failure> {
        let hub = Invocation {
            source: Source::find(self.common.config),
            output: if self.common.json { Output::Json } else { Output::Text },
        };
        match self.command {
            Command::Serve => serve::run(&hub),
            #[cfg(feature = "demo")]
            Command::Demo(demo) => demo.run(),
            Command::Tenant(tenant) => tenant.run(&hub),
            Command::Board(board) => board.run(&hub),
            Command::Upstream(upstream) => upstream.run(&hub),
            Command::Route(route) => route.run(&hub),
            Command::Ca(ca) => ca.run(&hub),
            Command::Batch(batch) => batch.run(&hub),
            Command::Station(station) => station.run(&hub),
            Command::Token(token) => token.run(&hub),
            Command::Factory(factory) => factory.run(&hub),
            Command::Backup(backup) => backup.run(&hub),
            Command::Restore(restore) => restore.run(&hub),
            Command::Store(store) => store.run(&hub),
            Command::Fixture(fixture) => fixture.run(&hub),
            Command::Config(configuration) => configuration.run(&hub),
        }
    }
}

/// What a command works on and how it answers.
struct Invocation {
    source: Source,
    output: Output,
}

impl Invocation {
    fn config(&self) -> Result<Config, Failure> {
        Ok(Config::load(&self.source)?)
    }

    /// The store, made when there is none.
    fn store_or_new(&self) -> Result<Store, Failure> {
        Ok(Store::open(&self.config()?.store.dir)?)
    }

    /// The store, which must be there: a mistyped --config makes no empty store.
    fn store(&self) -> Result<Store, Failure> {
        Ok(Store::open(&self.store_dir()?)?)
    }

    /// The store's folder, which must be there.
    fn store_dir(&self) -> Result<PathBuf, Failure> {
        let dir = self.config()?.store.dir;
        if !dir.exists() {
            let way_out = "`cellular-hub tenant add` makes one, or name another with --config";
            return Err(Failure::unknown("store at", dir.display(), way_out));
        }
        Ok(dir)
    }

    fn pki(&self) -> Result<Pki, Failure> {
        Ok(Pki::at(&self.config()?.trust.dir))
    }
}

/// The tenant, or what to do without it.
fn tenant_of(store: &Store, id: &TenantId) -> Result<Tenant, Failure> {
    let way_out = "`cellular-hub tenant list` shows all";
    store.tenants().find(id)?.ok_or_else(|| Failure::unknown("tenant", id, way_out))
}

/// The command line's clock: the one place in this crate's commands that looks at it.
fn now() -> UnixSeconds {
    UnixSeconds(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()))
}
