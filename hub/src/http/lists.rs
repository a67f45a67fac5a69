//! `/crl` and `/ca`: what is revoked, and by whom certificates are, for whoever verifies them.
//!
//! | route | body |
//! | --- | --- |
//! | GET `/crl/<tenant>.crl` | the list of revoked certificates (RFC 5280) of who issues the tenant's, DER |
//! | GET `/crl/<tenant>/<number>.crl`, `/crl/root.crl` | those of the tenant's others, and the root's |
//! | GET `/ca/<tenant>.cer`, `/ca/<tenant>/<number>.cer`, `/ca/root.cer` | their certificates, DER |
//! | POST `/ocsp/<tenant>`, GET `/ocsp/<tenant>/<base64>` | answers about single certificates (RFC 6960) |
//!
//! For anybody: nothing in them is secret. Refusals are one line of text.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use actix_web::http::StatusCode;
use actix_web::http::header::{
    CONTENT_TYPE, CacheControl, CacheDirective, ETag, EntityTag, Header as _, IfModifiedSince,
    IfNoneMatch, LastModified,
};
use actix_web::{HttpRequest, HttpResponse, web};
use actors::metrics::{Metrics, Publication as Published, PublicationEnd};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use storage::{InvalidName, TenantId, UnixSeconds};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::answer::Refused;
use crate::cli::in_one_line;
use crate::trust::{Answered, List, ListName, Lists, Question, Unlisted};

/// Requests for lists and certificates at a time for which the disk or the key store is asked; further
/// ones wait.
const AT_A_TIME: usize = 4;
/// Questions after single certificates that are answered at a time: before a certificate that is to be
/// issued there is never more than one of these signatures.
const ANSWERED_AT_A_TIME: usize = 1;
/// Such questions that may wait; further ones are told to come back.
const WAITING: usize = 64;
/// How long a request waits for its turn.
const TURN_WITHIN: Duration = Duration::from_secs(5);
/// Seconds for which an answer may be given again without asking: a revocation is known by then.
const FRESH_S: u32 = 60;

const LIST: &str = "application/pkix-crl";
/// How long a client may take for its question.
const BODY_WITHIN: Duration = Duration::from_secs(10);
/// Bytes of the longest question.
const QUESTION_MAX: usize = 4096;

const QUESTION: &str = "application/ocsp-request";
const ANSWER: &str = "application/ocsp-response";
const CERTIFICATE: &str = "application/pkix-cert";

/// The lists, as the server has them.
pub struct Publication {
    lists: Arc<Lists>,
    turns: Semaphore,
    /// Whether questions after single certificates are answered.
    answers: bool,
    answering: Semaphore,
    waiting: Semaphore,
    metrics: Arc<Metrics>,
}

impl Publication {
    /// Of `lists`, with or without `answers` about single certificates; counted in `metrics`.
    #[must_use]
    pub fn new(lists: Arc<Lists>, answers: bool, metrics: Arc<Metrics>) -> Self {
        Self {
            lists,
            turns: Semaphore::new(AT_A_TIME),
            answers,
            answering: Semaphore::new(ANSWERED_AT_A_TIME),
            waiting: Semaphore::new(ANSWERED_AT_A_TIME + WAITING),
            metrics,
        }
    }

    fn count(&self, what: Published, end: PublicationEnd) {
        self.metrics.publication(what, end);
    }

    fn count_refusal(&self, what: Published, refused: &Refused) {
        self.count(
            what,
            match refused.status() {
                404 => PublicationEnd::NotFound,
                500.. => PublicationEnd::Unavailable,
                _ => PublicationEnd::Malformed,
            },
        );
    }
}

pub(super) fn routes(app: &mut web::ServiceConfig) {
    for name in ["{name}", "{name:[^/]+/[0-9]+}"] {
        let list_of = web::resource(format!("/crl/{name}.crl"));
        let certificate_of = web::resource(format!("/ca/{name}.cer"));
        app.service(list_of.route(web::get().to(list)).route(web::head().to(list))).service(
            certificate_of.route(web::get().to(authority)).route(web::head().to(authority)),
        );
    }
    app.service(web::resource("/ocsp/{tenant}").route(web::post().to(asked)))
        .service(web::resource("/ocsp/{tenant}/{question:.+}").route(web::get().to(asked_in_path)));
}

async fn asked(
    request: HttpRequest,
    tenant: web::Path<String>,
    body: web::Payload,
    publication: web::Data<Publication>,
) -> Result<HttpResponse, Refused> {
    let kind = request.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    if !kind.is_some_and(|kind| kind.trim().eq_ignore_ascii_case(QUESTION)) {
        let reason = format_args!("the content type is to be {QUESTION}");
        return Err(Refused::new(400, reason));
    }
    match timeout(BODY_WITHIN, body.to_bytes_limited(QUESTION_MAX)).await {
        Ok(Ok(Ok(question))) => status(&publication, &tenant, question.to_vec()).await,
        Ok(Ok(Err(_))) => Err(Refused::new(400, "the body breaks off")),
        Ok(Err(_)) => {
            Err(Refused::new(413, format_args!("the body has more than {QUESTION_MAX} bytes")))
        }
        Err(_) => Err(Refused::new(408, "the body takes too long")),
    }
}

async fn asked_in_path(
    path: web::Path<(String, String)>,
    publication: web::Data<Publication>,
) -> Result<HttpResponse, Refused> {
    let (tenant, question) = path.into_inner();
    // What the path's own decoding leaves alone.
    let question = question.replace("%2F", "/").replace("%2f", "/");
    // What is not base64 is no question either, and answered as such.
    let question = STANDARD.decode(question).unwrap_or_default();
    match question.len() > QUESTION_MAX {
        true => Err(Refused::new(414, format_args!("a question has at most {QUESTION_MAX} bytes"))),
        false => status(&publication, &tenant, question).await,
    }
}

async fn status(
    publication: &Publication,
    tenant: &str,
    question: Vec<u8>,
) -> Result<HttpResponse, Refused> {
    let answered = answered(publication, tenant, &question).await;
    match answered {
        Ok((answered, end, now)) => {
            publication.count(Published::Ocsp, end);
            let fresh_s = answered.until.map_or(0, |until| until.0.saturating_sub(now.0));
            let cache = match u32::try_from(fresh_s).unwrap_or(u32::MAX) {
                0 => CacheDirective::NoStore,
                fresh_s => CacheDirective::MaxAge(fresh_s.min(FRESH_S)),
            };
            let mut answer = HttpResponse::Ok();
            answer.insert_header(CacheControl(vec![cache])).content_type(ANSWER);
            Ok(answer.body(web::Bytes::from_owner(answered.der)))
        }
        Err(refused) => {
            publication.count_refusal(Published::Ocsp, &refused);
            Err(refused)
        }
    }
}

/// The answer to a question, how it came about, and when.
async fn answered(
    publication: &Publication,
    tenant: &str,
    question: &[u8],
) -> Result<(Answered, PublicationEnd, UnixSeconds), Refused> {
    if !publication.answers {
        return Err(Refused::new(404, "single certificates are not answered for; fetch the list"));
    }
    let tenant: TenantId = tenant.parse().map_err(|error| unnamed(&error))?;
    let now = now();
    let Some(question) = Question::read(question) else {
        return Ok((Answered::malformed(), PublicationEnd::Malformed, now));
    };
    if let Some(kept) = publication.lists.answer_at_hand(&tenant, &question, now) {
        return Ok((kept, PublicationEnd::Kept, now));
    }
    let busy = || (Answered::try_later(), PublicationEnd::Busy, now);
    let Ok(_place) = publication.waiting.try_acquire() else { return Ok(busy()) };
    let Ok(Ok(_turn)) = timeout(TURN_WITHIN, publication.answering.acquire()).await else {
        return Ok(busy());
    };
    // Somebody before may have asked the same.
    if let Some(kept) = publication.lists.answer_at_hand(&tenant, &question, now) {
        return Ok((kept, PublicationEnd::Kept, now));
    }
    let lists = Arc::clone(&publication.lists);
    let done = web::block(move || lists.answer(&tenant, &question, now)).await;
    Ok((done.map_err(|_| going_down())?.map_err(unlisted)?, PublicationEnd::Signed, now))
}

async fn list(
    request: HttpRequest,
    name: web::Path<String>,
    publication: web::Data<Publication>,
) -> Result<HttpResponse, Refused> {
    let name: ListName = name.parse().map_err(|error| unnamed(&error))?;
    let now = now();
    let (list, end) = match publication.lists.at_hand(&name, now) {
        Some(list) => (Ok(list), PublicationEnd::Kept),
        None => {
            let signed = run(&publication, move |lists| lists.of(&name, now)).await;
            (signed, PublicationEnd::Signed)
        }
    };
    let list = list.inspect_err(|refused| publication.count_refusal(Published::Crl, refused))?;
    let answer = answer(&request, list);
    let is_there = answer.status() == StatusCode::NOT_MODIFIED;
    publication.count(Published::Crl, if is_there { PublicationEnd::NotModified } else { end });
    Ok(answer)
}

async fn authority(
    name: web::Path<String>,
    publication: web::Data<Publication>,
) -> Result<HttpResponse, Refused> {
    let name: ListName = name.parse().map_err(|error| unnamed(&error))?;
    let der = run(&publication, move |lists| lists.authority(&name)).await?;
    Ok(HttpResponse::Ok().content_type(CERTIFICATE).body(der))
}

/// Does the blocking work off the arbiters when it is this request's turn.
async fn run<T: Send + 'static>(
    publication: &Publication,
    work: impl FnOnce(&Lists) -> Result<T, Unlisted> + Send + 'static,
) -> Result<T, Refused> {
    let Ok(Ok(_turn)) = timeout(TURN_WITHIN, publication.turns.acquire()).await else {
        return Err(Refused::new(
            503,
            "the hub has more to sign than it can; come back in a moment",
        ));
    };
    let lists = Arc::clone(&publication.lists);
    web::block(move || work(&lists)).await.map_err(|_| going_down())?.map_err(unlisted)
}

fn going_down() -> Refused {
    Refused::new(503, "the hub is going down")
}

fn unlisted(error: Unlisted) -> Refused {
    match error {
        Unlisted::UnknownTenant(_)
        | Unlisted::UnknownAuthority(_)
        | Unlisted::OtherAuthority(_) => Refused::new(404, error),
        Unlisted::Store(_) | Unlisted::Trust(_) => {
            tracing::error!(reason = %in_one_line(&error), "nothing is said of what is revoked");
            Refused::new(503, "the hub cannot sign now; come back in a moment")
        }
    }
}

/// A tenant that nobody can be called.
fn unnamed(error: &InvalidName) -> Refused {
    Refused::new(404, format_args!("no tenant has this name: {error}"))
}

/// The list, or that the client has it (RFC 9110, 13.2.2).
fn answer(request: &HttpRequest, list: Arc<List>) -> HttpResponse {
    let tag = EntityTag::new_strong(list.number.to_string());
    let since = UNIX_EPOCH + Duration::from_secs(list.since.0);
    let has_it = match (IfNoneMatch::parse(request), IfModifiedSince::parse(request)) {
        (Ok(IfNoneMatch::Any), _) => true,
        (Ok(IfNoneMatch::Items(known)), _) if !known.is_empty() => {
            known.iter().any(|known| known.weak_eq(&tag))
        }
        (_, Ok(IfModifiedSince(known))) => since <= SystemTime::from(known),
        _ => false,
    };
    let mut answer = match has_it {
        true => HttpResponse::NotModified(),
        false => HttpResponse::Ok(),
    };
    answer
        .insert_header(ETag(tag))
        .insert_header(LastModified(since.into()))
        .insert_header(CacheControl(vec![CacheDirective::MaxAge(FRESH_S)]));
    match has_it {
        true => answer.finish(),
        false => answer.content_type(LIST).body(web::Bytes::from_owner(Der(list))),
    }
}

/// The list's bytes, shared by all who are answered with them.
struct Der(Arc<List>);

impl AsRef<[u8]> for Der {
    fn as_ref(&self) -> &[u8] {
        &self.0.der
    }
}

/// The server's clock.
fn now() -> UnixSeconds {
    UnixSeconds(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()))
}

#[cfg(test)]
#[path = "lists_tests.rs"]
mod tests;
