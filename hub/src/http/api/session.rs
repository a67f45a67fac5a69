//! `/session`: signing in and out at a browser.

use actix_web::cookie::Cookie;
use actix_web::{HttpRequest, HttpResponse, delete, get, post, web};
use serde::{Deserialize, Serialize};
use storage::{Login, SignedInBy};
use utoipa::ToSchema;
use zeroize::Zeroizing;

use super::caller::visitor;
use super::cookies::{self, cookie, forgotten};
use super::moment::Moment;
use super::problem::Problem;
use super::serving::Api;
use crate::people::{Begun, SecondFactor, Step, is_setup_needed};

/// How long a browser is known.
const BROWSER_S: u64 = 365 * 24 * 60 * 60;
/// How long the second step may take.
pub(super) const STEP_S: u64 = 5 * 60;

/// Where a browser stands.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Session {
    /// Whether somebody is signed in.
    state: State,
    /// How one can go on from here.
    methods: Vec<Method>,
    /// What people know the OpenID provider by, where there is one.
    provider: Option<String>,
    /// Who is signed in.
    user: Option<String>,
    /// How they proved who they are.
    #[schema(value_type = Option<String>, example = "password-and-totp")]
    by: Option<SignedInBy>,
    /// When they did.
    begun: Option<Moment>,
    /// When it ends in any case.
    ends: Option<Moment>,
}

/// Whether somebody is signed in.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = SessionState)]
pub(super) enum State {
    /// The hub has no admin: the one-time link makes the first.
    SetupNeeded,
    /// Nobody is.
    SignedOut,
    /// The password was right; something else is to follow.
    SecondFactor,
    /// Somebody is.
    SignedIn,
}

/// A way to prove who one is.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = SignInMethod)]
pub(super) enum Method {
    /// A password.
    Password,
    /// A code of an authenticator app.
    Totp,
    /// A recovery code.
    RecoveryCode,
    /// A passkey.
    Passkey,
    /// The OpenID provider: `/api/v1/session/provider`.
    Provider,
}

impl From<SecondFactor> for Method {
    fn from(factor: SecondFactor) -> Self {
        match factor {
            SecondFactor::Totp => Self::Totp,
            SecondFactor::RecoveryCode => Self::RecoveryCode,
            SecondFactor::Passkey => Self::Passkey,
        }
    }
}

impl Session {
    fn nobodys(state: State, methods: Vec<Method>) -> Self {
        Self { state, methods, provider: None, user: None, by: None, begun: None, ends: None }
    }

    fn of(login: &Login, lasts_s: u64) -> Self {
        let ends = storage::UnixSeconds(login.begun.0.saturating_add(lasts_s));
        Self {
            state: State::SignedIn,
            methods: Vec::new(),
            provider: None,
            user: Some(login.user.to_string()),
            by: Some(login.by),
            begun: Some(login.begun.into()),
            ends: Some(ends.into()),
        }
    }
}

/// A name and a password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SignIn)]
pub(super) struct SignIn {
    /// The name.
    #[schema(example = "anna@example.com", max_length = 64)]
    user: String,
    /// The password.
    #[schema(value_type = String, format = Password, max_length = 256)]
    password: Zeroizing<String>,
}

/// A code.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CodeShown {
    /// As the app shows it, or as it was written down.
    #[schema(value_type = String, example = "123456", max_length = 64)]
    pub(super) code: Zeroizing<String>,
}

/// Is somebody signed in at this browser, and how could one be?
#[utoipa::path(
    tag = "session",
    operation_id = "show_session",
    extensions(("x-permission" = json!("public"))),
    responses((status = 200, body = Session)),
)]
#[get("/session")]
pub(super) async fn show(
    request: HttpRequest,
    api: web::Data<Api>,
) -> Result<web::Json<Session>, Problem> {
    let (store, sessions) = (api.admin().store(), api.sign_in().sessions());
    let signed_in = match cookies::shown(&request, cookies::SESSION) {
        Some(shown) => sessions.find(&shown, api.now())?,
        None => None,
    };
    if let Some((_, login)) = signed_in {
        return Ok(web::Json(Session::of(&login, sessions.absolute_s())));
    }
    let (state, methods) = match is_setup_needed(store)? {
        true => (State::SetupNeeded, Vec::new()),
        false => (State::SignedOut, vec![Method::Password, Method::Passkey]),
    };
    let mut session = Session::nobodys(state, methods);
    if let Some(name) = api.sign_in().provider_name() {
        session.methods.push(Method::Provider);
        session.provider = Some(name.to_owned());
    }
    Ok(web::Json(session))
}

/// Sign in with a password.
///
/// What follows is in `state`: `signed-in`, or `second-factor` with the `methods` there are.
#[utoipa::path(
    tag = "session",
    operation_id = "sign_in",
    extensions(("x-permission" = json!("public"))),
    request_body = SignIn,
    responses((status = 200, body = Session)),
)]
#[post("/session")]
pub(super) async fn begin(
    said: web::Json<SignIn>,
    request: HttpRequest,
    api: web::Data<Api>,
) -> Result<HttpResponse, Problem> {
    let (said, visitor) = (said.into_inner(), visitor(&request, &api));
    let sign_in = api.sign_in_shared();
    let step = api.hashing(move || sign_in.password(&said.user, &said.password, &visitor)).await?;
    match step {
        Step::Done(begun) => Ok(signed_in(&api, &begun, &[])),
        Step::SecondFactor(shown, factors) => {
            let methods = factors.into_iter().map(Method::from).collect();
            let mut answer = HttpResponse::Ok();
            answer.cookie(cookie(cookies::STEP, shown.as_str(), STEP_S));
            Ok(answer.json(Session::nobodys(State::SecondFactor, methods)))
        }
    }
}

/// Go on with a code of an authenticator app.
#[utoipa::path(
    tag = "session",
    operation_id = "sign_in_totp",
    extensions(("x-permission" = json!("public"))),
    request_body = CodeShown,
    responses((status = 200, body = Session)),
)]
#[post("/session/totp")]
pub(super) async fn totp(
    said: web::Json<CodeShown>,
    request: HttpRequest,
    api: web::Data<Api>,
) -> Result<HttpResponse, Problem> {
    let visitor = visitor(&request, &api);
    let step = cookies::shown(&request, cookies::STEP).unwrap_or_default();
    let sign_in = api.sign_in_shared();
    let begun = api.blocking(move || sign_in.totp(&step, said.code.trim(), &visitor)).await?;
    Ok(signed_in(&api, &begun, &[]))
}

/// Go on with a recovery code, which is used up.
#[utoipa::path(
    tag = "session",
    operation_id = "sign_in_recovery_code",
    extensions(("x-permission" = json!("public"))),
    request_body = CodeShown,
    responses((status = 200, body = Session)),
)]
#[post("/session/recovery-code")]
pub(super) async fn recovery_code(
    said: web::Json<CodeShown>,
    request: HttpRequest,
    api: web::Data<Api>,
) -> Result<HttpResponse, Problem> {
    let visitor = visitor(&request, &api);
    let step = cookies::shown(&request, cookies::STEP).unwrap_or_default();
    let sign_in = api.sign_in_shared();
    let begun = api.blocking(move || sign_in.recovery_code(&step, &said.code, &visitor)).await?;
    Ok(signed_in(&api, &begun, &[]))
}

/// Sign out.
#[utoipa::path(
    tag = "session",
    operation_id = "sign_out",
    extensions(("x-permission" = json!("public"))),
    responses((status = 204, description = "Nobody is signed in at this browser")),
)]
#[delete("/session")]
pub(super) async fn end(
    request: HttpRequest,
    api: web::Data<Api>,
) -> Result<HttpResponse, Problem> {
    if let Some(shown) = cookies::shown(&request, cookies::SESSION) {
        let (sign_in, visitor) = (api.sign_in_shared(), visitor(&request, &api));
        api.blocking(move || sign_in.sign_out(&shown, &visitor)).await?;
    }
    let mut answer = HttpResponse::NoContent();
    answer.cookie(forgotten(cookies::SESSION)).cookie(forgotten(cookies::STEP));
    Ok(answer.finish())
}

/// The answer to whoever has just got a session, with what else there is to say.
pub(super) fn signed_in(
    api: &Api,
    begun: &Begun,
    more: &[(&str, serde_json::Value)],
) -> HttpResponse {
    let lasts = api.sign_in().sessions().absolute_s();
    let mut answer = HttpResponse::Ok();
    for given in session_cookies(api, begun) {
        answer.cookie(given);
    }
    let mut said = serde_json::to_value(Session::of(&begun.login, lasts)).unwrap_or_default();
    if let Some(object) = said.as_object_mut() {
        object.extend(more.iter().map(|(key, value)| ((*key).to_owned(), value.clone())));
    }
    answer.insert_header(("Cache-Control", "no-store")).json(said)
}

/// What a browser is to show from now on.
pub(super) fn session_cookies(api: &Api, begun: &Begun) -> Vec<Cookie<'static>> {
    let lasts = api.sign_in().sessions().absolute_s();
    let mut cookies =
        vec![cookie(cookies::SESSION, begun.session.as_str(), lasts), forgotten(cookies::STEP)];
    if let Some(browser) = &begun.browser {
        cookies.push(cookie(cookies::BROWSER, browser, BROWSER_S));
    }
    cookies
}
