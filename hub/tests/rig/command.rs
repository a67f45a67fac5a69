//! The hub's own commands, on a site.

use std::process::Command;

use super::PATIENCE;
use super::process::{Finished, Process};
use super::site::{CELLULAR_HUB, Site};

/// Runs a command on the site to its end, in the hub where one runs.
pub fn run(site: &Site, arguments: &[&str]) -> Finished {
    let mut command = Command::new(CELLULAR_HUB);
    command.args(arguments).arg("--config").arg(site.path("hub.toml"));
    Process::run(&mut command, PATIENCE)
}

/// The same, with something to read on standard input.
pub fn run_with(site: &Site, arguments: &[&str], input: &[u8]) -> Finished {
    let mut command = Command::new(CELLULAR_HUB);
    command.args(arguments).arg("--config").arg(site.path("hub.toml"));
    Process::run_reading(&mut command, input, PATIENCE)
}

/// Runs a command that must succeed.
pub fn done(site: &Site, arguments: &[&str]) -> String {
    let said = run(site, arguments);
    assert!(said.status.success(), "{arguments:?}: {said:?}");
    said.stdout
}

/// Runs a command that must fail with this code, in one line that says this.
#[track_caller]
pub fn refused(site: &Site, arguments: &[&str], code: i32, words: &[&str]) {
    let said = run(site, arguments);
    assert_eq!(said.status.code(), Some(code), "{arguments:?}: {said:?}");
    for word in words {
        assert!(said.stderr.contains(word), "{word:?} is missing: {}", said.stderr);
    }
    assert_eq!(said.stderr.lines().count(), 1, "{}", said.stderr);
}
