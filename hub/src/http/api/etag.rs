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

/// Refuses a change by whoever has not read `value` as it is now.
///
/// # Errors
/// [`Code::PreconditionRequired`] without If-Match, [`Code::Changed`] with another's.
pub(super) fn must_match(request: &HttpRequest, value: &impl Serialize) -> Result<(), Problem> {
    if !request.headers().contains_key(IF_MATCH) {
        let detail = "say with If-Match which state you have read: the ETag of GET";
        return Err(Problem::new(Code::PreconditionRequired, detail));
    }
    let tag = tag(&body_of(value)?);
    let matches = match IfMatch::parse(request) {
        Ok(IfMatch::Any) => true,
        Ok(IfMatch::Items(known)) => known.iter().any(|known| known.strong_eq(&tag)),
        Err(_) => false,
    };
    match matches {
        true => Ok(()),
        false => {
            Err(Problem::new(Code::Changed, "it was changed since you have read it: read it again"))
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
        let judged = |value: &str, now: &str| must_match(&with(value).to_http_request(), &now);
        assert!(judged(&tag, "one").is_ok());
        assert!(judged("*", "two").is_ok());
        assert!(judged(&format!("\"x\", {tag}"), "one").is_ok());
        assert_eq!(judged(&tag, "two").unwrap_err().code(), Code::Changed);
        assert_eq!(judged(&format!("W/{tag}"), "one").unwrap_err().code(), Code::Changed);
        assert_eq!(judged("rubbish", "one").unwrap_err().code(), Code::Changed);
        let without = must_match(&TestRequest::put().to_http_request(), &"one").unwrap_err();
        assert_eq!(without.code(), Code::PreconditionRequired);
        let again = TestRequest::get().insert_header(("If-None-Match", tag)).to_http_request();
        assert_eq!(tagged(&again, &"one").unwrap().status(), 304);
        assert_eq!(tagged(&again, &"two").unwrap().status(), 200);
    }
}
