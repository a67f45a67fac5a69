//! Fetching what was offered, from wherever it was cut off, and looking at it once all is there.
//!
//! Invariant: what is counted as received is in flash.

use alloc::boxed::Box;
use alloc::format;

use embedded_storage::nor_flash::MultiwriteNorFlash;
use image::Refusal;
use wire::{UpdateState, resource};

use super::{AGAIN_MS, Circumstances, PROGRESS, Stage, Update};
use crate::Millis;
use crate::depot::Depot;
use crate::slot::Unfit;
use crate::transfer::{Ask, Transfer, TransferError};

/// Blocks that are gathered before they are taken: never more than one.
const GATHERED_MAX: usize = 2048;
const OCTETS: u16 = 42;

impl<'f, F: MultiwriteNorFlash> Update<'f, F> {
    /// Begins to fetch, or to go on fetching, where nothing hinders.
    pub(super) fn begin(
        &mut self,
        now: Millis,
        online: bool,
        around: &Circumstances,
        depot: &mut Depot<'f, F>,
    ) {
        let Some(offer) = &self.offer else { return };
        if now < self.not_before || !online || !around.is_confirmed {
            return;
        }
        if around.power.rsrp_dbm.is_some_and(|dbm| dbm < offer.rsrp_min_dbm) {
            return self.hinder(now, UpdateState::AwaitingSignal);
        }
        self.hindered = None;
        if self.is_verified {
            self.stage = Stage::Ready;
            return;
        }
        if self.received >= offer.size {
            return self.verify(now, around, depot);
        }
        let block = 16_u32 << self.exponent.min(6);
        self.received -= self.received % block;
        let segment = offer.segment();
        let segment = core::str::from_utf8(&segment).unwrap_or_default();
        let ask = Ask {
            path: format!("{}/{segment}", resource::FIRMWARE),
            accept: OCTETS,
            body: None,
            exponent: self.exponent,
            answer_max: GATHERED_MAX,
            from: usize::try_from(self.received).unwrap_or_default(),
        };
        self.stage = Stage::Fetching(self.transfer(now, ask));
    }

    pub(super) fn transfer(&mut self, now: Millis, ask: Ask) -> Box<Transfer> {
        let transfer = Box::new(Transfer::new(now, ask, self.next_id));
        self.next_id = transfer.last_id();
        transfer
    }

    /// Writes what came, and goes on when all did.
    pub(super) fn fetched(
        &mut self,
        now: Millis,
        around: &Circumstances,
        depot: &mut Depot<'f, F>,
    ) {
        let Stage::Fetching(transfer) = &mut self.stage else { return };
        let part = transfer.take_part().map(|(_, part)| part);
        let outcome = transfer.outcome().cloned();
        self.next_id = transfer.last_id();
        let last = outcome.as_ref().and_then(|outcome| outcome.as_ref().ok()).cloned();
        for bytes in part.into_iter().chain(last) {
            if let Err(unfit) = self.keep(&bytes, depot) {
                return self.unfit(now, unfit, depot);
            }
        }
        match outcome {
            None => {}
            Some(Ok(_)) => self.verify(now, around, depot),
            Some(Err(error)) => self.interrupted(now, &error),
        }
    }

    fn keep(&mut self, bytes: &[u8], depot: &mut Depot<'f, F>) -> Result<(), Unfit> {
        let Some(offer) = &self.offer else { return Ok(()) };
        let at = self.received;
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        let end = at.saturating_add(length);
        if end > offer.size {
            let (needed, present) = (end, offer.size);
            return Err(Unfit::Refused(Refusal::Truncated { needed, present }));
        }
        self.slots.write(at, bytes)?;
        self.received = end;
        let sector = self.slots.sector();
        let whole = if end == offer.size { end } else { end - end % sector };
        if whole > at - at % sector
            && let Some(begin) = offer.digest.first_chunk::<8>()
        {
            let mut progress = begin.to_vec();
            progress.extend_from_slice(&whole.to_le_bytes());
            // Where the flash does not take it, more is fetched again after a loss of power.
            let _ = depot.note(PROGRESS, &progress);
        }
        Ok(())
    }

    fn interrupted(&mut self, now: Millis, error: &TransferError) {
        const NOT_FOUND: u8 = 0x84;
        if matches!(error, TransferError::Refused { code: NOT_FOUND, .. }) {
            // It is not offered any more; the next report says what is. Not at once: a hub that offers
            // what it does not have would be asked as fast as it answers.
            self.forget();
            self.report_due = now.saturating_add(AGAIN_MS);
            return;
        }
        let wait = error.max_age_s().map_or(AGAIN_MS, |s| u64::from(s).saturating_mul(1000));
        self.stage = Stage::Resting;
        self.not_before = now.saturating_add(wait);
    }

    fn verify(&mut self, now: Millis, around: &Circumstances, depot: &mut Depot<'f, F>) {
        let Some(offer) = &self.offer else { return };
        match self.slots.verify(offer.size, &offer.digest, around.floor) {
            Ok(()) => {
                self.is_verified = true;
                self.stage = Stage::Ready;
                self.not_before = now;
            }
            Err(unfit) => self.unfit(now, unfit, depot),
        }
    }

    fn unfit(&mut self, now: Millis, unfit: Unfit, depot: &mut Depot<'f, F>) {
        match unfit {
            Unfit::Refused(_) => self.refuse(now, depot),
            Unfit::Flash => {
                self.stage = Stage::Resting;
                self.received = 0;
                self.not_before = now.saturating_add(AGAIN_MS);
            }
        }
    }
}
