//! `/overview`: whether the fleet is well, at a glance, and what wants looking after.

use actix_web::{get, web};
use actors::upstream::Status;
use serde::Serialize;
use storage::{TenantId, UpstreamName};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::attention::{Attention, attention};
use super::caller::Caller;
use super::moment::Moment;
use super::problem::Problem;
use super::serving::Api;
use crate::people::{Permission, Reach};
use crate::watch;

/// The handlers.
pub(super) fn resources(app: &mut ServiceConfig) {
    app.service(show);
}

/// Upstreams that are shown, those that are down before all.
const UPSTREAMS_MAX: usize = 100;

/// How the fleet is, as far as you may see it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Overview {
    /// How many boards there are, as of some seconds ago.
    boards: Boards,
    /// What goes by in a second, over the last ten.
    rates: Rates,
    /// The last hour, a point each ten seconds, the oldest first.
    series: Vec<Point>,
    /// How upstreams are, those that are down first; 100 at most. Empty for who may not see routes.
    upstreams: Vec<UpstreamHealth>,
    /// What wants looking after, the worst first.
    attention: Vec<Attention>,
}

/// How many boards there are of which kind.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FleetCounts)]
pub(super) struct Boards {
    /// All.
    total: u64,
    /// With a session awake. Most boards sleep most of the time.
    online: u64,
    /// Heard within the last hour.
    active_1h: u64,
    /// Heard once and not within the last day, though they may connect.
    silent_24h: u64,
    /// Never heard.
    unheard: u64,
    /// Refused until somebody lifts the block.
    blocked: u64,
    /// Refused until somebody releases them: more than one seems to have what only one board has.
    held: u64,
    /// Refused for good.
    revoked: u64,
}

/// What goes by in a second.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Rates {
    /// Readings, and requests for certificates, within quota.
    messages: f64,
    /// Bytes of those.
    bytes: f64,
    /// Handshakes that ended with a session; none for who sees single tenants, for those that fail
    /// are nobody's.
    handshakes: Option<f64>,
    /// Handshakes that ended without; the same.
    refused: Option<f64>,
}

/// Ten seconds of the past, and what went by in each of them.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Point {
    /// When they ended.
    at: Moment,
    #[serde(flatten)]
    rates: Rates,
}

/// How an upstream is.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct UpstreamHealth {
    /// Whose it is.
    #[schema(example = "acme")]
    tenant: String,
    /// Its name there.
    #[schema(example = "broker")]
    name: String,
    /// How it is.
    state: UpstreamState,
    /// Since when.
    since: Moment,
    /// What ended the last connection, or attempt at one, in words.
    #[schema(example = "Connection refused (os error 111)")]
    error: Option<String>,
}

/// Whether an upstream takes readings.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum UpstreamState {
    /// It does not.
    Down,
    /// It is being connected to for the first time.
    Connecting,
    /// It does.
    Up,
}

impl From<watch::Rates> for Rates {
    fn from(rates: watch::Rates) -> Self {
        let watch::Rates { messages, bytes, handshakes, refused } = rates;
        Self { messages, bytes, handshakes, refused }
    }
}

impl From<watch::Point> for Point {
    fn from(point: watch::Point) -> Self {
        Self { at: point.at.into(), rates: point.rates.into() }
    }
}

impl Boards {
    fn of(fleet: &watch::Fleet, reach: &Reach) -> Self {
        let counts = fleet.boards(reach);
        Self {
            total: counts.total,
            online: u64::try_from(fleet.awake(reach)).unwrap_or(u64::MAX),
            active_1h: counts.active,
            silent_24h: counts.silent,
            unheard: counts.unheard,
            blocked: counts.blocked,
            held: counts.held,
            revoked: counts.revoked,
        }
    }
}

impl UpstreamHealth {
    pub(super) fn of(tenant: &TenantId, name: &UpstreamName, status: &Status) -> Self {
        Self {
            tenant: tenant.to_string(),
            name: name.to_string(),
            state: match (status.up, &status.trouble) {
                (true, _) => UpstreamState::Up,
                (false, None) => UpstreamState::Connecting,
                (false, Some(_)) => UpstreamState::Down,
            },
            since: status.since.into(),
            error: status.trouble.as_ref().map(|trouble| trouble.detail.clone()),
        }
    }
}

fn upstreams(fleet: &watch::Fleet, reach: &Reach) -> Vec<UpstreamHealth> {
    let seen = fleet.upstreams.iter().filter(|(tenant, ..)| reach.includes(tenant));
    let mut all: Vec<_> =
        seen.map(|(tenant, name, status)| UpstreamHealth::of(tenant, name, status)).collect();
    all.sort_by(|a, b| (a.state, &a.tenant, &a.name).cmp(&(b.state, &b.tenant, &b.name)));
    all.truncate(UPSTREAMS_MAX);
    all
}

/// How the fleet is, as far as you may see it.
#[utoipa::path(
    tag = "system",
    operation_id = "show_overview",
    extensions(("x-permission" = json!("boards:read"))),
    responses((status = 200, body = Overview)),
)]
#[get("/overview")]
pub(super) async fn show(
    caller: Caller,
    api: web::Data<Api>,
) -> Result<web::Json<Overview>, Problem> {
    let reach = caller.reach(Permission::BoardsRead)?;
    let (shared, who) = (api.clone(), caller.clone());
    let looked = api.run(&caller, move |admin| {
        let fleet = shared.watch().fleet(admin)?;
        let attention = attention(&who, &fleet, shared.watch(), admin.store(), shared.now());
        Ok::<_, Problem>((fleet, attention))
    });
    let (fleet, attention) = looked.await?;
    let upstreams = match caller.reach(Permission::RoutesRead) {
        Ok(reach) => upstreams(&fleet, &reach),
        Err(_) => Vec::new(),
    };
    let course = api.watch().course();
    Ok(web::Json(Overview {
        boards: Boards::of(&fleet, &reach),
        rates: course.now(&reach).into(),
        series: course.hour(&reach).into_iter().map(Point::from).collect(),
        upstreams,
        attention,
    }))
}
