//! The modem on the second UART: commands of the SDK there, lines back to it, and patience that ends.
//!
//! Decides nothing about the network. What a modem says is the SDK's to read.

use alloc::string::String;

use an505::ModemUart;
use board::Millis;
use board::modem::{Answered, Attach, AttachSettings, Coverage, Lines, is_notification};

/// How long a command may take.
const PATIENCE_MS: Millis = 5_000;
/// Characters of an answer; what is longer is none.
const ANSWER_MAX: usize = 4096;

/// The modem, as far as the board knows.
pub(crate) struct Modem {
    uart: ModemUart,
    lines: Lines,
    attach: Attach,
    seed: u64,
    /// An answer is awaited until then; this much of it has come.
    awaited: Option<(Millis, String)>,
}

/// What of it is news.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum News {
    /// A command was not answered.
    Silent,
    /// Attached, now, or in another cell.
    Attached,
    /// Not attached any more.
    NoCoverage,
}

impl Modem {
    /// One that nothing is known of yet.
    pub(crate) fn new(seed: u64) -> Self {
        let attach = Attach::new(settings(), seed);
        Self { uart: ModemUart::new(), lines: Lines::default(), attach, seed, awaited: None }
    }

    /// Takes what came, sends what is due. Whether a byte came, and what is news.
    pub(crate) fn poll(&mut self, now: Millis) -> (bool, Option<News>) {
        let before = self.attach.coverage();
        let mut is_busy = false;
        let mut news = None;
        while let Some(byte) = self.uart.receive() {
            is_busy = true;
            if let Some(line) = self.lines.take(byte) {
                self.heard(now, &line);
            }
        }
        if self.awaited.as_ref().is_some_and(|(until, _)| now >= *until) {
            self.awaited = None;
            self.attach.handle_answer(now, "ERROR");
            news = Some(News::Silent);
        }
        self.attach.handle_timeout(now);
        if self.attach.is_stuck() {
            // It cannot be reset from here; it is spoken to as after a reset.
            self.attach = Attach::new(settings(), self.seed);
        }
        if self.awaited.is_none()
            && let Some(command) = self.attach.poll_command()
        {
            self.uart.send(&command);
            self.uart.send("\r");
            self.awaited = Some((now.saturating_add(PATIENCE_MS), String::new()));
        }
        let coverage = self.attach.coverage();
        let changed = (coverage != before).then_some(match coverage {
            Coverage::Attached { .. } => News::Attached,
            Coverage::Searching | Coverage::Off => News::NoCoverage,
        });
        let lost = !matches!(before, Coverage::Attached { .. });
        (is_busy, news.or(changed.filter(|news| *news == News::Attached || !lost)))
    }

    fn heard(&mut self, now: Millis, line: &str) {
        let Some((_, answer)) = &mut self.awaited else {
            return self.attach.handle_notification(now, line);
        };
        // None of the commands that are sent here is answered with such a line.
        if is_notification(line) && Answered::parse(line).is_none() {
            return self.attach.handle_notification(now, line);
        }
        if answer.len() + line.len() < ANSWER_MAX {
            answer.push_str(line);
            answer.push('\n');
        }
        if Answered::parse(line).is_some()
            && let Some((_, answer)) = self.awaited.take()
        {
            self.attach.handle_answer(now, &answer);
        }
    }

    /// Whether anything gets through, and through which cell.
    pub(crate) fn coverage(&self) -> Coverage {
        self.attach.coverage()
    }

    /// The signal, where it is known.
    pub(crate) fn rsrp_dbm(&self) -> Option<i16> {
        self.attach.rsrp_dbm()
    }
}

/// A bench's pace, but for what the network is asked for.
fn settings() -> AttachSettings {
    AttachSettings { paging_cycle_s: Some(81), rest_min: 1_000, ..AttachSettings::default() }
}
