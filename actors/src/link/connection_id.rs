//! The Connection ID (RFC 9146) that the hub gives a session: which node and which arbiter own it.
//!
//! Six bytes on every uplink record: node, arbiter, four random bytes. It is an address, not a
//! secret; a record that carries it still has to authenticate.

use std::fmt;

/// Bytes of every Connection ID the hub hands out; a record's header does not say its length.
pub const LENGTH: usize = 6;

/// A Connection ID of ours.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ConnectionId([u8; LENGTH]);

impl ConnectionId {
    /// The id that node `node`, arbiter `shard` gives out with the random part `random`.
    #[must_use]
    pub fn new(node: u8, shard: u8, random: [u8; 4]) -> Self {
        let [a, b, c, d] = random;
        Self([node, shard, a, b, c, d])
    }

    /// The id in a record's header, if it has our length.
    #[must_use]
    pub fn from_wire(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// The arbiter that owns the session.
    #[must_use]
    pub fn shard(self) -> u8 {
        let [_, shard, ..] = self.0;
        shard
    }

    /// The bytes on the wire.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.0 {
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_says_which_arbiter_owns_it() {
        let id = ConnectionId::new(7, 3, [1, 2, 3, 4]);
        assert_eq!(id.as_bytes(), [7, 3, 1, 2, 3, 4]);
        assert_eq!(id.shard(), 3);
        assert_eq!(ConnectionId::from_wire(id.as_bytes()), Some(id));
        assert_eq!(ConnectionId::from_wire(&[1, 2, 3]), None);
    }
}
