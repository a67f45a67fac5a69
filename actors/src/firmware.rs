//! What boards ask about their firmware, and the actors that have it answered: one takes reports, the
//! other reads images.
//!
//! Each is on an arbiter of its own and may wait for the disk; no block of an image waits for a report.
//! Invariant: decides nothing; [`Rollouts`] does.

use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, AsyncContext, Context, Handler, Message};
use storage::{BoardId, TenantId};
use tokio::sync::oneshot;
use wire::{FirmwareReport, OFFER_MAX};

use crate::coap::{Content, Local, Method, Part, Piece, code};
use crate::enrolment;
use crate::link::priority;
use crate::metrics::{BlockEnd, Metrics, ReportEnd};
use crate::rollout::{Rollouts, Said};
use crate::wall_clock;

/// Reports and requests for blocks that may wait, of all tenants.
const MAILBOX: usize = 1024;
/// Of one tenant, so that none of them fills a mailbox.
pub(crate) const OF_ONE_TENANT: usize = 256;
/// Max-Age of the 5.03 that a board gets when more are waiting.
pub(crate) const BUSY_RETRY_AFTER_S: u16 = 15;
/// How often silent boards are looked for.
const TICK: Duration = Duration::from_secs(5);

/// The resource that boards report to, behind those of enrolment.
pub(crate) const RESOURCES: &[Local] = &[Local {
    name: wire::resource::FIRMWARE,
    kind: "hub.firmware",
    method: Method::Post { takes: wire::CONTENT_FORMAT_CBOR },
    gives: &[wire::CONTENT_FORMAT_CBOR],
}];

/// Whether a local resource is the one for reports.
pub(crate) const fn is_report(local: usize) -> bool {
    local == enrolment::RESOURCES.len()
}

/// Takes boards' reports.
pub struct Counter {
    rollouts: Arc<Rollouts>,
    metrics: Arc<Metrics>,
}

/// Reads images for boards.
pub struct Librarian {
    rollouts: Arc<Rollouts>,
    metrics: Arc<Metrics>,
}

/// A board reports.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Report {
    pub(crate) board: BoardId,
    pub(crate) tenant: TenantId,
    pub(crate) body: Vec<u8>,
    pub(crate) done: oneshot::Sender<Content>,
}

/// A board asks for a part of an image.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Read {
    pub(crate) tenant: TenantId,
    pub(crate) part: Part,
    pub(crate) done: oneshot::Sender<Piece>,
}

impl Counter {
    /// For these rollouts.
    #[must_use]
    pub const fn new(rollouts: Arc<Rollouts>, metrics: Arc<Metrics>) -> Self {
        Self { rollouts, metrics }
    }

    fn answer(&self, board: &BoardId, tenant: &TenantId, body: &[u8]) -> (ReportEnd, Content) {
        let plain = |code, words: &str| Content {
            code,
            format: None,
            max_age_s: 0,
            body: words.as_bytes().into(),
        };
        let Some(report) = FirmwareReport::decode(body) else {
            let why = plain(code::BAD_REQUEST, "no report on firmware");
            return (ReportEnd::Malformed, why);
        };
        match self.rollouts.report(board, tenant, &report, wall_clock::seconds()) {
            Ok(Said::Offer(offer)) => {
                let mut bytes = [0; OFFER_MAX];
                let length = offer.encode(&mut bytes).unwrap_or(0);
                (ReportEnd::Offered, said(bytes.get(..length).unwrap_or_default()))
            }
            Ok(Said::Nothing) => (ReportEnd::Nothing, said(&[])),
            Ok(Said::Later { after_s }) => (ReportEnd::Later, enrolment::busy(after_s)),
            Err(error) => {
                tracing::error!(%board, %error, "a report on firmware came to nothing");
                (ReportEnd::Failed, enrolment::busy(BUSY_RETRY_AFTER_S.into()))
            }
        }
    }
}

fn said(offer: &[u8]) -> Content {
    let format = (!offer.is_empty()).then_some(wire::CONTENT_FORMAT_CBOR);
    Content { code: code::CHANGED, format, max_age_s: 0, body: offer.into() }
}

impl Librarian {
    /// For these rollouts' images.
    #[must_use]
    pub const fn new(rollouts: Arc<Rollouts>, metrics: Arc<Metrics>) -> Self {
        Self { rollouts, metrics }
    }
}

impl Actor for Counter {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        priority::yield_to_sessions();
        ctx.set_mailbox_capacity(MAILBOX);
        ctx.run_interval(TICK, |counter, _| {
            if let Err(error) = counter.rollouts.tick(wall_clock::seconds()) {
                tracing::error!(%error, "rollouts cannot be kept");
            }
        });
    }
}

impl Actor for Librarian {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        priority::yield_to_sessions();
        ctx.set_mailbox_capacity(MAILBOX);
    }
}

impl Handler<Report> for Counter {
    type Result = ();

    fn handle(&mut self, report: Report, _: &mut Self::Context) {
        let Report { board, tenant, body, done } = report;
        // Its session has ended, and with it whoever would be told.
        if done.is_closed() {
            return;
        }
        let (end, content) = self.answer(&board, &tenant, &body);
        self.metrics.firmware_report(end);
        let _ = done.send(content);
    }
}

impl Handler<Read> for Librarian {
    type Result = ();

    fn handle(&mut self, Read { tenant, part, done }: Read, _: &mut Self::Context) {
        if done.is_closed() {
            return;
        }
        let piece = self.rollouts.shelf().read(&tenant, part);
        self.metrics.firmware_block(match &piece {
            // Behind its end.
            Piece::Read { bytes, .. } if bytes.is_empty() => BlockEnd::Unknown,
            Piece::Read { bytes, .. } => {
                self.metrics.firmware_bytes(bytes.len());
                BlockEnd::Given
            }
            Piece::Unknown => BlockEnd::Unknown,
            Piece::Later { .. } => BlockEnd::Failed,
        });
        let _ = done.send(piece);
    }
}
