//! The CoAP resources a hub serves. Short paths: every byte of one is paid from a battery.
//!
//! Never a path that a tenant's route chooses; those are configuration.

/// Telemetry: POST a SenML pack, answered 2.04 once the customer's system has it.
pub const TELEMETRY: &str = "t";
/// Measurements and load: a fixture routes it to `discard`, answered on receipt.
pub const DISCARD: &str = "d";
/// What the hub serves this board, in link format (RFC 6690, section 4).
pub const WELL_KNOWN_CORE: &str = ".well-known/core";
/// The time of day: GET it for [`read_time`](crate::read_time). No route can have this path.
pub const TIME: &str = "time";
/// Firmware: POST a [`FirmwareReport`](crate::FirmwareReport), answered with a
/// [`FirmwareOffer`](crate::FirmwareOffer) or nothing; behind it, by
/// [`FirmwareOffer::segment`](crate::FirmwareOffer::segment), the file: GET, in blocks (RFC 7959). On a board: POST
/// to have it report at once.
pub const FIRMWARE: &str = "fw";
/// What a board can be told to do: POST to this path and a name behind it, on the board.
pub const COMMAND: &str = "c";
/// Enrolment and renewal of certificates (RFC 9148, section 4.1); behind it `/crts`, `/att`, `/sen`
/// and `/sren`, with the tenant's id between where a board names it. No route can begin so.
pub const EST: &str = ".well-known/est";
/// The certificates a board may trust: GET.
pub const EST_CRTS: &str = "crts";
/// What a signing request has to hold: GET.
pub const EST_ATT: &str = "att";
/// A certificate for a signing request: POST.
pub const EST_SEN: &str = "sen";
/// A certificate in place of the one the session was begun with: POST.
pub const EST_SREN: &str = "sren";
