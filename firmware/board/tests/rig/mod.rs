//! A board with its bootloader on one flash, whose power can be cut, and a hub that it speaks to.
#![allow(dead_code, reason = "each program of tests uses its part")]

#[path = "../../../bootloader/tests/rig/flash.rs"]
pub(crate) mod flash;
pub(crate) mod hub;
#[path = "../../examples/thermometer.rs"]
pub(crate) mod thermometer;
#[path = "../../examples/valve.rs"]
pub(crate) mod valve;

use std::cell::RefCell;

use board::{Awakening, Device, Effect, Millis, Power, Product, Settings};
use bootloader::boot;
use image::{Area, BootRecord, Keyring, Map, PublicKey, Signature, Unsigned, digest, write_tail};
use p256::ecdsa::signature::hazmat::PrehashSigner;
use p256::ecdsa::{Signature as Ecdsa, SigningKey};

pub(crate) use flash::{Cut, Flash, Leaves, Operation, SECTOR};
pub(crate) use hub::Hub;

const SLOT: u32 = 9;

pub(crate) const MAP: Map = Map {
    sector: SECTOR,
    protected: Area { at: 0, length: 5 * SECTOR },
    first: Area { at: 5 * SECTOR, length: SLOT * SECTOR },
    second: Area { at: (5 + SLOT) * SECTOR, length: SLOT * SECTOR },
    application: Area { at: (5 + 2 * SLOT) * SECTOR, length: 12 * SECTOR },
    address: 0x1000_0000,
    vectors_aligned_to: 0x80,
    memory: Area { at: 0x3800_0000, length: 0x1_0000 },
};
const _: () = assert!(MAP.is_sound());

fn key() -> SigningKey {
    SigningKey::from_slice(&[9; 32]).unwrap()
}

fn public() -> PublicKey {
    let point = key().verifying_key().to_encoded_point(false);
    PublicKey::from_point(point.as_bytes()[1..].try_into().unwrap()).unwrap()
}

/// A signed image of so many sectors, less a little.
pub(crate) fn image(version: &str, sectors: u32, counter: u32) -> Vec<u8> {
    let length = usize::try_from(sectors * SECTOR).unwrap() - 0x80 - 300;
    let seed = version.bytes().fold(1_u8, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte));
    let mut body: Vec<u8> = (0..=255_u8).map(|byte| byte ^ seed).cycle().take(length).collect();
    body[..4].copy_from_slice(&MAP.memory.end().to_le_bytes());
    body[4..8].copy_from_slice(&(MAP.address + MAP.first.at + 0x89).to_le_bytes());
    let unsigned = Unsigned {
        body: &body,
        header_size: 0x80,
        version: version.parse().unwrap(),
        address: None,
        security_counter: Some(counter),
        dependencies: &[],
        revoked_keys: &[],
    };
    let mut image = vec![0; body.len() + 0x400];
    let length = unsigned.write(&mut image).unwrap();
    let digest = digest(&image[..length]);
    let signature: Ecdsa = key().sign_prehash(&digest).unwrap();
    let signature = Signature::new(public().id(), signature.to_der().as_bytes()).unwrap();
    let tail = write_tail(&digest, &[signature], &mut image[length..]).unwrap();
    image.truncate(length + tail);
    image
}

/// A board as it leaves production, without power.
pub(crate) fn made(image: &[u8]) -> RefCell<Flash> {
    let mut flash = Flash::new(MAP.application.end());
    flash.put(MAP.protected.at, &Keyring::new(&[public()]).unwrap().to_bytes());
    flash.put(MAP.first.at, image);
    RefCell::new(flash)
}

pub(crate) fn settings() -> Settings {
    Settings { block_exponent: 4, ..Settings::default() }
}

/// What became of a start.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The board restarted itself.
    Restarted,
    /// The power went.
    Cut,
    /// So much time passed.
    Elapsed,
}

/// A board from reset to the next one, in virtual time.
pub(crate) struct Life<'f, P> {
    pub(crate) device: Device<'f, Flash, P>,
    pub(crate) record: BootRecord,
    flash: &'f RefCell<Flash>,
    pub(crate) now: Millis,
    pub(crate) is_reachable: bool,
    pub(crate) effects: Vec<Effect>,
}

impl<'f, P: Product> Life<'f, P> {
    /// Starts the bootloader and then the application; `None` where the power goes before.
    pub(crate) fn begin(flash: &'f RefCell<Flash>, now: Millis, product: P) -> Option<Self> {
        Self::begin_after(flash, now, product, None)
    }

    pub(crate) fn begin_after(
        flash: &'f RefCell<Flash>,
        now: Millis,
        product: P,
        fault: Option<Vec<u8>>,
    ) -> Option<Self> {
        let launch = boot(&mut *flash.borrow_mut(), &MAP);
        let record = match launch {
            Ok(launch) => launch.record,
            Err(_) if flash.borrow().is_off() => return None,
            Err(halt) => panic!("{halt:?}"),
        };
        let awakening = Awakening { record: Some(record), fault, seed: now };
        let device = Device::new(now, settings(), awakening, flash, MAP, product).unwrap();
        let effects = Vec::new();
        Some(Self { device, record, flash, now, is_reachable: true, effects })
    }

    /// Lives on for so long, unless it restarts or loses its power.
    pub(crate) fn live(&mut self, hub: &mut Hub, for_ms: Millis) -> End {
        let until = self.now + for_ms;
        loop {
            self.device.advance(self.now);
            if self.flash.borrow().is_off() {
                return End::Cut;
            }
            let mut is_restarting = false;
            while let Some(effect) = self.device.poll_effect() {
                self.effects.push(effect);
                match effect {
                    Effect::Connect if self.is_reachable => {
                        hub.connected();
                        self.device.handle_connected(self.now);
                    }
                    Effect::Connect => self.device.handle_disconnected(self.now),
                    Effect::Restart => is_restarting = true,
                    _ => {}
                }
            }
            if is_restarting {
                return End::Restarted;
            }
            let mut has_heard = false;
            while let Some(outgoing) = self.device.poll_transmit() {
                for said in hub.hear(&outgoing.bytes).into_iter().filter(|_| self.is_reachable) {
                    self.device.handle_datagram(self.now + 40, &said);
                    has_heard = true;
                }
            }
            for said in hub.says() {
                self.device.handle_datagram(self.now, &said);
                has_heard = true;
            }
            if has_heard {
                self.now += 40;
                continue;
            }
            let due = self.device.poll_timeout().max(self.now + 1);
            if due >= until {
                self.now = until;
                return End::Elapsed;
            }
            self.now = due;
        }
    }

    pub(crate) fn power(&mut self, battery_percent: u8, rsrp_dbm: i16) {
        let (battery_percent, rsrp_dbm) = (Some(battery_percent), Some(rsrp_dbm));
        let power = Power { battery_percent, rsrp_dbm, cell: None };
        self.device.handle_power(power);
    }
}
