//! The shell around the SDK: clock, network and DTLS, and what the board says on its UART.
//!
//! Decides nothing about readings or updates.

use core::fmt::Write;

use an505::{Clock, EmulatedFlash, Uart, Watchdog};
use an505_dtls::{DtlsError, heap_used};
use board::modem::Coverage;
use board::{Device, Effect, Power, Status};
use cortex_m::peripheral::SCB;

use crate::air::{Air, Talk};
use crate::behaviour::Behaviour;
use crate::identity::Owned;
use crate::lamp::Lamp;
use crate::modem::{Modem, News};
use crate::network::Network;

/// A board that runs.
pub(crate) struct Shell<'f> {
    clock: Clock,
    watchdog: Watchdog,
    device: Device<'f, EmulatedFlash, Lamp>,
    modem: Modem,
    network: Network,
    owned: Owned,
    link: Link,
    /// The SDK wants a connection, and there is no network yet.
    is_wanted: bool,
    /// What the hub said of the time, and when.
    told: Option<(u64, u64)>,
    air: Air,
    uart: Uart,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Link {
    Down,
    Handshake,
    Up,
}

impl<'f> Shell<'f> {
    pub(crate) fn new(
        clock: Clock,
        watchdog: Watchdog,
        device: Device<'f, EmulatedFlash, Lamp>,
        modem: Modem,
        network: Network,
        owned: Owned,
    ) -> Self {
        let (air, uart) = (Air::default(), Uart::new());
        let (link, is_wanted, told) = (Link::Down, false, None);
        Self { clock, watchdog, device, modem, network, owned, link, is_wanted, told, air, uart }
    }

    /// Never comes back but with what it cannot go on with.
    pub(crate) fn run(&mut self) -> &'static str {
        loop {
            let now = self.clock.now();
            self.watchdog.feed();
            let (mut is_busy, news) = self.modem.poll(now);
            if let Some(news) = news {
                self.informed(now, news);
            }
            self.measure();
            is_busy |= self.network.poll(now);
            while let Some(datagram) = self.network.receive() {
                if self.is_attached() {
                    self.heard(now, &datagram);
                }
            }
            if self.link == Link::Handshake {
                // Time passed: it may have to repeat itself.
                self.heard(now, &[]);
            }
            if now >= self.device.poll_timeout() {
                self.device.advance(now);
            }
            if self.link == Link::Up && self.device.status() == Status::Offline {
                self.uart.say("no answer\n");
                self.link = Link::Down;
            }
            while let Some(effect) = self.device.poll_effect() {
                is_busy = true;
                self.perform(now, effect);
            }
            is_busy |= self.transmit(now, Talk::Handshake);
            while let Some(outgoing) = self.device.poll_transmit() {
                if self.link == Link::Up
                    && let Err(error) = self.owned.client.send(&outgoing.bytes)
                {
                    self.lost(now, error);
                }
                is_busy |= self.transmit(now, Talk::of(&outgoing.bytes));
            }
            if !is_busy {
                self.clock.rest();
            }
        }
    }

    /// Sends what DTLS has for the hub; true where there was something.
    fn transmit(&mut self, now: u64, talk: Talk) -> bool {
        let mut is_something = false;
        while let Some(datagram) = self.owned.client.poll_transmit() {
            is_something = true;
            // Without coverage it is lost, and repeated by whoever knows how.
            if self.is_attached() {
                self.air.sent(talk, &datagram);
                self.network.send(&datagram);
                self.network.poll(now);
            }
        }
        is_something
    }

    /// A datagram came; or none, and time passed.
    fn heard(&mut self, now: u64, datagram: &[u8]) {
        if self.link == Link::Handshake && !datagram.is_empty() {
            self.air.received(Talk::Handshake, datagram);
        }
        match self.link {
            Link::Down => {}
            Link::Handshake => match self.owned.client.handshake(now, datagram) {
                Ok(None) => {}
                Ok(Some(established)) => {
                    self.link = Link::Up;
                    // An abbreviated handshake ends with what the board says.
                    self.transmit(now, Talk::Handshake);
                    let _ = writeln!(
                        self.uart,
                        "connected resumed={} cid={} heap={} {}",
                        established.is_resumed,
                        established.connection_id.is_some(),
                        heap_used(),
                        self.air.of(Talk::Handshake),
                    );
                    self.device.handle_connected(now);
                }
                Err(error) => self.lost(now, error),
            },
            Link::Up => match self.owned.client.receive(now, datagram) {
                Ok(None) => {}
                Ok(Some(message)) => {
                    let talk = Talk::of(&message);
                    self.air.received(talk, datagram);
                    if talk == Talk::Reading {
                        let _ = writeln!(self.uart, "answered {}", self.air.of(talk));
                    }
                    self.device.handle_datagram(now, &message);
                }
                Err(error) => self.lost(now, error),
            },
        }
    }

    fn perform(&mut self, now: u64, effect: Effect) {
        match effect {
            Effect::Connect if Behaviour::of_this_image() == Behaviour::Mute => {
                self.device.handle_disconnected(now);
            }
            Effect::Connect if self.is_attached() => self.connect(now),
            Effect::Connect => {
                self.link = Link::Down;
                self.is_wanted = true;
            }
            Effect::Restart => {
                let _ = writeln!(self.uart, "restarting {}", self.air.of(Talk::Update));
                SCB::sys_reset();
            }
            Effect::Confirmed => self.uart.say("confirmed\n"),
            Effect::TimeLearned(unix_ms) => self.learned(now, unix_ms),
            // Its key came with it; another one is production's to write.
            Effect::RenewCertificate => self.uart.say("the hub wants another certificate\n"),
            Effect::ReadingLost => self.uart.say("a reading is lost\n"),
            Effect::ReadingRefused(code) => {
                let _ = writeln!(self.uart, "a reading is refused: {code:#x}");
            }
        }
    }

    fn connect(&mut self, now: u64) {
        let (unix_s, is_known) = self.time(now);
        self.owned.client.set_time(unix_s, is_known);
        self.is_wanted = false;
        self.link = Link::Handshake;
        self.air.begin_handshake();
        match self.owned.client.begin() {
            Ok(()) => self.heard(now, &[]),
            Err(error) => self.lost(now, error),
        }
    }

    fn informed(&mut self, now: u64, news: News) {
        match news {
            News::Silent => self.uart.say("the modem is silent\n"),
            News::NoCoverage => self.uart.say("no coverage\n"),
            News::Attached => {
                self.uart.say("attached\n");
                if self.is_wanted {
                    self.connect(now);
                }
            }
        }
    }

    fn is_attached(&self) -> bool {
        matches!(self.modem.coverage(), Coverage::Attached { .. })
    }

    /// What the modem says of the radio. The board is on the mains: there is no battery to say anything of.
    fn measure(&mut self) {
        let cell = match self.modem.coverage() {
            Coverage::Attached { cell } => cell,
            Coverage::Searching | Coverage::Off => None,
        };
        let rsrp_dbm = self.modem.rsrp_dbm();
        self.device.handle_power(Power { battery_percent: None, rsrp_dbm, cell });
    }

    /// Now a certificate that begins later, or has ended, can be told.
    fn learned(&mut self, now: u64, unix_ms: u64) {
        self.told = Some((unix_ms / 1000, now));
        self.owned.client.set_time(unix_ms / 1000, true);
        if self.owned.client.is_peer_valid() {
            self.owned.learned(unix_ms / 1000);
            let _ = writeln!(self.uart, "it is {}", unix_ms / 1000);
        } else {
            self.uart.say("the hub's certificate is not valid at the time it tells\n");
            self.told = None;
            self.link = Link::Down;
            self.device.handle_disconnected(now);
        }
    }

    fn lost(&mut self, now: u64, error: DtlsError) {
        let _ = writeln!(self.uart, "no connection: -{:#06x}", error.0.unsigned_abs());
        self.link = Link::Down;
        self.device.handle_disconnected(now);
    }

    /// In seconds since 1970, and whether it is more than a lower bound.
    fn time(&self, now: u64) -> (u64, bool) {
        match self.told {
            Some((unix_s, at)) => (unix_s.saturating_add(now.saturating_sub(at) / 1000), true),
            None => (self.owned.not_before_s.saturating_add(now / 1000), false),
        }
    }
}
