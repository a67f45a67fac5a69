//! `/sessions`: sessions of boards that are awake, and one of them ended. Most boards sleep most of the
//! time, and their sessions with them.

use actix_web::{HttpResponse, delete, get, web};
use actors::hub::{Awake, FindSessions};
use serde::{Deserialize, Serialize};
use storage::{BoardId, TenantId, UnixSeconds};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;

use super::boards::find;
use super::caller::{Caller, Scope};
use super::moment::Moment;
use super::page::{Page, Paging};
use super::problem::{Code, Problem};
use super::serving::Api;
use crate::people::{Permission, Reach};

/// The handlers.
pub(super) fn resources(app: &mut ServiceConfig) {
    app.service(list).service(end);
}

/// Characters of the longest part of an id that is looked for.
const PART_MAX: usize = 32;

/// A session that is awake.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Awake)]
pub(super) struct View {
    /// The board.
    #[schema(example = "CB-0001")]
    board: String,
    /// Whose it is.
    #[schema(example = "acme")]
    tenant: String,
    /// Where the board is, as the hub sees it.
    #[schema(example = "198.51.100.7:40123")]
    address: String,
    /// Its Connection ID (RFC 9146), in hexadecimal; none where the board is known by its address.
    cid: Option<String>,
    /// Whether it is CoAP over DTLS, or plain.
    secured: bool,
    /// Since when it is awake: it began then, or woke.
    since: Moment,
    /// When its board was last heard.
    last_heard: Moment,
}

impl View {
    fn of(awake: Awake, now: UnixSeconds) -> Self {
        let ago = |of: std::time::Duration| UnixSeconds(now.0.saturating_sub(of.as_secs()));
        let seen = awake.seen;
        let hex = |id: [u8; 6]| id.iter().map(|byte| format!("{byte:02x}")).collect();
        Self {
            board: awake.board.to_string(),
            tenant: awake.tenant.to_string(),
            address: seen.peer.to_string(),
            cid: seen.connection_id.map(hex),
            secured: seen.is_secured,
            since: ago(seen.admitted_ago).into(),
            last_heard: ago(seen.heard_ago).into(),
        }
    }
}

/// Which sessions, and which page of them.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Asked {
    /// With this in the board's id, whatever the case; 1 to 32 characters.
    #[param(required = false)]
    q: Option<String>,
    /// Of this tenant; of all that you may see where none is named.
    #[param(required = false, value_type = Option<String>)]
    tenant: Option<TenantId>,
    /// How many items at most: 50 where nothing is said.
    #[param(minimum = 1, maximum = 500, required = false)]
    limit: Option<u16>,
    /// `next` of the page before.
    #[param(required = false)]
    after: Option<String>,
}

/// The sessions that are awake, by tenant and board. A page may be shorter than wanted where a session has
/// just ended, or few of many fit.
#[utoipa::path(
    tag = "sessions",
    operation_id = "list_sessions",
    extensions(("x-permission" = json!("boards:read"))),
    params(Asked),
    responses((status = 200, body = Page<View>)),
)]
#[get("/sessions")]
pub(super) async fn list(
    caller: Caller,
    asked: web::Query<Asked>,
    api: web::Data<Api>,
) -> Result<web::Json<Page<View>>, Problem> {
    let Asked { q, tenant, limit, after } = asked.into_inner();
    let reach = caller.reach(Permission::BoardsRead)?;
    if let Some(tenant) = &tenant {
        caller.require(Permission::BoardsRead, &Scope::Tenant(tenant.clone()))?;
    }
    let within = match (tenant, reach) {
        (Some(tenant), _) => Some([tenant].into()),
        (None, Reach::Everywhere) => None,
        (None, Reach::Tenants(tenants)) => Some(tenants),
    };
    let contains = q.unwrap_or_default();
    if contains.chars().count() > PART_MAX {
        let detail = format_args!("q has at most {PART_MAX} characters");
        return Err(Problem::new(Code::Invalid, detail));
    }
    let paging = Paging { limit, after };
    let after = paging.after_text::<Place>()?.map(|Place(tenant, board)| (tenant, board));
    let find = FindSessions { within, after, contains, limit: paging.limit()? };
    let page = api.run(&caller, move |admin| admin.find_sessions(find)).await?;
    let now = api.now();
    let next =
        page.next.map(|(tenant, board)| Paging::cursor(format!("{tenant}/{board}").as_bytes()));
    let items = page.sessions.into_iter().map(|awake| View::of(awake, now)).collect();
    Ok(web::Json(Page { items, next }))
}

/// Behind a board of a tenant.
struct Place(TenantId, BoardId);

impl std::str::FromStr for Place {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (tenant, board) = text.split_once('/').ok_or(())?;
        Ok(Self(tenant.parse().map_err(drop)?, board.parse().map_err(drop)?))
    }
}

/// Ends a board's session that is awake. The board may begin another at once: `POST
/// /boards/{board}/block` keeps it from that.
#[utoipa::path(
    tag = "sessions",
    operation_id = "end_board_session",
    extensions(("x-permission" = json!("boards:block"))),
    params(("board" = String, Path, description = "The board's hardware id")),
    responses((status = 204, description = "It has ended")),
)]
#[delete("/sessions/{board}")]
pub(super) async fn end(
    caller: Caller,
    board: web::Path<BoardId>,
    api: web::Data<Api>,
) -> Result<HttpResponse, Problem> {
    let (who, board) = (caller.clone(), board.into_inner());
    let ended = api.run(&caller, move |admin| {
        let board = find(admin, &who, &board, Permission::BoardsBlock)?;
        admin.end_session(&board).map_err(Problem::from)
    });
    ended.await?;
    Ok(HttpResponse::NoContent().finish())
}
