//! What is known about each key: its name, meaning, kind, range and default.
//!
//! Invariant: a section's struct, its defaults and its documentation come out of one `section!`,
//! so none of them can drift from the others.

use std::net::SocketAddr;
use std::path::PathBuf;

/// One table of the file.
#[derive(Clone, Debug)]
pub struct Section {
    /// The table's name.
    pub name: &'static str,
    /// What the table is for, a line an element.
    pub documentation: &'static [&'static str],
    /// Its keys, in the order they are printed.
    pub keys: Vec<Key>,
}

/// One key of a table.
#[derive(Clone, Debug)]
pub struct Key {
    /// The key's name.
    pub name: &'static str,
    /// What it sets, with unit and danger, a line an element.
    pub documentation: &'static [&'static str],
    /// What values it takes.
    pub kind: Kind,
}

/// What values a key takes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Kind {
    /// `true` or `false`.
    Switch,
    /// A whole number from `min` to `max`, both included.
    Integer {
        /// The least allowed.
        min: i64,
        /// The most allowed.
        max: i64,
    },
    /// A path; relative ones count from the folder of the configuration file.
    Path,
    /// Text that is not empty.
    Text,
    /// An IP address with a port.
    Address,
    /// One of a few words.
    Choice(&'static [&'static str]),
    /// A log level, or a list of `target=level`.
    LogFilter,
}

impl Kind {
    pub(super) fn within(self, min: i64, max: i64) -> Self {
        match self {
            Self::Integer { .. } => Self::Integer { min, max },
            other @ (Self::Switch
            | Self::Path
            | Self::Text
            | Self::Address
            | Self::Choice(_)
            | Self::LogFilter) => other,
        }
    }
}

/// A type that a key can have.
pub(super) trait Setting {
    /// The values it takes when the section says nothing narrower.
    const KIND: Kind;
}

impl Setting for bool {
    const KIND: Kind = Kind::Switch;
}
impl Setting for u8 {
    const KIND: Kind = Kind::Integer { min: 0, max: u8::MAX as i64 };
}
impl Setting for u16 {
    const KIND: Kind = Kind::Integer { min: 0, max: u16::MAX as i64 };
}
impl Setting for u32 {
    const KIND: Kind = Kind::Integer { min: 0, max: u32::MAX as i64 };
}
impl Setting for u64 {
    const KIND: Kind = Kind::Integer { min: 0, max: i64::MAX };
}
impl Setting for usize {
    const KIND: Kind = Kind::Integer { min: 0, max: i64::MAX };
}
impl Setting for PathBuf {
    const KIND: Kind = Kind::Path;
}
impl Setting for String {
    const KIND: Kind = Kind::Text;
}
impl Setting for SocketAddr {
    const KIND: Kind = Kind::Address;
}

/// A section's struct with its defaults, and what is known about each of its keys.
macro_rules! section {
    (
        $(#[doc = $about:literal])+
        pub struct $name:ident in $table:literal {
            $(
                $(#[doc = $meaning:literal])+
                pub $key:ident: $type:ty = $default:expr $(, from $min:literal to $max:literal)?;
            )+
        }
    ) => {
        $(#[doc = $about])+
        #[derive(Clone, Debug, PartialEq, serde::Deserialize, serde::Serialize)]
        #[serde(deny_unknown_fields, default)]
        pub struct $name {
            $($(#[doc = $meaning])+ pub $key: $type,)+
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $($key: $default,)+ }
            }
        }

        impl $name {
            pub(super) fn section() -> $crate::config::Section {
                use $crate::config::key::Setting as _;
                $crate::config::Section {
                    name: $table,
                    documentation: &[$($about),+],
                    keys: vec![$($crate::config::Key {
                        name: stringify!($key),
                        documentation: &[$($meaning),+],
                        kind: <$type>::KIND$(.within($min, $max))?,
                    }),+],
                }
            }
        }
    };
}

pub(super) use section;
