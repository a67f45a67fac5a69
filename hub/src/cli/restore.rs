//! `cellular-hub restore`.

use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use indicatif::HumanCount;
use serde_json::json;
use storage::backup::{restore, verify};

use super::backup::records_bar;
use super::{Failure, Invocation, now, output};

/// Make a store of a backup.
///
/// The store is made in `store.dir` of the configuration, which must be missing or empty, and no
/// hub may run on it. The backup's checksum is checked first, and a store that is there is never
/// overwritten. There are no sessions in a backup: boards shake hands anew. What happened after the
/// backup was made is not in it; above all, a board that was blocked since may connect again.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  The hub is stopped, its store is damaged:
    cellular-hub restore monday.backup --replace
  To look at it first, while the hub runs:
    cellular-hub restore monday.backup --into /var/lib/hub/store-monday")]
pub(super) struct Restore {
    /// The backup.
    file: PathBuf,
    /// Make the store in this folder instead: missing, or empty.
    #[arg(long, value_name = "DIR")]
    into: Option<PathBuf>,
    /// Move a store that is there aside, to DIR.before-<time>; it is not deleted.
    #[arg(long)]
    replace: bool,
}

impl Restore {
    pub(super) fn run(self, hub: &Invocation) -> Result<(), Failure> {
        let (dir, is_elsewhere) = match self.into {
            Some(dir) => (dir, true),
            None => (hub.config()?.store.dir, false),
        };
        let mut aside = dir.components().collect::<PathBuf>().into_os_string();
        aside.push(format!(".before-{}", output::compact(now())));
        let aside = PathBuf::from(aside);

        let started = Instant::now();
        let bar = records_bar(verify(&self.file)?.records);
        let aside = self.replace.then_some(aside.as_path());
        let restored = restore(&self.file, &dir, aside, |count| bar.inc(count));
        bar.finish_and_clear();
        let restored = restored.map_err(|error| match Failure::from(error) {
            Failure::InUse(dir) => Failure::Unusable(format!(
                "a hub, or another command, is running on the store {}; stop it first, or name \
                 another folder with --into",
                dir.display()
            )),
            other => other,
        })?;
        let seconds = started.elapsed().as_secs_f64();
        let answer = json!({
            "store": restored.store, "moved": restored.moved, "seconds": seconds,
            "records": restored.contents.records, "created": restored.contents.created,
            "hub": restored.contents.hub,
        });
        hub.output.answer(&answer, || {
            let made = output::moment(restored.contents.created);
            let (records, store) =
                (HumanCount(restored.contents.records), restored.store.display());
            let mut text = format!("{records} records of {made} in {store}, {seconds:.1} s\n");
            if let Some(moved) = &restored.moved {
                text += &format!("the store from before is in {}\n", moved.display());
            }
            text += &match is_elsewhere {
                true => format!(
                    "next: set store.dir = \"{store}\" in the configuration and restart the hub"
                ),
                false => String::from("next: cellular-hub serve"),
            };
            text
        })
    }
}
