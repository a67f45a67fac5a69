//! A board's readings as they pass, to who looks just then; the hub keeps none.

use actix_web::{HttpResponse, get, web};
use actors::metrics::Label as _;
use actors::taps::{Passing, Tap};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use storage::{BoardId, TenantId, UnixSeconds};
use utoipa::ToSchema;

use super::find;
use crate::http::api::caller::Caller;
use crate::http::api::moment::Moment;
use crate::http::api::problem::Problem;
use crate::http::api::serving::Api;
use crate::http::api::stream::{Event, Source, tell};
use crate::people::{Permission, Powers};

/// A reading that has just passed, or has not: the content of an event `message`.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PassingMessage)]
pub(in crate::http::api) struct View {
    /// When its outcome was known.
    at: Moment,
    /// Its CoAP path.
    resource: String,
    /// Bytes of it.
    size: usize,
    /// Its CoAP Content-Format.
    content_format: Option<u16>,
    /// What became of it, as in the metrics: `accepted`, `down`, `full`, `refused`, `lost`,
    /// `no_upstream`, `over_quota`.
    outcome: &'static str,
    /// Milliseconds from its arrival to that.
    latency_ms: u64,
    /// What it says, in base64; for who may read messages alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<String>,
}

impl View {
    fn of(passing: &Passing, at: UnixSeconds, with_payload: bool) -> Self {
        Self {
            at: at.into(),
            resource: passing.resource.clone(),
            size: passing.payload.len(),
            content_format: passing.content_format,
            outcome: passing.outcome.label(),
            latency_ms: u64::try_from(passing.after.as_millis()).unwrap_or(u64::MAX),
            payload: with_payload.then(|| STANDARD.encode(&passing.payload)),
        }
    }
}

struct Messages {
    api: web::Data<Api>,
    tenant: TenantId,
    tap: Tap,
}

impl Source for Messages {
    async fn next(&mut self, powers: &Powers) -> Option<Vec<Event>> {
        let passing = self.tap.next().await?;
        let may_read = powers.has_in(Permission::MessagesRead, &self.tenant);
        let view = View::of(&passing, self.api.now(), may_read);
        Some(vec![Event::new("message", &view)])
    }

    fn may_listen(&self, powers: &Powers) -> bool {
        powers.has_in(Permission::BoardsRead, &self.tenant)
    }
}

/// A board's readings as they pass, from now on, as server-sent events `message`: what they are and what
/// becomes of them, and what they say (`messages:read`). The hub keeps none of it. It ends with the
/// sign-in.
#[utoipa::path(
    tag = "boards",
    operation_id = "listen_to_messages",
    extensions(("x-permission" = json!("boards:read"))),
    params(("board" = String, Path, description = "The board's hardware id")),
    responses((status = 200, body = View, content_type = "text/event-stream")),
)]
#[get("/boards/{board}/messages")]
pub(in crate::http::api) async fn listen(
    caller: Caller,
    board: web::Path<BoardId>,
    api: web::Data<Api>,
) -> Result<HttpResponse, Problem> {
    let (who, board) = (caller.clone(), board.into_inner());
    let found = api.run(&caller, move |admin| find(admin, &who, &board, Permission::BoardsRead));
    let board = found.await?;
    let tap = api.taps().listen(board.id);
    tell(&api, caller, Messages { api: api.clone(), tenant: board.tenant, tap })
}
