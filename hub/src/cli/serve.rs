//! `cellular-hub serve`.

use super::failure::in_one_line;
use super::{Failure, Invocation, logging};
use crate::serve::ServeError;
use actors::hub::StartError;

pub(super) fn run(hub: &Invocation) -> Result<(), Failure> {
    let config = hub.config()?;
    let log = logging::start(&config.log);
    crate::serve::run(config, hub.source()?, log).map_err(|error| match error {
        ServeError::Store(error) | ServeError::Start(StartError::Store(error)) => error.into(),
        other => Failure::Unusable(in_one_line(&other)),
    })
}
