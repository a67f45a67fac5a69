//! `cellular-hub route`.

use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;
use storage::{Acknowledge, ResourcePath, TenantId, TopicTemplate, UpstreamName};

use super::{Failure, Invocation};

#[derive(Debug, Subcommand)]
pub(super) enum Route {
    /// Lead the readings of a resource to an upstream.
    Add(Add),
    /// List a tenant's routes.
    List {
        /// The tenant.
        #[arg(long, value_name = "TENANT")]
        tenant: TenantId,
    },
    /// Remove a route; boards that post to its resource are then answered 4.04.
    Remove {
        /// The CoAP resource.
        resource: ResourcePath,
        /// The tenant.
        #[arg(long, value_name = "TENANT")]
        tenant: TenantId,
    },
}

#[derive(Args, Debug)]
#[command(after_long_help = "\
Example:
  cellular-hub route add t --tenant acme --upstream broker --topic '{tenant}/{board}/telemetry'")]
pub(super) struct Add {
    /// The CoAP resource boards post to, as `t`: 1 to 3 segments joined by '/'. Keep it short: it
    /// is in every message.
    resource: ResourcePath,
    /// The tenant.
    #[arg(long, value_name = "TENANT")]
    tenant: TenantId,
    /// The upstream that takes the readings.
    #[arg(long, value_name = "UPSTREAM")]
    upstream: UpstreamName,
    /// The topic to publish to, with {tenant}, {board} and {resource} filled in.
    #[arg(long, value_name = "TEMPLATE", default_value = "{tenant}/{board}/{resource}")]
    topic: TopicTemplate,
    /// When the board is told that its reading has arrived.
    #[arg(long, value_name = "WHEN", default_value = "on-upstream")]
    acknowledge: When,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum When {
    /// When the upstream has accepted it: nothing acknowledged is ever lost.
    OnUpstream,
    /// When the hub has received it: quicker, and a reading can be lost after its 2.04.
    OnReceive,
}

impl Route {
    pub(super) fn run(self, hub: &Invocation) -> Result<(), Failure> {
        match self {
            Self::Add(add) => add.run(hub),
            Self::List { tenant } => list(hub, &tenant),
            Self::Remove { resource, tenant } => remove(hub, &resource, &tenant),
        }
    }
}

impl Add {
    fn run(self, hub: &Invocation) -> Result<(), Failure> {
        let route = storage::Route {
            tenant: self.tenant,
            resource: self.resource,
            upstream: self.upstream,
            topic: self.topic,
            acknowledge: match self.acknowledge {
                When::OnUpstream => Acknowledge::OnUpstream,
                When::OnReceive => Acknowledge::OnReceive,
            },
        };
        hub.admin()?.add_route(&route)?;
        hub.output.answer(&route, || {
            format!("route {} of {} leads to {}", route.resource, route.tenant, route.upstream)
        })
    }
}

fn list(hub: &Invocation, tenant: &TenantId) -> Result<(), Failure> {
    let admin = hub.admin()?;
    admin.tenant(tenant)?;
    let routes = admin.store().routes().of_tenant(tenant)?;
    let head = format!("{:<24} {:<32} {:<12} TOPIC", "RESOURCE", "UPSTREAM", "ACKNOWLEDGE");
    hub.output.list(&head, routes.into_iter().map(Ok), |route| {
        let acknowledge = match route.acknowledge {
            Acknowledge::OnUpstream => "on-upstream",
            Acknowledge::OnReceive => "on-receive",
        };
        let topic = route.topic.as_str();
        format!("{:<24} {:<32} {acknowledge:<12} {topic}", route.resource, route.upstream)
    })
}

fn remove(hub: &Invocation, resource: &ResourcePath, tenant: &TenantId) -> Result<(), Failure> {
    hub.admin()?.remove_route(tenant, resource)?;
    hub.output.answer(&json!({ "removed": resource, "tenant": tenant }), || {
        format!("route {resource} of {tenant} removed")
    })
}
