//! Enrolment over CoAP (RFC 9148): what boards ask of the hub's authority over their sessions, and the
//! actor that has it answered.
//!
//! Certificates are made on an arbiter of their own, one after the other: no session ever waits for
//! a signature but the one that asked for it. Invariant: nothing here knows what a certificate is.

use std::sync::Arc;

use actix::{Actor, Context, Handler, Message};
use storage::{BoardId, Fingerprint, Slot, TenantId, UnixSeconds};
use tokio::sync::oneshot;

use crate::coap::{Content, Local, Method, code};
use crate::keeper::Keep;
use crate::link::priority;
use crate::metrics::{EnrolmentEnd, EnrolmentKind};
use crate::wall_clock;

/// Requests that may wait for the authority, of all tenants; each takes it a few milliseconds, most of
/// them for the store's flush.
const MAILBOX: usize = 256;

/// Requests of one tenant that may wait, so that none of them fills the mailbox.
pub(crate) const OF_ONE_TENANT: usize = 32;

/// Max-Age of the 5.03 that a board gets when more are waiting.
pub const BUSY_RETRY_AFTER_S: u32 = 15;

/// Content formats of RFC 9148, section 7.1.
pub mod format {
    /// `application/pkcs7-mime; smime-type=certs-only`
    pub const CERTIFICATES: u16 = wire::CONTENT_FORMAT_PKCS7_CERTIFICATES;
    /// `application/csrattrs`
    pub const REQUEST_ATTRIBUTES: u16 = wire::CONTENT_FORMAT_CSR_ATTRIBUTES;
    /// `application/pkcs10`
    pub const SIGNING_REQUEST: u16 = wire::CONTENT_FORMAT_PKCS10;
    /// `application/pkix-cert`
    pub const CERTIFICATE: u16 = wire::CONTENT_FORMAT_CERTIFICATE;
}

const GIVEN: &[u16] = &[format::CERTIFICATES, format::CERTIFICATE];
const SIGNED: Method = Method::Post { takes: format::SIGNING_REQUEST };

/// The resources below [`wire::resource::EST`], each in the place of its [`Operation`].
pub(crate) const RESOURCES: &[Local] = &[
    Local {
        name: wire::resource::EST_CRTS,
        kind: "ace.est.crts",
        method: Method::Get,
        gives: GIVEN,
    },
    Local {
        name: wire::resource::EST_ATT,
        kind: "ace.est.att",
        method: Method::Get,
        gives: &[format::REQUEST_ATTRIBUTES],
    },
    Local { name: wire::resource::EST_SEN, kind: "ace.est.sen", method: SIGNED, gives: GIVEN },
    Local { name: wire::resource::EST_SREN, kind: "ace.est.sren", method: SIGNED, gives: GIVEN },
];

/// What a board asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// The certificates it may trust.
    Certificates,
    /// What its signing request has to hold.
    RequestAttributes,
    /// A certificate.
    Enrol,
    /// A certificate in place of the one it has.
    Renew,
}

impl Operation {
    pub(crate) fn at(place: usize) -> Option<Self> {
        [Self::Certificates, Self::RequestAttributes, Self::Enrol, Self::Renew].get(place).copied()
    }

    /// The kind of certificate that is asked for, if one is.
    pub(crate) const fn kind(self) -> Option<EnrolmentKind> {
        match self {
            Self::Certificates | Self::RequestAttributes => None,
            Self::Enrol => Some(EnrolmentKind::Enrol),
            Self::Renew => Some(EnrolmentKind::Renew),
        }
    }
}

/// A board's request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The board, as its session's certificate names it.
    pub board: BoardId,
    /// Its tenant.
    pub tenant: TenantId,
    /// The certificate that its session was begun with.
    pub certificate: Fingerprint,
    /// The last second of that certificate's validity.
    pub not_after: UnixSeconds,
    /// What it asks for.
    pub operation: Operation,
    /// The content format of the answer.
    pub format: u16,
    /// The body: DER of a signing request, where there is one.
    pub body: Vec<u8>,
}

/// What the request led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// In the format asked for; many boards may be given the same.
    Given(Arc<[u8]>),
    /// There is nothing of the kind.
    Nothing,
    /// The request cannot be granted to anybody; why.
    BadRequest(String),
    /// It cannot be granted to this board; why.
    Forbidden(String),
    /// Not now.
    Later {
        /// Max-Age, in seconds.
        retry_after_s: u32,
    },
    /// The hub failed; its log says how.
    Failed,
}

/// The hub's authority, as sessions know it.
pub trait Enrolment: Send + Sync {
    /// Answers one request; may take its time and wait for the disk.
    fn answer(&self, request: &Request, now: UnixSeconds) -> Answer;
}

/// Gives boards' requests to the authority.
pub struct Desk {
    enrolment: Arc<dyn Enrolment>,
    keep: Keep,
}

/// A board asks.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Enrol {
    pub(crate) asked: Asked,
    pub(crate) done: oneshot::Sender<Content>,
}

/// What it asks.
pub(crate) struct Asked {
    pub(crate) board: BoardId,
    pub(crate) tenant: TenantId,
    /// Where its session is stored.
    pub(crate) place: (Slot, u32),
    pub(crate) operation: Operation,
    pub(crate) format: u16,
    pub(crate) body: Vec<u8>,
}

impl Desk {
    /// A desk in front of `enrolment`, for the sessions in `keep`.
    #[must_use]
    pub fn new(enrolment: Arc<dyn Enrolment>, keep: Keep) -> Self {
        Self { enrolment, keep }
    }

    fn answer(&self, asked: Asked, now: UnixSeconds) -> Answer {
        let Asked { board, tenant, place, operation, format, body } = asked;
        let (slot, generation) = place;
        let (certificate, not_after) = match self.keep.certificate(slot, generation) {
            Ok(Some(certificate)) => certificate,
            // A newer session of the board has taken its place meanwhile.
            Ok(None) => return Answer::Later { retry_after_s: BUSY_RETRY_AFTER_S },
            Err(error) => {
                tracing::error!(%board, %error, "a session cannot be read; its board gets no certificate");
                return Answer::Failed;
            }
        };
        let request = Request { board, tenant, certificate, not_after, operation, format, body };
        self.enrolment.answer(&request, now)
    }
}

impl Actor for Desk {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        priority::yield_to_sessions();
        ctx.set_mailbox_capacity(MAILBOX);
    }
}

impl Handler<Enrol> for Desk {
    type Result = ();

    fn handle(&mut self, Enrol { asked, done }: Enrol, _: &mut Self::Context) {
        // Its session has ended, and with it whoever would be told.
        if done.is_closed() {
            return;
        }
        let (operation, format) = (asked.operation, asked.format);
        let answer = self.answer(asked, UnixSeconds(wall_clock::now().0 / 1000));
        let _ = done.send(content(operation, format, answer));
    }
}

/// The answer as CoAP says it (RFC 9148, sections 4.4 and 5.4).
fn content(operation: Operation, format: u16, answer: Answer) -> Content {
    let plain = |code, words: &str| Content {
        code,
        format: None,
        max_age_s: 0,
        body: words.as_bytes().into(),
    };
    match answer {
        Answer::Given(body) => {
            let code = match operation {
                Operation::Certificates | Operation::RequestAttributes => code::CONTENT,
                Operation::Enrol | Operation::Renew => code::CHANGED,
            };
            Content { code, format: Some(format), max_age_s: 0, body }
        }
        Answer::Nothing => plain(code::NOT_FOUND, ""),
        Answer::BadRequest(why) => plain(code::BAD_REQUEST, &why),
        Answer::Forbidden(why) => plain(code::FORBIDDEN, &why),
        Answer::Later { retry_after_s } => busy(retry_after_s),
        Answer::Failed => plain(code::INTERNAL, ""),
    }
}

/// 5.03 with the seconds to wait.
pub(crate) fn busy(retry_after_s: u32) -> Content {
    let max_age_s = retry_after_s.max(1);
    Content { code: code::UNAVAILABLE, format: None, max_age_s, body: Arc::default() }
}

/// 4.29 with the seconds until the quota would take it.
pub(crate) fn over_quota(retry_after_s: u32) -> Content {
    Content { code: code::TOO_MANY_REQUESTS, ..busy(retry_after_s) }
}

/// What a request for a certificate is counted as, by the code of its answer.
pub(crate) const fn end(code: u8) -> EnrolmentEnd {
    match code {
        code::CHANGED => EnrolmentEnd::Issued,
        code::FORBIDDEN => EnrolmentEnd::Forbidden,
        code::NOT_FOUND => EnrolmentEnd::NotFound,
        code::TOO_MANY_REQUESTS => EnrolmentEnd::OverQuota,
        code::UNAVAILABLE | code::INTERNAL => EnrolmentEnd::Unavailable,
        _ => EnrolmentEnd::Malformed,
    }
}

/// 4.04: there is no authority behind this session.
pub(crate) fn nobody() -> Content {
    content(Operation::Enrol, format::CERTIFICATES, Answer::Nothing)
}
