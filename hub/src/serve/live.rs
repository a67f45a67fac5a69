//! Tells the running hub of an admin's changes, and waits until they count.
//!
//! Invariant: called on threads that may wait, inside a runtime that is not the actors' own.

use std::fmt::Display;
use std::time::Duration;

use actors::hub::{EndSessions, Of, Readmit, Reconnect, Resettle, Running, Serve, StartError};
use actors::refusal::Refusal;
use storage::{TenantId, UpstreamName};
use tokio::runtime::Handle;

use crate::admin::Live;
use crate::cli::in_one_line;

/// How long the hub may take over a change.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running hub.
pub(super) struct Told(pub(super) Running);

fn wait<T, E: Display>(answer: impl Future<Output = Result<T, E>>) -> Result<T, String> {
    let runtime = Handle::try_current().map_err(|error| error.to_string())?;
    match runtime.block_on(async { tokio::time::timeout(PATIENCE, answer).await }) {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(String::from("it does not answer")),
    }
}

fn in_words(done: Result<(), StartError>) -> Result<(), String> {
    done.map_err(|error| in_one_line(&error))
}

impl Live for Told {
    fn end_sessions(&self, of: Of, reason: Refusal) -> Result<usize, String> {
        wait(self.0.hub.send(EndSessions { of, reason }))
    }

    fn readmit(&self, of: Of) -> Result<(), String> {
        wait(self.0.hub.send(Readmit { of }))
    }

    fn serve(&self, tenant: &TenantId) -> Result<(), String> {
        in_words(wait(self.0.hub.send(Serve(tenant.clone())))?)
    }

    fn reconnect(&self, tenant: &TenantId, upstream: &UpstreamName) -> Result<(), String> {
        in_words(wait(self.0.hub.send(Reconnect(tenant.clone(), upstream.clone())))?)
    }

    fn resettle(&self) -> Result<(), String> {
        in_words(wait(self.0.hub.send(Resettle))?)
    }
}
