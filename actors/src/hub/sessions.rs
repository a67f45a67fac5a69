//! Which sessions are awake, for people who look.
//!
//! Invariant: what is asked of a tenant's supervisor takes it no longer than a reading does.

use actix::{Handler, Message, ResponseFuture};
use storage::TenantId;

use crate::hub::Hub;
use crate::tenant;

/// Asks how many boards of each tenant have a session awake.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Vec<(TenantId, usize)>")]
pub struct CountAwake;

impl Handler<CountAwake> for Hub {
    type Result = ResponseFuture<Vec<(TenantId, usize)>>;

    fn handle(&mut self, _: CountAwake, _: &mut Self::Context) -> Self::Result {
        let tenants = self.tenants.each();
        Box::pin(async move {
            // All are asked before any is waited for.
            let asked = tenants
                .iter()
                .map(|tenant| (tenant.id.clone(), tenant.supervisor().send(tenant::CountAwake)));
            let asked: Vec<_> = asked.collect();
            let mut counts = Vec::with_capacity(asked.len());
            for (tenant, count) in asked {
                // A supervisor that is dead has no sessions.
                counts.push((tenant, count.await.unwrap_or(0)));
            }
            counts
        })
    }
}
