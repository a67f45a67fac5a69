//! `/upstreams`: the tenants' systems that take readings, how they are, and one tried out.
//!
//! Files on the hub's own disk are the host's to name: a request can neither set nor read them.
//! Invariant: no secret is shown.

use actix_web::{HttpRequest, HttpResponse, delete, get, post, put, web};
use actors::hub::Tried;
use actors::metrics::Label as _;
use actors::upstream::{Outcome, Stage, Status, Step};
use serde::{Deserialize, Serialize};
use storage::{
    BoardId, MqttUpstream, MqttVersion, TenantId, TopicTemplate, Upstream, UpstreamKind,
    UpstreamName,
};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;

use super::caller::{Caller, Scope};
use super::etag::{Known, tagged_by};
use super::moment::Moment;
use super::page::{Page, Paging};
use super::problem::{Code, Problem};
use super::serving::Api;
use crate::admin::Admin;
use crate::broker_url::BrokerUrl;
use crate::people::Permission;

/// The handlers.
pub(super) fn resources(app: &mut ServiceConfig) {
    app.service(list).service(add).service(show).service(change).service(remove).service(attempt);
}

/// Bytes of the largest message that tries an upstream out.
const PAYLOAD_MAX: usize = 4096;
/// As whose reading that is.
pub(super) const TRIAL_BOARD: &str = "hub-test";

/// Of which tenant.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct OfTenant {
    /// Of this tenant; of all that you may see where none is named.
    #[param(required = false, value_type = Option<String>)]
    pub(super) tenant: Option<TenantId>,
    /// How many items at most: 50 where nothing is said.
    #[param(minimum = 1, maximum = 500, required = false)]
    limit: Option<u16>,
    /// `next` of the page before.
    #[param(required = false)]
    after: Option<String>,
}

impl OfTenant {
    pub(super) fn paging(&self) -> Paging {
        Paging { limit: self.limit, after: self.after.clone() }
    }
}

/// A system of a tenant's that takes readings.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Upstream)]
pub(super) struct View {
    /// Whose it is.
    #[schema(example = "acme")]
    tenant: String,
    /// Its name there.
    #[schema(example = "broker")]
    name: String,
    /// What it is, and how to reach it.
    #[serde(flatten)]
    kind: Kind,
    /// How it is; none of one that has no connection to lose, or is not served yet.
    status: Option<StatusView>,
}

/// What an upstream is.
#[derive(Debug, Serialize, ToSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
#[schema(as = UpstreamKind)]
pub(super) enum Kind {
    /// Accepts and forgets everything: for measuring.
    Discard,
    /// An MQTT broker.
    Mqtt {
        /// Where it is: `mqtts://HOST:PORT`, or `mqtt://` without TLS.
        url: String,
        /// The protocol's version.
        version: Version,
        /// MQTT client identifier; two connections with one throw each other out.
        client_id: String,
        /// User name.
        username: Option<String>,
        /// Whether there is a password.
        has_password: bool,
        /// Whether the hub shows a certificate of its own.
        has_certificate: bool,
        /// Whether other authorities than the system's vouch for it.
        has_authorities: bool,
        /// Publishes that may wait for their acknowledgement at once.
        in_flight_max: u16,
        /// Readings that may wait to be published.
        queue_max: u32,
    },
}

/// An MQTT protocol version.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, ToSchema)]
#[schema(as = MqttVersion)]
pub(super) enum Version {
    /// MQTT 3.1.1.
    #[serde(rename = "3.1.1")]
    V311,
    /// MQTT 5.0.
    #[default]
    #[serde(rename = "5")]
    V5,
}

/// How an upstream is.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = UpstreamStatus)]
pub(super) struct StatusView {
    /// Whether readings are taken.
    up: bool,
    /// Since when they are, or are not.
    since: Moment,
    /// What ended the last connection, or attempt at one; none while all is well.
    trouble: Option<TroubleView>,
}

/// Why there is no connection.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = UpstreamTrouble)]
pub(super) struct TroubleView {
    /// Of which kind, as in the metrics.
    #[schema(example = "unreachable")]
    code: &'static str,
    /// The words of the system, of TLS or of the broker's code.
    #[schema(example = "Connection refused (os error 111)")]
    detail: String,
}

impl From<Status> for StatusView {
    fn from(status: Status) -> Self {
        let trouble = status.trouble.map(TroubleView::from);
        Self { up: status.up, since: status.since.into(), trouble }
    }
}

impl From<actors::upstream::Trouble> for TroubleView {
    fn from(trouble: actors::upstream::Trouble) -> Self {
        Self { code: trouble.end.label(), detail: trouble.detail }
    }
}

impl View {
    fn of(upstream: Upstream, statuses: &[(TenantId, UpstreamName, Status)]) -> Self {
        let status = statuses
            .iter()
            .find(|(tenant, name, _)| *tenant == upstream.tenant && *name == upstream.name)
            .map(|(_, _, status)| status.clone().into());
        let kind = match upstream.kind {
            UpstreamKind::Discard => Kind::Discard,
            UpstreamKind::Mqtt(mqtt) => Kind::of(mqtt),
        };
        let (tenant, name) = (upstream.tenant.to_string(), upstream.name.to_string());
        Self { tenant, name, kind, status }
    }
}

impl Kind {
    fn of(mqtt: MqttUpstream) -> Self {
        let url = BrokerUrl { tls: mqtt.tls, host: mqtt.host, port: mqtt.port };
        Self::Mqtt {
            url: url.to_string(),
            version: match mqtt.version {
                MqttVersion::V311 => Version::V311,
                MqttVersion::V5 => Version::V5,
            },
            client_id: mqtt.client_id,
            username: mqtt.username,
            has_password: mqtt.password_sealed || mqtt.password_file.is_some(),
            has_certificate: mqtt.client_certificate_file.is_some(),
            has_authorities: mqtt.ca_file.is_some(),
            in_flight_max: mqtt.in_flight_max,
            queue_max: mqtt.queue_max,
        }
    }
}

/// The upstreams that you may see, by tenant and name.
#[utoipa::path(
    tag = "upstreams",
    operation_id = "list_upstreams",
    extensions(("x-permission" = json!("routes:read"))),
    params(OfTenant),
    responses((status = 200, body = Page<View>)),
)]
#[get("/upstreams")]
pub(super) async fn list(
    caller: Caller,
    of: web::Query<OfTenant>,
    api: web::Data<Api>,
) -> Result<web::Json<Page<View>>, Problem> {
    let reach = caller.reach(Permission::RoutesRead)?;
    if let Some(tenant) = &of.tenant {
        caller.require(Permission::RoutesRead, &Scope::Tenant(tenant.clone()))?;
    }
    let (limit, after, only) = (of.paging().limit()?, of.paging().after()?, of.into_inner().tenant);
    let page = api.run(&caller, move |admin| {
        let statuses = admin.upstream_statuses()?;
        let all = admin.store().upstreams().list(only.as_ref(), after.as_deref());
        let seen = all.filter(|entry| match entry {
            Ok((_, upstream)) => reach.includes(&upstream.tenant),
            Err(_) => true,
        });
        let views = seen.map(|entry| entry.map(|(key, it)| (key, View::of(it, &statuses))));
        Page::of(views, limit)
    });
    Ok(web::Json(page.await?))
}

/// One upstream. Its ETag stays while it only goes up and down.
#[utoipa::path(
    tag = "upstreams",
    operation_id = "show_upstream",
    extensions(("x-permission" = json!("routes:read"))),
    params(
        ("tenant" = String, Path, description = "Whose it is"),
        ("upstream" = String, Path, description = "Its name there"),
    ),
    responses((status = 200, body = View, headers(("ETag", description = "The upstream as it is")))),
)]
#[get("/tenants/{tenant}/upstreams/{upstream}")]
pub(super) async fn show(
    caller: Caller,
    place: web::Path<(TenantId, UpstreamName)>,
    api: web::Data<Api>,
) -> Result<HttpResponse, Problem> {
    let (tenant, name) = place.into_inner();
    caller.require(Permission::RoutesRead, &Scope::Tenant(tenant.clone()))?;
    let found = api.run(&caller, move |admin| {
        let upstream = admin.upstream(&tenant, &name)?;
        Ok::<_, Problem>((upstream, admin.upstream_statuses()?))
    });
    let (upstream, statuses) = found.await?;
    tagged_by(&View::of(upstream.clone(), &statuses), &upstream)
}

/// How an upstream is to be reached; what is left out is as in the description.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = UpstreamSettings)]
pub(super) struct Settings {
    /// Where the broker is: `mqtts://HOST[:8883]`, or `mqtt://HOST[:1883]` without TLS, when
    /// everything travels in the clear. Without one, everything is accepted and forgotten.
    #[schema(example = "mqtts://broker.acme.example:8883")]
    url: Option<String>,
    /// The protocol's version; 5.
    version: Option<Version>,
    /// MQTT client identifier, of 1 to 256 characters; `cellular-hub-TENANT-NAME`.
    client_id: Option<String>,
    /// User name, of 1 to 256 characters; none.
    username: Option<String>,
    /// Publishes that may wait for their acknowledgement at once; 1000.
    #[schema(minimum = 1)]
    in_flight_max: Option<u16>,
    /// Readings that may wait to be published, up to a million; 10000.
    #[schema(minimum = 1, maximum = 1_000_000)]
    queue_max: Option<u32>,
}

/// An upstream to be added.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewUpstream {
    /// Its name: 1 to 32 of a-z, 0-9 and `-`.
    #[schema(value_type = String, example = "broker")]
    name: UpstreamName,
    /// How it is to be reached.
    settings: Settings,
}

impl Settings {
    /// The upstream that they describe; the host's files are those of the one before.
    fn upstream(
        self,
        tenant: &TenantId,
        name: &UpstreamName,
        before: Option<&Upstream>,
    ) -> Result<Upstream, Problem> {
        let invalid = |what: &str| Problem::new(Code::Invalid, what);
        let Some(url) = self.url else {
            let kind = UpstreamKind::Discard;
            return Ok(Upstream { tenant: tenant.clone(), name: name.clone(), kind });
        };
        let url: BrokerUrl = url.parse().map_err(|error| invalid(&format!("url: {error}")))?;
        let text = |what: &str, text: Option<String>| match text {
            Some(text)
                if text.is_empty() || text.len() > 256 || text.contains(char::is_control) =>
            {
                Err(invalid(&format!("{what} has 1 to 256 characters")))
            }
            text => Ok(text),
        };
        let plain = url.upstream(tenant, name);
        let in_flight_max = self.in_flight_max.unwrap_or(plain.in_flight_max);
        let queue_max = self.queue_max.unwrap_or(plain.queue_max);
        if in_flight_max == 0 || !(1..=1_000_000).contains(&queue_max) {
            return Err(invalid("in_flight_max is at least 1, and queue_max 1 to 1000000"));
        }
        let kept = match before.map(|before| &before.kind) {
            Some(UpstreamKind::Mqtt(before)) => before.clone(),
            Some(UpstreamKind::Discard) | None => plain.clone(),
        };
        let is_same = (&kept.host, kept.port, kept.tls) == (&url.host, url.port, url.tls);
        let mqtt = MqttUpstream {
            version: match self.version.unwrap_or_default() {
                Version::V311 => MqttVersion::V311,
                Version::V5 => MqttVersion::V5,
            },
            client_id: text("client_id", self.client_id)?.unwrap_or(plain.client_id),
            // What one broker is shown is not for another, nor for nobody in particular.
            password_sealed: kept.password_sealed && is_same && self.username.is_some(),
            password_file: kept.password_file.filter(|_| is_same && self.username.is_some()),
            username: text("username", self.username)?,
            ca_file: kept.ca_file,
            client_certificate_file: kept.client_certificate_file,
            client_key_sealed: kept.client_key_sealed,
            client_key_file: kept.client_key_file,
            in_flight_max,
            queue_max,
            host: url.host,
            port: url.port,
            tls: url.tls,
        };
        Ok(Upstream { tenant: tenant.clone(), name: name.clone(), kind: UpstreamKind::Mqtt(mqtt) })
    }
}

/// Adds an upstream; readings go there as soon as a route does.
#[utoipa::path(
    tag = "upstreams",
    operation_id = "add_upstream",
    extensions(("x-permission" = json!("routes:write"))),
    params(("tenant" = String, Path, description = "Whose it is")),
    request_body = NewUpstream,
    responses((status = 201, body = View, headers(("Location", description = "The upstream")))),
)]
#[post("/tenants/{tenant}/upstreams")]
pub(super) async fn add(
    caller: Caller,
    tenant: web::Path<TenantId>,
    new: web::Json<NewUpstream>,
    api: web::Data<Api>,
) -> Result<HttpResponse, Problem> {
    let (tenant, NewUpstream { name, settings }) = (tenant.into_inner(), new.into_inner());
    caller.require(Permission::RoutesWrite, &Scope::Tenant(tenant.clone()))?;
    let upstream = settings.upstream(&tenant, &name, None)?;
    let place = format!("{}/tenants/{tenant}/upstreams/{name}", super::BASE);
    let added = api.run(&caller, move |admin| {
        admin.add_upstream(&upstream)?;
        Ok::<_, Problem>(View::of(upstream, &admin.upstream_statuses()?))
    });
    Ok(HttpResponse::Created().insert_header(("Location", place)).json(added.await?))
}

/// Has an upstream be reached otherwise. Its connection ends, and what waits for its word is
/// answered "unavailable".
#[utoipa::path(
    tag = "upstreams",
    operation_id = "change_upstream",
    extensions(("x-permission" = json!("routes:write"))),
    params(
        ("tenant" = String, Path, description = "Whose it is"),
        ("upstream" = String, Path, description = "Its name there"),
        ("If-Match" = String, Header, description = "The ETag of the upstream as you have read it"),
    ),
    request_body = Settings,
    responses((status = 200, body = View, headers(("ETag", description = "The upstream as it is")))),
)]
#[put("/tenants/{tenant}/upstreams/{upstream}")]
pub(super) async fn change(
    caller: Caller,
    place: web::Path<(TenantId, UpstreamName)>,
    settings: web::Json<Settings>,
    request: HttpRequest,
    api: web::Data<Api>,
) -> Result<HttpResponse, Problem> {
    let ((tenant, name), settings) = (place.into_inner(), settings.into_inner());
    caller.require(Permission::RoutesWrite, &Scope::Tenant(tenant.clone()))?;
    let known = Known::of(&request)?;
    let changed = api.run(&caller, move |admin| {
        let upstream = admin.change_upstream(&tenant, &name, |before| {
            known.must_match(before)?;
            settings.upstream(&tenant, &name, Some(before))
        })?;
        Ok::<_, Problem>((upstream, admin.upstream_statuses()?))
    });
    let (upstream, statuses) = changed.await?;
    tagged_by(&View::of(upstream.clone(), &statuses), &upstream)
}

/// Removes an upstream that no route leads to.
#[utoipa::path(
    tag = "upstreams",
    operation_id = "remove_upstream",
    extensions(("x-permission" = json!("routes:write"))),
    params(
        ("tenant" = String, Path, description = "Whose it is"),
        ("upstream" = String, Path, description = "Its name there"),
        ("If-Match" = String, Header, description = "The ETag of the upstream as you have read it"),
    ),
    responses((status = 204, description = "It is gone")),
)]
#[delete("/tenants/{tenant}/upstreams/{upstream}")]
pub(super) async fn remove(
    caller: Caller,
    place: web::Path<(TenantId, UpstreamName)>,
    request: HttpRequest,
    api: web::Data<Api>,
) -> Result<HttpResponse, Problem> {
    let (tenant, name) = place.into_inner();
    caller.require(Permission::RoutesWrite, &Scope::Tenant(tenant.clone()))?;
    let known = Known::of(&request)?;
    let removed = api.run(&caller, move |admin| {
        known.must_match(&admin.upstream(&tenant, &name)?)?;
        admin.remove_upstream(&tenant, &name).map_err(Problem::from)
    });
    removed.await?;
    Ok(HttpResponse::NoContent().finish())
}

/// A message that tries an upstream out.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = UpstreamTrial)]
pub(super) struct Trial {
    /// The topic, 1 to 256 bytes without wildcards.
    #[schema(example = "acme/hub-test/telemetry")]
    topic: String,
    /// What it says, 4096 bytes at most.
    #[serde(default = "words")]
    #[schema(example = "a test of the hub's")]
    payload: String,
}

pub(super) fn words() -> String {
    String::from("a test of the hub's")
}

/// What came of a message that tried an upstream out.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = UpstreamTried)]
pub(super) struct TriedView {
    /// Whether the upstream has it.
    ok: bool,
    /// The upstream's answer, in words.
    #[schema(example = "the broker has acknowledged it")]
    answer: String,
    /// The topic it was published to.
    topic: String,
    /// The steps, where it needed a connection of its own; the last says what is wrong.
    steps: Vec<StepView>,
}

/// A step on the way to the broker's acknowledgement.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = UpstreamStep)]
pub(super) struct StepView {
    /// Which: `resolve`, `connect`, `tls`, `login` or `publish`.
    step: &'static str,
    /// Whether it went well.
    ok: bool,
    /// Milliseconds that it took.
    took_ms: u64,
    /// Why it did not.
    trouble: Option<TroubleView>,
}

impl From<Step> for StepView {
    fn from(step: Step) -> Self {
        Self {
            step: match step.stage {
                Stage::Resolve => "resolve",
                Stage::Connect => "connect",
                Stage::Tls => "tls",
                Stage::Login => "login",
                Stage::Publish => "publish",
            },
            ok: step.trouble.is_none(),
            took_ms: u64::try_from(step.took.as_millis()).unwrap_or(u64::MAX),
            trouble: step.trouble.map(TroubleView::from),
        }
    }
}

impl TriedView {
    fn of(tried: Tried, topic: String) -> Self {
        let (outcome, steps) = match tried {
            Tried::Live(outcome) => (Some(outcome), Vec::new()),
            Tried::Probed(probe) => (probe.outcome, probe.steps),
        };
        let steps: Vec<_> = steps.into_iter().map(StepView::from).collect();
        let answer = match outcome {
            Some(Outcome::Accepted) => String::from("the upstream has acknowledged it"),
            Some(Outcome::Down { .. }) => String::from("the upstream did not acknowledge it"),
            Some(Outcome::Full { .. }) => String::from("the queue, or the broker's quota, is full"),
            Some(Outcome::Refused { reason }) => format!("the upstream refuses it: {reason}"),
            None => {
                let trouble = steps.last().and_then(|step| step.trouble.as_ref());
                let detail = trouble.map_or("it did not get there", |it| it.detail.as_str());
                format!("the upstream was not reached: {detail}")
            }
        };
        Self { ok: outcome == Some(Outcome::Accepted), answer, topic, steps }
    }
}

/// Really publishes a message, as a reading of the board `hub-test`, and waits for the broker's
/// answer: on the connection that readings take, or where there is none on one of its own, step by
/// step.
#[utoipa::path(
    tag = "upstreams",
    operation_id = "test_upstream",
    extensions(("x-permission" = json!("routes:write"))),
    params(
        ("tenant" = String, Path, description = "Whose it is"),
        ("upstream" = String, Path, description = "Its name there"),
    ),
    request_body = Trial,
    responses((status = 200, body = TriedView)),
)]
#[post("/tenants/{tenant}/upstreams/{upstream}/test")]
pub(super) async fn attempt(
    caller: Caller,
    place: web::Path<(TenantId, UpstreamName)>,
    trial: web::Json<Trial>,
    api: web::Data<Api>,
) -> Result<web::Json<TriedView>, Problem> {
    let ((tenant, name), Trial { topic, payload }) = (place.into_inner(), trial.into_inner());
    caller.require(Permission::RoutesWrite, &Scope::Tenant(tenant.clone()))?;
    let is_plain = topic.parse::<TopicTemplate>().is_ok() && !topic.contains(['{', '}']);
    if !is_plain || topic.starts_with('$') {
        let detail = "topic has 1 to 256 bytes without wildcards, and does not begin with $";
        return Err(Problem::new(Code::Invalid, detail));
    }
    let tried =
        api.run(&caller, move |admin| attempt_at(admin, &tenant, &name, None, topic, payload));
    Ok(web::Json(tried.await?))
}

/// Publishes it and waits.
///
/// # Errors
/// Those of [`Admin::try_upstream`]; [`Code::Invalid`] for a message that is too long.
pub(super) fn attempt_at(
    admin: &Admin,
    tenant: &TenantId,
    name: &UpstreamName,
    board: Option<BoardId>,
    topic: String,
    payload: String,
) -> Result<TriedView, Problem> {
    if payload.len() > PAYLOAD_MAX {
        let detail = format_args!("payload has at most {PAYLOAD_MAX} bytes");
        return Err(Problem::new(Code::Invalid, detail));
    }
    let board = match board {
        Some(board) => board,
        None => TRIAL_BOARD.parse().map_err(|_| Problem::unknown("board", TRIAL_BOARD))?,
    };
    let tried = admin.try_upstream(tenant, name, board, topic.clone(), payload.into_bytes())?;
    Ok(TriedView::of(tried, topic))
}
