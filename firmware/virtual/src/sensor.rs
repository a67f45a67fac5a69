//! What a simulated board measures: slow, plausible, the same for the same seed.

use board::Random;
use wire::{EncodeError, Reading, Value};

/// Temperature, battery and signal of one board, in the steps its converters have.
#[derive(Clone, Debug)]
pub struct Sensor {
    random: Random,
    temperature: i32,
    battery: i32,
    rsrp: i32,
}

impl Sensor {
    /// A sensor somewhere between a cold store and a warm office.
    pub fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let temperature = between(&mut random, 4 * 16, 26 * 16);
        let battery = between(&mut random, 920, 1060);
        let rsrp = between(&mut random, -118, -82);
        Self { random, temperature, battery, rsrp }
    }

    /// Measures once and writes the pack; `seq` counts the board's readings and `time` is Unix
    /// seconds, where the board knows them. Returns the pack's length in `out`.
    pub fn measure(
        &mut self,
        board: &str,
        seq: u64,
        time: Option<i64>,
        out: &mut [u8],
    ) -> Result<usize, EncodeError> {
        self.temperature = self.step(self.temperature, 2, -20 * 16, 45 * 16);
        self.rsrp = self.step(self.rsrp, 2, -130, -70);
        if self.random.up_to(63) == 0 {
            self.battery = (self.battery - 1).max(3 * 256);
        }
        let seq = i64::try_from(seq).unwrap_or(i64::MAX);
        let readings = [
            reading("seq", None, Value::I64(seq)),
            reading("temperature", Some("Cel"), Value::F64(f64::from(self.temperature) / 16.0)),
            reading("battery", Some("V"), Value::F64(f64::from(self.battery) / 256.0)),
            reading("rsrp", Some("dBm"), Value::I64(i64::from(self.rsrp))),
        ];
        let (mut base, mut length) = ([0_u8; 64], 0);
        for (slot, byte) in base.iter_mut().zip(board.bytes().chain([b'/'])) {
            *slot = byte;
            length += 1;
        }
        let base = base.get(..length).and_then(|name| str::from_utf8(name).ok());
        wire::encode(base, time, &readings, out)
    }

    fn step(&mut self, value: i32, most: i32, low: i32, high: i32) -> i32 {
        (value + between(&mut self.random, -most, most)).clamp(low, high)
    }
}

fn reading<'a>(name: &'a str, unit: Option<&'a str>, value: Value<'a>) -> Reading<'a> {
    Reading { name, unit, value, time: None }
}

fn between(random: &mut Random, low: i32, high: i32) -> i32 {
    let above = random.up_to(u64::from(high.abs_diff(low)));
    low.saturating_add(i32::try_from(above).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packs(seed: u64, count: u64) -> Vec<Vec<u8>> {
        let mut sensor = Sensor::new(seed);
        let mut out = [0; 256];
        let mut measure = |seq| {
            let length = sensor.measure("CB-00000007", seq, Some(1_700_000_000), &mut out).unwrap();
            out[..length].to_vec()
        };
        (0..count).map(&mut measure).collect()
    }

    #[test]
    fn a_pack_is_valid_senml_with_a_counter_and_fits_a_small_datagram() {
        for (seq, pack) in packs(1, 500).iter().enumerate() {
            assert_eq!(wire::validate(pack), Ok(4));
            assert!(pack.len() <= 100, "{} bytes", pack.len());
            let first = wire::readings(pack).unwrap().next().unwrap().unwrap();
            assert_eq!(first.to_string(), "CB-00000007/seq");
            assert_eq!(first.reading.value, Value::I64(i64::try_from(seq).unwrap()));
        }
    }

    #[test]
    fn the_same_seed_measures_the_same_and_another_does_not() {
        assert_eq!(packs(1, 50), packs(1, 50));
        assert_ne!(packs(1, 50), packs(2, 50));
    }
}
