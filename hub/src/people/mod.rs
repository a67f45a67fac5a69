//! Who may do what: people, how they sign in, their sessions, and the tokens of their programs.
//!
//! Invariant: nothing here knows HTTP. Who shows what is asked what they may; nobody may anything
//! that no line of [`permission`]'s table gives them; no secret is kept but in the vault, and of what
//! people and programs show the hub keeps digests.

mod account;
mod backoff;
mod briefly;
mod passkeys;
mod password;
pub mod permission;
mod provider;
mod sessions;
mod setup;
mod shown;
mod sign_in;
pub mod token;
mod totp;

use std::net::IpAddr;
use std::time::Instant;

use storage::UnixSeconds;

pub use self::account::{Own, RecoveryCodes};
pub use self::passkeys::{PasskeyError, passkey_name};
pub use self::permission::{Permission, PermissionSet, Powers, Reach};
pub use self::provider::{
    InvalidRoles, Provider, ProviderError, ProviderSettings, Roles, provider_secret,
};
pub use self::sessions::{Begun, FRESH, Sessions, name_of};
pub use self::setup::{
    COUNTS_S as LINK_COUNTS_S, Setup, is_needed as is_setup_needed, link_text, new_link,
};
pub use self::shown::{NoRandom, Shown};
pub use self::sign_in::{SecondFactor, SignIn, SignInError, Step};
pub use self::totp::Seed;

/// Whoever is at the door, before it is known who that is.
#[derive(Clone, Debug)]
pub struct Visitor {
    /// Their address.
    pub source: Option<IpAddr>,
    /// The network that counts as one with it.
    pub network: Option<IpAddr>,
    /// What their browser calls itself.
    pub agent: String,
    /// What their browser shows of an earlier time.
    pub browser: Option<String>,
    /// The time of day.
    pub now: UnixSeconds,
    /// The same by a clock that nobody sets.
    pub instant: Instant,
}
