//! That a request which changes something comes from the hub's own page, and not from another site's
//! with the cookies of whoever looks at it.
//!
//! Beside cookies that are SameSite=Strict: a header that no form and no other site's script can send
//! without being asked first ([`HEADER`]; nothing here answers such questions), and what the browser says
//! of where the request comes from.

use actix_web::HttpRequest;
use actix_web::http::header::{HOST, ORIGIN};

use super::problem::{Code, Problem};

/// What the hub's page sends with each request that changes something.
pub(super) const HEADER: &str = "x-hub-csrf";

/// Refuses what comes from elsewhere.
pub(super) fn require(request: &HttpRequest) -> Result<(), Problem> {
    if request.method().is_safe() {
        return Ok(());
    }
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    let refused = |why: &str| Err(Problem::new(Code::CrossSite, why));
    if header(HEADER) != Some("1") {
        return refused("without a token, requests that change something have `x-hub-csrf: 1`");
    }
    if !matches!(header("sec-fetch-site"), None | Some("same-origin" | "none")) {
        return refused("the request comes from another site");
    }
    let of_host = header(HOST.as_str()).map(|host| format!("https://{host}"));
    if header(ORIGIN.as_str()).is_some_and(|origin| Some(origin) != of_host.as_deref()) {
        return refused("the request comes from another site");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn only_the_hubs_own_page_changes_something() {
        let of = |headers: &[(&str, &str)]| {
            let mut request = TestRequest::post().insert_header(("Host", "hub.example:8443"));
            for header in headers {
                request = request.insert_header(*header);
            }
            require(&request.to_http_request()).is_ok()
        };
        let ours = ("x-hub-csrf", "1");
        assert!(of(&[ours]));
        assert!(of(&[
            ours,
            ("Sec-Fetch-Site", "same-origin"),
            ("Origin", "https://hub.example:8443")
        ]));
        assert!(!of(&[]) && !of(&[("x-hub-csrf", "0")]));
        for elsewhere in ["cross-site", "same-site", "", "x"] {
            assert!(!of(&[ours, ("Sec-Fetch-Site", elsewhere)]), "{elsewhere}");
        }
        for origin in
            ["null", "http://hub.example:8443", "https://hub.example", "https://evil.example"]
        {
            assert!(!of(&[ours, ("Origin", origin)]), "{origin}");
        }
        assert!(require(&TestRequest::get().to_http_request()).is_ok());
    }
}
