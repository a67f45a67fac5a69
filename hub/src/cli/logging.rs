//! The log's set-up, from `[log]`: to standard error, as text or JSON; its level may change later.

use std::io::{self, IsTerminal as _};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::reload::{self, Handle};

use crate::config::{Log, LogFilter, LogFormat};

/// Changes what is logged from now on.
pub struct LogLevel(Box<dyn Fn(EnvFilter) -> Result<(), reload::Error> + Send>);

impl LogLevel {
    /// Logs what `level` says.
    ///
    /// # Errors
    /// That there is no log any more.
    pub fn set(&self, level: &LogFilter) -> Result<(), reload::Error> {
        (self.0)(filter(level))
    }

    fn of<S: 'static>(handle: Handle<EnvFilter, S>) -> Self {
        Self(Box::new(move |filter| handle.reload(filter)))
    }
}

/// Starts logging for the whole process; a second call changes nothing.
pub fn start(log: &Log) -> LogLevel {
    let subscriber =
        tracing_subscriber::fmt().with_env_filter(filter(&log.level)).with_writer(io::stderr);
    // An error means that logging is on already.
    match log.format {
        LogFormat::Text => {
            let subscriber =
                subscriber.with_ansi(io::stderr().is_terminal()).with_filter_reloading();
            let level = LogLevel::of(subscriber.reload_handle());
            let _ = subscriber.try_init();
            level
        }
        LogFormat::Json => {
            let subscriber = subscriber.json().flatten_event(true).with_filter_reloading();
            let level = LogLevel::of(subscriber.reload_handle());
            let _ = subscriber.try_init();
            level
        }
    }
}

/// The filter was checked when the configuration was read.
fn filter(level: &LogFilter) -> EnvFilter {
    EnvFilter::try_new(level.as_str()).unwrap_or_else(|_| EnvFilter::new("info"))
}
