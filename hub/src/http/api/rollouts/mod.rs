//! `/rollouts`: releases for many boards, group by group.

mod preview;
mod view;

use actix_web::{HttpResponse, get, post, web};
use actors::rollout::{NewRollout, Standing};
use serde::Deserialize;
use storage::{Rollout, RolloutGroup, RolloutState, TenantId};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;

use self::view::{BoardView, TermsView, View};
use super::approvals::ask_in;
use super::boards::Asked;
use super::caller::Caller;
use super::page::{Page, Paging};
use super::problem::{Code, Problem};
use super::serving::Api;
use super::users::line;
use crate::admin::{Admin, AdminError};
use crate::people::{Permission, Reach};
use crate::rollouts::{group, target_state};

/// Characters of the longest name and reason.
const LINE_MAX: usize = 200;
/// Characters of the longest filter.
const FILTER_MAX: usize = 2000;

/// The handlers.
pub(super) fn resources(app: &mut ServiceConfig) {
    app.service(preview::preview);
    app.service(list).service(add).service(show).service(boards).service(start);
    app.service(pause).service(resume).service(retry).service(abort);
}

/// Whether it goes no further than the caller may see.
fn may_see(reach: &Reach, rollout: &Rollout) -> bool {
    match (&rollout.within, reach) {
        (_, Reach::Everywhere) => true,
        (None, Reach::Tenants(_)) => false,
        (Some(within), reach) => within.iter().all(|tenant| reach.includes(tenant)),
    }
}

/// The rollout, where the caller may see it and do this to it.
fn found(
    admin: &Admin,
    caller: &Caller,
    number: u64,
    permission: Permission,
) -> Result<Standing, Problem> {
    let standing = admin.rollouts()?.show(number).map_err(AdminError::from)?;
    if !may_see(&caller.reach(Permission::RolloutsRead)?, &standing.rollout) {
        return Err(Problem::unknown("rollout", number));
    }
    match may_see(&caller.reach(permission)?, &standing.rollout) {
        true => Ok(standing),
        false => Err(Caller::forbidden(permission)),
    }
}

/// Refuses what is no filter of boards, in the list's own words.
fn checked_filter(filter: &str, reach: &Reach) -> Result<(), Problem> {
    if filter.len() > FILTER_MAX {
        let detail = format_args!("a filter has at most {FILTER_MAX} bytes");
        return Err(Problem::new(Code::Invalid, detail));
    }
    Asked::parse(filter)?.filter(reach).map(drop)
}

fn checked_groups(texts: &[String]) -> Result<Vec<RolloutGroup>, Problem> {
    let groups = texts.iter().map(|text| group(text)).collect::<Result<_, _>>();
    groups.map_err(|why| Problem::new(Code::Invalid, why))
}

/// The tenants that the caller's rollouts go no further than.
fn within(reach: &Reach) -> Option<Vec<TenantId>> {
    match reach {
        Reach::Everywhere => None,
        Reach::Tenants(tenants) => Some(tenants.iter().cloned().collect()),
    }
}

/// Refuses a release that the caller may not see.
fn seen_release(admin: &Admin, reach: &Reach, number: u64) -> Result<(), Problem> {
    let release = admin.firmware(number)?;
    match release.tenant.as_ref().is_some_and(|tenant| !reach.includes(tenant)) {
        true => Err(Problem::unknown("release", number)),
        false => Ok(()),
    }
}

/// The rollouts that you may see, the newest first.
#[utoipa::path(
    tag = "rollouts",
    operation_id = "list_rollouts",
    extensions(("x-permission" = json!("rollouts:read"))),
    params(Paging),
    responses((status = 200, body = Page<View>)),
)]
#[get("/rollouts")]
pub(super) async fn list(
    caller: Caller,
    paging: web::Query<Paging>,
    api: web::Data<Api>,
) -> Result<web::Json<Page<View>>, Problem> {
    let reach = caller.reach(Permission::RolloutsRead)?;
    let (limit, before) = (paging.limit()?, paging.after()?);
    let page = api.run(&caller, move |admin| {
        let rollouts = admin.rollouts()?;
        let all = rollouts.list().map_err(AdminError::from)?.into_iter().rev();
        let keyed = all.map(|it| (it.number.to_be_bytes(), it)).filter(|(key, rollout)| {
            may_see(&reach, rollout) && before.as_ref().is_none_or(|before| key[..] < before[..])
        });
        let views = keyed.map(|(key, rollout)| {
            let standing = rollouts.show(rollout.number).map_err(AdminError::from)?;
            Ok::<_, Problem>((key, View::from(standing)))
        });
        Page::of(views, limit)
    });
    Ok(web::Json(page.await?))
}

/// A rollout to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewRolloutView {
    /// What to call it.
    #[schema(example = "valves, spring", max_length = 200)]
    name: String,
    /// The release, by number; it is signed.
    release: u64,
    /// Which boards: what stands behind `?` where boards are listed, without a page.
    #[schema(example = "tenant=acme&label=site%3Anorth", max_length = 2000)]
    filter: String,
    /// Boards that come to fit later belong to it as well.
    #[serde(default)]
    dynamic: bool,
    /// The groups, in the order in which they begin: `NAME:WHO[:SUCCESS[:ERRORS]]`. WHO is `5%`, `100`,
    /// `label:KEY=VALUE` or `rest`; SUCCESS the percentage that must have succeeded before the next
    /// begins; ERRORS how many may fail, as `5%` or `20`. Whoever is in no group is in the last.
    #[schema(example = json!(["canary:5%:95%:2%", "others:rest:90%:5%"]))]
    groups: Vec<String>,
    /// On which terms.
    #[serde(default)]
    terms: TermsView,
}

/// Make a rollout: its boards are written down, and nothing is given to any before it is started.
#[utoipa::path(
    tag = "rollouts",
    operation_id = "add_rollout",
    extensions(("x-permission" = json!("rollouts:write"))),
    request_body = NewRolloutView,
    responses((status = 201, body = View)),
)]
#[post("/rollouts")]
pub(super) async fn add(
    caller: Caller,
    new: web::Json<NewRolloutView>,
    api: web::Data<Api>,
) -> Result<HttpResponse, Problem> {
    let NewRolloutView { name, release, filter, dynamic, groups, terms } = new.into_inner();
    let reach = caller.reach(Permission::RolloutsWrite)?;
    let (name, terms, now) = (line(&name, LINE_MAX)?, terms.checked()?, api.now());
    checked_filter(&filter, &reach)?;
    let (groups, within) = (checked_groups(&groups)?, within(&reach));
    let (by, approve_above) = (caller.who(), api.approve_rollouts_above());
    let new =
        NewRollout { name, release, filter, within, dynamic, groups, terms, by, approve_above };
    let made = api.run(&caller, move |admin| {
        seen_release(admin, &reach, new.release)?;
        let rollout = admin.add_rollout(new, now)?;
        Ok::<_, Problem>(admin.rollouts()?.show(rollout.number).map_err(AdminError::from)?)
    });
    let standing = made.await?;
    let place = format!("{}/rollouts/{}", super::BASE, standing.rollout.number);
    Ok(HttpResponse::Created().insert_header(("Location", place)).json(View::from(standing)))
}

/// One rollout, and how far its groups are.
#[utoipa::path(
    tag = "rollouts",
    operation_id = "show_rollout",
    extensions(("x-permission" = json!("rollouts:read"))),
    params(("rollout" = u64, Path, description = "Its number")),
    responses((status = 200, body = View)),
)]
#[get("/rollouts/{rollout}")]
pub(super) async fn show(
    caller: Caller,
    rollout: web::Path<u64>,
    api: web::Data<Api>,
) -> Result<web::Json<View>, Problem> {
    let (number, who) = (*rollout, caller.clone());
    let found = api.run(&caller, move |admin| found(admin, &who, number, Permission::RolloutsRead));
    Ok(web::Json(found.await?.into()))
}

/// Which boards of a rollout.
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
    #[param(required = false, example = "failed")]
    state: Option<String>,
}

/// A rollout's boards, how far each is, and why it is no further.
#[utoipa::path(
    tag = "rollouts",
    operation_id = "list_rollout_boards",
    extensions(("x-permission" = json!("rollouts:read"))),
    params(("rollout" = u64, Path, description = "Its number"), Which),
    responses((status = 200, body = Page<BoardView>)),
)]
#[get("/rollouts/{rollout}/boards")]
pub(super) async fn boards(
    caller: Caller,
    rollout: web::Path<u64>,
    which: web::Query<Which>,
    api: web::Data<Api>,
) -> Result<web::Json<Page<BoardView>>, Problem> {
    let Which { limit, after, state } = which.into_inner();
    let paging = Paging { limit, after };
    let (limit, from) = (paging.limit()?, paging.after_text::<u32>()?.unwrap_or(0));
    let state = state.as_deref().map(target_state).transpose();
    let state = state.map_err(|why| Problem::new(Code::Invalid, why))?;
    let (number, who) = (*rollout, caller.clone());
    let page = api.run(&caller, move |admin| {
        found(admin, &who, number, Permission::RolloutsRead)?;
        let states: Vec<_> = state.into_iter().collect();
        let page = admin.rollouts()?.targets(number, &states, from, limit);
        Ok::<_, Problem>(page.map_err(AdminError::from)?)
    });
    let (targets, next) = page.await?;
    let items = targets.into_iter().map(BoardView::from).collect();
    let next = next.map(|row| Paging::cursor(row.to_string().as_bytes()));
    Ok(web::Json(Page { items, next }))
}

/// Why.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Starting {
    /// Why, for whoever has to allow it, where the rollout is large enough for that.
    #[schema(example = "fixes the leak", max_length = 200)]
    reason: Option<String>,
}

/// Start a rollout. A large one has to be allowed by another person first: the answer is then the
/// approval that is waited for.
#[utoipa::path(
    tag = "rollouts",
    operation_id = "start_rollout",
    extensions(("x-permission" = json!("rollouts:write"))),
    params(("rollout" = u64, Path, description = "Its number")),
    request_body = Starting,
    responses(
        (status = 200, body = View),
        (status = 201, description = "The approval that is waited for"),
    ),
)]
#[post("/rollouts/{rollout}/start")]
pub(super) async fn start(
    caller: Caller,
    rollout: web::Path<u64>,
    said: web::Json<Starting>,
    api: web::Data<Api>,
) -> Result<HttpResponse, Problem> {
    let (number, who, now) = (*rollout, caller.clone(), api.now());
    let find = move |admin: &Admin| found(admin, &who, number, Permission::RolloutsWrite);
    let rollout = api.run(&caller, find).await?.rollout;
    if rollout.state == RolloutState::AwaitingApproval {
        let tenant = whose(&rollout);
        let act = storage::Act::StartRollout { rollout: number, release: rollout.release, tenant };
        let reason = said.reason.clone().unwrap_or_default();
        return ask_in(&caller, act, &reason, &api).await;
    }
    let started = api.run(&caller, move |admin| {
        admin.start_rollout(number, false, now)?;
        Ok::<_, Problem>(admin.rollouts()?.show(number).map_err(AdminError::from)?)
    });
    Ok(HttpResponse::Ok().json(View::from(started.await?)))
}

/// Whose boards, where they are one tenant's.
fn whose(rollout: &Rollout) -> Option<TenantId> {
    match rollout.within.as_deref() {
        Some([tenant]) => Some(tenant.clone()),
        _ => None,
    }
}

async fn change(
    caller: Caller,
    number: u64,
    api: &Api,
    change: impl FnOnce(&Admin) -> Result<Rollout, AdminError> + Send + 'static,
) -> Result<web::Json<View>, Problem> {
    let who = caller.clone();
    let changed = api.run(&caller, move |admin| {
        found(admin, &who, number, Permission::RolloutsWrite)?;
        change(admin)?;
        Ok::<_, Problem>(admin.rollouts()?.show(number).map_err(AdminError::from)?)
    });
    Ok(web::Json(changed.await?.into()))
}

/// Halt a rollout: offers are taken back, what boards have fetched they keep.
#[utoipa::path(
    tag = "rollouts",
    operation_id = "pause_rollout",
    extensions(("x-permission" = json!("rollouts:write"))),
    params(("rollout" = u64, Path, description = "Its number")),
    responses((status = 200, body = View)),
)]
#[post("/rollouts/{rollout}/pause")]
pub(super) async fn pause(
    caller: Caller,
    rollout: web::Path<u64>,
    api: web::Data<Api>,
) -> Result<web::Json<View>, Problem> {
    let (number, now) = (*rollout, api.now());
    change(caller, number, &api, move |admin| admin.pause_rollout(number, now)).await
}

/// With what it goes on.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Resuming {
    /// Another release of the same product: all boards begin anew with it.
    release: Option<u64>,
    /// Why, for whoever has to allow another release, where the rollout is large enough for that.
    #[schema(example = "the leak is back", max_length = 200)]
    reason: Option<String>,
}

/// Go on with a rollout that was halted; or, with another release, begin anew with all its boards. For a
/// large one another person has to allow that release first: the answer is then the approval that is
/// waited for.
#[utoipa::path(
    tag = "rollouts",
    operation_id = "resume_rollout",
    extensions(("x-permission" = json!("rollouts:write"))),
    params(("rollout" = u64, Path, description = "Its number")),
    request_body = Resuming,
    responses(
        (status = 200, body = View),
        (status = 201, description = "The approval that is waited for"),
    ),
)]
#[post("/rollouts/{rollout}/resume")]
pub(super) async fn resume(
    caller: Caller,
    rollout: web::Path<u64>,
    said: web::Json<Resuming>,
    api: web::Data<Api>,
) -> Result<HttpResponse, Problem> {
    let (number, now) = (*rollout, api.now());
    let Resuming { release, reason } = said.into_inner();
    if let Some(release) = release {
        let who = caller.clone();
        let find = move |admin: &Admin| found(admin, &who, number, Permission::RolloutsWrite);
        let rollout = api.run(&caller, find).await?.rollout;
        let above = api.approve_rollouts_above();
        if above > 0 && rollout.total > above {
            let tenant = whose(&rollout);
            let act = storage::Act::ChangeRollout { rollout: number, release, tenant };
            return ask_in(&caller, act, &reason.unwrap_or_default(), &api).await;
        }
    }
    let resume = move |admin: &Admin| admin.resume_rollout(number, release, now);
    Ok(HttpResponse::Ok().json(change(caller, number, &api, resume).await?))
}

/// Have the boards that failed try again, and go on.
#[utoipa::path(
    tag = "rollouts",
    operation_id = "retry_rollout",
    extensions(("x-permission" = json!("rollouts:write"))),
    params(("rollout" = u64, Path, description = "Its number")),
    responses((status = 200, body = View)),
)]
#[post("/rollouts/{rollout}/retry")]
pub(super) async fn retry(
    caller: Caller,
    rollout: web::Path<u64>,
    api: web::Data<Api>,
) -> Result<web::Json<View>, Problem> {
    let (number, now) = (*rollout, api.now());
    change(caller, number, &api, move |admin| admin.retry_rollout(number, now)).await
}

/// End a rollout for good; boards that have the release keep it.
#[utoipa::path(
    tag = "rollouts",
    operation_id = "abort_rollout",
    extensions(("x-permission" = json!("rollouts:write"))),
    params(("rollout" = u64, Path, description = "Its number")),
    responses((status = 200, body = View)),
)]
#[post("/rollouts/{rollout}/abort")]
pub(super) async fn abort(
    caller: Caller,
    rollout: web::Path<u64>,
    api: web::Data<Api>,
) -> Result<web::Json<View>, Problem> {
    let (number, now) = (*rollout, api.now());
    change(caller, number, &api, move |admin| admin.abort_rollout(number, now)).await
}
