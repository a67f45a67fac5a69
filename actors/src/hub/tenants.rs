//! From the store's tenants to what serves them: supervisors, upstreams, routes.
//!
//! Invariant: one tenant's mistake keeps no other tenant from being served.

use std::sync::Arc;
use std::time::Instant;

use actix::{Actor, Addr};
use actix_rt::ArbiterHandle;
use storage::{Store, TenantId, UpstreamKind};

use crate::hub::{Settings, StartError};
use crate::link::plain::Residents;
use crate::meter::TenantMeter;
use crate::metrics::Metrics;
use crate::recorder::Recorder;
use crate::tenant::{Directory, Route, Tenant, TenantSupervisor};
use crate::upstream::{self, UpstreamHandle};

/// What serves the tenants.
pub(super) type Served = (Arc<Directory>, Vec<UpstreamHandle>);

/// Every tenant with its upstreams and routes, spread over the arbiters.
pub(super) fn serve(
    settings: &Settings,
    store: &Store,
    metrics: &Arc<Metrics>,
    arbiters: &[ArbiterHandle],
    recorder: &Addr<Recorder>,
) -> Result<Served, StartError> {
    let began = Instant::now();
    let (mut tenants, mut handles) = (Vec::new(), Vec::new());
    for (tenant, arbiter) in store.tenants().list().zip(arbiters.iter().cycle()) {
        let tenant = tenant?;
        let mut upstreams = Vec::new();
        for spec in store.upstreams().of_tenant(&tenant.id)? {
            if let UpstreamKind::Mqtt(mqtt) = &spec.kind
                && !mqtt.tls
            {
                tracing::warn!(tenant = %tenant.id, upstream = %spec.name, "readings and password travel to this broker without TLS");
            }
            match upstream::start(&spec, arbiter, Arc::clone(metrics)) {
                Ok(handle) => upstreams.push((spec.name, handle)),
                // One tenant's mistake stops nobody else; its readings are answered 5.03.
                Err(error) => {
                    let cause = std::error::Error::source(&error).map(ToString::to_string);
                    tracing::error!(tenant = %tenant.id, upstream = %spec.name, %error, cause, "upstream cannot be used");
                }
            }
        }
        let routes = store.routes().of_tenant(&tenant.id)?.into_iter().map(|route| {
            let upstream = upstreams.iter().find(|(name, _)| *name == route.upstream);
            Route {
                upstream: upstream.map(|(_, handle)| handle.clone()),
                resource: route.resource,
                topic: route.topic,
                acknowledge: route.acknowledge,
            }
        });
        let routes = routes.collect();
        let supervisor = supervise(tenant.id.clone(), arbiter);
        let limits = settings.limits.clone();
        let quota = tenant.quota.or(settings.quota);
        let meter = TenantMeter::new(quota, began, metrics.tenant(tenant.id.as_str()));
        tenants.push(Tenant::new(tenant.id, routes, limits, meter, recorder.clone(), supervisor));
        handles.extend(upstreams.into_iter().map(|(_, handle)| handle));
    }
    Ok((Directory::new(tenants), handles))
}

/// A supervisor for the tenant `id`.
pub(super) fn supervise(id: TenantId, arbiter: &ArbiterHandle) -> Addr<TenantSupervisor> {
    TenantSupervisor::start_in_arbiter(arbiter, |_| TenantSupervisor::new(id))
}

/// The boards that are known by address.
pub(super) fn residents(store: &Store, tenants: &Directory) -> Result<Residents, StartError> {
    let mut residents = Residents::new();
    for board in store.boards().with_address() {
        let board = board?;
        if let (Some(address), Some(tenant)) = (board.address, tenants.find(&board.tenant)) {
            residents.insert(address, (board.id, tenant));
        }
    }
    Ok(residents)
}
