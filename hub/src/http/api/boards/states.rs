//! A board shut out, let in again, refused for good.

use actix_web::{post, web};
use serde::{Deserialize, Serialize};
use storage::BoardId;
use utoipa::ToSchema;

use super::{View, find};
use crate::admin::{Admin, AdminError, Ended};
use crate::http::api::caller::Caller;
use crate::http::api::problem::{Code, Problem};
use crate::http::api::serving::Api;
use crate::people::Permission;

/// Characters of the longest reason.
const REASON_MAX: usize = 500;

/// Why.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Reason)]
pub(in crate::http::api) struct Why {
    /// In words; shown wherever the board is refused.
    #[schema(example = "lost at the depot", min_length = 1, max_length = 500)]
    reason: String,
}

/// A board's change, and what it ended.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http::api) struct Shut {
    /// The board as it is now.
    board: View,
    /// Sessions that were awake and end now.
    sessions_ended: Option<usize>,
}

impl From<Ended> for Shut {
    fn from(ended: Ended) -> Self {
        Self { board: View::from(ended.board), sessions_ended: ended.sessions_ended }
    }
}

impl Why {
    pub(in crate::http::api) const fn of(reason: String) -> Self {
        Self { reason }
    }

    /// The words.
    ///
    /// # Errors
    /// [`Code::Invalid`] for none, or too many.
    pub(in crate::http::api) fn words(self) -> Result<String, Problem> {
        let reason = self.reason.trim();
        let count = reason.chars().count();
        match (1..=REASON_MAX).contains(&count) && !reason.contains(char::is_control) {
            true => Ok(reason.to_owned()),
            false => {
                let detail = format_args!("a reason has 1 to {REASON_MAX} characters on one line");
                Err(Problem::new(Code::Invalid, detail))
            }
        }
    }
}

/// Refuses a board until it is unblocked; its sessions end.
#[utoipa::path(
    tag = "boards",
    operation_id = "block_board",
    extensions(("x-permission" = json!("boards:block"))),
    params(("board" = String, Path, description = "The board's hardware id")),
    request_body = Why,
    responses((status = 200, body = Shut)),
)]
#[post("/boards/{board}/block")]
pub(in crate::http::api) async fn block(
    caller: Caller,
    board: web::Path<BoardId>,
    why: web::Json<Why>,
    api: web::Data<Api>,
) -> Result<web::Json<Shut>, Problem> {
    let (why, now) = (why.into_inner().words()?, api.now());
    change(caller, board, api, move |admin, board| admin.block(board, &why, now)).await
}

/// Lets a blocked board connect again.
#[utoipa::path(
    tag = "boards",
    operation_id = "unblock_board",
    extensions(("x-permission" = json!("boards:block"))),
    params(("board" = String, Path, description = "The board's hardware id")),
    responses((status = 200, body = Shut)),
)]
#[post("/boards/{board}/unblock")]
pub(in crate::http::api) async fn unblock(
    caller: Caller,
    board: web::Path<BoardId>,
    api: web::Data<Api>,
) -> Result<web::Json<Shut>, Problem> {
    change(caller, board, api, Admin::unblock).await
}

/// Lets a board connect again that is held because there seemed to be two of it. Only for who knows why:
/// where the other one still has its key, both are taken for it again.
#[utoipa::path(
    tag = "boards",
    operation_id = "release_board",
    extensions(("x-permission" = json!("boards:block"))),
    params(("board" = String, Path, description = "The board's hardware id")),
    responses((status = 200, body = Shut)),
)]
#[post("/boards/{board}/release")]
pub(in crate::http::api) async fn release(
    caller: Caller,
    board: web::Path<BoardId>,
    api: web::Data<Api>,
) -> Result<web::Json<Shut>, Problem> {
    change(caller, board, api, Admin::release).await
}

/// Refuses a board for good; its sessions end. This cannot be undone.
#[utoipa::path(
    tag = "boards",
    operation_id = "revoke_board",
    extensions(("x-permission" = json!("boards:block"))),
    params(("board" = String, Path, description = "The board's hardware id")),
    request_body = Why,
    responses((status = 200, body = Shut)),
)]
#[post("/boards/{board}/revoke")]
pub(in crate::http::api) async fn revoke(
    caller: Caller,
    board: web::Path<BoardId>,
    why: web::Json<Why>,
    api: web::Data<Api>,
) -> Result<web::Json<Shut>, Problem> {
    let (why, now) = (why.into_inner().words()?, api.now());
    change(caller, board, api, move |admin, board| admin.revoke(board, &why, now)).await
}

async fn change(
    caller: Caller,
    board: web::Path<BoardId>,
    api: web::Data<Api>,
    change: impl FnOnce(&Admin, &BoardId) -> Result<Ended, AdminError> + Send + 'static,
) -> Result<web::Json<Shut>, Problem> {
    let (who, board) = (caller.clone(), board.into_inner());
    let changed = api.run(&caller, move |admin| {
        find(admin, &who, &board, Permission::BoardsBlock)?;
        change(admin, &board).map_err(Problem::from)
    });
    Ok(web::Json(changed.await?.into()))
}
