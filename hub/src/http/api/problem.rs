//! What a refusal looks like: `application/problem+json` (RFC 9457) with a code from a closed list.
//!
//! Invariant: what went wrong inside the hub is logged here, once, and told to nobody; its answer
//! has the number that the log has.

use std::fmt;

use actix_web::http::StatusCode;
use actix_web::http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;
use storage::StoreError;
use utoipa::ToSchema;

use crate::admin::AdminError;
use crate::cli::in_one_line;
use crate::people::{PasskeyError, ProviderError, SignInError};
use crate::trust::TrustError;

/// A refusal.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "type": "urn:cellular-hub:problem:not-found", "title": "Not Found", "status": 404,
    "code": "not-found", "detail": "there is no tenant acme"
}))]
pub struct Problem {
    /// The kind of problem, a name and no place: `urn:cellular-hub:problem:` and the code.
    #[serde(rename = "type")]
    kind: String,
    /// The status in words.
    title: String,
    /// The status.
    status: u16,
    /// What to tell problems apart by.
    code: Code,
    /// What is wrong here, and the way out, for people.
    detail: String,
    /// This one occurrence, as the hub's log names it; for problems of the hub's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    instance: Option<String>,
    /// Seconds until it is worth trying again.
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after: Option<u64>,
}

/// What to tell problems apart by. Codes are only ever added.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Code {
    /// 400: the request cannot be read.
    Malformed,
    /// 401: sign in, or show a token.
    Unauthenticated,
    /// 401: no such user, or not their password or code.
    SignInFailed,
    /// 403: you may not.
    Forbidden,
    /// 403: set up a second factor first.
    SecondFactorNeeded,
    /// 403: the sign-in is too long ago for that.
    SignInAgain,
    /// 403: the request comes from another site's page.
    CrossSite,
    /// 404: there is no such thing, or it is not for you to know.
    NotFound,
    /// 405: not with this method.
    MethodNotAllowed,
    /// 408: the body takes too long.
    TooSlow,
    /// 409: a rule of the hub forbids it as things are.
    Refused,
    /// 409: the Idempotency-Key was used for another request, or its answer is not kept.
    IdempotencyKeyUsed,
    /// 410: what it goes on with is over: a link, a step of a sign-in.
    Over,
    /// 412: it was changed since you read it; read it again.
    Changed,
    /// 413: too large.
    TooLarge,
    /// 415: not in this form.
    UnsupportedMediaType,
    /// 422: the request can be read, and does not make sense.
    Invalid,
    /// 422: a password that may not be chosen.
    UnfitPassword,
    /// 428: say with If-Match what you have read.
    PreconditionRequired,
    /// 429: too many requests.
    TooMany,
    /// 500: the hub's fault; its log has more.
    Internal,
    /// 502: the OpenID provider cannot be asked, or what it says does not hold.
    ProviderFailed,
    /// 503: not now.
    Unavailable,
}

impl Code {
    const fn status(self) -> u16 {
        match self {
            Self::Malformed => 400,
            Self::Unauthenticated | Self::SignInFailed => 401,
            Self::Forbidden | Self::SecondFactorNeeded | Self::SignInAgain | Self::CrossSite => 403,
            Self::NotFound => 404,
            Self::MethodNotAllowed => 405,
            Self::TooSlow => 408,
            Self::Refused | Self::IdempotencyKeyUsed => 409,
            Self::Over => 410,
            Self::Changed => 412,
            Self::TooLarge => 413,
            Self::UnsupportedMediaType => 415,
            Self::Invalid | Self::UnfitPassword => 422,
            Self::PreconditionRequired => 428,
            Self::TooMany => 429,
            Self::Internal => 500,
            Self::ProviderFailed => 502,
            Self::Unavailable => 503,
        }
    }
}

impl Problem {
    /// A problem with its way out, in words for people.
    pub fn new(code: Code, detail: impl fmt::Display) -> Self {
        let status = StatusCode::from_u16(code.status()).unwrap_or_default();
        let name = serde_json::to_value(code).unwrap_or_default();
        Self {
            kind: format!("urn:cellular-hub:problem:{}", name.as_str().unwrap_or_default()),
            title: status.canonical_reason().unwrap_or_default().to_owned(),
            status: code.status(),
            code,
            detail: detail.to_string(),
            instance: None,
            retry_after: None,
        }
    }

    /// Nobody has this name, as far as the caller is told.
    pub fn unknown(what: &str, name: impl fmt::Display) -> Self {
        Self::new(Code::NotFound, format_args!("there is no {what} {name}"))
    }

    pub(super) fn too_large(max: usize) -> Self {
        Self::new(Code::TooLarge, format_args!("the body has more than {max} bytes"))
    }

    /// Something failed in the hub: its log says what, the answer where to look.
    pub fn internal(error: &dyn std::error::Error) -> Self {
        let mut number = [0; 8];
        // Without a number the time will have to do.
        let _ = getrandom::fill(&mut number);
        let number: String = number.iter().map(|byte| format!("{byte:02x}")).collect();
        tracing::error!(number, reason = %in_one_line(error), "a request of the API failed");
        let detail = "the hub failed at this; its log says why, under the number in `instance`";
        let instance = Some(format!("urn:cellular-hub:failure:{number}"));
        Self { instance, ..Self::new(Code::Internal, detail) }
    }

    /// Not now, but in so many seconds.
    pub fn later(code: Code, seconds: u64, detail: impl fmt::Display) -> Self {
        Self { retry_after: Some(seconds), ..Self::new(code, detail) }
    }

    /// What to tell it apart by.
    #[must_use]
    pub const fn code(&self) -> Code {
        self.code
    }

    /// The same, as it stands in answers.
    pub(super) fn code_name(&self) -> &str {
        self.kind.rsplit(':').next().unwrap_or_default()
    }
}

impl From<AdminError> for Problem {
    fn from(error: AdminError) -> Self {
        match &error {
            AdminError::Unknown { what, name, .. } => Self::unknown(what, name),
            AdminError::Refused(why) => Self::new(Code::Refused, why),
            AdminError::Store(_)
            | AdminError::Vault(_)
            | AdminError::NotRecorded { .. }
            | AdminError::NotLive(_) => match error {
                AdminError::Store(error) => error.into(),
                error => Self::internal(&error),
            },
        }
    }
}

impl From<TrustError> for Problem {
    fn from(error: TrustError) -> Self {
        Self::internal(&error)
    }
}

impl From<SignInError> for Problem {
    fn from(error: SignInError) -> Self {
        match error {
            SignInError::Wrong => Self::new(Code::SignInFailed, error),
            SignInError::Wait(wait) => Self::later(Code::TooMany, wait.as_secs() + 1, error),
            SignInError::Over => Self::new(Code::Over, error),
            SignInError::Unfit(unfit) => Self::new(Code::UnfitPassword, unfit),
            SignInError::Refused(why) => Self::new(Code::Refused, why),
            SignInError::Store(error) => error.into(),
            SignInError::Admin(error) => error.into(),
            SignInError::Malformed => Self::new(Code::Invalid, error),
            SignInError::Passkey(error @ PasskeyError::Stored(_)) => Self::internal(&error),
            SignInError::Passkey(error) => Self::new(Code::Refused, error),
            SignInError::Provider(error @ ProviderError::None) => Self::new(Code::NotFound, error),
            SignInError::Provider(error) => {
                tracing::warn!(reason = %error, "the OpenID provider lets nobody in");
                Self::new(Code::ProviderFailed, error)
            }
            SignInError::Random(_) | SignInError::Vault(_) => Self::internal(&error),
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match &error {
            StoreError::UnknownTenant { tenant } => Self::unknown("tenant", tenant),
            StoreError::UnknownBoard { board } => Self::unknown("board", board),
            StoreError::TenantHasBoards { .. } | StoreError::AddressTaken { .. } => {
                Self::new(Code::Refused, &error)
            }
            StoreError::ListsNotReady => Self::later(Code::Unavailable, 2, &error),
            StoreError::NoSpace { .. } => {
                tracing::error!(reason = %error, "a request of the API failed");
                Self::new(Code::Unavailable, "the hub's disk is full: it remembers nothing new")
            }
            _ => Self::internal(&error),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        let mut answer = HttpResponse::build(self.status_code());
        if self.code == Code::Unauthenticated {
            answer.insert_header((WWW_AUTHENTICATE, "Bearer realm=\"cellular-hub\""));
        }
        if let Some(seconds) = self.retry_after {
            answer.insert_header((RETRY_AFTER, seconds));
        }
        answer.insert_header(("Content-Type", "application/problem+json"));
        answer.body(serde_json::to_vec(self).unwrap_or_default())
    }
}
