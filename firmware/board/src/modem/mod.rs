//! What a board and its cellular modem say to each other in AT commands (3GPP TS 27.007 and Nordic's own), and
//! what a board makes of it: attached or not, asleep or not, which credentials.
//!
//! The shell sends what `poll_command` gives, hands answers and notifications in as text, and sleeps until
//! `poll_timeout`.
//! Invariant: no UART, no modem library and no clock is reachable from here; whatever a modem says, nothing
//! panics and nothing grows without bound.

mod answer;
mod attach;
mod base64;
mod credentials;
mod line;
mod session;
mod sleep;

pub use answer::{
    Access, Answered, CredentialKind, Kept, Outcome, Registration, battery_mv, certificate_request,
    is_notification, kept_credentials, registration, rsrp_dbm, serial_number, temperature,
};
pub use attach::{Attach, AttachSettings, Coverage};
pub use base64::pem;
pub use credentials::{CredentialSettings, Credentials, Step};
pub use line::{LINE_MAX, Lines};
pub use session::{Association, Before};
pub use sleep::{active_time, edrx_cycle, periodic_update};
