//! Renewing the board's certificate: the steps that `Credentials` wants, with the modem and over the session.

use alloc::vec::Vec;

use board::modem::{Coverage, Step};
use board::{Ask, Status, Transfer};

use super::{CREDENTIALS, Shell, now};
use crate::at;

/// Bytes of the longest certificate that is taken; what the modem takes at once is as much in PEM.
const CERTIFICATE_MAX: usize = 2048;
/// Blocks of 512 bytes.
const BLOCK_EXPONENT: u8 = 5;

impl Shell<'_> {
    /// Goes on with a renewal as far as it goes now.
    pub(super) async fn renew(&mut self) {
        if let Some((unix_ms, at)) = self.told {
            let unix_ms = unix_ms.saturating_add(now().saturating_sub(at));
            self.credentials.handle_time(unix_ms / 1000);
        }
        self.ask();
        while self.credentials.is_busy() && self.is_ready() {
            let Some(step) = self.credentials.poll_step() else { return };
            match step {
                Step::Offline => {
                    self.session.close().await;
                    self.device.handle_disconnected(now());
                    self.attach.pause();
                    self.command_modem().await;
                    self.credentials.handle_done(self.attach.is_paused());
                }
                Step::Online => {
                    self.attach.resume();
                    self.credentials.handle_done(true);
                }
                Step::Command(command) => {
                    let answer = at::send_long(&command).await;
                    self.credentials.handle_answer(&answer);
                }
                Step::Note(bytes) => {
                    let is_kept = self.note(CREDENTIALS, &bytes);
                    self.credentials.handle_done(is_kept);
                }
                Step::Ask(request) => {
                    let ask = Ask {
                        path: alloc::format!(
                            "{}/{}",
                            wire::resource::EST,
                            wire::resource::EST_SREN
                        ),
                        accept: wire::CONTENT_FORMAT_CERTIFICATE,
                        body: Some((wire::CONTENT_FORMAT_PKCS10, request)),
                        exponent: BLOCK_EXPONENT,
                        answer_max: CERTIFICATE_MAX,
                        from: 0,
                    };
                    let transfer = Transfer::new(now(), ask, self.next_id);
                    self.next_id = transfer.last_id().wrapping_add(2);
                    self.renewal = Some(transfer);
                }
            }
        }
    }

    /// What came of asking.
    fn ask(&mut self) {
        let Some(renewal) = &mut self.renewal else { return };
        renewal.handle_timeout(now());
        let Some(outcome) = renewal.outcome() else { return };
        self.credentials.handle_certificate(outcome.as_ref().ok().map(Vec::as_slice));
        self.next_id = renewal.last_id().wrapping_add(2);
        self.renewal = None;
    }

    /// Steps that need a session wait for it; it is begun by what the board has to say anyway.
    fn is_ready(&self) -> bool {
        let is_online = self.device.status() == Status::Online
            && matches!(self.attach.coverage(), Coverage::Attached { .. });
        self.renewal.is_none() && (is_online || !self.credentials.needs_session())
    }
}
