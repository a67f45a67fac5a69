//! Why a key could not be made, found or used. Holds no passphrase, PIN or key.

use std::io;
use std::path::PathBuf;

use openssl::error::ErrorStack;

use super::KeyLabel;

/// Why a key could not be made, found or used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// There is no such key.
    #[error("there is no key {label} in {store}; {}", way_out(label))]
    Missing {
        /// Its name.
        label: KeyLabel,
        /// Where it was looked for.
        store: String,
    },
    /// There is no such wrapping key.
    #[error("there is no AES key {label} in {store}")]
    NoWrappingKey {
        /// Its label.
        label: String,
        /// Where it was looked for.
        store: String,
    },
    /// There is such a key already.
    #[error("there is a key {label} in {store} already, and it is never overwritten")]
    Exists {
        /// Its name.
        label: KeyLabel,
        /// Where it is.
        store: String,
    },
    /// A token with several keys of one name.
    #[error(
        "{store} holds several keys named {label}; keep one: `pkcs11-tool --list-objects` shows them"
    )]
    Ambiguous {
        /// The name.
        label: KeyLabel,
        /// Where they are.
        store: String,
    },
    /// The store takes no new keys.
    #[error("{store} takes no new keys")]
    ReadOnly {
        /// The store.
        store: String,
    },
    /// The system refused to read, write or make something.
    #[error("cannot {doing} {}: {source}", file.display())]
    File {
        /// What was tried: "read", "write" or "make".
        doing: &'static str,
        /// With which file or folder.
        file: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A secret that others can read.
    #[error("{key}: {file} can be read by others; `chmod 600 {file}`", file = file.display())]
    Open {
        /// The configuration's key that names the file.
        key: &'static str,
        /// The file.
        file: PathBuf,
    },
    /// There is no passphrase.
    #[error(
        "{key}: there is no {}; {way_out}", file.display()
    )]
    NoSecret {
        /// The configuration's key that names the file.
        key: &'static str,
        /// The file.
        file: PathBuf,
        /// What to do.
        way_out: &'static str,
    },
    /// A change of the passphrase that broke off.
    #[error(
        "a change of the passphrase broke off, and the new one is in {}; `cellular-hub key \
         passphrase` without another finishes it first",
        file.display()
    )]
    Unfinished {
        /// The new passphrase's file.
        file: PathBuf,
    },
    /// A passphrase or PIN that cannot be one.
    #[error("{key}: {} {problem}", file.display())]
    UnfitSecret {
        /// The configuration's key that names the file.
        key: &'static str,
        /// The file.
        file: PathBuf,
        /// What is wrong with its content.
        problem: &'static str,
    },
    /// Another passphrase, or changed bytes.
    #[error(
        "the key file {} does not open: it was sealed under another passphrase than the one in {}, \
         or it is damaged; put the right one there, or restore the file from a backup",
        file.display(), passphrase.display()
    )]
    WrongPassphrase {
        /// The key's file.
        file: PathBuf,
        /// Where the passphrase is from.
        passphrase: PathBuf,
    },
    /// A file that is no sealed key.
    #[error("the key file {} {problem}; restore it from a backup", file.display())]
    Damaged {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// A PEM file that holds no key on P-256.
    #[error("{} holds no private key on P-256", file.display())]
    NotAKey {
        /// The file.
        file: PathBuf,
    },
    /// The PKCS#11 module cannot be used.
    #[error("trust.pkcs11_module: {} cannot be loaded: {problem}", file.display())]
    Module {
        /// The module's file.
        file: PathBuf,
        /// Why.
        problem: String,
    },
    /// There is no such token.
    #[error(
        "trust.pkcs11_token: no token {token:?} is in reach of {}; there {}",
        module.display(), those(there)
    )]
    NoToken {
        /// The label that was looked for.
        token: String,
        /// The module.
        module: PathBuf,
        /// The labels of those that are there.
        there: Vec<String>,
    },
    /// The token refused the PIN.
    #[error(
        "trust.pkcs11_pin_file: token {token:?} refused the PIN in {}; correct that file before the \
         next try, for a token locks its PIN after a few",
        file.display()
    )]
    WrongPin {
        /// The token.
        token: String,
        /// The PIN's file.
        file: PathBuf,
    },
    /// The token's PIN is locked.
    #[error(
        "the PIN of token {token:?} is locked after too many wrong ones; its security officer sets a \
         new one: `pkcs11-tool --init-pin`"
    )]
    PinLocked {
        /// The token.
        token: String,
    },
    /// The token made a key that could leave it.
    #[error("token {token:?} does not keep its keys to itself ({problem}); the key was destroyed")]
    Leaky {
        /// The token.
        token: String,
        /// Which attribute.
        problem: &'static str,
    },
    /// The token failed in some other way.
    #[error("token {token:?} cannot {doing}: {problem}")]
    Token {
        /// The token.
        token: String,
        /// What was tried.
        doing: &'static str,
        /// What it says.
        problem: String,
    },
    /// The system gave no random bytes.
    #[error("the system gave no random bytes")]
    Random,
    /// OpenSSL refused; with the inputs checked, this is a fault of ours.
    #[error("cannot {doing}: {source}")]
    Cryptography {
        /// What was tried.
        doing: &'static str,
        /// What OpenSSL says.
        source: ErrorStack,
    },
}

impl KeyError {
    pub(super) fn cryptography(doing: &'static str) -> impl Fn(ErrorStack) -> Self {
        move |source| Self::Cryptography { doing, source }
    }
}

fn way_out(label: &KeyLabel) -> String {
    use super::Purpose;
    match label.purpose() {
        Purpose::Root | Purpose::Server => String::from("`cellular-hub ca init` makes one"),
        Purpose::Tenant(tenant) => {
            format!("`cellular-hub tenant add {tenant}` makes one with the tenant")
        }
        Purpose::Firmware | Purpose::Audit => format!("`cellular-hub key new {label}` makes one"),
    }
}

fn those(labels: &[String]) -> String {
    match labels {
        [] => String::from("is none"),
        some => format!("are: {}", some.join(", ")),
    }
}
