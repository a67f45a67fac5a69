//! The cookies: a session, a sign-in between its steps, a browser that was here before.
//!
//! Invariant: each is `__Host-`, Secure, HttpOnly and SameSite=Strict: no other host, no script and no
//! other site's page has it sent.

use actix_web::HttpRequest;
use actix_web::cookie::time::Duration;
use actix_web::cookie::{Cookie, SameSite};

pub(super) const SESSION: &str = "__Host-hub-session";
pub(super) const STEP: &str = "__Host-hub-step";
pub(super) const PASSKEY: &str = "__Host-hub-passkey";
pub(super) const PROVIDER: &str = "__Host-hub-provider";
pub(super) const BROWSER: &str = "__Host-hub-browser";

/// Characters of the longest value that is looked at.
const VALUE_MAX: usize = 256;

/// A cookie that is kept for so long.
pub(super) fn cookie(name: &'static str, value: &str, seconds: u64) -> Cookie<'static> {
    let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
    Cookie::build(name, value.to_owned())
        .path("/")
        .secure(true)
        .http_only(true)
        .same_site(SameSite::Strict)
        .max_age(Duration::seconds(seconds))
        .finish()
}

/// Has the browser forget one.
pub(super) fn forgotten(name: &'static str) -> Cookie<'static> {
    cookie(name, "", 0)
}

/// What the browser shows.
pub(super) fn shown(request: &HttpRequest, name: &str) -> Option<String> {
    let cookie = request.cookie(name)?;
    Some(cookie.value().to_owned()).filter(|value| value.len() <= VALUE_MAX)
}
