//! `/approvals`: what takes two people. One asks, another allows, and then it is done.

use actix_web::{HttpResponse, get, post, web};
use serde::{Deserialize, Serialize};
use storage::{Approval, ApprovalState, TenantId, UnixSeconds, UserName, UserState};
use utoipa::{IntoParams, ToSchema};

use super::caller::{Caller, Scope};
use super::moment::Moment;
use super::page::{Page, Paging};
use super::problem::{Code, Problem};
use super::serving::Api;
use super::users::line;
use crate::admin::{Admin, Decider, Wanted};
use crate::people::{Permission, Powers};

/// Characters of the longest reason.
const REASON_MAX: usize = 200;

/// Something that was asked for.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Approval)]
pub(super) struct View {
    /// Its number.
    id: u64,
    /// What is to be done.
    act: Act,
    /// Why, in the words of whoever asks.
    reason: String,
    /// Who asks.
    requester: String,
    /// When they did.
    requested: Moment,
    /// The last moment in which it can be allowed.
    expires: Moment,
    /// What has become of it.
    state: State,
    /// Who has decided.
    decided_by: Option<String>,
    /// When.
    decided: Option<Moment>,
    /// Why it was rejected, or could not be done.
    why: Option<String>,
    /// Whether the caller may allow or reject it.
    may_decide: bool,
}

/// What takes two people.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub(super) enum Act {
    /// Remove a tenant, with its upstreams, routes and batches.
    RemoveTenant {
        /// Which.
        #[schema(value_type = String, example = "acme")]
        tenant: TenantId,
    },
    /// Sign a release of firmware; asked for with `POST /firmware/{release}/sign`.
    SignFirmware {
        /// Which.
        release: u64,
        /// What is signed: SHA-256, in hexadecimal.
        digest: String,
        /// The key in the hub's key store; none where it is elsewhere.
        key: Option<String>,
        /// Whose release it is; none is every tenant's.
        #[schema(value_type = Option<String>)]
        tenant: Option<TenantId>,
    },
    /// Start a rollout; asked for with `POST /rollouts/{rollout}/start`.
    StartRollout {
        /// Which.
        rollout: u64,
        /// Which release it gives boards.
        release: u64,
        /// Whose boards; none for those of several tenants.
        #[schema(value_type = Option<String>)]
        tenant: Option<TenantId>,
    },
    /// Have a rollout begin anew with another release; asked for with `POST /rollouts/{rollout}/resume`.
    ChangeRollout {
        /// Which.
        rollout: u64,
        /// Which release it then gives boards.
        release: u64,
        /// Whose boards; none for those of several tenants.
        #[schema(value_type = Option<String>)]
        tenant: Option<TenantId>,
    },
}

/// What has become of what was asked for.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = ApprovalState)]
pub(super) enum State {
    /// It waits.
    Pending,
    /// Nobody has decided in time.
    Expired,
    /// It was allowed and is done.
    Done,
    /// It was allowed, and could not be done.
    Failed,
    /// It was not allowed.
    Rejected,
    /// Whoever asked has thought better of it.
    Withdrawn,
}

impl From<storage::Act> for Act {
    fn from(act: storage::Act) -> Self {
        match act {
            storage::Act::RemoveTenant { tenant } => Self::RemoveTenant { tenant },
            storage::Act::SignFirmware { release, digest, key, tenant } => {
                Self::SignFirmware { release, digest: digest.to_string(), key, tenant }
            }
            storage::Act::StartRollout { rollout, release, tenant } => {
                Self::StartRollout { rollout, release, tenant }
            }
            storage::Act::ChangeRollout { rollout, release, tenant } => {
                Self::ChangeRollout { rollout, release, tenant }
            }
        }
    }
}

/// What it takes to ask for an act, and to allow it.
const fn permission(act: &storage::Act) -> Permission {
    match act {
        storage::Act::RemoveTenant { .. } => Permission::TenantsWrite,
        storage::Act::SignFirmware { .. } => Permission::FirmwareSign,
        storage::Act::StartRollout { .. } | storage::Act::ChangeRollout { .. } => {
            Permission::RolloutsWrite
        }
    }
}

/// Whether these powers are enough to allow an act.
fn suffice(powers: &Powers, act: &storage::Act) -> bool {
    let may = |permission| match act {
        // That a tenant is removed is not for its own people to allow.
        storage::Act::RemoveTenant { .. } => powers.has_everywhere(permission),
        storage::Act::SignFirmware { tenant, .. }
        | storage::Act::StartRollout { tenant, .. }
        | storage::Act::ChangeRollout { tenant, .. } => match tenant {
            Some(tenant) => powers.has_in(permission, tenant),
            None => powers.has_everywhere(permission),
        },
    };
    may(Permission::ApprovalsDecide) && may(permission(act))
}

impl View {
    fn seen(approval: Approval, caller: &Caller, now: UnixSeconds) -> Self {
        let may_decide = approval.waits(now)
            && approval.requester != caller.user
            && caller.at_a_browser().is_ok()
            && suffice(&caller.powers, &approval.act);
        let waits = approval.waits(now);
        let (state, by, at, why) = match approval.state {
            ApprovalState::Pending if waits => (State::Pending, None, None, None),
            ApprovalState::Pending => (State::Expired, None, None, None),
            ApprovalState::Done { by, at } => (State::Done, Some(by), Some(at), None),
            ApprovalState::Failed { by, at, why } => (State::Failed, Some(by), Some(at), Some(why)),
            ApprovalState::Rejected { by, at, why } => {
                (State::Rejected, Some(by), Some(at), Some(why))
            }
            ApprovalState::Withdrawn { at } => (State::Withdrawn, None, Some(at), None),
        };
        Self {
            id: approval.number,
            act: approval.act.into(),
            reason: approval.reason,
            requester: approval.requester.to_string(),
            requested: approval.requested.into(),
            expires: approval.expires.into(),
            state,
            decided_by: by,
            decided: at.map(Moment::from),
            why,
            may_decide,
        }
    }
}

/// Whether somebody may see it: who may see the hub's, and who may see those of its tenant.
fn is_seen(caller: &Caller, approval: &Approval) -> bool {
    match approval.act.tenant() {
        Some(tenant) => caller.powers.has_in(Permission::ApprovalsRead, tenant),
        None => caller.powers.has_everywhere(Permission::ApprovalsRead),
    }
}

/// Which page, and of which.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Which {
    /// How many items at most: 50 where nothing is said.
    #[param(minimum = 1, maximum = 500, required = false)]
    limit: Option<u16>,
    /// `next` of the page before.
    #[param(required = false)]
    after: Option<String>,
    /// Only those in this state.
    #[param(inline, required = false)]
    state: Option<State>,
}

/// What was asked for, the latest first.
#[utoipa::path(
    tag = "approvals",
    operation_id = "list_approvals",
    extensions(("x-permission" = json!("approvals:read"))),
    params(Which),
    responses((status = 200, body = Page<View>)),
)]
#[get("/approvals")]
pub(super) async fn list(
    caller: Caller,
    which: web::Query<Which>,
    api: web::Data<Api>,
) -> Result<web::Json<Page<View>>, Problem> {
    let Which { limit, after, state } = which.into_inner();
    let paging = Paging { limit, after };
    let (limit, before, now) = (paging.limit()?, paging.after()?, api.now());
    let whose = caller.clone();
    let page = api.run(&caller, move |admin| {
        let all: Result<Vec<_>, _> = admin.store().approvals().list(None).collect();
        let behind = all?.into_iter().rev().filter(|(key, approval)| {
            before.as_ref().is_none_or(|before| key < before) && is_seen(&whose, approval)
        });
        let views = behind.map(|(key, approval)| (key, View::seen(approval, &whose, now)));
        let wanted = views.filter(|(_, view)| state.is_none_or(|state| view.state == state));
        Page::of(wanted.map(Ok::<_, Problem>), limit)
    });
    Ok(web::Json(page.await?))
}

/// One thing that was asked for.
#[utoipa::path(
    tag = "approvals",
    operation_id = "show_approval",
    extensions(("x-permission" = json!("approvals:read"))),
    params(("approval" = u64, Path, description = "Its number")),
    responses((status = 200, body = View)),
)]
#[get("/approvals/{approval}")]
pub(super) async fn show(
    caller: Caller,
    approval: web::Path<u64>,
    api: web::Data<Api>,
) -> Result<web::Json<View>, Problem> {
    let approval = found(&caller, *approval, &api).await?;
    Ok(web::Json(View::seen(approval, &caller, api.now())))
}

async fn found(caller: &Caller, number: u64, api: &Api) -> Result<Approval, Problem> {
    let approval = api.run(caller, move |admin| admin.approval(number)).await?;
    match is_seen(caller, &approval) {
        true => Ok(approval),
        false => Err(Problem::unknown("approval", number)),
    }
}

/// What is asked for.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewApproval {
    /// What is to be done.
    act: Act,
    /// Why, for whoever decides.
    #[schema(example = "the contract has ended", max_length = 200)]
    reason: String,
}

/// Ask for something that takes two people.
///
/// It is done when another person who may do the same allows it. Where there is no other, it is
/// refused, and the answer names the command on the hub's host that does it.
#[utoipa::path(
    tag = "approvals",
    operation_id = "ask_for_approval",
    extensions(("x-permission" = json!("tenants:write"))),
    request_body = NewApproval,
    responses((status = 201, body = View)),
)]
#[post("/approvals")]
pub(super) async fn ask(
    caller: Caller,
    said: web::Json<NewApproval>,
    api: web::Data<Api>,
) -> Result<HttpResponse, Problem> {
    let NewApproval { act, reason } = said.into_inner();
    let act = match act {
        Act::RemoveTenant { tenant } => storage::Act::RemoveTenant { tenant },
        Act::SignFirmware { .. } | Act::StartRollout { .. } | Act::ChangeRollout { .. } => {
            let detail = "that is asked for where it is done: POST /firmware/{release}/sign, \
                          POST /rollouts/{rollout}/start or /resume";
            return Err(Problem::new(Code::Invalid, detail));
        }
    };
    caller.require(permission(&act), &Scope::Hub)?;
    ask_in(&caller, act, &reason, &api).await
}

/// Has an act wait for a second person; the caller may ask for it.
pub(super) async fn ask_in(
    caller: &Caller,
    act: storage::Act,
    reason: &str,
    api: &Api,
) -> Result<HttpResponse, Problem> {
    let (reason, now) = (line(reason, REASON_MAX)?, api.now());
    let expires = UnixSeconds(now.0.saturating_add(api.approvals_expire_s()));
    let requester = caller.user.clone();
    let asked = api.run(caller, move |admin| {
        if !somebody_else_may(admin, &requester, &act)? {
            let way_out = on_the_host(&act);
            let detail = format_args!(
                "nobody else may allow this; whoever runs the hub's host can do it there: {way_out}"
            );
            return Err(Problem::new(Code::Refused, detail));
        }
        Ok(admin.ask_for_approval(&Wanted { act, reason, requester, now, expires })?)
    });
    let approval = asked.await?;
    let location = format!("{}/approvals/{}", super::BASE, approval.number);
    let view = View::seen(approval, caller, now);
    Ok(HttpResponse::Created().insert_header(("Location", location)).json(view))
}

fn on_the_host(act: &storage::Act) -> String {
    match act {
        storage::Act::RemoveTenant { tenant } => format!("`cellular-hub tenant remove {tenant}`"),
        storage::Act::SignFirmware { release, .. } => {
            format!("`cellular-hub firmware sign {release}`")
        }
        storage::Act::StartRollout { rollout, .. } => {
            format!("`cellular-hub rollout start {rollout}`")
        }
        storage::Act::ChangeRollout { rollout, release, .. } => {
            format!("`cellular-hub rollout resume {rollout} --release {release}`")
        }
    }
}

fn somebody_else_may(
    admin: &Admin,
    requester: &UserName,
    act: &storage::Act,
) -> Result<bool, Problem> {
    for user in admin.store().users().list(None) {
        let (_, user) = user?;
        let is_other = user.name != *requester && user.state == UserState::Active;
        if is_other && suffice(&Powers::of(&user.grants), act) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The decider, where the caller may be one: a person, and never a program of theirs.
async fn decider(caller: &Caller, number: u64, api: &Api) -> Result<(Approval, Decider), Problem> {
    caller.at_a_browser()?;
    let approval = found(caller, number, api).await?;
    if !suffice(&caller.powers, &approval.act) {
        return Err(Caller::forbidden(permission(&approval.act)));
    }
    let (user, who, now) = (Some(caller.user.clone()), caller.who(), api.now());
    Ok((approval, Decider { user, who, now }))
}

/// Allow it: it is done, and the answer says how that went.
#[utoipa::path(
    tag = "approvals",
    operation_id = "approve",
    extensions(("x-permission" = json!("approvals:decide"))),
    params(("approval" = u64, Path, description = "Its number")),
    responses((status = 200, body = View)),
)]
#[post("/approvals/{approval}/approve")]
pub(super) async fn approve(
    caller: Caller,
    approval: web::Path<u64>,
    api: web::Data<Api>,
) -> Result<web::Json<View>, Problem> {
    let (approval, decider) = decider(&caller, *approval, &api).await?;
    let number = approval.number;
    let done = api.run(&caller, move |admin| admin.approve(number, &decider)).await?;
    Ok(web::Json(View::seen(done, &caller, api.now())))
}

/// Why not.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Rejection {
    /// For whoever has asked.
    #[schema(example = "not before the last invoice", max_length = 200)]
    reason: String,
}

/// Do not allow it.
#[utoipa::path(
    tag = "approvals",
    operation_id = "reject",
    extensions(("x-permission" = json!("approvals:decide"))),
    params(("approval" = u64, Path, description = "Its number")),
    request_body = Rejection,
    responses((status = 200, body = View)),
)]
#[post("/approvals/{approval}/reject")]
pub(super) async fn reject(
    caller: Caller,
    approval: web::Path<u64>,
    said: web::Json<Rejection>,
    api: web::Data<Api>,
) -> Result<web::Json<View>, Problem> {
    let (approval, decider) = decider(&caller, *approval, &api).await?;
    let (number, reason) = (approval.number, line(&said.reason, REASON_MAX)?);
    let closed = api.run(&caller, move |admin| admin.reject(number, reason, &decider)).await?;
    Ok(web::Json(View::seen(closed, &caller, api.now())))
}

/// Take back what one has asked for.
#[utoipa::path(
    tag = "approvals",
    operation_id = "withdraw_approval",
    extensions(("x-permission" = json!("approvals:read"))),
    params(("approval" = u64, Path, description = "Its number")),
    responses((status = 200, body = View)),
)]
#[post("/approvals/{approval}/withdraw")]
pub(super) async fn withdraw(
    caller: Caller,
    approval: web::Path<u64>,
    api: web::Data<Api>,
) -> Result<web::Json<View>, Problem> {
    let approval = found(&caller, *approval, &api).await?;
    let (number, user, now) = (approval.number, caller.user.clone(), api.now());
    let closed = api.run(&caller, move |admin| admin.withdraw(number, &user, now)).await?;
    Ok(web::Json(View::seen(closed, &caller, api.now())))
}
