//! Everything the hub remembers: tenants, boards, routes and upstreams, one file per noun, over
//! sled.
//!
//! Invariant: synchronous. No async runtime, actor, socket, HTTP or clock is reachable from here;
//! time is an argument ([`UnixSeconds`]). No other crate names sled.

mod board;
mod fingerprint;
mod id;
mod record;
mod route;
mod store;
mod tenant;
mod topic;
mod upstream;

pub use board::{Board, BoardState};
pub use fingerprint::{Fingerprint, InvalidFingerprint};
pub use id::{BoardId, InvalidName, ResourcePath, TenantId, UnixSeconds, UpstreamName};
pub use record::RecordError;
pub use route::{Acknowledge, Route};
pub use store::belongings::{Belongings, Routes, Upstreams};
pub use store::boards::Boards;
pub use store::error::StoreError;
pub use store::tenants::Tenants;
pub use store::{SCHEMA, Store};
pub use tenant::{Tenant, TenantState};
pub use topic::TopicTemplate;
pub use upstream::{
    IN_FLIGHT_MAX_DEFAULT, MqttUpstream, MqttVersion, QUEUE_MAX_DEFAULT, Upstream, UpstreamKind,
};
