//! `/session/provider`: signing in by an OpenID provider, for browsers that follow links.
//!
//! Invariant: a browser is sent to the provider that is configured and back to the app's own pages,
//! whatever stands in a request.

use actix_web::cookie::SameSite;
use actix_web::http::header::LOCATION;
use actix_web::{HttpRequest, HttpResponse, get, web};
use serde::Deserialize;
use utoipa::IntoParams;

use super::caller::visitor;
use super::cookies::{self, cookie, forgotten};
use super::problem::Problem;
use super::serving::Api;
use super::session::{STEP_S, session_cookies};
use crate::people::SignInError;

/// Where the app shows what came of it.
const SIGN_IN_PAGE: &str = "/sign-in";

/// What the provider sends a browser back with.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Back {
    /// What is exchanged for who somebody is.
    #[param(required = false)]
    code: Option<String>,
    /// What it was sent with.
    #[param(required = false)]
    state: Option<String>,
}

/// Sign in by the provider: the browser is sent there.
#[utoipa::path(
    tag = "session",
    operation_id = "sign_in_provider",
    extensions(("x-permission" = json!("public"))),
    responses((status = 303, description = "To the provider, or to the sign-in page with `?refused=`")),
)]
#[get("/session/provider")]
pub(super) async fn begin(api: web::Data<Api>) -> HttpResponse {
    let (sign_in, now) = (api.sign_in_shared(), std::time::Instant::now());
    match api.blocking(move || sign_in.to_provider(now)).await {
        Ok((shown, url)) => {
            // Strict would keep it from coming back: the provider sends the browser here.
            let mut on_the_way = cookie(cookies::PROVIDER, shown.as_str(), STEP_S);
            on_the_way.set_same_site(SameSite::Lax);
            let mut answer = HttpResponse::SeeOther();
            answer.cookie(on_the_way).insert_header((LOCATION, url.to_string())).finish()
        }
        Err(problem) => refused(&problem),
    }
}

/// The provider has sent the browser back.
#[utoipa::path(
    tag = "session",
    operation_id = "sign_in_provider_callback",
    extensions(("x-permission" = json!("public"))),
    params(Back),
    responses((status = 303, description = "To the app, signed in, or to the sign-in page with `?refused=`")),
)]
#[get("/session/provider/callback")]
pub(super) async fn back(
    said: web::Query<Back>,
    request: HttpRequest,
    api: web::Data<Api>,
) -> HttpResponse {
    let shown = cookies::shown(&request, cookies::PROVIDER).unwrap_or_default();
    let (sign_in, visitor) = (api.sign_in_shared(), visitor(&request, &api));
    let Back { code, state } = said.into_inner();
    let begun = api.blocking(move || match (code, state) {
        (Some(code), Some(state)) => sign_in.from_provider(&shown, &state, code, &visitor),
        _ => Err(SignInError::Over),
    });
    match begun.await {
        Ok(begun) => {
            let mut answer = HttpResponse::SeeOther();
            for given in session_cookies(&api, &begun) {
                answer.cookie(given);
            }
            answer.cookie(forgotten(cookies::PROVIDER));
            answer.insert_header((LOCATION, "/")).finish()
        }
        Err(problem) => refused(&problem),
    }
}

/// The app's page, with the code of what went wrong.
fn refused(problem: &Problem) -> HttpResponse {
    let page = format!("{SIGN_IN_PAGE}?refused={}", problem.code_name());
    let mut answer = HttpResponse::SeeOther();
    answer.cookie(forgotten(cookies::PROVIDER)).insert_header((LOCATION, page)).finish()
}
