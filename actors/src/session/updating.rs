//! What a board says and asks about its firmware, on its way to whoever answers it, and back.
//!
//! Invariant: the session waits for no disk. A report is taken of the board's quota as its readings are;
//! blocks are not, for it is the hub that wants the board to have them.

use std::time::Instant;

use actix::{ActorFutureExt, AsyncContext, Context, WrapFuture};
use tokio::sync::oneshot;

use super::DeviceSession;
use crate::coap::{ExchangeId, Part, Piece};
use crate::enrolment;
use crate::firmware::{BUSY_RETRY_AFTER_S, OF_ONE_TENANT, Read, Report};
use crate::meter::Over;

impl DeviceSession {
    pub(super) fn report(
        &mut self,
        exchange: ExchangeId,
        body: Vec<u8>,
        received: Instant,
        ctx: &mut Context<Self>,
    ) {
        let now = self.shard.now();
        let busy = || enrolment::busy(BUSY_RETRY_AFTER_S.into());
        let Some(counter) = self.shard.keeping.as_ref().map(|keeping| keeping.counter.clone())
        else {
            return self.endpoint.handle_content(now, exchange, enrolment::nobody());
        };
        let (size, in_flight) = (body.len(), self.endpoint.in_flight());
        let held = match self.tenant.meter.take(&mut self.meter, received, size, in_flight) {
            Ok(held) => held,
            Err(Over { kind, max_age_s }) => {
                self.shard.metrics.over_quota(kind);
                let over = enrolment::over_quota(max_age_s);
                return self.endpoint.handle_content(now, exchange, over);
            }
        };
        let (done, answer) = oneshot::channel();
        let (board, tenant) = (self.board.clone(), self.tenant.id.clone());
        // Full, of this tenant's or of all: the board comes back.
        let turn = self.tenant.updating.enter_below(OF_ONE_TENANT);
        let report = Report { board, tenant, body, done };
        let Some(turn) = turn.filter(|_| counter.try_send(report).is_ok()) else {
            return self.endpoint.handle_content(now, exchange, busy());
        };
        let under_way = (turn, held, self.shard.deliveries.enter());
        let waiting = answer.into_actor(self).map(move |answer, session, ctx| {
            let content = answer.unwrap_or_else(|_| busy());
            session.endpoint.handle_content(session.shard.now(), exchange, content);
            session.perform(received, ctx);
            drop(under_way);
        });
        ctx.spawn(waiting);
    }

    pub(super) fn read(
        &mut self,
        exchange: ExchangeId,
        part: Part,
        received: Instant,
        ctx: &mut Context<Self>,
    ) {
        let now = self.shard.now();
        let later = Piece::Later { max_age_s: BUSY_RETRY_AFTER_S };
        let Some(keeping) = &self.shard.keeping else {
            return self.endpoint.handle_piece(now, exchange, Piece::Unknown);
        };
        let (done, answer) = oneshot::channel();
        let read = Read { tenant: self.tenant.id.clone(), part, done };
        let turn = self.tenant.updating.enter_below(OF_ONE_TENANT);
        let Some(turn) = turn.filter(|_| keeping.librarian.try_send(read).is_ok()) else {
            return self.endpoint.handle_piece(now, exchange, later);
        };
        let waiting = answer.into_actor(self).map(move |answer, session, ctx| {
            let piece = answer.unwrap_or(later);
            session.endpoint.handle_piece(session.shard.now(), exchange, piece);
            session.perform(received, ctx);
            drop(turn);
        });
        ctx.spawn(waiting);
    }
}
