//! A whole board: the product's readings and commands, the queue in flash, updates and their proof, over
//! one connection.
//!
//! The shell around it owns clock, socket, DTLS, modem and randomness. It calls `handle_*` with the time, or
//! [`Device::advance`] when `poll_timeout` has come, drains `poll_transmit` and `poll_effect`, feeds its watchdog, and sleeps.
//! Invariant: no clock, socket or randomness is reachable from here; what is in flash outlives the power.

use alloc::collections::VecDeque;
use alloc::vec;
use alloc::vec::Vec;
use core::cell::RefCell;

use embedded_storage::nor_flash::MultiwriteNorFlash;
use image::{BootRecord, Map, Start};
use wire::{FAULT_MAX, Reading, Value, resource};

use crate::depot::{Depot, DepotError, Entry};
use crate::event::{Event, ReadingId, Status};
use crate::machine::Board;
use crate::message::Request;
use crate::product::{CommandError, Moment, Product, Sample};
use crate::random::Random;
use crate::settings::{Awakening, Effect, Outgoing, Power, Settings};
use crate::update::Update;
use crate::{Config, Millis};

mod updates;

/// A board with its product.
pub struct Device<'f, F: MultiwriteNorFlash, P> {
    settings: Settings,
    board: Board,
    depot: Depot<'f, F>,
    update: Update<'f, F>,
    product: P,
    record: Option<BootRecord>,
    fault: Option<Vec<u8>>,
    power: Power,
    trial: Trial,
    next_measurement: Millis,
    /// The reading that the core has, and that is dropped from flash once the hub does.
    under_way: Option<ReadingId>,
    wants_connection: bool,
    effects: VecDeque<Effect>,
    /// When it was called last.
    now: Millis,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trial {
    /// What runs may stay.
    Over,
    /// It has to prove itself before then.
    Until(Millis),
}

impl<'f, F: MultiwriteNorFlash, P: Product> Device<'f, F, P> {
    /// A board that has just started; `None` where the map leaves no room for its readings.
    pub fn new(
        now: Millis,
        settings: Settings,
        awakening: Awakening,
        flash: &'f RefCell<F>,
        map: Map,
        product: P,
    ) -> Option<Self> {
        let mut random = Random::new(awakening.seed);
        let first_id = random.bits16();
        let core = Config { serves_requests: true, ..settings.core.clone() };
        let is_on_trial = awakening.record.is_some_and(|record| record.start == Start::Trial);
        let trial_end = now.saturating_add(settings.trial_max);
        let mut fault = awakening.fault;
        fault.iter_mut().for_each(|fault| fault.truncate(FAULT_MAX));
        Some(Self {
            board: Board::new(core, random.bits()),
            depot: Depot::new(flash, &map)?,
            update: Update::new(flash, map, first_id, settings.block_exponent),
            settings,
            product,
            record: awakening.record,
            fault,
            power: Power::default(),
            trial: if is_on_trial { Trial::Until(trial_end) } else { Trial::Over },
            next_measurement: now,
            under_way: None,
            wants_connection: false,
            effects: VecDeque::new(),
            now,
        })
    }

    /// The product's own code.
    pub fn product(&mut self) -> &mut P {
        &mut self.product
    }

    /// The shell measured battery or signal.
    pub fn handle_power(&mut self, power: Power) {
        self.power = power;
    }

    /// The shell has a connection.
    pub fn handle_connected(&mut self, now: Millis) {
        self.wants_connection = false;
        self.board.handle_connected(now);
    }

    /// The connection is lost, or could not be made.
    pub fn handle_disconnected(&mut self, now: Millis) {
        self.wants_connection = false;
        self.update.handle_disconnected();
        self.board.handle_disconnected(now);
    }

    /// A CoAP message came.
    pub fn handle_datagram(&mut self, now: Millis, datagram: &[u8]) {
        if is_of_a_transfer(datagram) {
            self.update.handle_datagram(now, datagram);
        } else {
            self.board.handle_datagram(now, datagram);
        }
        self.advance(now);
    }

    /// Keeps a reading that the product made between two measurements.
    pub fn submit(&mut self, now: Millis, samples: &[Sample]) {
        let unix_ms = self.board.unix_ms(now);
        let readings: Vec<_> = samples
            .iter()
            .map(|sample| Reading {
                name: &sample.name,
                unit: sample.unit.as_deref(),
                value: Value::F64(sample.value),
                time: None,
            })
            .collect();
        let mut pack = vec![0; self.settings.core.message_max];
        let base_time = unix_ms.and_then(|ms| i64::try_from(ms / 1000).ok());
        let kept = wire::encode(None, base_time, &readings, &mut pack).ok().and_then(|length| {
            pack.truncate(length);
            let entry = Entry {
                resource: self.settings.resource.clone(),
                content_format: wire::CONTENT_FORMAT_SENML_CBOR,
                payload: pack,
            };
            self.depot.push(&entry).ok()
        });
        if kept.is_none() {
            self.effects.push_back(Effect::ReadingLost);
        }
    }

    /// Does everything that is due.
    pub fn advance(&mut self, now: Millis) {
        self.now = now;
        if now >= self.next_measurement {
            let mut samples = Vec::new();
            self.product.measure(self.moment(now), &mut samples);
            if !samples.is_empty() {
                self.submit(now, &samples);
            }
            self.next_measurement = now.saturating_add(self.product.interval().max(1));
        }
        self.board.handle_timeout(now);
        while let Some(event) = self.board.poll_event() {
            self.heard(now, event);
        }
        while let Some(request) = self.board.poll_request() {
            self.asked(now, &request);
        }
        self.send_oldest(now);
        while let Some(event) = self.board.poll_event() {
            self.heard(now, event);
        }
        self.advance_update(now);
        if let Trial::Until(end) = self.trial
            && now >= end
        {
            self.trial = Trial::Until(Millis::MAX);
            self.effects.push_back(Effect::Restart);
        }
        self.connect_for_update(now);
    }

    /// The next message to send.
    pub fn poll_transmit(&mut self) -> Option<Outgoing> {
        if let Some(bytes) = self.board.poll_transmit() {
            let is_last = self.board.queued() <= 1 && !self.update.wants_connection(self.now);
            return Some(Outgoing { bytes, is_last });
        }
        let bytes = self.update.poll_transmit()?;
        Some(Outgoing { bytes, is_last: false })
    }

    /// The next thing to do.
    pub fn poll_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// When to call [`Device::advance`], if nothing happens before.
    pub fn poll_timeout(&self) -> Millis {
        let trial = match self.trial {
            Trial::Until(end) => Some(end),
            Trial::Over => None,
        };
        let update = self.update.poll_timeout();
        [self.board.poll_timeout(), update, trial]
            .into_iter()
            .flatten()
            .fold(self.next_measurement, Millis::min)
    }

    /// What the connection is like.
    pub fn status(&self) -> Status {
        self.board.status()
    }

    fn moment(&self, now: Millis) -> Moment {
        Moment { millis: now, unix_ms: self.board.unix_ms(now) }
    }

    fn heard(&mut self, now: Millis, event: Event) {
        match event {
            Event::Acknowledged { id } => {
                self.drop_sent(id);
                self.proved(now);
            }
            Event::Rejected { id, code } => {
                self.drop_sent(id);
                self.effects.push_back(Effect::ReadingRefused(code));
            }
            Event::Deferred { .. } => {}
            Event::TimeLearned { unix_ms } => {
                self.effects.push_back(Effect::TimeLearned(unix_ms));
            }
            Event::RenewalWanted => self.effects.push_back(Effect::RenewCertificate),
            Event::ConnectWanted => self.want_connection(),
        }
    }

    fn want_connection(&mut self) {
        if !self.wants_connection {
            self.wants_connection = true;
            self.effects.push_back(Effect::Connect);
        }
    }

    /// Updates alone are worth a connection, too.
    fn connect_for_update(&mut self, now: Millis) {
        let is_offline = self.board.status() == Status::Offline;
        let may = self.board.poll_timeout().is_none_or(|not_before| now >= not_before);
        if is_offline && may && self.update.wants_connection(now) {
            self.want_connection();
        }
    }

    fn drop_sent(&mut self, id: ReadingId) {
        if self.under_way == Some(id) {
            self.under_way = None;
            if self.depot.drop_oldest().is_err() {
                self.forget_readings();
            }
        }
    }

    /// Gives the core the oldest reading, once it has none.
    fn send_oldest(&mut self, now: Millis) {
        if self.under_way.is_some() {
            return;
        }
        match self.depot.oldest() {
            Ok(None) => {}
            Ok(Some(Entry { resource, content_format, payload })) => {
                match self.board.submit(now, &resource, content_format, payload) {
                    Ok(id) => self.under_way = Some(id),
                    // It was taken with other limits; it will never go.
                    Err(_) => {
                        self.effects.push_back(Effect::ReadingLost);
                        if self.depot.drop_oldest().is_err() {
                            self.forget_readings();
                        }
                    }
                }
            }
            Err(DepotError::Full | DepotError::TooLarge | DepotError::Broken) => {
                self.forget_readings();
            }
        }
    }

    /// What is in flash cannot be read any more: better an empty queue than a board that is stuck.
    fn forget_readings(&mut self) {
        self.effects.push_back(Effect::ReadingLost);
        // If that fails as well, the next reading says so again.
        let _ = self.depot.forget_readings();
    }

    fn asked(&mut self, now: Millis, request: &Request) {
        const CHANGED: u8 = 0x44;
        const NOT_ALLOWED: u8 = 0x85;
        // The hub has something to say about what should run, and nobody waits for more than a report.
        if request.is_post && request.path == resource::FIRMWARE {
            self.update.report_soon(now);
            if request.confirm {
                self.board.answer(request, CHANGED, &[]);
            }
            return;
        }
        let name = request.path.strip_prefix(resource::COMMAND);
        let name = name.and_then(|rest| rest.strip_prefix('/'));
        let done = match name {
            None => Err(CommandError::Unknown.code()),
            Some(_) if !request.is_post => Err(NOT_ALLOWED),
            Some(name) => {
                let moment = self.moment(now);
                self.product.command(moment, name, &request.payload).map_err(CommandError::code)
            }
        };
        match done {
            Ok(said) => self.board.answer(request, CHANGED, &said),
            Err(code) => self.board.answer(request, code, &[]),
        }
    }
}

/// Whether a message answers a transfer: by its token, or where it has none by its message id.
fn is_of_a_transfer(datagram: &[u8]) -> bool {
    const ACKNOWLEDGEMENT: u8 = 2;
    let &[first, code, _, low, ref rest @ ..] = datagram else { return false };
    let (kind, token_length) = (first >> 4 & 3, first & 0xf);
    match code >> 5 {
        0 => code == 0 && kind >= ACKNOWLEDGEMENT && low & 1 == 1,
        _ => token_length == 3 && rest.first() == Some(&b'T'),
    }
}
