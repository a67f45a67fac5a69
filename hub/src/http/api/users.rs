//! `/users`: the people who may use the hub.
//!
//! Who may change people in a tenant alone sees those who have a role there, with their roles there,
//! and changes those who have no role elsewhere.

use actix_web::{HttpRequest, HttpResponse, get, patch, post, web};
use serde::{Deserialize, Serialize};
use storage::{Grant, Role, TenantId, User, UserName, UserState};
use utoipa::ToSchema;

use super::caller::{Caller, Scope};
use super::etag::{Known, tagged};
use super::moment::Moment;
use super::page::{Page, Paging};
use super::problem::{Code, Problem};
use super::serving::Api;
use crate::people::{Permission, Reach, Shown, new_link};

/// Characters of the longest name.
pub(super) const NAME_MAX: usize = 128;

/// Characters of the longest reason.
const REASON_MAX: usize = 200;

/// A person.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = User)]
pub(super) struct View {
    /// The name they sign in with.
    #[schema(example = "anna@example.com")]
    name: String,
    /// The name people read.
    #[schema(example = "Anna Berg")]
    full_name: String,
    /// Whether they may sign in.
    state: State,
    /// Why they may not.
    reason: Option<String>,
    /// Their roles, as far as one may see them.
    grants: Vec<GrantView>,
    /// When they were added.
    created: Moment,
}

/// Whether somebody may sign in.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = UserState)]
pub(super) enum State {
    /// They may.
    Active,
    /// Not until they are enabled again.
    Disabled,
}

/// A role, and where it counts.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Grant)]
pub(super) struct GrantView {
    /// The role.
    #[schema(value_type = String, example = "operator")]
    role: Role,
    /// The one tenant it counts for; everywhere where there is none.
    #[schema(value_type = Option<String>, example = "acme")]
    tenant: Option<TenantId>,
}

impl From<Grant> for GrantView {
    fn from(Grant { role, tenant }: Grant) -> Self {
        Self { role, tenant }
    }
}

impl From<GrantView> for Grant {
    fn from(GrantView { role, tenant }: GrantView) -> Self {
        Self { role, tenant }
    }
}

impl View {
    /// As somebody sees it who may see people there; `None` where they see nothing of them.
    fn seen(user: User, reach: &Reach) -> Option<Self> {
        let (state, reason) = match user.state {
            UserState::Active => (State::Active, None),
            UserState::Disabled { reason, .. } => (State::Disabled, Some(reason)),
        };
        let seen = |grant: &Grant| is_within(grant, reach);
        let grants: Vec<_> = user.grants.into_iter().filter(seen).map(GrantView::from).collect();
        let is_seen = !grants.is_empty() || *reach == Reach::Everywhere;
        let (name, full_name) = (user.name.to_string(), user.full_name);
        let created = user.created.into();
        is_seen.then_some(Self { name, full_name, state, reason, grants, created })
    }
}

fn is_within(grant: &Grant, reach: &Reach) -> bool {
    match &grant.tenant {
        Some(tenant) => reach.includes(tenant),
        None => *reach == Reach::Everywhere,
    }
}

/// Refuses whoever may not change all of what these roles are in.
fn may_change(caller: &Caller, grants: &[Grant]) -> Result<(), Problem> {
    grants.iter().try_for_each(|grant| {
        let scope = grant.tenant.clone().map_or(Scope::Hub, Scope::Tenant);
        caller.require(Permission::UsersWrite, &scope)
    })
}

/// A line of text for people: not empty, not too long, nothing that is not seen.
pub(super) fn line(text: &str, max: usize) -> Result<String, Problem> {
    let text = text.trim();
    let is_line = !text.chars().any(char::is_control);
    match is_line && (1..=max).contains(&text.chars().count()) {
        true => Ok(text.to_owned()),
        false => {
            let detail = format_args!("names and labels are one line of 1 to {max} characters");
            Err(Problem::new(Code::Invalid, detail))
        }
    }
}

/// The people that one may see, by name.
#[utoipa::path(
    tag = "users",
    operation_id = "list_users",
    extensions(("x-permission" = json!("users:read"))),
    params(Paging),
    responses((status = 200, body = Page<View>)),
)]
#[get("/users")]
pub(super) async fn list(
    caller: Caller,
    paging: web::Query<Paging>,
    api: web::Data<Api>,
) -> Result<web::Json<Page<View>>, Problem> {
    let reach = caller.reach(Permission::UsersRead)?;
    let (limit, after) = (paging.limit()?, paging.after_text::<UserName>()?);
    let page = api.run(&caller, move |admin| {
        let users = admin.store().users().list(after.as_ref().map(UserName::as_str));
        let seen = users.filter_map(|user| match user {
            Ok((key, user)) => View::seen(user, &reach).map(|view| Ok((key, view))),
            Err(error) => Some(Err(error)),
        });
        Page::of(seen, limit)
    });
    Ok(web::Json(page.await?))
}

/// The person as the caller sees them, and as they are.
async fn found(
    caller: &Caller,
    name: UserName,
    permission: Permission,
    api: &Api,
) -> Result<(View, User), Problem> {
    let reach = caller.reach(permission)?;
    let unknown = Problem::unknown("user", &name);
    let user = api.run(caller, move |admin| admin.store().users().find(name.as_str())).await?;
    let user = user.ok_or_else(|| unknown.clone())?;
    let view = View::seen(user.clone(), &reach).ok_or(unknown)?;
    Ok((view, user))
}

/// One person.
#[utoipa::path(
    tag = "users",
    operation_id = "show_user",
    extensions(("x-permission" = json!("users:read"))),
    params(("user" = String, Path, description = "The name they sign in with")),
    responses((status = 200, body = View, headers(("ETag", description = "The user as it is")))),
)]
#[get("/users/{user}")]
pub(super) async fn show(
    caller: Caller,
    user: web::Path<UserName>,
    request: HttpRequest,
    api: web::Data<Api>,
) -> Result<HttpResponse, Problem> {
    let (view, _) = found(&caller, user.into_inner(), Permission::UsersRead, &api).await?;
    tagged(&request, &view)
}

/// A person to be added.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewUser {
    /// The name they will sign in with.
    #[schema(value_type = String, example = "anna@example.com")]
    name: UserName,
    /// The name people read.
    #[schema(example = "Anna Berg", max_length = 128)]
    full_name: String,
    /// Their roles.
    #[schema(min_items = 1, max_items = 32)]
    grants: Vec<GrantView>,
}

/// A one-time link.
#[derive(Serialize, ToSchema)]
pub(super) struct SetupLink {
    /// To be given to whom it is for: with it they choose a password. Shown once.
    #[schema(example = "https://hub.example.com:8443/setup#...")]
    link: String,
    /// The last moment in which it counts.
    expires: Moment,
}

/// A person who was added, with the link they begin with.
#[derive(Serialize, ToSchema)]
pub(super) struct AddedUser {
    /// The person.
    user: View,
    /// Their link.
    setup: SetupLink,
}

/// Add a person. The answer has a one-time link for them.
#[utoipa::path(
    tag = "users",
    operation_id = "add_user",
    extensions(("x-permission" = json!("users:write"))),
    request_body = NewUser,
    responses((status = 201, body = AddedUser)),
)]
#[post("/users")]
pub(super) async fn add(
    caller: Caller,
    said: web::Json<NewUser>,
    api: web::Data<Api>,
) -> Result<HttpResponse, Problem> {
    let NewUser { name, full_name, grants } = said.into_inner();
    let grants: Vec<Grant> = grants.into_iter().map(Grant::from).collect();
    may_change(&caller, &grants)?;
    let full_name = line(&full_name, NAME_MAX)?;
    let (reach, now) = (caller.reach(Permission::UsersWrite)?, api.now());
    let user = User { name, full_name, state: UserState::Active, grants, created: now };
    let added = api.run(&caller, move |admin| {
        admin.add_user(&user)?;
        let link = new_link(admin.store(), Some(user.name.clone()), now)?;
        Ok::<_, Problem>((user, link))
    });
    let (user, link) = added.await?;
    let location = format!("{}/users/{}", super::BASE, user.name);
    let unseen = Problem::unknown("user", &user.name);
    let user = View::seen(user, &reach).ok_or(unseen)?;
    let answer = AddedUser { user, setup: link_of(&api, &link, now) };
    Ok(HttpResponse::Created()
        .insert_header(("Location", location))
        .insert_header(("Cache-Control", "no-store"))
        .json(answer))
}

fn link_of(api: &Api, link: &Shown, now: storage::UnixSeconds) -> SetupLink {
    let expires = storage::UnixSeconds(now.0 + crate::people::LINK_COUNTS_S).into();
    SetupLink { link: crate::people::link_text(api.origin(), link), expires }
}

/// What is to be changed of a person; what is left out stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct UserChange {
    /// The name people read.
    #[schema(max_length = 128)]
    full_name: Option<String>,
    /// Their roles, all of them.
    #[schema(min_items = 1, max_items = 32)]
    grants: Option<Vec<GrantView>>,
}

/// Change a person's name or roles. With other roles their sessions end.
#[utoipa::path(
    tag = "users",
    operation_id = "change_user",
    extensions(("x-permission" = json!("users:write"))),
    params(
        ("user" = String, Path, description = "The name they sign in with"),
        ("If-Match" = String, Header, description = "The ETag that was read"),
    ),
    request_body = UserChange,
    responses((status = 200, body = View)),
)]
#[patch("/users/{user}")]
pub(super) async fn change(
    caller: Caller,
    user: web::Path<UserName>,
    said: web::Json<UserChange>,
    request: HttpRequest,
    api: web::Data<Api>,
) -> Result<HttpResponse, Problem> {
    let (view, user) = changeable(&caller, user.into_inner(), &api).await?;
    Known::of(&request)?.must_match(&view)?;
    let UserChange { full_name, grants } = said.into_inner();
    let full_name = full_name.map(|name| line(&name, NAME_MAX)).transpose()?;
    let grants: Option<Vec<_>> = grants.map(|grants| grants.into_iter().map(Grant::from).collect());
    may_change(&caller, grants.as_deref().unwrap_or_default())?;
    let read = user.clone();
    let changed =
        api.run(&caller, move |admin| admin.change_user(&read, full_name, grants)).await?;
    answer(&caller, changed, &request)
}

async fn changeable(caller: &Caller, name: UserName, api: &Api) -> Result<(View, User), Problem> {
    let (view, user) = found(caller, name, Permission::UsersWrite, api).await?;
    // Who has a role elsewhere is changed by whoever may change people there as well.
    match user.grants.iter().all(|grant| {
        let reach = caller.powers.reach(Permission::UsersWrite);
        is_within(grant, &reach)
    }) {
        true => Ok((view, user)),
        false => Err(Caller::forbidden(Permission::UsersWrite)),
    }
}

fn answer(caller: &Caller, user: User, request: &HttpRequest) -> Result<HttpResponse, Problem> {
    let unseen = Problem::unknown("user", &user.name);
    let view = View::seen(user, &caller.reach(Permission::UsersWrite)?).ok_or(unseen)?;
    tagged(request, &view)
}

/// Why.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Reason {
    /// In words, for the audit log.
    #[schema(example = "left the company", max_length = 200)]
    reason: String,
}

/// Let a person in no more: their sessions end, and their tokens count for nothing.
#[utoipa::path(
    tag = "users",
    operation_id = "disable_user",
    extensions(("x-permission" = json!("users:write"))),
    params(("user" = String, Path, description = "The name they sign in with")),
    request_body = Reason,
    responses((status = 200, body = View)),
)]
#[post("/users/{user}/disable")]
pub(super) async fn disable(
    caller: Caller,
    user: web::Path<UserName>,
    said: web::Json<Reason>,
    request: HttpRequest,
    api: web::Data<Api>,
) -> Result<HttpResponse, Problem> {
    let (_, user) = changeable(&caller, user.into_inner(), &api).await?;
    let (reason, now) = (line(&said.reason, REASON_MAX)?, api.now());
    let changed = api.run(&caller, move |admin| admin.disable_user(&user.name, reason, now));
    answer(&caller, changed.await?, &request)
}

/// Let a person in again.
#[utoipa::path(
    tag = "users",
    operation_id = "enable_user",
    extensions(("x-permission" = json!("users:write"))),
    params(("user" = String, Path, description = "The name they sign in with")),
    responses((status = 200, body = View)),
)]
#[post("/users/{user}/enable")]
pub(super) async fn enable(
    caller: Caller,
    user: web::Path<UserName>,
    request: HttpRequest,
    api: web::Data<Api>,
) -> Result<HttpResponse, Problem> {
    let (_, user) = changeable(&caller, user.into_inner(), &api).await?;
    let changed = api.run(&caller, move |admin| admin.enable_user(&user.name)).await?;
    answer(&caller, changed, &request)
}

/// Forget how a person signs in: password, app, passkeys, recovery codes. Their sessions end; the
/// answer has a link for them to begin anew with.
#[utoipa::path(
    tag = "users",
    operation_id = "reset_user",
    extensions(("x-permission" = json!("users:write"))),
    params(("user" = String, Path, description = "The name they sign in with")),
    responses((status = 200, body = SetupLink)),
)]
#[post("/users/{user}/reset")]
pub(super) async fn reset(
    caller: Caller,
    user: web::Path<UserName>,
    api: web::Data<Api>,
) -> Result<HttpResponse, Problem> {
    let (_, user) = changeable(&caller, user.into_inner(), &api).await?;
    let now = api.now();
    let link = api.run(&caller, move |admin| {
        admin.reset_user(&user.name)?;
        Ok::<_, Problem>(new_link(admin.store(), Some(user.name), now)?)
    });
    let link = link_of(&api, &link.await?, now);
    Ok(HttpResponse::Ok().insert_header(("Cache-Control", "no-store")).json(link))
}
