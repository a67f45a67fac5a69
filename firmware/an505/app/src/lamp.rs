//! The product on this board: a lamp that the hub switches, which says whether it shines and how long the
//! board has been running.

use alloc::borrow::ToOwned;
use alloc::vec::Vec;

use an505::Lamps;
use board::{CommandError, Millis, Moment, Product, Sample};

/// The lamp.
pub(crate) struct Lamp {
    lamps: Lamps,
    interval: Millis,
}

impl Lamp {
    pub(crate) fn new() -> Self {
        Self { lamps: Lamps::new(), interval: 5_000 }
    }
}

impl Product for Lamp {
    fn name(&self) -> &str {
        "lamp"
    }

    fn hardware(&self) -> &str {
        "an505"
    }

    fn interval(&self) -> Millis {
        self.interval
    }

    fn measure(&mut self, now: Moment, samples: &mut Vec<Sample>) {
        let shines = if self.lamps.are_on() { 1.0 } else { 0.0 };
        #[expect(clippy::cast_precision_loss, reason = "exact for longer than a board lives")]
        let seconds = (now.millis / 1000) as f64;
        samples.push(Sample { name: "lamp".to_owned(), unit: None, value: shines });
        samples.push(Sample {
            name: "uptime".to_owned(),
            unit: Some("s".to_owned()),
            value: seconds,
        });
    }

    /// `c/lamp` with `on` or `off`; `c/interval` with the seconds between two measurements, in decimal.
    fn command(
        &mut self,
        _now: Moment,
        name: &str,
        argument: &[u8],
    ) -> Result<Vec<u8>, CommandError> {
        match (name, argument) {
            ("lamp", b"on") => self.lamps.switch(true),
            ("lamp", b"off") => self.lamps.switch(false),
            ("lamp", _) => return Err(CommandError::Malformed),
            ("interval", _) => {
                let text = core::str::from_utf8(argument).ok();
                let seconds = text.and_then(|text| text.parse::<u32>().ok());
                let seconds = seconds.filter(|seconds| (1..=86_400).contains(seconds));
                self.interval = u64::from(seconds.ok_or(CommandError::Malformed)?) * 1000;
            }
            _ => return Err(CommandError::Unknown),
        }
        Ok(Vec::new())
    }
}
