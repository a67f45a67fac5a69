//! From the store's tenants to what serves them: supervisors, upstreams, routes; at the start, and
//! again for one whose entries have changed.
//!
//! Invariant: one tenant's mistake keeps no other tenant from being served, and what has not changed
//! is left alone: an upstream keeps its connection, a session its supervisor.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use actix::{Actor, Addr};
use actix_rt::ArbiterHandle;
use storage::{Quota, Secrets, Store, TenantId, UpstreamKind, UpstreamName};

use crate::barred::{Barred, Moment};
use crate::coap::Limits;
use crate::hub::StartError;
use crate::link::plain::Residents;
use crate::meter::TenantMeter;
use crate::metrics::Metrics;
use crate::recorder::Recorder;
use crate::tenant::{Directory, Route, Tenant, TenantSupervisor};
use crate::upstream::{self, Status, UpstreamHandle, UpstreamSecrets};

/// What a tenant is served with.
pub(super) struct Serving {
    pub(super) store: Store,
    pub(super) secrets: Secrets,
    pub(super) limits: Limits,
    pub(super) quota: Quota,
    pub(super) metrics: Arc<Metrics>,
    pub(super) arbiters: Vec<ArbiterHandle>,
    pub(super) recorder: Addr<Recorder>,
    /// From when the buckets of every tenant count.
    pub(super) began: Instant,
    pub(super) running: HashMap<TenantId, RunningTenant>,
}

/// What runs for a tenant.
pub(super) struct RunningTenant {
    /// What its meter was made for.
    quota: Option<Quota>,
    arbiter: ArbiterHandle,
    upstreams: Vec<(UpstreamName, UpstreamHandle)>,
    barred: Arc<Barred>,
}

impl Serving {
    /// Every tenant with its upstreams and routes, spread over the arbiters.
    pub(super) fn all(&mut self) -> Result<Arc<Directory>, StartError> {
        let directory = Directory::new([]);
        let tenants: Result<Vec<_>, _> = self.store.tenants().list().collect();
        for tenant in tenants? {
            let served = self.one(tenant, None)?;
            directory.put(&served);
        }
        Ok(directory)
    }

    /// One tenant as the store has it now; `before` is the same as it is served.
    pub(super) fn one(
        &mut self,
        tenant: storage::Tenant,
        before: Option<&Tenant>,
    ) -> Result<Arc<Tenant>, StartError> {
        let quota = tenant.quota.or(self.quota);
        let specs = self.store.upstreams().of_tenant(&tenant.id)?;
        let routes = self.store.routes().of_tenant(&tenant.id)?;
        let RunningTenant { arbiter, mut upstreams, barred, quota: metered_by } =
            self.running.remove(&tenant.id).unwrap_or_else(|| RunningTenant {
                quota: None,
                arbiter: self.next_arbiter(),
                upstreams: Vec::new(),
                barred: Arc::new(Barred::new(self.began)),
            });
        upstreams.retain(|(name, handle)| {
            let stays = specs.iter().any(|spec| spec.name == *name);
            if !stays {
                stop(handle.clone());
            }
            stays
        });
        for spec in specs {
            if upstreams.iter().any(|(name, _)| *name == spec.name) {
                continue;
            }
            if let UpstreamKind::Mqtt(mqtt) = &spec.kind
                && !mqtt.tls
            {
                tracing::warn!(tenant = %tenant.id, upstream = %spec.name, "readings and password travel to this broker without TLS");
            }
            let started = UpstreamSecrets::of(&spec, &self.secrets).and_then(|secrets| {
                let (metrics, held) = (Arc::clone(&self.metrics), Arc::clone(&barred));
                upstream::start(&spec, &secrets, &arbiter, metrics, held)
            });
            match started {
                Ok(handle) => upstreams.push((spec.name, handle)),
                // One tenant's mistake stops nobody else; its readings are answered 5.03.
                Err(error) => {
                    let cause = std::error::Error::source(&error).map(ToString::to_string);
                    tracing::error!(tenant = %tenant.id, upstream = %spec.name, %error, cause, "upstream cannot be used");
                }
            }
        }
        let routes = routes.into_iter().map(|route| {
            let upstream = upstreams.iter().find(|(name, _)| *name == route.upstream);
            Route {
                upstream: upstream.map(|(_, handle)| handle.clone()),
                resource: route.resource,
                topic: route.topic,
                acknowledge: route.acknowledge,
            }
        });
        let routes = routes.collect();
        let meter = match before.filter(|_| metered_by == Some(quota)) {
            Some(before) => Arc::clone(&before.meter),
            None => {
                let metrics = self.metrics.tenant(tenant.id.as_str());
                TenantMeter::new(quota, self.began, metrics)
            }
        };
        let supervisor = match before {
            Some(before) => before.supervisor(),
            None => supervise(tenant.id.clone(), Arc::clone(&barred), &arbiter),
        };
        let meter = (meter, Arc::clone(&barred));
        let running = RunningTenant { quota: Some(quota), arbiter, upstreams, barred };
        self.running.insert(tenant.id.clone(), running);
        let (limits, recorder) = (self.limits.clone(), self.recorder.clone());
        Ok(Tenant::new(tenant.id, routes, limits, meter, recorder, supervisor))
    }

    /// Stops what runs for a tenant that is no more.
    pub(super) fn dismiss(&mut self, id: &TenantId) {
        let running = self.running.remove(id);
        for (_, handle) in running.into_iter().flat_map(|running| running.upstreams) {
            stop(handle);
        }
    }

    /// Takes one upstream of a tenant out, to be stopped; the next look at the store starts it anew.
    pub(super) fn disconnect(
        &mut self,
        id: &TenantId,
        name: &UpstreamName,
    ) -> Option<UpstreamHandle> {
        let running = self.running.get_mut(id)?;
        let at = running.upstreams.iter().position(|(known, _)| known == name)?;
        Some(running.upstreams.remove(at).1)
    }

    /// Whom of one tenant's boards is shut out.
    pub(super) fn barred(&self, id: &TenantId) -> Option<&Barred> {
        self.running.get(id).map(|running| running.barred.as_ref())
    }

    /// What the clocks of the tenants' lists show: all of them count from the same instant.
    pub(super) fn moment(&self, at: Instant) -> Moment {
        Barred::new(self.began).moment(at)
    }

    /// The upstream of a tenant's that has this name.
    pub(super) fn upstream(&self, id: &TenantId, name: &UpstreamName) -> Option<&UpstreamHandle> {
        let running = self.running.get(id)?;
        running.upstreams.iter().find(|(known, _)| known == name).map(|(_, handle)| handle)
    }

    /// How every upstream is that has a connection to lose.
    pub(super) fn statuses(&self) -> impl Iterator<Item = (TenantId, UpstreamName, Status)> {
        let each = self.running.iter().flat_map(|(id, running)| {
            running.upstreams.iter().map(move |(name, handle)| (id, name, handle))
        });
        each.filter_map(|(id, name, handle)| Some((id.clone(), name.clone(), handle.status()?)))
    }

    /// Every upstream, to be stopped.
    pub(super) fn take_upstreams(&mut self) -> Vec<UpstreamHandle> {
        let running = self.running.drain().flat_map(|(_, running)| running.upstreams);
        running.map(|(_, handle)| handle).collect()
    }

    fn next_arbiter(&self) -> ArbiterHandle {
        let at = self.running.len() % self.arbiters.len().max(1);
        self.arbiters.get(at).cloned().unwrap_or_else(actix_rt::Arbiter::current)
    }
}

/// Ends an upstream that nothing is routed to any more.
fn stop(handle: UpstreamHandle) {
    actix_rt::spawn(async move { handle.stop().await });
}

/// A supervisor for the tenant `id`.
pub(super) fn supervise(
    id: TenantId,
    barred: Arc<Barred>,
    arbiter: &ArbiterHandle,
) -> Addr<TenantSupervisor> {
    TenantSupervisor::start_in_arbiter(arbiter, |_| TenantSupervisor::new(id, barred))
}

/// The boards that are known by address and may connect.
pub(super) fn residents(store: &Store, tenants: &Directory) -> Result<Residents, StartError> {
    let mut residents = Residents::new();
    let mut active = HashMap::new();
    for tenant in store.tenants().list() {
        let tenant = tenant?;
        active.insert(tenant.id, tenant.state == storage::TenantState::Active);
    }
    for board in store.boards().with_address() {
        let board = board?;
        let may = board.state == storage::BoardState::Active
            && active.get(&board.tenant).copied().unwrap_or(false);
        if let (true, Some(address), Some(tenant)) =
            (may, board.address, tenants.find(&board.tenant))
        {
            residents.insert(address, (board.id, tenant));
        }
    }
    Ok(residents)
}
