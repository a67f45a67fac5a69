//! Answers that refuse: a status and one line of text that says why.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{RETRY_AFTER, WWW_AUTHENTICATE};

/// The answer with this status and reason.
pub(super) fn refused(status: u16, reason: impl std::fmt::Display) -> HttpResponse {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut answer = HttpResponse::build(status);
    match status {
        StatusCode::UNAUTHORIZED => {
            answer.append_header((WWW_AUTHENTICATE, "Basic realm=\"cellular-hub\""));
        }
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
            answer.append_header((RETRY_AFTER, "1"));
        }
        _ => {}
    }
    let line = reason.to_string().lines().collect::<Vec<_>>().join(" ");
    answer.content_type("text/plain; charset=utf-8").body(format!("{line}\n"))
}
