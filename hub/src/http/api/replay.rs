//! Creations that are asked for twice: a POST with an Idempotency-Key is carried out once, and its
//! answer given again to whoever repeats it.
//!
//! Answers are kept in memory for a day, some thousands of them; a hub that was restarted since
//! has forgotten them, and names that are taken are then refused. Invariant: an answer that holds a
//! secret (`no-store` by its handler) is not kept; that it was given is.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use actix_web::body::{BoxBody, MessageBody, to_bytes_limited};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue, LOCATION,
};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::web::{self, Bytes};
use actix_web::{Error, HttpMessage as _, HttpResponse, ResponseError as _};
use openssl::sha::Sha256;
use storage::FILE_BYTES_MAX;
use tokio::time::timeout;

use super::caller::Caller;
use super::problem::{Code, Problem};
use super::serving::{Api, Who};

/// How long an answer is kept.
const KEPT: Duration = Duration::from_secs(24 * 60 * 60);
/// Answers that are kept.
const ANSWERS_MAX: usize = 4096;
/// Bytes of the longest answer that is kept.
const ANSWER_MAX: usize = 16 * 1024;
/// Characters of the longest key.
const KEY_MAX: usize = 64;
/// How long a client may take for its body, and for a file.
const BODY_WITHIN: Duration = Duration::from_secs(10);
const FILE_WITHIN: Duration = Duration::from_secs(120);

type Headers = Vec<(HeaderName, HeaderValue)>;

/// The requests that were carried out.
#[derive(Default)]
pub(super) struct Replays(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    requests: HashMap<(Who, String), Request>,
    /// By age, oldest first.
    order: VecDeque<(Instant, (Who, String))>,
}

struct Request {
    /// Of method, path and body.
    digest: [u8; 32],
    answer: Answer,
}

#[derive(Clone)]
enum Answer {
    /// It is not there yet.
    UnderWay,
    /// It holds a secret, is too long, or nobody waited for it.
    Gone,
    /// To be given again.
    Kept { status: StatusCode, headers: Headers, body: Bytes },
}

/// What is to become of a request.
enum Verdict {
    CarryOut,
    Repeat(StatusCode, Headers, Bytes),
    Refuse(&'static str),
}

impl Replays {
    fn begin(&self, key: &(Who, String), digest: [u8; 32], now: Instant) -> Verdict {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.forget(now);
        match kept.requests.get(key) {
            None => {
                let request = Request { digest, answer: Answer::UnderWay };
                kept.requests.insert(key.clone(), request);
                kept.order.push_back((now, key.clone()));
                Verdict::CarryOut
            }
            Some(request) if request.digest != digest => {
                Verdict::Refuse("this Idempotency-Key was used for another request")
            }
            Some(Request { answer, .. }) => match answer.clone() {
                Answer::UnderWay => Verdict::Refuse("that request is still being carried out"),
                Answer::Gone => Verdict::Refuse(
                    "that was asked for before, and its answer cannot be given again: look \
                     whether it was done",
                ),
                Answer::Kept { status, headers, body } => Verdict::Repeat(status, headers, body),
            },
        }
    }

    /// What failed may be tried again with the same key.
    fn end(&self, key: &(Who, String), answer: Option<Answer>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match answer {
            Some(answer) => {
                if let Some(request) = kept.requests.get_mut(key) {
                    request.answer = answer;
                }
            }
            None => {
                kept.requests.remove(key);
                kept.order.retain(|(_, known)| known != key);
            }
        }
    }
}

impl Kept {
    fn forget(&mut self, now: Instant) {
        while let Some((at, key)) = self.order.front() {
            let is_old = now.saturating_duration_since(*at) > KEPT;
            if !is_old && self.order.len() < ANSWERS_MAX {
                return;
            }
            self.requests.remove(key);
            self.order.pop_front();
        }
    }
}

/// Reads a request's body, within bounds of size and time, and carries out a POST with a key once.
pub(super) async fn once(
    api: web::Data<Api>,
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    if request.method().is_safe() {
        return Ok(next.call(request).await?.map_into_boxed_body());
    }
    let (key, body) = match (key(&request), body(&api, &mut request).await) {
        (Ok(key), Ok(body)) => (key, body),
        (Err(problem), _) | (_, Err(problem)) => {
            return Ok(request.into_response(problem.error_response()));
        }
    };
    let Some(key) = key else {
        request.set_payload(Payload::from(body));
        return Ok(next.call(request).await?.map_into_boxed_body());
    };
    let digest = digest(&request, &body);
    match api.replays.begin(&key, digest, Instant::now()) {
        Verdict::CarryOut => {}
        Verdict::Refuse(why) => {
            let problem = Problem::new(Code::IdempotencyKeyUsed, why);
            return Ok(request.into_response(problem.error_response()));
        }
        Verdict::Repeat(status, headers, body) => {
            let mut answer = HttpResponse::build(status);
            for (name, value) in headers {
                answer.insert_header((name, value));
            }
            return Ok(request.into_response(answer.body(body)));
        }
    }
    request.set_payload(Payload::from(body));
    let mut under_way = UnderWay { api: &api, key: Some(key) };
    let answer = next.call(request).await?;
    let (request, answer) = answer.into_parts();
    let (answer, kept) = keep(answer).await?;
    under_way.end(kept);
    Ok(ServiceResponse::new(request, answer))
}

/// The whole of a request's body. One whose length is said and too large is not waited for.
async fn body(api: &Api, request: &mut ServiceRequest) -> Result<Bytes, Problem> {
    let (max, within) = match api.gate.takes_file(request) {
        true => (FILE_BYTES_MAX, FILE_WITHIN),
        false => (super::BODY_MAX, BODY_WITHIN),
    };
    let said = request.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok());
    if said.and_then(|length| length.parse::<u64>().ok()).is_some_and(|said| said > max as u64) {
        return Err(Problem::too_large(max));
    }
    let broken = || Problem::new(Code::Malformed, "the body breaks off");
    let body = request.extract::<web::Payload>().await.map_err(|_| broken())?;
    match timeout(within, body.to_bytes_limited(max)).await {
        Ok(Ok(Ok(body))) => Ok(body),
        Ok(Ok(Err(_))) => Err(broken()),
        Ok(Err(_)) => Err(Problem::too_large(max)),
        Err(_) => Err(Problem::new(Code::TooSlow, "the body takes too long")),
    }
}

/// A request that is being carried out; when nobody waits for it any more, nobody knows its answer.
struct UnderWay<'a> {
    api: &'a Api,
    key: Option<(Who, String)>,
}

impl UnderWay<'_> {
    fn end(&mut self, answer: Option<Answer>) {
        if let Some(key) = self.key.take() {
            self.api.replays.end(&key, answer);
        }
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.end(Some(Answer::Gone));
    }
}

fn key(request: &ServiceRequest) -> Result<Option<(Who, String)>, Problem> {
    let Some(key) = request.headers().get("idempotency-key") else { return Ok(None) };
    if request.method() != Method::POST {
        return Ok(None);
    }
    let is_one = |key: &&str| {
        (1..=KEY_MAX).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic())
    };
    let key = key.to_str().ok().filter(is_one).ok_or_else(|| {
        let detail = format_args!("an Idempotency-Key has 1 to {KEY_MAX} visible characters");
        Problem::new(Code::Malformed, detail)
    })?;
    // Anybody's requests cannot be told apart; nothing that anybody may ask creates anything.
    let caller = request.extensions().get::<Caller>().map(Caller::counted_as);
    Ok(caller.map(|caller| (caller, key.to_owned())))
}

fn digest(request: &ServiceRequest, body: &[u8]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in [request.method().as_str(), request.path(), request.query_string()] {
        hash.update(&(part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    hash.update(body);
    hash.finish()
}

/// The answer once more, and what is kept of it: nothing of a failure of the hub's.
async fn keep(
    answer: HttpResponse<impl MessageBody + 'static>,
) -> Result<(HttpResponse, Option<Answer>), Error> {
    let status = answer.status();
    if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
        return Ok((answer.map_into_boxed_body(), None));
    }
    let is_secret = answer.headers().get(CACHE_CONTROL).is_some_and(|value| value == "no-store");
    let size = answer.body().size();
    let is_short =
        matches!(size, actix_web::body::BodySize::Sized(bytes) if bytes <= ANSWER_MAX as u64);
    if is_secret || !is_short {
        return Ok((answer.map_into_boxed_body(), Some(Answer::Gone)));
    }
    let headers = [CONTENT_TYPE, LOCATION].map(|name| (name.clone(), answer.headers().get(name)));
    let headers = headers.into_iter().filter_map(|(name, value)| Some((name, value?.clone())));
    let headers: Vec<_> = headers.collect();
    let (head, body) = answer.into_parts();
    let body = to_bytes_limited(body, ANSWER_MAX).await;
    let body = body.ok().and_then(Result::ok).unwrap_or_default();
    let kept = Answer::Kept { status, headers, body: body.clone() };
    Ok((head.set_body(body).map_into_boxed_body(), Some(kept)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn who(id: &str) -> (Who, String) {
        (Who::Token(id.repeat(16).parse().unwrap()), String::from("key"))
    }

    fn kept(body: &'static str) -> Option<Answer> {
        let body = Bytes::from_static(body.as_bytes());
        Some(Answer::Kept { status: StatusCode::CREATED, headers: vec![], body })
    }

    #[test]
    fn a_request_is_carried_out_once_and_its_answer_repeated_to_the_same_caller_alone() {
        let (replays, now) = (Replays::default(), Instant::now());
        assert!(matches!(replays.begin(&who("a"), [1; 32], now), Verdict::CarryOut));
        assert!(matches!(replays.begin(&who("a"), [1; 32], now), Verdict::Refuse(_)));
        replays.end(&who("a"), kept("made"));
        let again = replays.begin(&who("a"), [1; 32], now);
        assert!(matches!(again, Verdict::Repeat(StatusCode::CREATED, _, body) if body == "made"));
        assert!(matches!(replays.begin(&who("a"), [2; 32], now), Verdict::Refuse(_)));
        assert!(matches!(replays.begin(&who("b"), [1; 32], now), Verdict::CarryOut));
    }

    #[test]
    fn a_failure_may_be_tried_again_and_a_secret_is_not_repeated() {
        let (replays, now) = (Replays::default(), Instant::now());
        replays.begin(&who("a"), [1; 32], now);
        replays.end(&who("a"), None);
        assert!(matches!(replays.begin(&who("a"), [1; 32], now), Verdict::CarryOut));
        replays.end(&who("a"), Some(Answer::Gone));
        assert!(matches!(replays.begin(&who("a"), [1; 32], now), Verdict::Refuse(_)));
        let tomorrow = now + KEPT + Duration::from_secs(1);
        assert!(matches!(replays.begin(&who("a"), [1; 32], tomorrow), Verdict::CarryOut));
    }

    #[test]
    fn a_bounded_number_is_kept() {
        let (replays, now) = (Replays::default(), Instant::now());
        for number in 0..ANSWERS_MAX + 10 {
            let key = (who("a").0, number.to_string());
            assert!(matches!(replays.begin(&key, [1; 32], now), Verdict::CarryOut));
            replays.end(&key, kept(""));
        }
        let kept = replays.0.lock().unwrap();
        assert_eq!((kept.requests.len(), kept.order.len()), (ANSWERS_MAX, ANSWERS_MAX));
    }
}
