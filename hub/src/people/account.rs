//! What people change about their own way in: password, authenticator app, recovery codes.
//!
//! Invariant: whoever changes it gets another session, and their other sessions end.

use serde_json::json;
use storage::{Digest, SignedInBy, UnixSeconds, UserName};
use zeroize::Zeroizing;

use super::Visitor;
use super::password;
use super::sessions::Begun;
use super::sign_in::{SignIn, SignInError, totp_secret};
use super::totp::{Seed, recovery_codes, recovery_digest};

/// Codes that are shown once.
pub type RecoveryCodes = Vec<Zeroizing<String>>;

/// Whose session asks.
#[derive(Clone, Debug)]
pub struct Own {
    /// The person.
    pub user: UserName,
    /// Their session.
    pub session: Digest,
    /// How they have signed in.
    pub by: SignedInBy,
    /// When they did.
    pub begun: UnixSeconds,
}

impl SignIn {
    /// Puts another password in the place of one's own.
    ///
    /// # Errors
    /// [`SignInError`].
    pub fn change_password(
        &self,
        own: &Own,
        old: &str,
        new: &str,
        visitor: &Visitor,
    ) -> Result<Begun, SignInError> {
        self.guess(own.user.as_str(), visitor)?;
        let known = self.credentials(&own.user)?.password;
        if !password::verify(old, known.as_ref()) {
            self.refused(own.user.as_str(), "old password", visitor)?;
            return Err(SignInError::Wrong);
        }
        let user = self.as_user(&own.user, visitor).user(&own.user)?;
        password::judge(new, &[own.user.as_str(), &user.full_name])?;
        let hash = password::hash(new, visitor.now)?;
        self.store()
            .credentials()
            .change(own.user.as_str(), |credentials| credentials.password = Some(hash))?;
        self.changed(own, own.by, "user.password", visitor)
    }

    /// A seed for an authenticator app; it counts once a code of it was shown.
    ///
    /// # Errors
    /// [`SignInError`].
    pub fn begin_totp(&self, own: &Own, visitor: &Visitor) -> Result<Seed, SignInError> {
        let seed = Seed::new()?;
        let bytes = Zeroizing::new(seed.as_bytes().to_vec());
        self.seeds.put(own.session, bytes, visitor.instant);
        Ok(seed)
    }

    /// The app shows codes of that seed: from now on they are asked for.
    ///
    /// # Errors
    /// [`SignInError::Wrong`] for another code, [`SignInError::Over`] without a seed.
    pub fn finish_totp(
        &self,
        own: &Own,
        code: &str,
        visitor: &Visitor,
    ) -> Result<(Begun, RecoveryCodes), SignInError> {
        let seed = self.seeds.look(&own.session, visitor.instant, |seed| seed.clone());
        let seed = Seed::from_bytes(seed.ok_or(SignInError::Over)?);
        let step = seed.check(code, 0, visitor.now.0).ok_or(SignInError::Wrong)?;
        self.seeds.take(&own.session, visitor.instant).ok_or(SignInError::Over)?;
        self.vault().put(&totp_secret(&own.user)?, seed.as_bytes(), visitor.now)?;
        let codes = recovery_codes()?;
        let digests = codes.iter().map(|code| recovery_digest(code)).collect();
        let totp = storage::Totp { since: visitor.now, last_step: step };
        self.store().credentials().change_or_default(own.user.as_str(), |credentials| {
            credentials.totp = Some(totp);
            credentials.recovery = digests;
        })?;
        let begun = self.changed(own, SignedInBy::PasswordAndTotp, "user.totp", visitor)?;
        Ok((begun, codes))
    }

    /// The app is asked no more.
    ///
    /// # Errors
    /// [`SignInError`].
    pub fn remove_totp(&self, own: &Own, visitor: &Visitor) -> Result<Begun, SignInError> {
        self.store().credentials().change(own.user.as_str(), |credentials| {
            credentials.totp = None;
            if credentials.passkeys.is_empty() {
                credentials.recovery.clear();
            }
        })?;
        self.vault().forget(&totp_secret(&own.user)?)?;
        self.changed(own, own.by, "user.totp-remove", visitor)
    }

    /// Other recovery codes, in place of those before.
    ///
    /// # Errors
    /// [`SignInError`].
    pub fn new_recovery_codes(
        &self,
        own: &Own,
        visitor: &Visitor,
    ) -> Result<RecoveryCodes, SignInError> {
        let codes = recovery_codes()?;
        let digests = codes.iter().map(|code| recovery_digest(code)).collect();
        self.store().credentials().change_or_default(own.user.as_str(), |credentials| {
            credentials.recovery = digests;
        })?;
        let admin = self.as_user(&own.user, visitor);
        admin.record("user.recovery-codes", &own.user, json!({}))?;
        Ok(codes)
    }

    pub(super) fn changed(
        &self,
        own: &Own,
        by: SignedInBy,
        what: &'static str,
        visitor: &Visitor,
    ) -> Result<Begun, SignInError> {
        let begun = self.sessions.renew(&own.session, by)?;
        self.sessions.end_all(&own.user, Some(&begun.session.digest()))?;
        self.as_user(&own.user, visitor).record(what, &own.user, json!({}))?;
        Ok(begun)
    }
}
