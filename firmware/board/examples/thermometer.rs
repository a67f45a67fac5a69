//! A product that measures: a temperature every quarter of an hour, and at once when it jumps.
//!
//! On a board `read` asks a sensor; here it is given, so that the product can be tried on any machine.

use board::{CommandError, Millis, Moment, Product, Sample};

/// A thermometer.
pub(crate) struct Thermometer {
    read: fn() -> f64,
    interval: Millis,
}

impl Thermometer {
    /// One that reads its sensor so.
    pub(crate) fn new(read: fn() -> f64) -> Self {
        Self { read, interval: 900_000 }
    }
}

impl Product for Thermometer {
    fn name(&self) -> &str {
        "thermometer"
    }

    fn hardware(&self) -> &str {
        "A"
    }

    fn interval(&self) -> Millis {
        self.interval
    }

    fn measure(&mut self, _now: Moment, samples: &mut Vec<Sample>) {
        let unit = Some("Cel".to_owned());
        samples.push(Sample { name: "temperature".to_owned(), unit, value: (self.read)() });
    }

    /// `c/interval` with the seconds between two measurements, in decimal.
    fn command(
        &mut self,
        _now: Moment,
        name: &str,
        argument: &[u8],
    ) -> Result<Vec<u8>, CommandError> {
        if name != "interval" {
            return Err(CommandError::Unknown);
        }
        let seconds = std::str::from_utf8(argument).ok().and_then(|text| text.parse::<u32>().ok());
        let seconds = seconds.filter(|seconds| (1..=86_400).contains(seconds));
        self.interval = u64::from(seconds.ok_or(CommandError::Malformed)?) * 1000;
        Ok(Vec::new())
    }
}

#[allow(dead_code, clippy::print_stdout, reason = "an example shows what it does")]
fn main() {
    let mut thermometer = Thermometer::new(|| 21.5);
    let now = Moment { millis: 0, unix_ms: None };
    let mut samples = Vec::new();
    thermometer.measure(now, &mut samples);
    println!("measured {samples:?}, again in {} ms", thermometer.interval());
    println!("c/interval 60: {:?}", thermometer.command(now, "interval", b"60"));
    println!("again in {} ms", thermometer.interval());
}
