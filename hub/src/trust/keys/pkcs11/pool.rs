//! A token's sessions: a few, reused, and opened anew after the token was lost.
//!
//! Invariant: one PIN is tried once a call; whoever finds all sessions busy waits for one.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};
use cryptoki::object::ObjectHandle;
use cryptoki::session::{Session, SessionState, UserType};
use cryptoki::slot::Slot;
use cryptoki::types::AuthPin;

use super::Pkcs11Options;
use crate::trust::keys::{KeyError, KeyLabel};

/// Why a call failed.
pub(super) enum Failure {
    /// With this answer.
    Said(KeyError),
    /// The token or its module refused.
    Refused(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Refused(error)
    }
}

/// The sessions of a token.
pub(super) struct Pool {
    options: Pkcs11Options,
    module: Pkcs11,
    state: Mutex<State>,
    freed: Condvar,
    generating: Mutex<()>,
}

struct State {
    slot: Option<Slot>,
    idle: Vec<Session>,
    busy: usize,
    /// Counts losses: a session from before one is not kept.
    era: u64,
    handles: BTreeMap<KeyLabel, ObjectHandle>,
}

impl Pool {
    /// Loads the module, finds the token and logs in.
    pub(super) fn open(options: Pkcs11Options) -> Result<Self, KeyError> {
        let unusable = |error: Error| KeyError::Module {
            file: options.module.clone(),
            problem: error.to_string(),
        };
        let module = Pkcs11::new(&options.module).map_err(unusable)?;
        let arguments = CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK);
        match module.initialize(arguments) {
            Ok(()) | Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => {}
            Err(error) => return Err(unusable(error)),
        }
        let state =
            State { slot: None, idle: Vec::new(), busy: 0, era: 0, handles: BTreeMap::new() };
        let pool = Self {
            options,
            module,
            state: Mutex::new(state),
            freed: Condvar::new(),
            generating: Mutex::new(()),
        };
        pool.run("open a session", |_| Ok(()))?;
        Ok(pool)
    }

    pub(super) const fn options(&self) -> &Pkcs11Options {
        &self.options
    }

    /// Held by whoever looks for a name and then makes a key by it.
    pub(super) fn generating(&self) -> MutexGuard<'_, ()> {
        self.generating.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The object of a private key, if it was found before and the token has not been lost since.
    pub(super) fn handle(&self, label: &KeyLabel) -> Option<ObjectHandle> {
        self.state().handles.get(label).copied()
    }

    pub(super) fn remember(&self, label: &KeyLabel, key: ObjectHandle) {
        self.state().handles.insert(label.clone(), key);
    }

    /// Calls with a session that is logged in; once more, with a new one, when the token turns out
    /// to have been lost.
    pub(super) fn run<T>(
        &self,
        doing: &'static str,
        call: impl Fn(&Session) -> Result<T, Failure>,
    ) -> Result<T, KeyError> {
        match self.try_once(&call) {
            Ok(done) => return Ok(done),
            Err(Failure::Refused(error)) if is_lost(&error) => {}
            Err(failure) => return Err(self.in_words(doing, failure)),
        }
        tracing::warn!(token = self.options.token, "the token was lost; logging in again");
        self.forget();
        self.try_once(&call).map_err(|failure| self.in_words(doing, failure))
    }

    fn try_once<T>(&self, call: &impl Fn(&Session) -> Result<T, Failure>) -> Result<T, Failure> {
        let (session, era) = self.take()?;
        let done = match call(&session) {
            // Logged out, a token hides its private keys and says nothing.
            Err(Failure::Said(KeyError::Missing { .. } | KeyError::NoWrappingKey { .. }))
                if !is_logged_in(&session) =>
            {
                Err(Error::Pkcs11(
                    RvError::UserNotLoggedIn,
                    cryptoki::context::Function::FindObjects,
                )
                .into())
            }
            done => done,
        };
        let is_good = !matches!(&done, Err(Failure::Refused(_)));
        self.give_back(session, era, is_good);
        done
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self) -> Result<(Session, u64), Failure> {
        let mut state = self.state();
        while state.idle.is_empty() && state.busy >= self.options.sessions.max(1) {
            state = self.freed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if let Some(session) = state.idle.pop() {
            state.busy += 1;
            return Ok((session, state.era));
        }
        // Logging in under the lock: two threads at once would both try the PIN.
        let session = self.log_in(&mut state)?;
        state.busy += 1;
        Ok((session, state.era))
    }

    fn give_back(&self, session: Session, era: u64, is_good: bool) {
        let mut state = self.state();
        state.busy = state.busy.saturating_sub(1);
        // A session left over is closed when it is dropped.
        if is_good && era == state.era {
            state.idle.push(session);
        }
        drop(state);
        self.freed.notify_one();
    }

    /// Drops what a lost token leaves behind.
    fn forget(&self) {
        let mut state = self.state();
        state.era += 1;
        state.slot = None;
        state.handles.clear();
        state.idle.clear();
    }

    fn log_in(&self, state: &mut State) -> Result<Session, Failure> {
        let slot = match state.slot {
            Some(slot) => slot,
            None => self.find_token()?,
        };
        let session = self.module.open_rw_session(slot)?;
        if !is_logged_in(&session) {
            match session.login(UserType::User, Some(&self.pin()?)) {
                Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        state.slot = Some(slot);
        Ok(session)
    }

    fn find_token(&self) -> Result<Slot, Failure> {
        let mut there = Vec::new();
        for slot in self.module.get_slots_with_token()? {
            // A token that went meanwhile is not there.
            let Ok(token) = self.module.get_token_info(slot) else { continue };
            if !token.token_initialized() {
                continue;
            }
            if token.label() == self.options.token {
                return Ok(slot);
            }
            there.push(token.label().to_owned());
        }
        let (token, module) = (self.options.token.clone(), self.options.module.clone());
        Err(Failure::Said(KeyError::NoToken { token, module, there }))
    }

    fn pin(&self) -> Result<AuthPin, Failure> {
        let pin = &self.options.pin;
        let no_pin = || KeyError::NoSecret {
            key: pin.key,
            file: pin.source().to_owned(),
            way_out: "write the token's PIN into it and `chmod 600` it",
        };
        let secret = pin.read().and_then(|secret| secret.ok_or_else(no_pin));
        let secret = secret.map_err(Failure::Said)?;
        let unfit = || KeyError::UnfitSecret {
            key: pin.key,
            file: pin.source().to_owned(),
            problem: "holds a PIN that is no text",
        };
        let text = std::str::from_utf8(&secret).map_err(|_| Failure::Said(unfit()))?;
        Ok(AuthPin::new(text.into()))
    }

    fn in_words(&self, doing: &'static str, failure: Failure) -> KeyError {
        let token = self.options.token.clone();
        let error = match failure {
            Failure::Said(error) => return error,
            Failure::Refused(error) => error,
        };
        match error {
            Error::Pkcs11(
                RvError::PinIncorrect | RvError::PinInvalid | RvError::PinLenRange,
                _,
            ) => KeyError::WrongPin { token, file: self.options.pin.source().to_owned() },
            Error::Pkcs11(RvError::PinLocked, _) => KeyError::PinLocked { token },
            Error::Pkcs11(refusal, function) => {
                // The rest of its text is the standard's explanation.
                let problem = format!("{function:?} says {refusal:?}");
                KeyError::Token { token, doing, problem }
            }
            other => KeyError::Token { token, doing, problem: other.to_string() },
        }
    }
}

pub(super) fn is_logged_in(session: &Session) -> bool {
    session.get_session_info().is_ok_and(|session| {
        matches!(session.session_state(), SessionState::RwUser | SessionState::RoUser)
    })
}

/// Whether another session may do better: the token was pulled, restarted, or somebody logged out.
fn is_lost(error: &Error) -> bool {
    let Error::Pkcs11(refusal, _) = error else { return false };
    matches!(
        refusal,
        RvError::SessionHandleInvalid
            | RvError::SessionClosed
            | RvError::UserNotLoggedIn
            | RvError::DeviceRemoved
            | RvError::DeviceError
            | RvError::TokenNotPresent
            | RvError::SlotIdInvalid
            | RvError::KeyHandleInvalid
            | RvError::ObjectHandleInvalid
    )
}
