//! `/tenants`: the customers of the hub.

use actix_web::{HttpRequest, HttpResponse, get, web};
use serde::Serialize;
use storage::{Tenant, TenantId, TenantState};
use utoipa::ToSchema;

use super::caller::{Caller, Scope};
use super::etag::tagged;
use super::moment::Moment;
use super::page::{Page, Paging};
use super::problem::Problem;
use super::serving::Api;
use crate::people::Permission;

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
    responses((status = 200, body = Page<View>)),
)]
#[get("/tenants")]
pub(super) async fn list(
    caller: Caller,
    paging: web::Query<Paging>,
    api: web::Data<Api>,
) -> Result<web::Json<Page<View>>, Problem> {
    let reach = caller.reach(Permission::TenantsRead)?;
    let (limit, after) = (paging.limit()?, paging.after_text::<TenantId>()?);
    let page = api.run(&caller, move |admin| {
        let seen = admin.store().tenants().list().filter(|tenant| match tenant {
            Ok(tenant) => {
                reach.includes(&tenant.id) && after.as_ref().is_none_or(|after| tenant.id > *after)
            }
            Err(_) => true,
        });
        let keyed = seen.map(|tenant| {
            let tenant = tenant?;
            Ok::<_, Problem>((tenant.id.as_str().to_owned(), View::from(tenant)))
        });
        Page::of(keyed, limit)
    });
    Ok(web::Json(page.await?))
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
