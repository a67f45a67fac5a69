//! The Cellular Hub as a library: command line, configuration, trust, monitoring and wiring.
//!
//! Invariant: nothing depends on this crate; behaviour lives in `actors`, memory in `storage`.

pub mod admin;
pub mod audit;
pub mod broker_url;
pub mod campaigns;
pub mod cli;
pub mod config;
pub mod control;
#[cfg(feature = "demo")]
pub mod demo;
pub mod factory;
pub mod firmware;
pub mod fixture;
pub mod http;
pub mod jobs;
pub mod origin;
pub mod people;
pub mod privacy;
pub mod quota;
pub mod rollouts;
pub mod sbom;
pub mod serve;
pub mod trust;
pub mod vault;
pub mod watch;
