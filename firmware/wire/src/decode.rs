//! Reading a SenML pack in CBOR that somebody else wrote (RFC 8428).
//!
//! Invariant: linear in the pack's length, no recursion, no allocation, no panic.

use minicbor::Decoder;
use minicbor::data::Type;
use thiserror::Error;

use crate::RECORDS_MAX;
use crate::cbor::{MalformedCbor, item_length, well_formed};
use crate::encode::label;
use crate::reading::{NamedReading, Reading, Value, is_name};

/// Why bytes are not a SenML pack; `record` counts from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum MalformedPack {
    /// Not even CBOR.
    #[error(transparent)]
    Cbor(#[from] MalformedCbor),
    /// Not an array.
    #[error("the pack is not an array")]
    NotAnArray,
    /// No record, or more than [`RECORDS_MAX`].
    #[error("the pack holds no record or more than {RECORDS_MAX}")]
    Count,
    /// A record is not a map.
    #[error("record {record} is not a map")]
    NotAMap {
        /// Which record.
        record: usize,
    },
    /// A field has the wrong type, or a number that is not finite.
    #[error("field {label} of record {record} has the wrong type or is not finite")]
    Field {
        /// Which record.
        record: usize,
        /// Which field.
        label: i64,
    },
    /// A field or a value is given twice.
    #[error("record {record} gives a field or a value twice")]
    Twice {
        /// Which record.
        record: usize,
    },
    /// A label is neither an integer nor text.
    #[error("record {record} has a label that is neither integer nor text")]
    Label {
        /// Which record.
        record: usize,
    },
    /// A version after 10, or a field that must be understood and is not (section 4.4).
    #[error("record {record} needs a later version of senml")]
    Incompatible {
        /// Which record.
        record: usize,
    },
    /// Base name and name do not make a name (section 4.5.1).
    #[error("record {record} has no valid name")]
    Name {
        /// Which record.
        record: usize,
    },
    /// Neither value, sum nor base field.
    #[error("record {record} says nothing")]
    Empty {
        /// Which record.
        record: usize,
    },
}

/// Checks a whole pack and returns how many records it holds.
///
/// Bounded to [`RECORDS_MAX`] records and the nesting of [`well_formed`]; everything in `pack`
/// must belong to it.
pub fn validate(pack: &[u8]) -> Result<usize, MalformedPack> {
    let mut readings = readings(pack)?;
    while readings.record()?.is_some() {}
    Ok(readings.next_record)
}

/// The readings of a pack, base fields resolved. A record without a value (base fields or a sum
/// alone) yields nothing; after an error nothing follows.
pub fn readings(pack: &[u8]) -> Result<Readings<'_>, MalformedPack> {
    well_formed(pack)?;
    let mut decoder = Decoder::new(pack);
    let left = decoder.array().map_err(|_| MalformedPack::NotAnArray)?;
    let records_max = u64::try_from(RECORDS_MAX).unwrap_or(u64::MAX);
    if left.is_some_and(|records| records == 0 || records > records_max) {
        return Err(MalformedPack::Count);
    }
    Ok(Readings { pack, decoder, left, next_record: 0, base: Base::default(), is_over: false })
}

/// Iterator over the readings of a pack.
#[derive(Clone, Debug)]
pub struct Readings<'a> {
    pack: &'a [u8],
    decoder: Decoder<'a>,
    left: Option<u64>,
    next_record: usize,
    base: Base<'a>,
    is_over: bool,
}

impl<'a> Iterator for Readings<'a> {
    type Item = Result<NamedReading<'a>, MalformedPack>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.is_over {
            match self.record() {
                Ok(Some(Some(reading))) => return Some(Ok(reading)),
                Ok(Some(None)) => {}
                Ok(None) => self.is_over = true,
                Err(malformed) => {
                    self.is_over = true;
                    return Some(Err(malformed));
                }
            }
        }
        None
    }
}

/// Base fields hold from the record that gives them on (section 4.1).
#[derive(Clone, Copy, Debug, Default)]
struct Base<'a> {
    name: &'a str,
    time: f64,
    has_time: bool,
    unit: Option<&'a str>,
    value: f64,
}

/// The regular fields of one record.
#[derive(Default)]
struct Fields<'a> {
    name: &'a str,
    unit: Option<&'a str>,
    time: Option<f64>,
    value: Option<Value<'a>>,
    has_sum: bool,
    has_base: bool,
    seen: u32,
}

impl<'a> Readings<'a> {
    /// The next record: `None` past the last one, `Some(None)` for one without a value.
    fn record(&mut self) -> Result<Option<Option<NamedReading<'a>>>, MalformedPack> {
        let record = self.next_record;
        if self.pack_is_over() {
            return if record == 0 { Err(MalformedPack::Count) } else { Ok(None) };
        }
        if record >= RECORDS_MAX {
            return Err(MalformedPack::Count);
        }
        let mut pairs = self.decoder.map().map_err(|_| MalformedPack::NotAMap { record })?;
        let mut fields = Fields::default();
        loop {
            match &mut pairs {
                Some(0) => break,
                Some(left) => *left -= 1,
                None if self.take_break() => break,
                None => {}
            }
            self.field(&mut fields)?;
        }
        self.next_record = record + 1;
        self.left = self.left.map(|left| left.saturating_sub(1));
        self.resolve(fields, record).map(Some)
    }

    fn pack_is_over(&mut self) -> bool {
        match self.left {
            Some(left) => left == 0,
            None => self.take_break(),
        }
    }

    fn take_break(&mut self) -> bool {
        let is_break = matches!(self.decoder.datatype(), Ok(Type::Break));
        if is_break {
            self.decoder.set_position(self.decoder.position() + 1);
        }
        is_break
    }

    fn resolve(
        &self,
        fields: Fields<'a>,
        record: usize,
    ) -> Result<Option<NamedReading<'a>>, MalformedPack> {
        let Some(value) = fields.value else {
            return match (fields.has_sum, fields.has_base) {
                (true, _) if !is_name(self.base.name, fields.name) => {
                    Err(MalformedPack::Name { record })
                }
                (false, false) => Err(MalformedPack::Empty { record }),
                (true, _) | (false, true) => Ok(None),
            };
        };
        if !is_name(self.base.name, fields.name) {
            return Err(MalformedPack::Name { record });
        }
        let value = match value {
            Value::I64(whole) if self.base.value != 0.0 =>
            {
                #[expect(clippy::cast_precision_loss, reason = "senml numbers are doubles")]
                Value::F64(whole as f64 + self.base.value)
            }
            Value::F64(number) => Value::F64(number + self.base.value),
            Value::I64(_) | Value::Bool(_) | Value::Text(_) | Value::Data(_) => value,
        };
        let time = match (self.base.has_time, fields.time) {
            (false, None) => None,
            (_, time) => Some(self.base.time + time.unwrap_or_default()),
        };
        let reading =
            Reading { name: fields.name, unit: fields.unit.or(self.base.unit), value, time };
        Ok(Some(NamedReading { base_name: self.base.name, reading }))
    }

    fn field(&mut self, fields: &mut Fields<'a>) -> Result<(), MalformedPack> {
        let record = self.next_record;
        let label = match self.decoder.datatype() {
            Ok(Type::String) => {
                let name = self.decoder.str().map_err(|_| MalformedPack::Label { record })?;
                if name.ends_with('_') {
                    return Err(MalformedPack::Incompatible { record });
                }
                return self.skip();
            }
            _ => self.decoder.i64().map_err(|_| MalformedPack::Label { record })?,
        };
        let wrong = MalformedPack::Field { record, label };
        fields.mark(label, record)?;
        match label {
            label::BASE_VERSION => {
                let version = self.decoder.u64().map_err(|_| wrong)?;
                if version > 10 {
                    return Err(MalformedPack::Incompatible { record });
                }
            }
            label::BASE_NAME => self.base.name = self.decoder.str().map_err(|_| wrong)?,
            label::BASE_TIME => {
                self.base.time = self.number().ok_or(wrong)?;
                self.base.has_time = true;
            }
            label::BASE_UNIT => self.base.unit = Some(self.decoder.str().map_err(|_| wrong)?),
            label::BASE_VALUE => self.base.value = self.number().ok_or(wrong)?,
            label::BASE_SUM => drop(self.number().ok_or(wrong)?),
            label::NAME => fields.name = self.decoder.str().map_err(|_| wrong)?,
            label::UNIT => fields.unit = Some(self.decoder.str().map_err(|_| wrong)?),
            label::VALUE => fields.value = Some(self.numeric().ok_or(wrong)?),
            label::TEXT_VALUE => {
                fields.value = Some(Value::Text(self.decoder.str().map_err(|_| wrong)?));
            }
            label::BOOL_VALUE => {
                fields.value = Some(Value::Bool(self.decoder.bool().map_err(|_| wrong)?));
            }
            label::DATA_VALUE => {
                fields.value = Some(Value::Data(self.decoder.bytes().map_err(|_| wrong)?));
            }
            label::SUM => {
                self.number().ok_or(wrong)?;
                fields.has_sum = true;
            }
            label::TIME => fields.time = Some(self.number().ok_or(wrong)?),
            label::UPDATE_TIME => drop(self.number().ok_or(wrong)?),
            _ => self.skip()?,
        }
        Ok(())
    }

    fn skip(&mut self) -> Result<(), MalformedPack> {
        let at = self.decoder.position();
        let rest = self.pack.get(at..).unwrap_or_default();
        self.decoder.set_position(at + item_length(rest)?);
        Ok(())
    }

    fn number(&mut self) -> Option<f64> {
        match self.numeric()? {
            Value::F64(number) => Some(number),
            #[expect(clippy::cast_precision_loss, reason = "senml numbers are doubles")]
            Value::I64(whole) => Some(whole as f64),
            Value::Bool(_) | Value::Text(_) | Value::Data(_) => None,
        }
    }

    /// An integer, a float or a decimal fraction (tag 4), finite.
    fn numeric(&mut self) -> Option<Value<'a>> {
        let number = match self.decoder.datatype().ok()? {
            Type::F16 | Type::F32 | Type::F64 => self.decoder.f64().ok()?,
            Type::Tag => self.decimal_fraction()?,
            _ => {
                let at = self.decoder.position();
                if let Ok(whole) = self.decoder.i64() {
                    return Some(Value::I64(whole));
                }
                self.decoder.set_position(at);
                #[expect(clippy::cast_precision_loss, reason = "senml numbers are doubles")]
                let large = i128::from(self.decoder.int().ok()?) as f64;
                large
            }
        };
        number.is_finite().then_some(Value::F64(number))
    }

    /// Exponent and mantissa (RFC 8949, section 3.4.4), within what a double can hold.
    fn decimal_fraction(&mut self) -> Option<f64> {
        if self.decoder.tag().ok()?.as_u64() != 4 || self.decoder.array().ok()? != Some(2) {
            return None;
        }
        let exponent = self.decoder.i16().ok().filter(|e| (-400..=400).contains(e))?;
        let mantissa = self.decoder.i64().ok()?;
        let power = (0..exponent.unsigned_abs()).fold(1.0_f64, |power, _| power * 10.0);
        #[expect(clippy::cast_precision_loss, reason = "senml numbers are doubles")]
        let mantissa = mantissa as f64;
        Some(if exponent < 0 { mantissa / power } else { mantissa * power })
    }
}

impl Fields<'_> {
    /// Notes a label: none twice, and one value at most.
    fn mark(&mut self, label: i64, record: usize) -> Result<(), MalformedPack> {
        let is_value = matches!(
            label,
            label::VALUE | label::TEXT_VALUE | label::BOOL_VALUE | label::DATA_VALUE
        );
        let Some(bit) =
            u32::try_from(label.saturating_sub(label::BASE_SUM)).ok().filter(|bit| *bit < 16)
        else {
            return Ok(());
        };
        let is_second_value = is_value && self.value.is_some();
        if self.seen & 1 << bit != 0 || is_second_value {
            return Err(MalformedPack::Twice { record });
        }
        self.seen |= 1 << bit;
        self.has_base |= label < 0;
        Ok(())
    }
}
