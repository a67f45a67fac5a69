//! `/.well-known/est`: enrolment of boards over HTTPS (RFC 7030). The label is the tenant.
//!
//! | route | who | body |
//! | --- | --- | --- |
//! | GET `cacerts` | anybody | the authorities, PKCS#7 |
//! | GET `csrattrs` | anybody | what a request should contain |
//! | POST `simpleenroll` | a station's certificate, or a one-time token | PKCS#10 for PKCS#7 |
//! | POST `simplereenroll` | the certificate that is renewed | PKCS#10 for PKCS#7 |
//!
//! Bodies are base64 (RFC 8951 3.1); refusals are one line of text.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use actix_web::http::header::{AUTHORIZATION, CONTENT_TYPE};
use actix_web::{HttpRequest, HttpResponse, web};
use actors::metrics::{EnrolmentEnd, EnrolmentKind, EnrolmentWay, Metrics};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use storage::{EnrolmentRefusal, TenantId, UnixSeconds};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::answer::Refused;
use super::server::ClientCertificate;
use crate::cli::in_one_line;
use crate::trust::est::{CSR_MAX, Est, Refusal, Voucher, certificates_only, request_attributes};

/// Certificates that are made at a time; further requests wait.
pub(super) const AT_A_TIME: usize = 64;
/// How long a request waits for its turn.
const TURN_WITHIN: Duration = Duration::from_secs(5);
/// How long a client may take for its body.
const BODY_WITHIN: Duration = Duration::from_secs(10);
/// Base64 of the largest request, with line ends.
const BODY_MAX: usize = CSR_MAX * 3 / 2;

const REQUEST: &str = "application/pkcs10";
const AUTHORITIES: &str = "application/pkcs7-mime";
const CERTIFICATE: &str = "application/pkcs7-mime; smime-type=certs-only";
const ATTRIBUTES: &str = "application/csrattrs";

type Answer = Result<HttpResponse, Refused>;

/// Enrolment, as the server has it.
pub struct Enrolment {
    est: Arc<Est>,
    turns: Semaphore,
    metrics: Arc<Metrics>,
}

impl Enrolment {
    /// Over `est`; what becomes of requests is counted in `metrics`.
    pub fn new(est: Arc<Est>, metrics: Arc<Metrics>) -> Self {
        Self { est, turns: Semaphore::new(AT_A_TIME), metrics }
    }

    fn counted(&self, kind: EnrolmentKind, answer: Answer) -> Answer {
        let end = match answer.as_ref().map_err(Refused::status) {
            Ok(_) => EnrolmentEnd::Issued,
            Err(401) => EnrolmentEnd::Unauthenticated,
            Err(403) => EnrolmentEnd::Forbidden,
            Err(404) => EnrolmentEnd::NotFound,
            Err(500..) => EnrolmentEnd::Unavailable,
            Err(_) => EnrolmentEnd::Malformed,
        };
        self.metrics.enrolment(EnrolmentWay::Https, kind, end);
        answer
    }
}

pub(super) fn routes(app: &mut web::ServiceConfig) {
    for base in ["/.well-known/est", "/.well-known/est/{label}"] {
        let route = |name: &str| web::resource(format!("{base}/{name}"));
        app.service(route("cacerts").route(web::get().to(authorities)))
            .service(route("csrattrs").route(web::get().to(attributes)))
            .service(route("simpleenroll").route(web::post().to(enrol)))
            .service(route("simplereenroll").route(web::post().to(renew)));
    }
}

async fn authorities(request: HttpRequest, enrolment: web::Data<Enrolment>) -> Answer {
    let label = label(&request)?;
    run(&enrolment, AUTHORITIES, move |est| est.authorities(label.as_ref())).await
}

async fn attributes(request: HttpRequest) -> Answer {
    label(&request)?;
    Ok(encoded(ATTRIBUTES, &request_attributes()))
}

async fn enrol(
    request: HttpRequest,
    body: web::Payload,
    enrolment: web::Data<Enrolment>,
) -> Answer {
    let answer = first(&request, body, &enrolment).await;
    enrolment.counted(EnrolmentKind::Enrol, answer)
}

async fn first(request: &HttpRequest, body: web::Payload, enrolment: &Enrolment) -> Answer {
    let (label, who) = (label(request)?, who(request)?);
    let csr = signing_request(request, body).await?;
    run(enrolment, CERTIFICATE, move |est| {
        let voucher = match &who {
            Who::Token(token) => Voucher::Token(token),
            Who::Station(certificate) => Voucher::Station(&certificate.0),
        };
        let certificate = est.enrol(label.as_ref(), voucher, &csr, now())?;
        Ok(certificates_only(&[&certificate]))
    })
    .await
}

async fn renew(
    request: HttpRequest,
    body: web::Payload,
    enrolment: web::Data<Enrolment>,
) -> Answer {
    let answer = another(&request, body, &enrolment).await;
    enrolment.counted(EnrolmentKind::Renew, answer)
}

async fn another(request: &HttpRequest, body: web::Payload, enrolment: &Enrolment) -> Answer {
    let label = label(request)?;
    let shown = shown(request).ok_or_else(|| {
        Refused::new(401, "show the certificate that is to be renewed as TLS client")
    })?;
    let csr = signing_request(request, body).await?;
    run(enrolment, CERTIFICATE, move |est| {
        let certificate = est.renew(label.as_ref(), &shown.0, &csr, now())?;
        Ok(certificates_only(&[&certificate]))
    })
    .await
}

/// Does the blocking work off the arbiters when it is this request's turn.
async fn run(
    enrolment: &Enrolment,
    kind: &'static str,
    work: impl FnOnce(&Est) -> Result<Vec<u8>, Refusal> + Send + 'static,
) -> Answer {
    let Ok(Ok(_turn)) = timeout(TURN_WITHIN, enrolment.turns.acquire()).await else {
        return Err(Refused::new(
            503,
            "the hub has more to enrol than it can; come back in a moment",
        ));
    };
    let est = Arc::clone(&enrolment.est);
    match web::block(move || work(&est)).await {
        Ok(Ok(answer)) => Ok(encoded(kind, &answer)),
        Ok(Err(refusal)) => Err(refusal_of(&refusal)),
        Err(_) => Err(Refused::new(503, "the hub is going down")),
    }
}

fn refusal_of(refusal: &Refusal) -> Refused {
    let status = match refusal {
        Refusal::Request(_) => 400,
        Refusal::Nobody
        | Refusal::Rule(
            EnrolmentRefusal::TokenUnknown
            | EnrolmentRefusal::TokenUsed
            | EnrolmentRefusal::TokenExpired,
        ) => 401,
        Refusal::UnknownTenant(_) => 404,
        Refusal::OtherLabel { .. }
        | Refusal::NotAStation
        | Refusal::NotABoard
        | Refusal::Forged { .. }
        | Refusal::NotNow(_)
        | Refusal::Revoked(_)
        | Refusal::OtherNames
        | Refusal::Rule(_)
        | Refusal::OwnAuthority(_) => 403,
        Refusal::Store(_) | Refusal::Trust(_) => 503,
    };
    match status {
        503 => tracing::error!(reason = %in_one_line(refusal), "enrolment failed"),
        _ => tracing::info!(status, reason = %refusal, "enrolment refused"),
    }
    Refused::new(status, refusal)
}

/// The tenant that the path names.
fn label(request: &HttpRequest) -> Result<Option<TenantId>, Refused> {
    let label = request.match_info().get("label");
    let label = label.map(str::parse).transpose();
    label.map_err(|error| Refused::new(404, format_args!("no tenant has this label: {error}")))
}

/// Who vouches for a board that is to be enrolled.
enum Who {
    Token(Zeroizing<String>),
    Station(ClientCertificate),
}

fn who(request: &HttpRequest) -> Result<Who, Refused> {
    if let Some(header) = request.headers().get(AUTHORIZATION) {
        let token = header.to_str().ok().and_then(token);
        let token = token.ok_or_else(|| {
            Refused::new(
                401,
                "Authorization is Basic with the user `token`, or Bearer, with a token",
            )
        })?;
        return Ok(Who::Token(token));
    }
    shown(request).map(Who::Station).ok_or_else(|| refusal_of(&Refusal::Nobody))
}

/// The token in the value of an Authorization header.
fn token(header: &str) -> Option<Zeroizing<String>> {
    let (scheme, rest) = header.split_once(' ')?;
    let rest = rest.trim();
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(Zeroizing::new(rest.to_owned()));
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = Zeroizing::new(STANDARD.decode(rest).ok()?);
    let text = std::str::from_utf8(&decoded).ok()?;
    text.strip_prefix("token:").map(|token| Zeroizing::new(token.to_owned()))
}

fn shown(request: &HttpRequest) -> Option<ClientCertificate> {
    request.conn_data::<ClientCertificate>().cloned()
}

/// The DER of the signing request in the body.
async fn signing_request(request: &HttpRequest, body: web::Payload) -> Result<Vec<u8>, Refused> {
    let kind = request.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let kind = kind.and_then(|kind| kind.split(';').next()).map(str::trim);
    if !kind.is_some_and(|kind| kind.eq_ignore_ascii_case(REQUEST)) {
        return Err(Refused::new(400, format_args!("the content type is to be {REQUEST}")));
    }
    let body = timeout(BODY_WITHIN, body.to_bytes_limited(BODY_MAX)).await;
    let text = match body {
        Ok(Ok(Ok(text))) => text,
        Ok(Ok(Err(_))) => return Err(Refused::new(400, "the body breaks off")),
        Ok(Err(_)) => {
            return Err(Refused::new(413, format_args!("the body has more than {BODY_MAX} bytes")));
        }
        Err(_) => return Err(Refused::new(408, "the body takes too long")),
    };
    let text: Vec<u8> = text.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
    STANDARD
        .decode(text)
        .map_err(|_| Refused::new(400, "the body is not base64 of a signing request"))
}

/// In one line: there are clients that take no white space in it, as senders need not put any (RFC 8951
/// 3.1).
fn encoded(kind: &'static str, der: &[u8]) -> HttpResponse {
    let mut answer = HttpResponse::Ok();
    answer.content_type(kind).append_header(("Content-Transfer-Encoding", "base64"));
    answer.body(STANDARD.encode(der))
}

/// The server's clock.
fn now() -> UnixSeconds {
    UnixSeconds(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_read_from_basic_and_bearer() {
        let basic = |text: &str| format!("Basic {}", STANDARD.encode(text));
        let read = |header: &str| token(header).map(|token| token.to_string());
        assert_eq!(read(&basic("token:abc:d")).as_deref(), Some("abc:d"));
        assert_eq!(read("bearer abc").as_deref(), Some("abc"));
        for other in [basic("admin:abc"), basic("token"), "Digest x".into(), "Basic ?".into()] {
            assert_eq!(read(&other), None, "{other}");
        }
    }
}
