//! Tells the running hub of an admin's changes, and waits until they count.
//!
//! Invariant: called on threads that may wait, inside a runtime that is not the actors' own.

use std::fmt::Display;
use std::time::Duration;

use actors::hub::{
    AwakePage, CountAwake, EndSession, EndSessions, FindSessions, Of, Readmit, Reconnect, Resettle,
    Running, Serve, StartError, Tried, TryUpstream, Upstreams,
};
use actors::refusal::Refusal;
use actors::upstream::{Status, UpstreamError};
use storage::{TenantId, UpstreamName};
use tokio::runtime::Handle;

use crate::admin::Live;
use crate::cli::in_one_line;

/// How long the hub may take over a change.
const PATIENCE: Duration = Duration::from_secs(20);
/// And over trying an upstream out.
const TRIAL: Duration = Duration::from_secs(25);

/// A running hub.
pub(super) struct Told(pub(super) Running);

fn wait<T, E: Display>(answer: impl Future<Output = Result<T, E>>) -> Result<T, String> {
    wait_for(PATIENCE, answer)
}

fn wait_for<T, E: Display>(
    patience: Duration,
    answer: impl Future<Output = Result<T, E>>,
) -> Result<T, String> {
    let runtime = Handle::try_current().map_err(|error| error.to_string())?;
    match runtime.block_on(async { tokio::time::timeout(patience, answer).await }) {
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

    fn upstreams(&self) -> Result<Vec<(TenantId, UpstreamName, Status)>, String> {
        wait(self.0.hub.send(Upstreams))
    }

    fn find_sessions(&self, find: FindSessions) -> Result<AwakePage, String> {
        wait(self.0.hub.send(find))
    }

    fn end_session(&self, end: EndSession) -> Result<bool, String> {
        wait(self.0.hub.send(end))
    }

    fn awake(&self) -> Result<Vec<(TenantId, usize)>, String> {
        wait(self.0.hub.send(CountAwake))
    }

    fn try_upstream(&self, attempt: TryUpstream) -> Result<Result<Tried, UpstreamError>, String> {
        // Each of its steps has a limit, which together are longer than a change may take.
        wait_for(TRIAL, self.0.hub.send(attempt))
    }

    fn resettle(&self) -> Result<(), String> {
        in_words(wait(self.0.hub.send(Resettle))?)
    }
}
