//! The Echo value that the hub wants to see in a request (RFC 9175 section 2.3).
//!
//! Never judges the value; what the hub asked for is what it gets.

use alloc::vec::Vec;

use crate::message;

/// How often in a row one request is asked for; then the hub does not mean what it says.
const ASKED_MAX: u8 = 3;

/// What the request that is being made has to carry.
#[derive(Clone, Debug, Default)]
pub(crate) struct Freshness {
    echo: Vec<u8>,
    asked: u8,
}

impl Freshness {
    /// The hub asks for `echo`; false when it has asked too often.
    pub(crate) fn take(&mut self, echo: Vec<u8>) -> bool {
        if self.asked >= ASKED_MAX {
            return false;
        }
        self.asked += 1;
        self.echo = echo;
        true
    }

    /// Another request, another connection or another day.
    pub(crate) fn renew(&mut self) {
        *self = Self::default();
    }

    /// The message with what was asked for.
    pub(crate) fn stamp(&self, request: Vec<u8>) -> Vec<u8> {
        if self.echo.is_empty() { request } else { message::with_echo(request, &self.echo) }
    }
}
