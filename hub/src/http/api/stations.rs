//! `/stations`: who may enrol boards in production, and no more.

use actix_web::{get, post, web};
use serde::Serialize;
use storage::{Fingerprint, Station, UnixSeconds};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::boards::Why;
use super::caller::{Caller, Scope};
use super::certificates::WhyRevoked;
use super::moment::Moment;
use super::page::Page;
use super::problem::Problem;
use super::serving::Api;
use super::upstreams::OfTenant;
use crate::people::Permission;

/// The handlers.
pub(super) fn resources(app: &mut ServiceConfig) {
    app.service(list).service(revoke);
}

/// A production station, as its certificate makes it one.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Station)]
pub(super) struct View {
    /// SHA-256 of its certificate's DER: what it is named by here.
    id: String,
    /// Whose boards it enrols.
    #[schema(example = "acme")]
    tenant: String,
    /// Its name, for people.
    #[schema(example = "line-1")]
    name: String,
    /// The batches whose boards it enrols.
    batches: Vec<String>,
    /// Its certificate's serial number, in hexadecimal.
    serial: String,
    /// When its certificate was issued.
    issued: Moment,
    /// Who had it issued.
    #[schema(example = "user:anna")]
    issued_by: String,
    /// The last moment of its validity.
    not_after: Moment,
    /// Whether it enrols boards, as far as its batches take them.
    state: State,
    /// Since when it is revoked.
    revoked: Option<Moment>,
}

/// Whether a station enrols boards.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = StationState)]
pub(super) enum State {
    /// It does.
    Active,
    /// Its certificate has ended.
    Expired,
    /// Somebody revoked it.
    Revoked,
}

impl View {
    fn of(station: Station, now: UnixSeconds) -> Self {
        let state = match &station.revoked {
            Some(_) => State::Revoked,
            None if station.not_after < now => State::Expired,
            None => State::Active,
        };
        Self {
            id: station.fingerprint.to_string(),
            tenant: station.tenant.to_string(),
            name: station.name,
            batches: station.batches.iter().map(ToString::to_string).collect(),
            serial: station.serial.to_string(),
            issued: station.issued.into(),
            issued_by: station.issued_by,
            not_after: station.not_after.into(),
            state,
            revoked: station.revoked.map(|revoked| revoked.since.into()),
        }
    }
}

/// The stations that you may see and the hub has issued, by their certificates.
#[utoipa::path(
    tag = "production",
    operation_id = "list_stations",
    extensions(("x-permission" = json!("batches:read"))),
    params(OfTenant),
    responses((status = 200, body = Page<View>)),
)]
#[get("/stations")]
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
        let seen = admin.store().stations().list(None).filter(|entry| match entry {
            Ok((key, station)) => {
                reach.includes(&station.tenant)
                    && only.as_ref().is_none_or(|only| station.tenant == *only)
                    && after.as_ref().is_none_or(|after| key > after)
            }
            Err(_) => true,
        });
        let views = seen.map(|entry| entry.map(|(key, it)| (key, View::of(it, now))));
        Page::of(views.map(|entry| entry.map_err(Problem::from)), limit)
    });
    Ok(web::Json(page.await?))
}

/// Has a station enrol no more boards, for good; those that it has enrolled stay.
#[utoipa::path(
    tag = "production",
    operation_id = "revoke_station",
    extensions(("x-permission" = json!("batches:write"))),
    params(("station" = String, Path, description = "SHA-256 of its certificate's DER, in hexadecimal")),
    request_body = WhyRevoked,
    responses((status = 200, body = View)),
)]
#[post("/stations/{station}/revoke")]
pub(super) async fn revoke(
    caller: Caller,
    station: web::Path<Fingerprint>,
    why: web::Json<WhyRevoked>,
    api: web::Data<Api>,
) -> Result<web::Json<View>, Problem> {
    let WhyRevoked { reason, code } = why.into_inner();
    let words = Why::of(reason).words()?;
    let (who, fingerprint, now) = (caller.clone(), station.into_inner(), api.now());
    let revoked = api.run(&caller, move |admin| {
        let unknown = || Problem::unknown("station", fingerprint);
        let found = admin.store().stations().find(&fingerprint.0)?.ok_or_else(unknown)?;
        // Who may not see it is not told that it is there.
        if !who.powers.has_in(Permission::BatchesRead, &found.tenant) {
            return Err(unknown());
        }
        who.require(Permission::BatchesWrite, &Scope::Tenant(found.tenant))?;
        Ok(admin.revoke_station(&fingerprint, code.into(), Some(&words), now)?)
    });
    Ok(web::Json(View::of(revoked.await?, now)))
}
