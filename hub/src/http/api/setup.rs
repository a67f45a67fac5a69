//! `/setup`: the one-time links, with which everybody begins.

use actix_web::{HttpRequest, HttpResponse, post, web};
use serde::{Deserialize, Serialize};
use storage::UserName;
use utoipa::ToSchema;
use zeroize::Zeroizing;

use super::caller::visitor;
use super::problem::Problem;
use super::serving::Api;
use super::session::{Session, signed_in};
use super::users::{NAME_MAX, line};
use crate::people;

/// A link.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Link {
    /// What stands behind `#` in it.
    #[schema(value_type = String, max_length = 64)]
    token: Zeroizing<String>,
}

/// For whom a link is.
#[derive(Serialize, ToSchema)]
pub(super) struct LinkFor {
    /// Their name; none where the hub has no admin yet, and whoever has the link becomes it.
    user: Option<String>,
}

/// What whoever has a link chooses.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Setup {
    /// What stands behind `#` in the link.
    #[schema(value_type = String, max_length = 64)]
    token: Zeroizing<String>,
    /// The first admin's name; for anybody else it is known.
    #[schema(value_type = Option<String>, example = "anna@example.com")]
    user: Option<UserName>,
    /// The first admin's name as people read it.
    #[schema(max_length = 128)]
    full_name: Option<String>,
    /// The password: at least 12 characters.
    #[schema(value_type = String, format = Password, min_length = 12, max_length = 256)]
    password: Zeroizing<String>,
}

/// For whom is a link?
#[utoipa::path(
    tag = "session",
    operation_id = "show_setup_link",
    extensions(("x-permission" = json!("public"))),
    request_body = Link,
    responses((status = 200, body = LinkFor)),
)]
#[post("/setup/link")]
pub(super) async fn link(
    said: web::Json<Link>,
    api: web::Data<Api>,
) -> Result<web::Json<LinkFor>, Problem> {
    let (sign_in, now) = (api.sign_in_shared(), api.now());
    let user = api.blocking(move || sign_in.link(&said.token, now)).await?;
    Ok(web::Json(LinkFor { user: user.map(|user| user.to_string()) }))
}

/// Use a link up: choose a password, and be signed in.
#[utoipa::path(
    tag = "session",
    operation_id = "set_up",
    extensions(("x-permission" = json!("public"))),
    request_body = Setup,
    responses((status = 200, body = Session)),
)]
#[post("/setup")]
pub(super) async fn set_up(
    said: web::Json<Setup>,
    request: HttpRequest,
    api: web::Data<Api>,
) -> Result<HttpResponse, Problem> {
    let (sign_in, visitor) = (api.sign_in_shared(), visitor(&request, &api));
    let Setup { token, user, full_name, password } = said.into_inner();
    let full_name = full_name.map(|name| line(&name, NAME_MAX)).transpose()?;
    let begun = api.hashing(move || {
        let setup = people::Setup { token: &token, user, full_name, password: &password };
        sign_in.set_up(&setup, &visitor)
    });
    Ok(signed_in(&api, &begun.await?, &[]))
}
