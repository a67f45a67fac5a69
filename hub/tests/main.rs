//! The tests of the hub from outside, one module a subject, in one program: each would link the
//! whole hub for itself otherwise.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test's failure is its report"
)]

mod rig;

mod activation;
mod admin;
mod api_approvals;
mod api_attacks;
mod api_batches;
mod api_boards;
mod api_certificates;
mod api_events;
mod api_history;
mod api_jobs;
mod api_matrix;
mod api_overview;
mod api_passkeys;
mod api_people;
mod api_provider;
mod api_sessions;
mod api_sign_in;
mod api_skeleton;
mod api_tenancy;
mod api_tenants;
mod architecture;
mod authorities;
mod backup;
mod campaigns;
mod cli;
mod clones;
mod config;
mod delivery_mqtt;
mod delivery_tenants;
mod disk_full;
mod enrolment;
mod enrolment_https;
mod factory;
mod firmware;
mod firmware_fleet;
mod fixture;
mod flood;
mod interop_dtls;
mod interop_plain;
mod interop_webrtc;
mod link_handshake;
mod link_records;
mod link_refusals;
mod link_resumption;
mod link_spoofed;
mod never_out;
mod own_authorities;
mod quota;
mod reload;
mod revocations;
mod rig_itself;
mod root_rollover;
mod sessions;
mod shut_out;
mod trust;
mod ui;
mod vault_rotation;
mod vault_upgrade;
mod vault_upstreams;
