//! The loop that connects the machines of `board` with the modem: it tells them what happened and does what they want,
//! and sleeps in between.
//!
//! Decides nothing that could be decided there.

mod renewal;

use core::cell::RefCell;
use core::future::poll_fn;
use core::pin::pin;

use alloc::string::String;
use board::modem::{
    Attach, Coverage, Credentials, Kept, battery_mv, rsrp_dbm, serial_number, temperature,
};
use board::{
    Awakening, Config, Device, Effect, Millis, Notebook, Outgoing, Power, Settings, Transfer,
};
use cortex_m::peripheral::SCB;
use embassy_futures::select::{Either3, select3};
use embassy_nrf::gpio::Output;
use embassy_nrf::wdt::WatchdogHandle;
use embassy_time::{Instant, Timer};
use futures_core::Stream as _;
use guard::{FaultKind, Faults};
use image::{Area, Map, digest};
use nrf_modem::{AtNotificationStream, LteLink};

use crate::flash::{self, GatedFlash};
use crate::product::Heater;
use crate::session::{DATAGRAM_MAX, Session};
use crate::{at, failure, site};

/// A loop that does not come round for so long hangs.
pub(crate) const WATCHDOG_S: u32 = 600;
const ROUND_MAX: Millis = 120_000;
/// What is due and has to wait for something else, coverage above all, is looked at again after so long.
const AGAIN: Millis = 60_000;

/// The application's part of the flash: the SDK's, but for two pages.
const NOTES: Area = Area { at: 0xf_e000, length: 0x2000 };
const MAP: Map = Map {
    application: Area {
        length: Map::NRF9160.application.length - NOTES.length,
        ..Map::NRF9160.application
    },
    ..Map::NRF9160
};
const _: () = assert!(MAP.application.end() == NOTES.at && MAP.is_sound());

/// What is noted there.
const STARTS: u8 = 1;
const CREDENTIALS: u8 = 2;

/// Everything that the board is.
pub(crate) struct Shell<'f> {
    device: Device<'f, GatedFlash, Heater>,
    /// When the device was told the time last.
    advanced: Millis,
    attach: Attach,
    credentials: Credentials,
    notes: Notebook<'f, GatedFlash>,
    session: Session,
    renewal: Option<Transfer>,
    next_id: u16,
    /// The time of day, and when it was that.
    told: Option<(u64, Millis)>,
    /// Held for good: the library turns the radio off where nobody holds one.
    link: Option<LteLink>,
    wants_connection: bool,
    faults: Faults,
    lamp: Output<'static>,
    watchdog: WatchdogHandle,
}

impl<'f> Shell<'f> {
    /// A board that has just started; `None` where the map leaves no room for what it keeps.
    pub(crate) fn new(
        flash: &'f RefCell<GatedFlash>,
        faults: Faults,
        kept: &[Kept],
        serial: &str,
        switch: Output<'static>,
        lamp: Output<'static>,
        watchdog: WatchdogHandle,
    ) -> Option<Self> {
        let mut notes = Notebook::new(flash, NOTES)?;
        let serial = serial.lines().find_map(serial_number).unwrap_or_default();
        let seed = seed(serial, starts(&mut notes));
        let noted = notes.recall(CREDENTIALS).ok().flatten();
        let core = Config { learns_time: true, ..Config::default() };
        let awakening = Awakening {
            record: flash::boot_record(),
            fault: faults.last.map(|fault| fault.text().as_bytes().into()),
            seed,
        };
        let settings = Settings { core, ..Settings::default() };
        let device = Device::new(now(), settings, awakening, flash, MAP, Heater::new(switch))?;
        Some(Self {
            device,
            advanced: 0,
            attach: Attach::new(site::network(), seed),
            credentials: Credentials::new(site::CREDENTIALS, kept, noted.as_deref(), serial),
            notes,
            session: Session::new(),
            renewal: None,
            next_id: u16::try_from(seed & 0xffff).unwrap_or_default(),
            told: None,
            link: None,
            wants_connection: false,
            faults,
            lamp,
            watchdog,
        })
    }

    /// Whether production gave it a key and certificates.
    pub(crate) fn is_set_up(&self) -> bool {
        self.credentials.tags().is_some()
    }

    pub(crate) fn feed_watchdog(&mut self) {
        self.watchdog.pet();
    }

    /// Runs for good.
    pub(crate) async fn run(&mut self) -> ! {
        let mut notifications = pin!(AtNotificationStream::<160, 8>::new().await);
        notifications.as_mut().register().await;
        let mut buffer = [0; DATAGRAM_MAX];
        loop {
            self.feed_watchdog();
            self.advance().await;
            let due = Timer::at(Instant::from_millis(self.due()));
            let said = poll_fn(|cx| notifications.as_mut().poll_next(cx));
            match select3(due, said, self.session.receive(&mut buffer)).await {
                Either3::First(()) => {}
                Either3::Second(line) => {
                    let line = line.unwrap_or_default();
                    self.attach.handle_notification(now(), line.trim());
                }
                Either3::Third(Ok(length)) => {
                    self.received(buffer.get(..length).unwrap_or_default());
                }
                Either3::Third(Err(_)) => self.lost().await,
            }
        }
    }

    /// Everything that is due.
    async fn advance(&mut self) {
        self.attach.handle_timeout(now());
        self.command_modem().await;
        let coverage = self.attach.coverage();
        if matches!(coverage, Coverage::Attached { .. }) && self.link.is_none() {
            // The radio is on already; this only counts.
            self.link = LteLink::new().await.ok();
        }
        self.renew().await;
        if self.device_due() <= now() {
            self.read_modem().await;
            self.advance_device();
        }
        if self.session.poll_timeout().is_some_and(|due| now() >= due) {
            self.session.lay_by(now());
        }
        self.perform().await;
        if self.wants_connection && matches!(coverage, Coverage::Attached { .. }) {
            self.connect().await;
            self.advance_device();
            self.perform().await;
        }
        self.transmit().await;
    }

    fn advance_device(&mut self) {
        self.advanced = now();
        self.device.advance(self.advanced);
    }

    /// When the device is to be told the time.
    fn device_due(&self) -> Millis {
        let due = self.device.poll_timeout();
        if self.advanced > 0 && due <= self.advanced {
            self.advanced.saturating_add(AGAIN)
        } else {
            due
        }
    }

    async fn command_modem(&mut self) {
        while let Some(command) = self.attach.poll_command() {
            let answer = at::send(&command).await;
            self.attach.handle_answer(now(), &answer);
            if self.attach.is_stuck() {
                failure::restart(FaultKind::Stuck, format_args!("{command}: {}", answer.trim()));
            }
        }
    }

    /// Battery, signal and temperature, before something is made of them.
    async fn read_modem(&mut self) {
        let battery = at::send("AT%XVBAT").await;
        let signal = at::send("AT+CESQ").await;
        let degrees = at::send("AT%XTEMP?").await;
        let cell = match self.attach.coverage() {
            Coverage::Attached { cell } => cell,
            Coverage::Off | Coverage::Searching => None,
        };
        self.device.handle_power(Power {
            battery_percent: battery.lines().find_map(battery_mv).map(percent),
            rsrp_dbm: signal.lines().find_map(rsrp_dbm).or(self.attach.rsrp_dbm()),
            cell,
        });
        self.device.product().temperature = degrees.lines().find_map(temperature);
    }

    async fn perform(&mut self) {
        while let Some(effect) = self.device.poll_effect() {
            match effect {
                Effect::Connect => self.wants_connection = true,
                Effect::Restart => {
                    self.session.close().await;
                    SCB::sys_reset();
                }
                Effect::TimeLearned(unix_ms) => self.told = Some((unix_ms, now())),
                Effect::RenewCertificate => self.credentials.handle_wanted(),
                Effect::Confirmed | Effect::ReadingLost | Effect::ReadingRefused(_) => {}
            }
        }
    }

    async fn connect(&mut self) {
        let Some(tags) = self.credentials.tags() else { return };
        self.wants_connection = false;
        self.lamp.set_high();
        let is_connected = self.session.connect(now(), tags).await;
        self.lamp.set_low();
        self.credentials.handle_handshake(is_connected);
        if is_connected {
            self.device.handle_connected(now());
        } else {
            self.device.handle_disconnected(now());
        }
    }

    async fn transmit(&mut self) {
        while let Some(Outgoing { bytes, is_last }) = self.device.poll_transmit() {
            let is_last = is_last && self.renewal.is_none();
            if self.session.send(now(), &bytes, is_last).await.is_err() {
                self.lost().await;
            }
        }
        while let Some(bytes) = self.renewal.as_mut().and_then(Transfer::poll_transmit) {
            if self.session.send(now(), &bytes, false).await.is_err() {
                self.lost().await;
            }
        }
    }

    fn received(&mut self, datagram: &[u8]) {
        self.session.handle_received(now());
        // The hub was reached: what failed is told by the report that is on its way.
        if self.faults != Faults::default() {
            self.faults = Faults::default();
            failure::leave(self.faults);
        }
        if let Some(renewal) = &mut self.renewal {
            renewal.handle_datagram(now(), datagram);
        }
        self.device.handle_datagram(now(), datagram);
    }

    async fn lost(&mut self) {
        self.session.close().await;
        self.device.handle_disconnected(now());
    }

    /// When there is something to do, if nothing happens before.
    fn due(&self) -> Millis {
        let renewal = self.renewal.as_ref().and_then(Transfer::poll_timeout);
        [self.attach.poll_timeout(), self.session.poll_timeout(), renewal]
            .into_iter()
            .flatten()
            .fold(self.device_due(), Millis::min)
            .min(now().saturating_add(ROUND_MAX))
    }

    fn note(&mut self, key: u8, value: &[u8]) -> bool {
        self.notes.note(key, value).is_ok()
    }
}

fn now() -> Millis {
    Instant::now().as_millis()
}

/// How often this board was started, this time included.
fn starts(notes: &mut Notebook<'_, GatedFlash>) -> u64 {
    let noted = notes.recall(STARTS).ok().flatten();
    let before = noted.and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_le_bytes);
    let starts = before.wrapping_add(1);
    // Where the flash does not take it, message ids begin as they did the last time.
    let _ = notes.note(STARTS, &starts.to_le_bytes());
    starts
}

/// Another one on each board and at each start. Nothing secret comes of it: the modem has its own randomness.
fn seed(serial: &str, starts: u64) -> u64 {
    let mut text = String::from(serial).into_bytes();
    text.extend_from_slice(&starts.to_le_bytes());
    digest(&text).first_chunk().copied().map_or(starts, u64::from_le_bytes)
}

fn percent(millivolts: u16) -> u8 {
    let (empty, full) = site::BATTERY_MV;
    let above = u32::from(millivolts.saturating_sub(empty)) * 100;
    u8::try_from(above / u32::from(full.saturating_sub(empty)).max(1)).unwrap_or(100).min(100)
}
