//! HTTP of the hub, one file a resource: monitoring on a port of its own for Prometheus and for
//! whatever restarts the hub; over TLS what others use, the enrolment of boards and what is
//! revoked.
//!
//! Invariant: nothing is decided here. A resource reads a request, makes one call, writes the answer.

mod answer;
pub mod api;
mod est;
mod lists;
mod monitoring;
mod rate;
mod server;
mod tls;
mod ui;

pub use self::est::Enrolment;
pub use self::lists::Publication;
pub use self::monitoring::{HttpError, bind, monitoring, monitoring_on};
pub use self::server::{ClientCertificate, HttpsError, Services, bind as bind_https, https_on};
pub use self::tls::Tls;
