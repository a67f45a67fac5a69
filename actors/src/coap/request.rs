//! What a request asks for: the options of RFC 7252 section 5.10 that a hub understands.
//! Invariant: an option nobody here understands is never taken for one that may be ignored.

use super::message::{Block, Message, option, uint};

/// More options than any honest request has.
const OPTIONS_MAX: usize = 32;

/// A whole path: three segments of 32 bytes and two slashes are the longest route.
const PATH_MAX: usize = 98;

/// The options of a request, read once.
#[derive(Debug)]
pub(super) struct Request {
    path: [u8; PATH_MAX],
    path_len: usize,
    path_fits: bool,
    pub(super) has_query: bool,
    pub(super) content_format: Option<u16>,
    pub(super) accept: Option<u32>,
    pub(super) block1: Option<Block>,
    pub(super) block2: Option<Block>,
    pub(super) size1: Option<u32>,
    pub(super) tag: RequestTag,
    pub(super) wants_proxy: bool,
}

/// Which body a block belongs to, where the client says so (RFC 9175 section 3); the first
/// occurrence stands for all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct RequestTag(Option<([u8; 8], u8)>);

/// A critical option that is unknown, misshapen or there twice (section 5.4.1): 4.02.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BadOption;

impl Request {
    pub(super) fn read(message: &Message<'_>) -> Result<Self, BadOption> {
        let mut request = Self {
            path: [0; PATH_MAX],
            path_len: 0,
            path_fits: true,
            has_query: false,
            content_format: None,
            accept: None,
            block1: None,
            block2: None,
            size1: None,
            tag: RequestTag(None),
            wants_proxy: false,
        };
        let mut last = 0;
        for (index, (number, value)) in message.options().enumerate() {
            if index >= OPTIONS_MAX {
                return Err(BadOption);
            }
            let repeated = number == last;
            last = number;
            request.option(number, value, repeated)?;
        }
        Ok(request)
    }

    fn option(&mut self, number: u16, value: &[u8], repeated: bool) -> Result<(), BadOption> {
        match number {
            option::URI_PATH => self.segment(value),
            option::URI_QUERY => self.has_query = true,
            option::CONTENT_FORMAT if !repeated => {
                self.content_format = uint(value).and_then(|format| u16::try_from(format).ok());
            }
            option::SIZE1 if !repeated => self.size1 = uint(value),
            option::REQUEST_TAG if !repeated => self.tag = RequestTag::read(value),
            option::ACCEPT if !repeated => self.accept = Some(uint(value).ok_or(BadOption)?),
            option::BLOCK1 if !repeated => {
                self.block1 = Some(Block::read(value).ok_or(BadOption)?);
            }
            option::BLOCK2 if !repeated => {
                self.block2 = Some(Block::read(value).ok_or(BadOption)?);
            }
            option::URI_HOST | option::URI_PORT if !repeated => {}
            option::PROXY_URI | option::PROXY_SCHEME if !repeated => self.wants_proxy = true,
            critical if critical % 2 == 1 => return Err(BadOption),
            _elective => {}
        }
        Ok(())
    }

    /// A slash inside a segment would make one path out of two different ones.
    fn segment(&mut self, segment: &[u8]) {
        let begin = if self.path_len == 0 { 0 } else { self.path_len + 1 };
        let end = begin + segment.len();
        let Some(room) = self.path.get_mut(begin..end) else {
            self.path_fits = false;
            return;
        };
        if segment.is_empty() || segment.contains(&b'/') {
            self.path_fits = false;
        }
        room.copy_from_slice(segment);
        if let Some(slash) = begin.checked_sub(1).and_then(|at| self.path.get_mut(at)) {
            *slash = b'/';
        }
        self.path_len = end;
    }

    /// Segments joined by slashes; None for what can be no route.
    pub(super) fn path(&self) -> Option<&[u8]> {
        self.path.get(..self.path_len).filter(|_| self.path_fits)
    }
}

impl RequestTag {
    fn read(value: &[u8]) -> Self {
        let mut bytes = [0; 8];
        let Some(room) = bytes.get_mut(..value.len()) else { return Self(None) };
        room.copy_from_slice(value);
        Self(u8::try_from(value.len()).ok().map(|len| (bytes, len)))
    }
}
