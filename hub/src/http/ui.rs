//! The web UI, wherever no resource is: its files, and its one page at every path a browser opens.

use actix_web::http::header::{ACCEPT, ACCEPT_ENCODING, ALLOW, HeaderName, IF_NONE_MATCH};
use actix_web::http::{Method, StatusCode};
use actix_web::{HttpRequest, HttpResponse, ResponseError as _};
use web_ui::{Asked, SECURITY};

use super::answer::Refused;

/// What begins so is of machines: no page of the app is there, whatever the client accepts.
const OF_MACHINES: [&str; 5] = ["/api/", "/.well-known/", "/ca/", "/crl/", "/ocsp/"];

/// Answers with what of the app is at the request's path.
pub(super) async fn page(request: HttpRequest) -> HttpResponse {
    let nothing = || Refused::new(404, "there is nothing here").error_response();
    let path = request.path();
    if OF_MACHINES.iter().any(|beginning| path.starts_with(beginning)) {
        return nothing();
    }
    let header = |name: HeaderName| request.headers().get(name)?.to_str().ok();
    let asked = Asked {
        path,
        accept: header(ACCEPT),
        accept_encoding: header(ACCEPT_ENCODING),
        if_none_match: header(IF_NONE_MATCH),
    };
    let Some(found) = web_ui::answer(&asked) else { return nothing() };
    if request.method() != Method::GET && request.method() != Method::HEAD {
        let mut refused = HttpResponse::MethodNotAllowed();
        return refused.insert_header((ALLOW, "GET, HEAD")).finish();
    }
    let status = StatusCode::from_u16(found.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut answer = HttpResponse::build(status);
    for header in SECURITY {
        answer.insert_header(header);
    }
    for (name, value) in found.headers {
        answer.insert_header((name, value.as_ref()));
    }
    answer.body(found.body.into_owned())
}
