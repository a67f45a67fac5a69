//! Writes down when boards were seen, on an arbiter of its own, where the store may block.
//!
//! Sightings are gathered for a few seconds and written together; one that is lost in a crash is
//! told again with the board's next session. Invariant: nothing is acknowledged on its account.

use std::collections::HashMap;
use std::time::Duration;

use actix::{Actor, AsyncContext, Context, Handler, Message};
use storage::{BoardId, Store, UnixSeconds};

use crate::wall_clock;

const MAILBOX: usize = 65_536;
const GATHER: Duration = Duration::from_secs(5);

/// Gathers sightings of boards.
pub struct Recorder {
    store: Store,
    seen: HashMap<BoardId, UnixSeconds>,
}

/// A board was seen now.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Seen(pub BoardId);

/// Write down what is gathered, and make it durable.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Flush;

impl Recorder {
    /// A recorder that writes to `store`.
    #[must_use]
    pub fn new(store: Store) -> Self {
        Self { store, seen: HashMap::new() }
    }

    /// Only forward: a clock set back between two sightings leaves the later one.
    fn note(&mut self, board: BoardId, at: UnixSeconds) {
        let seen = self.seen.entry(board).or_insert(at);
        *seen = at.max(*seen);
    }

    /// Writes down what was gathered and forces it to the disk, which is also how a hub without
    /// other business finds out that its disk is full.
    fn write(&mut self) {
        // The table with them: what a crowd of boards has made it large for is given back.
        let seen: Vec<_> = std::mem::take(&mut self.seen).into_iter().collect();
        // A store that failed has said so, once and for good.
        if seen.is_empty() || self.store.failure().is_some() {
            return;
        }
        let written = self.store.boards().mark_seen(&seen).and_then(|()| self.store.flush());
        if let Err(error) = written
            && self.store.failure().is_none()
        {
            tracing::error!(%error, boards = seen.len(), "sightings could not be written");
        }
    }
}

impl Actor for Recorder {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX);
        ctx.run_interval(GATHER, |recorder, _| recorder.write());
    }
}

impl Handler<Seen> for Recorder {
    type Result = ();

    fn handle(&mut self, Seen(board): Seen, _: &mut Self::Context) {
        self.note(board, wall_clock::seconds());
    }
}

impl Handler<Flush> for Recorder {
    type Result = ();

    fn handle(&mut self, _: Flush, _: &mut Self::Context) {
        self.write();
    }
}

#[cfg(test)]
mod tests {
    use storage::{Board, Tenant, TenantState};

    use super::*;

    #[test]
    fn a_clock_set_back_moves_no_sighting_back_and_one_set_forward_loses_none() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let (id, tenant): (BoardId, storage::TenantId) =
            ("CB-1".parse().unwrap(), "acme".parse().unwrap());
        let acme = Tenant {
            id: tenant.clone(),
            name: String::new(),
            state: TenantState::Active,
            created: UnixSeconds(0),
            issuer: None,
            quota: storage::Quota::default(),
        };
        store.tenants().put(&acme).unwrap();
        store.boards().put(&Board::new(id.clone(), tenant, UnixSeconds(0))).unwrap();
        let mut recorder = Recorder::new(store.clone());
        let mut last_seen = |moments: &[u64]| {
            for moment in moments {
                recorder.note(id.clone(), UnixSeconds(*moment));
            }
            recorder.write();
            store.boards().find(&id).unwrap().unwrap().last_seen
        };
        assert_eq!(last_seen(&[1_000, 400]), Some(UnixSeconds(1_000)), "within one gathering");
        assert_eq!(last_seen(&[500]), Some(UnixSeconds(1_000)), "over two");
        assert_eq!(last_seen(&[1_001]), Some(UnixSeconds(1_001)));
        assert_eq!(last_seen(&[9_000_000]), Some(UnixSeconds(9_000_000)));
    }
}
