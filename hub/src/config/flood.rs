//! `[flood]`: what any one source, tenant or crowd may ask of the handshakes.

use super::key::section;

section! {
    /// Bounds against floods of handshakes. A source is an IPv4 address or an IPv6 /64; its /24 or
    /// /48 has sixteen times as much; each may use two seconds' worth at once. Boards behind one
    /// address translator are one source. 0 is without bound.
    pub struct Flood in "flood" {
        /// First ClientHellos of a source answered each second. They cost little and remember
        /// nothing; the bound keeps the hub from being made to send to who never asked.
        pub hellos_per_source_s: u32 = 1000;
        /// The same for all sources together.
        pub hellos_s: u32 = 50000;
        /// Handshakes a source may begin each second. Only who receives at its address begins one.
        pub handshakes_per_source_s: u32 = 200;
        /// The same for all sources together.
        pub handshakes_s: u32 = 10000;
        /// Handshakes that boards of one tenant may finish each second; the others are refused, and
        /// come again.
        pub handshakes_per_tenant_s: u32 = 1000;
        /// Seconds without a word after which a handshake loses its place, should all be taken.
        pub half_open_silence_s: u64 = 10, from 1 to 3600;
    }
}
