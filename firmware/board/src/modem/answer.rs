//! What a modem answers, and what it says unasked. Each is one line or a few, as text.
//!
//! Never trusted: what is not understood is `None`.

use alloc::vec::Vec;

use super::base64::from_base64url;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// `OK`.
    Done,
    /// `ERROR`, or `+CME ERROR` with its number.
    Failed(Option<u16>),
}

/// An answer: what stands in front of its end, and the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answered<'t> {
    /// The lines before it.
    pub said: &'t str,
    /// How it ended.
    pub outcome: Outcome,
}

impl<'t> Answered<'t> {
    /// Divides a whole answer; `None` while its end is missing.
    pub fn parse(text: &'t str) -> Option<Self> {
        let text = text.trim_end();
        let at = text.rfind(['\r', '\n']).map_or(0, |at| at + 1);
        let (said, last) = text.split_at_checked(at)?;
        let outcome = match last {
            "OK" => Outcome::Done,
            "ERROR" => Outcome::Failed(None),
            _ => {
                let (_, number) = last.split_once("ERROR: ")?;
                Outcome::Failed(number.parse().ok())
            }
        };
        Some(Self { said: said.trim(), outcome })
    }
}

/// Whether a line is one that a modem says unasked, where nothing was asked that it could answer.
pub fn is_notification(line: &str) -> bool {
    line.starts_with(['+', '%']) && line.contains(": ")
}

/// Which radio.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// LTE-M (7).
    LteM,
    /// NB-IoT (9).
    NbIot,
}

/// Where a board stands with its network (`+CEREG`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registration {
    /// Not attached, and not trying.
    None,
    /// Trying.
    Searching,
    /// The network refused, and will refuse again.
    Denied,
    /// No answer about it can be had: out of coverage.
    Unknown,
    /// The SIM fails.
    NoSim,
    /// Attached.
    Attached {
        /// In somebody else's network.
        is_roaming: bool,
        /// The cell's number.
        cell: Option<u32>,
        /// On which radio.
        access: Option<Access>,
    },
}

/// Where a board stands, out of a notification (`+CEREG: 1,...`) or an answer (`+CEREG: 5,1,...`).
pub fn registration(line: &str) -> Option<Registration> {
    let rest = line.trim().strip_prefix("+CEREG: ")?;
    let mut fields: Vec<&str> = rest.split(',').map(str::trim).collect();
    // In an answer the kind of notifications that are on comes first: the state is never followed by another
    // bare number, but by a text or nothing.
    if fields.len() > 1 && fields.get(1).is_some_and(|second| second.parse::<u8>().is_ok()) {
        fields.remove(0);
    }
    let cell = fields.get(2).and_then(|text| u32::from_str_radix(text.trim_matches('"'), 16).ok());
    let access = match fields.get(3).copied() {
        Some("7") => Some(Access::LteM),
        Some("9") => Some(Access::NbIot),
        _ => None,
    };
    match fields.first()?.parse::<u8>().ok()? {
        0 => Some(Registration::None),
        1 => Some(Registration::Attached { is_roaming: false, cell, access }),
        2 => Some(Registration::Searching),
        3 => Some(Registration::Denied),
        4 => Some(Registration::Unknown),
        5 => Some(Registration::Attached { is_roaming: true, cell, access }),
        90 => Some(Registration::NoSim),
        _ => None,
    }
}

/// The signal, RSRP in dBm: out of `+CESQ` (the last of six numbers) or `%CESQ` (the first of four).
pub fn rsrp_dbm(line: &str) -> Option<i16> {
    const INDEX_MAX: i16 = 97;
    let line = line.trim();
    let index = match line.strip_prefix("%CESQ: ") {
        Some(rest) => rest.split(',').next()?,
        None => line.strip_prefix("+CESQ: ")?.split(',').nth(5)?,
    };
    let index = index.trim().parse::<i16>().ok()?;
    // 0 is "below -140", 97 "-44 or above" (TS 27.007, 8.69); 255 is "not known".
    (0..=INDEX_MAX).contains(&index).then(|| index - 141)
}

/// Millivolts at the modem's supply (`%XVBAT`).
pub fn battery_mv(line: &str) -> Option<u16> {
    const PLAUSIBLE: core::ops::RangeInclusive<u16> = 1_000..=6_000;
    let millivolts = line.trim().strip_prefix("%XVBAT: ")?.trim().parse().ok()?;
    PLAUSIBLE.contains(&millivolts).then_some(millivolts)
}

/// Degrees Celsius within the modem (`%XTEMP`).
pub fn temperature(line: &str) -> Option<i16> {
    let rest = line.trim().strip_prefix("%XTEMP: ")?;
    let degrees = rest.rsplit(',').next()?.trim().parse().ok()?;
    (-60..=150).contains(&degrees).then_some(degrees)
}

/// The modem's serial number (`+CGSN=1`): an IMEI of 15 digits.
pub fn serial_number(line: &str) -> Option<&str> {
    let number = line.trim().strip_prefix("+CGSN: ")?.trim().trim_matches('"');
    (number.len() == 15 && number.bytes().all(|digit| digit.is_ascii_digit())).then_some(number)
}

/// The signing request (PKCS #10, DER) out of `%KEYGEN`: base64, and behind a dot the modem's signature over
/// it, which only Nordic's own service looks at.
pub fn certificate_request(line: &str) -> Option<Vec<u8>> {
    let quoted = line.trim().strip_prefix("%KEYGEN: \"")?.strip_suffix('"')?;
    let request = quoted.split_once('.').map_or(quoted, |(request, _)| request);
    let der = from_base64url(request)?;
    // A sequence, and nothing behind it: what the hub would refuse need not be sent.
    let (0x30, 0x82, [high, low, content @ ..]) = (*der.first()?, *der.get(1)?, der.get(2..)?)
    else {
        return short_sequence(&der).then_some(der);
    };
    let length = usize::from(u16::from_be_bytes([*high, *low]));
    (content.len() == length).then_some(der)
}

fn short_sequence(der: &[u8]) -> bool {
    match der {
        [0x30, 0x81, length, content @ ..] => content.len() == usize::from(*length),
        [0x30, length @ 0..=0x7f, content @ ..] => content.len() == usize::from(*length),
        _ => false,
    }
}

/// What a security tag can hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CredentialKind {
    /// The certificate that the hub's leads to.
    Root,
    /// The board's certificate.
    Certificate,
    /// Its key.
    Key,
}

impl CredentialKind {
    /// Its number in `%CMNG`.
    pub fn number(self) -> u8 {
        match self {
            Self::Root => 0,
            Self::Certificate => 1,
            Self::Key => 2,
        }
    }
}

/// Something that the modem keeps under a security tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The tag.
    pub tag: u32,
    /// What.
    pub kind: CredentialKind,
}

/// What the modem keeps, out of the lines of `%CMNG=1`; other kinds are left out.
pub fn kept_credentials(said: &str) -> Vec<Kept> {
    const MOST: usize = 64;
    let line = |line: &str| {
        let mut fields = line.trim().strip_prefix("%CMNG: ")?.split(',');
        let tag = fields.next()?.trim().parse().ok()?;
        let kind = match fields.next()?.trim() {
            "0" => CredentialKind::Root,
            "1" => CredentialKind::Certificate,
            "2" => CredentialKind::Key,
            _ => return None,
        };
        Some(Kept { tag, kind })
    };
    said.lines().filter_map(line).take(MOST).collect()
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use ::base64::prelude::*;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_answer_is_divided_at_its_end() {
        let answered = Answered::parse("%XVBAT: 3600\r\nOK\r\n").map(|a| (a.said, a.outcome));
        assert_eq!(answered, Some(("%XVBAT: 3600", Outcome::Done)));
        let said = |text| Answered::parse(text).map(|answered| answered.outcome);
        assert_eq!(said("OK\r\n"), Some(Outcome::Done));
        assert_eq!(said("ERROR\r\n"), Some(Outcome::Failed(None)));
        assert_eq!(said("+CME ERROR: 518\r\n"), Some(Outcome::Failed(Some(518))));
        assert_eq!(said("%XVBAT: 3600\r\n"), None);
    }

    #[test]
    fn a_registration_is_read_from_notifications_and_answers_alike() {
        let (cell, access) = (Some(0x0123_4567), Some(Access::NbIot));
        let attached = Registration::Attached { is_roaming: true, cell, access };
        assert_eq!(registration("+CEREG: 5,\"002F\",\"01234567\",9"), Some(attached));
        assert_eq!(registration("+CEREG: 5,5,\"002F\",\"01234567\",9,,,\"1\""), Some(attached));
        assert_eq!(registration("+CEREG: 2"), Some(Registration::Searching));
        assert_eq!(registration("+CEREG: 3,\"002F\""), Some(Registration::Denied));
        assert_eq!(registration("+CEREG: 90"), Some(Registration::NoSim));
        assert_eq!(registration("+CEREG: 1,0"), Some(Registration::None));
        assert_eq!(registration("+CREG: 1"), None);
    }

    #[test]
    fn a_signal_is_in_dbm_or_not_known() {
        assert_eq!(rsrp_dbm("+CESQ: 99,99,255,255,20,53"), Some(-88));
        assert_eq!(rsrp_dbm("%CESQ: 53,2,20,3"), Some(-88));
        assert_eq!(rsrp_dbm("+CESQ: 99,99,255,255,255,255"), None);
    }

    #[test]
    fn measurements_are_read_where_they_make_sense() {
        assert_eq!(battery_mv("%XVBAT: 3617"), Some(3617));
        assert_eq!(battery_mv("%XVBAT: 70000"), None);
        assert_eq!(temperature("%XTEMP: 27"), Some(27));
        assert_eq!(temperature("%XTEMP: 1,-5"), Some(-5));
        assert_eq!(serial_number("+CGSN: \"352656100367872\""), Some("352656100367872"));
        assert_eq!(serial_number("+CGSN: \"3526561003678\""), None);
    }

    #[test]
    fn credentials_are_listed_by_tag_and_kind() {
        let said = "%CMNG: 4201,0,\"2C43\"\r\n%CMNG: 4201,2,\"00\"\r\n%CMNG: 9,4,\"00\"\r\nrubbish";
        let kept = [
            Kept { tag: 4201, kind: CredentialKind::Root },
            Kept { tag: 4201, kind: CredentialKind::Key },
        ];
        assert_eq!(kept_credentials(said), kept);
    }

    /// A sequence with so many bytes in it.
    fn sequence(content: &[u8]) -> Vec<u8> {
        let length = u16::try_from(content.len()).unwrap_or_default().to_be_bytes();
        let mut der = match content.len() {
            0..0x80 => alloc::vec![0x30, length[1]],
            0x80..0x100 => alloc::vec![0x30, 0x81, length[1]],
            _ => alloc::vec![0x30, 0x82, length[0], length[1]],
        };
        der.extend_from_slice(content);
        der
    }

    proptest! {
        #[test]
        fn a_request_is_what_the_modem_encoded(content in prop::collection::vec(any::<u8>(), 0..900)) {
            let der = sequence(&content);
            let encoded = BASE64_URL_SAFE_NO_PAD.encode(&der);
            let line = format!("%KEYGEN: \"{encoded}.0oRDoQEmoQRB\"");
            prop_assert_eq!(certificate_request(&line), Some(der.clone()));
            let cut = BASE64_URL_SAFE_NO_PAD.encode(&der[..der.len() - 1]);
            prop_assert_eq!(certificate_request(&format!("%KEYGEN: \"{cut}.x\"")), None);
        }

        #[test]
        fn nothing_that_a_modem_says_is_too_much(text in "\\PC{0,80}", prefix in 0..8_usize) {
            let prefixes =
                ["+CEREG: ", "%CESQ: ", "+CESQ: ", "%XVBAT: ", "%XTEMP: ", "+CGSN: ", "%KEYGEN: \"", "%CMNG: "];
            let line = format!("{}{text}", prefixes[prefix]);
            let _ = (registration(&line), rsrp_dbm(&line), battery_mv(&line), temperature(&line));
            let _ = (serial_number(&line), certificate_request(&line), kept_credentials(&line));
            let _ = (Answered::parse(&line), is_notification(&line));
        }
    }
}
