//! CoAP messages on the wire (RFC 7252 section 3), read where they lie and written once.
//! A reader of our own because coap-lite allocates for every option before anyone can count them
//! (a datagram of empty options costs a hundred times its size) and takes a payload marker with
//! nothing behind it; the tests hold both against each other.
//! Invariant: decoding allocates nothing; what it returns was walked to the last byte.

/// Codes of section 12.1, as they stand in the second byte.
pub mod code {
    /// 0.00
    pub const EMPTY: u8 = 0;
    /// 0.01
    pub const GET: u8 = 1;
    /// 0.02
    pub const POST: u8 = 2;
    /// 0.03
    pub const PUT: u8 = 3;
    /// 2.04
    pub const CHANGED: u8 = 0x44;
    /// 2.05
    pub const CONTENT: u8 = 0x45;
    /// 2.31
    pub const CONTINUE: u8 = 0x5f;
    /// 4.00
    pub const BAD_REQUEST: u8 = 0x80;
    /// 4.01
    pub const UNAUTHORIZED: u8 = 0x81;
    /// 4.02
    pub const BAD_OPTION: u8 = 0x82;
    /// 4.03
    pub const FORBIDDEN: u8 = 0x83;
    /// 4.04
    pub const NOT_FOUND: u8 = 0x84;
    /// 4.05
    pub const METHOD_NOT_ALLOWED: u8 = 0x85;
    /// 4.06
    pub const NOT_ACCEPTABLE: u8 = 0x86;
    /// 4.08
    pub const ENTITY_INCOMPLETE: u8 = 0x88;
    /// 4.13
    pub const ENTITY_TOO_LARGE: u8 = 0x8d;
    /// 4.15
    pub const UNSUPPORTED_FORMAT: u8 = 0x8f;
    /// 4.29
    pub const TOO_MANY_REQUESTS: u8 = 0x9d;
    /// 5.00
    pub const INTERNAL: u8 = 0xa0;
    /// 5.02
    pub const BAD_GATEWAY: u8 = 0xa2;
    /// 5.03
    pub const UNAVAILABLE: u8 = 0xa3;
    /// 5.05
    pub const PROXYING_NOT_SUPPORTED: u8 = 0xa5;
}

/// Option numbers (section 12.2, RFC 7959, RFC 9175).
pub(super) mod option {
    pub(crate) const URI_HOST: u16 = 3;
    pub(crate) const ETAG: u16 = 4;
    pub(crate) const URI_PORT: u16 = 7;
    pub(crate) const URI_PATH: u16 = 11;
    pub(crate) const CONTENT_FORMAT: u16 = 12;
    pub(crate) const MAX_AGE: u16 = 14;
    pub(crate) const URI_QUERY: u16 = 15;
    pub(crate) const ACCEPT: u16 = 17;
    pub(crate) const BLOCK2: u16 = 23;
    pub(crate) const BLOCK1: u16 = 27;
    pub(crate) const SIZE2: u16 = 28;
    pub(crate) const PROXY_URI: u16 = 35;
    pub(crate) const PROXY_SCHEME: u16 = 39;
    pub(crate) const SIZE1: u16 = 60;
    pub(crate) const ECHO: u16 = 252;
    pub(crate) const NO_RESPONSE: u16 = 258;
    pub(crate) const REQUEST_TAG: u16 = 292;
    pub(crate) const RENEW: u16 = wire::OPTION_RENEW;
}

/// The type of a message (section 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Confirmable,
    NonConfirmable,
    Acknowledgement,
    Reset,
}

/// The message id that pairs a message with its ACK or RST.
pub(super) type MessageId = u16;

/// The token that pairs a request with its response: up to eight bytes, held in place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Token {
    len: u8,
    bytes: [u8; 8],
}

impl Token {
    /// None beyond eight bytes.
    pub(super) fn new(from: &[u8]) -> Option<Self> {
        let mut bytes = [0; 8];
        bytes.get_mut(..from.len())?.copy_from_slice(from);
        Some(Self { len: u8::try_from(from.len()).ok()?, bytes })
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }
}

/// Why bytes are no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Malformed {
    /// No header or another version: silently ignored, whatever the type (section 3).
    Foreign,
    /// A format error behind a readable header: a CON is answered with RST (section 4.2).
    Format { kind: Kind, id: MessageId },
}

/// A message whose every option lies inside the datagram.
#[derive(Clone, Copy, Debug)]
pub(super) struct Message<'a> {
    pub(super) kind: Kind,
    pub(super) code: u8,
    pub(super) id: MessageId,
    pub(super) token: Token,
    options: &'a [u8],
    pub(super) payload: &'a [u8],
}

impl<'a> Message<'a> {
    pub(super) fn decode(datagram: &'a [u8]) -> Result<Self, Malformed> {
        let Some((&[first, code, high, low], rest)) = datagram.split_first_chunk() else {
            return Err(Malformed::Foreign);
        };
        if first >> 6 != 1 {
            return Err(Malformed::Foreign);
        }
        let kind = match (first >> 4) & 3 {
            0 => Kind::Confirmable,
            1 => Kind::NonConfirmable,
            2 => Kind::Acknowledgement,
            _ => Kind::Reset,
        };
        let id = u16::from_be_bytes([high, low]);
        let malformed = Malformed::Format { kind, id };

        let (token, rest) = rest.split_at_checked(usize::from(first & 15)).ok_or(malformed)?;
        let token = Token::new(token).ok_or(malformed)?;
        if code == code::EMPTY && datagram.len() != 4 {
            return Err(malformed);
        }
        let mut walk = Options { rest, number: 0 };
        while walk.step().map_err(|BadOption| malformed)?.is_some() {}
        let options = rest.get(..rest.len() - walk.rest.len()).ok_or(malformed)?;
        let payload = match walk.rest {
            [] => walk.rest,
            [_marker] => return Err(malformed),
            [_marker, payload @ ..] => payload,
        };
        Ok(Self { kind, code, id, token, options, payload })
    }

    /// Methods are 0.01 to 0.31.
    pub(super) fn is_request(&self) -> bool {
        (1..32).contains(&self.code)
    }

    /// Number and value of each option, in order.
    pub(super) fn options(&self) -> Options<'a> {
        Options { rest: self.options, number: 0 }
    }
}

/// A walk over encoded options (section 3.1).
#[derive(Clone, Debug)]
pub(super) struct Options<'a> {
    rest: &'a [u8],
    number: u16,
}

struct BadOption;

impl<'a> Options<'a> {
    /// None at the payload marker, which stays, and at the end.
    fn step(&mut self) -> Result<Option<(u16, &'a [u8])>, BadOption> {
        let Some((&first, rest)) = self.rest.split_first() else { return Ok(None) };
        if first == PAYLOAD_MARKER {
            return Ok(None);
        }
        let (delta, rest) = extended(first >> 4, rest)?;
        let (len, rest) = extended(first & 15, rest)?;
        let (value, rest) = rest.split_at_checked(usize::from(len)).ok_or(BadOption)?;
        self.number = self.number.checked_add(delta).ok_or(BadOption)?;
        self.rest = rest;
        Ok(Some((self.number, value)))
    }
}

impl<'a> Iterator for Options<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        self.step().ok().flatten()
    }
}

/// A delta or length: four bits, or one or two bytes more; 15 is reserved.
fn extended(nibble: u8, rest: &[u8]) -> Result<(u16, &[u8]), BadOption> {
    match (nibble, rest) {
        (0..13, _) => Ok((u16::from(nibble), rest)),
        (13, &[byte, ref rest @ ..]) => Ok((u16::from(byte) + 13, rest)),
        (14, &[high, low, ref rest @ ..]) => {
            let wide = u16::from_be_bytes([high, low]).checked_add(269).ok_or(BadOption)?;
            Ok((wide, rest))
        }
        _ => Err(BadOption),
    }
}

const PAYLOAD_MARKER: u8 = 0xff;

/// An option's value as an unsigned number of at most four bytes (section 3.2).
pub(super) fn uint(value: &[u8]) -> Option<u32> {
    if value.len() > 4 {
        return None;
    }
    Some(value.iter().fold(0, |number, &byte| number << 8 | u32::from(byte)))
}

/// A Block1 or Block2 option (RFC 7959 section 2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Block {
    /// Which block, of its own size; 20 bits.
    pub(super) number: u32,
    /// Whether more blocks follow.
    pub(super) more: bool,
    /// The size is 16 << exponent; at most 6.
    pub(super) exponent: u8,
}

impl Block {
    /// None for values too long or of the reserved size.
    pub(super) fn read(value: &[u8]) -> Option<Self> {
        let bits = uint(value).filter(|_| value.len() <= 3)?;
        let exponent = u8::try_from(bits & 7).ok().filter(|&exponent| exponent < 7)?;
        Some(Self { number: bits >> 4, more: bits & 8 != 0, exponent })
    }

    pub(super) fn size(self) -> usize {
        16 << self.exponent
    }

    /// Where the block begins; at most 2^30.
    pub(super) fn offset(self) -> usize {
        usize::try_from(self.number).unwrap_or(usize::MAX).saturating_mul(self.size())
    }

    fn bits(self) -> u32 {
        self.number << 4 | u32::from(self.more) << 3 | u32::from(self.exponent)
    }
}

/// An empty ACK or RST.
pub(super) fn empty(kind: Kind, id: MessageId) -> Vec<u8> {
    Encoder::new(kind, code::EMPTY, id, &Token::default(), 0).finish(&[])
}

/// Writes one message; options come in ascending order.
pub(super) struct Encoder {
    out: Vec<u8>,
    last: u16,
}

impl Encoder {
    /// `room` is what options and payload will take, about.
    pub(super) fn new(kind: Kind, code: u8, id: MessageId, token: &Token, room: usize) -> Self {
        let kind = match kind {
            Kind::Confirmable => 0x40,
            Kind::NonConfirmable => 0x50,
            Kind::Acknowledgement => 0x60,
            Kind::Reset => 0x70,
        };
        let [high, low] = id.to_be_bytes();
        let mut out = Vec::with_capacity(4 + token.as_bytes().len() + room);
        out.extend_from_slice(&[kind | token.len, code, high, low]);
        out.extend_from_slice(token.as_bytes());
        Self { out, last: 0 }
    }

    /// A value of at most twelve bytes, which is all our answers need; a longer one is cut.
    pub(super) fn option(mut self, number: u16, value: &[u8]) -> Self {
        let delta = number.saturating_sub(self.last);
        self.last = number;
        let value = value.get(..12).unwrap_or(value);
        let len = u8::try_from(value.len()).unwrap_or(0);
        let [high, low] = delta.saturating_sub(269).to_be_bytes();
        match (u8::try_from(delta), u8::try_from(delta.saturating_sub(13))) {
            (Ok(delta @ 0..13), _) => self.out.push(delta << 4 | len),
            (_, Ok(delta)) => self.out.extend_from_slice(&[13 << 4 | len, delta]),
            (_, Err(_)) => self.out.extend_from_slice(&[14 << 4 | len, high, low]),
        }
        self.out.extend_from_slice(value);
        self
    }

    /// A number in as few bytes as hold it.
    pub(super) fn uint(self, number: u16, value: u32) -> Self {
        let bytes = value.to_be_bytes();
        let zeros = usize::try_from(value.leading_zeros() / 8).unwrap_or(0);
        self.option(number, bytes.get(zeros..).unwrap_or_default())
    }

    pub(super) fn block(self, number: u16, block: Block) -> Self {
        self.uint(number, block.bits())
    }

    pub(super) fn finish(mut self, payload: &[u8]) -> Vec<u8> {
        if !payload.is_empty() {
            self.out.push(PAYLOAD_MARKER);
            self.out.extend_from_slice(payload);
        }
        self.out
    }
}
