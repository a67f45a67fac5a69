//! One reading as SenML sees it (RFC 8428, section 4).

use core::fmt;

/// One measurement to send, or one found in a pack.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reading<'a> {
    /// Appended to the pack's base name; may be empty when that alone names the reading.
    pub name: &'a str,
    /// A unit of the SenML registry, such as `Cel`, `V` or `dBm`.
    pub unit: Option<&'a str>,
    /// What was measured.
    pub value: Value<'a>,
    /// Seconds, relative to the pack's base time. Below 2^28 it is relative to now
    /// (RFC 8428, section 4.5.3), above it is Unix time.
    pub time: Option<f64>,
}

/// A reading's value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    /// A finite number; written in four bytes where that loses nothing.
    F64(f64),
    /// A whole number, written in as few bytes as it needs.
    I64(i64),
    /// A switch or an alarm.
    Bool(bool),
    /// Text.
    Text(&'a str),
    /// Bytes.
    Data(&'a [u8]),
}

/// A reading out of a pack, with the base fields that apply to it already resolved.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NamedReading<'a> {
    /// What stands before `reading.name`; empty when the pack has no base name.
    pub base_name: &'a str,
    /// The reading: unit, value and time include the base unit, value and time.
    pub reading: Reading<'a>,
}

impl fmt::Display for NamedReading<'_> {
    /// The full name of the reading.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.base_name)?;
        f.write_str(self.reading.name)
    }
}

/// Whether base name and name together make a SenML name: not empty, a letter or digit first,
/// then letters, digits and `- : . / _` (RFC 8428, section 4.5.1).
pub fn is_name(base_name: &str, name: &str) -> bool {
    let mut bytes = base_name.bytes().chain(name.bytes());
    bytes.next().is_some_and(|first| first.is_ascii_alphanumeric())
        && bytes.all(|b| b.is_ascii_alphanumeric() || b"-:./_".contains(&b))
}
