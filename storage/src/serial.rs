//! A certificate's serial number.

use std::fmt;

use bincode::{Decode, Encode};
use serde::{Serialize, Serializer};

/// A certificate's serial number, among those of its issuer: big-endian, without leading zeros.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct Serial(Vec<u8>);

impl Serial {
    /// The number that these bytes are, big-endian.
    #[must_use]
    pub fn new(number: &[u8]) -> Self {
        let zeros = number.iter().take_while(|byte| **byte == 0).count();
        Self(number.get(zeros..).unwrap_or_default().to_vec())
    }

    /// Its bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Serial({self})")
    }
}

impl Serialize for Serial {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
