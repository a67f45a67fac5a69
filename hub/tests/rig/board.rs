//! A board as the tests need one: posts readings over any carrier and knows what was acknowledged.

use std::time::Duration;

use super::PATIENCE;
use super::coap::{self, Answer, Carrier, Message};

/// The client side of CoAP over one carrier.
pub struct Board<C> {
    pub carrier: C,
    next_id: u16,
}

impl<C: Carrier> Board<C> {
    pub fn new(carrier: C) -> Self {
        Self { carrier, next_id: 1 }
    }

    pub fn message(&mut self, code: u8, path: &str, payload: &[u8]) -> Message {
        let message = Message::request(code, path, self.next_id, payload);
        self.next_id = self.next_id.wrapping_add(1);
        message
    }

    /// Posts a payload and waits for the answer.
    pub fn post(&mut self, path: &str, payload: &[u8]) -> Answer {
        self.try_post(path, payload, PATIENCE)
            .unwrap_or_else(|| panic!("no answer to {:?}", String::from_utf8_lossy(payload)))
    }

    pub fn try_post(&mut self, path: &str, payload: &[u8], limit: Duration) -> Option<Answer> {
        let request = self.message(coap::POST, path, payload);
        coap::exchange(&mut self.carrier, &request, limit)
    }

    pub fn ask(&mut self, request: &Message) -> Answer {
        coap::exchange(&mut self.carrier, request, PATIENCE).expect("an answer")
    }
}
