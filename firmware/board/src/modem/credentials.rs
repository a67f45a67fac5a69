//! A board's key and certificate in its modem: which tag counts, and how another takes its place. The key is
//! made in the modem and never leaves it.
//!
//! Invariant: the key and certificate that the hub knows are not touched before it took a session on the new ones.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::answer::{Answered, CredentialKind, Kept, Outcome, certificate_request};
use super::base64::pem;

/// Where things are in the modem, and how often they are renewed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CredentialSettings {
    /// The tag of the certificate that the hub's leads to.
    pub root: u32,
    /// The tags of the board's own key and certificate: one that counts, and one for the next.
    pub own: [u32; 2],
    /// Seconds after which they are renewed.
    pub renew_after_s: u64,
    /// Seconds after which a renewal that failed is tried again.
    pub again_after_s: u64,
}

/// What the shell has to do next, and then to tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Turn the radio off, then [`Credentials::handle_done`].
    Offline,
    /// Turn it on, then the same.
    Online,
    /// Send it, then [`Credentials::handle_answer`].
    Command(String),
    /// Ask the hub for a certificate, with this request and over the session there is, then
    /// [`Credentials::handle_certificate`].
    Ask(Vec<u8>),
    /// Keep it over losses of power, then [`Credentials::handle_done`].
    Note([u8; Note::LENGTH]),
}

/// What is kept over losses of power.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Note {
    place: u8,
    /// Whether the hub took a session on it.
    is_proved: bool,
    since_s: u64,
}

impl Note {
    const LENGTH: usize = 11;
    const VERSION: u8 = 1;

    fn to_bytes(self) -> [u8; Self::LENGTH] {
        let [a, b, c, d, e, f, g, h] = self.since_s.to_le_bytes();
        [Self::VERSION, self.place, u8::from(self.is_proved), a, b, c, d, e, f, g, h]
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let &[Self::VERSION, place @ 0..=1, proved @ 0..=1, ref since @ ..] = bytes else {
            return None;
        };
        let since_s = u64::from_le_bytes(since.try_into().ok()?);
        Some(Self { place, is_proved: proved == 1, since_s })
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Stage {
    Resting,
    GoingOffline,
    /// What an earlier try left is taken away; where there is nothing, that fails, which is as good.
    Clearing(CredentialKind),
    MakingKey,
    GoingOnline(Vec<u8>),
    Asking(Vec<u8>),
    GoingOfflineAgain(Vec<u8>),
    Storing(Vec<u8>),
    Noting,
    GoingOnlineAgain,
}

/// The machine.
#[derive(Clone, Debug)]
pub struct Credentials {
    settings: CredentialSettings,
    serial: String,
    note: Note,
    is_complete: bool,
    stage: Stage,
    /// A step was given and is not done.
    is_under_way: bool,
    /// Handshakes in a row that failed with credentials on trial.
    failures: u8,
    not_before_s: u64,
    now_s: u64,
}

impl Credentials {
    /// Handshakes that may fail before the old credentials count again.
    const FAILURES_MAX: u8 = 3;

    /// `kept` is what the modem has, `noted` what [`Step::Note`] asked to keep last, `serial` becomes the name
    /// in signing requests.
    pub fn new(
        settings: CredentialSettings,
        kept: &[Kept],
        noted: Option<&[u8]>,
        serial: &str,
    ) -> Self {
        let has = |tag: u32, kind| kept.contains(&Kept { tag, kind });
        let is_whole = |tag| has(tag, CredentialKind::Certificate) && has(tag, CredentialKind::Key);
        let [first, second] = settings.own;
        let whole = [is_whole(first), is_whole(second)];
        let noted = noted.and_then(Note::parse);
        let noted = noted.filter(|note| whole.get(usize::from(note.place)) == Some(&true));
        let place = if whole == [false, true] { 1 } else { 0 };
        Self {
            settings,
            serial: String::from(serial),
            note: noted.unwrap_or(Note { place, is_proved: true, since_s: 0 }),
            is_complete: has(settings.root, CredentialKind::Root) && whole != [false, false],
            stage: Stage::Resting,
            is_under_way: false,
            failures: 0,
            not_before_s: 0,
            now_s: 0,
        }
    }

    /// The tags for a handshake: the root's, and the own that counts. `None` until the board is set up.
    pub fn tags(&self) -> Option<[u32; 2]> {
        self.is_complete.then(|| [self.settings.root, self.tag(self.note.place)])
    }

    fn tag(&self, place: u8) -> u32 {
        let [first, second] = self.settings.own;
        if place == 0 { first } else { second }
    }

    fn spare(&self) -> u32 {
        self.tag(1 - self.note.place.min(1))
    }

    /// The time of day is known: begins a renewal when one is due.
    pub fn handle_time(&mut self, unix_s: u64) {
        self.now_s = unix_s;
        if self.stage != Stage::Resting || !self.is_complete || !self.note.is_proved {
            return;
        }
        if self.note.since_s == 0 {
            // Nobody knows since when; from now on somebody does.
            self.note.since_s = unix_s;
            self.stage = Stage::Noting;
        } else if unix_s >= self.note.since_s.saturating_add(self.settings.renew_after_s)
            && unix_s >= self.not_before_s
        {
            self.stage = Stage::GoingOffline;
        }
    }

    /// The hub wants the board to have another certificate: a renewal begins as soon as it can.
    pub fn handle_wanted(&mut self) {
        if self.stage == Stage::Resting && self.is_complete && self.note.is_proved {
            self.stage = Stage::GoingOffline;
        }
    }

    /// Whether a renewal is under way; its answers are for [`Credentials::handle_answer`].
    pub fn is_busy(&self) -> bool {
        self.stage != Stage::Resting
    }

    /// Whether the next step is to ask the hub, for which there has to be a session.
    pub fn needs_session(&self) -> bool {
        matches!(self.stage, Stage::Asking(_))
    }

    /// What to do now; the next step comes when this one is told done.
    pub fn poll_step(&mut self) -> Option<Step> {
        if self.is_under_way {
            return None;
        }
        let spare = self.spare();
        let step = match &self.stage {
            Stage::Resting => return None,
            Stage::GoingOffline | Stage::GoingOfflineAgain(_) => Step::Offline,
            Stage::GoingOnline(_) | Stage::GoingOnlineAgain => Step::Online,
            Stage::Clearing(kind) => Step::Command(format!("AT%CMNG=3,{spare},{}", kind.number())),
            Stage::MakingKey => {
                let serial = &self.serial;
                Step::Command(format!("AT%KEYGEN={spare},2,0,\"CN={serial}\""))
            }
            Stage::Asking(request) => Step::Ask(request.clone()),
            Stage::Storing(certificate) => {
                let kind = CredentialKind::Certificate.number();
                Step::Command(format!("AT%CMNG=0,{spare},{kind},\"{}\"", pem(certificate)))
            }
            Stage::Noting => Step::Note(self.note.to_bytes()),
        };
        self.is_under_way = true;
        Some(step)
    }

    /// A step that has no answer is done, or failed.
    pub fn handle_done(&mut self, is_done: bool) {
        self.is_under_way = false;
        self.stage = match core::mem::replace(&mut self.stage, Stage::Resting) {
            // Noted or not, the modem has what it has: it is used until the next start says otherwise.
            Stage::Noting => Stage::GoingOnlineAgain,
            Stage::GoingOnlineAgain | Stage::Resting => Stage::Resting,
            _ if !is_done => return self.give_up(),
            Stage::GoingOffline => Stage::Clearing(CredentialKind::Certificate),
            Stage::GoingOnline(request) => Stage::Asking(request),
            Stage::GoingOfflineAgain(certificate) => Stage::Storing(certificate),
            Stage::Clearing(_) | Stage::MakingKey | Stage::Asking(_) | Stage::Storing(_) => {
                return self.give_up();
            }
        };
    }

    /// The modem answered a [`Step::Command`].
    pub fn handle_answer(&mut self, answer: &str) {
        self.is_under_way = false;
        let answered = Answered::parse(answer);
        let is_done = answered.is_some_and(|answered| answered.outcome == Outcome::Done);
        let said = answered.map_or("", |answered| answered.said);
        self.stage = match core::mem::replace(&mut self.stage, Stage::Resting) {
            Stage::Clearing(CredentialKind::Certificate) => Stage::Clearing(CredentialKind::Key),
            Stage::Clearing(_) => Stage::MakingKey,
            Stage::MakingKey if is_done => match certificate_request(said) {
                Some(request) => Stage::GoingOnline(request),
                None => return self.give_up(),
            },
            Stage::Storing(_) if is_done => {
                let place = 1 - self.note.place.min(1);
                self.note = Note { place, is_proved: false, since_s: self.now_s };
                self.failures = 0;
                Stage::Noting
            }
            _ => return self.give_up(),
        };
    }

    /// What came of [`Step::Ask`].
    pub fn handle_certificate(&mut self, certificate: Option<&[u8]>) {
        self.is_under_way = false;
        match (certificate, &self.stage) {
            (Some(certificate), Stage::Asking(_)) => {
                self.stage = Stage::GoingOfflineAgain(Vec::from(certificate));
            }
            _ => self.give_up(),
        }
    }

    /// Online with what there was; later once more.
    fn give_up(&mut self) {
        self.not_before_s = self.now_s.saturating_add(self.settings.again_after_s);
        self.stage = Stage::GoingOnlineAgain;
    }

    /// A handshake with [`Credentials::tags`] succeeded, or did not.
    pub fn handle_handshake(&mut self, is_done: bool) {
        if self.note.is_proved || self.stage != Stage::Resting {
            return;
        }
        if is_done {
            self.note.is_proved = true;
            self.stage = Stage::Noting;
            return;
        }
        self.failures = self.failures.saturating_add(1);
        if self.failures >= Self::FAILURES_MAX {
            self.not_before_s = self.now_s.saturating_add(self.settings.again_after_s);
            let since_s = self.note.since_s.saturating_sub(self.settings.renew_after_s).max(1);
            self.note = Note { place: 1 - self.note.place.min(1), is_proved: true, since_s };
            self.stage = Stage::Noting;
        }
    }
}
