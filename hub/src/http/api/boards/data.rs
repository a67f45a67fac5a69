//! What a board has used of its data plan.

use actix_web::{get, web};
use serde::Serialize;
use storage::BoardId;
use utoipa::ToSchema;

use super::find;
use crate::http::api::caller::Caller;
use crate::http::api::problem::Problem;
use crate::http::api::serving::Api;
use crate::people::Permission;

/// What passed between a board and the hub this month (UTC), and what its data plan has.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DataUse)]
pub(in crate::http::api) struct View {
    /// Bytes both ways, down to IP: as far as the hub knows. Handshakes, plain CoAP, what others send the board, and
    /// what a crash took are not in it.
    used: u64,
    /// Bytes a month of its data plan, as its tenant's quota says; none where that is not known.
    plan: Option<u32>,
}

/// What a board has used of its data plan this month.
#[utoipa::path(
    tag = "boards",
    operation_id = "show_data_use",
    extensions(("x-permission" = json!("boards:read"))),
    params(("board" = String, Path, description = "The board's hardware id")),
    responses((status = 200, body = View)),
)]
#[get("/boards/{board}/data-use")]
pub(in crate::http::api) async fn show(
    caller: Caller,
    board: web::Path<BoardId>,
    api: web::Data<Api>,
) -> Result<web::Json<View>, Problem> {
    let (who, board, now) = (caller.clone(), board.into_inner(), api.now());
    let view = api.run(&caller, move |admin| {
        let board = find(admin, &who, &board, Permission::BoardsRead)?;
        let used = admin.store().boards().data_use(&board.id)?.in_month_of(now);
        let plan = admin.tenant(&board.tenant)?.quota.data_plan.filter(|plan| *plan > 0);
        Ok::<_, Problem>(View { used, plan })
    });
    Ok(web::Json(view.await?))
}
