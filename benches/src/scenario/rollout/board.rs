//! A board that does nothing but update itself: it reports, fetches what it is offered, restarts, and
//! runs it or puts the one before back. Invariant: no clock and no socket is reachable from here.

use actors::link::cipher::DirectionKey;
use actors::link::connection_id::LENGTH;
use actors::link::record::{ContentType, Record, Unsealable};
use coap_lite::{CoapOption, MessageClass, MessageType, Packet, RequestType};
use sha2::{Digest as _, Sha256};
use wire::{FirmwareOffer, FirmwareReport, FirmwareVersion, REPORT_MAX, UpdateState, resource};

const EPOCH: u16 = 1;
const CBOR: u8 = 60;
/// Blocks of 1024 bytes.
const EXPONENT: u8 = 6;
const REVERTED: u8 = 3;

/// A board with an open session.
pub(super) struct Board {
    read: DirectionKey,
    write: DirectionKey,
    cid: [u8; LENGTH],
    next_sequence: u64,
    message_id: u16,
    running: FirmwareVersion,
    /// The bootloader's last outcome.
    outcome: Option<(u16, u8, u8)>,
    outcome_version: Option<FirmwareVersion>,
    stage: Stage,
    /// The request under way, as it is sent again.
    request: Option<Vec<u8>>,
}

enum Stage {
    Resting,
    Reporting,
    Fetching {
        offer: FirmwareOffer,
        received: usize,
        digest: Sha256,
    },
    /// It has all of it and says so.
    Restarting {
        offer: FirmwareOffer,
    },
    /// It runs it, and says so; where it is on trial, once more when it is not.
    Running {
        on_trial: bool,
    },
    /// It has put the one before back, and says so.
    Reverted,
}

/// What came of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// Nothing for this board.
    Nothing,
    /// There is another request to send.
    Goes,
    /// It has nothing more to say for now.
    Rests,
    /// What it was given is not what it was offered, or not understood.
    Broken,
}

impl Board {
    /// A board whose session is known without a handshake.
    pub(super) const fn new(read: DirectionKey, write: DirectionKey, cid: [u8; LENGTH]) -> Self {
        Self {
            read,
            write,
            cid,
            next_sequence: 1,
            message_id: 1,
            running: (1, 0, 0, 0),
            outcome: None,
            outcome_version: None,
            stage: Stage::Resting,
            request: None,
        }
    }

    /// What runs.
    pub(super) const fn running(&self) -> FirmwareVersion {
        self.running
    }

    /// Says how things are.
    pub(super) fn begin(&mut self) {
        self.stage = Stage::Reporting;
        self.ask();
    }

    /// Whether it waits for an answer.
    pub(super) const fn waits(&self) -> bool {
        self.request.is_some()
    }

    /// Writes the request under way into `out`, for the first time or again.
    ///
    /// # Errors
    /// [`Unsealable`] when the record cannot be written.
    pub(super) fn write(&mut self, out: &mut Vec<u8>) -> Result<(), Unsealable> {
        out.clear();
        let Some(request) = &self.request else { return Ok(()) };
        let sequence = self.next_sequence;
        self.next_sequence += 1;
        let application = ContentType::ApplicationData;
        self.write.seal(application, EPOCH, sequence, &self.cid, request, out)
    }

    /// Takes a record of the hub; `fails` says whether this board does not come up with a version.
    pub(super) fn handle_record(
        &mut self,
        record: &Record<'_>,
        fails: impl Fn(FirmwareVersion) -> bool,
        acknowledgement: &mut Option<[u8; 4]>,
    ) -> Progress {
        let mut plaintext = Vec::new();
        match self.read.open(record, &mut plaintext) {
            Ok(ContentType::ApplicationData) => {}
            Ok(_) | Err(_) => return Progress::Nothing,
        }
        let Ok(packet) = Packet::from_bytes(&plaintext) else { return Progress::Broken };
        let MessageClass::Response(_) = packet.header.code else { return Progress::Nothing };
        if packet.header.get_type() == MessageType::Confirmable {
            let [a, b] = packet.header.message_id.to_be_bytes();
            *acknowledgement = Some([0x60, 0, a, b]);
        }
        if packet.get_token() != self.message_id.to_be_bytes() || self.request.is_none() {
            return Progress::Nothing;
        }
        self.request = None;
        self.answered(&packet, fails)
    }

    /// Writes an acknowledgement into `out`.
    ///
    /// # Errors
    /// [`Unsealable`] when the record cannot be written.
    pub(super) fn acknowledge(
        &mut self,
        bytes: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), Unsealable> {
        out.clear();
        let sequence = self.next_sequence;
        self.next_sequence += 1;
        let application = ContentType::ApplicationData;
        self.write.seal(application, EPOCH, sequence, &self.cid, bytes, out)
    }

    fn answered(&mut self, packet: &Packet, fails: impl Fn(FirmwareVersion) -> bool) -> Progress {
        const CHANGED: u8 = 0x44;
        const CONTENT: u8 = 0x45;
        const UNAVAILABLE: u8 = 0xa3;
        const NOT_FOUND: u8 = 0x84;
        let code = u8::from(packet.header.code);
        let stage = std::mem::replace(&mut self.stage, Stage::Resting);
        match (code, stage) {
            (CHANGED, Stage::Reporting) => match FirmwareOffer::decode(&packet.payload) {
                Some(offer) if offer.version != self.running => {
                    let (received, digest) = (0, Sha256::new());
                    self.stage = Stage::Fetching { offer, received, digest };
                    self.goes()
                }
                Some(_) => Progress::Rests,
                None if packet.payload.is_empty() => Progress::Rests,
                None => Progress::Broken,
            },
            (CONTENT, Stage::Fetching { offer, received, digest }) => {
                self.fetched(packet, offer, received, digest)
            }
            (CHANGED, Stage::Restarting { offer }) => {
                if fails(offer.version) {
                    let number = self.outcome.map_or(1, |(number, ..)| number + 1);
                    self.outcome = Some((number, REVERTED, 0));
                    self.outcome_version = Some(offer.version);
                    self.stage = Stage::Reverted;
                } else {
                    self.running = offer.version;
                    self.stage = Stage::Running { on_trial: true };
                }
                self.goes()
            }
            (CHANGED, Stage::Running { on_trial: true }) => {
                self.stage = Stage::Running { on_trial: false };
                self.goes()
            }
            (CHANGED, Stage::Running { on_trial: false } | Stage::Reverted) => Progress::Rests,
            // Others are before it, or it is not offered any more.
            (UNAVAILABLE | NOT_FOUND, Stage::Reporting | Stage::Fetching { .. }) => Progress::Rests,
            // The hub wants to hear it later; it is said at once.
            (UNAVAILABLE, stage) => {
                self.stage = stage;
                self.goes()
            }
            _ => Progress::Broken,
        }
    }

    fn fetched(
        &mut self,
        packet: &Packet,
        offer: FirmwareOffer,
        received: usize,
        mut digest: Sha256,
    ) -> Progress {
        digest.update(&packet.payload);
        let received = received + packet.payload.len();
        let size = usize::try_from(offer.size).unwrap_or(usize::MAX);
        if packet.payload.is_empty() || received > size {
            return Progress::Broken;
        }
        self.stage = if received < size {
            Stage::Fetching { offer, received, digest }
        } else if digest.finalize()[..] == offer.digest {
            Stage::Restarting { offer }
        } else {
            return Progress::Broken;
        };
        self.goes()
    }

    fn goes(&mut self) -> Progress {
        self.ask();
        Progress::Goes
    }

    /// Makes the request that its stage has.
    fn ask(&mut self) {
        self.message_id = self.message_id.wrapping_add(1);
        let mut packet = Packet::new();
        packet.header.set_type(MessageType::Confirmable);
        packet.header.message_id = self.message_id;
        packet.set_token(self.message_id.to_be_bytes().to_vec());
        packet.add_option(CoapOption::UriPath, resource::FIRMWARE.into());
        match &self.stage {
            Stage::Fetching { offer, received, .. } => {
                packet.header.code = MessageClass::Request(RequestType::Get);
                packet.add_option(CoapOption::UriPath, offer.segment().to_vec());
                let block = u32::try_from(received / (16 << EXPONENT)).unwrap_or(0);
                let bits = (block << 4 | u32::from(EXPONENT)).to_be_bytes();
                let zeros = bits.iter().take_while(|byte| **byte == 0).count();
                packet.add_option(CoapOption::Block2, bits.get(zeros..).unwrap_or_default().into());
            }
            _ => {
                packet.header.code = MessageClass::Request(RequestType::Post);
                packet.add_option(CoapOption::ContentFormat, vec![CBOR]);
                packet.payload = self.report();
            }
        }
        self.request = packet.to_bytes_unlimited().ok();
    }

    fn report(&self) -> Vec<u8> {
        let (state, offer) = match &self.stage {
            Stage::Restarting { offer } => (UpdateState::Restarting, Some(offer)),
            Stage::Fetching { offer, .. } => (UpdateState::Fetching, Some(offer)),
            Stage::Resting | Stage::Reporting | Stage::Running { .. } | Stage::Reverted => {
                (UpdateState::Idle, None)
            }
        };
        let report = FirmwareReport {
            product: super::PRODUCT,
            hardware: "A",
            version: self.running,
            state,
            update: offer.and_then(|offer| offer.digest.first_chunk().copied()),
            outcome: self.outcome,
            outcome_version: self.outcome_version,
            on_trial: matches!(self.stage, Stage::Running { on_trial: true }),
            ..FirmwareReport::default()
        };
        let mut bytes = vec![0; REPORT_MAX];
        let length = report.encode(&mut bytes).unwrap_or(0);
        bytes.truncate(length);
        bytes
    }
}
