//! One block-wise upload being put together (RFC 7959 section 2.5), in order, one at a time.
//! Invariant: never holds more than `payload_max` bytes, nor longer than its deadlines.

use super::Millis;
use super::limits::Limits;
use super::message::{Block, code};
use super::request::{Request, RequestTag};

/// An upload that keeps moving gets this many block time-outs as a whole.
const SPAN: u64 = 8;

/// The blocks so far.
#[derive(Debug)]
pub(super) struct Upload {
    resource: usize,
    content_format: Option<u16>,
    tag: RequestTag,
    body: Vec<u8>,
    give_up_at: Millis,
    end_by: Millis,
}

/// What a block led to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// 2.31: the next one, please.
    Continue,
    /// The whole body; the upload is over.
    Complete(Vec<u8>),
    /// The code of a refusal, and why.
    Refused(u8, &'static str),
}

impl Upload {
    /// Takes a block into the upload in `slot`; block 0 begins a new one over whatever was there.
    pub(super) fn accept(
        slot: &mut Option<Box<Self>>,
        now: Millis,
        resource: usize,
        request: &Request,
        block: Block,
        payload: &[u8],
        limits: &Limits,
    ) -> Progress {
        if block.more && payload.len() != block.size() || payload.len() > block.size() {
            return Progress::Refused(code::BAD_REQUEST, "block and size differ");
        }
        let announced = request.size1.map_or(0, |size| usize::try_from(size).unwrap_or(usize::MAX));
        let end = block.offset().saturating_add(payload.len());
        if end > limits.payload_max || announced > limits.payload_max {
            *slot = None;
            return Progress::Refused(code::ENTITY_TOO_LARGE, "");
        }
        if block.number == 0 {
            *slot = Some(Box::new(Self {
                resource,
                content_format: request.content_format,
                tag: request.tag,
                body: Vec::new(),
                give_up_at: now,
                end_by: now.saturating_add(limits.block_timeout_ms.saturating_mul(SPAN)),
            }));
        } else if slot.as_ref().is_some_and(|upload| upload.deadline() <= now) {
            *slot = None;
        }
        let Some(upload) = slot.as_mut().filter(|upload| upload.is_of(resource, request)) else {
            return Progress::Refused(code::ENTITY_INCOMPLETE, "no upload begun");
        };
        if block.more && upload.body.get(block.offset()..) == Some(payload) {
            // The last block again under a new message id: its 2.31 got lost for good.
            return Progress::Continue;
        }
        if block.offset() != upload.body.len() {
            return Progress::Refused(code::ENTITY_INCOMPLETE, "blocks out of order");
        }
        upload.append(payload, limits.payload_max);
        upload.give_up_at = now.saturating_add(limits.block_timeout_ms);
        if block.more {
            return Progress::Continue;
        }
        slot.take().map_or(Progress::Continue, |mut upload| {
            upload.body.shrink_to_fit();
            Progress::Complete(upload.body)
        })
    }

    /// When it is given up.
    pub(super) fn deadline(&self) -> Millis {
        self.give_up_at.min(self.end_by)
    }

    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.body.capacity()
    }

    fn is_of(&self, resource: usize, request: &Request) -> bool {
        self.resource == resource
            && self.content_format == request.content_format
            && self.tag == request.tag
    }

    /// Grows by doubling, but never past the limit.
    fn append(&mut self, payload: &[u8], payload_max: usize) {
        let spare = self.body.capacity() - self.body.len();
        if spare < payload.len() {
            let room = payload_max.saturating_sub(self.body.len());
            self.body.reserve_exact(self.body.len().min(room).max(payload.len()));
        }
        self.body.extend_from_slice(payload);
    }
}
