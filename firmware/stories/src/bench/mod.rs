//! The bench that boards are made and watched on.
//!
//! Never decides what a story should come to.

mod air;
mod chip;
mod debugger;
mod figures;
mod hub;
mod machine;
mod modem;
mod monitor;
mod workshop;

use std::io;
use std::path::PathBuf;

use image::{Keyring, Magic, Map, Swap, Trailer};
use thiserror::Error;

pub(crate) use air::Air;
pub(crate) use chip::Chip;
pub(crate) use hub::Hub;
pub(crate) use machine::{Machine, Stack};
pub(crate) use modem::Modem;
pub(crate) use workshop::{Behaviour, Pair, Plan};

use figures::Figures;
use workshop::Workshop;

/// Why a story did not come out.
#[derive(Debug, Error)]
pub(crate) enum Failure {
    /// The bench itself does not work.
    #[error("{what}: {source}")]
    Bench { what: String, source: io::Error },
    /// A program of the bench does not work.
    #[error("{0}")]
    Tool(String),
    /// The board did something else.
    #[error("{0}")]
    Board(String),
    /// The hub did something else.
    #[error("{0}")]
    Hub(String),
}

impl Failure {
    fn bench(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        |source| Self::Bench { what, source }
    }
}

pub(crate) type Told<T = ()> = Result<T, Failure>;

/// Everything that boards are made with.
pub(crate) struct Bench {
    pub(crate) workshop: Workshop,
    pub(crate) figures: Figures,
    hub: PathBuf,
    images: PathBuf,
}

impl Bench {
    pub(crate) fn new(images: PathBuf, imgtool: PathBuf, hub: PathBuf) -> Told<Self> {
        let figures = Figures::default();
        Ok(Self { workshop: Workshop::new(images.clone(), imgtool)?, figures, hub, images })
    }

    /// A file that `scripts/firmware build` made.
    pub(crate) fn made(&self, name: &str) -> Told<Vec<u8>> {
        std::fs::read(self.images.join(name)).map_err(Failure::bench(name))
    }

    /// A hub that runs, and that knows one board.
    pub(crate) fn hub(&self) -> Told<Hub> {
        Hub::start(&self.hub)
    }

    /// That board, as it leaves production, with a modem, and on the air to its hub.
    pub(crate) fn board_of(
        &self,
        hub: &Hub,
        air: &Air,
        modem: &Modem,
        image: &[u8],
    ) -> Told<Board> {
        let mut board = self.board(image)?;
        board.put(IDENTITY, &hub.identity(air.port())?);
        board.modem = Some(modem.port());
        Ok(board)
    }

    /// A board as it leaves production: bootloader, keys, and this image.
    pub(crate) fn board(&self, image: &[u8]) -> Told<Board> {
        let keys: Vec<_> = [Pair::First, Pair::Second].map(|pair| pair.public()).into();
        let keyring = Keyring::new(&keys)
            .ok_or_else(|| Failure::Tool("two keys make no keyring".to_owned()))?;
        let mut board = Board { flash: vec![0xff; FLASH], modem: None };
        board.put(0, &self.workshop.bootloader);
        board.put(MAP.protected.at, &keyring.to_bytes());
        board.put(MAP.first.at, image);
        Ok(board)
    }
}

/// The kind of board that QEMU has.
pub(crate) const MAP: Map = Map::AN505;
const FLASH: usize = 0x10_0000;
/// Where the application finds who the board is.
const IDENTITY: u32 = 0xf_c000;

/// A board without power: what is in its flash, and where its modem is, without which it has no network.
#[derive(Clone)]
pub(crate) struct Board {
    flash: Vec<u8>,
    modem: Option<u16>,
}

impl Board {
    /// Puts bytes into the flash, as an application or a tool of production would.
    pub(crate) fn put(&mut self, at: u32, bytes: &[u8]) {
        let at = usize::try_from(at).unwrap_or(usize::MAX);
        let place = self.flash.get_mut(at..).and_then(|rest| rest.get_mut(..bytes.len()));
        if let Some(place) = place {
            place.copy_from_slice(bytes);
        }
    }

    /// Puts an image where the next one belongs, and asks for it.
    pub(crate) fn ask_for(&mut self, image: &[u8], swap: Swap) {
        let second = MAP.second;
        let erased = vec![0xff; usize::try_from(second.length).unwrap_or_default()];
        self.put(second.at, &erased);
        self.put(second.at + MAP.sector, image);
        let image_ok = swap == Swap::Permanent;
        let trailer = Trailer { magic: Magic::Good, image_ok, copy_done: false, swap };
        self.put(second.end() - Trailer::SWAP_INFO_FROM_END, &trailer.to_bytes());
    }

    pub(crate) fn flash(&self) -> &[u8] {
        &self.flash
    }

    /// Switches it on.
    pub(crate) fn power_on(self) -> Told<Machine> {
        Machine::start(self, None)
    }

    /// Switches it on; the power goes after so many operations on its flash.
    pub(crate) fn power_on_for(self, operations: u32) -> Told<Machine> {
        Machine::start(self, Some(operations))
    }
}
