//! The few CoAP messages a board writes and reads (RFC 7252, section 3).
//!
//! Invariant: a message that cannot be read is `None`, whatever its bytes.

use alloc::string::String;
use alloc::vec::Vec;

use coap_lite::{CoapOption, MessageClass, MessageType, Packet, RequestType};

/// What came from the hub, as far as a board cares.
pub(crate) enum Incoming {
    /// An empty acknowledgement: the answer will come separately.
    Acknowledged { message_id: u16 },
    /// The hub does not know what we are talking about.
    Reset { message_id: u16 },
    /// An empty confirmable message: are you there?
    Ping { message_id: u16 },
    /// An answer; `confirm` when it wants an acknowledgement.
    Response { message_id: u16, confirm: bool, answer: Answer },
    /// A request, which a board answers that has somebody to answer it.
    Request(Request),
}

/// What an answer says.
pub(crate) struct Answer {
    pub(crate) token: Vec<u8>,
    pub(crate) code: u8,
    pub(crate) max_age_s: Option<u32>,
    /// The message it came on the acknowledgement of; none for one that came separately.
    pub(crate) acknowledges: Option<u16>,
    /// The Echo option, where it has one of a length there can be.
    pub(crate) echo: Option<Vec<u8>>,
    /// Whether the board is to renew its certificate.
    pub(crate) renew: bool,
    pub(crate) payload: Vec<u8>,
}

/// What the hub asks of a board.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The path's segments, joined by `/`; empty where one is no text.
    pub path: String,
    /// Whether it is a POST: all else reads or overwrites, which nothing here does.
    pub is_post: bool,
    /// What came with it.
    pub payload: Vec<u8>,
    pub(crate) token: Vec<u8>,
    pub(crate) message_id: u16,
    pub(crate) confirm: bool,
}

/// Echo (RFC 9175, section 2.2): elective, 1 to 40 bytes.
const ECHO: CoapOption = CoapOption::Unknown(252);
const ECHO_LENGTH_MAX: usize = 40;
const RENEW: CoapOption = CoapOption::Unknown(wire::OPTION_RENEW);

/// Reads a message; anything malformed, or of a class that does not exist, is `None`.
pub(crate) fn read(datagram: &[u8]) -> Option<Incoming> {
    let packet = Packet::from_bytes(datagram).ok()?;
    if packet.header.get_version() != 1 {
        return None;
    }
    let message_id = packet.header.message_id;
    let token = packet.get_token().to_vec();
    let kind = packet.header.get_type();
    let confirm = kind == MessageType::Confirmable;
    match packet.header.code {
        MessageClass::Empty => match kind {
            MessageType::Acknowledgement => Some(Incoming::Acknowledged { message_id }),
            MessageType::Reset => Some(Incoming::Reset { message_id }),
            MessageType::Confirmable => Some(Incoming::Ping { message_id }),
            MessageType::NonConfirmable => None,
        },
        _ if kind == MessageType::Reset => None,
        MessageClass::Request(_) if kind == MessageType::Acknowledgement => None,
        MessageClass::Request(method) => {
            let segments = packet.get_option(CoapOption::UriPath).into_iter().flatten();
            let segments: Option<Vec<_>> =
                segments.map(|segment| core::str::from_utf8(segment).ok()).collect();
            let path = segments.unwrap_or_default().join("/");
            let is_post = method == RequestType::Post;
            let payload = packet.payload;
            Some(Incoming::Request(Request { path, is_post, payload, token, message_id, confirm }))
        }
        MessageClass::Response(_) | MessageClass::Reserved(_) => {
            let code = u8::from(packet.header.code);
            if !matches!(code >> 5, 2..=5) {
                return None;
            }
            let max_age_s = packet.get_first_option(CoapOption::MaxAge).and_then(|v| uint(v));
            let echo = echo(&packet);
            let acknowledges = (kind == MessageType::Acknowledgement).then_some(message_id);
            let renew = packet.get_first_option(RENEW).is_some();
            let payload = packet.payload;
            let answer = Answer { token, code, max_age_s, acknowledges, echo, renew, payload };
            Some(Incoming::Response { message_id, confirm, answer })
        }
    }
}

/// The Echo option, where it has one of a length there can be.
pub(crate) fn echo(packet: &Packet) -> Option<Vec<u8>> {
    let echo = packet.get_first_option(ECHO).cloned();
    echo.filter(|echo| (1..=ECHO_LENGTH_MAX).contains(&echo.len()))
}

/// A POST with message id 0, to be given one by [`number`] each time it is sent anew.
pub(crate) fn post(
    token: u16,
    resource: &str,
    content_format: u16,
    payload: Vec<u8>,
    limit: usize,
) -> Option<Vec<u8>> {
    let mut packet = Packet::new();
    packet.header.set_type(MessageType::Confirmable);
    packet.header.code = MessageClass::Request(RequestType::Post);
    packet.set_token(token.to_be_bytes().to_vec());
    for segment in resource.split('/') {
        packet.add_option(CoapOption::UriPath, String::from(segment).into_bytes());
    }
    let format = content_format.to_be_bytes();
    let leading_zeros = format.iter().take_while(|byte| **byte == 0).count();
    packet.add_option(
        CoapOption::ContentFormat,
        format.get(leading_zeros..).unwrap_or_default().to_vec(),
    );
    packet.payload = payload;
    packet.to_bytes_with_limit(limit).ok()
}

/// A confirmable GET.
pub(crate) fn get(message_id: u16, token: &[u8], resource: &str) -> Vec<u8> {
    let mut packet = Packet::new();
    packet.header.set_type(MessageType::Confirmable);
    packet.header.code = MessageClass::Request(RequestType::Get);
    packet.header.message_id = message_id;
    packet.set_token(token.to_vec());
    packet.add_option(CoapOption::UriPath, String::from(resource).into_bytes());
    packet.to_bytes().unwrap_or_default()
}

/// The request with an Echo option; at most 43 bytes longer.
pub(crate) fn with_echo(request: Vec<u8>, echo: &[u8]) -> Vec<u8> {
    let Ok(mut packet) = Packet::from_bytes(&request) else { return request };
    packet.add_option(ECHO, echo.to_vec());
    packet.to_bytes_unlimited().unwrap_or(request)
}

/// Puts a message id into a written message.
pub(crate) fn number(message: &mut [u8], message_id: u16) {
    if let Some(field) = message.get_mut(2..4) {
        field.copy_from_slice(&message_id.to_be_bytes());
    }
}

const UNCONFIRMED: u8 = 0b0101_0000;
const ACKNOWLEDGEMENT: u8 = 0b0110_0000;
const RESET: u8 = 0b0111_0000;

/// The empty acknowledgement of a confirmable message.
pub(crate) fn acknowledgement(message_id: u16) -> Vec<u8> {
    empty(ACKNOWLEDGEMENT, message_id)
}

/// The rejection of a message.
pub(crate) fn reset(message_id: u16) -> Vec<u8> {
    empty(RESET, message_id)
}

fn empty(first: u8, message_id: u16) -> Vec<u8> {
    let [high, low] = message_id.to_be_bytes();
    alloc::vec![first, 0, high, low]
}

/// The answer to a request: in the acknowledgement where it wants one, else in a message of its own, with
/// this id.
pub(crate) fn answer(request: &Request, own_id: u16, code: u8, payload: &[u8]) -> Vec<u8> {
    let Request { token, message_id, confirm, .. } = request;
    let length = u8::try_from(token.len()).unwrap_or_default();
    let (kind, id) = if *confirm { (ACKNOWLEDGEMENT, *message_id) } else { (UNCONFIRMED, own_id) };
    let mut message = empty(kind | length, id);
    if let Some(place) = message.get_mut(1) {
        *place = code;
    }
    message.extend_from_slice(token);
    if !payload.is_empty() {
        message.push(0xff);
        message.extend_from_slice(payload);
    }
    message
}

/// An option's unsigned integer; more than four bytes is none (section 3.2).
pub(crate) fn uint(value: &[u8]) -> Option<u32> {
    (value.len() <= 4).then(|| value.iter().fold(0, |sum, byte| sum << 8 | u32::from(*byte)))
}
