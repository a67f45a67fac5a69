//! `[sign_in]`: how people sign in at a browser.

use serde::{Deserialize, Serialize};

use super::key::{Kind, Setting, section};

section! {
    /// Signing in at a browser.
    pub struct SignIn in "sign_in" {
        /// Minutes after which a session that was not used ends.
        pub idle_min: u64 = 60, from 1 to 10080;
        /// Hours after which a session ends in any case.
        pub absolute_h: u64 = 12, from 1 to 720;
        /// Who has to have an authenticator app or a passkey beside a password: nobody, admins
        /// (platform-admin and tenant-admin), everybody. Whoever lacks it can set it up, and nothing else.
        pub second_factor: SecondFactorFor = SecondFactorFor::Nobody;
    }
}

/// Who has to have a second factor.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SecondFactorFor {
    /// Nobody has to.
    Nobody,
    /// Whoever is platform-admin or tenant-admin.
    Admins,
    /// Everybody.
    Everybody,
}

impl Setting for SecondFactorFor {
    const KIND: Kind = Kind::Choice(&["nobody", "admins", "everybody"]);
}
