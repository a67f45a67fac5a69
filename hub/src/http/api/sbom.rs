//! `/firmware/{release}/sbom`: what a release is made of.

use actix_web::{HttpResponse, get, put, web};
use storage::FILE_BYTES_MAX;
use utoipa_actix_web::service_config::ServiceConfig;

use super::caller::Caller;
use super::firmware::{View, file, found};
use super::problem::{Code, Problem};
use super::serving::Api;
use crate::people::Permission;

/// The handlers.
pub(super) fn resources(app: &mut ServiceConfig) {
    app.service(fetch).service(attach);
}

/// A release's bill of materials, as it was attached: CycloneDX or SPDX, as `Content-Type` says, or
/// whatever else it is.
#[utoipa::path(
    tag = "firmware",
    operation_id = "release_sbom",
    extensions(("x-permission" = json!("firmware:read"))),
    params(("release" = u64, Path, description = "Its number")),
    responses((status = 200, body = Vec<u8>, content(
        ("application/vnd.cyclonedx+json"),
        ("application/vnd.cyclonedx+xml"),
        ("application/spdx+json"),
        ("text/spdx"),
        ("application/json"),
        ("application/octet-stream"),
    ))),
)]
#[get("/firmware/{release}/sbom")]
pub(super) async fn fetch(
    caller: Caller,
    release: web::Path<u64>,
    api: web::Data<Api>,
) -> Result<HttpResponse, Problem> {
    let (number, who) = (*release, caller.clone());
    let read = api.run(&caller, move |admin| {
        let release = found(admin, &who, number, Permission::FirmwareRead)?;
        Ok::<_, Problem>((admin.sbom(&release)?, release))
    });
    let (sbom, release) = read.await?;
    Ok(file(&release, sbom.kind.extension(), sbom.kind.media_type(), sbom.bytes))
}

/// Attach a release's bill of materials: the body, at most 4 MiB, kept as it comes. One that was there
/// is given up.
#[utoipa::path(
    tag = "firmware",
    operation_id = "attach_sbom",
    extensions(("x-permission" = json!("firmware:write"))),
    params(("release" = u64, Path, description = "Its number")),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 200, body = View)),
)]
#[put("/firmware/{release}/sbom")]
pub(super) async fn attach(
    caller: Caller,
    release: web::Path<u64>,
    body: web::Bytes,
    api: web::Data<Api>,
) -> Result<web::Json<View>, Problem> {
    if body.is_empty() || body.len() > FILE_BYTES_MAX {
        let detail = format_args!("a bill of materials has 1 to {FILE_BYTES_MAX} bytes");
        return Err(Problem::new(Code::Invalid, detail));
    }
    let (number, who) = (*release, caller.clone());
    let attached = api.run(&caller, move |admin| {
        found(admin, &who, number, Permission::FirmwareWrite)?;
        admin.attach_sbom(number, &body).map_err(Problem::from)
    });
    Ok(web::Json(attached.await?.into()))
}
