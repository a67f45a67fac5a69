//! The Echo option (RFC 9175): what a hub asks for in a 4.01, and a POST that carries it.

const HEADER: usize = 4;
const MARKER: u8 = 0xFF;
const UNAUTHORIZED: u8 = 0x81;
/// Delta from Content-Format (12) to Echo (252), less the 13 of the extended form.
const DELTA_FROM_CONTENT_FORMAT: u8 = 227;
const ECHO: u16 = 252;

/// The value that a message of the hub asks for; none where it asks for nothing.
#[must_use]
pub fn asked(message: &[u8]) -> Option<&[u8]> {
    let (&[head, code, ..], rest) = message.split_first_chunk::<HEADER>()?;
    if code != UNAUTHORIZED {
        return None;
    }
    let mut rest = rest.get(usize::from(head & 15)..)?;
    let mut number = 0_u16;
    while let Some((&first, after)) = rest.split_first().filter(|(first, _)| **first != MARKER) {
        let (delta, after) = extended(first >> 4, after)?;
        let (length, after) = extended(first & 15, after)?;
        let (value, after) = after.split_at_checked(usize::from(length))?;
        number = number.checked_add(delta)?;
        if number == ECHO {
            return Some(value);
        }
        rest = after;
    }
    None
}

fn extended(nibble: u8, rest: &[u8]) -> Option<(u16, &[u8])> {
    match (nibble, rest) {
        (0..13, _) => Some((u16::from(nibble), rest)),
        (13, [byte, rest @ ..]) => Some((u16::from(*byte) + 13, rest)),
        (14, [high, low, rest @ ..]) => {
            Some((u16::from_be_bytes([*high, *low]).checked_add(269)?, rest))
        }
        _ => None,
    }
}

/// Puts the value, of at most twelve bytes, into a POST as [`Post`](super::coap::Post) writes them:
/// a token of two bytes, Content-Format its last option, then the payload.
pub fn give(echo: &[u8], post: &mut Vec<u8>) {
    let options = HEADER + 2;
    let marker = post.iter().skip(options).position(|byte| *byte == MARKER);
    let at = marker.map_or(post.len(), |marker| options + marker);
    let echo = echo.get(..12).unwrap_or(echo);
    let length = u8::try_from(echo.len()).unwrap_or(0);
    let option = [0xD0 | length, DELTA_FROM_CONTENT_FORMAT];
    post.splice(at..at, option.into_iter().chain(echo.iter().copied()));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::coap::Post;

    #[test]
    fn what_is_asked_for_is_given_before_the_payload() {
        let challenge = [0x62, 0x81, 1, 2, 1, 2, 0xD8, 239, 1, 2, 3, 4, 5, 6, 7, 8];
        let echo = asked(&challenge).unwrap();
        assert_eq!(echo, [1, 2, 3, 4, 5, 6, 7, 8]);
        let mut post = Vec::new();
        Post::new("t", 1).write(0xFFFF, &mut post);
        give(echo, &mut post);
        assert_eq!(
            post,
            *b"\x42\x02\xff\xff\xff\xff\xb1t\x11\x2a\xd8\xe3\x01\x02\x03\x04\x05\x06\x07\x08\xffr"
        );
    }

    #[test]
    fn other_answers_and_broken_ones_ask_for_nothing() {
        for message in [
            &[0x62, 0x44, 1, 2, 1, 2, 0xD8, 239, 1, 2, 3, 4, 5, 6, 7, 8][..],
            &[0x62, 0x81, 1, 2, 1, 2],
            &[0x62, 0x81, 1, 2, 1, 2, 0xD8, 239, 1, 2],
            &[0x62, 0x81, 1, 2, 1, 2, 0xFF, 0xD8, 239],
            &[0x62, 0x81, 1],
        ] {
            assert_eq!(asked(message), None, "{message:02x?}");
        }
    }
}
