//! `/me/passkeys` and `/session/passkey`: passkeys, made and shown. Challenges and answers are as
//! browsers have them: `PublicKeyCredential.parseCreationOptionsFromJSON()`, `toJSON()`.

use actix_web::{HttpRequest, HttpResponse, delete, get, post, web};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::caller::{Caller, visitor};
use super::cookies::{self, cookie, forgotten};
use super::moment::Moment;
use super::problem::Problem;
use super::serving::Api;
use super::session::{STEP_S, Session, signed_in};
use super::users::line;
use crate::people::passkey_name;

/// Characters of the longest label.
const LABEL_MAX: usize = 60;

/// A passkey of one's own.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Passkey)]
pub(super) struct View {
    /// What to call it.
    id: String,
    /// What its owner calls it.
    #[schema(example = "phone")]
    label: String,
    /// When it was registered.
    created: Moment,
    /// When it was used last.
    last_used: Option<Moment>,
}

/// A passkey that a browser has made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewPasskey {
    /// What to call it.
    #[schema(example = "phone", max_length = 60)]
    label: String,
    /// What the browser says, as `toJSON()` of the credential gives it.
    #[schema(value_type = Object)]
    credential: Value,
}

/// What a browser answers to a challenge.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PasskeyAnswer {
    /// What the browser says, as `toJSON()` of the credential gives it.
    #[schema(value_type = Object)]
    credential: Value,
}

/// One's passkeys, the first registered first.
#[utoipa::path(
    tag = "me",
    operation_id = "list_my_passkeys",
    extensions(("x-permission" = json!("signed-in"))),
    responses((status = 200, body = Vec<View>)),
)]
#[get("/me/passkeys")]
pub(super) async fn list(
    caller: Caller,
    api: web::Data<Api>,
) -> Result<web::Json<Vec<View>>, Problem> {
    let name = caller.user.clone();
    let known = api.run(&caller, move |admin| admin.store().credentials().find(name.as_str()));
    let known = known.await?.unwrap_or_default().passkeys.into_iter().map(|passkey| View {
        id: passkey_name(&passkey),
        label: passkey.label,
        created: passkey.created.into(),
        last_used: passkey.last_used.map(Moment::from),
    });
    Ok(web::Json(known.collect()))
}

/// Begin to register a passkey: what the browser is to make one for.
#[utoipa::path(
    tag = "me",
    operation_id = "begin_my_passkey",
    extensions(("x-permission" = json!("signed-in"))),
    responses((status = 200, description = "PublicKeyCredentialCreationOptionsJSON", body = Object)),
)]
#[post("/me/passkeys/begin")]
pub(super) async fn begin(
    caller: Caller,
    request: HttpRequest,
    api: web::Data<Api>,
) -> Result<web::Json<Value>, Problem> {
    let (own, visitor) = (caller.freshly_signed_in(api.now())?.clone(), visitor(&request, &api));
    let sign_in = api.sign_in_shared();
    Ok(web::Json(api.blocking(move || sign_in.begin_passkey(&own, &visitor)).await?))
}

/// The browser has made it. The session goes on under another id.
#[utoipa::path(
    tag = "me",
    operation_id = "add_my_passkey",
    extensions(("x-permission" = json!("signed-in"))),
    request_body = NewPasskey,
    responses((status = 200, body = Session)),
)]
#[post("/me/passkeys")]
pub(super) async fn add(
    caller: Caller,
    said: web::Json<NewPasskey>,
    request: HttpRequest,
    api: web::Data<Api>,
) -> Result<HttpResponse, Problem> {
    let (own, visitor) = (caller.freshly_signed_in(api.now())?.clone(), visitor(&request, &api));
    let NewPasskey { label, credential } = said.into_inner();
    let (label, sign_in) = (line(&label, LABEL_MAX)?, api.sign_in_shared());
    let added = api.blocking(move || sign_in.finish_passkey(&own, label, credential, &visitor));
    Ok(signed_in(&api, &added.await?, &[]))
}

/// Remove a passkey.
#[utoipa::path(
    tag = "me",
    operation_id = "remove_my_passkey",
    extensions(("x-permission" = json!("signed-in"))),
    params(("passkey" = String, Path, description = "Its id")),
    responses((status = 200, body = Session)),
)]
#[delete("/me/passkeys/{passkey}")]
pub(super) async fn remove(
    caller: Caller,
    passkey: web::Path<String>,
    request: HttpRequest,
    api: web::Data<Api>,
) -> Result<HttpResponse, Problem> {
    let (own, visitor) = (caller.freshly_signed_in(api.now())?.clone(), visitor(&request, &api));
    let sign_in = api.sign_in_shared();
    let removed = api.blocking(move || sign_in.remove_passkey(&own, &passkey, &visitor));
    Ok(signed_in(&api, &removed.await?, &[]))
}

/// Begin to sign in with a passkey: by itself, or as the second factor once the password was right.
#[utoipa::path(
    tag = "session",
    operation_id = "begin_sign_in_passkey",
    extensions(("x-permission" = json!("public"))),
    responses((status = 200, description = "PublicKeyCredentialRequestOptionsJSON", body = Object)),
)]
#[post("/session/passkey/begin")]
pub(super) async fn begin_session(
    request: HttpRequest,
    api: web::Data<Api>,
) -> Result<HttpResponse, Problem> {
    let step = cookies::shown(&request, cookies::STEP);
    let (sign_in, now) = (api.sign_in_shared(), std::time::Instant::now());
    let challenge = api.blocking(move || sign_in.challenge(step.as_deref(), now));
    let (shown, options) = challenge.await?;
    let mut answer = HttpResponse::Ok();
    answer.cookie(cookie(cookies::PASSKEY, shown.as_str(), STEP_S));
    Ok(answer.json(options))
}

/// The browser has answered: whoever has the passkey is signed in.
#[utoipa::path(
    tag = "session",
    operation_id = "sign_in_passkey",
    extensions(("x-permission" = json!("public"))),
    request_body = PasskeyAnswer,
    responses((status = 200, body = Session)),
)]
#[post("/session/passkey/finish")]
pub(super) async fn finish_session(
    said: web::Json<PasskeyAnswer>,
    request: HttpRequest,
    api: web::Data<Api>,
) -> Result<HttpResponse, Problem> {
    let shown = cookies::shown(&request, cookies::PASSKEY).unwrap_or_default();
    let (sign_in, visitor) = (api.sign_in_shared(), visitor(&request, &api));
    let credential = said.into_inner().credential;
    let begun = api.blocking(move || sign_in.answer(&shown, credential, &visitor)).await?;
    let mut answer = signed_in(&api, &begun, &[]);
    answer.add_cookie(&forgotten(cookies::PASSKEY)).map_err(|error| Problem::internal(&error))?;
    Ok(answer)
}
