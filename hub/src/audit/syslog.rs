//! An entry as a message of syslog (RFC 5424).

use std::fmt::Write as _;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::Exported;

/// Facility 13, log audit; severity 5, notice.
const PRIORITY: u8 = 13 * 8 + 5;

/// The number that RFC 5612 keeps for what has none of its own.
const DATA: &str = "audit@32473";

/// One message, without an end: `host` is this machine's name.
#[must_use]
pub fn line(exported: &Exported<'_>, host: &str) -> String {
    let event = exported.event;
    let seconds = i64::try_from(event.at.0).unwrap_or(i64::MAX);
    let at = OffsetDateTime::from_unix_timestamp(seconds).ok();
    let at = at.and_then(|at| at.format(&Rfc3339).ok()).unwrap_or_else(|| String::from("-"));
    let (host, what) = (word(host, 255), word(&event.what, 32));
    let mut line = format!("<{PRIORITY}>1 {at} {host} cellular-hub - {what} [{DATA}");
    let source = event.source.map(|source| source.to_string());
    let parameters = [
        ("number", Some(exported.number.to_string())),
        ("who", Some(event.who.clone())),
        ("source", source),
        ("subject", Some(event.subject.clone())),
        ("tenant", event.tenant.as_ref().map(ToString::to_string)),
        ("digest", Some(exported.digest.to_string())),
        ("previous", Some(exported.previous.to_string())),
    ];
    for (name, value) in parameters {
        let Some(value) = value else { continue };
        // Writing to a String does not fail.
        let _ = write!(line, " {name}=\"{}\"", escaped(&value));
    }
    let detail: String = event.detail.chars().filter(|letter| !letter.is_control()).collect();
    // A byte order mark says that what follows is UTF-8.
    line + "] \u{feff}" + &detail
}

/// Visible ASCII alone, and not too much of it.
fn word(text: &str, max: usize) -> String {
    let letters = text.chars().filter(char::is_ascii_graphic).take(max);
    Some(letters.collect::<String>()).filter(|word| !word.is_empty()).unwrap_or_else(|| "-".into())
}

/// RFC 5424 6.3.3; what would end a line is left out.
fn escaped(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len());
    for letter in value.chars().filter(|letter| !letter.is_control()) {
        if matches!(letter, '"' | '\\' | ']') {
            escaped.push('\\');
        }
        escaped.push(letter);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use storage::{AuditDigest, AuditEvent, UnixSeconds};

    use super::*;

    fn event() -> AuditEvent {
        AuditEvent {
            at: UnixSeconds(1_700_000_000),
            who: String::from("user:anna"),
            source: Some("10.0.0.1".parse().unwrap()),
            what: String::from("board.block"),
            subject: String::from("CB-1"),
            tenant: Some("acme".parse().unwrap()),
            detail: String::from("{\"reason\":\"lost\"}"),
        }
    }

    fn exported(event: &AuditEvent) -> Exported<'_> {
        let (digest, previous) = (AuditDigest([0xab; 32]), AuditDigest([0; 32]));
        Exported { number: 7, digest, previous, event }
    }

    #[test]
    fn a_message_reads_as_the_standard_has_it() {
        let said = line(&exported(&event()), "hub.example.com");
        let (ab, zeros) = ("ab".repeat(32), "00".repeat(32));
        let expected = format!(
            "<109>1 2023-11-14T22:13:20Z hub.example.com cellular-hub - board.block [audit@32473 \
             number=\"7\" who=\"user:anna\" source=\"10.0.0.1\" subject=\"CB-1\" tenant=\"acme\" \
             digest=\"{ab}\" previous=\"{zeros}\"] \u{feff}{{\"reason\":\"lost\"}}"
        );
        assert_eq!(said, expected);
        let odd = AuditEvent { subject: String::from("a\"b\\c]d\ne"), ..event() };
        assert!(line(&exported(&odd), "").contains("subject=\"a\\\"b\\\\c\\]de\""));
        assert!(line(&exported(&odd), " ").contains("Z - cellular-hub"));
    }

    proptest! {
        #[test]
        fn no_text_makes_a_second_message(
            who in any::<String>(), what in any::<String>(), subject in any::<String>(),
            detail in any::<String>(), at in any::<u64>(), host in any::<String>(),
        ) {
            let at = UnixSeconds(at);
            let said = AuditEvent { at, who, what, subject, detail, ..event() };
            let said = line(&exported(&said), &host);
            prop_assert!(!said.contains(['\n', '\r', '\0']));
            prop_assert!(said.starts_with("<109>1 "));
        }
    }
}
