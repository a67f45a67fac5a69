//! `cellular-hub store`.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use indicatif::HumanBytes;
use storage::backup::{restore, verify};
use storage::check::Report;
use storage::{Store as OpenStore, StoreError};

use super::backup::{not_asked, records_bar};
use super::failure::in_one_line;
use super::{Failure, Invocation};
use crate::control::{self, Request};

/// Problems that are shown to people; --json has more.
const SHOWN: usize = 20;

#[derive(Debug, Subcommand)]
pub(super) enum Store {
    /// Read everything in the store, or in a backup, and say what does not add up.
    ///
    /// Every record is decoded and every index followed both ways. Nothing is repaired. A running
    /// hub checks its own store; whoever changes the registry waits meanwhile, boards do not.
    /// Exit codes: 0 all is well; 1 problems were found; 2 it could not be tried.
    Check {
        /// Check this backup instead; it is restored into a temporary folder for that.
        backup: Option<PathBuf>,
    },
    /// Remove every session: each board has to shake hands again.
    ///
    /// For a store that is a copy of another, or older than it was. The hub must be stopped. Where the
    /// master key is lost: `cellular-hub vault reset`.
    ForgetSessions,
}

impl Store {
    pub(super) fn run(self, hub: &Invocation) -> Result<(), Failure> {
        match self {
            Self::Check { backup } => check(hub, backup),
            Self::ForgetSessions => {
                hub.store()?.forget_sessions()?;
                let answer = serde_json::json!({ "forgotten": "sessions" });
                hub.output.answer(&answer, || String::from("every session is forgotten"))
            }
        }
    }
}

fn check(hub: &Invocation, backup: Option<PathBuf>) -> Result<(), Failure> {
    let report = match backup {
        Some(file) => of_backup(&file)?,
        None => match OpenStore::open(&hub.store_dir()?) {
            Ok(store) => of_store(&store)?,
            Err(StoreError::Locked { dir }) => of_hub(&dir)?,
            // It could be tried, and this is what was found.
            Err(error @ StoreError::Damaged { .. }) => {
                return Err(Failure::Refused(in_one_line(&error)));
            }
            Err(other) => return Err(other.into()),
        },
    };
    hub.output.answer(&report, || table(&report))?;
    match report.problems_total {
        0 => Ok(()),
        1 => Err(Failure::Refused(String::from("1 problem was found"))),
        count => Err(Failure::Refused(format!("{count} problems were found"))),
    }
}

fn of_store(store: &OpenStore) -> Result<Report, Failure> {
    let bar = records_bar(store.count_for_backup()?);
    let report = store.check(|records| bar.inc(records));
    bar.finish_and_clear();
    Ok(report?)
}

fn of_hub(dir: &Path) -> Result<Report, Failure> {
    let answer = control::ask(dir, Request::Check).map_err(|error| not_asked(error, dir))?;
    serde_json::from_reader(answer.body)
        .map_err(|_| Failure::Unusable(String::from("the running hub's report breaks off")))
}

fn of_backup(file: &Path) -> Result<Report, Failure> {
    let records = verify(file)?.records;
    let name = format!("cellular-hub-check-{}", std::process::id());
    let folder = Temporary(std::env::temp_dir().join(name));
    let bar = records_bar(records);
    let restored = restore(file, &folder.0, None, |count| bar.inc(count));
    bar.finish_and_clear();
    restored?;
    of_store(&OpenStore::open(&folder.0)?)
}

/// A folder that is removed when it is no longer needed.
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn table(report: &Report) -> String {
    let mut text = format!("{:<24} {:>10} {:>12} {:>9}\n", "TREE", "RECORDS", "BYTES", "PROBLEMS");
    for (name, tree) in &report.trees {
        let size = HumanBytes(tree.bytes).to_string();
        text += &format!("{name:<24} {:>10} {size:>12} {:>9}", tree.records, tree.problems);
        text += if tree.is_known { "\n" } else { "  unknown to this hub\n" };
    }
    for problem in report.problems.iter().take(SHOWN) {
        text += &format!("{} {}: {}\n", problem.tree, problem.key, problem.what);
    }
    let more = report.problems_total.saturating_sub(SHOWN as u64);
    if more > 0 {
        text += &format!("and {more} more\n");
    }
    text
}
