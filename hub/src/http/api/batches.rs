//! `/batches`: what is produced, with the one-time tokens of boards.

use actix_web::{HttpResponse, get, post, web};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use storage::{
    Again, Allowed, Batch, BatchName, BatchState, BoardId, BoardPrefix, CertificateLife, TenantId,
    Token, TokenDigest, UnixSeconds,
};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;
use zeroize::Zeroizing;

use super::caller::{Caller, Scope};
use super::moment::Moment;
use super::page::Page;
use super::problem::{Code, Problem};
use super::serving::Api;
use super::upstreams::OfTenant;
use crate::people::Permission;
use crate::trust::BOARD_YEARS;

/// The handlers.
pub(super) fn resources(app: &mut ServiceConfig) {
    app.service(list).service(add).service(show).service(close).service(token);
}

const DAY_S: u64 = 24 * 60 * 60;
/// Days for which the longest batch is open.
const DAYS_MAX: u64 = 36_500;
/// Years of the longest certificate that has an end.
const YEARS_MAX: u16 = 1000;
/// Hours of a token where nothing is said, and of the longest.
const HOURS: u32 = 24;
const HOURS_MAX: u32 = 8760;
/// Random bytes of a token.
const TOKEN_BYTES: usize = 32;

/// A production batch: which boards of a tenant a station may enrol.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Batch)]
pub(super) struct View {
    /// Whose boards.
    #[schema(example = "acme")]
    tenant: String,
    /// Its name there; boards have it as their label `batch`.
    #[schema(example = "spring")]
    name: String,
    /// How its boards' ids begin; none where they are on a list.
    #[schema(example = "CB-7")]
    prefix: Option<String>,
    /// How many ids are on its list; none where it has a beginning instead.
    ids: Option<u32>,
    /// How many boards it may have.
    max: u32,
    /// How many it has.
    enrolled: u32,
    /// Whether it takes more.
    state: State,
    /// Since when it was closed.
    closed: Option<Moment>,
    /// When it was added.
    created: Moment,
    /// Until when it takes boards; none is until it is closed.
    expires: Option<Moment>,
    /// Years for which its boards' certificates are valid; none is without a known end.
    certificate_years: Option<u16>,
    /// Whether a station may give another certificate to boards that were heard already.
    again: bool,
}

/// Whether a batch takes boards.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = BatchState)]
pub(super) enum State {
    /// It does.
    Open,
    /// Its time is over.
    Expired,
    /// Somebody closed it.
    Closed,
}

impl View {
    fn of(batch: Batch, now: UnixSeconds) -> Self {
        let max = batch.room();
        let (prefix, ids) = match batch.allowed {
            Allowed::List { count } => (None, Some(count)),
            Allowed::Prefix { prefix, .. } => (Some(prefix.to_string()), None),
        };
        let (state, closed) = match batch.state {
            BatchState::Closed { since } => (State::Closed, Some(since)),
            BatchState::Open if batch.expires.is_some_and(|end| end < now) => {
                (State::Expired, None)
            }
            BatchState::Open => (State::Open, None),
        };
        Self {
            tenant: batch.tenant.to_string(),
            name: batch.name.to_string(),
            prefix,
            ids,
            max,
            enrolled: batch.enrolled,
            state,
            closed: closed.map(Moment::from),
            created: batch.created.into(),
            expires: batch.expires.map(Moment::from),
            certificate_years: match batch.certificates {
                CertificateLife::Years(years) => Some(years),
                CertificateLife::Never => None,
            },
            again: batch.again == Again::Always,
        }
    }
}

/// The batches that you may see, by tenant and name.
#[utoipa::path(
    tag = "production",
    operation_id = "list_batches",
    extensions(("x-permission" = json!("batches:read"))),
    params(OfTenant),
    responses((status = 200, body = Page<View>)),
)]
#[get("/batches")]
pub(super) async fn list(
    caller: Caller,
    of: web::Query<OfTenant>,
    api: web::Data<Api>,
) -> Result<web::Json<Page<View>>, Problem> {
    let reach = caller.reach(Permission::BatchesRead)?;
    if let Some(tenant) = &of.tenant {
        caller.require(Permission::BatchesRead, &Scope::Tenant(tenant.clone()))?;
    }
    let (limit, after, only) = (of.paging().limit()?, of.paging().after()?, of.into_inner().tenant);
    let now = api.now();
    let page = api.run(&caller, move |admin| {
        let all = admin.store().batches().list(only.as_ref());
        let keyed = all.map(|batch| batch.map(|batch| (key(&batch), batch)));
        let seen = keyed.filter(|entry| match entry {
            Ok((key, batch)) => {
                reach.includes(&batch.tenant) && after.as_ref().is_none_or(|after| key > after)
            }
            Err(_) => true,
        });
        Page::of(seen.map(|entry| entry.map(|(key, batch)| (key, View::of(batch, now)))), limit)
    });
    Ok(web::Json(page.await?))
}

fn key(batch: &Batch) -> Vec<u8> {
    format!("{}\0{}", batch.tenant, batch.name).into_bytes()
}

/// One batch.
#[utoipa::path(
    tag = "production",
    operation_id = "show_batch",
    extensions(("x-permission" = json!("batches:read"))),
    params(
        ("tenant" = String, Path, description = "Whose boards"),
        ("name" = String, Path, description = "The batch's name there"),
    ),
    responses((status = 200, body = View)),
)]
#[get("/batches/{tenant}/{name}")]
pub(super) async fn show(
    caller: Caller,
    place: web::Path<(TenantId, BatchName)>,
    api: web::Data<Api>,
) -> Result<web::Json<View>, Problem> {
    let (tenant, name) = place.into_inner();
    caller.require(Permission::BatchesRead, &Scope::Tenant(tenant.clone()))?;
    let batch = api.run(&caller, move |admin| admin.batch(&tenant, &name)).await?;
    Ok(web::Json(View::of(batch, api.now())))
}

/// A batch to be added: with `ids`, or with `prefix` and `max`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewBatch {
    /// Whose boards.
    #[schema(value_type = String, example = "acme")]
    tenant: TenantId,
    /// Its name there: 1 to 32 of a-z, 0-9 and `-`.
    #[schema(value_type = String, example = "spring")]
    name: BatchName,
    /// How its boards' ids begin.
    #[schema(value_type = Option<String>, example = "CB-7")]
    prefix: Option<BoardPrefix>,
    /// With `prefix`: how many boards at most.
    #[schema(minimum = 1)]
    max: Option<u32>,
    /// Its boards' ids, as many as the body has room for; for more there is
    /// `cellular-hub batch add --ids FILE`.
    #[schema(value_type = Option<Vec<String>>)]
    ids: Option<Vec<BoardId>>,
    /// Years for which its boards' certificates are valid; 20 where nothing is said, and 0 is without
    /// a known end.
    #[schema(minimum = 0, maximum = 1000)]
    certificate_years: Option<u16>,
    /// Days until it takes no more boards; until it is closed where nothing is said.
    #[schema(minimum = 1, maximum = 36500)]
    expires_in_days: Option<u64>,
    /// Whether a station may give another certificate to boards that were heard already: whoever has
    /// a station of the batch can then take the place of a board in the field.
    #[serde(default)]
    again: bool,
}

impl NewBatch {
    fn checked(self, now: UnixSeconds) -> Result<(Batch, Vec<BoardId>), Problem> {
        let invalid = |what: &str| Problem::new(Code::Invalid, what);
        let (allowed, ids) = match (self.ids, self.prefix, self.max) {
            (Some(ids), None, None) if !ids.is_empty() => (Allowed::List { count: 0 }, ids),
            (None, Some(prefix), Some(max)) if max > 0 => {
                (Allowed::Prefix { prefix, max }, Vec::new())
            }
            _ => return Err(invalid("give ids, or prefix and max; at least one board")),
        };
        let certificates = match self.certificate_years.unwrap_or(BOARD_YEARS) {
            0 => CertificateLife::Never,
            years @ 1..=YEARS_MAX => CertificateLife::Years(years),
            _ => {
                return Err(invalid("certificate_years is at most 1000; 0 is without a known end"));
            }
        };
        let expires = match self.expires_in_days {
            None => None,
            Some(days @ 1..=DAYS_MAX) => Some(UnixSeconds(now.0 + days * DAY_S)),
            Some(_) => return Err(invalid("expires_in_days is to be from 1 to 36500")),
        };
        let batch = Batch {
            tenant: self.tenant,
            name: self.name,
            allowed,
            state: BatchState::Open,
            certificates,
            again: if self.again { Again::Always } else { Again::UntilHeard },
            enrolled: 0,
            created: now,
            expires,
        };
        Ok((batch, ids))
    }
}

/// Adds a batch.
#[utoipa::path(
    tag = "production",
    operation_id = "add_batch",
    extensions(("x-permission" = json!("batches:write"))),
    request_body = NewBatch,
    responses((status = 201, body = View, headers(("Location", description = "The batch")))),
)]
#[post("/batches")]
pub(super) async fn add(
    caller: Caller,
    new: web::Json<NewBatch>,
    api: web::Data<Api>,
) -> Result<HttpResponse, Problem> {
    let new = new.into_inner();
    caller.require(Permission::BatchesWrite, &Scope::Tenant(new.tenant.clone()))?;
    let (batch, ids) = new.checked(api.now())?;
    let added = api.run(&caller, move |admin| admin.add_batch(batch, ids)).await?;
    let place = format!("{}/batches/{}/{}", super::BASE, added.tenant, added.name);
    let view = View::of(added, api.now());
    Ok(HttpResponse::Created().insert_header(("Location", place)).json(view))
}

/// Has a batch take no more boards; those that are enrolled stay.
#[utoipa::path(
    tag = "production",
    operation_id = "close_batch",
    extensions(("x-permission" = json!("batches:write"))),
    params(
        ("tenant" = String, Path, description = "Whose boards"),
        ("name" = String, Path, description = "The batch's name there"),
    ),
    responses((status = 200, body = View)),
)]
#[post("/batches/{tenant}/{name}/close")]
pub(super) async fn close(
    caller: Caller,
    place: web::Path<(TenantId, BatchName)>,
    api: web::Data<Api>,
) -> Result<web::Json<View>, Problem> {
    let ((tenant, name), now) = (place.into_inner(), api.now());
    caller.require(Permission::BatchesWrite, &Scope::Tenant(tenant.clone()))?;
    let closed = api.run(&caller, move |admin| {
        let unknown = Problem::unknown("batch", &name);
        admin.close_batch(&tenant, &name, now)?.ok_or(unknown)
    });
    Ok(web::Json(View::of(closed.await?, now)))
}

/// How long a token is good.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewBatchToken {
    /// Hours until it expires: 24 where nothing is said.
    #[schema(minimum = 1, maximum = 8760)]
    hours: Option<u32>,
}

impl NewBatchToken {
    /// From a body, which there need not be.
    fn read(body: &[u8]) -> Result<Self, Problem> {
        if body.is_empty() {
            return Ok(Self::default());
        }
        serde_json::from_slice(body).map_err(|error| match error.is_data() {
            true => Problem::new(Code::Invalid, format_args!("the body does not fit: {error}")),
            false => Problem::new(Code::Malformed, "the body is not JSON"),
        })
    }
}

/// A one-time token. It is shown now and never again.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct BatchToken {
    /// The token: whoever has it first enrols one board with it.
    token: String,
    /// Whose board.
    tenant: String,
    /// Of which batch.
    batch: String,
    /// Until when it is good.
    expires: Moment,
}

/// Makes a one-time token, with which one board of a batch can be enrolled. The hub keeps its SHA-256.
#[utoipa::path(
    tag = "production",
    operation_id = "make_batch_token",
    extensions(("x-permission" = json!("batches:write"))),
    params(
        ("tenant" = String, Path, description = "Whose board"),
        ("name" = String, Path, description = "The batch's name there"),
    ),
    request_body = Option<NewBatchToken>,
    responses((status = 201, body = BatchToken)),
)]
#[post("/batches/{tenant}/{name}/tokens")]
pub(super) async fn token(
    caller: Caller,
    place: web::Path<(TenantId, BatchName)>,
    body: web::Bytes,
    api: web::Data<Api>,
) -> Result<HttpResponse, Problem> {
    let ((tenant, batch), created) = (place.into_inner(), api.now());
    caller.require(Permission::BatchesWrite, &Scope::Tenant(tenant.clone()))?;
    let hours = NewBatchToken::read(&body)?.hours.unwrap_or(HOURS);
    if !(1..=HOURS_MAX).contains(&hours) {
        let detail = format_args!("a token is good for 1 to {HOURS_MAX} hours");
        return Err(Problem::new(Code::Invalid, detail));
    }
    let expires = UnixSeconds(created.0 + u64::from(hours) * 60 * 60);
    let made = api.run(&caller, move |admin| {
        let mut random = Zeroizing::new([0; TOKEN_BYTES]);
        getrandom::fill(random.as_mut())
            .map_err(|error| Problem::internal(&std::io::Error::other(error.to_string())))?;
        let text = Zeroizing::new(URL_SAFE_NO_PAD.encode(random.as_slice()));
        let token = Token { tenant, batch, created, expires, used: None };
        admin.add_token(&TokenDigest::of(&text), &token)?;
        Ok::<_, Problem>((text, token))
    });
    let (text, about) = made.await?;
    let answer = BatchToken {
        token: text.as_str().to_owned(),
        tenant: about.tenant.to_string(),
        batch: about.batch.to_string(),
        expires: about.expires.into(),
    };
    Ok(HttpResponse::Created().insert_header(("Cache-Control", "no-store")).json(answer))
}
