//! Deliveries through the upstream adapter's public face: to a real mosquitto over TLS, and to a
//! broker made here that misbehaves as it is told. No test touches the adapter's inside.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test's failure is its report"
)]

#[path = "upstream/adapter.rs"]
mod adapter;
#[path = "upstream/fake_broker.rs"]
mod fake_broker;
#[path = "upstream/misbehaving.rs"]
mod misbehaving;
#[path = "upstream/mosquitto.rs"]
mod mosquitto;
#[path = "upstream/over_tls.rs"]
mod over_tls;
#[path = "upstream/pki.rs"]
mod pki;
#[path = "upstream/restart.rs"]
mod restart;
#[path = "upstream/subscriber.rs"]
mod subscriber;
