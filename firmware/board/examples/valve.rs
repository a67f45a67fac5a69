//! A product that acts: a valve that the hub opens and closes. It says what it did, closes by itself when it
//! hears nothing for an hour, and does not let the board restart while it is open.

use board::{CommandError, Millis, Moment, Product, Sample};

const OPEN_MAX: Millis = 3_600_000;

/// A valve; `drive` moves it.
pub(crate) struct Valve {
    drive: fn(bool),
    open_since: Option<Millis>,
}

impl Valve {
    /// A closed one.
    pub(crate) fn new(drive: fn(bool)) -> Self {
        drive(false);
        Self { drive, open_since: None }
    }

    fn set(&mut self, open_since: Option<Millis>) {
        self.open_since = open_since;
        (self.drive)(open_since.is_some());
    }
}

impl Product for Valve {
    fn name(&self) -> &str {
        "valve"
    }

    fn hardware(&self) -> &str {
        "A"
    }

    fn interval(&self) -> Millis {
        60_000
    }

    fn measure(&mut self, now: Moment, samples: &mut Vec<Sample>) {
        if self.open_since.is_some_and(|since| now.millis.saturating_sub(since) >= OPEN_MAX) {
            self.set(None);
        }
        let value = if self.open_since.is_some() { 1.0 } else { 0.0 };
        samples.push(Sample { name: "open".to_owned(), unit: None, value });
    }

    /// `c/open` and `c/close`, without an argument.
    fn command(
        &mut self,
        now: Moment,
        name: &str,
        argument: &[u8],
    ) -> Result<Vec<u8>, CommandError> {
        match name {
            _ if !argument.is_empty() => return Err(CommandError::Malformed),
            "open" if self.open_since.is_some() => return Err(CommandError::Refused),
            "open" => self.set(Some(now.millis)),
            "close" => self.set(None),
            _ => return Err(CommandError::Unknown),
        }
        Ok(Vec::new())
    }

    fn may_restart(&self, _now: Moment) -> bool {
        self.open_since.is_none()
    }
}

#[allow(dead_code, clippy::print_stdout, reason = "an example shows what it does")]
fn main() {
    let mut valve =
        Valve::new(|open| println!("the valve is {}", if open { "open" } else { "closed" }));
    let now = Moment { millis: 0, unix_ms: None };
    println!(
        "c/open: {:?}, may restart: {}",
        valve.command(now, "open", b""),
        valve.may_restart(now)
    );
    println!("c/open again: {:?}", valve.command(now, "open", b""));
    println!(
        "c/close: {:?}, may restart: {}",
        valve.command(now, "close", b""),
        valve.may_restart(now)
    );
}
