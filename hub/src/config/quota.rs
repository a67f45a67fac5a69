//! `[quota]`: what boards and tenants may take where `tenant quota` says nothing else.

use super::key::section;

section! {
    /// What each board and each tenant may take; more is answered 4.29 with Max-Age, or a
    /// handshake refused. 0 is no bound. `tenant quota` sets others for one tenant.
    pub struct Quota in "quota" {
        /// Readings of one board a minute; a minute's worth may come at once.
        pub board_messages_per_minute: u32 = 600, from 0 to 60000000;
        /// Bytes of their payloads a minute.
        pub board_bytes_per_minute: u32 = 1048576, from 0 to 4294967295;
        /// Handshakes of one board an hour; an hour's worth may come at once. A board whose
        /// network changes its address needs none, as long as it keeps its Connection ID.
        pub board_handshakes_per_hour: u32 = 60, from 0 to 60000000;
        /// Readings of one board that wait for its upstream at once.
        pub board_in_flight_max: u32 = 0, from 0 to 1000000;
        /// Readings of all boards of a tenant a minute; a minute's worth may come at once.
        pub tenant_messages_per_minute: u32 = 0, from 0 to 60000000;
        /// Bytes of their payloads a minute.
        pub tenant_bytes_per_minute: u32 = 0, from 0 to 4294967295;
        /// Handshakes of all boards of a tenant an hour. Danger: after an outage all of them come
        /// back at once, and those beyond it wait.
        pub tenant_handshakes_per_hour: u32 = 0, from 0 to 60000000;
        /// Readings of all boards of a tenant that wait for its upstreams at once.
        pub tenant_in_flight_max: u32 = 0, from 0 to 100000000;
    }
}

impl Quota {
    /// No bounds at all, as for measurements.
    #[must_use]
    pub fn none() -> Self {
        Self {
            board_messages_per_minute: 0,
            board_bytes_per_minute: 0,
            board_handshakes_per_hour: 0,
            ..Self::default()
        }
    }
}
