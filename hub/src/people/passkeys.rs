//! Passkeys (WebAuthn): registered, and shown at sign-in, alone or as the second factor.
//!
//! Each is required to verify its user, by a finger or a PIN, so one alone proves two things.
//! Invariant: a challenge is answered once and within minutes, by the browser it was given to, and what
//! the answer signs names this hub's origin.

use std::time::{Duration, Instant};

use openssl::sha::sha256;
use serde_json::{Value, json};
use storage::{Passkey, SignedInBy, UserName, UserState};
use url::Url;
use uuid::Uuid;
use webauthn_rs::prelude::{
    DiscoverableAuthentication, DiscoverableKey, PasskeyAuthentication, PasskeyRegistration,
    PublicKeyCredential, RegisterPublicKeyCredential, WebauthnError,
};
use webauthn_rs::{Webauthn, WebauthnBuilder};
use webauthn_rs_proto::ResidentKeyRequirement;

use super::Visitor;
use super::account::Own;
use super::briefly::Briefly;
use super::sessions::Begun;
use super::shown::{Shown, digest_of};
use super::sign_in::{SignIn, SignInError};

/// How long an answer may take.
const ANSWERED_WITHIN: Duration = Duration::from_secs(5 * 60);
/// Passkeys of one person.
const PASSKEYS_MAX: usize = 20;

/// What is under way with passkeys.
pub(super) struct Passkeys {
    webauthn: Webauthn,
    /// Registrations, by session.
    registrations: Briefly<PasskeyRegistration>,
    /// Sign-ins, by what the browser shows.
    challenges: Briefly<Challenge>,
}

enum Challenge {
    /// As the second factor of a sign-in that shows this.
    Second(String, UserName, PasskeyAuthentication),
    /// By itself, of whoever has one.
    Alone(DiscoverableAuthentication),
}

/// Passkeys cannot be used here.
#[derive(Debug, thiserror::Error)]
pub enum PasskeyError {
    /// The origin is no name that passkeys can be bound to.
    #[error("passkeys cannot be used at {0}: they are bound to a name, with https")]
    Origin(String),
    /// The library has refused something.
    #[error("the passkey is not taken: {0}")]
    Webauthn(#[from] WebauthnError),
    /// A credential that was stored cannot be read.
    #[error("a passkey in the store cannot be read")]
    Stored(#[source] serde_json::Error),
}

impl Passkeys {
    /// For a hub that browsers find at `origin`; `None` where that is an address, which passkeys are
    /// not for.
    pub(super) fn new(origin: &str) -> Option<Self> {
        let url = Url::parse(origin).ok()?;
        let name = url.domain()?.to_owned();
        let webauthn =
            WebauthnBuilder::new(&name, &url).ok()?.rp_name("Cellular Hub").build().ok()?;
        Some(Self {
            webauthn,
            registrations: Briefly::new(ANSWERED_WITHIN),
            challenges: Briefly::new(ANSWERED_WITHIN),
        })
    }
}

impl SignIn {
    fn passkeys(&self) -> Result<&Passkeys, SignInError> {
        let origin = || SignInError::Passkey(PasskeyError::Origin(self.origin.clone()));
        self.passkeys.as_ref().ok_or_else(origin)
    }

    /// What a browser is to make a passkey for (`PublicKeyCredentialCreationOptionsJSON`).
    ///
    /// # Errors
    /// [`SignInError`].
    pub fn begin_passkey(&self, own: &Own, visitor: &Visitor) -> Result<Value, SignInError> {
        let passkeys = self.passkeys()?;
        let known = self.credentials(&own.user)?.passkeys;
        if known.len() >= PASSKEYS_MAX {
            let why = format!("there are {PASSKEYS_MAX} passkeys already; remove one first");
            return Err(SignInError::Refused(why));
        }
        let user = self.as_user(&own.user, visitor).user(&own.user)?;
        let exclude = known.into_iter().map(|passkey| passkey.id.into()).collect();
        let started = passkeys.webauthn.start_passkey_registration(
            handle_of(&own.user),
            own.user.as_str(),
            &user.full_name,
            Some(exclude),
        );
        let (mut challenge, state) = started.map_err(PasskeyError::from)?;
        // So that it can be used without saying first who one is.
        if let Some(selection) = &mut challenge.public_key.authenticator_selection {
            selection.resident_key = Some(ResidentKeyRequirement::Preferred);
        }
        passkeys.registrations.put(own.session, state, visitor.instant);
        Ok(serde_json::to_value(challenge.public_key).unwrap_or_default())
    }

    /// The browser has made it: from now on it lets its owner in.
    ///
    /// # Errors
    /// [`SignInError`].
    pub fn finish_passkey(
        &self,
        own: &Own,
        label: String,
        credential: Value,
        visitor: &Visitor,
    ) -> Result<Begun, SignInError> {
        let passkeys = self.passkeys()?;
        let credential: RegisterPublicKeyCredential =
            serde_json::from_value(credential).map_err(|_| SignInError::Malformed)?;
        let state = passkeys.registrations.take(&own.session, visitor.instant);
        let state = state.ok_or(SignInError::Over)?;
        let made = passkeys.webauthn.finish_passkey_registration(&credential, &state);
        let made = made.map_err(PasskeyError::from)?;
        let id = made.cred_id().to_vec();
        for other in self.store().credentials().list(None) {
            if other?.1.passkeys.iter().any(|known| known.id == id) {
                return Err(SignInError::Refused("this passkey is somebody's already".to_owned()));
            }
        }
        let passkey = Passkey {
            id,
            label,
            credential: serde_json::to_vec(&made).map_err(PasskeyError::Stored)?,
            created: visitor.now,
            last_used: None,
        };
        self.store().credentials().change_or_default(own.user.as_str(), |credentials| {
            credentials.passkeys.push(passkey);
        })?;
        self.changed(own, SignedInBy::PasswordAndPasskey, "user.passkey", visitor)
    }

    /// Removes a passkey by the name it has in lists.
    ///
    /// # Errors
    /// [`SignInError::Refused`] where there is none of it.
    pub fn remove_passkey(
        &self,
        own: &Own,
        name: &str,
        visitor: &Visitor,
    ) -> Result<Begun, SignInError> {
        let mut had_it = false;
        self.store().credentials().change(own.user.as_str(), |credentials| {
            let before = credentials.passkeys.len();
            credentials.passkeys.retain(|known| passkey_name(known) != name);
            had_it = credentials.passkeys.len() < before;
        })?;
        match had_it {
            true => self.changed(own, own.by, "user.passkey-remove", visitor),
            false => Err(SignInError::Refused("there is no such passkey".to_owned())),
        }
    }

    /// A challenge for passkeys (`PublicKeyCredentialRequestOptionsJSON`), and what the browser is to
    /// show with the answer: of the person whose sign-in shows `step`, or of whoever has one.
    ///
    /// # Errors
    /// [`SignInError`].
    pub fn challenge(
        &self,
        step: Option<&str>,
        now: Instant,
    ) -> Result<(Shown, Value), SignInError> {
        let passkeys = self.passkeys()?;
        let (options, challenge) = match step {
            Some(step) => {
                let user = self.in_the_middle(step, now)?;
                let known = self.passkeys_of(&user)?;
                let keys: Vec<_> = known.into_iter().map(|(_, key)| key).collect();
                let started = passkeys.webauthn.start_passkey_authentication(&keys);
                let (options, state) = started.map_err(PasskeyError::from)?;
                (options, Challenge::Second(step.to_owned(), user, state))
            }
            None => {
                let started = passkeys.webauthn.start_discoverable_authentication();
                let (options, state) = started.map_err(PasskeyError::from)?;
                (options, Challenge::Alone(state))
            }
        };
        let shown = Shown::new("")?;
        passkeys.challenges.put(shown.digest(), challenge, now);
        Ok((shown, serde_json::to_value(options.public_key).unwrap_or_default()))
    }

    /// The answer to a challenge: whoever has the passkey is in.
    ///
    /// # Errors
    /// [`SignInError`].
    pub fn answer(
        &self,
        shown: &str,
        credential: Value,
        visitor: &Visitor,
    ) -> Result<Begun, SignInError> {
        let passkeys = self.passkeys()?;
        let credential: PublicKeyCredential =
            serde_json::from_value(credential).map_err(|_| SignInError::Malformed)?;
        let digest = digest_of(shown, "").ok_or(SignInError::Over)?;
        let challenge = passkeys.challenges.take(&digest, visitor.instant);
        let (user, by, result) = match challenge.ok_or(SignInError::Over)? {
            Challenge::Second(step, user, state) => {
                let result = passkeys.webauthn.finish_passkey_authentication(&credential, &state);
                self.end_the_middle(&step, visitor.instant)?;
                (Some(user), SignedInBy::PasswordAndPasskey, result)
            }
            Challenge::Alone(state) => {
                let identified =
                    passkeys.webauthn.identify_discoverable_authentication(&credential);
                let user = match identified {
                    Ok((handle, _)) => self.of_handle(handle)?,
                    Err(_) => None,
                };
                let known = user.as_ref().map(|user| self.passkeys_of(user)).transpose()?;
                let keys: Vec<DiscoverableKey> =
                    known.unwrap_or_default().iter().map(|(_, key)| key.into()).collect();
                let result =
                    passkeys.webauthn.finish_discoverable_authentication(&credential, state, &keys);
                (user, SignedInBy::Passkey, result)
            }
        };
        let name = user.as_ref().map_or("", UserName::as_str);
        let result = match result {
            Ok(result) => result,
            Err(error) => {
                tracing::debug!(%error, "a passkey was refused");
                self.refused(name, "passkey", visitor)?;
                return Err(SignInError::Wrong);
            }
        };
        let user = self.user_of(name)?;
        let user = user.filter(|user| user.state == UserState::Active).ok_or(SignInError::Wrong)?;
        let mut updated = Vec::new();
        for (kept, mut key) in self.passkeys_of(&user.name)? {
            if key.update_credential(&result).is_some() {
                let credential = serde_json::to_vec(&key).map_err(PasskeyError::Stored)?;
                updated.push((kept.id, credential));
            }
        }
        self.store().credentials().change(user.name.as_str(), |credentials| {
            for (id, credential) in &updated {
                for known in credentials.passkeys.iter_mut().filter(|known| known.id == *id) {
                    known.credential.clone_from(credential);
                    known.last_used = Some(visitor.now);
                }
            }
        })?;
        // Nothing was guessed.
        self.in_by(&user, by, visitor)
    }

    fn passkeys_of(
        &self,
        user: &UserName,
    ) -> Result<Vec<(Passkey, webauthn_rs::prelude::Passkey)>, SignInError> {
        let known = self.credentials(user)?.passkeys.into_iter().map(|kept| {
            let key = serde_json::from_slice(&kept.credential).map_err(PasskeyError::Stored)?;
            Ok((kept, key))
        });
        known.collect()
    }

    fn of_handle(&self, handle: Uuid) -> Result<Option<UserName>, SignInError> {
        for user in self.store().users().list(None) {
            let (_, user) = user?;
            if handle_of(&user.name) == handle {
                return Ok(Some(user.name));
            }
        }
        Ok(None)
    }
}

/// How a passkey is named in lists.
#[must_use]
pub fn passkey_name(passkey: &Passkey) -> String {
    sha256(&passkey.id).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// What passkeys know a person by: nothing that tells who it is.
fn handle_of(user: &UserName) -> Uuid {
    let digest = sha256(json!(["cellular-hub user", user.as_str()]).to_string().as_bytes());
    let (handle, _) = digest.split_first_chunk::<16>().unwrap_or((&[0; 16], &[]));
    Uuid::from_bytes(*handle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passkeys_are_for_names_and_not_for_addresses() {
        assert!(Passkeys::new("https://hub.example.com:8443").is_some());
        assert!(Passkeys::new("https://localhost:8443").is_some());
        assert!(Passkeys::new("https://192.0.2.1:8443").is_none());
        assert!(Passkeys::new("nonsense").is_none());
    }

    #[test]
    fn two_people_have_two_handles() {
        let (anna, otto) = ("anna".parse().unwrap(), "otto".parse().unwrap());
        assert_ne!(handle_of(&anna), handle_of(&otto));
        assert_eq!(handle_of(&anna), handle_of(&anna));
    }
}
