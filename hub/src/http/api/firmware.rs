//! `/firmware`: releases, from the upload to the signature.

use actix_web::{HttpResponse, get, post, put, web};
use serde::{Deserialize, Serialize};
use storage::{
    FILE_BYTES_MAX, FileDigest, HardwareName, NOTES_MAX, ProductName, Release, ReleaseState,
    Running, StoreError, TenantId,
};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;

use super::approvals::ask_in;
use super::caller::{Caller, Scope};
use super::moment::Moment;
use super::page::{Page, Paging};
use super::problem::{Code, Problem};
use super::serving::Api;
use super::users::line;
use crate::admin::{Admin, Upload};
use crate::people::{Permission, Reach};

/// Characters of the longest reason.
const REASON_MAX: usize = 200;
/// Bytes of the longest signature over P-256 in DER, in base64.
const SIGNATURE_MAX: usize = 100;

/// The handlers.
pub(super) fn resources(app: &mut ServiceConfig) {
    app.service(list).service(add).service(keys).service(show).service(download);
    app.service(describe).service(sign).service(attach).service(withdraw);
}

/// A release of firmware.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Release)]
pub(super) struct View {
    /// Its number.
    id: u64,
    /// The tenant whose boards may have it; none is every tenant's.
    tenant: Option<String>,
    /// The kind of product it is for.
    #[schema(example = "valve")]
    product: String,
    /// The revisions of the hardware it is for; empty for all.
    hardware: Vec<String>,
    /// Its version.
    #[schema(example = "1.4.0")]
    version: String,
    /// Its security counter: boards that run it run no image with a lower one again.
    security_counter: u32,
    /// The version that has to run before it is put in place.
    needs: Option<String>,
    /// SHA-256 of what is signed, in hexadecimal.
    digest: String,
    /// SHA-256 of the image as it is now.
    file: String,
    /// Bytes of the image.
    size: u32,
    /// What is new.
    notes: String,
    /// SHA-256 of its software bill of materials.
    sbom: Option<String>,
    /// When it was uploaded.
    added: Moment,
    /// By whom.
    by: String,
    /// How far it is.
    state: State,
    /// SHA-256 of the key that has signed it.
    key: Option<String>,
    /// When it was signed, allowed to be, or withdrawn.
    since: Option<Moment>,
    /// Why it was withdrawn.
    why: Option<String>,
    /// How many boards that you may see run it, as they said last; told where releases are listed and
    /// where one is shown, while boards can be counted.
    runs_on: Option<u64>,
}

/// How far a release is.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = ReleaseState)]
pub(super) enum State {
    /// It is not signed.
    Draft,
    /// It may be signed by a key that is elsewhere.
    Approved,
    /// Boards can be given it.
    Signed,
    /// No board is given it any more.
    Withdrawn,
}

impl From<Release> for View {
    fn from(release: Release) -> Self {
        let (state, key, since, why) = match release.state {
            ReleaseState::Draft => (State::Draft, None, None, None),
            ReleaseState::Approved { approved, .. } => {
                (State::Approved, None, Some(approved), None)
            }
            ReleaseState::Signed { key, signed } => (State::Signed, Some(key), Some(signed), None),
            ReleaseState::Withdrawn { withdrawn, why } => {
                (State::Withdrawn, None, Some(withdrawn), Some(why))
            }
        };
        Self {
            id: release.number,
            tenant: release.tenant.map(|tenant| tenant.to_string()),
            product: release.product.to_string(),
            hardware: release.hardware.iter().map(ToString::to_string).collect(),
            version: release.version.to_string(),
            security_counter: release.security_counter,
            needs: release.needs.map(|version| version.to_string()),
            digest: release.digest.to_string(),
            file: release.file.to_string(),
            size: release.size,
            notes: release.notes,
            sbom: release.sbom.map(|digest| digest.to_string()),
            added: release.added.into(),
            by: release.by,
            state,
            key: key.map(|key: FileDigest| key.to_string()),
            since: since.map(Moment::from),
            why,
            runs_on: None,
        }
    }
}

impl View {
    /// With how many boards run it, where that is known.
    fn counted(release: Release, running: Option<&Running>, within: Option<&[TenantId]>) -> Self {
        let runs_on = running.map(|running| running.of(&release, within));
        Self { runs_on, ..release.into() }
    }
}

/// What boards run; nothing while they cannot be counted.
fn running(admin: &Admin) -> Result<Option<Running>, Problem> {
    match admin.store().boards().running() {
        Ok(running) => Ok(Some(running)),
        Err(StoreError::ListsNotReady) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn tenants(reach: &Reach) -> Option<Vec<TenantId>> {
    match reach {
        Reach::Everywhere => None,
        Reach::Tenants(tenants) => Some(tenants.iter().cloned().collect()),
    }
}

/// Whether somebody may see it: every tenant's are seen by all who may see any.
fn is_seen(reach: &Reach, release: &Release) -> bool {
    release.tenant.as_ref().is_none_or(|tenant| reach.includes(tenant))
}

fn scope(release: &Release) -> Scope {
    release.tenant.clone().map_or(Scope::Hub, Scope::Tenant)
}

/// The release, where the caller may see it and do this to it.
pub(super) fn found(
    admin: &Admin,
    caller: &Caller,
    number: u64,
    permission: Permission,
) -> Result<Release, Problem> {
    let release = admin.firmware(number)?;
    if !is_seen(&caller.reach(Permission::FirmwareRead)?, &release) {
        return Err(Problem::unknown("release", number));
    }
    if permission != Permission::FirmwareRead {
        caller.require(permission, &scope(&release))?;
    }
    Ok(release)
}

/// The releases that you may see, the newest first.
#[utoipa::path(
    tag = "firmware",
    operation_id = "list_releases",
    extensions(("x-permission" = json!("firmware:read"))),
    params(Paging),
    responses((status = 200, body = Page<View>)),
)]
#[get("/firmware")]
pub(super) async fn list(
    caller: Caller,
    paging: web::Query<Paging>,
    api: web::Data<Api>,
) -> Result<web::Json<Page<View>>, Problem> {
    let reach = caller.reach(Permission::FirmwareRead)?;
    let (limit, before) = (paging.limit()?, paging.after()?);
    let all = api.run(&caller, |admin| Ok::<_, Problem>((admin.releases()?, running(admin)?)));
    let (releases, running) = all.await?;
    let within = tenants(&reach);
    let keyed = releases.into_iter().rev().map(|it| (it.number.to_be_bytes(), it));
    let seen = keyed.filter(|(key, release)| {
        is_seen(&reach, release) && before.as_ref().is_none_or(|before| key[..] < before[..])
    });
    let views = seen.map(|(key, release)| {
        Ok::<_, Problem>((key, View::counted(release, running.as_ref(), within.as_deref())))
    });
    Ok(web::Json(Page::of(views, limit)?))
}

/// What an image is for.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct For {
    /// The kind of product, as its boards call themselves.
    #[param(value_type = String, example = "valve")]
    product: ProductName,
    /// Revisions of the hardware, with commas between; all where none is named.
    #[param(required = false, example = "A,B")]
    hardware: Option<String>,
    /// The tenant whose boards may have it; every tenant's where none is named.
    #[param(value_type = Option<String>, required = false)]
    tenant: Option<TenantId>,
}

/// Take an image in: the body, at most 4 MiB, in MCUboot's format, signed or not.
///
/// It is read as boards read it, and refused with the reason: not an image, changed, signed with a key
/// that is not known, or no later than what boards may run already.
#[utoipa::path(
    tag = "firmware",
    operation_id = "add_release",
    extensions(("x-permission" = json!("firmware:write"))),
    params(For),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 201, body = View)),
)]
#[post("/firmware")]
pub(super) async fn add(
    caller: Caller,
    of: web::Query<For>,
    body: web::Bytes,
    api: web::Data<Api>,
) -> Result<HttpResponse, Problem> {
    let For { product, hardware, tenant } = of.into_inner();
    let scope = tenant.clone().map_or(Scope::Hub, Scope::Tenant);
    caller.require(Permission::FirmwareWrite, &scope)?;
    let hardware = hardware.unwrap_or_default();
    let names = hardware.split(',').filter(|name| !name.is_empty()).map(str::parse::<HardwareName>);
    let hardware = names.collect::<Result<Vec<_>, _>>();
    let hardware = hardware.map_err(|invalid| Problem::new(Code::Invalid, invalid))?;
    if body.is_empty() || body.len() > FILE_BYTES_MAX {
        let detail = format_args!("an image has 1 to {FILE_BYTES_MAX} bytes");
        return Err(Problem::new(Code::Invalid, detail));
    }
    let (image, now) = (body.to_vec(), api.now());
    let upload = Upload { tenant, product, hardware, image, notes: String::new(), sbom: None, now };
    let release = api.run(&caller, move |admin| admin.add_release(upload)).await?;
    let place = format!("{}/firmware/{}", super::BASE, release.number);
    Ok(HttpResponse::Created().insert_header(("Location", place)).json(View::from(release)))
}

/// One release.
#[utoipa::path(
    tag = "firmware",
    operation_id = "show_release",
    extensions(("x-permission" = json!("firmware:read"))),
    params(("release" = u64, Path, description = "Its number")),
    responses((status = 200, body = View)),
)]
#[get("/firmware/{release}")]
pub(super) async fn show(
    caller: Caller,
    release: web::Path<u64>,
    api: web::Data<Api>,
) -> Result<web::Json<View>, Problem> {
    let (number, who) = (*release, caller.clone());
    let within = tenants(&caller.reach(Permission::FirmwareRead)?);
    let shown = api.run(&caller, move |admin| {
        let release = found(admin, &who, number, Permission::FirmwareRead)?;
        Ok::<_, Problem>(View::counted(release, running(admin)?.as_ref(), within.as_deref()))
    });
    Ok(web::Json(shown.await?))
}

/// A file of `release`, to be kept under its name.
pub(super) fn file(
    release: &Release,
    extension: &str,
    media_type: &str,
    bytes: Vec<u8>,
) -> HttpResponse {
    let Release { product, version, .. } = release;
    let name = format!("attachment; filename=\"{product}-{version}.{extension}\"");
    let mut answer = HttpResponse::Ok();
    answer.insert_header(("Content-Disposition", name)).content_type(media_type);
    answer.body(bytes)
}

/// A release's image as it is now.
#[utoipa::path(
    tag = "firmware",
    operation_id = "release_image",
    extensions(("x-permission" = json!("firmware:read"))),
    params(("release" = u64, Path, description = "Its number")),
    responses((status = 200, content_type = "application/octet-stream", body = Vec<u8>)),
)]
#[get("/firmware/{release}/image")]
pub(super) async fn download(
    caller: Caller,
    release: web::Path<u64>,
    api: web::Data<Api>,
) -> Result<HttpResponse, Problem> {
    let (number, who) = (*release, caller.clone());
    let read = api.run(&caller, move |admin| {
        let release = found(admin, &who, number, Permission::FirmwareRead)?;
        Ok::<_, Problem>((admin.image(&release)?, release))
    });
    let (bytes, release) = read.await?;
    Ok(file(&release, "bin", "application/octet-stream", bytes))
}

/// Text and bill of materials of a release.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ReleaseNotes)]
pub(super) struct Notes {
    /// What is new, for people.
    #[schema(max_length = 16384)]
    notes: String,
    /// What it is made of: a software bill of materials, any JSON.
    sbom: Option<serde_json::Value>,
}

/// Say what is new in a release, and what it is made of; without a bill of materials, the one that was
/// there stays.
#[utoipa::path(
    tag = "firmware",
    operation_id = "describe_release",
    extensions(("x-permission" = json!("firmware:write"))),
    params(("release" = u64, Path, description = "Its number")),
    request_body = Notes,
    responses((status = 200, body = View)),
)]
#[put("/firmware/{release}/notes")]
pub(super) async fn describe(
    caller: Caller,
    release: web::Path<u64>,
    said: web::Json<Notes>,
    api: web::Data<Api>,
) -> Result<web::Json<View>, Problem> {
    let (number, who, Notes { notes, sbom }) = (*release, caller.clone(), said.into_inner());
    if notes.len() > NOTES_MAX {
        let detail = format_args!("notes have at most {NOTES_MAX} bytes");
        return Err(Problem::new(Code::Invalid, detail));
    }
    let described = api.run(&caller, move |admin| {
        found(admin, &who, number, Permission::FirmwareWrite)?;
        let sbom = sbom.map(|sbom| sbom.to_string().into_bytes());
        admin.describe_release(number, notes, sbom).map_err(Problem::from)
    });
    Ok(web::Json(described.await?.into()))
}

/// Why, and with which key.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Signing {
    /// The key in the hub's key store; none where it is elsewhere, and the signature will be brought.
    #[schema(example = "firmware")]
    key: Option<String>,
    /// Why, for whoever allows it.
    #[schema(example = "tested on all boards of the lab", max_length = 200)]
    reason: String,
}

/// Ask that a release is signed: another person has to allow it, and then it is.
#[utoipa::path(
    tag = "firmware",
    operation_id = "sign_release",
    extensions(("x-permission" = json!("firmware:sign"))),
    params(("release" = u64, Path, description = "Its number")),
    request_body = Signing,
    responses((status = 201, description = "The approval that is waited for")),
)]
#[post("/firmware/{release}/sign")]
pub(super) async fn sign(
    caller: Caller,
    release: web::Path<u64>,
    said: web::Json<Signing>,
    api: web::Data<Api>,
) -> Result<HttpResponse, Problem> {
    let (number, who, Signing { key, reason }) = (*release, caller.clone(), said.into_inner());
    let find = move |admin: &Admin| found(admin, &who, number, Permission::FirmwareSign);
    let Release { digest, tenant, .. } = api.run(&caller, find).await?;
    let act = storage::Act::SignFirmware { release: number, digest, key, tenant };
    ask_in(&caller, act, &reason, &api).await
}

/// A signature that was made elsewhere.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Signed {
    /// ECDSA over the release's digest by a known key, DER, in base64.
    #[schema(max_length = 100)]
    signature: String,
}

/// Bring the signature of a key that is held elsewhere, once it is allowed that the release is signed.
#[utoipa::path(
    tag = "firmware",
    operation_id = "attach_signature",
    extensions(("x-permission" = json!("firmware:sign"))),
    params(("release" = u64, Path, description = "Its number")),
    request_body = Signed,
    responses((status = 200, body = View)),
)]
#[post("/firmware/{release}/signature")]
pub(super) async fn attach(
    caller: Caller,
    release: web::Path<u64>,
    said: web::Json<Signed>,
    api: web::Data<Api>,
) -> Result<web::Json<View>, Problem> {
    use base64::Engine as _;
    let text = &said.signature;
    let der = base64::engine::general_purpose::STANDARD.decode(text).ok();
    let der = der.filter(|_| text.len() <= SIGNATURE_MAX);
    let der = der.ok_or_else(|| Problem::new(Code::Invalid, "the signature is to be in base64"))?;
    let (number, who, now) = (*release, caller.clone(), api.now());
    let signed = api.run(&caller, move |admin| {
        found(admin, &who, number, Permission::FirmwareSign)?;
        admin.attach_signature(number, &der, true, now).map_err(Problem::from)
    });
    Ok(web::Json(signed.await?.into()))
}

/// Why.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Withdrawal {
    /// For whoever wonders.
    #[schema(example = "the pump does not start", max_length = 200)]
    reason: String,
}

/// Give a release to no board any more; those that run it go on.
#[utoipa::path(
    tag = "firmware",
    operation_id = "withdraw_release",
    extensions(("x-permission" = json!("firmware:write"))),
    params(("release" = u64, Path, description = "Its number")),
    request_body = Withdrawal,
    responses((status = 200, body = View)),
)]
#[post("/firmware/{release}/withdraw")]
pub(super) async fn withdraw(
    caller: Caller,
    release: web::Path<u64>,
    said: web::Json<Withdrawal>,
    api: web::Data<Api>,
) -> Result<web::Json<View>, Problem> {
    let (number, who, now) = (*release, caller.clone(), api.now());
    let why = line(&said.reason, REASON_MAX)?;
    let withdrawn = api.run(&caller, move |admin| {
        found(admin, &who, number, Permission::FirmwareWrite)?;
        admin.withdraw_release(number, why, now).map_err(Problem::from)
    });
    Ok(web::Json(withdrawn.await?.into()))
}

/// A key whose signatures on images are taken.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FirmwareKey)]
pub(super) struct KeyView {
    /// What people call it; that of the hub's key store is its name there.
    name: String,
    /// SHA-256 of the key, as images name it.
    id: String,
    /// Whether it is in the hub's key store.
    in_key_store: bool,
}

/// The keys whose signatures on images are taken.
#[utoipa::path(
    tag = "firmware",
    operation_id = "list_firmware_keys",
    extensions(("x-permission" = json!("firmware:read"))),
    responses((status = 200, body = Vec<KeyView>)),
)]
#[get("/firmware/keys")]
pub(super) async fn keys(
    caller: Caller,
    api: web::Data<Api>,
) -> Result<web::Json<Vec<KeyView>>, Problem> {
    let keys = api.run(&caller, Admin::signing_keys).await?.into_iter();
    let view = |key: crate::admin::SigningKey| KeyView {
        name: key.name,
        id: key.id.to_string(),
        in_key_store: key.in_key_store,
    };
    Ok(web::Json(keys.map(view).collect()))
}
