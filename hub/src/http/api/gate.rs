//! What a request goes through before its handler: who is it, may they ask this at all, and not too
//! often.
//!
//! Invariant: deny by default. What a route takes stands in the OpenAPI document beside it
//! (`x-permission`): a permission, `signed-in` for whoever is, `public` for anybody. A route without
//! is answered to nobody. Where a permission counts, the handler asks ([`Caller::require`]).

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Instant;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{ALLOW, AUTHORIZATION, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage as _, HttpResponse, ResponseError as _, web};
use storage::{User, UserName, UserState};
use utoipa::openapi::path::Operation;
use utoipa::openapi::{OpenApi, RefOr};

use super::caller::{Caller, Means, unauthenticated};
use super::problem::{Code, Problem};
use super::serving::Api;
use super::{cookies, own_page};
use crate::people::{Own, Permission, PermissionSet, Powers, token};

/// How exactly it is known when a token was used last.
const USE_NOTED_S: u64 = 60;

/// Who may ask.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Access {
    /// Anybody.
    Public,
    /// Whoever has signed in, or shows a token.
    SignedIn,
    /// Who has this permission somewhere.
    Permitted(Permission),
}

/// Who may ask what, and how much they may say: by method and pattern.
pub(super) struct Gate(HashMap<(Method, String), Said>);

/// What the document says of an operation.
#[derive(Clone, Copy)]
struct Said {
    access: Access,
    /// Whether its body is a file.
    takes_file: bool,
}

impl Gate {
    /// As the document says.
    pub(super) fn of(document: &OpenApi) -> Self {
        let mut all = HashMap::new();
        for (path, item) in &document.paths.paths {
            let operations = [
                (Method::GET, &item.get),
                (Method::HEAD, &item.head),
                (Method::PUT, &item.put),
                (Method::POST, &item.post),
                (Method::PATCH, &item.patch),
                (Method::DELETE, &item.delete),
            ];
            for (method, operation) in operations {
                if let Some(said) = operation.as_ref().and_then(said) {
                    all.insert((method, path.clone()), said);
                }
            }
        }
        Self(all)
    }

    fn said(&self, request: &ServiceRequest) -> Option<Said> {
        let pattern = request.match_pattern()?;
        self.0.get(&(request.method().clone(), pattern)).copied()
    }

    /// Whether what is asked has a file for its body.
    pub(super) fn takes_file(&self, request: &ServiceRequest) -> bool {
        self.said(request).is_some_and(|said| said.takes_file)
    }

    /// With which methods else the path can be asked.
    fn methods(&self, request: &ServiceRequest) -> String {
        let pattern = request.match_pattern();
        let of_it = self.0.keys().filter(|(_, known)| Some(known) == pattern.as_ref());
        let mut methods: Vec<_> = of_it.map(|(method, _)| method.as_str()).collect();
        methods.sort_unstable();
        methods.join(", ")
    }
}

fn said(operation: &Operation) -> Option<Said> {
    let access = match operation.extensions.as_ref()?.get("x-permission")?.as_str()? {
        "public" => Access::Public,
        "signed-in" => Access::SignedIn,
        permission => permission.parse().ok().map(Access::Permitted)?,
    };
    let takes_file = match &operation.request_body {
        Some(RefOr::T(body)) => body.content.contains_key("application/octet-stream"),
        Some(RefOr::Ref(_)) | None => false,
    };
    Some(Said { access, takes_file })
}

/// Lets a request through to its handler, or answers it.
pub(super) async fn gate(
    api: web::Data<Api>,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let Some(Said { access, .. }) = api.gate.said(&request) else {
        let answer = nobodys(&api.gate.methods(&request));
        return Ok(request.into_response(answer));
    };
    match admit(&api, &request, access) {
        Ok(Some(caller)) => {
            request.extensions_mut().insert(caller);
        }
        Ok(None) => {}
        Err(problem) => return Ok(request.into_response(problem.error_response())),
    }
    Ok(next.call(request).await?.map_into_boxed_body())
}

/// A path or a method that nothing is served at.
fn nobodys(methods: &str) -> HttpResponse {
    if methods.is_empty() {
        let detail = "there is nothing here; /api/v1/openapi.json says what there is";
        return Problem::new(Code::NotFound, detail).error_response();
    }
    let detail = format_args!("not with this method, but with {methods}");
    let mut answer = Problem::new(Code::MethodNotAllowed, detail).error_response();
    if let Ok(methods) = HeaderValue::try_from(methods) {
        answer.headers_mut().insert(ALLOW, methods);
    }
    answer
}

fn admit(api: &Api, request: &ServiceRequest, access: Access) -> Result<Option<Caller>, Problem> {
    let is_program = request.headers().contains_key(AUTHORIZATION);
    if !is_program {
        own_page::require(request.request())?;
    }
    if access == Access::Public {
        return Ok(None);
    }
    let caller = match is_program {
        true => program(api, request)?,
        false => person(api, request)?,
    };
    if !api.within_rate(&caller, Instant::now()) {
        return Err(Problem::later(Code::TooMany, 1, "too many requests; wait a second"));
    }
    match access {
        Access::SignedIn | Access::Public => Ok(Some(caller)),
        Access::Permitted(_) if api.lacks_second_factor(&caller) => {
            let detail = "set up an authenticator app or a passkey first: your roles take one here";
            Err(Problem::new(Code::SecondFactorNeeded, detail))
        }
        Access::Permitted(permission) if !caller.powers.has(permission) => {
            Err(Caller::forbidden(permission))
        }
        Access::Permitted(_) => Ok(Some(caller)),
    }
}

/// The person whose session the browser shows. What is read here is in memory but for the first
/// time; nothing waits for the disk to write.
fn person(api: &Api, request: &ServiceRequest) -> Result<Caller, Problem> {
    let shown = cookies::shown(request.request(), cookies::SESSION).ok_or_else(unauthenticated)?;
    let found = api.sign_in().sessions().find(&shown, api.now())?;
    let (session, login) = found.ok_or_else(unauthenticated)?;
    let user = active(api, &login.user)?;
    let own = Own { user: user.name.clone(), session, by: login.by, begun: login.begun };
    Ok(Caller {
        user: user.name,
        by: Means::Session(own),
        source: source(request),
        roles: user.grants.iter().map(|grant| grant.role).collect(),
        powers: Powers::of(&user.grants),
    })
}

/// The program whose token is shown; the same holds.
fn program(api: &Api, request: &ServiceRequest) -> Result<Caller, Problem> {
    let header = request.headers().get(AUTHORIZATION).ok_or_else(unauthenticated)?;
    let shown = header.to_str().ok().and_then(|header| header.split_once(' '));
    let (_, shown) = shown
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .ok_or_else(unauthenticated)?;
    let digest = token::digest_of(shown.trim()).ok_or_else(unauthenticated)?;
    let (tokens, now) = (api.admin().store().api_tokens(), api.now());
    let token = tokens.find(&digest)?.ok_or_else(unauthenticated)?;
    if token.expires < now {
        return Err(unauthenticated());
    }
    if token.last_used.is_none_or(|last| now.0.saturating_sub(last.0) >= USE_NOTED_S) {
        tokens.note(&digest, |token| token.last_used = Some(now))?;
    }
    let user = active(api, &token.owner)?;
    // A permission that this version does not know permits nothing.
    let scopes = token.scopes.iter().filter_map(|scope| scope.parse().ok());
    let scopes: PermissionSet = scopes.collect();
    Ok(Caller {
        user: user.name,
        by: Means::Token(token.id),
        source: source(request),
        roles: user.grants.iter().map(|grant| grant.role).collect(),
        powers: Powers::of(&user.grants).within(scopes, token.tenant.as_ref()),
    })
}

fn active(api: &Api, name: &UserName) -> Result<User, Problem> {
    let user = api.admin().store().users().find(name.as_str())?;
    user.filter(|user| user.state == UserState::Active).ok_or_else(unauthenticated)
}

fn source(request: &ServiceRequest) -> Option<IpAddr> {
    request.peer_addr().map(|address| address.ip().to_canonical())
}
