//! `/tokens`: with which people's programs use the API.

use actix_web::{HttpResponse, delete, get, post, web};
use serde::{Deserialize, Serialize};
use storage::{ApiToken, ApiTokenId, Digest, TenantId, UnixSeconds};
use utoipa::ToSchema;

use super::caller::Caller;
use super::moment::Moment;
use super::page::{Page, Paging};
use super::problem::{Code, Problem};
use super::serving::Api;
use crate::people::{Permission, Powers, token};

/// Days that a token counts where nothing is said.
const DAYS: u16 = 90;
/// Days that it counts at most.
const DAYS_MAX: u16 = 365;
/// Characters of the longest label.
const LABEL_MAX: usize = 100;
const DAY_S: u64 = 24 * 60 * 60;

/// A token, without what is shown for it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Token)]
pub(super) struct View {
    /// What to call it.
    #[schema(example = "0123456789abcdef")]
    id: String,
    /// In whose name it acts.
    owner: String,
    /// What it is for.
    label: String,
    /// What it may do, as far as its owner may.
    scopes: Vec<String>,
    /// The one tenant it counts for; wherever its owner may where there is none.
    tenant: Option<String>,
    /// When it was made.
    created: Moment,
    /// The last moment in which it counts.
    expires: Moment,
    /// When it was used last, to within a minute.
    last_used: Option<Moment>,
}

impl From<ApiToken> for View {
    fn from(token: ApiToken) -> Self {
        Self {
            id: token.id.to_string(),
            owner: token.owner.to_string(),
            label: token.label,
            scopes: token.scopes,
            tenant: token.tenant.map(|tenant| tenant.to_string()),
            created: token.created.into(),
            expires: token.expires.into(),
            last_used: token.last_used.map(Moment::from),
        }
    }
}

/// A token to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewToken {
    /// What it is for.
    #[schema(example = "nightly report", max_length = 100)]
    label: String,
    /// What it may do: permissions that its owner has.
    #[schema(example = json!(["boards:read"]), min_items = 1)]
    scopes: Vec<String>,
    /// The one tenant it is for.
    #[schema(value_type = Option<String>, example = "acme")]
    tenant: Option<TenantId>,
    /// Days until it expires: 90 where nothing is said.
    #[schema(minimum = 1, maximum = 365)]
    days: Option<u16>,
}

/// A token that was made.
#[derive(Serialize, ToSchema)]
pub(super) struct MadeToken {
    /// The token itself. Shown once.
    #[schema(example = "chub_...")]
    token: String,
    /// What is known of it.
    about: View,
}

fn whose(caller: &Caller) -> impl Fn(&ApiToken) -> bool + use<> {
    let everybodys = caller.powers.has_everywhere(Permission::UsersRead);
    let own = caller.user.clone();
    move |token| everybodys || token.owner == own
}

/// One's tokens; everybody's for who may see all people.
#[utoipa::path(
    tag = "tokens",
    operation_id = "list_tokens",
    extensions(("x-permission" = json!("signed-in"))),
    params(Paging),
    responses((status = 200, body = Page<View>)),
)]
#[get("/tokens")]
pub(super) async fn list(
    caller: Caller,
    paging: web::Query<Paging>,
    api: web::Data<Api>,
) -> Result<web::Json<Page<View>>, Problem> {
    let (limit, after, is_seen) = (paging.limit()?, paging.after()?, whose(&caller));
    let after = after.map(Digest::try_from).transpose();
    let after = after.map_err(|_| Problem::new(Code::Invalid, "after is no token's"))?;
    let page = api.run(&caller, move |admin| {
        let tokens = admin.store().api_tokens().list(after.as_ref());
        let seen = tokens.filter_map(|token| match token {
            Ok((key, token)) => is_seen(&token).then(|| Ok((key, View::from(token)))),
            Err(error) => Some(Err(error)),
        });
        Page::of(seen, limit)
    });
    Ok(web::Json(page.await?))
}

/// Make a token for one's programs.
///
/// A token cannot make tokens: that takes a person who has signed in within the last minutes.
#[utoipa::path(
    tag = "tokens",
    operation_id = "make_token",
    extensions(("x-permission" = json!("signed-in"))),
    request_body = NewToken,
    responses((status = 201, body = MadeToken)),
)]
#[post("/tokens")]
pub(super) async fn make(
    caller: Caller,
    said: web::Json<NewToken>,
    api: web::Data<Api>,
) -> Result<HttpResponse, Problem> {
    caller.freshly_signed_in(api.now())?;
    let NewToken { label, scopes, tenant, days } = said.into_inner();
    let label = super::users::line(&label, LABEL_MAX)?;
    let days = days.unwrap_or(DAYS);
    if !(1..=DAYS_MAX).contains(&days) {
        let detail = format_args!("a token counts for 1 to {DAYS_MAX} days");
        return Err(Problem::new(Code::Invalid, detail));
    }
    permitted(&caller.powers, &scopes, tenant.as_ref())?;
    let (now, owner) = (api.now(), caller.user.clone());
    let made = api.run(&caller, move |admin| {
        let text = token::new().map_err(|error| Problem::internal(&error))?;
        let token = ApiToken {
            id: ApiTokenId::of(&text.digest()),
            owner,
            label,
            scopes,
            tenant,
            created: now,
            expires: UnixSeconds(now.0 + u64::from(days) * DAY_S),
            last_used: None,
        };
        admin.add_api_token(&text.digest(), &token)?;
        Ok::<_, Problem>((text, token))
    });
    let (text, token) = made.await?;
    let location = format!("{}/tokens/{}", super::BASE, token.id);
    let answer = MadeToken { token: text.as_str().to_owned(), about: token.into() };
    Ok(HttpResponse::Created()
        .insert_header(("Location", location))
        .insert_header(("Cache-Control", "no-store"))
        .json(answer))
}

/// Refuses scopes that are none, and such as the owner does not have.
fn permitted(powers: &Powers, scopes: &[String], tenant: Option<&TenantId>) -> Result<(), Problem> {
    if scopes.is_empty() {
        return Err(Problem::new(Code::Invalid, "a token has at least one scope"));
    }
    for scope in scopes {
        let permission: Permission = scope.parse().map_err(|error| {
            Problem::new(Code::Invalid, format_args!("scopes: {scope:?}: {error}"))
        })?;
        let has_it = match tenant {
            Some(tenant) => powers.has_in(permission, tenant),
            None => powers.has(permission),
        };
        if !has_it {
            return Err(Caller::forbidden(permission));
        }
    }
    Ok(())
}

/// Revoke a token of one's own, or anybody's for who may change all people.
#[utoipa::path(
    tag = "tokens",
    operation_id = "revoke_token",
    extensions(("x-permission" = json!("signed-in"))),
    params(("token" = String, Path, description = "Its id")),
    responses((status = 204, description = "It counts for nothing any more")),
)]
#[delete("/tokens/{token}")]
pub(super) async fn revoke(
    caller: Caller,
    token: web::Path<ApiTokenId>,
    api: web::Data<Api>,
) -> Result<HttpResponse, Problem> {
    let (is_seen, id) = (whose(&caller), token.into_inner());
    let (own, may) = (caller.user.clone(), caller.powers.has_everywhere(Permission::UsersWrite));
    let revoked = api.run(&caller, move |admin| {
        let found = admin.find_api_token(&id)?.filter(|(_, token)| is_seen(token));
        let (digest, token) = found.ok_or_else(|| Problem::unknown("token", &id))?;
        if token.owner != own && !may {
            return Err(Caller::forbidden(Permission::UsersWrite));
        }
        Ok::<_, Problem>(admin.revoke_api_token(&digest, &token)?)
    });
    revoked.await?;
    Ok(HttpResponse::NoContent().finish())
}
