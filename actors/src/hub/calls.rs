//! Boards that are awake, told that the hub has something to say about their firmware.
//!
//! A call is one small message that nobody acknowledges: one that is lost is made up for by the board's next
//! report. Invariant: who is called is decided elsewhere.

use actix::{Handler, Message, ResponseFuture};
use storage::{BoardId, TenantId};

use crate::hub::Hub;
use crate::session::Call;
use crate::tenant::FindOne;

/// Calls these boards, where they have a session awake; says how many were.
#[derive(Debug, Clone, Message)]
#[rtype(result = "usize")]
pub struct CallBoards(pub Vec<(TenantId, BoardId)>);

impl Handler<CallBoards> for Hub {
    type Result = ResponseFuture<usize>;

    fn handle(&mut self, CallBoards(boards): CallBoards, _: &mut Self::Context) -> Self::Result {
        let of = |(tenant, board)| Some((self.tenants.find(&tenant)?.supervisor(), board));
        let asked: Vec<_> = boards.into_iter().filter_map(of).collect();
        Box::pin(async move {
            let mut called = 0;
            for (supervisor, board) in asked {
                let found = supervisor.send(FindOne(board)).await.ok().flatten();
                // Full: it is busy, and its board will report anyway.
                let session = found.and_then(|session| session.upgrade());
                called += usize::from(session.is_some_and(|it| it.try_send(Call).is_ok()));
            }
            called
        })
    }
}
