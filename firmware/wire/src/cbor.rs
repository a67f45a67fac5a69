//! Whether bytes are one well-formed CBOR item (RFC 8949, appendix C), in bounded space and time.
//!
//! Never looks at what the item means.

use thiserror::Error;

/// Arrays, maps, tags and indefinite strings that may be open inside one another.
pub const DEPTH_MAX: usize = 16;

/// Why bytes are not one CBOR item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum MalformedCbor {
    /// The item needs more bytes than there are.
    #[error("cbor ends in the middle of an item")]
    Truncated,
    /// Bytes follow the item.
    #[error("cbor is followed by {0} bytes more")]
    Trailing(usize),
    /// More than [`DEPTH_MAX`] items are open inside one another.
    #[error("cbor is nested deeper than {DEPTH_MAX}")]
    TooDeep,
    /// A reserved head, a lone break, a wrong chunk, or a map with a key and no value.
    #[error("cbor holds an invalid item at byte {0}")]
    Invalid(usize),
    /// A text string is not UTF-8.
    #[error("cbor holds text that is not utf-8 at byte {0}")]
    NotText(usize),
}

/// `Ok` when `cbor` is exactly one well-formed item, nested [`DEPTH_MAX`] deep at most.
pub fn well_formed(cbor: &[u8]) -> Result<(), MalformedCbor> {
    match cbor.len().saturating_sub(item_length(cbor)?) {
        0 => Ok(()),
        left => Err(MalformedCbor::Trailing(left)),
    }
}

/// Bytes of the first item; walks them once, without recursion.
pub(crate) fn item_length(cbor: &[u8]) -> Result<usize, MalformedCbor> {
    let mut cursor = Cursor { bytes: cbor, at: 0 };
    let mut stack = Stack { open: [Open::Items(0); DEPTH_MAX], depth: 0 };
    loop {
        let at = cursor.at;
        let head = cursor.head()?;
        if let Some(Open::Chunks { major }) = stack.top()
            && !head.is_break()
        {
            let Some(length) = head.argument.filter(|_| head.major == major) else {
                return Err(MalformedCbor::Invalid(at));
            };
            cursor.string(major, length)?;
            continue;
        }
        let opened = match (head.major, head.argument) {
            (MAJOR_BYTES | MAJOR_TEXT, Some(length)) => {
                cursor.string(head.major, length)?;
                None
            }
            (major @ (MAJOR_BYTES | MAJOR_TEXT), None) => Some(Open::Chunks { major }),
            (MAJOR_ARRAY, Some(items)) => Some(Open::Items(items)),
            (MAJOR_ARRAY, None) => Some(Open::ItemsUntilBreak),
            (MAJOR_MAP, Some(pairs)) => {
                Some(Open::Items(pairs.checked_mul(2).ok_or(MalformedCbor::Truncated)?))
            }
            (MAJOR_MAP, None) => Some(Open::PairsUntilBreak { odd: false }),
            (MAJOR_TAG, Some(_)) => Some(Open::Items(1)),
            (MAJOR_SIMPLE, None) => {
                stack.close(at)?;
                None
            }
            // A simple value below 32 in two bytes is not well-formed (RFC 8949, section 3.3).
            (MAJOR_SIMPLE, Some(simple)) if head.info == 24 && simple < 32 => {
                return Err(MalformedCbor::Invalid(at));
            }
            (MAJOR_TAG | MAJOR_UNSIGNED | MAJOR_NEGATIVE, None) => {
                return Err(MalformedCbor::Invalid(at));
            }
            (_, Some(_)) | (_, None) => None,
        };
        match opened {
            Some(Open::Items(0)) | None => {}
            Some(open) => {
                stack.push(open)?;
                continue;
            }
        }
        if stack.item_done() {
            return Ok(cursor.at);
        }
    }
}

const MAJOR_UNSIGNED: u8 = 0;
const MAJOR_NEGATIVE: u8 = 1;
const MAJOR_BYTES: u8 = 2;
const MAJOR_TEXT: u8 = 3;
const MAJOR_ARRAY: u8 = 4;
const MAJOR_MAP: u8 = 5;
const MAJOR_TAG: u8 = 6;
const MAJOR_SIMPLE: u8 = 7;

/// An item still open, and what it still takes.
#[derive(Clone, Copy)]
enum Open {
    Items(u64),
    ItemsUntilBreak,
    PairsUntilBreak { odd: bool },
    Chunks { major: u8 },
}

struct Stack {
    open: [Open; DEPTH_MAX],
    depth: usize,
}

impl Stack {
    fn top(&self) -> Option<Open> {
        self.open.get(self.depth.checked_sub(1)?).copied()
    }

    fn push(&mut self, open: Open) -> Result<(), MalformedCbor> {
        *self.open.get_mut(self.depth).ok_or(MalformedCbor::TooDeep)? = open;
        self.depth += 1;
        Ok(())
    }

    /// A break came: the top item must be one that ends with it, and between pairs.
    fn close(&mut self, at: usize) -> Result<(), MalformedCbor> {
        match self.top() {
            Some(Open::ItemsUntilBreak | Open::Chunks { .. })
            | Some(Open::PairsUntilBreak { odd: false }) => {
                self.depth -= 1;
                Ok(())
            }
            Some(Open::Items(_) | Open::PairsUntilBreak { odd: true }) | None => {
                Err(MalformedCbor::Invalid(at))
            }
        }
    }

    /// Counts a finished item in everything it finishes; true when nothing is open any more.
    fn item_done(&mut self) -> bool {
        while let Some(index) = self.depth.checked_sub(1)
            && let Some(open) = self.open.get_mut(index)
        {
            match open {
                Open::Items(left) if *left > 1 => {
                    *left -= 1;
                    return false;
                }
                Open::Items(_) => self.depth = index,
                Open::PairsUntilBreak { odd } => {
                    *odd = !*odd;
                    return false;
                }
                Open::ItemsUntilBreak | Open::Chunks { .. } => return false,
            }
        }
        true
    }
}

/// The first byte of an item and its argument; none means indefinite length, or break.
struct Head {
    major: u8,
    info: u8,
    argument: Option<u64>,
}

impl Head {
    fn is_break(&self) -> bool {
        self.major == MAJOR_SIMPLE && self.argument.is_none()
    }
}

struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], MalformedCbor> {
        let end = self.at.checked_add(length).ok_or(MalformedCbor::Truncated)?;
        let taken = self.bytes.get(self.at..end).ok_or(MalformedCbor::Truncated)?;
        self.at = end;
        Ok(taken)
    }

    fn head(&mut self) -> Result<Head, MalformedCbor> {
        let at = self.at;
        let first = self.take(1)?.first().copied().unwrap_or_default();
        let (major, info) = (first >> 5, first & 31);
        let argument = match info {
            0..=23 => Some(u64::from(info)),
            24 => Some(self.big_endian(1)?),
            25 => Some(self.big_endian(2)?),
            26 => Some(self.big_endian(4)?),
            27 => Some(self.big_endian(8)?),
            31 => None,
            _ => return Err(MalformedCbor::Invalid(at)),
        };
        Ok(Head { major, info, argument })
    }

    fn big_endian(&mut self, length: usize) -> Result<u64, MalformedCbor> {
        Ok(self.take(length)?.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
    }

    fn string(&mut self, major: u8, length: u64) -> Result<(), MalformedCbor> {
        let at = self.at;
        let length = usize::try_from(length).map_err(|_| MalformedCbor::Truncated)?;
        let string = self.take(length)?;
        if major == MAJOR_TEXT && core::str::from_utf8(string).is_err() {
            return Err(MalformedCbor::NotText(at));
        }
        Ok(())
    }
}
