//! A broker that outlives the hub: takes what is published with QoS 1, notes which reading of which
//! board it was, and only then acknowledges it. As much of MQTT 5 as that needs.
//! Invariant: what was acknowledged to the hub is noted.

use std::io::{self, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use super::error::{ScenarioError, system};

const CONNECT: u8 = 1;
const PUBLISH: u8 = 3;
const PINGREQ: u8 = 12;
const DISCONNECT: u8 = 14;
/// No session, success; the server's limit of unacknowledged publishes stays at its default.
const CONNACK: [u8; 5] = [0x20, 3, 0, 0, 0];
const PINGRESP: [u8; 2] = [0xD0, 0];
const PACKET_MAX: usize = 1 << 20;

/// A broker on a port of its own; it ends with this program.
#[derive(Clone, Debug)]
pub struct Broker {
    /// Where it listens.
    pub address: SocketAddr,
    arrived: Arc<Mutex<Arrived>>,
}

/// What was published.
#[derive(Clone, Debug, Default)]
pub struct Arrived {
    /// By board: how often each of its readings came.
    boards: Vec<Vec<u16>>,
    /// Publishes under another board's name, or that name no reading.
    pub strange: u64,
}

impl Arrived {
    /// How often this reading came.
    #[must_use]
    pub fn count(&self, board: u32, reading: u32) -> u16 {
        let of_board = usize::try_from(board).ok().and_then(|at| self.boards.get(at));
        let count = usize::try_from(reading).ok().and_then(|at| of_board?.get(at));
        count.copied().unwrap_or(0)
    }

    fn note(&mut self, topic: &[u8], payload: &[u8]) {
        let Some((&[a, b, c, d, e, f, g, h], _)) = payload.split_first_chunk::<8>() else {
            self.strange += 1;
            return;
        };
        let (board, reading) = (u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes([e, f, g, h]));
        let named = topic.split(|byte| *byte == b'/').nth(1);
        if named != Some(format!("CB-{board:08}").as_bytes()) {
            self.strange += 1;
            return;
        }
        let at = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
        let (board, reading) = (at(board), at(reading));
        if self.boards.len() <= board {
            self.boards.resize(board + 1, Vec::new());
        }
        let Some(readings) = self.boards.get_mut(board) else { return };
        if readings.len() <= reading {
            readings.resize(reading + 1, 0);
        }
        if let Some(count) = readings.get_mut(reading) {
            *count = count.saturating_add(1);
        }
    }
}

impl Broker {
    /// Starts it.
    ///
    /// # Errors
    /// The system's.
    pub fn start() -> Result<Self, ScenarioError> {
        let doing = system("start a broker");
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(&doing)?;
        let address = listener.local_addr().map_err(&doing)?;
        let arrived = Arc::new(Mutex::new(Arrived::default()));
        let broker = Self { address, arrived: Arc::clone(&arrived) };
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let arrived = Arc::clone(&arrived);
                // A connection ends with the hub at its other end.
                thread::spawn(move || serve(stream, &arrived));
            }
        });
        Ok(broker)
    }

    /// What has come so far.
    #[must_use]
    pub fn arrived(&self) -> Arrived {
        locked(&self.arrived).clone()
    }
}

fn locked(arrived: &Mutex<Arrived>) -> MutexGuard<'_, Arrived> {
    arrived.lock().unwrap_or_else(PoisonError::into_inner)
}

fn serve(stream: TcpStream, arrived: &Mutex<Arrived>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut writer = stream.try_clone()?;
    let mut reader = BufReader::with_capacity(64 * 1024, stream);
    let (mut packet, mut answers) = (Vec::new(), Vec::new());
    loop {
        // Answers leave together once nothing more is there to read.
        if reader.buffer().is_empty() && !answers.is_empty() {
            writer.write_all(&answers)?;
            answers.clear();
        }
        match read_packet(&mut reader, &mut packet)? {
            (CONNECT, _) => answers.extend_from_slice(&CONNACK),
            (PUBLISH, flags) => {
                let publish = Publish::parse(&packet, flags).ok_or(io::ErrorKind::InvalidData)?;
                locked(arrived).note(publish.topic, publish.payload);
                if let Some([a, b]) = publish.packet_id {
                    answers.extend_from_slice(&[0x40, 2, a, b]);
                }
            }
            (PINGREQ, _) => answers.extend_from_slice(&PINGRESP),
            (DISCONNECT, _) => return Ok(()),
            _ => {}
        }
    }
}

/// Type and flags of the next packet; what follows its length is in `packet`.
fn read_packet(reader: &mut impl Read, packet: &mut Vec<u8>) -> io::Result<(u8, u8)> {
    let mut byte = [0];
    reader.read_exact(&mut byte)?;
    let [first] = byte;
    let (mut length, mut shift) = (0_usize, 0);
    loop {
        reader.read_exact(&mut byte)?;
        let [next] = byte;
        length |= usize::from(next & 0x7F) << shift;
        shift += 7;
        if next < 0x80 {
            break;
        }
        if shift > 21 {
            return Err(io::ErrorKind::InvalidData.into());
        }
    }
    if length > PACKET_MAX {
        return Err(io::ErrorKind::InvalidData.into());
    }
    packet.resize(length, 0);
    reader.read_exact(packet)?;
    Ok((first >> 4, first & 15))
}

struct Publish<'a> {
    topic: &'a [u8],
    packet_id: Option<[u8; 2]>,
    payload: &'a [u8],
}

impl<'a> Publish<'a> {
    fn parse(packet: &'a [u8], flags: u8) -> Option<Self> {
        let (length, rest) = packet.split_first_chunk::<2>()?;
        let (topic, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        let (packet_id, rest) = if flags >> 1 & 3 == 0 {
            (None, rest)
        } else {
            let (id, rest) = rest.split_first_chunk::<2>()?;
            (Some(*id), rest)
        };
        // Properties of a reading are short: their length takes one octet or two.
        let (first, rest) = rest.split_first()?;
        let (properties, rest) = match rest.split_first() {
            Some((second, rest)) if *first >= 0x80 => {
                (usize::from(first & 0x7F) | usize::from(second & 0x7F) << 7, rest)
            }
            _ => (usize::from(*first), rest),
        };
        let (_, payload) = rest.split_at_checked(properties)?;
        Some(Self { topic, packet_id, payload })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reading_is_noted_under_its_own_board_only() {
        let mut arrived = Arrived::default();
        let payload = [0, 0, 0, 2, 0, 0, 0, 5, b'r'];
        arrived.note(b"tenant-0/CB-00000002/telemetry", &payload);
        arrived.note(b"tenant-0/CB-00000002/telemetry", &payload);
        arrived.note(b"tenant-0/CB-00000003/telemetry", &payload);
        assert_eq!((arrived.count(2, 5), arrived.count(2, 4), arrived.strange), (2, 0, 1));
    }

    #[test]
    fn a_publish_is_taken_apart() {
        let packet = [0, 1, b't', 0, 9, 1, 7, b'x'];
        let publish = Publish::parse(&packet, 2).unwrap();
        assert_eq!(
            (publish.topic, publish.packet_id, publish.payload),
            (&b"t"[..], Some([0, 9]), &b"x"[..])
        );
        assert!(Publish::parse(&[0, 9, b't'], 2).is_none());
    }
}
