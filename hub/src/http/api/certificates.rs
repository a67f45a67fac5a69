//! `/certificates`: those of boards, when they end, one revoked; `/authorities`: who issues them.

use std::collections::BTreeMap;

use actix_web::{get, post, web};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use storage::{
    Authority, AuthorityState, Board, BoardFilter, BoardQuery, Cursor, Fingerprint, Origin,
    RevocationReason, RowsState, Sort, Span, TenantId, UnixSeconds,
};
use time::{Date, Month, OffsetDateTime};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;

use super::boards::Why;
use super::caller::{Caller, Scope};
use super::moment::Moment;
use super::page::{Page, Paging};
use super::problem::{Code, Problem};
use super::serving::Api;
use crate::admin::Which;
use crate::people::{Permission, Reach};
use crate::trust::anchor_facts;

/// The handlers.
pub(super) fn resources(app: &mut ServiceConfig) {
    // What has a name of its own comes before what has a certificate's.
    app.service(forecast).service(list).service(revoke).service(authorities);
}

/// Months of the forecast.
const MONTHS: usize = 24;
/// Windows of the forecast.
const WINDOWS_DAYS: [u64; 3] = [30, 90, 365];
const DAY_S: u64 = 24 * 60 * 60;

/// A board's certificate.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Certificate)]
pub(super) struct View {
    /// The board.
    #[schema(example = "CB-0001")]
    board: String,
    /// Whose it is.
    #[schema(example = "acme")]
    tenant: String,
    /// SHA-256 of its DER.
    fingerprint: String,
    /// Its serial number, in hexadecimal, where the hub has seen it.
    serial: Option<String>,
    /// Which of the tenant's authorities issued it, where the hub knows.
    authority: Option<u16>,
    /// Its end.
    not_after: Option<Moment>,
}

impl View {
    fn of(board: Board) -> Option<Self> {
        Some(Self {
            board: board.id.to_string(),
            tenant: board.tenant.to_string(),
            fingerprint: board.fingerprint?.to_string(),
            serial: board.serial.map(|serial| serial.to_string()),
            authority: board.issuer.map(storage::AuthorityNumber::get),
            not_after: board.not_after.map(Moment::from),
        })
    }
}

/// Which certificates, and which page of them.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Asked {
    /// Of this tenant; of all that you may see where none is named.
    #[param(required = false, value_type = Option<String>)]
    tenant: Option<TenantId>,
    /// That end before this.
    #[param(required = false)]
    ends_before: Option<Moment>,
    /// How many items at most: 50 where nothing is said.
    #[param(minimum = 1, maximum = 500, required = false)]
    limit: Option<u16>,
    /// `next` of the page before.
    #[param(required = false)]
    after: Option<String>,
}

/// The boards' certificates whose end the hub knows, those that end first in front. A page may be
/// shorter than wanted where a board was changed a moment ago.
#[utoipa::path(
    tag = "certificates",
    operation_id = "list_certificates",
    extensions(("x-permission" = json!("certificates:read"))),
    params(Asked),
    responses((status = 200, body = Page<View>)),
)]
#[get("/certificates")]
pub(super) async fn list(
    caller: Caller,
    asked: web::Query<Asked>,
    api: web::Data<Api>,
) -> Result<web::Json<Page<View>>, Problem> {
    let Asked { tenant, ends_before, limit, after } = asked.into_inner();
    let reach = caller.reach(Permission::CertificatesRead)?;
    if let Some(tenant) = &tenant {
        caller.require(Permission::CertificatesRead, &Scope::Tenant(tenant.clone()))?;
    }
    let tenants = match (tenant, reach) {
        (Some(tenant), _) => Some(vec![tenant]),
        (None, Reach::Everywhere) => None,
        (None, Reach::Tenants(tenants)) => Some(tenants.into_iter().collect()),
    };
    let paging = Paging { limit, after };
    let after = match paging.after()? {
        None => None,
        Some(bytes) => Some(Cursor::from_bytes(&bytes).ok_or_else(|| {
            Problem::new(Code::Invalid, "after is to be `next` of the page before")
        })?),
    };
    let known = Span { from: Some(UnixSeconds(1)), before: ends_before.map(|Moment(at)| at) };
    let query = BoardQuery {
        filter: BoardFilter { tenants, certificate_ends: known, ..BoardFilter::default() },
        sort: Sort::CertificateEnd,
        after,
        limit: paging.limit()?,
        ..BoardQuery::default()
    };
    let page = api.run(&caller, move |admin| admin.store().boards().query(&query)).await?;
    Ok(web::Json(Page {
        items: page.boards.into_iter().filter_map(View::of).collect(),
        next: page.next.map(|next| URL_SAFE_NO_PAD.encode(next.to_bytes())),
    }))
}

/// When certificates end. Boards that are revoked are not counted: nobody renews those.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Forecast {
    /// Boards whose certificate has ended.
    ended: u64,
    /// By the month in which they end, from this one on, 24 of them.
    months: Vec<EndingMonth>,
    /// Boards whose certificate ends after those, or never.
    later: u64,
    /// Within how many days how many end.
    within: Vec<EndingWithin>,
    /// When the certificate ends that the hub shows to boards; none where its file cannot be read.
    hub: Option<Moment>,
}

/// A month.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct EndingMonth {
    /// Which, in UTC.
    #[schema(example = "2027-03")]
    month: String,
    /// Boards whose certificate ends in it.
    boards: u64,
}

/// A number of days from now on.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct EndingWithin {
    /// How many.
    days: u64,
    /// Boards whose certificate ends within them.
    boards: u64,
    /// Authorities that end within them and are believed.
    authorities: u64,
}

/// When boards' certificates and authorities end, as of some seconds ago.
#[utoipa::path(
    tag = "certificates",
    operation_id = "forecast_certificates",
    extensions(("x-permission" = json!("certificates:read"))),
    responses((status = 200, body = Forecast)),
)]
#[get("/certificates/forecast")]
pub(super) async fn forecast(
    caller: Caller,
    api: web::Data<Api>,
) -> Result<web::Json<Forecast>, Problem> {
    let reach = caller.reach(Permission::CertificatesRead)?;
    let (shared, now) = (api.clone(), api.now());
    let counted = api.run(&caller, move |admin| {
        let store = admin.store();
        if store.rows_state() != RowsState::Ready {
            return Err(Problem::from(storage::StoreError::ListsNotReady));
        }
        let seen = |tenant: &TenantId| reach.includes(tenant);
        let (starts, names) = months(now);
        let boards = store.boards().forecast(&starts, now)?;
        let mut by_month = vec![0_u64; MONTHS + 2];
        for (_, counts) in boards.between.iter().filter(|(tenant, _)| seen(tenant)) {
            by_month.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
        }
        // The first is before this month, and the last behind the forecast's end.
        let later = by_month.pop().unwrap_or(0);
        let months = names.into_iter().zip(by_month.into_iter().skip(1));
        let months = months.map(|(month, boards)| EndingMonth { month, boards }).collect();
        let mut of_boards = storage::CertificateEnds::default();
        boards.tenants.iter().filter(|(id, _)| seen(id)).for_each(|(_, ends)| of_boards.add(ends));
        let all = store.authorities().list(None).collect::<Result<Vec<_>, _>>()?;
        let left: Vec<_> = all
            .iter()
            .filter(|authority| seen(&authority.tenant) && authority.is_believed())
            .filter_map(|it| anchor_facts(&it.certificate).ok()?.not_after.0.checked_sub(now.0))
            .collect();
        let counts =
            [of_boards.within_30_days, of_boards.within_90_days, of_boards.within_365_days];
        let within = WINDOWS_DAYS.into_iter().zip(counts).map(|(days, boards)| {
            let ending = left.iter().filter(|left_s| **left_s <= days * DAY_S).count();
            EndingWithin { days, boards, authorities: u64::try_from(ending).unwrap_or(u64::MAX) }
        });
        let (within, hub) = (within.collect(), shared.watch().host().certificate_end);
        let hub = hub.map(Moment::from);
        Ok(Forecast { ended: of_boards.ended, months, later, within, hub })
    });
    Ok(web::Json(counted.await?))
}

/// When this month and those behind it begin, one more than are counted, and their names.
fn months(now: UnixSeconds) -> (Vec<UnixSeconds>, Vec<String>) {
    let seconds = i64::try_from(now.0).unwrap_or(0);
    let today = OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let (mut year, mut month) = (today.year(), today.month());
    let (mut starts, mut names) = (Vec::new(), Vec::new());
    for _ in 0..=MONTHS {
        let first = Date::from_calendar_date(year, month, 1).map(|day| day.midnight().assume_utc());
        let first = first.map_or(0, OffsetDateTime::unix_timestamp);
        starts.push(UnixSeconds(u64::try_from(first).unwrap_or(0)));
        names.push(format!("{year}-{:02}", u8::from(month)));
        year += i32::from(month == Month::December);
        month = month.next();
    }
    names.truncate(MONTHS);
    (starts, names)
}

/// Why a certificate is revoked.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct WhyRevoked {
    /// In words, for the audit log.
    #[schema(example = "the key was copied at the depot", min_length = 1, max_length = 500)]
    pub(super) reason: String,
    /// As lists of revoked certificates say it; `unspecified` where nothing is said.
    #[serde(default)]
    pub(super) code: ReasonCode,
}

/// Why, as lists of revoked certificates say it (RFC 5280 5.3.1).
#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum ReasonCode {
    /// Nobody says.
    #[default]
    Unspecified,
    /// The board's key is known to others.
    KeyCompromise,
    /// The board belongs to somebody else now.
    AffiliationChanged,
    /// Another certificate took its place.
    Superseded,
    /// It is not needed any more.
    CessationOfOperation,
    /// The board may not do what it could.
    PrivilegeWithdrawn,
}

impl From<ReasonCode> for RevocationReason {
    fn from(code: ReasonCode) -> Self {
        match code {
            ReasonCode::Unspecified => Self::Unspecified,
            ReasonCode::KeyCompromise => Self::KeyCompromise,
            ReasonCode::AffiliationChanged => Self::AffiliationChanged,
            ReasonCode::Superseded => Self::Superseded,
            ReasonCode::CessationOfOperation => Self::CessationOfOperation,
            ReasonCode::PrivilegeWithdrawn => Self::PrivilegeWithdrawn,
        }
    }
}

/// What the revocation of a certificate did.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RevokedView {
    /// The board that had it.
    board: Option<String>,
    /// Sessions that were awake and end now.
    sessions_ended: Option<usize>,
}

/// Revokes a board's certificate for good. The board loses it, its sessions end, and it may get
/// another; `POST /boards/{board}/revoke` refuses the board itself.
#[utoipa::path(
    tag = "certificates",
    operation_id = "revoke_certificate",
    extensions(("x-permission" = json!("certificates:write"))),
    params(("fingerprint" = String, Path, description = "SHA-256 of its DER, in hexadecimal")),
    request_body = WhyRevoked,
    responses((status = 200, body = RevokedView)),
)]
#[post("/certificates/{fingerprint}/revoke")]
pub(super) async fn revoke(
    caller: Caller,
    fingerprint: web::Path<Fingerprint>,
    why: web::Json<WhyRevoked>,
    api: web::Data<Api>,
) -> Result<web::Json<RevokedView>, Problem> {
    let (fingerprint, WhyRevoked { reason, code }) = (fingerprint.into_inner(), why.into_inner());
    let (words, now, who) = (Why::of(reason).words()?, api.now(), caller.clone());
    let revoked = api.run(&caller, move |admin| {
        let unknown = || Problem::unknown("certificate", fingerprint);
        let board = admin.board_with(&fingerprint)?.ok_or_else(unknown)?;
        if !who.powers.knows(&board.tenant) {
            return Err(unknown());
        }
        who.require(Permission::CertificatesWrite, &Scope::Tenant(board.tenant.clone()))?;
        let which = Which::Fingerprint(fingerprint);
        Ok(admin.revoke_certificate(&which, code.into(), Some(&words), now)?)
    });
    let revoked = revoked.await?;
    let board = revoked.board.map(|board| board.to_string());
    Ok(web::Json(RevokedView { board, sessions_ended: revoked.sessions_ended }))
}

/// An authority that vouches for boards, or the hub's root.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Authority)]
pub(super) struct AuthorityView {
    /// Its name: `acme/1`, or `root`.
    #[schema(example = "acme/1")]
    name: String,
    /// Whose boards it vouches for; none of the root.
    tenant: Option<String>,
    /// What its certificate calls it.
    subject: String,
    /// Whether it is believed.
    state: AuthorityStateView,
    /// Since when it is not, or is to be replaced.
    since: Option<Moment>,
    /// Whether its key is the hub's.
    own: bool,
    /// Whether the tenant's boards get their certificates from it.
    issues: bool,
    /// Its end.
    not_after: Option<Moment>,
    /// When it was added; none of the root.
    added: Option<Moment>,
    /// SHA-256 of its DER.
    fingerprint: String,
}

/// Whether an authority is believed.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = AuthorityState)]
pub(super) enum AuthorityStateView {
    /// It is.
    Active,
    /// It is, and its boards are to get certificates of another.
    Retiring,
    /// Not any more: it has done its service.
    Retired,
    /// Not any more: nothing that it signed is to be trusted.
    Revoked,
}

impl AuthorityView {
    fn of(authority: Authority, issuing: &BTreeMap<TenantId, storage::AuthorityNumber>) -> Self {
        let (state, since) = match authority.state {
            AuthorityState::Active => (AuthorityStateView::Active, None),
            AuthorityState::Retiring { since } => (AuthorityStateView::Retiring, Some(since)),
            AuthorityState::Retired { since } => (AuthorityStateView::Retired, Some(since)),
            AuthorityState::Revoked { since, .. } => (AuthorityStateView::Revoked, Some(since)),
        };
        let facts = anchor_facts(&authority.certificate).ok();
        Self {
            name: authority.name().to_string(),
            subject: facts.as_ref().map(|facts| facts.subject.clone()).unwrap_or_default(),
            state,
            since: since.map(Moment::from),
            own: matches!(authority.origin, Origin::Own { .. }),
            issues: issuing.get(&authority.tenant) == Some(&authority.number),
            not_after: facts.map(|facts| facts.not_after.into()),
            added: Some(authority.added.into()),
            fingerprint: authority.fingerprint().to_string(),
            tenant: Some(authority.tenant.to_string()),
        }
    }

    /// The root, whose key signs tenants' authorities.
    fn root(certificate: &[u8]) -> Option<Self> {
        let facts = anchor_facts(certificate).ok()?;
        Some(Self {
            name: String::from("root"),
            tenant: None,
            subject: facts.subject,
            state: AuthorityStateView::Active,
            since: None,
            own: true,
            issues: false,
            not_after: Some(facts.not_after.into()),
            added: None,
            fingerprint: Fingerprint(openssl::sha::sha256(certificate)).to_string(),
        })
    }
}

/// The authorities that you may see, by tenant and number; the hub's root, which all may see, first.
#[utoipa::path(
    tag = "certificates",
    operation_id = "list_authorities",
    extensions(("x-permission" = json!("certificates:read"))),
    params(Paging),
    responses((status = 200, body = Page<AuthorityView>)),
)]
#[get("/authorities")]
pub(super) async fn authorities(
    caller: Caller,
    paging: web::Query<Paging>,
    api: web::Data<Api>,
) -> Result<web::Json<Page<AuthorityView>>, Problem> {
    let reach = caller.reach(Permission::CertificatesRead)?;
    let (limit, after, shared) = (paging.limit()?, paging.after()?, api.clone());
    let page = api.run(&caller, move |admin| {
        let store = admin.store();
        let tenants = store.tenants().list().collect::<Result<Vec<_>, _>>()?;
        let issuing = tenants.into_iter().filter_map(|tenant| Some((tenant.id, tenant.issuer?)));
        let issuing: BTreeMap<_, _> = issuing.collect();
        let host = shared.watch().host();
        let root = host.root.as_deref().and_then(AuthorityView::root);
        let root = root.into_iter().map(|root| Ok((Vec::new(), root)));
        let all = store.authorities().list(None).filter_map(|authority| match authority {
            Ok(authority) if !reach.includes(&authority.tenant) => None,
            Ok(authority) => {
                let key = [authority.tenant.as_str().as_bytes(), b"\0"].concat();
                let key = [key.as_slice(), &authority.number.get().to_be_bytes()].concat();
                Some(Ok((key, AuthorityView::of(authority, &issuing))))
            }
            Err(error) => Some(Err(error)),
        });
        let behind = root.chain(all).filter(|entry| match (entry, &after) {
            (Ok((key, _)), Some(after)) => key > after,
            _ => true,
        });
        Page::of(behind, limit)
    });
    Ok(web::Json(page.await?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_forecast_begins_with_this_month_and_has_no_gap() {
        let (starts, names) = months(UnixSeconds(1_764_000_000));
        assert_eq!((names.len(), starts.len()), (MONTHS, MONTHS + 1));
        assert_eq!((names[0].as_str(), names[2].as_str()), ("2025-11", "2026-01"));
        assert_eq!(starts[0], UnixSeconds(1_761_955_200));
        assert!(starts.windows(2).all(|two| (28..=31).contains(&((two[1].0 - two[0].0) / DAY_S))));
    }
}
