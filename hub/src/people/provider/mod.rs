//! Signing in by an OpenID provider (OpenID Connect, authorization code with PKCE and nonce).
//!
//! The provider says who somebody is and in which groups; groups give roles, anew at each sign-in.
//! Invariant: a user here is the provider's for good, by issuer and subject: whoever else gets the same
//! name there is not let in, and nobody who has a password here is taken over.

mod fetch;
mod groups;

use std::time::Instant;

use openidconnect::core::{
    CoreAuthDisplay, CoreAuthPrompt, CoreAuthenticationFlow, CoreErrorResponseType,
    CoreGenderClaim, CoreJsonWebKey, CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm,
    CoreProviderMetadata, CoreRevocableToken, CoreRevocationErrorResponse,
    CoreTokenIntrospectionResponse, CoreTokenType,
};
use openidconnect::{
    AdditionalClaims, AuthorizationCode, Client, ClientId, ClientSecret, CsrfToken,
    EmptyExtraTokenFields, EndpointMaybeSet, EndpointNotSet, EndpointSet, IdTokenFields, IssuerUrl,
    Nonce, OAuth2TokenResponse as _, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, Scope,
    StandardErrorResponse, StandardTokenResponse, TokenResponse as _, UserInfoClaims,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use storage::{
    Grant, ProviderIdentity, SecretKind, SecretName, SignedInBy, User, UserName, UserState,
};
use url::Url;

use self::fetch::Fetch;
use super::Visitor;
use super::sessions::Begun;
use super::shown::{Shown, digest_of};
use super::sign_in::{SignIn, SignInError};

pub use self::groups::{InvalidRoles, Roles};

/// What is set of a provider.
#[derive(Clone, Debug)]
pub struct ProviderSettings {
    /// What people know it by.
    pub name: String,
    /// As it calls itself.
    pub issuer: String,
    /// As it calls the hub.
    pub client_id: String,
    /// What is asked for beside `openid`.
    pub scopes: Vec<String>,
    /// The claim with somebody's name.
    pub user_claim: String,
    /// The claim with their groups.
    pub groups_claim: String,
    /// What groups may.
    pub roles: Roles,
    /// PEM of the CAs to trust beside the system's.
    pub ca: Option<Vec<u8>>,
    /// Where it sends people back to.
    pub callback: String,
}

/// Why the provider lets nobody in.
#[derive(Debug, thiserror::Error)]
pub enum ProviderError {
    /// There is none.
    #[error("this hub has no OpenID provider")]
    None,
    /// Something of its settings cannot be.
    #[error("[provider] {0}")]
    Setting(String),
    /// It cannot be asked, or answers something else.
    #[error("the provider cannot be asked: {0}")]
    Unreachable(String),
    /// What it says of somebody does not hold.
    #[error("what the provider says does not hold: {0}")]
    Untrue(String),
}

/// The provider, and who is on the way to it.
pub struct Provider {
    settings: ProviderSettings,
    fetch: Fetch,
}

/// Somebody who is on the way to the provider and back.
pub(super) struct OnTheWay {
    state: CsrfToken,
    nonce: Nonce,
    verifier: PkceCodeVerifier,
}

/// Whatever else is said of somebody.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
struct Said(Map<String, Value>);

impl AdditionalClaims for Said {}

type Fields = IdTokenFields<
    Said,
    EmptyExtraTokenFields,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJwsSigningAlgorithm,
>;

type Relying = Client<
    Said,
    CoreAuthDisplay,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJsonWebKey,
    CoreAuthPrompt,
    StandardErrorResponse<CoreErrorResponseType>,
    StandardTokenResponse<Fields, CoreTokenType>,
    CoreTokenIntrospectionResponse,
    CoreRevocableToken,
    CoreRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// Who somebody is there.
struct Known {
    identity: ProviderIdentity,
    said: Map<String, Value>,
}

impl Provider {
    /// With these settings.
    ///
    /// # Errors
    /// [`ProviderError::Setting`] for such as cannot be.
    pub fn new(settings: ProviderSettings) -> Result<Self, ProviderError> {
        let setting = |why: &str| ProviderError::Setting(why.to_owned());
        let issuer = Url::parse(&settings.issuer).map_err(|_| setting("issuer is no address"))?;
        let is_here = matches!(issuer.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
        if issuer.scheme() != "https" && !(issuer.scheme() == "http" && is_here) {
            return Err(setting("issuer is to be https"));
        }
        let fetch = Fetch::new(settings.ca.as_deref())?;
        Ok(Self { settings, fetch })
    }

    fn client(&self, secret: Option<String>) -> Result<Relying, ProviderError> {
        let setting = |error: url::ParseError| ProviderError::Setting(error.to_string());
        let issuer = IssuerUrl::new(self.settings.issuer.clone()).map_err(setting)?;
        let found = CoreProviderMetadata::discover(&issuer, &self.fetch);
        let found = found.map_err(|error| unreachable(&error))?;
        let callback = RedirectUrl::new(self.settings.callback.clone()).map_err(setting)?;
        let id = ClientId::new(self.settings.client_id.clone());
        let client = Relying::from_provider_metadata(found, id, secret.map(ClientSecret::new));
        Ok(client.set_redirect_uri(callback))
    }

    /// Where to send somebody, and what is remembered of them.
    fn begin(&self, secret: Option<String>) -> Result<(Url, OnTheWay), ProviderError> {
        let client = self.client(secret)?;
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let flow = CoreAuthenticationFlow::AuthorizationCode;
        let mut request = client.authorize_url(flow, CsrfToken::new_random, Nonce::new_random);
        for scope in &self.settings.scopes {
            request = request.add_scope(Scope::new(scope.clone()));
        }
        let (url, state, nonce) = request.set_pkce_challenge(challenge).url();
        Ok((url, OnTheWay { state, nonce, verifier }))
    }

    fn finish(
        &self,
        secret: Option<String>,
        code: String,
        on_the_way: OnTheWay,
    ) -> Result<Known, ProviderError> {
        let client = self.client(secret)?;
        let request = client.exchange_code(AuthorizationCode::new(code));
        let request = request.map_err(|error| unreachable(&error))?;
        let tokens = request.set_pkce_verifier(on_the_way.verifier).request(&self.fetch);
        let tokens = tokens.map_err(|error| unreachable(&error))?;
        let untrue =
            |error: &dyn std::error::Error| ProviderError::Untrue(crate::cli::in_one_line(error));
        let no_token = || ProviderError::Untrue("there is no ID token".to_owned());
        let token = tokens.id_token().ok_or_else(no_token)?;
        let claims = token.claims(&client.id_token_verifier(), &on_the_way.nonce);
        let claims = claims.map_err(|error| untrue(&error))?;
        let (issuer, subject) = (claims.issuer().to_string(), claims.subject().clone());
        // The library takes known claims out of the others: all of them are wanted by their names.
        let mut said = match serde_json::to_value(claims) {
            Ok(Value::Object(said)) => said,
            Ok(_) | Err(_) => Map::new(),
        };
        let wanted = [&self.settings.user_claim, &self.settings.groups_claim];
        if wanted.iter().any(|claim| !said.contains_key(*claim))
            && let Ok(request) =
                client.user_info(tokens.access_token().clone(), Some(subject.clone()))
        {
            let more: Result<UserInfoClaims<Said, CoreGenderClaim>, _> =
                request.request(&self.fetch);
            let more = more.map_err(|error| unreachable(&error))?;
            if let Ok(Value::Object(more)) = serde_json::to_value(&more) {
                more.into_iter().for_each(|(claim, value)| {
                    said.entry(claim).or_insert(value);
                });
            }
        }
        let identity = ProviderIdentity { issuer, subject: subject.to_string() };
        Ok(Known { identity, said })
    }

    fn name_of(&self, said: &Map<String, Value>) -> Result<UserName, ProviderError> {
        let claim = &self.settings.user_claim;
        let untrue = |why: String| ProviderError::Untrue(why);
        let text = said.get(claim).and_then(Value::as_str);
        let text = text.ok_or_else(|| untrue(format!("it says no {claim} of you")))?;
        if claim == "email" && said.get("email_verified") == Some(&Value::Bool(false)) {
            return Err(untrue("it has not verified your mail address".to_owned()));
        }
        text.to_lowercase().parse().map_err(|error| untrue(format!("{claim}: {error}")))
    }

    fn grants_of(&self, said: &Map<String, Value>) -> Vec<Grant> {
        let groups: Vec<&str> = match said.get(&self.settings.groups_claim) {
            Some(Value::Array(groups)) => groups.iter().filter_map(Value::as_str).collect(),
            Some(Value::String(group)) => vec![group],
            Some(_) | None => Vec::new(),
        };
        self.settings.roles.of(&groups)
    }
}

fn unreachable(error: &dyn std::error::Error) -> ProviderError {
    ProviderError::Unreachable(crate::cli::in_one_line(error))
}

/// Where the hub's secret towards the provider is in the vault.
///
/// # Errors
/// None in practice: the name is one.
pub fn provider_secret() -> Result<SecretName, storage::InvalidName> {
    SecretName::new(None, SecretKind::OidcClient, "provider")
}

impl SignIn {
    /// The provider's name, where there is one.
    #[must_use]
    pub fn provider_name(&self) -> Option<&str> {
        self.provider.as_ref().map(|provider| provider.settings.name.as_str())
    }

    fn provider(&self) -> Result<&Provider, SignInError> {
        self.provider.as_ref().ok_or(SignInError::Provider(ProviderError::None))
    }

    fn secret(&self) -> Result<Option<String>, SignInError> {
        let name = provider_secret().map_err(|error| SignInError::Refused(error.to_string()))?;
        let secret = self.vault().open(&name)?;
        Ok(secret.and_then(|secret| String::from_utf8(secret.to_vec()).ok()))
    }

    /// Where to send a browser, and what it is to show when it comes back.
    ///
    /// # Errors
    /// [`SignInError`].
    pub fn to_provider(&self, now: Instant) -> Result<(Shown, Url), SignInError> {
        let (url, on_the_way) = self.provider()?.begin(self.secret()?)?;
        let shown = Shown::new("")?;
        self.on_the_way.put(shown.digest(), on_the_way, now);
        Ok((shown, url))
    }

    /// A browser comes back from the provider.
    ///
    /// # Errors
    /// [`SignInError`].
    pub fn from_provider(
        &self,
        shown: &str,
        state: &str,
        code: String,
        visitor: &Visitor,
    ) -> Result<Begun, SignInError> {
        let provider = self.provider()?;
        let digest = digest_of(shown, "").ok_or(SignInError::Over)?;
        let on_the_way = self.on_the_way.take(&digest, visitor.instant);
        let on_the_way = on_the_way.ok_or(SignInError::Over)?;
        let right = on_the_way.state.secret().as_bytes();
        if right.len() != state.len() || !openssl::memcmp::eq(right, state.as_bytes()) {
            return Err(SignInError::Over);
        }
        let known = provider.finish(self.secret()?, code, on_the_way)?;
        let (name, grants) = (provider.name_of(&known.said)?, provider.grants_of(&known.said));
        if grants.is_empty() {
            self.refused(name.as_str(), "no group with a role", visitor)?;
            let why = "none of your groups has a role here; ask whoever runs the hub";
            return Err(SignInError::Refused(why.to_owned()));
        }
        let user = self.user_of_provider(&name, grants, &known, visitor)?;
        if user.state != UserState::Active {
            self.refused(name.as_str(), "disabled", visitor)?;
            return Err(SignInError::Wrong);
        }
        self.in_by(&user, SignedInBy::Provider, visitor)
    }

    /// The user of this name, made where there is none, with the roles that their groups give.
    fn user_of_provider(
        &self,
        name: &UserName,
        grants: Vec<Grant>,
        known: &Known,
        visitor: &Visitor,
    ) -> Result<User, SignInError> {
        let admin = self.as_user(name, visitor);
        let Some(user) = self.user_of(name.as_str())? else {
            let full_name = known.said.get("name").and_then(Value::as_str).unwrap_or(name.as_str());
            let full_name = full_name.chars().filter(|c| !c.is_control()).take(128).collect();
            let (state, created) = (UserState::Active, visitor.now);
            let user = User { name: name.clone(), full_name, state, grants, created };
            admin.add_user(&user)?;
            self.store().credentials().change_or_default(name.as_str(), |credentials| {
                credentials.provider = Some(known.identity.clone());
            })?;
            admin.record("user.provider", name, json!({ "issuer": known.identity.issuer }))?;
            return Ok(user);
        };
        if self.credentials(name)?.provider.as_ref() != Some(&known.identity) {
            self.refused(name.as_str(), "another's name at the provider", visitor)?;
            let why = format!("{name} is somebody else here; ask whoever runs the hub");
            return Err(SignInError::Refused(why));
        }
        match user.grants == grants {
            true => Ok(user),
            false => Ok(admin.change_user(&user, None, Some(grants))?),
        }
    }
}
