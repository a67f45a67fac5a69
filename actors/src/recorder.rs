//! Writes down when boards were seen and what happened to them, on an arbiter of its own, where the
//! store may block.
//!
//! All of it is gathered for a few seconds and written together, with one flush. A sighting that is
//! lost in a crash is told again with the board's next session; an event is lost. Bytes that passed are
//! written with the board's next sighting, or after ten minutes.
//! Invariant: nothing is acknowledged on its account.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use actix::{Actor, AsyncContext, Context, Handler, Message};
use storage::{BoardHistory, BoardId, Heard, Store, UnixSeconds};

use crate::happened::{Happened, Note, Refusals, What};
use crate::wall_clock;

const MAILBOX: usize = 65_536;
const GATHER: Duration = Duration::from_secs(5);
/// Boards whose bytes may wait to be written.
const PASSED_MAX: usize = 65_536;
/// Writes within which the bytes of all are written: ten minutes.
const PASSED_WRITES: u32 = 120;

/// Gathers sightings of boards.
pub struct Recorder {
    store: Store,
    seen: HashMap<BoardId, UnixSeconds>,
    /// Of sessions, which only boards that have proved who they are begin.
    sessions: HashMap<BoardId, BoardHistory>,
    refusals: Refusals,
    /// Bytes that passed and are not written yet.
    passed: HashMap<BoardId, u64>,
    /// How often was written since all of those were.
    writes: u32,
}

/// A board was seen now.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Seen(pub BoardId);

/// So many bytes passed between a board and the hub.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Passed(pub BoardId, pub u32);

/// Write down what is gathered, and make it durable.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Flush;

impl Recorder {
    /// A recorder that writes to `store`.
    #[must_use]
    pub fn new(store: Store) -> Self {
        let (seen, sessions) = (HashMap::new(), HashMap::new());
        let (passed, refusals) = (HashMap::new(), Refusals::default());
        Self { store, seen, sessions, refusals, passed, writes: 0 }
    }

    /// Only forward: a clock set back between two sightings leaves the later one.
    fn note(&mut self, board: BoardId, at: UnixSeconds) {
        let seen = self.seen.entry(board).or_insert(at);
        *seen = at.max(*seen);
    }

    /// Writes down what was gathered and forces it to the disk, which is also how a hub without
    /// other business finds out that its disk is full.
    fn write(&mut self, refusals: Vec<BoardHistory>) {
        // The tables with them: what a crowd of boards has made them large for is given back.
        let mut seen: Vec<_> = std::mem::take(&mut self.seen)
            .into_iter()
            .map(|(board, at)| {
                let bytes = self.passed.remove(&board).unwrap_or(0);
                Heard { board, seen: Some(at), bytes }
            })
            .collect();
        self.writes += 1;
        if self.writes >= PASSED_WRITES || self.passed.len() >= PASSED_MAX {
            self.writes = 0;
            let passed = std::mem::take(&mut self.passed).into_iter();
            seen.extend(passed.map(|(board, bytes)| Heard { board, seen: None, bytes }));
        }
        let sessions = std::mem::take(&mut self.sessions).into_values();
        let happened: Vec<_> = sessions.chain(refusals).collect();
        // A store that failed has said so, once and for good.
        if (seen.is_empty() && happened.is_empty()) || self.store.failure().is_some() {
            return;
        }
        let (boards, histories) = (seen.len(), happened.len());
        let (boards_of, now) = (self.store.boards(), wall_clock::seconds());
        let written = seen.iter().try_for_each(|heard| boards_of.mark_heard(heard, now));
        let written = written.and_then(|()| self.store.add_history(happened));
        if let Err(error) = written.and_then(|()| self.store.flush())
            && self.store.failure().is_none()
        {
            tracing::error!(%error, boards, histories, "what boards did could not be written");
        }
    }

    fn take_in(&mut self, happened: Happened) {
        let Happened { board, what } = happened;
        match what {
            What::Session(event) => {
                let new = || BoardHistory::new(board.clone());
                self.sessions.entry(board.clone()).or_insert_with(new).add_session(event);
            }
            // Made-up names would take the place of those that there are.
            What::Refused(refused) => {
                if let Ok(Some(_)) = self.store.boards().find(&board) {
                    self.refusals.add(board, refused, Instant::now());
                }
            }
        }
    }
}

impl Actor for Recorder {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX);
        ctx.run_interval(GATHER, |recorder, _| {
            let due = recorder.refusals.due(Instant::now());
            recorder.write(due);
        });
    }
}

impl Handler<Seen> for Recorder {
    type Result = ();

    fn handle(&mut self, Seen(board): Seen, _: &mut Self::Context) {
        self.note(board, wall_clock::seconds());
    }
}

impl Handler<Passed> for Recorder {
    type Result = ();

    fn handle(&mut self, Passed(board, bytes): Passed, _: &mut Self::Context) {
        *self.passed.entry(board).or_default() += u64::from(bytes);
    }
}

impl Handler<Flush> for Recorder {
    type Result = ();

    fn handle(&mut self, _: Flush, _: &mut Self::Context) {
        let all = self.refusals.all();
        self.writes = PASSED_WRITES;
        self.write(all);
    }
}

impl Handler<Note> for Recorder {
    type Result = ();

    fn handle(&mut self, Note(happened): Note, _: &mut Self::Context) {
        happened.into_iter().for_each(|happened| self.take_in(happened));
    }
}

#[cfg(test)]
mod tests {
    use storage::{Board, Tenant, TenantState};

    use super::*;
    use crate::refusal::Refusal;

    /// A store with one board.
    fn with_board() -> (tempfile::TempDir, Store, BoardId) {
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
        (dir, store, id)
    }

    #[test]
    fn refusals_in_a_boards_name_push_out_no_session_and_those_of_nobody_leave_nothing() {
        let (_dir, store, id) = with_board();
        let mut recorder = Recorder::new(store.clone());
        let source = ([192, 0, 2, 1], 1).into();
        recorder.take_in(Happened::begun(id.clone(), source, false));
        for _ in 0..100 {
            for refusal in [Refusal::BadSignature, Refusal::Protocol, Refusal::TimedOut] {
                recorder.take_in(Happened::refused(id.clone(), source, refusal));
                let nobody = "CB-nobody".parse().unwrap();
                recorder.take_in(Happened::refused(nobody, source, refusal));
            }
        }
        let refused = recorder.refusals.due(Instant::now());
        assert_eq!(refused.len(), 1);
        recorder.write(refused);
        let history = store.history(&id).unwrap().unwrap();
        assert_eq!((history.sessions.len(), history.refusals.len()), (1, 3));
        assert!(history.refusals.iter().all(|refused| refused.count == 100));
        assert_eq!(store.history(&"CB-nobody".parse().unwrap()).unwrap(), None);
    }

    #[test]
    fn bytes_are_written_with_the_next_sighting_or_at_the_end() {
        let (_dir, store, id) = with_board();
        let mut recorder = Recorder::new(store.clone());
        let used = || store.boards().data_use(&id).unwrap().in_month_of(wall_clock::seconds());
        *recorder.passed.entry(id.clone()).or_default() += 100;
        recorder.write(Vec::new());
        assert_eq!(used(), 0, "not for its own sake");
        recorder.note(id.clone(), wall_clock::seconds());
        recorder.write(Vec::new());
        assert_eq!(used(), 100);
        let seen = store.boards().find(&id).unwrap().unwrap().last_seen;
        *recorder.passed.entry(id.clone()).or_default() += 23;
        recorder.writes = PASSED_WRITES;
        recorder.write(Vec::new());
        assert_eq!(used(), 123);
        let board = store.boards().find(&id).unwrap().unwrap();
        assert_eq!(board.last_seen, seen, "which is no sighting");
        store.boards().change(&id, |board| board.labels.clear()).unwrap();
        assert_eq!(used(), 123, "whatever else is changed of it");
    }

    #[test]
    fn a_clock_set_back_moves_no_sighting_back_and_one_set_forward_loses_none() {
        let (_dir, store, id) = with_board();
        let mut recorder = Recorder::new(store.clone());
        let mut last_seen = |moments: &[u64]| {
            for moment in moments {
                recorder.note(id.clone(), UnixSeconds(*moment));
            }
            recorder.write(Vec::new());
            store.boards().find(&id).unwrap().unwrap().last_seen
        };
        assert_eq!(last_seen(&[1_000, 400]), Some(UnixSeconds(1_000)), "within one gathering");
        assert_eq!(last_seen(&[500]), Some(UnixSeconds(1_000)), "over two");
        assert_eq!(last_seen(&[1_001]), Some(UnixSeconds(1_001)));
        assert_eq!(last_seen(&[9_000_000]), Some(UnixSeconds(9_000_000)));
    }
}
