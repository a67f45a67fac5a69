//! A hub as far as a board can tell: it takes readings, offers firmware and serves it in blocks.

use coap_lite::{CoapOption, MessageClass, MessageType, Packet, RequestType};
use image::digest;
use wire::{FirmwareOffer, FirmwareReport, UpdateState};

/// What it was told, and what it offers.
#[derive(Default)]
pub(crate) struct Hub {
    /// Payloads of readings, in the order they were taken.
    pub(crate) readings: Vec<Vec<u8>>,
    pub(crate) states: Vec<UpdateState>,
    pub(crate) reports: Vec<Told>,
    pub(crate) file: Vec<u8>,
    pub(crate) offer: Option<FirmwareOffer>,
    /// It wants the board to renew its certificate.
    pub(crate) wants_renewal: bool,
    /// It offers what it does not have.
    pub(crate) has_lost_its_files: bool,
    /// Bytes of files that were served.
    pub(crate) served: usize,
    /// Of so many datagrams one is lost; 0 loses none.
    pub(crate) loses: usize,
    heard: usize,
    next_id: u16,
    outbox: Vec<Vec<u8>>,
    /// Codes of answers to what it asked the board.
    pub(crate) answers: Vec<(u8, Vec<u8>)>,
}

/// A report, owned.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) version: (u8, u8, u16, u32),
    pub(crate) outcome: Option<(u16, u8, u8)>,
    pub(crate) fault: Option<Vec<u8>>,
    pub(crate) on_trial: bool,
}

impl Hub {
    /// One that wants every board to run this.
    pub(crate) fn offering(file: &[u8], version: (u8, u8, u16, u32)) -> Self {
        let mut hub = Self::default();
        hub.offer_now(file, version);
        hub
    }

    pub(crate) fn offer_now(&mut self, file: &[u8], version: (u8, u8, u16, u32)) {
        self.file = file.to_vec();
        self.offer = Some(FirmwareOffer {
            digest: digest(file),
            size: file.len().try_into().unwrap(),
            version,
            permanent: false,
            battery_min_percent: 30,
            rsrp_min_dbm: -120,
            attempt: 0,
        });
    }

    pub(crate) fn connected(&mut self) {
        self.outbox.clear();
    }

    /// Asks the board to do something.
    pub(crate) fn command(&mut self, path: &str, argument: &[u8]) {
        let mut packet = Packet::new();
        packet.header.set_type(MessageType::Confirmable);
        packet.header.message_id = self.next_id;
        self.next_id += 1;
        packet.header.code = MessageClass::Request(RequestType::Post);
        packet.set_token(b"Tok".to_vec());
        path.split('/').for_each(|part| packet.add_option(CoapOption::UriPath, part.into()));
        packet.payload = argument.to_vec();
        self.outbox.push(packet.to_bytes().unwrap());
    }

    pub(crate) fn says(&mut self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.outbox)
    }

    fn is_lost(&mut self) -> bool {
        self.heard += 1;
        self.loses > 0 && self.heard.is_multiple_of(self.loses)
    }

    /// What it says to a datagram.
    pub(crate) fn hear(&mut self, datagram: &[u8]) -> Option<Vec<u8>> {
        let packet = Packet::from_bytes(datagram).unwrap();
        if let MessageClass::Response(_) = packet.header.code {
            self.answers.push((packet.header.code.into(), packet.payload));
            return None;
        }
        if self.is_lost() {
            return None;
        }
        let said = self.answer(&packet)?;
        if self.is_lost() { None } else { Some(said) }
    }

    fn answer(&mut self, request: &Packet) -> Option<Vec<u8>> {
        let MessageClass::Request(method) = request.header.code else { return None };
        let mut said = Packet::new();
        said.header.set_type(MessageType::Acknowledgement);
        said.header.message_id = request.header.message_id;
        said.set_token(request.get_token().to_vec());
        let path: Vec<_> = request.get_option(CoapOption::UriPath).into_iter().flatten().collect();
        let path: Vec<_> =
            path.into_iter().map(|part| std::str::from_utf8(part).unwrap()).collect();
        let code = match (method, path.as_slice()) {
            (RequestType::Post, ["t"]) => {
                self.readings.push(request.payload.clone());
                if self.wants_renewal {
                    said.add_option(CoapOption::Unknown(wire::OPTION_RENEW), Vec::new());
                }
                0x44
            }
            (RequestType::Post, ["fw"]) => {
                let report = FirmwareReport::decode(&request.payload).unwrap();
                self.states.push(report.state);
                self.reports.push(Told {
                    version: report.version,
                    outcome: report.outcome,
                    fault: report.fault.map(<[u8]>::to_vec),
                    on_trial: report.on_trial,
                });
                if let Some(offer) = &self.offer {
                    let mut bytes = [0; 128];
                    let length = offer.encode(&mut bytes).unwrap();
                    said.payload = bytes[..length].to_vec();
                }
                0x44
            }
            (RequestType::Get, ["fw", segment]) if self.has(segment) => {
                self.serve(request, &mut said);
                0x45
            }
            _ => 0x84,
        };
        said.header.code = MessageClass::from(code);
        Some(said.to_bytes().unwrap())
    }

    fn has(&self, segment: &str) -> bool {
        let is_offered = |offer: &FirmwareOffer| offer.segment() == segment.as_bytes();
        !self.has_lost_its_files && self.offer.as_ref().is_some_and(is_offered)
    }

    fn serve(&mut self, request: &Packet, said: &mut Packet) {
        let bits = request.get_first_option(CoapOption::Block2).unwrap();
        let bits = bits.iter().fold(0_usize, |sum, byte| sum << 8 | usize::from(*byte));
        let (number, exponent) = (bits >> 4, bits & 7);
        let size = 16 << exponent;
        let rest = &self.file[(number * size).min(self.file.len())..];
        let (part, after) = rest.split_at(size.min(rest.len()));
        self.served += part.len();
        let bits = u32::try_from(number << 4 | usize::from(!after.is_empty()) << 3 | exponent);
        let bytes = bits.unwrap().to_be_bytes();
        let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
        said.add_option(CoapOption::Block2, bytes[zeros..].to_vec());
        said.add_option(CoapOption::ETag, digest(&self.file)[..4].to_vec());
        said.payload = part.to_vec();
    }
}
