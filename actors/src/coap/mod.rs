//! The CoAP server side of one board's association: RFC 7252 messages and exchanges, RFC 7959
//! block-wise transfer, RFC 6690 discovery. Bytes and moments in, effects out.
//! Invariant: no clock, socket, store, actor or source of randomness is reachable from here, and
//! no amount of input makes an [`Endpoint`] hold more than its [`Limits`] allow.

mod discovery;
pub mod echo;
mod effect;
mod endpoint;
mod exchanges;
mod files;
mod kept;
mod limits;
mod local;
mod message;
mod reply;
mod request;
mod serve;
mod serve_local;
mod upload;

#[cfg(test)]
mod tests;

pub use discovery::Resources;
pub use echo::{Challenge, Verdict};
pub use effect::{Answer, Ask, DropReason, Effect, Part, Piece};
pub use endpoint::Endpoint;
pub use exchanges::ExchangeId;
pub use kept::Content;
pub use limits::Limits;
pub use local::{Local, Method};
pub use message::code;

/// Milliseconds on the shell's monotonic clock.
pub type Millis = u64;

/// The time of day, in milliseconds since 1970, UTC. Told to boards that ask; nothing waits for it
/// or ends by it, so it may jump.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnixMillis(pub u64);
