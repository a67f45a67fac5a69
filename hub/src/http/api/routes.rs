//! `/routes`: where the readings of a tenant's boards go, by resource.

use actix_web::{HttpRequest, HttpResponse, delete, get, post, put, web};
use serde::{Deserialize, Serialize};
use storage::{Acknowledge, BoardId, ResourcePath, Route, TenantId, TopicTemplate, UpstreamName};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::caller::{Caller, Scope};
use super::etag::{Known, tagged};
use super::page::Page;
use super::problem::{Code, Problem};
use super::serving::Api;
use super::upstreams::{OfTenant, TRIAL_BOARD, TriedView, attempt_at, words};
use crate::people::Permission;

/// The handlers.
pub(super) fn resources(app: &mut ServiceConfig) {
    app.service(list).service(add).service(show).service(change).service(remove).service(attempt);
}

/// Where the readings of one resource go.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Route)]
pub(super) struct View {
    /// Whose boards.
    #[schema(example = "acme")]
    tenant: String,
    /// The CoAP resource that boards post to.
    #[schema(example = "t")]
    resource: String,
    /// The upstream that takes the readings.
    #[schema(example = "broker")]
    upstream: String,
    /// The topic they are published to, with `{tenant}`, `{board}` and `{resource}` filled in.
    #[schema(example = "{tenant}/{board}/telemetry")]
    topic: String,
    /// When a board is told that its reading has arrived.
    acknowledge: When,
}

/// When a board gets its 2.04.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = Acknowledge)]
pub(super) enum When {
    /// When the upstream has it: nothing acknowledged is ever lost.
    #[default]
    OnUpstream,
    /// When the hub has it: a reading can be lost after its 2.04.
    OnReceive,
}

impl From<Route> for View {
    fn from(route: Route) -> Self {
        Self {
            tenant: route.tenant.to_string(),
            resource: route.resource.to_string(),
            upstream: route.upstream.to_string(),
            topic: route.topic.to_string(),
            acknowledge: match route.acknowledge {
                Acknowledge::OnUpstream => When::OnUpstream,
                Acknowledge::OnReceive => When::OnReceive,
            },
        }
    }
}

/// The routes that you may see, by tenant and resource.
#[utoipa::path(
    tag = "routes",
    operation_id = "list_routes",
    extensions(("x-permission" = json!("routes:read"))),
    params(OfTenant),
    responses((status = 200, body = Page<View>)),
)]
#[get("/routes")]
pub(super) async fn list(
    caller: Caller,
    of: web::Query<OfTenant>,
    api: web::Data<Api>,
) -> Result<web::Json<Page<View>>, Problem> {
    let reach = caller.reach(Permission::RoutesRead)?;
    if let Some(tenant) = &of.tenant {
        caller.require(Permission::RoutesRead, &Scope::Tenant(tenant.clone()))?;
    }
    let (limit, after, only) = (of.paging().limit()?, of.paging().after()?, of.into_inner().tenant);
    let page = api.run(&caller, move |admin| {
        let all = admin.store().routes().list(only.as_ref(), after.as_deref());
        let seen = all.filter(|entry| match entry {
            Ok((_, route)) => reach.includes(&route.tenant),
            Err(_) => true,
        });
        Page::of(seen.map(|entry| entry.map(|(key, route)| (key, View::from(route)))), limit)
    });
    Ok(web::Json(page.await?))
}

/// One route.
#[utoipa::path(
    tag = "routes",
    operation_id = "show_route",
    extensions(("x-permission" = json!("routes:read"))),
    params(
        ("tenant" = String, Path, description = "Whose boards"),
        ("resource" = String, Path, description = "The resource, with `/` in it as `%2F`"),
    ),
    responses((status = 200, body = View, headers(("ETag", description = "The route as it is")))),
)]
#[get("/tenants/{tenant}/routes/{resource}")]
pub(super) async fn show(
    caller: Caller,
    place: web::Path<(TenantId, ResourcePath)>,
    request: HttpRequest,
    api: web::Data<Api>,
) -> Result<HttpResponse, Problem> {
    let (tenant, resource) = place.into_inner();
    caller.require(Permission::RoutesRead, &Scope::Tenant(tenant.clone()))?;
    let route = api.run(&caller, move |admin| admin.route(&tenant, &resource)).await?;
    tagged(&request, &View::from(route))
}

/// Where readings are to go.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RouteSettings)]
pub(super) struct Settings {
    /// The upstream that takes them.
    #[schema(value_type = String, example = "broker")]
    upstream: UpstreamName,
    /// The topic, with `{tenant}`, `{board}` and `{resource}` filled in.
    #[serde(default = "topic")]
    #[schema(value_type = String, example = "{tenant}/{board}/telemetry")]
    topic: String,
    /// When a board is told that its reading has arrived.
    #[serde(default)]
    acknowledge: When,
}

fn topic() -> String {
    String::from("{tenant}/{board}/{resource}")
}

/// A route to be added.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewRoute {
    /// The resource that boards post to: 1 to 3 segments joined by `/`. Keep it short: it is in every
    /// message.
    #[schema(value_type = String, example = "t")]
    resource: ResourcePath,
    /// Where its readings are to go.
    settings: Settings,
}

impl Settings {
    fn route(self, tenant: &TenantId, resource: &ResourcePath) -> Result<Route, Problem> {
        let topic: TopicTemplate =
            self.topic.parse().map_err(|error| Problem::new(Code::Invalid, error))?;
        let acknowledge = match self.acknowledge {
            When::OnUpstream => Acknowledge::OnUpstream,
            When::OnReceive => Acknowledge::OnReceive,
        };
        let (tenant, resource, upstream) = (tenant.clone(), resource.clone(), self.upstream);
        Ok(Route { tenant, resource, upstream, topic, acknowledge })
    }
}

/// Adds a route; readings follow it at once.
#[utoipa::path(
    tag = "routes",
    operation_id = "add_route",
    extensions(("x-permission" = json!("routes:write"))),
    params(("tenant" = String, Path, description = "Whose boards")),
    request_body = NewRoute,
    responses((status = 201, body = View, headers(("Location", description = "The route")))),
)]
#[post("/tenants/{tenant}/routes")]
pub(super) async fn add(
    caller: Caller,
    tenant: web::Path<TenantId>,
    new: web::Json<NewRoute>,
    api: web::Data<Api>,
) -> Result<HttpResponse, Problem> {
    let (tenant, NewRoute { resource, settings }) = (tenant.into_inner(), new.into_inner());
    caller.require(Permission::RoutesWrite, &Scope::Tenant(tenant.clone()))?;
    let route = settings.route(&tenant, &resource)?;
    let segment = resource.as_str().replace('/', "%2F");
    let place = format!("{}/tenants/{tenant}/routes/{segment}", super::BASE);
    let view = View::from(route.clone());
    api.run(&caller, move |admin| admin.add_route(&route)).await?;
    Ok(HttpResponse::Created().insert_header(("Location", place)).json(view))
}

/// Leads the readings of a resource elsewhere, from now on.
#[utoipa::path(
    tag = "routes",
    operation_id = "change_route",
    extensions(("x-permission" = json!("routes:write"))),
    params(
        ("tenant" = String, Path, description = "Whose boards"),
        ("resource" = String, Path, description = "The resource, with `/` in it as `%2F`"),
        ("If-Match" = String, Header, description = "The ETag of the route as you have read it"),
    ),
    request_body = Settings,
    responses((status = 200, body = View, headers(("ETag", description = "The route as it is")))),
)]
#[put("/tenants/{tenant}/routes/{resource}")]
pub(super) async fn change(
    caller: Caller,
    place: web::Path<(TenantId, ResourcePath)>,
    settings: web::Json<Settings>,
    request: HttpRequest,
    api: web::Data<Api>,
) -> Result<HttpResponse, Problem> {
    let ((tenant, resource), settings) = (place.into_inner(), settings.into_inner());
    caller.require(Permission::RoutesWrite, &Scope::Tenant(tenant.clone()))?;
    let known = Known::of(&request)?;
    let route = settings.route(&tenant, &resource)?;
    let changed = api.run(&caller, move |admin| {
        admin.change_route(&tenant, &resource, |before| {
            known.must_match(&View::from(before.clone())).map(|()| route)
        })
    });
    tagged(&request, &View::from(changed.await?))
}

/// Removes a route: boards are told 4.04 from now on.
#[utoipa::path(
    tag = "routes",
    operation_id = "remove_route",
    extensions(("x-permission" = json!("routes:write"))),
    params(
        ("tenant" = String, Path, description = "Whose boards"),
        ("resource" = String, Path, description = "The resource, with `/` in it as `%2F`"),
        ("If-Match" = String, Header, description = "The ETag of the route as you have read it"),
    ),
    responses((status = 204, description = "It is gone")),
)]
#[delete("/tenants/{tenant}/routes/{resource}")]
pub(super) async fn remove(
    caller: Caller,
    place: web::Path<(TenantId, ResourcePath)>,
    request: HttpRequest,
    api: web::Data<Api>,
) -> Result<HttpResponse, Problem> {
    let (tenant, resource) = place.into_inner();
    caller.require(Permission::RoutesWrite, &Scope::Tenant(tenant.clone()))?;
    let known = Known::of(&request)?;
    let removed = api.run(&caller, move |admin| {
        known.must_match(&View::from(admin.route(&tenant, &resource)?))?;
        admin.remove_route(&tenant, &resource).map_err(Problem::from)
    });
    removed.await?;
    Ok(HttpResponse::NoContent().finish())
}

/// A reading that tries a route out.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RouteTrial)]
pub(super) struct Trial {
    /// As whose reading; it need not be there.
    #[serde(default = "board")]
    #[schema(value_type = String, example = "hub-test")]
    board: String,
    /// What it says, 4096 bytes at most.
    #[serde(default = "words")]
    #[schema(example = "a test of the hub's")]
    payload: String,
}

fn board() -> String {
    TRIAL_BOARD.to_owned()
}

/// Really publishes a reading where the route leads, and waits for the broker's answer.
#[utoipa::path(
    tag = "routes",
    operation_id = "test_route",
    extensions(("x-permission" = json!("routes:write"))),
    params(
        ("tenant" = String, Path, description = "Whose boards"),
        ("resource" = String, Path, description = "The resource, with `/` in it as `%2F`"),
    ),
    request_body = Trial,
    responses((status = 200, body = TriedView)),
)]
#[post("/tenants/{tenant}/routes/{resource}/test")]
pub(super) async fn attempt(
    caller: Caller,
    place: web::Path<(TenantId, ResourcePath)>,
    trial: web::Json<Trial>,
    api: web::Data<Api>,
) -> Result<web::Json<TriedView>, Problem> {
    let ((tenant, resource), Trial { board, payload }) = (place.into_inner(), trial.into_inner());
    caller.require(Permission::RoutesWrite, &Scope::Tenant(tenant.clone()))?;
    let board: BoardId = board.parse().map_err(|error| Problem::new(Code::Invalid, error))?;
    let tried = api.run(&caller, move |admin| {
        let route = admin.route(&tenant, &resource)?;
        let topic = route.topic.render(&tenant, &board, &resource);
        attempt_at(admin, &tenant, &route.upstream, Some(board), topic, payload)
    });
    Ok(web::Json(tried.await?))
}
