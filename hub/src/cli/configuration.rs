//! `cellular-hub config`.

use clap::Subcommand;
use serde_json::json;

use super::{Failure, Invocation};
use crate::config::Config;

#[derive(Debug, Subcommand)]
pub(super) enum Configuration {
    /// Print every key with its meaning, range, default and value in force.
    ///
    /// Without a configuration file, this is the file to begin with:
    ///     cellular-hub config print > hub.toml
    #[command(verbatim_doc_comment)]
    Print,
    /// Read the configuration and say whether it can be used.
    Check,
}

impl Configuration {
    pub(super) fn run(&self, hub: &Invocation) -> Result<(), Failure> {
        match self {
            Self::Print => {
                let config = Config::as_written(&hub.source()?)?;
                hub.output.answer(&config, || config.to_commented_toml())
            }
            Self::Check => {
                hub.config()?;
                let source = hub.source()?;
                let file = source.file();
                hub.output.answer(&json!({ "ok": true, "file": file }), || match file {
                    Some(file) => format!("{} can be used", file.display()),
                    None => String::from("no configuration file; the defaults are in force"),
                })
            }
        }
    }
}
