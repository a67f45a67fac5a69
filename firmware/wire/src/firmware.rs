//! What a board and the hub say about firmware: a board reports what it runs and how an update went, the
//! hub answers with what it should run, and gives that in blocks.
//!
//! Maps with small integers for keys (RFC 8949, section 3.1): both sides pass over what they do not know,
//! and a number once given never means anything else.

use minicbor::data::Type;
use minicbor::encode::write::Cursor;
use minicbor::{Decoder, Encoder};

use crate::cbor::item_length;

/// Bytes of the longest report, fault record included.
pub const REPORT_MAX: usize = 512;
/// Bytes of the longest offer.
pub const OFFER_MAX: usize = 128;
/// Bytes of the longest product or hardware name, and of the longest fault record.
pub const NAME_MAX: usize = 32;
/// Bytes of the longest fault record.
pub const FAULT_MAX: usize = 256;

/// Major, minor, revision, build.
pub type FirmwareVersion = (u8, u8, u16, u32);

/// What a board says, with POST to [`resource::FIRMWARE`](crate::resource::FIRMWARE).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FirmwareReport<'a> {
    /// The kind of product (1).
    pub product: &'a str,
    /// The revision of its hardware (2).
    pub hardware: &'a str,
    /// What runs (3).
    pub version: FirmwareVersion,
    /// The least security counter that may run (4).
    pub floor: u32,
    /// What it is doing about an update (5), and about which: the first bytes of its digest (6).
    pub state: UpdateState,
    /// See `state`.
    pub update: Option<[u8; 8]>,
    /// Bytes of it that are in flash (7).
    pub received: u32,
    /// What became of the last update: its number, event and refusal (8) and version (9), as the
    /// bootloader counts them.
    pub outcome: Option<(u16, u8, u8)>,
    /// See `outcome`.
    pub outcome_version: Option<FirmwareVersion>,
    /// Why the processor was reset, as its register has it (10).
    pub reset_cause: u32,
    /// Percent of the battery (11); none for a board that has none.
    pub battery_percent: Option<u8>,
    /// The signal, RSRP in dBm (12).
    pub rsrp_dbm: Option<i16>,
    /// What the application left behind when it last failed (13).
    pub fault: Option<&'a [u8]>,
    /// It has yet to prove itself (14).
    pub on_trial: bool,
    /// The radio cell it is in, as its modem numbers it (15).
    pub cell: Option<u32>,
}

/// What a board is doing about an update.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UpdateState {
    /// Nothing.
    #[default]
    Idle,
    /// Fetching it.
    Fetching,
    /// It has it, and the battery is too low.
    AwaitingBattery,
    /// It would fetch it, and the signal is too weak.
    AwaitingSignal,
    /// It has it, and the product will not be disturbed now.
    AwaitingProduct,
    /// It has it, and restarts.
    Restarting,
    /// What it fetched is not what was offered, or may not run here.
    Refused,
}

/// What a board should run, in the hub's answer to a report; an empty answer offers nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FirmwareOffer {
    /// SHA-256 of the whole file (1); its first bytes, in hex, are where the blocks are.
    pub digest: [u8; 32],
    /// Bytes of the file (2).
    pub size: u32,
    /// Its version (3).
    pub version: FirmwareVersion,
    /// It need not prove itself first (4).
    pub permanent: bool,
    /// Percent of the battery without which it is not put in place (5).
    pub battery_min_percent: u8,
    /// RSRP in dBm without which it is not fetched (6).
    pub rsrp_min_dbm: i16,
    /// Counts how often this file was offered anew (7): what failed once is not tried again with the
    /// same number.
    pub attempt: u8,
}

impl UpdateState {
    const ALL: [Self; 7] = [
        Self::Idle,
        Self::Fetching,
        Self::AwaitingBattery,
        Self::AwaitingSignal,
        Self::AwaitingProduct,
        Self::Restarting,
        Self::Refused,
    ];

    fn code(self) -> u8 {
        match self {
            Self::Idle => 0,
            Self::Fetching => 1,
            Self::AwaitingBattery => 2,
            Self::AwaitingSignal => 3,
            Self::AwaitingProduct => 4,
            Self::Restarting => 5,
            Self::Refused => 6,
        }
    }
}

type Sink<'o> = Encoder<Cursor<&'o mut [u8]>>;
type Written = Result<(), minicbor::encode::Error<minicbor::encode::write::EndOfSlice>>;

impl FirmwareReport<'_> {
    /// Writes it to the start of `out` and says how many bytes; `None` where it does not fit.
    pub fn encode(&self, out: &mut [u8]) -> Option<usize> {
        let mut encoder = Encoder::new(Cursor::new(out));
        self.write(&mut encoder).ok()?;
        Some(encoder.writer().position())
    }

    fn write(&self, to: &mut Sink<'_>) -> Written {
        let optional = [
            self.update.is_some(),
            self.received > 0,
            self.outcome.is_some(),
            self.outcome_version.is_some(),
            self.battery_percent.is_some(),
            self.rsrp_dbm.is_some(),
            self.fault.is_some(),
            self.on_trial,
            self.cell.is_some(),
        ];
        let count: u64 = optional.into_iter().map(u64::from).sum();
        to.map(6 + count)?;
        to.u8(1)?.str(self.product)?.u8(2)?.str(self.hardware)?;
        write_version(to.u8(3)?, self.version)?;
        to.u8(4)?.u32(self.floor)?.u8(5)?.u8(self.state.code())?;
        if let Some(update) = &self.update {
            to.u8(6)?.bytes(update)?;
        }
        if self.received > 0 {
            to.u8(7)?.u32(self.received)?;
        }
        if let Some((number, event, refusal)) = self.outcome {
            to.u8(8)?.array(3)?.u16(number)?.u8(event)?.u8(refusal)?;
        }
        if let Some(version) = self.outcome_version {
            write_version(to.u8(9)?, version)?;
        }
        to.u8(10)?.u32(self.reset_cause)?;
        if let Some(percent) = self.battery_percent {
            to.u8(11)?.u8(percent)?;
        }
        if let Some(dbm) = self.rsrp_dbm {
            to.u8(12)?.i16(dbm)?;
        }
        if let Some(fault) = self.fault {
            to.u8(13)?.bytes(fault)?;
        }
        if self.on_trial {
            to.u8(14)?.bool(true)?;
        }
        if let Some(cell) = self.cell {
            to.u8(15)?.u32(cell)?;
        }
        Ok(())
    }
}

impl<'a> FirmwareReport<'a> {
    /// Reads it; `None` for whatever is no report.
    pub fn decode(cbor: &'a [u8]) -> Option<Self> {
        let mut report = Self::default();
        let mut seen = 0_u16;
        read_map(cbor, REPORT_MAX, |key, from| {
            match key {
                1 => report.product = from.str().ok().filter(|name| name.len() <= NAME_MAX)?,
                2 => report.hardware = from.str().ok().filter(|name| name.len() <= NAME_MAX)?,
                3 => report.version = read_version(from)?,
                4 => report.floor = from.u32().ok()?,
                5 => {
                    let code = from.u8().ok()?;
                    // A state of later boards is none of ours.
                    let state = UpdateState::ALL.into_iter().find(|state| state.code() == code);
                    report.state = state.unwrap_or_default();
                }
                6 => report.update = Some(from.bytes().ok()?.try_into().ok()?),
                7 => report.received = from.u32().ok()?,
                8 => {
                    let is_three = from.array().ok()? == Some(3);
                    let outcome = (from.u16().ok()?, from.u8().ok()?, from.u8().ok()?);
                    report.outcome = is_three.then_some(outcome);
                }
                9 => report.outcome_version = Some(read_version(from)?),
                10 => report.reset_cause = from.u32().ok()?,
                11 => report.battery_percent = Some(from.u8().ok().filter(|p| *p <= 100)?),
                12 => report.rsrp_dbm = Some(from.i16().ok()?),
                13 => report.fault = Some(from.bytes().ok().filter(|f| f.len() <= FAULT_MAX)?),
                14 => report.on_trial = from.bool().ok()?,
                15 => report.cell = Some(from.u32().ok()?),
                _ => skip(cbor, from)?,
            }
            seen |= 1_u16.checked_shl(key).unwrap_or_default();
            Some(())
        })?;
        const NEEDED: u16 = 1 << 1 | 1 << 2 | 1 << 3 | 1 << 4;
        (seen & NEEDED == NEEDED).then_some(report)
    }
}

impl FirmwareOffer {
    /// Writes it to the start of `out` and says how many bytes; `None` where it does not fit.
    pub fn encode(&self, out: &mut [u8]) -> Option<usize> {
        let mut encoder = Encoder::new(Cursor::new(out));
        self.write(&mut encoder).ok()?;
        Some(encoder.writer().position())
    }

    fn write(&self, to: &mut Sink<'_>) -> Written {
        to.map(7)?.u8(1)?.bytes(&self.digest)?.u8(2)?.u32(self.size)?;
        write_version(to.u8(3)?, self.version)?;
        to.u8(4)?.bool(self.permanent)?.u8(5)?.u8(self.battery_min_percent)?;
        to.u8(6)?.i16(self.rsrp_min_dbm)?.u8(7)?.u8(self.attempt)?;
        Ok(())
    }

    /// Reads it; `None` for whatever is no offer.
    pub fn decode(cbor: &[u8]) -> Option<Self> {
        let (mut digest, mut size, mut version) = (None, None, None);
        let (mut permanent, mut battery_min_percent, mut rsrp_min_dbm) = (false, 0, i16::MIN);
        let mut attempt = 0;
        read_map(cbor, OFFER_MAX, |key, from| {
            match key {
                1 => digest = Some(from.bytes().ok()?.try_into().ok()?),
                2 => size = Some(from.u32().ok().filter(|size| *size > 0)?),
                3 => version = Some(read_version(from)?),
                4 => permanent = from.bool().ok()?,
                5 => battery_min_percent = from.u8().ok().filter(|p| *p <= 100)?,
                6 => rsrp_min_dbm = from.i16().ok()?,
                7 => attempt = from.u8().ok()?,
                _ => skip(cbor, from)?,
            }
            Some(())
        })?;
        let (digest, size, version) = (digest?, size?, version?);
        Some(Self { digest, size, version, permanent, battery_min_percent, rsrp_min_dbm, attempt })
    }

    /// The last segment of the path of its blocks: eight bytes of the digest in hex.
    pub fn segment(&self) -> [u8; 16] {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut nibbles = self.digest.iter().flat_map(|byte| [byte >> 4, byte & 0xf]);
        [(); 16].map(|()| {
            let nibble = nibbles.next().unwrap_or_default();
            DIGITS.get(usize::from(nibble)).copied().unwrap_or(b'0')
        })
    }
}

fn write_version(to: &mut Sink<'_>, (major, minor, revision, build): FirmwareVersion) -> Written {
    to.array(4)?.u8(major)?.u8(minor)?.u16(revision)?.u32(build)?;
    Ok(())
}

fn read_version(from: &mut Decoder<'_>) -> Option<FirmwareVersion> {
    if from.array().ok()? != Some(4) {
        return None;
    }
    Some((from.u8().ok()?, from.u8().ok()?, from.u16().ok()?, from.u32().ok()?))
}

fn skip(cbor: &[u8], from: &mut Decoder<'_>) -> Option<()> {
    let at = from.position();
    let length = item_length(cbor.get(at..)?).ok()?;
    from.set_position(at.checked_add(length)?);
    Some(())
}

/// Reads one map of known length, each key once, and nothing behind it.
fn read_map<'a>(
    cbor: &'a [u8],
    length_max: usize,
    mut field: impl FnMut(u32, &mut Decoder<'a>) -> Option<()>,
) -> Option<()> {
    if cbor.len() > length_max || crate::well_formed(cbor).is_err() {
        return None;
    }
    let mut decoder = Decoder::new(cbor);
    let count = decoder.map().ok()??;
    let mut before = None;
    for _ in 0..count {
        // In ascending order (RFC 8949, section 4.2.1), so that none comes twice.
        let key = match decoder.datatype().ok()? {
            Type::U8 | Type::U16 | Type::U32 => decoder.u32().ok()?,
            _ => return None,
        };
        if before.is_some_and(|before| before >= key) {
            return None;
        }
        before = Some(key);
        field(key, &mut decoder)?;
    }
    Some(())
}
