//! Writing a SenML pack into a buffer the caller owns (RFC 8428, section 6).

use minicbor::Encoder;
use minicbor::encode::write::Cursor;
use thiserror::Error;

use crate::RECORDS_MAX;
use crate::reading::{Reading, Value, is_name};

/// SenML labels in CBOR (RFC 8428, table 4).
pub(crate) mod label {
    pub(crate) const BASE_VERSION: i64 = -1;
    pub(crate) const BASE_NAME: i64 = -2;
    pub(crate) const BASE_TIME: i64 = -3;
    pub(crate) const BASE_UNIT: i64 = -4;
    pub(crate) const BASE_VALUE: i64 = -5;
    pub(crate) const BASE_SUM: i64 = -6;
    pub(crate) const NAME: i64 = 0;
    pub(crate) const UNIT: i64 = 1;
    pub(crate) const VALUE: i64 = 2;
    pub(crate) const TEXT_VALUE: i64 = 3;
    pub(crate) const BOOL_VALUE: i64 = 4;
    pub(crate) const SUM: i64 = 5;
    pub(crate) const TIME: i64 = 6;
    pub(crate) const UPDATE_TIME: i64 = 7;
    pub(crate) const DATA_VALUE: i64 = 8;
}

/// Why readings cannot be written; always the caller's doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum EncodeError {
    /// The pack does not fit the buffer.
    #[error("the pack does not fit {0} bytes")]
    NoSpace(usize),
    /// A pack holds at least one reading and [`RECORDS_MAX`] at most.
    #[error("a pack cannot hold {0} readings")]
    Count(usize),
    /// Base name and name together are not a SenML name.
    #[error("the name of reading {0} is not a senml name")]
    Name(usize),
    /// A value or a time is infinite or not a number.
    #[error("reading {0} holds a number that is not finite")]
    NotFinite(usize),
}

/// Writes one pack to the start of `out` and returns its length. The base name and base time
/// (Unix seconds) hold for all readings.
pub fn encode(
    base_name: Option<&str>,
    base_time: Option<i64>,
    readings: &[Reading<'_>],
    out: &mut [u8],
) -> Result<usize, EncodeError> {
    if readings.is_empty() || readings.len() > RECORDS_MAX {
        return Err(EncodeError::Count(readings.len()));
    }
    for (index, reading) in readings.iter().enumerate() {
        if !is_name(base_name.unwrap_or_default(), reading.name) {
            return Err(EncodeError::Name(index));
        }
        let finite = !matches!(reading.value, Value::F64(value) if !value.is_finite());
        if !finite || reading.time.is_some_and(|time| !time.is_finite()) {
            return Err(EncodeError::NotFinite(index));
        }
    }
    let space = out.len();
    let mut encoder = Encoder::new(Cursor::new(out));
    write(&mut encoder, base_name, base_time, readings).map_err(|_| EncodeError::NoSpace(space))?;
    Ok(encoder.writer().position())
}

type Written = Result<(), minicbor::encode::Error<minicbor::encode::write::EndOfSlice>>;

fn write(
    encoder: &mut Encoder<Cursor<&mut [u8]>>,
    base_name: Option<&str>,
    base_time: Option<i64>,
    readings: &[Reading<'_>],
) -> Written {
    encoder.array(count(readings.len()))?;
    let mut base = (base_name, base_time);
    for reading in readings {
        let (base_name, base_time) = core::mem::take(&mut base);
        let fields = [
            base_name.is_some(),
            base_time.is_some(),
            !reading.name.is_empty(),
            reading.unit.is_some(),
            reading.time.is_some(),
            true,
        ];
        encoder.map(count(fields.into_iter().filter(|is_there| *is_there).count()))?;
        if let Some(name) = base_name {
            encoder.i64(label::BASE_NAME)?.str(name)?;
        }
        if let Some(time) = base_time {
            encoder.i64(label::BASE_TIME)?.i64(time)?;
        }
        if !reading.name.is_empty() {
            encoder.i64(label::NAME)?.str(reading.name)?;
        }
        if let Some(unit) = reading.unit {
            encoder.i64(label::UNIT)?.str(unit)?;
        }
        match reading.value {
            Value::F64(value) => number(encoder.i64(label::VALUE)?, value)?,
            Value::I64(value) => drop(encoder.i64(label::VALUE)?.i64(value)?),
            Value::Text(text) => drop(encoder.i64(label::TEXT_VALUE)?.str(text)?),
            Value::Bool(value) => drop(encoder.i64(label::BOOL_VALUE)?.bool(value)?),
            Value::Data(data) => drop(encoder.i64(label::DATA_VALUE)?.bytes(data)?),
        }
        if let Some(time) = reading.time {
            number(encoder.i64(label::TIME)?, time)?;
        }
    }
    Ok(())
}

/// The shorter of an integer (times), a four-byte and an eight-byte float that loses nothing.
fn number(encoder: &mut Encoder<Cursor<&mut [u8]>>, value: f64) -> Written {
    #[expect(clippy::cast_possible_truncation, reason = "used only where converting back is equal")]
    let (whole, single) = (value as i32, value as f32);
    if f64::from(whole).to_bits() == value.to_bits() {
        encoder.i32(whole)?;
    } else if f64::from(single).to_bits() == value.to_bits() {
        encoder.f32(single)?;
    } else {
        encoder.f64(value)?;
    }
    Ok(())
}

fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
