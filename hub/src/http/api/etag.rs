//! Tags of what may be changed: who changes something says what they have read, and is refused when
//! it is that no more.

use actix_web::http::header::{
    CONTENT_TYPE, ETag, EntityTag, Header as _, IF_MATCH, IfMatch, IfNoneMatch,
};
use actix_web::{HttpRequest, HttpResponse};
use openssl::sha::sha256;
use serde::Serialize;

use super::problem::{Code, Problem};

/// The tag of a representation.
fn tag(body: &[u8]) -> EntityTag {
    let digest = sha256(body);
    EntityTag::new_strong(digest.iter().take(12).map(|byte| format!("{byte:02x}")).collect())
}

fn body_of(value: &impl Serialize) -> Result<Vec<u8>, Problem> {
    serde_json::to_vec(value).map_err(|error| Problem::internal(&error))
}

/// The value with its tag; 304 for whoever has it.
///
/// # Errors
/// [`Code::Internal`] for what cannot be written as JSON.
pub(super) fn tagged(
    request: &HttpRequest,
    value: &impl Serialize,
) -> Result<HttpResponse, Problem> {
    let body = body_of(value)?;
    let tag = tag(&body);
    let has_it = match IfNoneMatch::parse(request) {
        Ok(IfNoneMatch::Any) => request.headers().contains_key("if-none-match"),
        Ok(IfNoneMatch::Items(known)) => known.iter().any(|known| known.weak_eq(&tag)),
        Err(_) => false,
    };
    if has_it {
        return Ok(HttpResponse::NotModified().insert_header(ETag(tag)).finish());
    }
    let mut answer = HttpResponse::Ok();
    Ok(answer.insert_header(ETag(tag)).insert_header((CONTENT_TYPE, "application/json")).body(body))
}

/// The value with a tag of `by`: of what of it is changed by people, where the hub itself changes the
/// rest all the time.
///
/// # Errors
/// [`Code::Internal`] for what cannot be written as JSON.
pub(super) fn tagged_by(
    value: &impl Serialize,
    by: &impl Serialize,
) -> Result<HttpResponse, Problem> {
    let tag = tag(&body_of(by)?);
    let mut answer = HttpResponse::Ok();
    answer.insert_header(ETag(tag)).insert_header((CONTENT_TYPE, "application/json"));
    Ok(answer.body(body_of(value)?))
}

/// What a client says it has read.
#[derive(Debug)]
pub(super) struct Known(Option<Vec<EntityTag>>);

impl Known {
    /// As it stands in the request.
    ///
    /// # Errors
    /// [`Code::PreconditionRequired`] without If-Match.
    pub(super) fn of(request: &HttpRequest) -> Result<Self, Problem> {
        if !request.headers().contains_key(IF_MATCH) {
            let detail = "say with If-Match which state you have read: the ETag of GET";
            return Err(Problem::new(Code::PreconditionRequired, detail));
        }
        Ok(match IfMatch::parse(request) {
            Ok(IfMatch::Any) => Self(None),
            Ok(IfMatch::Items(known)) => Self(Some(known)),
            Err(_) => Self(Some(Vec::new())),
        })
    }

    /// Refuses a change by whoever has not read `value` as it is now.
    ///
    /// # Errors
    /// [`Code::Changed`].
    pub(super) fn must_match(&self, value: &impl Serialize) -> Result<(), Problem> {
        let tag = tag(&body_of(value)?);
        match self.0.as_ref().is_none_or(|known| known.iter().any(|known| known.strong_eq(&tag))) {
            true => Ok(()),
            false => {
                let detail = "it was changed since you have read it: read it again";
                Err(Problem::new(Code::Changed, detail))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn who_has_read_what_is_there_may_change_it_and_others_not() {
        let read = tagged(&TestRequest::get().to_http_request(), &"one").unwrap();
        let tag = read.headers().get("etag").unwrap().to_str().unwrap().to_owned();
        let with = |value: &str| TestRequest::put().insert_header(("If-Match", value));
        let judged = |value: &str, now: &str| {
            Known::of(&with(value).to_http_request()).and_then(|known| known.must_match(&now))
        };
        assert!(judged(&tag, "one").is_ok());
        assert!(judged("*", "two").is_ok());
        assert!(judged(&format!("\"x\", {tag}"), "one").is_ok());
        assert_eq!(judged(&tag, "two").unwrap_err().code(), Code::Changed);
        assert_eq!(judged(&format!("W/{tag}"), "one").unwrap_err().code(), Code::Changed);
        assert_eq!(judged("rubbish", "one").unwrap_err().code(), Code::Changed);
        let without = Known::of(&TestRequest::put().to_http_request()).unwrap_err();
        assert_eq!(without.code(), Code::PreconditionRequired);
        let again = TestRequest::get().insert_header(("If-None-Match", tag)).to_http_request();
        assert_eq!(tagged(&again, &"one").unwrap().status(), 304);
        assert_eq!(tagged(&again, &"two").unwrap().status(), 200);
    }
}
