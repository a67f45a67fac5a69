//! Live behaviour: the link to the boards, their sessions, tenants, and the upstreams of their customers.
//!
//! An actor here is a shell around a state machine that knows no actor: message, machine, effects.
//! Invariant: nothing in this crate knows HTTP, the command line or the configuration file.

pub mod admission;
pub mod barred;
pub mod board_key;
pub mod campaign;
pub mod coap;
pub mod credentials;
pub mod enrolment;
pub mod firmware;
pub mod handshake_quota;
pub mod happened;
pub mod hardware_module;
pub mod hub;
pub mod identity;
pub mod keeper;
pub mod link;
pub mod meter;
pub mod metrics;
pub mod paced;
pub mod quota;
pub mod recorder;
pub mod refusal;
pub mod rollout;
pub mod session;
pub mod taps;
pub mod tenant;
pub mod under_way;
pub mod upstream;
pub mod wall_clock;
