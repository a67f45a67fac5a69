//! What a board makes of the hub's answers: the reading is done with, or sent again as the hub wants
//! it, or later.
//!
//! Invariant: only here does a reading leave the queue.

use alloc::vec::Vec;

use super::{Board, Exchange};
use crate::Millis;
use crate::event::Event;
use crate::message::Answer;

/// 4.01, with which the hub asks for an Echo option.
const UNAUTHORIZED: u8 = 0x81;

impl Board {
    pub(super) fn answered(&mut self, now: Millis, answer: Answer) {
        const CREATED: u8 = 0x41;
        const CHANGED: u8 = 0x44;
        const TOO_MANY_REQUESTS: u8 = 0x9d;
        self.backoff.reset();
        let Answer { code, max_age_s, acknowledges, echo, renew, payload, .. } = answer;
        if let (UNAUTHORIZED, Some(echo)) = (code, echo) {
            return self.challenged(now, acknowledges, echo, max_age_s);
        }
        if self.clock.is_asking() {
            let told = self.clock.answered(now, code, &payload);
            self.events.extend(told.map(|unix_ms| Event::TimeLearned { unix_ms }));
            return self.next();
        }
        let Some(id) = self.queue.front().map(|head| head.id) else { return };
        let event = match (code, code >> 5) {
            (CREATED | CHANGED, _) => Event::Acknowledged { id },
            (TOO_MANY_REQUESTS, _) | (_, 5) => return self.put_off(now, code, max_age_s),
            _ => Event::Rejected { id, code },
        };
        self.queue.pop_front();
        self.events.push_back(event);
        if renew && matches!(event, Event::Acknowledged { .. }) {
            self.events.push_back(Event::RenewalWanted);
        }
        self.next();
    }

    /// The same again with what the hub wants to see in it, or later.
    fn challenged(
        &mut self,
        now: Millis,
        acknowledges: Option<u16>,
        echo: Vec<u8>,
        max_age_s: Option<u32>,
    ) {
        // What answers another message than the last asks for what was given already.
        let is_due = match self.exchange {
            Exchange::Sent { message_id, .. } => acknowledges.is_none_or(|id| id == message_id),
            Exchange::AwaitingResponse { .. } => acknowledges.is_none(),
            Exchange::Idle | Exchange::Deferred { .. } => false,
        };
        if is_due && self.freshness.take(echo) {
            self.send_anew(now);
        } else if is_due {
            self.put_off(now, UNAUTHORIZED, max_age_s);
        }
    }

    fn next(&mut self) {
        self.exchange = Exchange::Idle;
        self.freshness.renew();
    }

    /// Not now: a reading waits; the time is not asked for again on this connection.
    pub(super) fn put_off(&mut self, now: Millis, code: u8, max_age_s: Option<u32>) {
        if !self.clock.is_asking() {
            return self.defer(now, code, max_age_s);
        }
        self.clock.give_up();
        self.next();
    }

    /// Later, and not all boards at once: up to an eighth longer than was asked.
    fn defer(&mut self, now: Millis, code: u8, max_age_s: Option<u32>) {
        let Some(id) = self.queue.front().map(|head| head.id) else { return };
        if matches!(self.exchange, Exchange::Deferred { .. }) {
            return;
        }
        let asked = max_age_s.map_or(self.config.retry_after, |s| u64::from(s) * 1000);
        let wait = asked.saturating_add(self.random.up_to(asked / 8)).max(1);
        let until = now.saturating_add(wait);
        self.freshness.renew();
        self.exchange = Exchange::Deferred { until };
        self.events.push_back(Event::Deferred { id, code, until });
    }
}
