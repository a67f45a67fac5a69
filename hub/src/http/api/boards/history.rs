//! What happened to a board: its last sessions, and why it was refused.

use std::cmp::Reverse;

use actix_web::{get, web};
use actors::happened::{end_said, refusal_said};
use serde::Serialize;
use storage::{BoardHistory, BoardId, RefusedFor, SessionEvent, SessionTurn};
use utoipa::ToSchema;

use super::find;
use crate::http::api::caller::Caller;
use crate::http::api::moment::Moment;
use crate::http::api::problem::Problem;
use crate::http::api::serving::Api;
use crate::people::Permission;

/// What happened to a board.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BoardHistory)]
pub(in crate::http::api) struct View {
    /// The last 16 events of its sessions and the last 8 reasons of refusals, the newest first.
    items: Vec<Event>,
}

/// Something that happened to a board.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BoardEvent)]
pub(in crate::http::api) struct Event {
    /// What it was.
    kind: Kind,
    /// When; of refusals, the last time.
    at: Moment,
    /// Where the board was then, as the hub saw it; of refusals, where whoever claimed to be it was.
    #[schema(example = "198.51.100.7:40123")]
    source: String,
    /// Why a session ended or was refused, as the metrics have it: `reason` of
    /// `hub_sessions_ended_total` or of `hub_handshakes_total`; none where a later hub wrote it.
    #[schema(example = "blocked")]
    reason: Option<&'static str>,
    /// The same in words.
    detail: Option<String>,
    /// How often it was refused for this reason.
    count: Option<u32>,
    /// When it was refused for this reason first.
    first: Option<Moment>,
}

/// What happened.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = BoardEventKind)]
pub(in crate::http::api) enum Kind {
    /// A session began with a full handshake.
    Begun,
    /// A session began with an abbreviated one.
    Resumed,
    /// A session ended. Neither sleep nor the next one's beginning is told as an end.
    Ended,
    /// Whoever claimed to be the board was refused, perhaps often: it has proved nothing.
    Refused,
}

impl From<SessionEvent> for Event {
    fn from(event: SessionEvent) -> Self {
        let SessionEvent { at, source, what } = event;
        let (kind, said) = match what {
            SessionTurn::Begun => (Kind::Begun, None),
            SessionTurn::Resumed => (Kind::Resumed, None),
            SessionTurn::Ended(reason) => (Kind::Ended, end_said(reason)),
        };
        let (reason, detail) = said.unzip();
        let (at, source) = (at.into(), source.to_string());
        let detail = detail.map(str::to_owned);
        Self { kind, at, source, reason, detail, count: None, first: None }
    }
}

impl From<RefusedFor> for Event {
    fn from(refused: RefusedFor) -> Self {
        let RefusedFor { reason, count, first, last, source } = refused;
        let (reason, detail) = refusal_said(reason).unzip();
        Self {
            kind: Kind::Refused,
            at: last.into(),
            source: source.to_string(),
            reason,
            detail,
            count: Some(count),
            first: Some(first.into()),
        }
    }
}

impl From<Option<BoardHistory>> for View {
    fn from(history: Option<BoardHistory>) -> Self {
        let Some(BoardHistory { sessions, refusals, .. }) = history else {
            return Self { items: Vec::new() };
        };
        let refusals = refusals.into_iter().rev().map(Event::from);
        // What came later stays before what has the same second.
        let mut items: Vec<_> =
            refusals.chain(sessions.into_iter().rev().map(Event::from)).collect();
        items.sort_by_key(|event| Reverse(event.at));
        Self { items }
    }
}

/// A board's last sessions and why it was refused, as of some seconds ago.
#[utoipa::path(
    tag = "boards",
    operation_id = "show_history",
    extensions(("x-permission" = json!("boards:read"))),
    params(("board" = String, Path, description = "The board's hardware id")),
    responses((status = 200, body = View)),
)]
#[get("/boards/{board}/history")]
pub(in crate::http::api) async fn show(
    caller: Caller,
    board: web::Path<BoardId>,
    api: web::Data<Api>,
) -> Result<web::Json<View>, Problem> {
    let (who, board) = (caller.clone(), board.into_inner());
    let history = api.run(&caller, move |admin| {
        let board = find(admin, &who, &board, Permission::BoardsRead)?;
        admin.store().history(&board.id).map_err(Problem::from)
    });
    Ok(web::Json(history.await?.into()))
}
