//! `/views`: lists of boards that one keeps, to see them again.

use actix_web::{HttpResponse, delete, get, put, web};
use serde::{Deserialize, Serialize};
use storage::{SavedView, ViewName};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::boards::{Asked, Listed};
use super::caller::Caller;
use super::moment::Moment;
use super::page::{Page, Paging};
use super::problem::{Code, Problem};
use super::serving::Api;

/// The handlers.
pub(super) fn resources(app: &mut ServiceConfig) {
    app.service(list).service(keep).service(remove);
}

/// Characters of the longest query.
const QUERY_MAX: usize = 2000;

/// A list that one keeps.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SavedView)]
pub(super) struct View {
    /// What it is called.
    #[schema(example = "lost ones")]
    name: String,
    /// What the list of boards is asked for.
    #[schema(example = "heard=false&sort=-created")]
    query: String,
    /// When it was kept.
    created: Moment,
}

impl From<SavedView> for View {
    fn from(view: SavedView) -> Self {
        Self { name: view.name.to_string(), query: view.query, created: view.created.into() }
    }
}

/// The lists that you keep, by name.
#[utoipa::path(
    tag = "views",
    operation_id = "list_views",
    extensions(("x-permission" = json!("boards:read"))),
    params(Paging),
    responses((status = 200, body = Page<View>)),
)]
#[get("/views")]
pub(super) async fn list(
    caller: Caller,
    paging: web::Query<Paging>,
    api: web::Data<Api>,
) -> Result<web::Json<Page<View>>, Problem> {
    let (limit, after, owner) = (paging.limit()?, paging.after()?, caller.user.clone());
    let views = api.run(&caller, move |admin| admin.views(&owner)).await?;
    let behind = views.into_iter().filter(|view| {
        after.as_ref().is_none_or(|after| view.name.as_str().as_bytes() > after.as_slice())
    });
    let keyed = behind.map(|view| Ok::<_, Problem>((view.name.to_string(), View::from(view))));
    Ok(web::Json(Page::of(keyed, limit)?))
}

/// What a list is asked for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewView)]
pub(super) struct New {
    /// What stands behind `?` where boards are listed, without a page.
    #[schema(example = "heard=false&sort=-created")]
    query: String,
}

/// Keeps a list under a name, in place of the one that had it.
#[utoipa::path(
    tag = "views",
    operation_id = "keep_view",
    extensions(("x-permission" = json!("boards:read"))),
    params(("view" = String, Path, description = "What it is called: 1 to 60 characters")),
    request_body = New,
    responses((status = 200, body = View)),
)]
#[put("/views/{view}")]
pub(super) async fn keep(
    caller: Caller,
    name: web::Path<ViewName>,
    new: web::Json<New>,
    api: web::Data<Api>,
) -> Result<web::Json<View>, Problem> {
    let (name, query, owner) = (name.into_inner(), new.into_inner().query, caller.user.clone());
    if query.len() > QUERY_MAX {
        return Err(Problem::new(
            Code::Invalid,
            format_args!("a query has at most {QUERY_MAX} bytes"),
        ));
    }
    Asked::with(&query, &mut Listed::default())?;
    let view = SavedView { owner, name, query, created: api.now() };
    let kept = View::from(view.clone());
    api.run(&caller, move |admin| admin.put_view(&view)).await?;
    Ok(web::Json(kept))
}

/// Forgets a list.
#[utoipa::path(
    tag = "views",
    operation_id = "remove_view",
    extensions(("x-permission" = json!("boards:read"))),
    params(("view" = String, Path, description = "What it is called")),
    responses((status = 204, description = "It is gone")),
)]
#[delete("/views/{view}")]
pub(super) async fn remove(
    caller: Caller,
    name: web::Path<ViewName>,
    api: web::Data<Api>,
) -> Result<HttpResponse, Problem> {
    let (name, owner) = (name.into_inner(), caller.user.clone());
    api.run(&caller, move |admin| admin.remove_view(&owner, name.as_str())).await?;
    Ok(HttpResponse::NoContent().finish())
}
