//! The product: a sensor and an actuator, as an example. Whoever makes another replaces this file.
//!
//! A heater behind a switch, with a thermometer beside it (the modem's own, so that nothing needs to be soldered on):
//! it measures every quarter of an hour, and the hub switches it. It turns itself off when it hears nothing for an
//! hour, and lets nobody restart the board while it is on.

use alloc::borrow::ToOwned;
use alloc::vec::Vec;

use board::{CommandError, Millis, Moment, Product, Sample};
use embassy_nrf::gpio::Output;

const ON_MAX: Millis = 3_600_000;

/// The heater.
pub(crate) struct Heater {
    switch: Output<'static>,
    on_since: Option<Millis>,
    interval: Millis,
    /// What the shell read of the thermometer last.
    pub(crate) temperature: Option<i16>,
}

impl Heater {
    /// One that is off.
    pub(crate) fn new(mut switch: Output<'static>) -> Self {
        switch.set_low();
        Self { switch, on_since: None, interval: 900_000, temperature: None }
    }

    fn set(&mut self, on_since: Option<Millis>) {
        self.on_since = on_since;
        if on_since.is_some() { self.switch.set_high() } else { self.switch.set_low() }
    }
}

impl Product for Heater {
    fn name(&self) -> &str {
        "heater"
    }

    fn hardware(&self) -> &str {
        "A"
    }

    /// Often enough to turn off in time.
    fn interval(&self) -> Millis {
        if self.on_since.is_some() { self.interval.min(60_000) } else { self.interval }
    }

    fn measure(&mut self, now: Moment, samples: &mut Vec<Sample>) {
        if self.on_since.is_some_and(|since| now.millis.saturating_sub(since) >= ON_MAX) {
            self.set(None);
        }
        if let Some(degrees) = self.temperature {
            let unit = Some("Cel".to_owned());
            let value = f64::from(degrees);
            samples.push(Sample { name: "temperature".to_owned(), unit, value });
        }
        let value = if self.on_since.is_some() { 1.0 } else { 0.0 };
        samples.push(Sample { name: "on".to_owned(), unit: None, value });
    }

    /// `c/on` and `c/off`, without an argument; `c/interval` with the seconds between two measurements, in decimal.
    fn command(
        &mut self,
        now: Moment,
        name: &str,
        argument: &[u8],
    ) -> Result<Vec<u8>, CommandError> {
        match (name, argument) {
            ("on", []) if self.on_since.is_some() => return Err(CommandError::Refused),
            ("on", []) => self.set(Some(now.millis)),
            ("off", []) => self.set(None),
            ("interval", seconds) => {
                let seconds = core::str::from_utf8(seconds).ok().and_then(|text| text.parse().ok());
                let seconds = seconds.filter(|seconds: &u32| (60..=86_400).contains(seconds));
                self.interval = u64::from(seconds.ok_or(CommandError::Malformed)?) * 1000;
            }
            ("on" | "off", _) => return Err(CommandError::Malformed),
            _ => return Err(CommandError::Unknown),
        }
        Ok(Vec::new())
    }

    fn may_restart(&self, _now: Moment) -> bool {
        self.on_since.is_none()
    }
}
