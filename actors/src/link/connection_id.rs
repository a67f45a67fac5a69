//! The Connection ID (RFC 9146) that the hub gives a session: which node, which arbiter, which slot.
//!
//! Six bytes on every uplink record: node, arbiter, and 32 bits that are the session's slot and the
//! low byte of its generation under a keyed permutation. So two sessions never share an id, the slot
//! of a sleeping one is known without a table, one id says nothing about another, and of ids made
//! up at random all but one in thousands are refused by a look at a slot. It is an address, not a
//! secret; a record that carries it still has to authenticate.

use std::fmt;

use aes::Aes128Enc;
use aes::cipher::{BlockCipherEncrypt, KeyInit};
use storage::Slot;

/// Bytes of every Connection ID the hub hands out; a record's header does not say its length.
pub const LENGTH: usize = 6;

/// Rounds of the Feistel network; four make a permutation of 32 bits look random, and they are cheap.
const ROUNDS: u8 = 6;

/// A Connection ID of ours.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ConnectionId([u8; LENGTH]);

impl ConnectionId {
    /// The id of node `node`, arbiter `shard`, with the other four bytes as they are.
    #[must_use]
    pub const fn new(node: u8, shard: u8, [a, b, c, d]: [u8; 4]) -> Self {
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

    /// The same, by value.
    #[must_use]
    pub const fn octets(self) -> [u8; LENGTH] {
        self.0
    }
}

impl From<[u8; LENGTH]> for ConnectionId {
    fn from(bytes: [u8; LENGTH]) -> Self {
        Self(bytes)
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

/// Makes and reads one node's Connection IDs.
#[derive(Clone)]
pub struct ConnectionIds {
    node: u8,
    cipher: Aes128Enc,
}

impl ConnectionIds {
    /// The ids of node `node` under `key`, which must outlive the sessions.
    #[must_use]
    pub fn new(node: u8, key: &[u8; 16]) -> Self {
        Self { node, cipher: Aes128Enc::new(key.into()) }
    }

    /// The id of the session of `generation` in `slot`, owned by arbiter `shard`.
    #[must_use]
    pub fn of(&self, shard: u8, slot: Slot, generation: u32) -> ConnectionId {
        let [.., low] = generation.to_be_bytes();
        let [a, b, c, d] = (slot.number() << 8 | u32::from(low)).to_be_bytes();
        let (mut left, mut right) = ([a, b], [c, d]);
        for round in 0..ROUNDS {
            (left, right) = (right, xor(left, self.round(shard, round, right)));
        }
        let ([a, b], [c, d]) = (left, right);
        ConnectionId::new(self.node, shard, [a, b, c, d])
    }

    /// The slot that an id names and the low byte of its session's generation; `None` for an id of
    /// another node.
    #[must_use]
    pub fn place(&self, id: ConnectionId) -> Option<(Slot, u8)> {
        let [node, shard, a, b, c, d] = id.0;
        let (mut left, mut right) = ([a, b], [c, d]);
        for round in (0..ROUNDS).rev() {
            (left, right) = (xor(right, self.round(shard, round, left)), left);
        }
        let ([a, b], [c, low]) = (left, right);
        let slot = Slot::new(u32::from_be_bytes([0, a, b, c]))?;
        (node == self.node).then_some((slot, low))
    }

    fn round(&self, shard: u8, round: u8, half: [u8; 2]) -> [u8; 2] {
        let [a, b] = half;
        let mut block = [self.node, shard, round, a, b, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0].into();
        self.cipher.encrypt_block(&mut block);
        let [a, b, ..]: [u8; 16] = block.into();
        [a, b]
    }
}

fn xor([a, b]: [u8; 2], [c, d]: [u8; 2]) -> [u8; 2] {
    [a ^ c, b ^ d]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ids() -> ConnectionIds {
        ConnectionIds::new(7, &[1; 16])
    }

    #[test]
    fn an_id_says_which_arbiter_owns_it() {
        let id = ids().of(3, Slot::new(9).unwrap(), 1);
        assert_eq!(id.shard(), 3);
        assert_eq!(ConnectionId::from_wire(id.as_bytes()), Some(id));
        assert_eq!(ConnectionId::from_wire(&[1, 2, 3]), None);
    }

    #[test]
    fn another_nodes_id_has_no_place_here() {
        let id = ConnectionIds::new(8, &[1; 16]).of(3, Slot::new(9).unwrap(), 1);
        assert_eq!(ids().place(id), None);
    }

    #[test]
    fn ids_handed_out_are_named_the_same_for_ever() {
        let id = ids().of(3, Slot::new(0x0001_0203).unwrap(), 4);
        assert_eq!(format!("{id:?}"), "07031b204993");
    }

    #[test]
    fn neighbours_have_nothing_in_common() {
        let id = |slot| ids().of(0, Slot::new(slot).unwrap(), 0);
        let differing = (0..256_u32).map(|slot| {
            let (a, b) = (id(slot), id(slot + 1));
            a.0.iter().zip(b.0).map(|(a, b)| (a ^ b).count_ones()).sum::<u32>()
        });
        let mean = f64::from(differing.sum::<u32>()) / 256.0;
        assert!((14.0..18.0).contains(&mean), "of 32 bits {mean} differ");
    }

    proptest! {
        #[test]
        fn an_id_leads_back_to_its_place(shard: u8, slot in 0..Slot::MAX, generation: u32) {
            let slot = Slot::new(slot).unwrap();
            let id = ids().of(shard, slot, generation);
            let low = (generation & 0xff) as u8;
            prop_assert_eq!(ids().place(id), Some((slot, low)));
        }

        #[test]
        fn any_six_bytes_are_an_id_of_one_place(bytes: [u8; 6]) {
            let id = ConnectionId::from(bytes);
            if let Some((slot, low)) = ids().place(id) {
                prop_assert_eq!(ids().of(id.shard(), slot, u32::from(low)), id);
            }
        }
    }
}
