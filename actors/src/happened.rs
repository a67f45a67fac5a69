//! What happens to boards, for the recorder to write down: sessions begun and ended, and refusals.
//!
//! Invariant: a refusal's board is what somebody claims to be. Refusals cost the store at most one
//! write a board and minute, and memory for [`REFUSED_MAX`] boards.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use actix::{Addr, Message};
use storage::{BoardHistory, BoardId, Reason, RefusedFor, SessionEvent, SessionTurn};

use crate::metrics::{Label as _, SessionEnd};
use crate::recorder::Recorder;
use crate::refusal::Refusal;
use crate::wall_clock;

/// Boards whose refusals are gathered at a time; those of more are counted in the metrics alone.
const REFUSED_MAX: usize = 4096;
/// From one write of a board's refusals to the next.
const APART: Duration = Duration::from_secs(60);

/// Ends that are told: with their numbers in the store, given out once and for good, and in words. Not
/// told are those after which a session sleeps, is known again or is replaced by another, which is told.
const ENDS: [(SessionEnd, u8, &str); 6] = [
    (SessionEnd::CloseNotify, 1, "the board said goodbye"),
    (SessionEnd::PeerAlert, 2, "the board ended it with a fatal alert"),
    (SessionEnd::Denied, 3, "the board was shut out"),
    (SessionEnd::Ended, 4, "somebody ended it; the board may begin another"),
    (SessionEnd::Panicked, 5, "the hub failed at it; the board may begin another"),
    (SessionEnd::StoreFailed, 6, "the hub could not write its slot"),
];

/// Why a session ended, as the metrics and as people have it; nothing of a later hub's reason.
#[must_use]
pub fn end_said(Reason(number): Reason) -> Option<(&'static str, &'static str)> {
    let told = ENDS.iter().find(|(_, known, _)| *known == number);
    told.map(|(end, _, words)| (end.label(), *words))
}

/// Why somebody was refused, as the metrics and as people have it; nothing of a later hub's reason.
#[must_use]
pub fn refusal_said(Reason(number): Reason) -> Option<(&'static str, String)> {
    Refusal::of_number(number).map(|refusal| (refusal.end().label(), refusal.to_string()))
}

/// Something happened to a board.
#[derive(Debug)]
pub struct Happened {
    /// The board.
    pub board: BoardId,
    /// What it was.
    pub what: What,
}

/// Has all of it written down.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Note(pub Vec<Happened>);

impl Note {
    /// Tells `recorder`, in one message for however much happened at once.
    pub fn tell(self, recorder: &Addr<Recorder>) {
        // Full: the recorder is behind; the metrics and the log have it all the same.
        let _ = recorder.try_send(self);
    }
}

/// What happened.
#[derive(Debug)]
pub enum What {
    /// To a session of the board.
    Session(SessionEvent),
    /// Somebody with the board's name was refused.
    Refused(RefusedFor),
}

impl Happened {
    /// A session began that the disk has.
    #[must_use]
    pub fn begun(board: BoardId, source: SocketAddr, is_resumed: bool) -> Self {
        let turn = if is_resumed { SessionTurn::Resumed } else { SessionTurn::Begun };
        let event = SessionEvent { at: wall_clock::seconds(), source, what: turn };
        Self { board, what: What::Session(event) }
    }

    /// A session is over; nothing where it sleeps, where the hub will know it again, or where the
    /// beginning of the next says so.
    #[must_use]
    pub fn ended(board: &BoardId, source: SocketAddr, end: SessionEnd) -> Option<Self> {
        let number = ENDS.iter().find(|(told, _, _)| *told == end).map(|(_, number, _)| *number)?;
        let turn = SessionTurn::Ended(Reason(number));
        let event = SessionEvent { at: wall_clock::seconds(), source, what: turn };
        Some(Self { board: board.clone(), what: What::Session(event) })
    }

    /// Somebody who claims to be the board was refused.
    #[must_use]
    pub fn refused(board: BoardId, source: SocketAddr, refusal: Refusal) -> Self {
        let now = wall_clock::seconds();
        let reason = Reason(refusal.number());
        let refused = RefusedFor { reason, count: 1, first: now, last: now, source };
        Self { board, what: What::Refused(refused) }
    }

    /// Has it written down.
    pub fn tell(self, recorder: &Addr<Recorder>) {
        Note(vec![self]).tell(recorder);
    }
}

/// Refusals that are not written yet, by board.
#[derive(Default)]
pub struct Refusals(HashMap<BoardId, Gathered>);

struct Gathered {
    history: BoardHistory,
    /// When they may be written.
    from: Instant,
}

impl Refusals {
    /// Takes in refusals of a board that there is.
    pub fn add(&mut self, board: BoardId, refused: RefusedFor, now: Instant) {
        if self.0.len() >= REFUSED_MAX && !self.0.contains_key(&board) {
            return;
        }
        let new = || Gathered { history: BoardHistory::new(board.clone()), from: now };
        self.0.entry(board.clone()).or_insert_with(new).history.add_refusals(refused);
    }

    /// Those that may be written now; those of the same boards wait a minute from here on.
    pub fn due(&mut self, now: Instant) -> Vec<BoardHistory> {
        self.0.retain(|_, of| of.from > now || !of.history.is_empty());
        let due = self.0.values_mut().filter(|of| of.from <= now);
        due.map(|of| {
            of.from = now + APART;
            let none = BoardHistory::new(of.history.board.clone());
            std::mem::replace(&mut of.history, none)
        })
        .collect()
    }

    /// All of them: the hub stops.
    pub fn all(&mut self) -> Vec<BoardHistory> {
        let all = std::mem::take(&mut self.0).into_values().map(|of| of.history);
        all.filter(|history| !history.is_empty()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(board: &str) -> (BoardId, RefusedFor) {
        let happened =
            Happened::refused(board.parse().unwrap(), ([192, 0, 2, 1], 1).into(), Refusal::Blocked);
        let What::Refused(refused) = happened.what else { panic!("{happened:?}") };
        (happened.board, refused)
    }

    #[test]
    fn a_boards_refusals_are_written_once_a_minute_and_none_is_lost_between() {
        let (mut refusals, begin) = (Refusals::default(), Instant::now());
        let at = |seconds| begin + Duration::from_secs(seconds);
        let (mut writes, mut count) = (Vec::new(), 0);
        for second in 0..180 {
            let (board, refused) = refused("CB-1");
            refusals.add(board, refused, at(second));
            for history in refusals.due(at(second)) {
                writes.push(second);
                count += history.refusals[0].count;
            }
        }
        assert_eq!(writes, [0, 60, 120]);
        assert_eq!(count + refusals.all()[0].refusals[0].count, 180);
    }

    #[test]
    fn what_the_store_calls_the_ends_of_sessions_is_frozen() {
        let said = |number| end_said(Reason(number)).map(|(label, _)| label);
        let all = ["close_notify", "peer_alert", "denied", "ended", "panicked", "store_failed"];
        assert_eq!((1..=6).filter_map(said).collect::<Vec<_>>(), all);
        assert_eq!((said(0), said(7)), (None, None));
    }

    #[test]
    fn a_crowd_of_boards_takes_bounded_memory_and_gives_it_back() {
        let (mut refusals, begin) = (Refusals::default(), Instant::now());
        for number in 0..REFUSED_MAX + 10 {
            let (board, refused) = refused(&format!("CB-{number}"));
            refusals.add(board, refused, begin);
        }
        assert_eq!(refusals.due(begin).len(), REFUSED_MAX);
        assert!(refusals.due(begin + APART).is_empty());
        assert!(refusals.0.is_empty());
    }
}
