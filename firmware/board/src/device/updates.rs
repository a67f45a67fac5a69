//! A board's updates: what it reports, and when what runs has proved itself.
//!
//! Invariant: an image on trial is confirmed only after the hub took something from it.

use alloc::vec;
use alloc::vec::Vec;

use embedded_storage::nor_flash::MultiwriteNorFlash;
use wire::{FirmwareReport, FirmwareVersion, REPORT_MAX};

use super::{Device, Trial};
use crate::Millis;
use crate::event::Status;
use crate::product::Product;
use crate::settings::Effect;
use crate::update::{Act, Circumstances};

impl<F: MultiwriteNorFlash, P: Product> Device<'_, F, P> {
    pub(super) fn advance_update(&mut self, now: Millis) {
        let moment = self.moment(now);
        let around = Circumstances {
            running: self.running(),
            is_confirmed: self.trial == Trial::Over,
            may_restart: self.product.may_restart(moment),
            floor: self.record.map_or(0, |record| record.floor),
            power: self.power,
            report_every: self.settings.report_every,
        };
        // One exchange at a time: readings come first.
        let online = self.board.status() == Status::Online && self.board.queued() == 0;
        let act = self.update.advance(now, online, &around, &mut self.depot);
        match act {
            None => {}
            Some(Act::Report) => {
                if let Some(report) = self.report() {
                    self.update.report(now, report);
                }
            }
            Some(Act::Reported) => {
                self.fault = None;
                self.proved(now);
            }
            Some(Act::Restart) => self.effects.push_back(Effect::Restart),
        }
    }

    /// The hub took something: what runs can do what it is there for.
    pub(super) fn proved(&mut self, now: Millis) {
        if matches!(self.trial, Trial::Until(_)) && self.update.confirm() {
            self.trial = Trial::Over;
            self.update.report_soon(now);
            self.effects.push_back(Effect::Confirmed);
        }
    }

    fn running(&self) -> FirmwareVersion {
        self.record.map_or((0, 0, 0, 0), |record| version(record.version))
    }

    fn report(&self) -> Option<Vec<u8>> {
        let (state, update, received) = self.update.state();
        let outcome = self.record.map(|record| record.outcome).filter(|outcome| outcome.number > 0);
        let report = FirmwareReport {
            product: self.product.name(),
            hardware: self.product.hardware(),
            version: self.running(),
            floor: self.record.map_or(0, |record| record.floor),
            state,
            update,
            received,
            outcome: outcome.map(|outcome| (outcome.number, outcome.event.code(), outcome.refusal)),
            outcome_version: outcome.map(|outcome| version(outcome.version)),
            reset_cause: self.record.map_or(0, |record| record.reset_cause),
            battery_percent: self.power.battery_percent.filter(|percent| *percent <= 100),
            rsrp_dbm: self.power.rsrp_dbm,
            fault: self.fault.as_deref(),
            on_trial: self.trial != Trial::Over,
            cell: self.power.cell,
        };
        let mut bytes = vec![0; REPORT_MAX];
        let length = report.encode(&mut bytes)?;
        bytes.truncate(length);
        Some(bytes)
    }
}

fn version(of: image::Version) -> FirmwareVersion {
    (of.major, of.minor, of.revision, of.build)
}
