//! The Ethernet controller: an SMSC LAN9118, polled, a frame at a time.
//!
//! Knows nothing of what is in a frame. Invariant: a frame that is longer than can be is dropped.

use core::ptr;

const BASE: usize = 0x4200_0000;
const RECEIVE_DATA: usize = 0x00;
const TRANSMIT_DATA: usize = 0x20;
const RECEIVE_STATUS: usize = 0x40;
const ID_REV: usize = 0x50;
const RECEIVE_CONFIGURATION: usize = 0x6c;
const TRANSMIT_CONFIGURATION: usize = 0x70;
const RECEIVE_USED: usize = 0x7c;
const TRANSMIT_FREE: usize = 0x80;
const MAC_COMMAND: usize = 0xa4;
const MAC_DATA: usize = 0xa8;

const CHIP: u32 = 0x0118;
const TRANSMIT_ON: u32 = 1 << 1;
const MAC_BUSY: u32 = 1 << 31;
const MAC_READ: u32 = 1 << 30;
const MAC_CONTROL: u32 = 1;
const MAC_ADDRESS_HIGH: u32 = 2;
const MAC_ADDRESS_LOW: u32 = 3;
const MAC_TRANSMIT_AND_RECEIVE: u32 = 1 << 3 | 1 << 2;
const FIRST_SEGMENT: u32 = 1 << 13;
const LAST_SEGMENT: u32 = 1 << 12;
const ERROR: u32 = 1 << 15;
/// Behind each frame that comes in there is its checksum.
const CHECKSUM: usize = 4;

/// Bytes of a frame without its checksum.
pub const FRAME_MAX: usize = 1514;

/// The controller.
#[derive(Debug)]
pub struct Lan9118(());

impl Lan9118 {
    /// Switches it on; `None` where there is none.
    pub fn new() -> Option<Self> {
        if read(ID_REV) >> 16 != CHIP {
            return None;
        }
        write(RECEIVE_CONFIGURATION, 0);
        write(TRANSMIT_CONFIGURATION, TRANSMIT_ON);
        let control = read_mac(MAC_CONTROL);
        write_mac(MAC_CONTROL, control | MAC_TRANSMIT_AND_RECEIVE);
        Some(Self(()))
    }

    /// The address that it was given.
    pub fn address(&self) -> [u8; 6] {
        let [a, b, c, d] = read_mac(MAC_ADDRESS_LOW).to_le_bytes();
        let [e, f, ..] = read_mac(MAC_ADDRESS_HIGH).to_le_bytes();
        [a, b, c, d, e, f]
    }

    /// Whether a frame waits.
    pub fn has_frame(&self) -> bool {
        read(RECEIVE_USED) >> 16 & 0xff != 0
    }

    /// Whether a frame can be sent.
    pub fn has_room(&self) -> bool {
        (read(TRANSMIT_FREE) & 0xffff) as usize >= FRAME_MAX + 8
    }

    /// Takes the next frame; 0 where it is damaged.
    pub fn receive(&mut self, frame: &mut [u8; FRAME_MAX]) -> usize {
        let status = read(RECEIVE_STATUS);
        let length = (status >> 16 & 0x3fff) as usize;
        let mut rest = &mut frame[..];
        for _ in 0..length.div_ceil(4) {
            let word = read(RECEIVE_DATA).to_le_bytes();
            let (place, behind) = rest.split_at_mut(rest.len().min(word.len()));
            for (to, byte) in place.iter_mut().zip(word) {
                *to = byte;
            }
            rest = behind;
        }
        let length = length.saturating_sub(CHECKSUM);
        if status & ERROR != 0 || length > FRAME_MAX { 0 } else { length }
    }

    /// Sends a frame; one that is too long goes nowhere.
    pub fn send(&mut self, frame: &[u8]) {
        let Some(length) = u32::try_from(frame.len()).ok().filter(|_| frame.len() <= FRAME_MAX)
        else {
            return;
        };
        write(TRANSMIT_DATA, FIRST_SEGMENT | LAST_SEGMENT | length);
        write(TRANSMIT_DATA, length);
        for piece in frame.chunks(4) {
            let mut word = [0; 4];
            for (to, byte) in word.iter_mut().zip(piece) {
                *to = *byte;
            }
            write(TRANSMIT_DATA, u32::from_le_bytes(word));
        }
    }
}

fn read_mac(register: u32) -> u32 {
    write(MAC_COMMAND, MAC_BUSY | MAC_READ | register);
    while read(MAC_COMMAND) & MAC_BUSY != 0 {}
    read(MAC_DATA)
}

fn write_mac(register: u32, value: u32) {
    write(MAC_DATA, value);
    write(MAC_COMMAND, MAC_BUSY | register);
    while read(MAC_COMMAND) & MAC_BUSY != 0 {}
}

fn read(register: usize) -> u32 {
    // SAFETY: a register of the controller, which nothing but this file uses.
    unsafe { ptr::read_volatile((BASE + register) as *const u32) }
}

fn write(register: usize, value: u32) {
    // SAFETY: as above.
    unsafe { ptr::write_volatile((BASE + register) as *mut u32, value) }
}
