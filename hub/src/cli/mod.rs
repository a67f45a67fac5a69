//! The command line: parse, call, answer. Every command that changes something does it in the
//! store or the pki folder, or has a running hub do it, and returns when that is durable.
//!
//! Invariant: no rule of the hub is decided here; commands translate between people and modules.

mod api_token;
mod approval;
mod audit;
mod authority;
mod backup;
mod batch;
mod board;
mod ca;
mod ca_root;
mod campaign;
mod certificate;
mod configuration;
#[cfg(feature = "demo")]
mod demo;
mod factory;
mod failure;
mod firmware;
mod fixture;
mod invocation;
mod key;
pub mod logging;
mod output;
mod quota;
mod remote;
mod restore;
mod rollout;
mod route;
mod secret;
mod serve;
mod station;
mod store;
mod tenant;
mod token;
mod upstream;
mod user;
mod vault;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::{Args, CommandFactory as _, Parser, Subcommand};
use storage::UnixSeconds;

use self::failure::Failure;
pub(crate) use self::failure::in_one_line;
pub(crate) use self::invocation::author;
use self::invocation::{Invocation, Place};
pub(crate) use self::output::print;
use self::output::{Form, Output, To};
pub(crate) use self::remote::runner;
use crate::config::Source;
use crate::privacy;

/// Runs what the process was asked for and says what to exit with.
pub fn main() -> ExitCode {
    if let Err(error) = privacy::keep_memory_to_itself() {
        output::complain_in_words(&format!("warning: core files may hold keys: {error}"));
    }
    let line = CommandLine::parse();
    match line.run() {
        Ok(code) => code,
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
    /// The certificates of boards.
    #[command(subcommand)]
    Certificate(certificate::Certificate),
    /// The systems of a tenant that take its boards' readings.
    #[command(subcommand)]
    Upstream(upstream::Upstream),
    /// Which upstream takes the readings of which resource.
    #[command(subcommand)]
    Route(route::Route),
    /// The hub's root and server, and certificates by tenants' authorities.
    #[command(subcommand)]
    Ca(ca::Ca),
    /// The authorities that tenants' boards are vouched for by: the hub's, and their own.
    #[command(subcommand)]
    Authority(authority::Authority),
    /// Boards of one authority that renew under another, group by group.
    #[command(subcommand)]
    Campaign(campaign::Campaign),
    /// The keys that sign for the hub, in files or in a hardware security module.
    #[command(subcommand)]
    Key(key::Key),
    /// Firmware of boards: images, who signs them, and what boards may be given.
    #[command(subcommand)]
    Firmware(firmware::Firmware),
    /// Releases for many boards, group by group, which stop by themselves when too many fail.
    #[command(subcommand)]
    Rollout(rollout::Rollout),
    /// The log of what was done to keys, certificates and tenants.
    #[command(subcommand)]
    Audit(audit::Audit),
    /// Production batches: which boards may be enrolled where they are made.
    #[command(subcommand)]
    Batch(batch::Batch),
    /// Production stations, which enrol the boards of batches.
    #[command(subcommand)]
    Station(station::Station),
    /// One-time tokens, each of which enrols one board.
    #[command(subcommand)]
    Token(token::Token),
    /// People who may use the hub, and their roles.
    #[command(subcommand)]
    User(user::User),
    /// Tokens with which people's programs use the API.
    #[command(subcommand)]
    ApiToken(api_token::ApiToken),
    /// What was asked for over the API and takes two people.
    #[command(subcommand)]
    Approval(approval::Approval),
    Factory(factory::Factory),
    Backup(backup::Backup),
    Restore(restore::Restore),
    /// What secrets and sessions in the store are sealed under.
    #[command(subcommand)]
    Vault(vault::Vault),
    /// The store itself.
    #[command(subcommand)]
    Store(store::Store),
    Fixture(fixture::Fixture),
    /// Show and check the configuration.
    #[command(subcommand)]
    Config(configuration::Configuration),
}

impl CommandLine {
    fn run(self) -> Result<ExitCode, Failure> {
        let form = if self.common.json { Form::Json } else { Form::Text };
        let hub = Invocation {
            place: Place::Here(Source::find(self.common.config)),
            output: Output { form, to: To::Stdout },
        };
        let files = self.command.in_a_hub();
        match (self.command.run(&hub), files) {
            (Ok(()), _) => Ok(ExitCode::SUCCESS),
            // It was the first thing to fail: nothing has been done.
            (Err(Failure::InUse(dir)), Some(files)) => remote::ask(&dir, &files),
            (Err(failure), _) => Err(failure),
        }
    }
}

/// The files that a command reads and writes.
#[derive(Debug, Default)]
struct Files {
    read: Vec<PathBuf>,
    /// Those that hold secrets.
    secret: Vec<PathBuf>,
    made: Vec<PathBuf>,
    /// Private keys that are to be made.
    keys: Vec<PathBuf>,
}

impl Command {
    /// The files of a command that a running hub carries out; `None` for one that it does not.
    fn in_a_hub(&self) -> Option<Files> {
        match self {
            Self::Tenant(tenant) => Some(tenant.files()),
            Self::Board(board) => Some(board.files()),
            Self::Certificate(certificate) => Some(certificate.files()),
            Self::Upstream(upstream) => Some(upstream.files()),
            Self::Key(key) => Some(key.files()),
            Self::Firmware(firmware) => Some(firmware.files()),
            Self::Rollout(_) | Self::Campaign(_) => Some(Files::default()),
            Self::Audit(audit) => Some(audit.files()),
            Self::Route(_) => Some(Files::default()),
            Self::Ca(ca) => Some(ca.files()),
            Self::Authority(authority) => Some(authority.files()),
            Self::Batch(batch) => Some(batch.files()),
            Self::Station(station) => Some(station.files()),
            Self::Vault(vault) => vault.files(),
            Self::User(user) => Some(user.files()),
            Self::Token(_) | Self::ApiToken(_) | Self::Approval(_) => Some(Files::default()),
            Self::Serve
            | Self::Factory(_)
            | Self::Backup(_)
            | Self::Restore(_)
            | Self::Store(_)
            | Self::Fixture(_)
            | Self::Config(_) => None,
            #[cfg(feature = "demo")]
            Self::Demo(_) => None,
        }
    }

    fn run(self, hub: &Invocation) -> Result<(), Failure> {
        match self {
            Self::Serve => serve::run(hub),
            #[cfg(feature = "demo")]
            Self::Demo(demo) => demo.run(),
            Self::Tenant(tenant) => tenant.run(hub),
            Self::Board(board) => board.run(hub),
            Self::Certificate(certificate) => certificate.run(hub),
            Self::Upstream(upstream) => upstream.run(hub),
            Self::Route(route) => route.run(hub),
            Self::Ca(ca) => ca.run(hub),
            Self::Authority(authority) => authority.run(hub),
            Self::Campaign(campaign) => campaign.run(hub),
            Self::Key(key) => key.run(hub),
            Self::Firmware(firmware) => firmware.run(hub),
            Self::Rollout(rollout) => rollout.run(hub),
            Self::Audit(audit) => audit.run(hub),
            Self::Batch(batch) => batch.run(hub),
            Self::Station(station) => station.run(hub),
            Self::Token(token) => token.run(hub),
            Self::User(user) => user.run(hub),
            Self::ApiToken(token) => token.run(hub),
            Self::Approval(approval) => approval.run(hub),
            Self::Factory(factory) => factory.run(hub),
            Self::Backup(backup) => backup.run(hub),
            Self::Restore(restore) => restore.run(hub),
            Self::Vault(vault) => vault.run(hub),
            Self::Store(store) => store.run(hub),
            Self::Fixture(fixture) => fixture.run(hub),
            Self::Config(configuration) => configuration.run(hub),
        }
    }
}

/// The command line's clock: the one place in this crate's commands that looks at it.
pub(crate) fn now() -> UnixSeconds {
    UnixSeconds(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()))
}
