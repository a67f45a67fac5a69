//! The OpenAPI document, collected from the handlers, and the pages that show it.
//!
//! The pages are Swagger UI, out of the binary: nothing is loaded from elsewhere.

use std::sync::{Arc, OnceLock};

use actix_web::dev::HttpServiceFactory;
use actix_web::middleware::from_fn;
use actix_web::{App, HttpResponse, Responder, get, web};
use utoipa::openapi::{ContentBuilder, OpenApi, PathItem, Ref, RefOr, ResponseBuilder};
use utoipa_actix_web::AppExt as _;
use utoipa_swagger_ui::Config;

use super::{BASE, headers, resources};

/// Where the pages are.
const PAGES: &str = "/api/docs";

/// What can be asked for, how, and by whom.
pub(super) fn document() -> &'static OpenApi {
    static DOCUMENT: OnceLock<OpenApi> = OnceLock::new();
    DOCUMENT.get_or_init(|| {
        let (_, collected) = App::new()
            .into_utoipa_app()
            .openapi(super::head())
            .service(utoipa_actix_web::scope::scope(BASE).configure(resources))
            .split_for_parts();
        refusing(collected)
    })
}

/// The same with what every operation answers to what it refuses.
fn refusing(mut document: OpenApi) -> OpenApi {
    let refusal = || {
        let problem = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
        ResponseBuilder::new()
            .description("It is refused, for a reason of the list of codes")
            .content("application/problem+json", problem)
            .build()
    };
    for item in document.paths.paths.values_mut() {
        let PathItem { get, put, post, delete, patch, .. } = item;
        for operation in [get, put, post, delete, patch].into_iter().flatten() {
            let responses = &mut operation.responses.responses;
            responses.entry(String::from("default")).or_insert_with(|| RefOr::T(refusal()));
        }
    }
    document
}

/// The document as it is published; the same bytes for the same handlers.
pub fn text() -> &'static str {
    static TEXT: OnceLock<String> = OnceLock::new();
    TEXT.get_or_init(|| {
        // By way of a value, whose keys are in order.
        let value = serde_json::to_value(document()).unwrap_or_default();
        let text = serde_json::to_string_pretty(&value).unwrap_or_default();
        text + "\n"
    })
}

/// This document.
#[utoipa::path(
    tag = "system",
    extensions(("x-permission" = json!("public"))),
    responses((status = 200, description = "What the API is, OpenAPI 3.1", body = Object)),
)]
#[get("/openapi.json")]
pub(super) async fn openapi() -> impl Responder {
    HttpResponse::Ok().content_type("application/json").body(text())
}

/// The pages that show it.
pub(super) fn pages() -> impl HttpServiceFactory {
    let config = Config::from(format!("{BASE}/openapi.json"));
    let config = config.supported_submit_methods::<_, String>([]).validator_url("none");
    web::scope(PAGES)
        .app_data(web::Data::new(Arc::new(config)))
        .wrap(from_fn(headers::of_pages))
        .route("", web::get().to(to_the_page))
        .route("/{file:.*}", web::get().to(page))
}

/// So that what the page names relatively is found beside it.
async fn to_the_page() -> impl Responder {
    HttpResponse::PermanentRedirect().insert_header(("Location", format!("{PAGES}/"))).finish()
}

async fn page(file: web::Path<String>, config: web::Data<Arc<Config<'static>>>) -> HttpResponse {
    match utoipa_swagger_ui::serve(&file, Arc::clone(&config)) {
        Ok(Some(file)) => {
            let mut answer = HttpResponse::Ok();
            if file.gzpipped {
                answer.insert_header(("Content-Encoding", "gzip"));
            }
            answer.content_type(file.content_type).body(file.bytes.into_owned())
        }
        Ok(None) | Err(_) => HttpResponse::NotFound().body("there is nothing here\n"),
    }
}
