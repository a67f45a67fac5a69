//! Names, parsed once: whoever holds one need not check it again, and it is safe inside a key, an
//! MQTT topic, a file name or a log line. Nothing here touches the store.

/// A text that is not a valid name: whose rule it broke, and the rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{given:?} is not a valid {what}: {rule}")]
pub struct InvalidName {
    /// The kind of name that was wanted, such as "tenant id".
    pub what: &'static str,
    /// The beginning of the text that was given.
    pub given: String,
    /// The rule, in words.
    pub rule: &'static str,
}

impl InvalidName {
    /// Characters of the refused text that an error repeats.
    const GIVEN_MAX: usize = 80;

    pub(crate) fn new(what: &'static str, given: &str, rule: &'static str) -> Self {
        Self { what, given: given.chars().take(Self::GIVEN_MAX).collect(), rule }
    }
}

/// Declares a newtype over checked text: `FromStr`, `Display`, serde as a string, bincode as a
/// string that is checked again when it is read back.
macro_rules! checked_text {
    ($(#[$doc:meta])* $name:ident, $what:literal, $rule:literal, $check:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(std::sync::Arc<str>);

        impl $name {
            /// The text itself.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::id::InvalidName;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let check: fn(&str) -> bool = $check;
                if !check(text) {
                    return Err($crate::id::InvalidName::new($what, text, $rule));
                }
                Ok(Self(text.into()))
            }
        }

        impl TryFrom<&str> for $name {
            type Error = $crate::id::InvalidName;

            fn try_from(text: &str) -> Result<Self, Self::Error> {
                text.parse()
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(&self.0)
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{}({:?})", stringify!($name), &*self.0)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }

        impl bincode::Encode for $name {
            fn encode<E: bincode::enc::Encoder>(
                &self,
                encoder: &mut E,
            ) -> Result<(), bincode::error::EncodeError> {
                self.as_str().encode(encoder)
            }
        }

        impl<C> bincode::Decode<C> for $name {
            fn decode<D: bincode::de::Decoder<Context = C>>(
                decoder: &mut D,
            ) -> Result<Self, bincode::error::DecodeError> {
                let text: String = bincode::Decode::decode(decoder)?;
                text.parse().map_err(|error: $crate::id::InvalidName| {
                    bincode::error::DecodeError::OtherString(error.to_string())
                })
            }
        }

        bincode::impl_borrow_decode!($name);
    };
}
pub(crate) use checked_text;

checked_text!(
    /// A tenant's name in keys, topics and on the command line: `[a-z0-9][a-z0-9-]{0,31}`.
    TenantId,
    "tenant id",
    "1 to 32 of a-z, 0-9 and '-', not beginning with '-'",
    is_slug
);

checked_text!(
    /// An upstream's name within its tenant: `[a-z0-9][a-z0-9-]{0,31}`.
    UpstreamName,
    "upstream name",
    "1 to 32 of a-z, 0-9 and '-', not beginning with '-'",
    is_slug
);

checked_text!(
    /// A board's hardware id, as in its certificate: `[A-Za-z0-9._:-]{1,32}`.
    BoardId,
    "board id",
    "1 to 32 of A-Z, a-z, 0-9, '.', '_', ':' and '-'",
    |text| is_made_of(text, b"._:-")
);

checked_text!(
    /// A CoAP resource as a board addresses it, without the leading slash: `t`, `r/x`.
    ///
    /// `.` and `..` are no segments (RFC 7252 section 5.10.1) and `.well-known` is the hub's own
    /// (RFC 8615).
    ResourcePath,
    "resource path",
    "1 to 3 segments joined by '/', each 1 to 32 of A-Z, a-z, 0-9, '.', '_' and '-', none of \
     them '.' or '..', the first not '.well-known'",
    is_resource_path
);

const SEGMENTS_MAX: usize = 3;
const LENGTH_MAX: usize = 32;

pub(crate) fn is_slug(text: &str) -> bool {
    (1..=LENGTH_MAX).contains(&text.len())
        && !text.starts_with('-')
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

pub(crate) fn is_made_of(text: &str, punctuation: &[u8]) -> bool {
    (1..=LENGTH_MAX).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || punctuation.contains(&b))
}

fn is_resource_path(text: &str) -> bool {
    !text.starts_with(".well-known/")
        && text != ".well-known"
        && text.split('/').count() <= SEGMENTS_MAX
        && text.split('/').all(|s| is_made_of(s, b"._-") && s != "." && s != "..")
}

/// Seconds since 1970-01-01T00:00:00Z; always given by the caller.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    serde::Serialize,
    serde::Deserialize,
    bincode::Encode,
    bincode::Decode,
)]
#[serde(transparent)]
pub struct UnixSeconds(pub u64);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_within_their_rule_are_kept_as_they_are() {
        assert_eq!("acme-2".parse::<TenantId>().unwrap().to_string(), "acme-2");
        assert_eq!("CB-00:1.x_y".parse::<BoardId>().unwrap().as_str(), "CB-00:1.x_y");
        assert_eq!("r/x.y/Z_1".parse::<ResourcePath>().unwrap().as_str(), "r/x.y/Z_1");
        assert_eq!("0".parse::<UpstreamName>().unwrap().as_str(), "0");
    }

    #[test]
    fn names_outside_their_rule_are_refused() {
        let long = "a".repeat(33);
        for text in ["", "-a", "A", "a_b", "a\0", "ä", long.as_str()] {
            assert!(text.parse::<TenantId>().is_err(), "{text:?}");
            assert!(text.parse::<UpstreamName>().is_err(), "{text:?}");
        }
        for text in ["", "a/b", "a+", "#", "a b", "é", "a\0", long.as_str()] {
            assert!(text.parse::<BoardId>().is_err(), "{text:?}");
        }
        for text in ["", "/t", "t/", "a//b", "a/b/c/d", ".", "a/..", ".well-known/core", "a:b"] {
            assert!(text.parse::<ResourcePath>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_refusal_names_the_rule_and_repeats_only_the_beginning() {
        let error = "X".repeat(10_000).parse::<TenantId>().unwrap_err();
        assert_eq!(error.given.len(), InvalidName::GIVEN_MAX);
        assert!(error.to_string().contains("is not a valid tenant id: 1 to 32 of a-z"));
    }
}
