//! Sessions at browsers: begun, found again by what the browser shows, ended.
//!
//! Invariant: who signs in, or proves more, gets another session than the one shown before; what was
//! handed to a browser from outside is never taken up.

use std::time::Duration;

use storage::{ApiTokenId, Digest, Login, SignedInBy, Store, StoreError, UnixSeconds, UserName};

use super::Visitor;
use super::shown::{Shown, digest_of};
use super::sign_in::SignInError;

/// Sessions of one person; the one that was used longest ago makes room.
const SESSIONS_MAX: usize = 32;
/// Characters that are kept of what a browser calls itself.
const AGENT_MAX: usize = 200;
/// How exactly it is known when a session was used last.
const USE_NOTED_S: u64 = 60;
/// How long ago somebody has signed in who may change how they sign in.
pub const FRESH: Duration = Duration::from_secs(15 * 60);

/// The sessions of a store.
pub struct Sessions {
    store: Store,
    idle_s: u64,
    absolute_s: u64,
}

/// A session that just began.
pub struct Begun {
    /// What the browser shows from now on.
    pub session: Shown,
    /// The session.
    pub login: Login,
    /// What the browser shows the next time somebody signs in with it.
    pub browser: Option<String>,
}

impl Sessions {
    /// That end when they were not used for `idle`, and after `absolute` in any case.
    #[must_use]
    pub const fn new(store: Store, idle: Duration, absolute: Duration) -> Self {
        Self { store, idle_s: idle.as_secs(), absolute_s: absolute.as_secs() }
    }

    /// How long one may last.
    #[must_use]
    pub const fn absolute_s(&self) -> u64 {
        self.absolute_s
    }

    pub(super) fn begin(
        &self,
        user: &UserName,
        by: SignedInBy,
        visitor: &Visitor,
    ) -> Result<Begun, SignInError> {
        self.make_room(user, visitor.now)?;
        let login = Login {
            user: user.clone(),
            by,
            begun: visitor.now,
            last_used: visitor.now,
            source: visitor.source,
            agent: visitor.agent.chars().take(AGENT_MAX).collect(),
        };
        let session = Shown::new("")?;
        self.store.logins().put(&session.digest(), &login)?;
        Ok(Begun { session, login, browser: None })
    }

    /// Puts another session in the place of this one: its owner has proved more, or changed how they
    /// sign in.
    pub(super) fn renew(&self, old: &Digest, by: SignedInBy) -> Result<Begun, SignInError> {
        let login = self.store.logins().find(old)?.ok_or(SignInError::Over)?;
        let login = Login { by, ..login };
        let session = Shown::new("")?;
        self.store.logins().put(&session.digest(), &login)?;
        self.store.logins().remove(old)?;
        Ok(Begun { session, login, browser: None })
    }

    /// The session that a browser shows, if it counts. Reads only; that it was used is written down
    /// in memory, and on the disk when something else is.
    ///
    /// # Errors
    /// The store's.
    pub fn find(
        &self,
        shown: &str,
        now: UnixSeconds,
    ) -> Result<Option<(Digest, Login)>, StoreError> {
        let Some(digest) = digest_of(shown, "") else { return Ok(None) };
        let Some(login) = self.store.logins().find(&digest)? else { return Ok(None) };
        if !self.counts(&login, now) {
            return Ok(None);
        }
        if now.0.saturating_sub(login.last_used.0) >= USE_NOTED_S {
            self.store.logins().note(&digest, |login| login.last_used = now)?;
        }
        Ok(Some((digest, login)))
    }

    /// Whether a session counts still; that it was asked is no use of it.
    ///
    /// # Errors
    /// The store's.
    pub fn still_counts(&self, session: &Digest, now: UnixSeconds) -> Result<bool, StoreError> {
        let login = self.store.logins().find(session)?;
        Ok(login.is_some_and(|login| self.counts(&login, now)))
    }

    fn counts(&self, login: &Login, now: UnixSeconds) -> bool {
        now.0.saturating_sub(login.begun.0) <= self.absolute_s
            && now.0.saturating_sub(login.last_used.0) <= self.idle_s
    }

    /// A person's sessions that count, with their names, latest first.
    ///
    /// # Errors
    /// The store's.
    pub fn of(
        &self,
        user: &UserName,
        now: UnixSeconds,
    ) -> Result<Vec<(Digest, Login)>, StoreError> {
        let mut sessions = self.all_of(user)?;
        sessions.retain(|(_, login)| self.counts(login, now));
        sessions.sort_by_key(|(_, login)| std::cmp::Reverse(login.last_used));
        Ok(sessions)
    }

    /// Ends one.
    ///
    /// # Errors
    /// The store's.
    pub fn end(&self, digest: &Digest) -> Result<bool, StoreError> {
        self.store.logins().remove(digest)
    }

    /// Ends all of a person's but this one; how many there were.
    ///
    /// # Errors
    /// The store's.
    pub fn end_all(&self, user: &UserName, but: Option<&Digest>) -> Result<usize, StoreError> {
        let sessions = self.all_of(user)?;
        let ended = sessions.iter().filter(|(digest, _)| Some(digest) != but);
        ended.map(|(digest, _)| self.end(digest).map(usize::from)).sum()
    }

    /// Ends what counts no more, and the person's oldest where they have too many.
    fn make_room(&self, user: &UserName, now: UnixSeconds) -> Result<(), StoreError> {
        let mut own = Vec::new();
        for session in self.store.logins().list(None) {
            let (key, login) = session?;
            let Ok(digest) = Digest::try_from(key) else { continue };
            if !self.counts(&login, now) {
                self.end(&digest)?;
            } else if login.user == *user {
                own.push((login.last_used, digest));
            }
        }
        own.sort_unstable();
        let too_many = (own.len() + 1).saturating_sub(SESSIONS_MAX);
        for (_, digest) in own.iter().take(too_many) {
            self.end(digest)?;
        }
        Ok(())
    }

    fn all_of(&self, user: &UserName) -> Result<Vec<(Digest, Login)>, StoreError> {
        let mut own = Vec::new();
        for session in self.store.logins().list(None) {
            let (key, login) = session?;
            if let Ok(digest) = Digest::try_from(key)
                && login.user == *user
            {
                own.push((digest, login));
            }
        }
        Ok(own)
    }
}

/// How a session is named where it is listed: the beginning of its digest.
#[must_use]
pub fn name_of(digest: &Digest) -> ApiTokenId {
    ApiTokenId::of(digest)
}
