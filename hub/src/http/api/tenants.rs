//! `/tenants`: the customers of the hub, and what each and its boards may take.

use std::path::Path;

use actix_web::{HttpRequest, HttpResponse, get, patch, post, put, web};
use serde::{Deserialize, Serialize};
use storage::{Bounds, Quota, RowsState, Tenant, TenantId, TenantState};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::boards::Why;
use super::caller::{Caller, Scope};
use super::etag::{Known, tagged};
use super::moment::Moment;
use super::page::{Page, Paging};
use super::problem::{Code, Problem};
use super::serving::Api;
use super::users::line;
use crate::admin::Admin;
use crate::people::Permission;
use crate::trust::Anchor;

/// The handlers.
pub(super) fn resources(app: &mut ServiceConfig) {
    app.service(list).service(add).service(show).service(rename);
    app.service(suspend).service(resume);
    app.service(show_quota).service(set_quota);
}

/// Characters of the longest name.
const NAME_MAX: usize = 100;

/// A customer of the hub.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Tenant)]
pub(super) struct View {
    /// Its name in keys, topics and paths.
    #[schema(example = "acme")]
    id: String,
    /// The name people read.
    #[schema(example = "Acme Pumps")]
    name: String,
    /// Whether its boards may connect.
    state: State,
    /// When it was added.
    created: Moment,
}

/// A tenant of a list.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ListedTenant)]
pub(super) struct Listed {
    #[serde(flatten)]
    tenant: View,
    /// How many boards it has; none while the hub is still counting.
    boards: Option<usize>,
}

/// Whether a tenant's boards may connect.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = TenantState)]
pub(super) enum State {
    /// They may.
    Active,
    /// They are refused until the tenant is active again.
    Suspended,
}

impl From<Tenant> for View {
    fn from(tenant: Tenant) -> Self {
        let state = match tenant.state {
            TenantState::Active => State::Active,
            TenantState::Suspended => State::Suspended,
        };
        let created = tenant.created.into();
        Self { id: tenant.id.to_string(), name: tenant.name, state, created }
    }
}

/// The tenants that you may see, by id.
#[utoipa::path(
    tag = "tenants",
    operation_id = "list_tenants",
    extensions(("x-permission" = json!("tenants:read"))),
    params(Paging),
    responses((status = 200, body = Page<Listed>)),
)]
#[get("/tenants")]
pub(super) async fn list(
    caller: Caller,
    paging: web::Query<Paging>,
    api: web::Data<Api>,
) -> Result<web::Json<Page<Listed>>, Problem> {
    let reach = caller.reach(Permission::TenantsRead)?;
    let (limit, after) = (paging.limit()?, paging.after_text::<TenantId>()?);
    let page = api.run(&caller, move |admin| {
        let store = admin.store();
        let counts = match store.rows_state() {
            RowsState::Ready => Some(store.boards().count_by_tenant()?),
            RowsState::Building { .. } | RowsState::Failed => None,
        };
        let seen = store.tenants().list().filter(|tenant| match tenant {
            Ok(tenant) => {
                reach.includes(&tenant.id) && after.as_ref().is_none_or(|after| tenant.id > *after)
            }
            Err(_) => true,
        });
        let keyed = seen.map(|tenant| {
            let tenant = tenant?;
            let count = |counts: &std::collections::BTreeMap<_, _>| counts.get(&tenant.id).copied();
            let boards = counts.as_ref().map(|counts| count(counts).unwrap_or(0));
            let id = tenant.id.as_str().to_owned();
            Ok::<_, Problem>((id, Listed { tenant: View::from(tenant), boards }))
        });
        Page::of(keyed, limit)
    });
    Ok(web::Json(page.await?))
}

/// A tenant to be added.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewTenant {
    /// Its name in keys, topics and paths, for good: 1 to 32 of a-z, 0-9 and `-`.
    #[schema(value_type = String, example = "acme")]
    id: TenantId,
    /// The name people read, 1 to 100 characters; its id where nothing is said.
    #[schema(example = "Acme Pumps", min_length = 1, max_length = 100)]
    name: Option<String>,
    /// The certificate of an authority of its own, PEM, that its boards' certificates come from. Where
    /// there is none, the hub makes one under its root.
    authority: Option<String>,
}

/// Adds a tenant, with an authority for its boards.
#[utoipa::path(
    tag = "tenants",
    operation_id = "add_tenant",
    extensions(("x-permission" = json!("tenants:write"))),
    request_body = NewTenant,
    responses((status = 201, body = View, headers(("Location", description = "The tenant")))),
)]
#[post("/tenants")]
pub(super) async fn add(
    caller: Caller,
    new: web::Json<NewTenant>,
    api: web::Data<Api>,
) -> Result<HttpResponse, Problem> {
    caller.require(Permission::TenantsWrite, &Scope::Hub)?;
    let (NewTenant { id, name, authority }, now) = (new.into_inner(), api.now());
    let name = match name {
        Some(name) => line(&name, NAME_MAX)?,
        None => id.to_string(),
    };
    let own = authority.map(|pem| Anchor::parse(Path::new("authority"), pem.as_bytes(), now));
    let own = own.transpose().map_err(|unfit| Problem::new(Code::Invalid, unfit))?;
    let shared = api.clone();
    let added = api.run(&caller, move |admin| {
        admin.add_tenant::<Problem>(&id, name, own, (shared.pki(), now))
    });
    let added = added.await?;
    let place = format!("{}/tenants/{}", super::BASE, added.id);
    Ok(HttpResponse::Created().insert_header(("Location", place)).json(View::from(added)))
}

/// One tenant.
#[utoipa::path(
    tag = "tenants",
    operation_id = "show_tenant",
    extensions(("x-permission" = json!("tenants:read"))),
    params(("tenant" = String, Path, description = "The tenant's id")),
    responses((status = 200, body = View, headers(("ETag", description = "The tenant as it is")))),
)]
#[get("/tenants/{tenant}")]
pub(super) async fn show(
    caller: Caller,
    tenant: web::Path<TenantId>,
    request: HttpRequest,
    api: web::Data<Api>,
) -> Result<HttpResponse, Problem> {
    let tenant = tenant.into_inner();
    caller.require(Permission::TenantsRead, &Scope::Tenant(tenant.clone()))?;
    let tenant = api.run(&caller, move |admin| admin.tenant(&tenant)).await?;
    tagged(&request, &View::from(tenant))
}

/// What of a tenant is to be changed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TenantChange {
    /// The name people read, 1 to 100 characters.
    #[schema(example = "Acme Pumps")]
    name: String,
}

/// Gives a tenant another name to be read; its id stays.
#[utoipa::path(
    tag = "tenants",
    operation_id = "change_tenant",
    extensions(("x-permission" = json!("tenants:write"))),
    params(
        ("tenant" = String, Path, description = "The tenant's id"),
        ("If-Match" = String, Header, description = "The ETag of the tenant as you have read it"),
    ),
    request_body = TenantChange,
    responses((status = 200, body = View, headers(("ETag", description = "The tenant as it is")))),
)]
#[patch("/tenants/{tenant}")]
pub(super) async fn rename(
    caller: Caller,
    tenant: web::Path<TenantId>,
    change: web::Json<TenantChange>,
    request: HttpRequest,
    api: web::Data<Api>,
) -> Result<HttpResponse, Problem> {
    let (tenant, name) = (tenant.into_inner(), change.into_inner().name);
    caller.require(Permission::TenantsWrite, &Scope::Tenant(tenant.clone()))?;
    let (known, name) = (Known::of(&request)?, line(&name, NAME_MAX)?);
    let renamed = api.run(&caller, move |admin| {
        admin.rename_tenant(&tenant, &name, |tenant| known.must_match(&View::from(tenant.clone())))
    });
    tagged(&request, &View::from(renamed.await?))
}

/// A tenant's change, and what it ended.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TenantShut {
    /// The tenant as it is now.
    tenant: View,
    /// Sessions that were awake and end now.
    sessions_ended: Option<usize>,
}

/// Refuses every board of a tenant until it is resumed; their sessions end.
#[utoipa::path(
    tag = "tenants",
    operation_id = "suspend_tenant",
    extensions(("x-permission" = json!("tenants:write"))),
    params(("tenant" = String, Path, description = "The tenant's id")),
    request_body = Why,
    responses((status = 200, body = TenantShut)),
)]
#[post("/tenants/{tenant}/suspend")]
pub(super) async fn suspend(
    caller: Caller,
    tenant: web::Path<TenantId>,
    why: web::Json<Why>,
    api: web::Data<Api>,
) -> Result<web::Json<TenantShut>, Problem> {
    let (tenant, why) = (tenant.into_inner(), why.into_inner().words()?);
    caller.require(Permission::TenantsWrite, &Scope::Tenant(tenant.clone()))?;
    let suspended = api.run(&caller, move |admin| admin.suspend(&tenant, &why));
    let (tenant, sessions_ended) = suspended.await?;
    Ok(web::Json(TenantShut { tenant: tenant.into(), sessions_ended }))
}

/// Lets the boards of a suspended tenant connect again.
#[utoipa::path(
    tag = "tenants",
    operation_id = "resume_tenant",
    extensions(("x-permission" = json!("tenants:write"))),
    params(("tenant" = String, Path, description = "The tenant's id")),
    responses((status = 200, body = View)),
)]
#[post("/tenants/{tenant}/resume")]
pub(super) async fn resume(
    caller: Caller,
    tenant: web::Path<TenantId>,
    api: web::Data<Api>,
) -> Result<web::Json<View>, Problem> {
    let tenant = tenant.into_inner();
    caller.require(Permission::TenantsWrite, &Scope::Tenant(tenant.clone()))?;
    let tenant = api.run(&caller, move |admin| admin.resume(&tenant)).await?;
    Ok(web::Json(tenant.into()))
}

/// What a tenant's boards may take: its own bounds; where one is missing, the configuration's counts.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Quota)]
pub(super) struct QuotaView {
    /// Each board.
    board: BoundsView,
    /// All boards together.
    tenant: BoundsView,
    /// Bytes a month that each board's data plan has; 0 is no bound, and `null` not known. A rollout's update
    /// that would not fit waits; readings never do.
    #[serde(default)]
    data_plan: Option<u32>,
}

/// Bounds; 0 is none, and `null` the configuration's.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, Serialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = Bounds)]
pub(super) struct BoundsView {
    /// Readings a minute.
    messages_per_minute: Option<u32>,
    /// Bytes of their payloads a minute.
    bytes_per_minute: Option<u32>,
    /// Handshakes an hour.
    handshakes_per_hour: Option<u32>,
    /// Readings that wait for the upstream at once.
    in_flight_max: Option<u32>,
}

/// A tenant's own bounds, and those that count.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub(super) struct TenantQuota {
    /// Its own.
    own: QuotaView,
    /// With the configuration's where it has none.
    in_force: QuotaView,
}

impl From<Bounds> for BoundsView {
    fn from(bounds: Bounds) -> Self {
        let Bounds { messages_per_minute, bytes_per_minute, handshakes_per_hour, in_flight_max } =
            bounds;
        Self { messages_per_minute, bytes_per_minute, handshakes_per_hour, in_flight_max }
    }
}

impl From<BoundsView> for Bounds {
    fn from(bounds: BoundsView) -> Self {
        let BoundsView {
            messages_per_minute,
            bytes_per_minute,
            handshakes_per_hour,
            in_flight_max,
        } = bounds;
        Self { messages_per_minute, bytes_per_minute, handshakes_per_hour, in_flight_max }
    }
}

impl From<Quota> for QuotaView {
    fn from(quota: Quota) -> Self {
        let (board, tenant) = (quota.board.into(), quota.tenant.into());
        Self { board, tenant, data_plan: quota.data_plan }
    }
}

impl From<QuotaView> for Quota {
    fn from(quota: QuotaView) -> Self {
        let (board, tenant) = (quota.board.into(), quota.tenant.into());
        Self { board, tenant, data_plan: quota.data_plan }
    }
}

impl TenantQuota {
    fn of(own: Quota, api: &Api) -> Self {
        Self { own: own.into(), in_force: own.or(api.default_quota()).into() }
    }
}

/// What a tenant and its boards may take.
#[utoipa::path(
    tag = "tenants",
    operation_id = "show_quota",
    extensions(("x-permission" = json!("tenants:read"))),
    params(("tenant" = String, Path, description = "The tenant's id")),
    responses((status = 200, body = TenantQuota,
        headers(("ETag", description = "The bounds as they are")))),
)]
#[get("/tenants/{tenant}/quota")]
pub(super) async fn show_quota(
    caller: Caller,
    tenant: web::Path<TenantId>,
    request: HttpRequest,
    api: web::Data<Api>,
) -> Result<HttpResponse, Problem> {
    let tenant = tenant.into_inner();
    caller.require(Permission::TenantsRead, &Scope::Tenant(tenant.clone()))?;
    let tenant = api.run(&caller, move |admin| admin.tenant(&tenant)).await?;
    tagged(&request, &TenantQuota::of(tenant.quota, &api))
}

/// Gives a tenant other bounds of its own; they count at once, with full buckets.
#[utoipa::path(
    tag = "tenants",
    operation_id = "set_quota",
    extensions(("x-permission" = json!("tenants:write"))),
    params(
        ("tenant" = String, Path, description = "The tenant's id"),
        ("If-Match" = String, Header, description = "The ETag of the bounds as you have read them"),
    ),
    request_body = QuotaView,
    responses((status = 200, body = TenantQuota,
        headers(("ETag", description = "The bounds as they are now")))),
)]
#[put("/tenants/{tenant}/quota")]
pub(super) async fn set_quota(
    caller: Caller,
    tenant: web::Path<TenantId>,
    quota: web::Json<QuotaView>,
    request: HttpRequest,
    api: web::Data<Api>,
) -> Result<HttpResponse, Problem> {
    let (tenant, quota) = (tenant.into_inner(), quota.into_inner());
    caller.require(Permission::TenantsWrite, &Scope::Tenant(tenant.clone()))?;
    let known = Known::of(&request)?;
    let shared = api.clone();
    let changed = api.run(&caller, move |admin: &Admin| {
        let before = admin.tenant(&tenant)?.quota;
        known.must_match(&TenantQuota::of(before, &shared))?;
        admin.set_quota(&tenant, |own| *own = quota.into()).map_err(Problem::from)
    });
    tagged(&request, &TenantQuota::of(changed.await?.quota, &api))
}
