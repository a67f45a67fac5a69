//! `/me`: who one is, to the hub.

use actix_web::{Responder, get, web};
use serde::Serialize;
use utoipa::ToSchema;

use super::caller::{Caller, Means};

/// Whoever asks.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Me {
    /// The name they sign in with.
    #[schema(example = "anna@example.com")]
    user: String,
    /// The token they use; none for a person at a browser.
    token: Option<String>,
    /// What they may, and where.
    powers: Vec<Power>,
}

/// Some permissions, and where they count.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Power {
    /// The one tenant; none is everywhere.
    tenant: Option<String>,
    /// The permissions' names.
    #[schema(example = json!(["boards:read"]))]
    permissions: Vec<&'static str>,
}

/// Who am I, and what may I?
#[utoipa::path(
    tag = "me",
    extensions(("x-permission" = json!("signed-in"))),
    responses((status = 200, body = Me)),
)]
#[get("/me")]
pub(super) async fn show(caller: Caller) -> impl Responder {
    let token = match &caller.by {
        Means::Token(id) => Some(id.to_string()),
    };
    let powers = caller.powers.iter().map(|(tenant, permissions)| Power {
        tenant: tenant.map(ToString::to_string),
        permissions: permissions.iter().map(crate::people::Permission::as_str).collect(),
    });
    web::Json(Me { user: caller.user.to_string(), token, powers: powers.collect() })
}
