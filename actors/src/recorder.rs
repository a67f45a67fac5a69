//! Writes down when boards were seen, on an arbiter of its own, where the store may block.
//!
//! Sightings are gathered for a few seconds and written together; one that is lost in a crash is
//! told again with the board's next session. Invariant: nothing is acknowledged on its account.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use actix::{Actor, AsyncContext, Context, Handler, Message};
use storage::{BoardId, Store, UnixSeconds};

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

    fn write(&mut self) {
        if self.seen.is_empty() {
            return;
        }
        let seen: Vec<_> = self.seen.drain().collect();
        if let Err(error) = self.store.boards().mark_seen(&seen) {
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
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        self.seen.insert(board, UnixSeconds(now.as_secs()));
    }
}

impl Handler<Flush> for Recorder {
    type Result = ();

    fn handle(&mut self, _: Flush, _: &mut Self::Context) {
        self.write();
        if let Err(error) = self.store.flush() {
            tracing::error!(%error, "the store could not be flushed");
        }
    }
}
