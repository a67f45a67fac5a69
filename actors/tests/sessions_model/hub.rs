//! The hub of the model: the stored sessions and those that are awake, without actors and sockets.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use actors::admission::Registry;
use actors::keeper::{Keep, NotWoken};
use actors::link::connection_id::{ConnectionId, ConnectionIds};
use actors::link::table::Key;
use actors::session::secured::Secured;
use storage::{BootId, KeyId, Keyring, SealingKey, Store};

use crate::NOW;

/// The hub, as far as sessions go.
pub(crate) struct Hub {
    pub(crate) dir: PathBuf,
    pub(crate) keep: Keep,
    pub(crate) store: Store,
    /// Sessions in memory, by board.
    pub(crate) awake: BTreeMap<usize, Box<Secured>>,
}

impl Hub {
    pub(crate) fn open(dir: PathBuf, boot: u8) -> Self {
        let store = Store::open(&dir).unwrap();
        let key = || SealingKey::new([7; 32]);
        let ids = ConnectionIds::new(1, &key().first_half());
        let keyring = Keyring::new((KeyId::FIRST, key()), key());
        let sessions = store.sessions(&keyring, BootId([boot; 16])).unwrap();
        let keep =
            Keep::new(sessions, Registry::new(store.clone(), std::time::Duration::ZERO), ids);
        Self { dir, keep, store, awake: BTreeMap::new() }
    }

    pub(crate) fn slots(&self) -> PathBuf {
        self.dir.join("windows")
    }

    /// The board's session in memory, woken by `datagram` if it has to be; or the alert that answers
    /// it.
    pub(crate) fn session(
        &mut self,
        board: usize,
        id: ConnectionId,
        datagram: &[u8],
    ) -> Result<&mut Secured, Option<Vec<u8>>> {
        if !self.awake.contains_key(&board) {
            let slot = self.keep.named(id).ok_or(None)?;
            match self.keep.wake(slot, Key::ConnectionId(id), datagram, NOW) {
                Ok(kept) => drop(self.awake.insert(board, Secured::new(kept))),
                Err(NotWoken::NotAdmitted { alert, .. }) => return Err(alert),
                Err(NotWoken::Unknown | NotWoken::Forged) => return Err(None),
                Err(error) => panic!("{error}"),
            }
        }
        self.awake.get_mut(&board).map(AsMut::as_mut).ok_or(None)
    }
}

/// Copies a folder with all that is in it.
pub(crate) fn copy(from: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &target),
            false => drop(std::fs::copy(entry.path(), target).unwrap()),
        }
    }
}
