//! A board's request for a certificate, on its way to whoever answers it, and back.
//!
//! Invariant: the session waits for no signature; what it was asked meanwhile, it answers.

use std::time::Instant;

use actix::{ActorFutureExt, AsyncContext, Context, WrapFuture};
use tokio::sync::oneshot;

use super::{DeviceSession, Transport};
use crate::coap::{Ask, Content, ExchangeId};
use crate::enrolment::{self, Asked, Enrol, OF_ONE_TENANT, Operation};

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
            return self.give(exchange, enrolment::nobody());
        };
        let asked = Asked {
            board: self.board.clone(),
            tenant: self.tenant.id.clone(),
            place: secured.place(),
            operation,
            format: ask.format,
            body: ask.body,
        };
        let (done, answer) = oneshot::channel();
        // Full, of this tenant's requests or of all: the board comes back.
        let place = self.tenant.enrolling.enter_below(OF_ONE_TENANT);
        let place = place.filter(|_| keeping.desk.try_send(Enrol { asked, done }).is_ok());
        let Some(place) = place else {
            return self.give(exchange, enrolment::busy(enrolment::BUSY_RETRY_AFTER_S));
        };
        let under_way = (place, self.shard.deliveries.enter());
        let waiting = answer.into_actor(self).map(move |answer, session, ctx| {
            let lost = || enrolment::busy(enrolment::BUSY_RETRY_AFTER_S);
            session.give(exchange, answer.unwrap_or_else(|_| lost()));
            session.perform(received, ctx);
            drop(under_way);
        });
        ctx.spawn(waiting);
    }

    fn give(&mut self, exchange: ExchangeId, content: Content) {
        self.endpoint.handle_content(self.shard.now(), exchange, content);
    }
}
