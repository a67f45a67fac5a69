//! The board that is put on an nRF9160, in the files that a programmer takes: what its bootloader makes of them, and what
//! the gate lets its application ask for.

use bootloader::{Launch, boot};
use embedded_storage::nor_flash::NorFlash as _;
use guard::Gate;
use image::{Magic, Map, Start, Swap, Trailer};

use crate::bench::{Bench, Chip, Failure, Told};

const MAP: Map = Map::NRF9160;
/// Where the secure program's vectors are, its entrance, and the application's vectors.
const SECURE: u32 = 0x1_0200;
const ENTRANCE: u32 = 0x1_ff00;
const APPLICATION: u32 = 0x2_0000;
const APPLICATION_END: u32 = 0x7_8000;
/// The one instruction that the application may enter at (SG).
const GATEWAY: u32 = 0xe97f_e97f;

pub(super) fn starts_and_updates_an_nrf9160(bench: &Bench) -> Told {
    let mut chip = Chip::programmed(&bench.made("nrf9160-board.hex")?)?;
    let launch = start(&mut chip)?;
    wants(
        launch.vectors == SECURE && launch.record.start == Start::Again,
        "another start",
        launch,
    )?;
    programs_are_where_they_run(&mut chip)?;
    let mut next = bench.made("nrf9160.signed.bin")?;
    next.resize(next.len().next_multiple_of(4), 0xff);
    let mut gate = Gate::new(&mut chip, MAP, Some(&launch.record));
    let asked = ask(&mut gate, &next);
    wants(asked.is_ok(), "the gate refused", asked)?;
    let launch = start(&mut chip)?;
    wants(launch.record.start == Start::Trial, "it is not on trial", launch)?;
    let asked = ask(&mut Gate::new(&mut chip, MAP, Some(&launch.record)), &next);
    wants(asked.is_err(), "what is on trial overwrote what would come back", asked)?;
    let launch = start(&mut chip)?;
    wants(launch.record.start == Start::Reverted, "it was not taken back", launch)?;
    // The same, with one bit that nobody signed.
    if let Some(byte) = next.get_mut(0x1234) {
        *byte ^= 1;
    }
    let asked = ask(&mut Gate::new(&mut chip, MAP, Some(&launch.record)), &next);
    wants(asked.is_err(), "what was changed could be asked for", asked)
}

/// Stacks within each program's memory, and a first instruction within each program.
fn programs_are_where_they_run(chip: &mut Chip) -> Told {
    let secure = (chip.word(SECURE), chip.word(SECURE + 4));
    let is_secure = secure.0 == MAP.memory.end() && (SECURE..ENTRANCE).contains(&secure.1);
    wants(is_secure, "the secure program's vectors are", secure)?;
    let gateway = chip.word(ENTRANCE);
    wants(gateway == GATEWAY, "there is no entrance, but", gateway)?;
    let application = (chip.word(APPLICATION), chip.word(APPLICATION + 4));
    let is_application = (0x2000_6000..=0x2003_7f00).contains(&application.0)
        && (APPLICATION..APPLICATION_END).contains(&application.1);
    wants(is_application, "the application's vectors are", application)
}

fn start(chip: &mut Chip) -> Told<Launch> {
    boot(chip, &MAP).map_err(|halt| Failure::Board(format!("nothing is started: {halt:?}")))
}

/// As an application does.
fn ask(gate: &mut Gate<&mut Chip>, image: &[u8]) -> Result<(), guard::Denied> {
    let trailer =
        Trailer { magic: Magic::Good, image_ok: false, copy_done: false, swap: Swap::Test };
    gate.erase(MAP.second.at, MAP.second.end())?;
    gate.write(MAP.next_at(), image)?;
    gate.write(MAP.second.end() - Trailer::SWAP_INFO_FROM_END, &trailer.to_bytes())
}

fn wants(is_so: bool, otherwise: &str, found: impl std::fmt::Debug) -> Told {
    if is_so { Ok(()) } else { Err(Failure::Board(format!("{otherwise}: {found:x?}"))) }
}
