//! A certificate's fingerprint. Knows no certificate: whoever holds the DER makes the digest.

use std::fmt;
use std::str::FromStr;

/// SHA-256 over the DER of a board's certificate.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, bincode::Encode, bincode::Decode)]
pub struct Fingerprint(pub [u8; 32]);

/// A text that is not 32 bytes in hexadecimal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a fingerprint is 64 hexadecimal digits, with or without a colon between the bytes")]
pub struct InvalidFingerprint;

impl Fingerprint {
    /// The digest's bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl From<[u8; 32]> for Fingerprint {
    fn from(digest: [u8; 32]) -> Self {
        Self(digest)
    }
}

impl FromStr for Fingerprint {
    type Err = InvalidFingerprint;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let stride = if text.contains(':') { 3 } else { 2 };
        if text.len() != 32 * stride - (stride - 2) {
            return Err(InvalidFingerprint);
        }
        let mut digest = [0; 32];
        for (byte, pair) in digest.iter_mut().zip(text.as_bytes().chunks(stride)) {
            let (high, low) = match *pair {
                [high, low] | [high, low, b':'] => (high, low),
                _ => return Err(InvalidFingerprint),
            };
            *byte = nibble(high)? << 4 | nibble(low)?;
        }
        Ok(Self(digest))
    }
}

fn nibble(digit: u8) -> Result<u8, InvalidFingerprint> {
    match digit {
        b'0'..=b'9' => Ok(digit - b'0'),
        b'a'..=b'f' => Ok(digit - b'a' + 10),
        b'A'..=b'F' => Ok(digit - b'A' + 10),
        _ => Err(InvalidFingerprint),
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

impl serde::Serialize for Fingerprint {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Fingerprint {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_reads_back_what_it_shows_with_and_without_colons() {
        let digest = Fingerprint(std::array::from_fn(|i| u8::try_from(i * 7).unwrap()));
        let plain = digest.to_string();
        assert_eq!(plain.parse(), Ok(digest));
        let colons: Vec<_> = digest.0.iter().map(|b| format!("{b:02X}")).collect();
        assert_eq!(colons.join(":").parse(), Ok(digest));
    }

    #[test]
    fn anything_else_is_refused() {
        let digits = "0".repeat(64);
        let bad = [
            String::new(),
            digits[1..].to_owned(),
            format!("{digits}0"),
            digits.replacen('0', "g", 1),
            format!("{}:{}", &digits[..31], &digits[32..]),
            "00:".repeat(32),
            "é".repeat(32),
        ];
        for text in bad {
            assert_eq!(text.parse::<Fingerprint>(), Err(InvalidFingerprint), "{text:?}");
        }
    }
}
