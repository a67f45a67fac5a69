//! `/api/v1`: the hub for the people who run it and for their programs.
//!
//! One file a resource; a handler extracts, makes one call to [`crate::admin`] or asks the store,
//! and maps. What is common to all stands in files of its own: who calls ([`caller`]), what they
//! may ([`gate`]), what refusals look like ([`problem`]), pages of lists ([`page`]), tags of what
//! is changed ([`etag`]), creations that are asked for twice ([`replay`]).
//!
//! Invariant: a route that names no permission in the OpenAPI document answers nobody.

mod approvals;
mod attention;
mod audit;
mod batches;
mod board_sessions;
mod boards;
mod caller;
mod campaigns;
mod certificates;
mod cookies;
mod docs;
mod etag;
mod events;
mod firmware;
mod gate;
mod headers;
mod jobs;
mod me;
mod moment;
mod overview;
mod own_page;
mod page;
mod passkeys;
mod problem;
mod provider;
mod replay;
mod rollouts;
mod routes;
mod sbom;
mod serving;
mod session;
mod setup;
mod stations;
mod stream;
mod system;
mod tenants;
mod tokens;
mod upstreams;
mod users;
mod views;

use actix_web::web::{self, JsonConfig, PathConfig, PayloadConfig, QueryConfig};
use actix_web::{Error, HttpRequest, middleware::from_fn};
use storage::{BoardFilter, FILE_BYTES_MAX, TenantId};
use utoipa::OpenApi as _;
use utoipa_actix_web::scope::scope;

pub use self::caller::Caller;
pub use self::docs::text as document;
pub use self::problem::{Code, Problem};
pub use self::serving::{Api, ApiSettings};
use crate::people::Reach;

/// Where it begins.
pub const BASE: &str = "/api/v1";

/// Bytes of the largest body of a request.
const BODY_MAX: usize = 64 * 1024;

/// The resources, each with its handlers. Here and nowhere else is a handler made reachable.
fn resources(app: &mut utoipa_actix_web::service_config::ServiceConfig) {
    app.service(docs::openapi);
    app.service(session::show)
        .service(session::begin)
        .service(session::totp)
        .service(session::recovery_code)
        .service(session::end);
    app.service(setup::link).service(setup::set_up);
    app.service(me::show)
        .service(me::password)
        .service(me::begin_totp)
        .service(me::finish_totp)
        .service(me::remove_totp)
        .service(me::recovery_codes)
        .service(me::sessions)
        .service(me::end_session);
    app.service(passkeys::list)
        .service(passkeys::begin)
        .service(passkeys::add)
        .service(passkeys::remove)
        .service(passkeys::begin_session)
        .service(passkeys::finish_session);
    app.service(provider::begin).service(provider::back);
    app.service(users::list)
        .service(users::show)
        .service(users::add)
        .service(users::change)
        .service(users::disable)
        .service(users::enable)
        .service(users::reset);
    app.service(approvals::list)
        .service(approvals::show)
        .service(approvals::ask)
        .service(approvals::approve)
        .service(approvals::reject)
        .service(approvals::withdraw);
    app.service(audit::list).service(audit::verify);
    app.service(tokens::list).service(tokens::make).service(tokens::revoke);
    app.configure(tenants::resources);
    app.configure(boards::resources);
    app.configure(upstreams::resources).configure(routes::resources);
    app.configure(jobs::resources).configure(views::resources);
    app.configure(board_sessions::resources);
    app.configure(batches::resources).configure(certificates::resources);
    app.configure(stations::resources);
    app.configure(campaigns::resources);
    app.configure(events::resources);
    app.configure(overview::resources).configure(system::resources);
    app.configure(firmware::resources).configure(sbom::resources);
    app.configure(rollouts::resources);
}

/// The boards that a query asks for which was kept, in these tenants or in all.
///
/// # Errors
/// [`Problem`] for what is no query any more, or goes beyond the tenants.
pub fn boards_asked_for(query: &str, within: Option<&[TenantId]>) -> Result<BoardFilter, Problem> {
    let reach = within.map(|tenants| Reach::Tenants(tenants.iter().cloned().collect()));
    boards::Asked::parse(query)?.filter(&reach.unwrap_or(Reach::Everywhere))
}

/// The API and its pages of documentation.
pub(super) fn routes(app: &mut web::ServiceConfig, api: &web::Data<Api>) {
    let mut with_document = utoipa_actix_web::service_config::ServiceConfig::new(app);
    with_document.service(
        scope(BASE)
            .app_data(api.clone())
            .app_data(JsonConfig::default().limit(BODY_MAX).error_handler(refuse_json))
            .app_data(PayloadConfig::new(FILE_BYTES_MAX))
            .app_data(PathConfig::default().error_handler(refuse_path))
            .app_data(QueryConfig::default().error_handler(refuse_query))
            .configure(resources)
            .wrap(from_fn(replay::once))
            .wrap(from_fn(gate::gate))
            .wrap(from_fn(headers::of_answers)),
    );
    app.service(docs::pages());
}

fn refuse_json(error: actix_web::error::JsonPayloadError, _: &HttpRequest) -> Error {
    use actix_web::error::JsonPayloadError as Json;
    match error {
        Json::OverflowKnownLength { .. } | Json::Overflow { .. } => {
            Problem::too_large(BODY_MAX).into()
        }
        Json::ContentType => {
            let detail = "the body is to be JSON, with Content-Type application/json";
            Problem::new(Code::UnsupportedMediaType, detail).into()
        }
        // The words are serde's, about places and names of fields; values are not repeated.
        Json::Deserialize(error) if error.is_data() => {
            Problem::new(Code::Invalid, format!("the body does not fit: {error}")).into()
        }
        _ => Problem::new(Code::Malformed, "the body is not JSON").into(),
    }
}

/// What cannot be a name names nothing.
fn refuse_path(error: actix_web::error::PathError, _: &HttpRequest) -> Error {
    Problem::new(Code::NotFound, format!("there is no such thing: {error}")).into()
}

fn refuse_query(error: actix_web::error::QueryPayloadError, _: &HttpRequest) -> Error {
    Problem::new(Code::Malformed, format!("the query does not fit: {error}")).into()
}

/// What every file here uses of the document.
#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Cellular Hub",
        description = "What people and their programs can do with a hub. Bodies are JSON; times are \
            RFC 3339 in UTC; refusals are `application/problem+json` (RFC 9457) with a `code` from a \
            closed list. `x-permission` names what a caller must be allowed.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    components(schemas(Problem, Code))
)]
struct Head;

fn head() -> utoipa::openapi::OpenApi {
    Head::openapi()
}
