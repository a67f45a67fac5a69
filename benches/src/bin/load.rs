//! `load`: boards by the thousand against a hub (or any DTLS 1.2 server), with one table at the end.
//!
//! How to run it with the server on a core of its own, and what to read out of it: `benches/README.md`.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use actors::link::cipher::Suite;
use benches::load::client::{ConnectionIds, Profile};
use benches::load::coap::Post;
use benches::load::error::LoadError;
use benches::load::fixture::Fixture;
use benches::load::fleet::Fleet;
use benches::load::report::Report;
use benches::load::server::Server;
use benches::load::{handshakes, idle, post, resume};
use clap::{Args, Parser, Subcommand, ValueEnum};

/// Loads a hub with boards of its own fixture: each has its certificate, socket and session.
#[derive(Debug, Parser)]
#[command(name = "load", version)]
struct Arguments {
    /// Folder made by `cellular-hub fixture --boards N --dir D`
    #[arg(long, value_name = "DIR")]
    fixture: PathBuf,
    /// Where the hub listens
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:5684")]
    hub: SocketAddr,
    /// The server's process id: adds its processor time and memory to the figures
    #[arg(long, value_name = "PID")]
    server_pid: Option<u32>,
    /// Cipher suite to offer
    #[arg(long, value_enum, default_value_t = SuiteName::Gcm)]
    suite: SuiteName,
    /// Offer Connection IDs (RFC 9146), as the boards' modem does
    #[arg(long)]
    cid: bool,
    /// One JSON object instead of the table
    #[arg(long)]
    json: bool,
    #[command(subcommand)]
    run: Run,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum SuiteName {
    /// ECDHE-ECDSA-AES128-GCM-SHA256
    Gcm,
    /// ECDHE-ECDSA-AES128-CCM
    Ccm,
    /// ECDHE-ECDSA-AES128-CCM8
    Ccm8,
}

#[derive(Debug, Subcommand)]
enum Run {
    /// Full mutual handshakes, each from a new socket
    Handshakes {
        /// For how long
        #[arg(long, default_value_t = 10)]
        seconds: u64,
        /// Handshakes at a time
        #[arg(long, default_value_t = 64)]
        parallel: usize,
        /// Leave the sessions open instead of closing each with an alert
        #[arg(long)]
        keep: bool,
    },
    /// Abbreviated handshakes by session id, each from a new socket, after a full one a board
    Resume {
        /// Boards
        #[arg(long, default_value_t = 1000)]
        sessions: usize,
        /// For how long
        #[arg(long, default_value_t = 10)]
        seconds: u64,
        /// Handshakes at a time
        #[arg(long, default_value_t = 64)]
        parallel: usize,
        /// Send a reading to `d` right behind each: it ends with the answer then
        #[arg(long)]
        reading: bool,
    },
    /// Confirmable POSTs over open sessions
    Post {
        #[command(flatten)]
        reading: Reading,
        /// Boards
        #[arg(long, default_value_t = 1000)]
        sessions: usize,
        /// For how long, after a second of warming up
        #[arg(long, default_value_t = 10)]
        seconds: u64,
        /// Requests in flight a board (CoAP's NSTART is 1)
        #[arg(long, default_value_t = 1)]
        window: usize,
        /// Handshakes at a time while the sessions are opened
        #[arg(long, default_value_t = 64)]
        parallel: usize,
    },
    /// Sessions that send one reading each and stay: memory a session. Needs a socket a board:
    /// raise `ulimit -n` above their number first
    Idle {
        #[command(flatten)]
        reading: Reading,
        /// Boards
        #[arg(long, default_value_t = 10_000)]
        sessions: usize,
        /// Handshakes at a time
        #[arg(long, default_value_t = 64)]
        parallel: usize,
    },
}

#[derive(Debug, Args)]
struct Reading {
    /// Resource to post to: the fixture's `d` is discarded, `t` goes to the broker
    #[arg(long, default_value = "d")]
    resource: String,
    /// Bytes of a reading
    #[arg(long, default_value_t = 64)]
    payload: usize,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let mut words = error.to_string();
            let mut cause: &dyn std::error::Error = &error;
            while let Some(next) = cause.source() {
                words = format!("{words}: {next}");
                cause = next;
            }
            let _ = writeln!(io::stderr(), "load: {words}");
            ExitCode::from(2)
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), LoadError> {
    let suite = match arguments.suite {
        SuiteName::Gcm => Suite::EcdheEcdsaAes128GcmSha256,
        SuiteName::Ccm => Suite::EcdheEcdsaAes128Ccm,
        SuiteName::Ccm8 => Suite::EcdheEcdsaAes128Ccm8,
    };
    let cid = if arguments.cid { ConnectionIds::Offered } else { ConnectionIds::Absent };
    let fixture = Fixture::open(&arguments.fixture)?;
    let fleet = Fleet::new(arguments.hub, Profile::new(suite, cid)?)?;
    let server = arguments.server_pid.map(Server::new).transpose()?;
    let report = measured(&arguments.run, fleet, &fixture, server, (suite, cid))?;
    let mut out = io::stdout().lock();
    if arguments.json { report.write_json(&mut out) } else { report.write_table(&mut out) }
}

fn measured(
    run: &Run,
    fleet: Fleet,
    fixture: &Fixture,
    server: Option<Server>,
    offered: (Suite, ConnectionIds),
) -> Result<Report, LoadError> {
    match run {
        Run::Handshakes { seconds, parallel, keep } => {
            let (time, parallel) = (Duration::from_secs(*seconds), *parallel);
            let afterwards =
                if *keep { handshakes::Afterwards::Keep } else { handshakes::Afterwards::Close };
            let run = handshakes::Handshakes { time, parallel, server, afterwards };
            handshakes::run(fleet, fixture, &run)
        }
        Run::Resume { sessions, seconds, parallel, reading } => {
            let (suite, ids) = offered;
            let run = resume::Resumes {
                sessions: *sessions,
                time: Duration::from_secs(*seconds),
                parallel: *parallel,
                suite,
                ids,
                reading: reading.then(|| Post::new("d", 64)),
                server,
            };
            resume::run(fleet, fixture, &run)
        }
        Run::Post { reading, sessions, seconds, window, parallel } => {
            let run = post::Posts {
                sessions: *sessions,
                parallel: *parallel,
                resource: reading.resource.clone(),
                payload: reading.payload,
                time: Duration::from_secs(*seconds),
                window: *window,
                server,
            };
            post::run(fleet, fixture, &run)
        }
        Run::Idle { reading, sessions, parallel } => {
            let run = idle::Idle {
                sessions: *sessions,
                parallel: *parallel,
                resource: reading.resource.clone(),
                payload: reading.payload,
                server,
            };
            idle::run(fleet, fixture, &run)
        }
    }
}
