//! What people call a board and sort it by.

use std::collections::BTreeMap;

use actix_web::{HttpRequest, HttpResponse, get, put, web};
use serde::Deserialize;
use storage::BoardId;
use utoipa::ToSchema;

use super::find;
use crate::http::api::caller::Caller;
use crate::http::api::etag::{Known, tagged_by};
use crate::http::api::problem::{Code, Problem};
use crate::http::api::serving::Api;
use crate::people::Permission;

/// Labels of one board.
const LABELS_MAX: usize = 32;
/// Characters of a label's key, and of its value.
const LABEL_MAX: usize = 128;

/// What people call a board and sort it by: keys and values.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(example = json!({ "site": "roof" }))]
pub(in crate::http::api) struct Labels(BTreeMap<String, String>);

/// A board's labels.
#[utoipa::path(
    tag = "boards",
    operation_id = "show_labels",
    extensions(("x-permission" = json!("boards:read"))),
    params(("board" = String, Path, description = "The board's hardware id")),
    responses((status = 200, body = Labels,
        headers(("ETag", description = "The labels as they are")))),
)]
#[get("/boards/{board}/labels")]
pub(in crate::http::api) async fn show(
    caller: Caller,
    board: web::Path<BoardId>,
    api: web::Data<Api>,
) -> Result<HttpResponse, Problem> {
    let (who, board) = (caller.clone(), board.into_inner());
    let found = api.run(&caller, move |admin| find(admin, &who, &board, Permission::BoardsRead));
    let labels = found.await?.labels;
    tagged_by(&labels, &labels)
}

/// Gives a board these labels instead of those it has.
#[utoipa::path(
    tag = "boards",
    operation_id = "set_labels",
    extensions(("x-permission" = json!("boards:write"))),
    params(
        ("board" = String, Path, description = "The board's hardware id"),
        ("If-Match" = String, Header, description = "The ETag of the labels as you have read them"),
    ),
    request_body = Labels,
    responses((status = 200, body = Labels,
        headers(("ETag", description = "The labels as they are now")))),
)]
#[put("/boards/{board}/labels")]
pub(in crate::http::api) async fn set(
    caller: Caller,
    board: web::Path<BoardId>,
    labels: web::Json<Labels>,
    request: HttpRequest,
    api: web::Data<Api>,
) -> Result<HttpResponse, Problem> {
    let known = Known::of(&request)?;
    let (who, board, Labels(labels)) = (caller.clone(), board.into_inner(), labels.into_inner());
    bounded(&labels)?;
    let changed = api.run(&caller, move |admin| {
        find(admin, &who, &board, Permission::BoardsWrite)?;
        admin.relabel(&board, |board| known.must_match(&board.labels).map(|()| labels))
    });
    let labels = changed.await?.labels;
    tagged_by(&labels, &labels)
}

/// Refuses labels that no list could show.
pub(in crate::http::api) fn bounded(labels: &BTreeMap<String, String>) -> Result<(), Problem> {
    let fits =
        |text: &String| text.chars().count() <= LABEL_MAX && !text.contains(char::is_control);
    let is_label = |(key, value): (&String, &String)| !key.is_empty() && fits(key) && fits(value);
    match labels.len() <= LABELS_MAX && labels.iter().all(is_label) {
        true => Ok(()),
        false => {
            let detail = format_args!(
                "a board has at most {LABELS_MAX} labels, and a label a key and a value of at most \
                 {LABEL_MAX} characters"
            );
            Err(Problem::new(Code::Invalid, detail))
        }
    }
}
