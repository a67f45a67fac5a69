//! The way in and out of the hub: UDP, the stateless front door, DTLS 1.2 handshakes and records.
//!
//! Invariant: nothing here knows CoAP, tenants' routes or upstreams.
//! The pure parts (`record`, `cipher`, `keys`, `window`, `hello`, `offer`, `cookie`, `destination`,
//! `door`, `budget`, `engine`, `abbreviated`, `handshake`, `association`, `forgeries`) hold no clock
//! and no socket; the rest are the shells around them.

pub mod abbreviated;
pub mod addresses;
pub mod association;
pub mod budget;
pub mod cipher;
pub mod clock;
pub mod connection_id;
pub mod cookie;
pub mod crossing;
pub mod destination;
pub mod door;
pub mod dozing;
pub mod drops;
pub mod engine;
mod entrance;
pub mod established;
pub mod expected;
pub mod forgeries;
pub mod front_door;
pub mod handshake;
pub mod handshaker;
pub mod handshakes;
pub mod hello;
pub mod keys;
pub mod link_actor;
pub mod offer;
pub mod plain;
pub mod priority;
pub mod profile;
pub mod reader;
pub mod record;
pub mod resumptions;
pub mod shard;
pub mod slots;
pub mod socket;
pub mod steering;
pub mod table;
pub mod window;
