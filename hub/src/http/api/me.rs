//! `/me`: who one is to the hub, and how one signs in.

use actix_web::{HttpRequest, HttpResponse, delete, get, post, put, web};
use serde::{Deserialize, Serialize};
use storage::SignedInBy;
use utoipa::ToSchema;
use zeroize::Zeroizing;

use super::caller::{Caller, Means, visitor};
use super::moment::Moment;
use super::problem::Problem;
use super::serving::Api;
use super::session::{CodeShown, Session, signed_in};
use super::users::GrantView;
use crate::people::{self, Permission, RecoveryCodes};

/// Whoever asks.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Me {
    /// The name they sign in with.
    #[schema(example = "anna@example.com")]
    user: String,
    /// The name people read.
    full_name: String,
    /// The token they use; none for a person at a browser.
    token: Option<String>,
    /// How they have signed in; none for a program.
    #[schema(value_type = Option<String>, example = "password-and-totp")]
    by: Option<SignedInBy>,
    /// Their roles.
    grants: Vec<GrantView>,
    /// What they may, and where: of a program, what its token and its owner may.
    powers: Vec<Power>,
    /// What they can sign in with.
    sign_in: Ways,
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

/// What somebody can sign in with.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Ways {
    /// A password.
    password: bool,
    /// An authenticator app.
    totp: bool,
    /// How many passkeys.
    passkeys: usize,
    /// How many recovery codes that were not used yet.
    recovery_codes: usize,
}

/// Who am I, and what may I?
#[utoipa::path(
    tag = "me",
    operation_id = "show_me",
    extensions(("x-permission" = json!("signed-in"))),
    responses((status = 200, body = Me)),
)]
#[get("/me")]
pub(super) async fn show(caller: Caller, api: web::Data<Api>) -> Result<web::Json<Me>, Problem> {
    let (token, by) = match &caller.by {
        Means::Token(id) => (Some(id.to_string()), None),
        Means::Session(own) => (None, Some(own.by)),
    };
    let powers = caller.powers.iter().map(|(tenant, permissions)| Power {
        tenant: tenant.map(ToString::to_string),
        permissions: permissions.iter().map(Permission::as_str).collect(),
    });
    let powers = powers.collect();
    let name = caller.user.clone();
    let read = api.run(&caller, move |admin| {
        let credentials = admin.store().credentials().find(name.as_str())?.unwrap_or_default();
        Ok::<_, Problem>((admin.user(&name)?, credentials))
    });
    let (user, credentials) = read.await?;
    Ok(web::Json(Me {
        user: user.name.to_string(),
        full_name: user.full_name,
        token,
        by,
        grants: user.grants.into_iter().map(GrantView::from).collect(),
        powers,
        sign_in: Ways {
            password: credentials.password.is_some(),
            totp: credentials.totp.is_some(),
            passkeys: credentials.passkeys.len(),
            recovery_codes: credentials.recovery.len(),
        },
    }))
}

/// An old and a new password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PasswordChange {
    /// The one until now.
    #[schema(value_type = String, format = Password, max_length = 256)]
    old: Zeroizing<String>,
    /// The one from now on: at least 12 characters.
    #[schema(value_type = String, format = Password, min_length = 12, max_length = 256)]
    new: Zeroizing<String>,
}

/// Change one's password. The session goes on under another id; one's other sessions end.
#[utoipa::path(
    tag = "me",
    operation_id = "change_my_password",
    extensions(("x-permission" = json!("signed-in"))),
    request_body = PasswordChange,
    responses((status = 200, body = Session)),
)]
#[put("/me/password")]
pub(super) async fn password(
    caller: Caller,
    said: web::Json<PasswordChange>,
    request: HttpRequest,
    api: web::Data<Api>,
) -> Result<HttpResponse, Problem> {
    let (own, visitor) = (caller.at_a_browser()?.clone(), visitor(&request, &api));
    let sign_in = api.sign_in_shared();
    let changed =
        api.hashing(move || sign_in.change_password(&own, &said.old, &said.new, &visitor));
    Ok(signed_in(&api, &changed.await?, &[]))
}

/// What an authenticator app is to know.
#[derive(Serialize, ToSchema)]
pub(super) struct Seed {
    /// The secret in base32, to be typed.
    secret: String,
    /// The same as `otpauth:`, to be shown as a picture.
    uri: String,
}

/// Begin to use an authenticator app.
#[utoipa::path(
    tag = "me",
    operation_id = "begin_my_totp",
    extensions(("x-permission" = json!("signed-in"))),
    responses((status = 200, body = Seed)),
)]
#[post("/me/totp/begin")]
pub(super) async fn begin_totp(
    caller: Caller,
    request: HttpRequest,
    api: web::Data<Api>,
) -> Result<HttpResponse, Problem> {
    let own = caller.freshly_signed_in(api.now())?;
    let seed = api.sign_in().begin_totp(own, &visitor(&request, &api))?;
    let uri = seed.uri("Cellular Hub", own.user.as_str());
    let said = Seed { secret: seed.to_base32().to_string(), uri: uri.to_string() };
    Ok(HttpResponse::Ok().insert_header(("Cache-Control", "no-store")).json(said))
}

/// Codes that are shown once.
#[derive(Serialize, ToSchema)]
pub(super) struct Codes {
    /// Each is good for one sign-in without the app.
    #[schema(example = json!(["01234-56789-abcde-f0123"]))]
    recovery_codes: Vec<String>,
}

fn in_the_clear(codes: &RecoveryCodes) -> Vec<String> {
    codes.iter().map(|code| code.to_string()).collect()
}

/// A session, and codes that are shown once.
#[derive(Serialize, ToSchema)]
pub(super) struct SessionWithCodes {
    #[serde(flatten)]
    session: Session,
    #[serde(flatten)]
    codes: Codes,
}

/// The app shows codes: from now on they are asked for. Recovery codes come with the answer, once.
#[utoipa::path(
    tag = "me",
    operation_id = "finish_my_totp",
    extensions(("x-permission" = json!("signed-in"))),
    request_body = CodeShown,
    responses((status = 200, body = SessionWithCodes)),
)]
#[post("/me/totp")]
pub(super) async fn finish_totp(
    caller: Caller,
    said: web::Json<CodeShown>,
    request: HttpRequest,
    api: web::Data<Api>,
) -> Result<HttpResponse, Problem> {
    let (own, visitor) = (caller.freshly_signed_in(api.now())?.clone(), visitor(&request, &api));
    let sign_in = api.sign_in_shared();
    let (begun, codes) =
        api.blocking(move || sign_in.finish_totp(&own, said.code.trim(), &visitor)).await?;
    Ok(signed_in(&api, &begun, &[("recovery_codes", in_the_clear(&codes).into())]))
}

/// Use the authenticator app no more.
#[utoipa::path(
    tag = "me",
    operation_id = "remove_my_totp",
    extensions(("x-permission" = json!("signed-in"))),
    responses((status = 200, body = Session)),
)]
#[delete("/me/totp")]
pub(super) async fn remove_totp(
    caller: Caller,
    request: HttpRequest,
    api: web::Data<Api>,
) -> Result<HttpResponse, Problem> {
    let (own, visitor) = (caller.freshly_signed_in(api.now())?.clone(), visitor(&request, &api));
    let sign_in = api.sign_in_shared();
    let begun = api.blocking(move || sign_in.remove_totp(&own, &visitor)).await?;
    Ok(signed_in(&api, &begun, &[]))
}

/// Get other recovery codes; those before count no more.
#[utoipa::path(
    tag = "me",
    operation_id = "renew_my_recovery_codes",
    extensions(("x-permission" = json!("signed-in"))),
    responses((status = 200, body = Codes)),
)]
#[post("/me/recovery-codes")]
pub(super) async fn recovery_codes(
    caller: Caller,
    request: HttpRequest,
    api: web::Data<Api>,
) -> Result<HttpResponse, Problem> {
    let (own, visitor) = (caller.freshly_signed_in(api.now())?.clone(), visitor(&request, &api));
    let sign_in = api.sign_in_shared();
    let codes = api.blocking(move || sign_in.new_recovery_codes(&own, &visitor)).await?;
    let codes = Codes { recovery_codes: in_the_clear(&codes) };
    Ok(HttpResponse::Ok().insert_header(("Cache-Control", "no-store")).json(codes))
}

/// A session of one's own.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct MySession {
    /// What to call it.
    id: String,
    /// Whether it is the one that asks.
    is_this: bool,
    /// How one proved who one is.
    #[schema(value_type = String)]
    by: SignedInBy,
    /// When it began.
    begun: Moment,
    /// When it was used last, to within a minute.
    last_used: Moment,
    /// Where it began from.
    source: Option<String>,
    /// What the browser calls itself.
    agent: String,
}

/// One's sessions, the latest first.
#[utoipa::path(
    tag = "me",
    operation_id = "list_my_sessions",
    extensions(("x-permission" = json!("signed-in"))),
    responses((status = 200, body = Vec<MySession>)),
)]
#[get("/me/sessions")]
pub(super) async fn sessions(
    caller: Caller,
    api: web::Data<Api>,
) -> Result<web::Json<Vec<MySession>>, Problem> {
    let own = caller.at_a_browser()?.clone();
    let (sign_in, now) = (api.sign_in_shared(), api.now());
    let sessions = api.blocking(move || {
        let known = sign_in.sessions().of(&own.user, now)?;
        let known = known.into_iter().map(|(digest, login)| MySession {
            id: people::name_of(&digest).to_string(),
            is_this: digest == own.session,
            by: login.by,
            begun: login.begun.into(),
            last_used: login.last_used.into(),
            source: login.source.map(|source| source.to_string()),
            agent: login.agent,
        });
        Ok::<_, Problem>(known.collect())
    });
    Ok(web::Json(sessions.await?))
}

/// End a session of one's own.
#[utoipa::path(
    tag = "me",
    operation_id = "end_my_session",
    extensions(("x-permission" = json!("signed-in"))),
    params(("session" = String, Path, description = "Its id")),
    responses((status = 204, description = "It has ended")),
)]
#[delete("/me/sessions/{session}")]
pub(super) async fn end_session(
    caller: Caller,
    session: web::Path<String>,
    api: web::Data<Api>,
) -> Result<HttpResponse, Problem> {
    let own = caller.at_a_browser()?.clone();
    let (sign_in, now) = (api.sign_in_shared(), api.now());
    let ended = api.blocking(move || {
        let known = sign_in.sessions().of(&own.user, now)?;
        let named = known.iter().find(|(digest, _)| people::name_of(digest).as_str() == *session);
        let (digest, _) = named.ok_or_else(|| Problem::unknown("session", &*session))?;
        sign_in.sessions().end(digest)?;
        Ok::<_, Problem>(())
    });
    ended.await?;
    Ok(HttpResponse::NoContent().finish())
}
