//! Where this product's hub is, and what it wants of its network: given when it is built (`HUB_HOST`, `HUB_PORT`,
//! `ACCESS_POINT`).

use board::modem::{AttachSettings, CredentialSettings};

/// The hub's name, as its certificate has it.
pub(crate) const HUB: &str = match option_env!("HUB_HOST") {
    Some(host) => host,
    None => "hub.example",
};

/// Where its root certificate, and the board's key and certificate, are in the modem. They are renewed after 300 days,
/// and after one day if that failed.
pub(crate) const CREDENTIALS: CredentialSettings = CredentialSettings {
    root: 4200,
    own: [4201, 4202],
    renew_after_s: 300 * 86_400,
    again_after_s: 86_400,
};

/// Millivolts of an empty battery and of a full one: a lithium cell behind no regulator.
pub(crate) const BATTERY_MV: (u16, u16) = (3_300, 4_200);

/// Seconds that the board listens after it said something; then it sleeps, and cannot be reached.
pub(crate) const LISTENING_S: u32 = 16;

/// The hub's UDP port.
pub(crate) fn port() -> u16 {
    const COAPS: u16 = 5684;
    option_env!("HUB_PORT").and_then(|port| port.parse().ok()).unwrap_or(COAPS)
}

pub(crate) fn network() -> AttachSettings {
    AttachSettings {
        access_point: option_env!("ACCESS_POINT").map(Into::into),
        power_saving: Some((86_400, LISTENING_S)),
        ..AttachSettings::default()
    }
}
