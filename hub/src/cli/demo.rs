//! `cellular-hub demo`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::failure::in_one_line;
use super::{Failure, author, now};
use crate::demo::{DemoError, End, Options, Shown, run};

/// Run hub, MQTT broker and virtual boards on this machine and show what arrives.
///
/// Ends at Ctrl-C, or by itself with --once. Certificates and passwords are made on the spot, everything listens on loopback, and the boards
/// are the program `virtual-board` beside this one, over real DTLS and UDP.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Exit codes: 0 all that was to arrive did, or Ctrl-C; 1 readings are missing; 2 it did not start.")]
pub(super) struct Demo {
    /// End when every reading has arrived; `delivered N of N` is then the last line.
    #[arg(long)]
    once: bool,
    /// How many boards.
    #[arg(long, value_name = "N", default_value_t = 50,
          value_parser = clap::value_parser!(u32).range(1..=10_000))]
    boards: u32,
    /// With --once: how many readings of each board.
    #[arg(long, value_name = "N", default_value_t = 10,
          value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    readings: u32,
    /// Seconds between two readings of a board [default: 5; with --once 0.5].
    #[arg(long, value_name = "S", value_parser = seconds)]
    interval: Option<f64>,
    /// With --once: seconds to wait for all readings.
    #[arg(long, value_name = "S", default_value_t = 120)]
    within: u64,
    /// A folder to make everything in and leave, missing or empty [default: a temporary one].
    #[arg(long)]
    dir: Option<PathBuf>,
}

impl Demo {
    pub(super) fn run(self) -> Result<(), Failure> {
        let within = Duration::from_secs(self.within);
        let (end, interval_s) = match self.once {
            true => (End::WhenDelivered { readings: self.readings, within }, 0.5),
            false => (End::WhenStopped, 5.0),
        };
        let options = Options {
            boards: self.boards,
            tenants: 2,
            interval_s: self.interval.unwrap_or(interval_s),
            end,
            dir: self.dir,
            now: now(),
            author: author(),
        };
        match run(&options)? {
            Shown::All => Ok(()),
            Shown::Less => {
                Err(Failure::Refused(String::from("readings are missing; the report says which")))
            }
        }
    }
}

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(seconds) if (0.001..=86_400.0).contains(&seconds) => Ok(seconds),
        _ => Err(String::from("a number of seconds from 0.001 to 86400")),
    }
}

impl From<DemoError> for Failure {
    fn from(error: DemoError) -> Self {
        match error {
            DemoError::Fixture(error) => error.into(),
            DemoError::Trust(error) => error.into(),
            DemoError::Store(error) => error.into(),
            DemoError::Admin(error) => error.into(),
            DemoError::Name(_)
            | DemoError::System { .. }
            | DemoError::Cryptography { .. }
            | DemoError::NoProgram { .. }
            | DemoError::Broker { .. }
            | DemoError::Child { .. } => Self::Unusable(in_one_line(&error)),
        }
    }
}
