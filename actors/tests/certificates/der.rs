//! DER by hand: a library would write no certificate that is wrong.

/// A value with its tag and length.
pub fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut der = vec![tag];
    match content.len() {
        length @ ..0x80 => der.push(u8::try_from(length).unwrap()),
        length => {
            let bytes = length.to_be_bytes();
            let bytes = &bytes[bytes.iter().take_while(|byte| **byte == 0).count()..];
            der.push(0x80 | u8::try_from(bytes.len()).unwrap());
            der.extend(bytes);
        }
    }
    der.extend(content);
    der
}

pub fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    tlv(0x30, &parts.concat())
}

pub fn oid(text: &str) -> Vec<u8> {
    openssl::asn1::Asn1Object::from_str(text).map(|oid| tlv(0x06, oid.as_slice())).unwrap()
}

pub fn bits(content: &[u8]) -> Vec<u8> {
    tlv(0x03, &[&[0], content].concat())
}

/// An INTEGER that is not negative.
pub fn integer(bytes: &[u8]) -> Vec<u8> {
    let digits = &bytes[bytes.iter().take_while(|byte| **byte == 0).count()..];
    let pad: &[u8] = if digits.first().is_none_or(|byte| byte & 0x80 != 0) { &[0] } else { &[] };
    tlv(0x02, &[pad, digits].concat())
}

/// Where a value is in a document.
#[derive(Clone, Copy, Debug)]
pub struct Node {
    pub start: usize,
    pub content: usize,
    pub end: usize,
}

impl Node {
    pub fn whole(self) -> std::ops::Range<usize> {
        self.start..self.end
    }
}

/// Every value of a document, with those inside of others, OCTET and BIT STRINGs too where they hold some.
pub fn nodes(der: &[u8]) -> Vec<Node> {
    let mut found = Vec::new();
    gather(der, 0, der.len(), &mut found);
    found
}

/// Whether all from `at` to `end` is values.
fn gather(der: &[u8], mut at: usize, end: usize, found: &mut Vec<Node>) -> bool {
    while at < end {
        let Some(node) = node_at(der, at, end) else { return false };
        let before = found.len();
        found.push(node);
        let tag = der[at];
        let inside = match tag {
            0x04 => node.content,
            0x03 => node.content + 1,
            _ if tag & 0x20 != 0 => node.content,
            _ => node.end,
        };
        if !gather(der, inside, node.end, found) {
            found.truncate(before + 1);
        }
        at = node.end;
    }
    at == end
}

fn node_at(der: &[u8], start: usize, end: usize) -> Option<Node> {
    let (first, content) = (usize::from(*der.get(start + 1)?), start + 2);
    let (length, content) = match first {
        ..=0x7f => (first, content),
        0x81..=0x83 => {
            let after = content + (first & 0x7f);
            let bytes = der.get(content..after)?;
            (bytes.iter().fold(0, |n, byte| n << 8 | usize::from(*byte)), after)
        }
        _ => return None,
    };
    (content + length <= end).then_some(Node { start, content, end: content + length })
}
