//! What a board said last of its firmware.

use actix_web::{get, web};
use serde::Serialize;
use storage::{BoardFirmware, BoardId};
use utoipa::ToSchema;

use super::find;
use crate::http::api::caller::Caller;
use crate::http::api::moment::Moment;
use crate::http::api::problem::Problem;
use crate::http::api::serving::Api;
use crate::people::Permission;

/// What a board said last of its firmware.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BoardFirmware)]
pub(in crate::http::api) struct View {
    /// The kind of product that it is.
    #[schema(example = "valve")]
    product: String,
    /// The revision of its hardware.
    hardware: String,
    /// The version that runs.
    #[schema(example = "1.4.0")]
    version: String,
    /// The least security counter that may run there.
    floor: u32,
    /// Whether what runs has yet to prove itself.
    on_trial: bool,
    /// Percent of its battery, where it told.
    battery_percent: Option<u8>,
    /// Its signal, RSRP in dBm, where it told.
    rsrp_dbm: Option<i16>,
    /// Why its processor was reset, as its register has it.
    reset_cause: u32,
    /// What its application left behind when it last failed, in hexadecimal.
    fault: Option<String>,
    /// When it said so.
    reported: Moment,
}

impl From<BoardFirmware> for View {
    fn from(said: BoardFirmware) -> Self {
        let hex = |bytes: Vec<u8>| bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        Self {
            product: said.product,
            hardware: said.hardware,
            version: said.version.to_string(),
            floor: said.floor,
            on_trial: said.on_trial,
            battery_percent: said.battery_percent,
            rsrp_dbm: said.rsrp_dbm,
            reset_cause: said.reset_cause,
            fault: said.fault.map(hex),
            reported: said.reported.into(),
        }
    }
}

/// What a board said last of its firmware; of one that never has, there is nothing (`not-found`).
#[utoipa::path(
    tag = "boards",
    operation_id = "show_board_firmware",
    extensions(("x-permission" = json!("boards:read"))),
    params(("board" = String, Path, description = "The board's hardware id")),
    responses((status = 200, body = View)),
)]
#[get("/boards/{board}/firmware")]
pub(in crate::http::api) async fn show(
    caller: Caller,
    board: web::Path<BoardId>,
    api: web::Data<Api>,
) -> Result<web::Json<View>, Problem> {
    let (who, board) = (caller.clone(), board.into_inner());
    let said = api.run(&caller, move |admin| {
        find(admin, &who, &board, Permission::BoardsRead)?;
        let said = admin.store().board_firmware().find(board.as_str());
        said.map_err(Problem::from)?.ok_or_else(|| Problem::unknown("report of board", &board))
    });
    Ok(web::Json(said.await?.into()))
}
