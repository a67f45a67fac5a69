//! A board's request for a certificate, on its way to whoever answers it, and back.
//!
//! Invariant: the session waits for no signature; what it was asked meanwhile, it answers. What a board
//! asks for is taken of its quota as its readings are.

use std::sync::Arc;
use std::time::Instant;

use actix::{ActorFutureExt, AsyncContext, Context, WrapFuture};
use tokio::sync::oneshot;

use super::{DeviceSession, Transport};
use crate::coap::{Ask, Content, ExchangeId};
use crate::enrolment::{self, Asked, Enrol, OF_ONE_TENANT, Operation};
use crate::meter::Over;
use crate::metrics::EnrolmentWay;

impl DeviceSession {
    pub(super) fn enrol(
        &mut self,
        exchange: ExchangeId,
        ask: Ask,
        received: Instant,
        ctx: &mut Context<Self>,
    ) {
        let operation = Operation::at(ask.local);
        let (Some(operation), Some(keeping), Transport::Dtls(secured)) =
            (operation, &self.shard.keeping, &self.transport)
        else {
            return self.endpoint.handle_content(self.shard.now(), exchange, enrolment::nobody());
        };
        let (desk, place) = (keeping.desk.clone(), secured.place());
        let (tenant, size) = (Arc::clone(&self.tenant), ask.body.len());
        let in_flight = self.endpoint.in_flight();
        let held = match tenant.meter.take(&mut self.meter, received, size, in_flight) {
            Ok(held) => held,
            Err(Over { kind, max_age_s }) => {
                self.shard.metrics.over_quota(kind);
                return self.give(exchange, operation, enrolment::over_quota(max_age_s));
            }
        };
        let asked = Asked {
            board: self.board.clone(),
            tenant: self.tenant.id.clone(),
            place,
            operation,
            format: ask.format,
            body: ask.body,
        };
        let (done, answer) = oneshot::channel();
        // Full, of this tenant's requests or of all: the board comes back.
        let turn = self.tenant.enrolling.enter_below(OF_ONE_TENANT);
        let turn = turn.filter(|_| desk.try_send(Enrol { asked, done }).is_ok());
        let Some(turn) = turn else {
            let busy = enrolment::busy(enrolment::BUSY_RETRY_AFTER_S);
            return self.give(exchange, operation, busy);
        };
        let under_way = (turn, held, self.shard.deliveries.enter());
        let waiting = answer.into_actor(self).map(move |answer, session, ctx| {
            let lost = || enrolment::busy(enrolment::BUSY_RETRY_AFTER_S);
            session.give(exchange, operation, answer.unwrap_or_else(|_| lost()));
            session.perform(received, ctx);
            drop(under_way);
        });
        ctx.spawn(waiting);
    }

    fn give(&mut self, exchange: ExchangeId, operation: Operation, content: Content) {
        if let Some(kind) = operation.kind() {
            let end = enrolment::end(content.code);
            self.shard.metrics.enrolment(EnrolmentWay::Coaps, kind, end);
        }
        self.endpoint.handle_content(self.shard.now(), exchange, content);
    }
}
