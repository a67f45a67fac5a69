//! What stories measured on the way: bytes on the air, as the board counts them, and its memory.
//!
//! Only keeps and shows.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{Machine, Told};

/// Bytes of the headers of IPv4 and UDP, before which a datagram goes.
const HEADERS: u32 = 28;

/// All of them.
#[derive(Default)]
pub(crate) struct Figures {
    talk: Mutex<Vec<Talk>>,
    memory: Mutex<Vec<(&'static str, usize)>>,
}

struct Talk {
    what: String,
    datagrams: u32,
    sent: u32,
    received: u32,
}

impl Figures {
    /// What one kind of talk came to, as a board said it.
    pub(crate) fn talk(&self, what: impl Into<String>, line: &str) -> Told {
        self.talk_since(what, line, None)
    }

    /// The same, less what it had come to in a line before.
    pub(crate) fn talk_since(
        &self,
        what: impl Into<String>,
        line: &str,
        before: Option<&str>,
    ) -> Told {
        let number = |name: &str| -> Told<u32> {
            let before = before.map_or(Ok(0), |line| Machine::number(line, name))?;
            Ok(Machine::number(line, name)?.saturating_sub(before))
        };
        let (datagrams, sent, received) =
            (number("datagrams")?, number("sent")?, number("received")?);
        lock(&self.talk).push(Talk { what: what.into(), datagrams, sent, received });
        Ok(())
    }

    /// Bytes of memory that something used.
    pub(crate) fn memory(&self, what: &'static str, bytes: usize) {
        lock(&self.memory).push((what, bytes));
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut talk, mut memory) = (lock(&self.talk), lock(&self.memory));
        talk.sort_by(|one, other| one.what.cmp(&other.what));
        memory.sort_unstable();
        if !talk.is_empty() {
            writeln!(
                f,
                "{:<36} {:>10} {:>10} {:>10} {:>14}",
                "on the air, bytes of DTLS", "datagrams", "sent", "received", "with UDP, IPv4"
            )?;
        }
        for Talk { what, datagrams, sent, received } in talk.iter() {
            let all = sent + received + datagrams * HEADERS;
            writeln!(f, "{what:<36} {datagrams:>10} {sent:>10} {received:>10} {all:>14}")?;
        }
        for (what, bytes) in memory.iter() {
            writeln!(f, "{what:<36} {bytes:>10} bytes")?;
        }
        Ok(())
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}
