//! `/campaigns`: boards of one authority renew under another, group by group.

use actix_web::{HttpResponse, get, post, web};
use actors::campaign::{CampaignStanding, NewCampaign};
use serde::{Deserialize, Serialize};
use storage::{AuthorityName, Campaign, CampaignCounts, CampaignState, WINDOWS_MAX};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::caller::Caller;
use super::moment::Moment;
use super::page::{Page, Paging};
use super::problem::{Code, Problem};
use super::serving::Api;
use super::users::line;
use crate::admin::{Admin, AdminError};
use crate::campaigns::{group, groups, why};
use crate::people::Permission;
use crate::rollouts::{hours, hours_text};

/// Characters of the longest reason.
const LINE_MAX: usize = 200;

/// The handlers.
pub(super) fn resources(app: &mut ServiceConfig) {
    app.service(list).service(add).service(show).service(start);
    app.service(pause).service(resume).service(end);
}

/// A campaign.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Campaign)]
pub(super) struct View {
    /// Its number.
    id: u64,
    /// Whose boards.
    tenant: String,
    /// The authority that is left.
    #[schema(example = "acme/1")]
    from: String,
    /// The one that boards get certificates of.
    #[schema(example = "acme/2")]
    to: String,
    /// How it is.
    state: State,
    /// Since when, where it runs, was halted or is over.
    since: Option<Moment>,
    /// Who halted or ended it, in words.
    why: Option<String>,
    /// Why it was made.
    reason: String,
    /// Who wants it.
    by: String,
    /// When it was made.
    created: Moment,
    /// Boards that are told a minute.
    per_minute: u32,
    /// Boards are told in these windows alone, UTC; empty is at any time.
    #[schema(example = json!(["mon-fri/22:00/6h"]))]
    windows: Vec<String>,
    /// The group that began last, from 0.
    group: u16,
    /// The groups, in the order in which they begin.
    groups: Vec<GroupView>,
    /// Boards of all groups; none where they were not counted, as in lists for those that do not run.
    boards: Option<BoardsView>,
    /// Boards that were told since the hub started, and have not renewed yet.
    told: u64,
    /// Those of them that were told three times and more.
    told_often: u64,
}

/// How a campaign is.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = CampaignState)]
pub(super) enum State {
    /// It can be started.
    Draft,
    /// Boards are told to renew.
    Running,
    /// Somebody halted it.
    Paused,
    /// Somebody ended it.
    Ended,
    /// No board that may connect has a certificate of the authority that is left.
    Completed,
}

/// A group, and how far its boards are.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CampaignGroup)]
pub(super) struct GroupView {
    /// What people call it.
    name: String,
    /// So many of a hundred boards, at random.
    percent: u8,
    /// Percent of its boards that must have renewed before the next group begins.
    success_percent: u8,
    /// Its boards, where they were counted.
    boards: Option<BoardsView>,
}

/// How far boards are.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CampaignBoards)]
pub(super) struct BoardsView {
    /// They have certificates of the new authority.
    renewed: u64,
    /// They have ones of the authority that is left, and may connect.
    waiting: u64,
    /// They have ones of the authority that is left, and are blocked, held or revoked.
    shut_out: u64,
}

impl BoardsView {
    fn of<'c>(counts: impl Iterator<Item = &'c CampaignCounts>) -> Self {
        let mut sum = Self { renewed: 0, waiting: 0, shut_out: 0 };
        for counts in counts {
            sum.renewed += counts.renewed;
            sum.waiting += counts.waiting;
            sum.shut_out += counts.shut_out;
        }
        sum
    }
}

impl From<CampaignStanding> for View {
    fn from(standing: CampaignStanding) -> Self {
        let CampaignStanding { campaign, counts, told, told_often } = standing;
        let Campaign { number, tenant, from, to, per_minute, reason, by, created, .. } = campaign;
        let (state, since) = match campaign.state {
            CampaignState::Draft => (State::Draft, None),
            CampaignState::Running { since } => (State::Running, Some(since)),
            CampaignState::Paused { at, .. } => (State::Paused, Some(at)),
            CampaignState::Ended { at, .. } => (State::Ended, Some(at)),
            CampaignState::Completed { at } => (State::Completed, Some(at)),
        };
        let groups = campaign.groups.into_iter().enumerate().map(|(at, group)| GroupView {
            name: group.name,
            percent: group.percent,
            success_percent: group.success_percent,
            boards: counts.get(at).map(|counts| BoardsView::of(std::iter::once(counts))),
        });
        Self {
            id: number,
            from: format!("{tenant}/{from}"),
            to: format!("{tenant}/{to}"),
            tenant: tenant.to_string(),
            state,
            since: since.map(Moment::from),
            why: why(&campaign.state),
            reason,
            by,
            created: created.into(),
            per_minute,
            windows: campaign.windows.iter().map(hours_text).collect(),
            group: campaign.group,
            groups: groups.collect(),
            boards: (!counts.is_empty()).then(|| BoardsView::of(counts.iter())),
            told,
            told_often,
        }
    }
}

/// The campaign, where the caller may see it and do this to it.
fn found(
    admin: &Admin,
    caller: &Caller,
    number: u64,
    permission: Permission,
) -> Result<CampaignStanding, Problem> {
    let seen = caller.reach(Permission::CertificatesRead)?;
    let standing = admin.campaigns()?.show(number).map_err(AdminError::from)?;
    let tenant = &standing.campaign.tenant;
    if !seen.includes(tenant) {
        return Err(Problem::unknown("campaign", number));
    }
    match caller.reach(permission)?.includes(tenant) {
        true => Ok(standing),
        false => Err(Caller::forbidden(permission)),
    }
}

/// The campaigns that you may see, the newest first.
#[utoipa::path(
    tag = "campaigns",
    operation_id = "list_campaigns",
    extensions(("x-permission" = json!("certificates:read"))),
    params(Paging),
    responses((status = 200, body = Page<View>)),
)]
#[get("/campaigns")]
pub(super) async fn list(
    caller: Caller,
    paging: web::Query<Paging>,
    api: web::Data<Api>,
) -> Result<web::Json<Page<View>>, Problem> {
    let reach = caller.reach(Permission::CertificatesRead)?;
    let (limit, before) = (paging.limit()?, paging.after()?);
    let page = api.run(&caller, move |admin| {
        let campaigns = admin.campaigns()?;
        let running = campaigns.running();
        let all = campaigns.list().map_err(AdminError::from)?.into_iter().rev();
        let keyed = all.map(|it| (it.number.to_be_bytes(), it)).filter(|(key, campaign)| {
            reach.includes(&campaign.tenant)
                && before.as_ref().is_none_or(|before| key[..] < before[..])
        });
        let views = keyed.map(|(key, campaign)| {
            let counted = running.iter().find(|it| it.campaign.number == campaign.number);
            let none = CampaignStanding { campaign, counts: Vec::new(), told: 0, told_often: 0 };
            Ok::<_, Problem>((key, View::from(counted.cloned().unwrap_or(none))))
        });
        Page::of(views, limit)
    });
    Ok(web::Json(page.await?))
}

/// A campaign to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewCampaignView {
    /// The authority that is to be left.
    #[schema(example = "acme/1")]
    from: String,
    /// The one that boards get certificates of; the same tenant's.
    #[schema(example = "acme/2")]
    to: String,
    /// The groups, in the order in which they begin: `NAME:WHO[:SUCCESS]`. WHO is `5%` (boards at
    /// random) or `rest`; SUCCESS the percentage that must have renewed before the next begins. Whoever is
    /// in no group is in the last; without groups, all boards are one.
    #[serde(default)]
    #[schema(example = json!(["canary:5%:100%", "others:rest:90%"]))]
    groups: Vec<String>,
    /// Boards that are told a minute.
    #[schema(minimum = 1, maximum = 60_000)]
    per_minute: u32,
    /// Boards are told in these windows alone, UTC; empty is at any time.
    #[serde(default)]
    #[schema(example = json!(["mon-fri/22:00/6h"]))]
    windows: Vec<String>,
    /// Why.
    #[schema(example = "the authority ends in spring", max_length = 200)]
    reason: String,
}

/// Make a campaign: it tells nothing to any board before it is started.
#[utoipa::path(
    tag = "campaigns",
    operation_id = "add_campaign",
    extensions(("x-permission" = json!("authorities:write"))),
    request_body = NewCampaignView,
    responses((status = 201, body = View)),
)]
#[post("/campaigns")]
pub(super) async fn add(
    caller: Caller,
    new: web::Json<NewCampaignView>,
    api: web::Data<Api>,
) -> Result<HttpResponse, Problem> {
    let reach = caller.reach(Permission::AuthoritiesWrite)?;
    let invalid = |why: String| Problem::new(Code::Invalid, why);
    let new = new.into_inner();
    let name = |text: &str| text.parse::<AuthorityName>().map_err(|it| invalid(it.to_string()));
    let (from, to) = (name(&new.from)?, name(&new.to)?);
    if from.tenant != to.tenant {
        return Err(invalid(format!("{from} and {to} are of different tenants")));
    }
    if !reach.includes(&from.tenant) {
        return Err(Problem::unknown("authority", from));
    }
    if new.windows.len() > WINDOWS_MAX {
        return Err(invalid(format!("at most {WINDOWS_MAX} windows")));
    }
    let asked = new.groups.iter().map(|text| group(text)).collect::<Result<_, _>>();
    let windows = new.windows.iter().map(|text| hours(text)).collect::<Result<_, _>>();
    let new = NewCampaign {
        tenant: from.tenant,
        from: from.number,
        to: to.number,
        groups: asked.and_then(groups).map_err(invalid)?,
        per_minute: new.per_minute,
        windows: windows.map_err(invalid)?,
        reason: line(&new.reason, LINE_MAX)?,
        by: caller.who(),
    };
    let now = api.now();
    let made = api.run(&caller, move |admin| {
        let campaign = admin.add_campaign(new, now)?;
        Ok::<_, Problem>(admin.campaigns()?.show(campaign.number).map_err(AdminError::from)?)
    });
    let standing = made.await?;
    let place = format!("{}/campaigns/{}", super::BASE, standing.campaign.number);
    Ok(HttpResponse::Created().insert_header(("Location", place)).json(View::from(standing)))
}

/// One campaign, and how far its groups are, counted now.
#[utoipa::path(
    tag = "campaigns",
    operation_id = "show_campaign",
    extensions(("x-permission" = json!("certificates:read"))),
    params(("campaign" = u64, Path, description = "Its number")),
    responses((status = 200, body = View)),
)]
#[get("/campaigns/{campaign}")]
pub(super) async fn show(
    caller: Caller,
    campaign: web::Path<u64>,
    api: web::Data<Api>,
) -> Result<web::Json<View>, Problem> {
    let (number, who) = (*campaign, caller.clone());
    let permission = Permission::CertificatesRead;
    let found = api.run(&caller, move |admin| found(admin, &who, number, permission));
    Ok(web::Json(found.await?.into()))
}

async fn change(
    caller: Caller,
    number: u64,
    api: &Api,
    change: impl FnOnce(&Admin) -> Result<Campaign, AdminError> + Send + 'static,
) -> Result<web::Json<View>, Problem> {
    let who = caller.clone();
    let changed = api.run(&caller, move |admin| {
        found(admin, &who, number, Permission::AuthoritiesWrite)?;
        change(admin)?;
        Ok::<_, Problem>(admin.campaigns()?.show(number).map_err(AdminError::from)?)
    });
    Ok(web::Json(changed.await?.into()))
}

/// Start a campaign: boards are told to renew, group by group. The new authority has to issue.
#[utoipa::path(
    tag = "campaigns",
    operation_id = "start_campaign",
    extensions(("x-permission" = json!("authorities:write"))),
    params(("campaign" = u64, Path, description = "Its number")),
    responses((status = 200, body = View)),
)]
#[post("/campaigns/{campaign}/start")]
pub(super) async fn start(
    caller: Caller,
    campaign: web::Path<u64>,
    api: web::Data<Api>,
) -> Result<web::Json<View>, Problem> {
    let (number, now) = (*campaign, api.now());
    change(caller, number, &api, move |admin| admin.start_campaign(number, now)).await
}

/// Halt a campaign: no more boards are told; who renews just now does so.
#[utoipa::path(
    tag = "campaigns",
    operation_id = "pause_campaign",
    extensions(("x-permission" = json!("authorities:write"))),
    params(("campaign" = u64, Path, description = "Its number")),
    responses((status = 200, body = View)),
)]
#[post("/campaigns/{campaign}/pause")]
pub(super) async fn pause(
    caller: Caller,
    campaign: web::Path<u64>,
    api: web::Data<Api>,
) -> Result<web::Json<View>, Problem> {
    let (number, now) = (*campaign, api.now());
    change(caller, number, &api, move |admin| admin.pause_campaign(number, now)).await
}

/// Go on with a campaign that was halted.
#[utoipa::path(
    tag = "campaigns",
    operation_id = "resume_campaign",
    extensions(("x-permission" = json!("authorities:write"))),
    params(("campaign" = u64, Path, description = "Its number")),
    responses((status = 200, body = View)),
)]
#[post("/campaigns/{campaign}/resume")]
pub(super) async fn resume(
    caller: Caller,
    campaign: web::Path<u64>,
    api: web::Data<Api>,
) -> Result<web::Json<View>, Problem> {
    let (number, now) = (*campaign, api.now());
    change(caller, number, &api, move |admin| admin.resume_campaign(number, now)).await
}

/// End a campaign for good; boards that have renewed keep what they have.
#[utoipa::path(
    tag = "campaigns",
    operation_id = "end_campaign",
    extensions(("x-permission" = json!("authorities:write"))),
    params(("campaign" = u64, Path, description = "Its number")),
    responses((status = 200, body = View)),
)]
#[post("/campaigns/{campaign}/end")]
pub(super) async fn end(
    caller: Caller,
    campaign: web::Path<u64>,
    api: web::Data<Api>,
) -> Result<web::Json<View>, Problem> {
    let (number, now) = (*campaign, api.now());
    change(caller, number, &api, move |admin| admin.end_campaign(number, now)).await
}
