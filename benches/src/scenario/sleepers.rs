//! Boards whose sessions the fixture wrote into the store, asleep: their keys follow from a seed
//! that is in the fixture's folder, their Connection IDs are listed there.

use std::fs;

use actors::link::cipher::Suite;
use actors::link::connection_id::LENGTH;
use actors::link::keys::KeyBlock;

use super::error::{ScenarioError, system};
use super::site::Site;
use crate::load::board::Board;
use crate::load::swarm::Swarm;

/// Bytes of the seed, which stands before the list.
const SEED: usize = 48;

/// Gives a swarm all sleeping boards of a site, by number.
///
/// # Errors
/// The system's, where the fixture has none.
pub fn adopt(site: &Site, swarm: &mut Swarm) -> Result<(), ScenarioError> {
    let file = site.folder().join("sleeping.bin");
    let bytes = fs::read(&file).map_err(system("read the sleeping boards' list"))?;
    let Some((seed, ids)) = bytes.split_first_chunk::<SEED>() else {
        let short = std::io::ErrorKind::UnexpectedEof.into();
        return Err(system("read the sleeping boards' list")(short));
    };
    for (number, cid) in (0_u32..).zip(ids.as_chunks::<LENGTH>().0) {
        let mut random = [0; 32];
        if let Some(place) = random.first_chunk_mut::<4>() {
            *place = number.to_be_bytes();
        }
        let keys = KeyBlock::derive(seed, &random, &[0; 32]);
        let (write, read) = keys.keys(Suite::EcdheEcdsaAes128GcmSha256);
        swarm.adopt(Board::with_keys(number, read, write, *cid, 1));
    }
    Ok(())
}
