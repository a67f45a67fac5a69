//! `[log]`: what is logged, and how.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::key::{Kind, Setting, section};

section! {
    /// The log, on standard error. No secret and no payload is ever in it.
    pub struct Log in "log" {
        /// A level (off, error, warn, info, debug, trace), or levels by target, as in
        /// "info,actors::link=debug".
        pub level: LogFilter = LogFilter::default();
        /// How a line looks: text for people, json for collectors.
        pub format: LogFormat = LogFormat::Text;
    }
}

/// How a log line looks.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line, for collectors.
    Json,
}

impl Setting for LogFormat {
    const KIND: Kind = Kind::Choice(&["text", "json"]);
}

/// What is logged: a level, or a list of `target=level`, checked.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct LogFilter(String);

impl LogFilter {
    /// The levels, from nothing to everything.
    pub const LEVELS: [&'static str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

    /// The filter as `tracing_subscriber` reads it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for LogFilter {
    fn default() -> Self {
        Self(String::from("info,actix_server=warn"))
    }
}

impl fmt::Display for LogFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for LogFilter {
    type Err = String;

    /// Refuses a bare word that is no level: the subscriber would take `inof` for a target.
    fn from_str(text: &str) -> Result<Self, String> {
        for directive in text.split(',').map(str::trim) {
            let level = directive.rsplit_once('=').map_or(directive, |(_, level)| level);
            if !Self::LEVELS.contains(&level.to_ascii_lowercase().as_str()) {
                return Err(format!("{level:?} is no level"));
            }
        }
        tracing_subscriber::EnvFilter::try_new(text).map_err(|error| error.to_string())?;
        Ok(Self(String::from(text)))
    }
}

impl TryFrom<String> for LogFilter {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<LogFilter> for String {
    fn from(filter: LogFilter) -> Self {
        filter.0
    }
}

impl Setting for LogFilter {
    const KIND: Kind = Kind::LogFilter;
}
