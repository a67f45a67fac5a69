//! Answers that refuse: a status and one line of text that says why.

use std::fmt::{self, Display};

use actix_web::http::StatusCode;
use actix_web::http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::{HttpResponse, ResponseError};

/// A request that is refused; as a handler's error it becomes the answer.
#[derive(Debug)]
pub(super) struct Refused {
    status: u16,
    reason: String,
}

impl Refused {
    pub(super) fn new(status: u16, reason: impl Display) -> Self {
        let reason = reason.to_string().lines().collect::<Vec<_>>().join(" ");
        Self { status, reason }
    }
}

impl Refused {
    /// Its status.
    pub(super) const fn status(&self) -> u16 {
        self.status
    }
}

impl Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl ResponseError for Refused {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        let mut answer = HttpResponse::build(self.status_code());
        match self.status {
            401 => {
                answer.append_header((WWW_AUTHENTICATE, "Basic realm=\"cellular-hub\""));
            }
            429 | 503 => {
                answer.append_header((RETRY_AFTER, "1"));
            }
            _ => {}
        }
        answer.content_type("text/plain; charset=utf-8").body(format!("{}\n", self.reason))
    }
}
