//! `[monitoring]`: metrics and health over HTTP.

use std::net::{Ipv4Addr, SocketAddr};

use super::key::section;

section! {
    /// Prometheus metrics (/metrics) and health (/healthz, /readyz) over HTTP.
    pub struct Monitoring in "monitoring" {
        /// Address and TCP port. There is no authentication: keep it on loopback, or behind
        /// something that asks who is there.
        pub listen: SocketAddr = SocketAddr::from((Ipv4Addr::LOCALHOST, 9464));
    }
}
