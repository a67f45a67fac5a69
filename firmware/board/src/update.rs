//! An update, from the hub's offer to the question to the bootloader: fetched block by block into the
//! second slot, taken up again where it was cut off, verified, and put in place when battery, product and
//! the proof of what runs allow it.
//!
//! Invariant: what was tried once is not tried again until the hub counts a new attempt.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::cell::RefCell;

use embedded_storage::nor_flash::MultiwriteNorFlash;
use image::Map;
use wire::{FirmwareOffer, FirmwareVersion, OFFER_MAX, UpdateState, resource};

use crate::Millis;
use crate::depot::Depot;
use crate::settings::Power;
use crate::slot::Slots;
use crate::transfer::{Ask, Transfer, TransferError};

mod fetch;

/// The depot's values: how much of which file is in flash, and what was tried.
const PROGRESS: u8 = 1;
const TRIED: u8 = 2;
/// How long until something that hinders is looked at again.
const AGAIN_MS: Millis = 60_000;

/// Where an update has got to.
pub(crate) struct Update<'f, F> {
    slots: Slots<'f, F>,
    stage: Stage,
    offer: Option<FirmwareOffer>,
    /// Bytes of the offered file that are in flash.
    received: u32,
    /// They are what was offered.
    is_verified: bool,
    hindered: Option<UpdateState>,
    /// Nothing is begun before.
    not_before: Millis,
    report_due: Millis,
    next_id: u16,
    exponent: u8,
}

enum Stage {
    Resting,
    Reporting(Box<Transfer>),
    Fetching(Box<Transfer>),
    /// All of it is in flash, and verified.
    Ready,
}

/// What an update has to know of the rest of the board.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Circumstances {
    pub(crate) running: FirmwareVersion,
    /// What runs has proved itself, so that its predecessor may be overwritten.
    pub(crate) is_confirmed: bool,
    pub(crate) may_restart: bool,
    pub(crate) floor: u32,
    pub(crate) power: Power,
    /// Between two reports, while nothing happens.
    pub(crate) report_every: Millis,
}

/// What the board is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// Say how things are: [`Update::report`].
    Report,
    /// The hub has the report.
    Reported,
    /// Restart: the bootloader was asked.
    Restart,
}

impl<'f, F: MultiwriteNorFlash> Update<'f, F> {
    pub(crate) fn new(flash: &'f RefCell<F>, map: Map, first_id: u16, exponent: u8) -> Self {
        Self {
            slots: Slots::new(flash, map),
            stage: Stage::Resting,
            offer: None,
            received: 0,
            is_verified: false,
            hindered: None,
            not_before: 0,
            report_due: 0,
            next_id: first_id,
            exponent,
        }
    }

    /// What a report says of it.
    pub(crate) fn state(&self) -> (UpdateState, Option<[u8; 8]>, u32) {
        let update = self.offer.as_ref().and_then(|offer| offer.digest.first_chunk().copied());
        let state = match &self.stage {
            _ if self.hindered.is_some() => self.hindered.unwrap_or_default(),
            Stage::Fetching(_) => UpdateState::Fetching,
            Stage::Resting | Stage::Reporting(_) if self.received > 0 => UpdateState::Fetching,
            Stage::Resting | Stage::Reporting(_) => UpdateState::Idle,
            Stage::Ready => UpdateState::Restarting,
        };
        (state, update, self.received)
    }

    /// A report is to be sent as soon as it can be.
    pub(crate) fn report_soon(&mut self, now: Millis) {
        self.report_due = now;
    }

    /// Begins to send a report.
    pub(crate) fn report(&mut self, now: Millis, report: Vec<u8>) {
        let ask = Ask {
            path: String::from(resource::FIRMWARE),
            accept: wire::CONTENT_FORMAT_CBOR,
            body: Some((wire::CONTENT_FORMAT_CBOR, report)),
            exponent: self.exponent,
            answer_max: OFFER_MAX,
            from: 0,
        };
        self.stage = Stage::Reporting(self.transfer(now, ask));
    }

    /// The connection is gone; what is in flash stays.
    pub(crate) fn handle_disconnected(&mut self) {
        if matches!(self.stage, Stage::Reporting(_) | Stage::Fetching(_)) {
            self.stage = Stage::Resting;
        }
    }

    pub(crate) fn handle_datagram(&mut self, now: Millis, datagram: &[u8]) {
        if let Stage::Reporting(transfer) | Stage::Fetching(transfer) = &mut self.stage {
            transfer.handle_datagram(now, datagram);
        }
    }

    pub(crate) fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        match &mut self.stage {
            Stage::Reporting(transfer) | Stage::Fetching(transfer) => transfer.poll_transmit(),
            Stage::Resting | Stage::Ready => None,
        }
    }

    pub(crate) fn poll_timeout(&self) -> Option<Millis> {
        match &self.stage {
            Stage::Reporting(transfer) | Stage::Fetching(transfer) => transfer.poll_timeout(),
            Stage::Ready => Some(self.not_before),
            Stage::Resting if self.offer.is_some() => Some(self.not_before.min(self.report_due)),
            Stage::Resting => Some(self.report_due),
        }
    }

    /// Whether it would say something if there were a connection.
    pub(crate) fn wants_connection(&self, now: Millis) -> bool {
        match self.stage {
            Stage::Reporting(_) | Stage::Fetching(_) => true,
            Stage::Ready => now >= self.report_due,
            Stage::Resting => {
                now >= self.report_due || (self.offer.is_some() && now >= self.not_before)
            }
        }
    }

    /// Does what is due; `online` where there is a connection that nobody else needs now.
    pub(crate) fn advance(
        &mut self,
        now: Millis,
        online: bool,
        around: &Circumstances,
        depot: &mut Depot<'f, F>,
    ) -> Option<Act> {
        if let Stage::Reporting(transfer) | Stage::Fetching(transfer) = &mut self.stage {
            transfer.handle_timeout(now);
        }
        match &mut self.stage {
            Stage::Reporting(transfer) => {
                let outcome = transfer.outcome()?.clone();
                self.next_id = transfer.last_id();
                self.stage = Stage::Resting;
                self.reported(now, outcome, around, depot)
            }
            Stage::Fetching(_) => {
                self.fetched(now, around, depot);
                None
            }
            Stage::Ready if now < self.not_before => self.report_if_due(now, online),
            Stage::Ready => {
                self.put_in_place(now, around, depot).or(self.report_if_due(now, online))
            }
            Stage::Resting if online && now >= self.report_due => Some(Act::Report),
            Stage::Resting => {
                self.begin(now, online, around, depot);
                None
            }
        }
    }

    fn report_if_due(&self, now: Millis, online: bool) -> Option<Act> {
        (online && now >= self.report_due).then_some(Act::Report)
    }

    fn reported(
        &mut self,
        now: Millis,
        outcome: Result<Vec<u8>, TransferError>,
        around: &Circumstances,
        depot: &mut Depot<'f, F>,
    ) -> Option<Act> {
        let Ok(answer) = outcome else {
            let max_age = outcome.err().and_then(|error| error.max_age_s());
            let wait = max_age.map_or(5 * AGAIN_MS, |s| u64::from(s).saturating_mul(1000));
            self.report_due = now.saturating_add(wait);
            return None;
        };
        self.report_due = now.saturating_add(around.report_every);
        let offer = FirmwareOffer::decode(&answer);
        let was = self.offer.as_ref().map(|offer| (offer.digest, offer.attempt));
        match offer {
            Some(offer) if was == Some((offer.digest, offer.attempt)) => self.offer = Some(offer),
            Some(offer) => self.take(now, offer, around, depot),
            None => self.forget(),
        }
        Some(Act::Reported)
    }

    /// A new offer; what of it is in flash already counts.
    fn take(
        &mut self,
        now: Millis,
        offer: FirmwareOffer,
        around: &Circumstances,
        depot: &mut Depot<'f, F>,
    ) {
        self.forget();
        let tried = depot.recall(TRIED).ok().flatten();
        if offer.version == around.running || tried == Some(mark(&offer)) {
            return;
        }
        let progress = depot.recall(PROGRESS).ok().flatten();
        self.received = progress
            .and_then(|progress| {
                let bytes = progress.strip_prefix(offer.digest.first_chunk::<8>()?)?;
                Some(u32::from_le_bytes(bytes.try_into().ok()?))
            })
            .unwrap_or(0)
            .min(offer.size);
        self.not_before = now;
        let is_too_large = offer.size > self.slots.room();
        self.offer = Some(offer);
        if is_too_large {
            self.refuse(now, depot);
        }
    }

    fn forget(&mut self) {
        self.offer = None;
        self.received = 0;
        self.is_verified = false;
        self.hindered = None;
        self.stage = Stage::Resting;
    }

    /// Not this one, nor ever again by itself; the next report says so.
    fn refuse(&mut self, now: Millis, depot: &mut Depot<'f, F>) {
        if let Some(offer) = &self.offer {
            // Where the flash does not take it, it is tried again: no harm but work.
            let _ = depot.note(TRIED, &mark(offer)).and_then(|()| depot.note(PROGRESS, &[]));
        }
        self.stage = Stage::Resting;
        self.received = 0;
        self.hindered = Some(UpdateState::Refused);
        self.report_due = now;
        self.not_before = Millis::MAX;
    }

    fn put_in_place(
        &mut self,
        now: Millis,
        around: &Circumstances,
        depot: &mut Depot<'f, F>,
    ) -> Option<Act> {
        let offer = self.offer.as_ref()?;
        let (permanent, mark) = (offer.permanent, mark(offer));
        let percent = around.power.battery_percent;
        if percent.is_some_and(|percent| percent < offer.battery_min_percent) {
            self.hinder(now, UpdateState::AwaitingBattery);
            return None;
        }
        if !around.may_restart {
            self.hinder(now, UpdateState::AwaitingProduct);
            return None;
        }
        self.hindered = None;
        // Before the question: should the image fail, it is not fetched again.
        let asked = depot.note(TRIED, &mark).is_ok() && self.slots.ask(permanent).is_ok();
        if asked {
            return Some(Act::Restart);
        }
        self.not_before = now.saturating_add(AGAIN_MS);
        None
    }

    /// Waits; the hub is told once why.
    fn hinder(&mut self, now: Millis, by: UpdateState) {
        if self.hindered.replace(by) != Some(by) {
            self.report_due = now;
        }
        self.not_before = now.saturating_add(AGAIN_MS);
    }

    /// What runs has proved itself.
    pub(crate) fn confirm(&mut self) -> bool {
        self.slots.confirm().is_ok()
    }
}

/// How a file that was tried is remembered.
fn mark(offer: &FirmwareOffer) -> Vec<u8> {
    let mut mark = offer.digest.first_chunk::<8>().map(|begin| begin.to_vec()).unwrap_or_default();
    mark.push(offer.attempt);
    mark
}
