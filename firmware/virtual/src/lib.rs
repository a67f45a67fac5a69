//! Connectivity Boards on the host: the portable core of `board` over webrtc-dtls and UDP.
//!
//! One [`VirtualBoard`] is one board with its own certificate and socket; [`run_fleet`] runs
//! thousands in a process. Invariant: what a board decides is decided in `board`, never here.

pub mod cli;
mod clock;
mod connector;
mod fixture;
mod fleet;
mod identity;
mod renewal;
mod sensor;
mod signing_request;
mod tally;
mod virtual_board;

pub use clock::OwnClock;
pub use connector::{ConnectError, Connection, Connector};
pub use fixture::{Fixture, FixtureError};
pub use fleet::{Fleet, run_fleet};
pub use identity::{Identity, IdentityError};
pub use renewal::{Files, RenewalError, Renewed, Wanted, renew};
pub use sensor::Sensor;
pub use tally::{Snapshot, Tally};
pub use virtual_board::{Plan, VirtualBoard};
