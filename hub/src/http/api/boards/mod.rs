//! `/boards`: listed, searched and counted; one of them, added, labelled, shut out, removed.
//!
//! Invariant: whoever may see nothing of a board's tenant is told that there is no such board.

mod asked;
mod counts;
mod data;
mod firmware;
mod history;
mod labels;
mod messages;
mod states;
mod view;

use std::collections::BTreeMap;
use std::net::IpAddr;

use actix_web::{HttpRequest, HttpResponse, delete, get, post, web};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use storage::{Board, BoardId, BoardQuery, Fingerprint, TenantId};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use self::asked::ListQuery;
pub(super) use self::asked::{Asked, Listed};
pub(super) use self::labels::bounded;
pub(super) use self::states::Why;
use self::view::View;
use super::caller::{Caller, Scope};
use super::etag::{Known, tagged_by};
use super::problem::Problem;
use super::serving::Api;
use crate::admin::Admin;
use crate::people::Permission;

/// The handlers.
pub(super) fn resources(app: &mut ServiceConfig) {
    // What has a name of its own comes before what has a board's.
    app.service(counts::facets);
    app.service(list).service(add).service(show).service(remove);
    app.service(messages::listen).service(history::show).service(firmware::show);
    app.service(data::show);
    app.service(labels::show).service(labels::set);
    app.service(states::block).service(states::unblock).service(states::release);
    app.service(states::revoke);
}

/// A page of boards.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Boards {
    /// The boards, in the order that was asked for. A page may be shorter than wanted where one was
    /// changed a moment ago.
    items: Vec<View>,
    /// What to give as `after` for the next page; none behind the last.
    next: Option<String>,
    /// How many boards fit in all.
    total: u64,
}

/// The boards that fit, a page at a time.
#[utoipa::path(
    tag = "boards",
    operation_id = "list_boards",
    extensions(("x-permission" = json!("boards:read"))),
    params(Asked, Listed),
    responses((status = 200, body = Boards)),
)]
#[get("/boards")]
pub(super) async fn list(
    caller: Caller,
    ListQuery(asked, listed): ListQuery,
    api: web::Data<Api>,
) -> Result<web::Json<Boards>, Problem> {
    let filter = asked.filter(&caller.reach(Permission::BoardsRead)?)?;
    let query = BoardQuery {
        filter,
        sort: listed.sort,
        descending: listed.descending,
        after: listed.after,
        limit: listed.limit,
        ..BoardQuery::default()
    };
    let page = api.run(&caller, move |admin| admin.store().boards().query(&query)).await?;
    Ok(web::Json(Boards {
        items: page.boards.into_iter().map(View::from).collect(),
        next: page.next.map(|next| URL_SAFE_NO_PAD.encode(next.to_bytes())),
        total: page.total,
    }))
}

/// One board. Its ETag stays while nothing but the times of hearing it changes.
#[utoipa::path(
    tag = "boards",
    operation_id = "show_board",
    extensions(("x-permission" = json!("boards:read"))),
    params(("board" = String, Path, description = "The board's hardware id")),
    responses((status = 200, body = View, headers(("ETag", description = "The board as it is")))),
)]
#[get("/boards/{board}")]
pub(super) async fn show(
    caller: Caller,
    board: web::Path<BoardId>,
    api: web::Data<Api>,
) -> Result<HttpResponse, Problem> {
    let (who, board) = (caller.clone(), board.into_inner());
    let found = api.run(&caller, move |admin| find(admin, &who, &board, Permission::BoardsRead));
    let view = View::from(found.await?);
    tagged_by(&view, &view.changeable())
}

/// A board to be added.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewBoard {
    /// Its hardware id, as in its certificate: 1 to 32 of A-Z, a-z, 0-9 and `.`, `_`, `:`, `-`.
    #[schema(value_type = String, example = "CB-0001")]
    id: BoardId,
    /// Whose it is.
    #[schema(value_type = String, example = "acme")]
    tenant: TenantId,
    /// SHA-256 of its certificate's DER, in hexadecimal; none while it has no certificate.
    #[schema(value_type = Option<String>)]
    fingerprint: Option<Fingerprint>,
    /// What people call it and sort it by.
    #[serde(default)]
    labels: BTreeMap<String, String>,
    /// Its address on a plain CoAP listener.
    #[schema(value_type = Option<String>, example = "10.0.0.7")]
    address: Option<IpAddr>,
}

/// Adds a board whose certificate was issued elsewhere, or that has none yet.
#[utoipa::path(
    tag = "boards",
    operation_id = "add_board",
    extensions(("x-permission" = json!("boards:write"))),
    request_body = NewBoard,
    responses((status = 201, body = View, headers(("Location", description = "The board")))),
)]
#[post("/boards")]
pub(super) async fn add(
    caller: Caller,
    new: web::Json<NewBoard>,
    api: web::Data<Api>,
) -> Result<HttpResponse, Problem> {
    let NewBoard { id, tenant, fingerprint, labels, address } = new.into_inner();
    caller.require(Permission::BoardsWrite, &Scope::Tenant(tenant.clone()))?;
    bounded(&labels)?;
    let mut board = Board::new(id, tenant, api.now());
    (board.fingerprint, board.labels, board.address) = (fingerprint, labels, address);
    let added = api.run(&caller, move |admin| {
        admin.tenant(&board.tenant)?;
        admin.put_board(&board, "board.add")?;
        admin.board(&board.id)
    });
    let added = added.await?;
    let place = format!("{}/boards/{}", super::BASE, added.id);
    Ok(HttpResponse::Created().insert_header(("Location", place)).json(View::from(added)))
}

/// Forgets a board: its sessions end, and its certificate is unknown from now on.
#[utoipa::path(
    tag = "boards",
    operation_id = "remove_board",
    extensions(("x-permission" = json!("boards:write"))),
    params(
        ("board" = String, Path, description = "The board's hardware id"),
        ("If-Match" = String, Header, description = "The ETag of the board as you have read it"),
    ),
    responses((status = 204, description = "It is gone")),
)]
#[delete("/boards/{board}")]
pub(super) async fn remove(
    caller: Caller,
    board: web::Path<BoardId>,
    request: HttpRequest,
    api: web::Data<Api>,
) -> Result<HttpResponse, Problem> {
    let known = Known::of(&request)?;
    let (who, board) = (caller.clone(), board.into_inner());
    let removed = api.run(&caller, move |admin| {
        find(admin, &who, &board, Permission::BoardsWrite)?;
        admin
            .remove_board(&board, |board| known.must_match(&View::from(board.clone()).changeable()))
    });
    removed.await?;
    Ok(HttpResponse::NoContent().finish())
}

/// The board, for whoever may do this to it.
///
/// # Errors
/// `not-found` for one whose tenant the caller has nothing to do with, too.
pub(super) fn find(
    admin: &Admin,
    caller: &Caller,
    id: &BoardId,
    permission: Permission,
) -> Result<Board, Problem> {
    let board = admin.board(id)?;
    if !caller.powers.knows(&board.tenant) {
        return Err(Problem::unknown("board", id));
    }
    caller.require(permission, &Scope::Tenant(board.tenant.clone()))?;
    Ok(board)
}
