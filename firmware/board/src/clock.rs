//! The time of day of a board that has no clock, or does not trust its own.
//!
//! Invariant: it is what the hub said plus what the shell's clock has counted since; a jump of
//! either clock elsewhere is not seen before the next connection.

use alloc::vec::Vec;

use crate::{Millis, message};

/// What is known of the time, and whether it is being asked for.
#[derive(Clone, Debug)]
pub(crate) struct Clock {
    token: [u8; 1],
    asking: Asking,
    told: Option<Told>,
}

#[derive(Clone, Copy, Debug)]
enum Asking {
    No,
    Yes { sent: Millis },
}

#[derive(Clone, Copy, Debug)]
struct Told {
    unix_ms: u64,
    at: Millis,
}

impl Clock {
    /// One that knows nothing; `salt` differs between boots. Tokens of readings are two bytes, so
    /// one of a single byte is never taken for theirs.
    pub(crate) fn new(salt: u16) -> Self {
        let [_, low] = salt.to_be_bytes();
        Self { token: [low], asking: Asking::No, told: None }
    }

    /// The question stands until it is answered or given up.
    pub(crate) fn ask(&mut self) {
        self.asking = Asking::Yes { sent: 0 };
    }

    pub(crate) fn is_asking(&self) -> bool {
        matches!(self.asking, Asking::Yes { .. })
    }

    pub(crate) fn give_up(&mut self) {
        self.asking = Asking::No;
    }

    pub(crate) fn token(&self) -> &[u8] {
        &self.token
    }

    pub(crate) fn question(&self, message_id: u16) -> Vec<u8> {
        message::get(message_id, &self.token, wire::resource::TIME)
    }

    /// The question, if there is one, leaves at `now`.
    pub(crate) fn note_sent(&mut self, now: Millis) {
        if let Asking::Yes { sent } = &mut self.asking {
            *sent = now;
        }
    }

    /// The time at `now`, when the answer tells it. It was read halfway between question and answer.
    pub(crate) fn answered(&mut self, now: Millis, code: u8, payload: &[u8]) -> Option<u64> {
        const CONTENT: u8 = 0x45;
        let Asking::Yes { sent } = core::mem::replace(&mut self.asking, Asking::No) else {
            return None;
        };
        let read = (code == CONTENT).then(|| wire::read_time(payload)).flatten()?;
        let unix_ms = read.saturating_add(now.saturating_sub(sent) / 2);
        self.told = Some(Told { unix_ms, at: now });
        Some(unix_ms)
    }

    pub(crate) fn unix_ms(&self, now: Millis) -> Option<u64> {
        let Told { unix_ms, at } = self.told?;
        Some(unix_ms.saturating_add(now.saturating_sub(at)))
    }
}
