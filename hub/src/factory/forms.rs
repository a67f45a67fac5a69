//! The forms in which signing requests come from boards and their testers: DER, PEM, base64, JSON
//! lines, and what the modem of an nRF9160 answers to AT%KEYGEN.
//!
//! Invariant: pure; any bytes are answered, and what is not understood is named with its line.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// Characters of the longest line that is looked at.
const LINE_MAX: usize = 64 * 1024;

const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

/// A signing request, not read yet.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Found {
    /// The hardware id that stands beside it.
    pub id: Option<String>,
    /// Its DER, so the sender says.
    pub der: Vec<u8>,
}

/// Why a line gives no request.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum FormError {
    /// It is none of the forms.
    #[error("this is no signing request in PEM, base64, JSON or as %KEYGEN answers it")]
    Unknown,
    /// A PEM block without its end.
    #[error("the PEM block has no end")]
    Endless,
    /// A %KEYGEN answer that is not about a request.
    #[error(
        "this %KEYGEN answer holds no signing request; ask for one: AT%KEYGEN=<sec_tag>,2,0,\"CN=<id>\""
    )]
    NoRequest,
}

/// Reads lines, however many make a request.
#[derive(Debug, Default)]
pub struct Reader {
    /// The base64 of the PEM block that has begun.
    block: Option<String>,
}

#[derive(serde::Deserialize)]
struct Line {
    id: Option<String>,
    csr: String,
}

impl Reader {
    /// What the next line gives; nothing for lines that say nothing.
    pub fn line(&mut self, line: &str) -> Option<Result<Found, FormError>> {
        let line = line.trim().trim_start_matches('\u{feff}');
        if line.len() > LINE_MAX {
            return Some(Err(FormError::Unknown));
        }
        if let Some(block) = &mut self.block {
            if line.starts_with("-----END ") {
                let block = self.block.take().unwrap_or_default();
                return Some(standard(&block).map(nameless));
            }
            if line.starts_with("-----") || block.len() > LINE_MAX {
                self.block = None;
                return Some(Err(FormError::Endless));
            }
            block.push_str(line);
            return None;
        }
        if line.starts_with("-----BEGIN ") && line.contains("CERTIFICATE REQUEST") {
            self.block = Some(String::new());
            return None;
        }
        if line.starts_with('{') {
            return Some(json(line));
        }
        if line.contains("%KEYGEN:") {
            return Some(keygen(line).map(nameless));
        }
        let says_nothing = line.is_empty()
            || line.starts_with('#')
            || line == "OK"
            || line.get(..2).is_some_and(|start| start.eq_ignore_ascii_case("AT"))
                && line.contains('%');
        if says_nothing { None } else { Some(standard(line).map(nameless)) }
    }

    /// What is wrong when there are no more lines.
    pub fn end(&mut self) -> Option<FormError> {
        self.block.take().map(|_| FormError::Endless)
    }
}

fn nameless(der: Vec<u8>) -> Found {
    Found { id: None, der }
}

fn json(line: &str) -> Result<Found, FormError> {
    let Line { id, csr } = serde_json::from_str(line).map_err(|_| FormError::Unknown)?;
    // The same forms again, but no JSON in JSON.
    let mut reader = Reader::default();
    let lines = csr.lines().filter(|line| !line.trim_start().starts_with('{'));
    let found = lines.filter_map(|line| reader.line(line)).next().ok_or(FormError::Unknown)??;
    Ok(Found { id, der: found.der })
}

/// `%KEYGEN: "Base64Url(CSR_DER).Base64Url(cose_sign)"`
fn keygen(line: &str) -> Result<Vec<u8>, FormError> {
    let (_, answer) = line.split_once("%KEYGEN:").ok_or(FormError::Unknown)?;
    let answer = answer.trim().trim_matches('"');
    let request = answer.split('.').next().unwrap_or_default();
    let der = URL_SAFE.decode(request.trim_end_matches('=')).map_err(|_| FormError::Unknown)?;
    // Public keys come as CBOR.
    if der.first() == Some(&0x30) { Ok(der) } else { Err(FormError::NoRequest) }
}

fn standard(text: &str) -> Result<Vec<u8>, FormError> {
    let der = STANDARD.decode(text).map_err(|_| FormError::Unknown)?;
    if der.first() == Some(&0x30) { Ok(der) } else { Err(FormError::Unknown) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DER: [u8; 5] = [0x30, 3, 2, 1, 0xfb];

    fn all(text: &str) -> Vec<Result<Found, FormError>> {
        let mut reader = Reader::default();
        let mut found: Vec<_> = text.lines().filter_map(|line| reader.line(line)).collect();
        found.extend(reader.end().map(Err));
        found
    }

    fn named(id: Option<&str>) -> Result<Found, FormError> {
        Ok(Found { id: id.map(str::to_owned), der: DER.to_vec() })
    }

    #[test]
    fn every_form_gives_its_request() {
        let base64 = "MAMCAfs=";
        let pem =
            "-----BEGIN CERTIFICATE REQUEST-----\nMAMC\nAfs=\n-----END CERTIFICATE REQUEST-----\n";
        assert_eq!(all(base64), [named(None)]);
        assert_eq!(all(&format!("{pem}\n# one more\n{pem}")), [named(None), named(None)]);
        assert_eq!(
            all(&format!("{{\"id\":\"CB-1\",\"csr\":\"{base64}\"}}")),
            [named(Some("CB-1"))]
        );
        let inside = serde_json::to_string(pem).unwrap();
        assert_eq!(all(&format!("{{\"csr\":{inside}}}")), [named(None)]);
        let modem =
            "AT%KEYGEN=16842753,2,0,\"CN=CB-1\"\r\n%KEYGEN: \"MAMCAfs.0oRDoQEm\"\r\n\r\nOK\r\n";
        assert_eq!(all(modem), [named(None)]);
    }

    #[test]
    fn what_is_no_request_is_named() {
        assert_eq!(all("%KEYGEN: \"omlkZXZpY2U.0oRDoQEm\""), [Err(FormError::NoRequest)]);
        assert_eq!(all("ERROR!"), [Err(FormError::Unknown)]);
        assert_eq!(all("{\"id\":1}"), [Err(FormError::Unknown)]);
        assert_eq!(all("-----BEGIN CERTIFICATE REQUEST-----\nMAMC"), [Err(FormError::Endless)]);
    }

    proptest! {
        #[test]
        fn any_text_is_answered(text in any::<String>()) {
            let _ = all(&text);
            let _ = all(&format!("%KEYGEN: \"{text}"));
            let _ = all(&format!("-----BEGIN CERTIFICATE REQUEST-----\n{text}"));
        }
    }
}
