//! Why a configuration cannot be used: each error is one line that says where and what to do.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// A line of a file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Place {
    /// The file, as it was named.
    pub file: PathBuf,
    /// The line, counted from 1.
    pub line: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file.display(), self.line)
    }
}

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file is missing or cannot be read.
    #[error("cannot read the configuration {}: {source}", file.display())]
    Unreadable {
        /// The file, as it was named.
        file: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The file is not TOML.
    #[error("{place}: not TOML: {problem}")]
    Malformed {
        /// Where.
        place: Place,
        /// What the parser stumbled over.
        problem: String,
    },
    /// A table that the hub does not know.
    #[error("{place}: unknown section [{section}]{hint}")]
    UnknownSection {
        /// Where.
        place: Place,
        /// The table's name.
        section: String,
        /// What was probably meant.
        hint: Hint,
    },
    /// A key that its table does not know.
    #[error("{place}: unknown key \"{key}\" in [{section}]{hint}")]
    UnknownKey {
        /// Where.
        place: Place,
        /// The table it stands in.
        section: &'static str,
        /// The key.
        key: String,
        /// What was probably meant.
        hint: Hint,
    },
    /// A value of the wrong type or out of range.
    #[error("{place}: {key} is {found}; it takes {expected}")]
    UnfitValue {
        /// Where.
        place: Place,
        /// Section and key.
        key: String,
        /// What stands there.
        found: String,
        /// What may stand there.
        expected: String,
    },
    /// Two listeners on one address and port.
    #[error("{}: plain.listen and link.listen are both {address}; give one another port", file.display())]
    OneAddressTwice {
        /// The file, as it was named.
        file: PathBuf,
        /// The address.
        address: std::net::SocketAddr,
    },
}

/// What was probably meant by an unknown name.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Hint {
    /// A known name spelled almost alike.
    Nearest(String),
    /// A known name that belongs to another section.
    Belongs(&'static str),
    /// Nothing is near; these are known.
    Known(Vec<&'static str>),
}

impl fmt::Display for Hint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nearest(name) => write!(f, "; the nearest known is \"{name}\""),
            Self::Belongs(section) => write!(f, "; it belongs in [{section}]"),
            Self::Known(names) => write!(f, "; known: {}", names.join(", ")),
        }
    }
}
