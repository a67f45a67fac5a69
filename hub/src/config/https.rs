//! `[https]`: the hub's HTTPS server. On, for it is where people and their programs find the hub; who
//! works at the command line alone, and enrols no boards over it, can close that door.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use super::key::section;

section! {
    /// HTTPS: the API, enrolment of boards (EST, RFC 7030), and lists of revoked certificates.
    pub struct Https in "https" {
        /// Whether to listen at all.
        pub enabled: bool = true;
        /// Address and TCP port. "[::]:8443" listens on IPv4 as well where the system lets it.
        pub listen: SocketAddr = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 8443));
        /// The server's certificate, PEM; `ca init` makes it.
        pub certificate: PathBuf = PathBuf::from("pki/server.pem");
        /// Its private key, as link.key.
        pub key: PathBuf = PathBuf::from("pki/keys/server.key");
        /// Where browsers find the hub, as "https://hub.example.com" behind a proxy of that name; "auto" is
        /// the first name in the certificate, with the port. Passkeys are bound to it.
        pub origin: String = String::from("auto");
        /// Requests of one source answered each second; a source is an IPv4 address or an IPv6 /64,
        /// and may use two seconds' worth at once. 0 is without bound.
        pub requests_per_source_s: u32 = 1000;
        /// Requests of one person or token to the API answered each second, two seconds' worth at
        /// once. 0 is without bound.
        pub requests_per_caller_s: u32 = 100;
        /// Hours for which a list of revoked certificates is in force. Another is signed after half
        /// of it, and when something was revoked.
        pub crl_hours: u64 = 24, from 1 to 8760;
        /// Whether questions after single certificates (OCSP, RFC 6960) are answered. Each that brings
        /// a nonce is a signature of the tenant's key, one at a time; whose module is slow or dear can
        /// do without: lists cost nothing.
        pub ocsp: bool = true;
        /// Whether boards' certificates name where at this origin to ask about them: their authority's
        /// list, and OCSP where that is on. The hub needs neither, and every full handshake and renewal of a board is
        /// some 140 bytes longer on the air.
        pub named_in_certificates: bool = false;
        /// Minutes for which an answer without a nonce is in force and given again, unless something
        /// was revoked or let go meanwhile.
        pub ocsp_minutes: u64 = 10, from 1 to 1440;
    }
}
