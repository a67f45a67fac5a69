//! A board of memory: its flash, from which the power can be cut in the middle of anything, and images.
#![allow(dead_code, reason = "each program of tests uses its part")]
#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test's failure is its report"
)]

pub(crate) mod flash;
pub(crate) mod images;

use bootloader::{Halt, Launch, boot};
use image::{Area, Keyring, Magic, Map, Swap, Trailer};

pub(crate) use flash::{Cut, Flash, PowerCut, SECTOR};
pub(crate) use images::{Pair, Plan};

const SECTORS: u32 = 7;

/// Small, so that every operation can be cut: slots of seven sectors of half a kilobyte.
pub(crate) const MAP: Map = Map {
    sector: SECTOR,
    protected: Area { at: 0, length: 5 * SECTOR },
    first: Area { at: 5 * SECTOR, length: SECTORS * SECTOR },
    second: Area { at: (5 + SECTORS) * SECTOR, length: SECTORS * SECTOR },
    application: Area { at: (5 + 2 * SECTORS) * SECTOR, length: SECTOR },
    address: 0x1000_0000,
    vectors_aligned_to: 0x80,
    memory: Area { at: 0x3800_0000, length: 0x1_0000 },
};
const _: () = assert!(MAP.is_sound());

/// A board, switched off.
#[derive(Clone)]
pub(crate) struct Board {
    pub(crate) flash: Flash,
}

impl Board {
    /// As it leaves production: with keys and a first image.
    pub(crate) fn made(image: &[u8]) -> Self {
        let keyring = images::keyring(&[&Pair::of(1), &Pair::of(2), &Pair::of(3)]);
        Self::with_keys(&keyring, image)
    }

    pub(crate) fn with_keys(keyring: &Keyring, image: &[u8]) -> Self {
        let mut flash = Flash::new(MAP.second.end());
        flash.put(MAP.protected.at, &keyring.to_bytes());
        flash.put(MAP.first.at, image);
        Self { flash }
    }

    /// Switches it on until an application runs.
    pub(crate) fn start(&mut self) -> Result<Launch, Halt<PowerCut>> {
        boot(&mut self.flash, &MAP)
    }

    /// What runs now, by its version; it must be able to.
    #[track_caller]
    pub(crate) fn runs(&mut self) -> Launch {
        let launch = self.start().unwrap();
        assert!(launch.proof.is_complete());
        launch
    }

    #[track_caller]
    pub(crate) fn version(&mut self) -> String {
        self.runs().record.version.to_string()
    }

    /// What an application does to have an image put in place.
    pub(crate) fn download(&mut self, image: &[u8]) {
        let second = MAP.second;
        self.flash.wipe(second.at, second.end());
        self.flash.put(second.at + SECTOR, image);
    }

    pub(crate) fn ask(&mut self, swap: Swap) {
        let image_ok = swap == Swap::Permanent;
        let trailer = Trailer { magic: Magic::Good, image_ok, copy_done: false, swap };
        self.flash.put(MAP.second.end() - 40, &trailer.to_bytes());
    }

    /// What an application does to confirm itself.
    pub(crate) fn confirm(&mut self) {
        self.flash
            .put(MAP.first.end() - Trailer::IMAGE_OK_FROM_END, &[Trailer::SET, 255, 255, 255]);
    }

    pub(crate) fn trailer(&self, of: Area) -> Trailer {
        let end = usize::try_from(of.end()).unwrap();
        Trailer::parse(self.flash.bytes()[..end].last_chunk().unwrap())
    }

    pub(crate) fn holds(&self, at: u32, image: &[u8]) -> bool {
        let at = usize::try_from(at).unwrap();
        self.flash.bytes()[at..].starts_with(image)
    }

    /// Boots with the power cut at the `at`-th operation; what ran, if it came to that.
    pub(crate) fn start_and_cut(&mut self, cut: Cut) -> Option<Launch> {
        self.flash.cut_at(cut);
        let started = self.start();
        let was_cut = self.flash.power_on();
        match started {
            Ok(launch) => Some(launch),
            Err(Halt::Flash(PowerCut)) if was_cut => None,
            Err(halt) => panic!("{halt:?} at {cut:?}"),
        }
    }
}
