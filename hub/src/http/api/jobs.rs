//! `/jobs`: work on all boards that fit a filter, which goes on by itself.

use std::collections::BTreeMap;

use actix_web::{HttpResponse, get, post, web};
use serde::{Deserialize, Serialize};
use storage::{BoardQuery, Job, JobId, JobState, TenantId, Work};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::boards::{Asked, Why, bounded};
use super::caller::Caller;
use super::moment::Moment;
use super::page::{Page, Paging};
use super::problem::{Code, Problem};
use super::serving::Api;
use crate::admin::Admin;
use crate::people::{Permission, Reach};

/// The handlers.
pub(super) fn resources(app: &mut ServiceConfig) {
    app.service(list).service(add).service(show).service(cancel);
}

/// Characters of the longest filter.
const FILTER_MAX: usize = 2000;

/// Work on many boards.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Job)]
pub(super) struct View {
    /// Its name; jobs made later have greater ones.
    #[schema(example = "006553f1000a0b0c")]
    id: String,
    /// What is done to each board.
    #[serde(flatten)]
    work: WorkView,
    /// Which boards, as the list of boards is asked for them.
    #[schema(example = "tenant=acme&label=batch%3D7")]
    filter: String,
    /// The tenants it goes no further than; none is all.
    within: Option<Vec<String>>,
    /// Who wants it.
    by: String,
    /// When it was made.
    created: Moment,
    /// How it is.
    state: State,
    /// When it began; none while others are before it, or it is over.
    since: Option<Moment>,
    /// When it was over.
    ended: Option<Moment>,
    /// Boards that fitted when it was made.
    total: u64,
    /// Boards that were changed.
    done: u64,
    /// Boards that a rule kept as they were: blocked already, revoked for good, gone.
    kept: u64,
    /// Boards that could not be changed.
    failed: u64,
    /// The first boards that were kept or could not be changed; 20 at most.
    faults: Vec<Fault>,
}

/// A board that a job did not change.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = JobFault)]
pub(super) struct Fault {
    /// The board.
    board: String,
    /// Why.
    why: String,
}

/// How a job is.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = JobState)]
pub(super) enum State {
    /// Others are before it.
    Waiting,
    /// It is at work; also after a restart of the hub.
    Running,
    /// It has come to every board.
    Done,
    /// Somebody ended it.
    Cancelled,
}

/// What is done to each board.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(tag = "work", rename_all = "kebab-case", deny_unknown_fields)]
#[schema(as = JobWork)]
pub(super) enum WorkView {
    /// It is refused until it is unblocked.
    Block {
        /// Why.
        #[schema(example = "recall of batch 7")]
        reason: String,
    },
    /// It may connect again.
    Unblock {},
    /// It is refused for good.
    Revoke {
        /// Why.
        #[schema(example = "stolen")]
        reason: String,
    },
    /// It is given labels, and loses others.
    Label {
        /// Those it is given.
        #[serde(default)]
        set: BTreeMap<String, String>,
        /// The keys of those it loses.
        #[serde(default)]
        remove: Vec<String>,
    },
}

impl From<Work> for WorkView {
    fn from(work: Work) -> Self {
        match work {
            Work::Block { reason } => Self::Block { reason },
            Work::Unblock => Self::Unblock {},
            Work::Revoke { reason } => Self::Revoke { reason },
            Work::Label { set, remove } => Self::Label { set, remove },
        }
    }
}

impl WorkView {
    fn checked(self) -> Result<Work, Problem> {
        Ok(match self {
            Self::Block { reason } => Work::Block { reason: Why::of(reason).words()? },
            Self::Unblock {} => Work::Unblock,
            Self::Revoke { reason } => Work::Revoke { reason: Why::of(reason).words()? },
            Self::Label { set, remove } => {
                let keys = remove.iter().map(|key| (key.clone(), String::new())).collect();
                bounded(&set).and_then(|()| bounded(&keys))?;
                if set.is_empty() && remove.is_empty() {
                    return Err(Problem::new(
                        Code::Invalid,
                        "say which labels to set or to remove",
                    ));
                }
                Work::Label { set, remove }
            }
        })
    }
}

impl From<Job> for View {
    fn from(job: Job) -> Self {
        let (state, since, ended) = match job.state {
            JobState::Waiting => (State::Waiting, None, None),
            JobState::Running { since } => (State::Running, Some(since), None),
            JobState::Done { at } => (State::Done, None, Some(at)),
            JobState::Cancelled { at } => (State::Cancelled, None, Some(at)),
        };
        let fault =
            |(board, why): (storage::BoardId, String)| Fault { board: board.to_string(), why };
        Self {
            id: job.id.to_string(),
            work: job.work.into(),
            filter: job.filter,
            within: job.within.map(|all| all.iter().map(ToString::to_string).collect()),
            by: job.by,
            created: job.created.into(),
            state,
            since: since.map(Moment::from),
            ended: ended.map(Moment::from),
            total: job.total,
            done: job.done,
            kept: job.kept,
            failed: job.failed,
            faults: job.faults.into_iter().map(fault).collect(),
        }
    }
}

/// Whether it goes no further than the caller may see.
pub(super) fn may_see(reach: &Reach, job: &Job) -> bool {
    match (&job.within, reach) {
        (_, Reach::Everywhere) => true,
        (None, Reach::Tenants(_)) => false,
        (Some(within), reach) => within.iter().all(|tenant| reach.includes(tenant)),
    }
}

/// The jobs that you may see, the newest first.
#[utoipa::path(
    tag = "jobs",
    operation_id = "list_jobs",
    extensions(("x-permission" = json!("boards:read"))),
    params(Paging),
    responses((status = 200, body = Page<View>)),
)]
#[get("/jobs")]
pub(super) async fn list(
    caller: Caller,
    paging: web::Query<Paging>,
    api: web::Data<Api>,
) -> Result<web::Json<Page<View>>, Problem> {
    let reach = caller.reach(Permission::BoardsRead)?;
    let (limit, after) = (paging.limit()?, paging.after_text::<JobId>()?);
    let jobs = api.run(&caller, Admin::jobs).await?;
    let seen = jobs
        .into_iter()
        .rev()
        .filter(|job| may_see(&reach, job) && after.as_ref().is_none_or(|after| job.id < *after));
    let keyed = seen.map(|job| Ok::<_, Problem>((job.id.to_string(), View::from(job))));
    Ok(web::Json(Page::of(keyed, limit)?))
}

/// A job to be done.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewJob {
    /// Which boards: what stands behind `?` where boards are listed, without a page. It says
    /// something: no filter at all would be every board.
    #[schema(example = "tenant=acme&label=batch%3D7")]
    filter: String,
    /// What is done to each of them.
    job: WorkView,
}

/// Does something to all boards that fit, one after the other. Boards that fit later only are left
/// alone where their ids come before those that were done already.
#[utoipa::path(
    tag = "jobs",
    operation_id = "add_job",
    extensions(("x-permission" = json!("boards:write"))),
    request_body = NewJob,
    responses((status = 202, body = View, headers(("Location", description = "The job")))),
)]
#[post("/jobs")]
pub(super) async fn add(
    caller: Caller,
    new: web::Json<NewJob>,
    api: web::Data<Api>,
) -> Result<HttpResponse, Problem> {
    let NewJob { filter, job } = new.into_inner();
    let work = job.checked()?;
    let permission = match work {
        Work::Label { .. } => Permission::BoardsWrite,
        Work::Block { .. } | Work::Unblock | Work::Revoke { .. } => Permission::BoardsBlock,
    };
    let reach = caller.reach(permission)?;
    if filter.trim().is_empty() || filter.len() > FILTER_MAX {
        let detail =
            format_args!("a filter has 1 to {FILTER_MAX} bytes; name a tenant for all its boards");
        return Err(Problem::new(Code::Invalid, detail));
    }
    let query =
        BoardQuery { filter: Asked::parse(&filter)?.filter(&reach)?, ..BoardQuery::default() };
    let within: Option<Vec<TenantId>> = match reach {
        Reach::Everywhere => None,
        Reach::Tenants(tenants) => Some(tenants.into_iter().collect()),
    };
    let (by, owner, created) = (caller.who(), caller.user.clone(), api.now());
    let added = api.run(&caller, move |admin| {
        let total = admin.store().boards().query(&query)?.total;
        let job = Job {
            id: JobId::next(None, created),
            work,
            filter,
            within,
            by,
            owner,
            created,
            state: JobState::Waiting,
            total,
            done: 0,
            kept: 0,
            failed: 0,
            after: None,
            faults: Vec::new(),
        };
        admin.add_job(job).map_err(Problem::from)
    });
    let job = added.await?;
    api.bell().ring();
    let place = format!("{}/jobs/{}", super::BASE, job.id);
    Ok(HttpResponse::Accepted().insert_header(("Location", place)).json(View::from(job)))
}

/// One job, and how far it is.
#[utoipa::path(
    tag = "jobs",
    operation_id = "show_job",
    extensions(("x-permission" = json!("boards:read"))),
    params(("job" = String, Path, description = "The job's id")),
    responses((status = 200, body = View)),
)]
#[get("/jobs/{job}")]
pub(super) async fn show(
    caller: Caller,
    job: web::Path<JobId>,
    api: web::Data<Api>,
) -> Result<web::Json<View>, Problem> {
    let (reach, id) = (caller.reach(Permission::BoardsRead)?, job.into_inner());
    let unknown = Problem::unknown("job", &id);
    let job = api.run(&caller, move |admin| admin.job(&id)).await?;
    may_see(&reach, &job).then(|| web::Json(job.into())).ok_or(unknown)
}

/// Ends a job; what it has done stays done.
#[utoipa::path(
    tag = "jobs",
    operation_id = "cancel_job",
    extensions(("x-permission" = json!("boards:write"))),
    params(("job" = String, Path, description = "The job's id")),
    responses((status = 200, body = View)),
)]
#[post("/jobs/{job}/cancel")]
pub(super) async fn cancel(
    caller: Caller,
    job: web::Path<JobId>,
    api: web::Data<Api>,
) -> Result<web::Json<View>, Problem> {
    let (id, now, who) = (job.into_inner(), api.now(), caller.clone());
    let cancelled = api.run(&caller, move |admin| {
        let job = admin.job(&id)?;
        if !may_see(&who.reach(Permission::BoardsRead)?, &job) {
            return Err(Problem::unknown("job", &id));
        }
        // Whoever could have wanted it may end it.
        let permission = match job.work {
            Work::Label { .. } => Permission::BoardsWrite,
            Work::Block { .. } | Work::Unblock | Work::Revoke { .. } => Permission::BoardsBlock,
        };
        if !may_see(&who.reach(permission)?, &job) {
            return Err(Caller::forbidden(permission));
        }
        admin.cancel_job(&id, now).map_err(Problem::from)
    });
    let job = cancelled.await?;
    api.bell().ring();
    Ok(web::Json(job.into()))
}
