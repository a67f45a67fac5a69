//! Signing in: a password, then what else there is to prove, then a session.
//!
//! Invariant: nothing tells whether there is somebody of a name: not the answer, not its time, not
//! how long to wait. Each guess is counted before it is judged.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use openssl::hash::MessageDigest;
use openssl::memcmp;
use openssl::pkey::PKey;
use openssl::sign::Signer;
use serde_json::json;
use storage::{
    Credentials, Digest, SecretKind, SecretName, SignedInBy, Store, StoreError, UnixSeconds, User,
    UserName, UserState,
};
use zeroize::Zeroizing;

use super::backoff::Backoff;
use super::briefly::Briefly;
use super::passkeys::{PasskeyError, Passkeys};
use super::provider::{OnTheWay, Provider, ProviderError};
use super::sessions::{Begun, Sessions};
use super::shown::{NoRandom, Shown, digest_of};
use super::totp::{Seed, recovery_digest};
use super::{Visitor, password};
use crate::admin::{Admin, AdminError, Author};
use crate::vault::{Vault, VaultError};

/// Guesses at an account by browsers it does not know, and by one that it knows, that cost nothing.
const FREE_GUESSES: u32 = 5;
/// The same for a source, behind which many people may be.
const FREE_GUESSES_OF_SOURCE: u32 = 20;
/// How long the second step may take.
const SECOND_STEP: Duration = Duration::from_secs(5 * 60);
/// Wrong codes in one sign-in.
const CODES_MAX: u32 = 5;

/// Why nobody was signed in.
#[derive(Debug, thiserror::Error)]
pub enum SignInError {
    /// It is not right, and is not told what of it.
    #[error("that is not right: no such user, or not their password or code")]
    Wrong,
    /// Too many guesses.
    #[error("too many wrong guesses; wait {} seconds", .0.as_secs() + 1)]
    Wait(Duration),
    /// The first step is too long ago, or was never made.
    #[error("begin anew: the first step is over")]
    Over,
    /// A password that may not be chosen.
    #[error(transparent)]
    Unfit(#[from] password::Unfit),
    /// A rule forbids it.
    #[error("{0}")]
    Refused(String),
    /// What a browser says of a passkey is nothing of the kind.
    #[error("the credential is not as a browser gives it")]
    Malformed,
    /// A passkey was not taken.
    #[error(transparent)]
    Passkey(#[from] PasskeyError),
    /// The OpenID provider lets nobody in.
    #[error(transparent)]
    Provider(#[from] ProviderError),
    /// There are no random bytes.
    #[error(transparent)]
    Random(#[from] NoRandom),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The vault failed.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// A change failed.
    #[error(transparent)]
    Admin(#[from] AdminError),
}

/// A way to prove who one is once the password was right.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SecondFactor {
    /// A code of an authenticator app.
    Totp,
    /// A recovery code.
    RecoveryCode,
    /// A passkey.
    Passkey,
}

/// What comes of a first step.
pub enum Step {
    /// They are in.
    Done(Begun),
    /// One of these is to follow, with what is to be shown then.
    SecondFactor(Shown, Vec<SecondFactor>),
}

/// Signs people in.
pub struct SignIn {
    admin: Admin,
    vault: Vault,
    pub(super) sessions: Sessions,
    accounts: Backoff<String>,
    sources: Backoff<IpAddr>,
    browsers: Backoff<(UserName, Digest)>,
    /// Signs what known browsers show; new with each start, as the guesses are forgotten.
    browser_key: Zeroizing<[u8; 32]>,
    under_way: Briefly<UnderWay>,
    /// Where browsers find the hub.
    pub(super) origin: String,
    /// None where that is an address.
    pub(super) passkeys: Option<Passkeys>,
    /// None where there is no provider.
    pub(super) provider: Option<Provider>,
    /// Who is on the way to it, by what their browsers show.
    pub(super) on_the_way: Briefly<OnTheWay>,
    /// Seeds that no code was shown of yet, by session.
    pub(super) seeds: Briefly<Zeroizing<Vec<u8>>>,
}

/// A sign-in whose password was right.
struct UnderWay {
    user: UserName,
    wrong_codes: u32,
}

impl SignIn {
    /// For the people in the admin's store.
    ///
    /// # Errors
    /// [`NoRandom`].
    pub fn new(
        admin: Admin,
        vault: Vault,
        sessions: Sessions,
        origin: &str,
    ) -> Result<Self, NoRandom> {
        let mut browser_key = Zeroizing::new([0; 32]);
        getrandom::fill(browser_key.as_mut()).map_err(|_| NoRandom)?;
        Ok(Self {
            admin,
            vault,
            sessions,
            accounts: Backoff::new(FREE_GUESSES),
            sources: Backoff::new(FREE_GUESSES_OF_SOURCE),
            browsers: Backoff::new(FREE_GUESSES),
            browser_key,
            under_way: Briefly::new(SECOND_STEP),
            origin: origin.to_owned(),
            passkeys: Passkeys::new(origin),
            provider: None,
            on_the_way: Briefly::new(SECOND_STEP),
            seeds: Briefly::new(SECOND_STEP),
        })
    }

    /// The same, with an OpenID provider beside.
    #[must_use]
    pub fn with_provider(self, provider: Option<Provider>) -> Self {
        Self { provider, ..self }
    }

    pub(super) fn store(&self) -> &Store {
        self.admin.store()
    }

    pub(super) const fn vault(&self) -> &Vault {
        &self.vault
    }

    /// The sessions that it begins.
    #[must_use]
    pub const fn sessions(&self) -> &Sessions {
        &self.sessions
    }

    /// The first step: who, and their password.
    ///
    /// # Errors
    /// [`SignInError`].
    pub fn password(
        &self,
        name: &str,
        password: &str,
        visitor: &Visitor,
    ) -> Result<Step, SignInError> {
        let guess = self.guess(name, visitor)?;
        let user = self.user_of(name)?;
        let credentials = match &user {
            Some(user) => self.credentials(&user.name)?,
            None => Credentials::default(),
        };
        let is_right = password::verify(password, credentials.password.as_ref());
        let user = user.filter(|user| is_right && user.state == UserState::Active);
        let Some(user) = user else {
            self.refused(name, "password", visitor)?;
            return Err(SignInError::Wrong);
        };
        let factors = factors(&credentials);
        if factors.is_empty() {
            return Ok(Step::Done(self.done(&user, SignedInBy::Password, visitor, &guess)?));
        }
        let shown = Shown::new("")?;
        let under_way = UnderWay { user: user.name, wrong_codes: 0 };
        self.under_way.put(shown.digest(), under_way, visitor.instant);
        Ok(Step::SecondFactor(shown, factors))
    }

    /// Ends the session that a browser shows; one that does not count is gone already.
    ///
    /// # Errors
    /// [`SignInError`].
    pub fn sign_out(&self, shown: &str, visitor: &Visitor) -> Result<(), SignInError> {
        let Some((digest, login)) = self.sessions.find(shown, visitor.now)? else { return Ok(()) };
        if self.sessions.end(&digest)? {
            let admin = self.as_user(&login.user, visitor);
            admin.record("session.end", &login.user, json!({}))?;
        }
        Ok(())
    }

    /// The second step by a code of an authenticator app.
    ///
    /// # Errors
    /// [`SignInError`].
    pub fn totp(&self, shown: &str, code: &str, visitor: &Visitor) -> Result<Begun, SignInError> {
        self.second(shown, visitor, "totp", SignedInBy::PasswordAndTotp, |user| {
            self.take_code(user, code, visitor.now)
        })
    }

    /// The second step by a recovery code, which is used up.
    ///
    /// # Errors
    /// [`SignInError`].
    pub fn recovery_code(
        &self,
        shown: &str,
        code: &str,
        visitor: &Visitor,
    ) -> Result<Begun, SignInError> {
        let by = SignedInBy::PasswordAndRecoveryCode;
        self.second(shown, visitor, "recovery code", by, |user| {
            let (digest, mut had_it) = (recovery_digest(code), false);
            self.store().credentials().change(user.as_str(), |credentials| {
                let before = credentials.recovery.len();
                credentials.recovery.retain(|known| !memcmp::eq(known, &digest));
                had_it = credentials.recovery.len() < before;
            })?;
            Ok(had_it)
        })
    }

    /// Whether a code of this person's app is right; then none of its time is taken again.
    pub(super) fn take_code(
        &self,
        user: &UserName,
        code: &str,
        now: UnixSeconds,
    ) -> Result<bool, SignInError> {
        let Some(known) = self.credentials(user)?.totp else { return Ok(false) };
        let Some(seed) = self.vault.open(&totp_secret(user)?)? else { return Ok(false) };
        let Some(step) = Seed::from_bytes(seed).check(code, known.last_step, now.0) else {
            return Ok(false);
        };
        // Whoever comes with the same code at the same time finds it taken here.
        let mut taken = false;
        self.store().credentials().change(user.as_str(), |credentials| {
            if let Some(totp) = &mut credentials.totp
                && totp.last_step < step
            {
                totp.last_step = step;
                taken = true;
            }
        })?;
        Ok(taken)
    }

    fn second(
        &self,
        shown: &str,
        visitor: &Visitor,
        what: &str,
        by: SignedInBy,
        judge: impl FnOnce(&UserName) -> Result<bool, SignInError>,
    ) -> Result<Begun, SignInError> {
        let digest = digest_of(shown, "").ok_or(SignInError::Over)?;
        let user = self.under_way.look(&digest, visitor.instant, |under_way| {
            under_way.wrong_codes += 1;
            (under_way.wrong_codes <= CODES_MAX).then(|| under_way.user.clone())
        });
        let Some(Some(name)) = user else {
            self.under_way.take(&digest, visitor.instant);
            return Err(SignInError::Over);
        };
        let guess = self.guess(name.as_str(), visitor)?;
        if !judge(&name)? {
            self.refused(name.as_str(), what, visitor)?;
            return Err(SignInError::Wrong);
        }
        // Taken by one of those who come at the same time.
        self.under_way.take(&digest, visitor.instant).ok_or(SignInError::Over)?;
        let user = self.user_of(name.as_str())?;
        let user = user.filter(|user| user.state == UserState::Active).ok_or(SignInError::Wrong)?;
        self.done(&user, by, visitor, &guess)
    }

    /// Whose the sign-in is that somebody is in the middle of; for passkeys, which have steps of
    /// their own.
    pub(super) fn in_the_middle(&self, shown: &str, now: Instant) -> Result<UserName, SignInError> {
        let digest = digest_of(shown, "").ok_or(SignInError::Over)?;
        let user = self.under_way.look(&digest, now, |under_way| under_way.user.clone());
        user.ok_or(SignInError::Over)
    }

    /// Its second step was made: nobody makes it again.
    pub(super) fn end_the_middle(&self, shown: &str, now: Instant) -> Result<(), SignInError> {
        let digest = digest_of(shown, "").ok_or(SignInError::Over)?;
        self.under_way.take(&digest, now).map(drop).ok_or(SignInError::Over)
    }

    /// They have proved who they are.
    pub(super) fn done(
        &self,
        user: &User,
        by: SignedInBy,
        visitor: &Visitor,
        guess: &Guess,
    ) -> Result<Begun, SignInError> {
        self.accounts.right(&guess.account);
        if let Some(browser) = &guess.browser {
            self.browsers.right(browser);
        }
        if let Some(source) = guess.source {
            self.sources.right(&source);
        }
        self.in_by(user, by, visitor)
    }

    /// They have a session now.
    pub(super) fn in_by(
        &self,
        user: &User,
        by: SignedInBy,
        visitor: &Visitor,
    ) -> Result<Begun, SignInError> {
        let mut begun = self.sessions.begin(&user.name, by, visitor)?;
        begun.browser = Some(self.browser_of(&user.name)?);
        let detail = json!({ "by": by, "agent": visitor.agent });
        self.as_user(&user.name, visitor).record("session.begin", &user.name, detail)?;
        Ok(begun)
    }

    /// Counts a guess, or says how long to wait for it.
    pub(super) fn guess(&self, name: &str, visitor: &Visitor) -> Result<Guess, SignInError> {
        let now = visitor.instant;
        // What cannot be a name is one account that nobody has.
        let known: Option<UserName> = name.parse().ok();
        let account = known.as_ref().map(ToString::to_string).unwrap_or_default();
        let source = visitor.network;
        let browser = known
            .zip(visitor.browser.as_deref())
            .and_then(|(name, shown)| Some((name.clone(), self.browser_of_text(&name, shown)?)));
        let waits = [
            match &browser {
                Some(browser) => self.browsers.wait(browser, now),
                None => self.accounts.wait(&account, now),
            },
            source.filter(|_| browser.is_none()).and_then(|it| self.sources.wait(&it, now)),
        ];
        if let Some(wait) = waits.into_iter().flatten().max() {
            return Err(SignInError::Wait(wait));
        }
        match &browser {
            Some(browser) => self.browsers.guess(browser, now),
            None => {
                self.accounts.guess(&account, now);
                if let Some(source) = source {
                    self.sources.guess(&source, now);
                }
            }
        }
        Ok(Guess { account, source, browser })
    }

    /// Writes a refusal down; a name that nobody has may be a password in the wrong field.
    pub(super) fn refused(
        &self,
        name: &str,
        what: &str,
        visitor: &Visitor,
    ) -> Result<(), SignInError> {
        let user = self.user_of(name)?.map(|user| user.name);
        let subject = user.as_ref().map_or_else(|| String::from("nobody"), ToString::to_string);
        let author = self.author(String::from("anybody"), visitor);
        let detail = json!({ "wrong": what, "agent": visitor.agent });
        self.admin.by(author).record("session.refuse", &subject, detail)?;
        Ok(())
    }

    pub(super) fn credentials(&self, user: &UserName) -> Result<Credentials, StoreError> {
        Ok(self.store().credentials().find(user.as_str())?.unwrap_or_default())
    }

    pub(super) fn user_of(&self, name: &str) -> Result<Option<User>, StoreError> {
        match name.parse::<UserName>() {
            Ok(name) => self.store().users().find(name.as_str()),
            Err(_) => Ok(None),
        }
    }

    /// The admin, in this person's name.
    pub(super) fn as_user(&self, user: &UserName, visitor: &Visitor) -> Admin {
        self.admin.by(self.author(format!("user:{user}"), visitor))
    }

    fn author(&self, who: String, visitor: &Visitor) -> Author {
        Author { who, source: visitor.source, ..self.admin.author().clone() }
    }

    /// What a browser shows from now on when somebody signs in as this person: random, and signed.
    fn browser_of(&self, user: &UserName) -> Result<String, SignInError> {
        let random = Shown::new("")?;
        let signature = self.sign(user, random.as_str()).ok_or(NoRandom)?;
        Ok(format!("{}.{signature}", random.as_str()))
    }

    fn browser_of_text(&self, user: &UserName, shown: &str) -> Option<Digest> {
        let (random, signature) = shown.split_once('.')?;
        let digest = digest_of(random, "")?;
        let right = self.sign(user, random)?;
        let is_right =
            right.len() == signature.len() && memcmp::eq(right.as_bytes(), signature.as_bytes());
        is_right.then_some(digest)
    }

    fn sign(&self, user: &UserName, random: &str) -> Option<String> {
        let key = PKey::hmac(self.browser_key.as_slice()).ok()?;
        let mut signer = Signer::new(MessageDigest::sha256(), &key).ok()?;
        signer.update(format!("{random}.{user}").as_bytes()).ok()?;
        let signature = signer.sign_to_vec().ok()?;
        Some(signature.iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

/// A guess that was counted.
pub(super) struct Guess {
    account: String,
    source: Option<IpAddr>,
    browser: Option<(UserName, Digest)>,
}

/// Where a person's seed is in the vault.
pub(super) fn totp_secret(user: &UserName) -> Result<SecretName, SignInError> {
    SecretName::new(None, SecretKind::Totp, user.as_str())
        .map_err(|error| SignInError::Refused(error.to_string()))
}

fn factors(credentials: &Credentials) -> Vec<SecondFactor> {
    let totp = credentials.totp.map(|_| SecondFactor::Totp);
    let passkey = credentials.passkeys.first().map(|_| SecondFactor::Passkey);
    let has_one = totp.is_some() || passkey.is_some();
    let recovery = credentials.recovery.first().map(|_| SecondFactor::RecoveryCode);
    totp.into_iter().chain(passkey).chain(recovery.filter(|_| has_one)).collect()
}
