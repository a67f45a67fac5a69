//! What a board starts: signed images and nothing else, and always one of them.

use image::{Refusal, Swap};

use crate::bench::{Behaviour, Bench, Board, Failure, MAP, Machine, Pair, Plan, Told};

/// A board that runs 1.0.0.
fn board(bench: &Bench) -> Told<Board> {
    bench.board(&bench.workshop.image(Plan::of("1.0.0"))?)
}

/// A board that runs 1.0.0 and is asked for this.
fn asked(bench: &Bench, image: &[u8]) -> Told<Machine> {
    let mut board = board(bench)?;
    board.ask_for(image, Swap::Test);
    board.power_on()
}

fn refused(mut machine: Machine, version: &str, refusal: Refusal) -> Told {
    let outcome = format!("outcome=1:Refused:{version}:{}", refusal.code());
    machine.expect("started", &["1.0.0", "Again", &outcome]).map(drop)
}

pub(super) fn boots_what_imgtool_signs(bench: &Bench) -> Told {
    let image = bench.workshop.image_of_imgtool(Plan { counter: 5, ..Plan::of("3.2.1+9") })?;
    let mut machine = bench.board(&image)?.power_on()?;
    machine.expect("started", &["3.2.1+9", "Again", "counter=5", "floor=5", "key=0"])?;
    // And as an update.
    let image =
        bench.workshop.image_of_imgtool(Plan { pair: Pair::Second, ..Plan::of("2.0.0") })?;
    let mut machine = asked(bench, &image)?;
    machine.expect("started", &["2.0.0", "Trial", "key=1"]).map(drop)
}

pub(super) fn boots_what_our_builder_signs(bench: &Bench) -> Told {
    let mut machine = board(bench)?.power_on()?;
    machine.expect("started", &["1.0.0", "Again", "counter=1", "outcome=0:None:0.0.0:0"])?;
    machine.hears("confirmed").map(drop)
}

pub(super) fn updates_and_confirms(bench: &Bench) -> Told {
    let image = bench.workshop.image(Plan { counter: 2, ..Plan::of("2.0.0") })?;
    let mut machine = asked(bench, &image)?;
    machine.expect("started", &["2.0.0", "Trial", "floor=0", "outcome=1:Installed:2.0.0:0"])?;
    machine.hears("confirmed")?;
    let mut machine = machine.power_off()?.power_on()?;
    machine.expect("started", &["2.0.0", "Again", "floor=2", "outcome=2:Confirmed:2.0.0:0"])?;
    Ok(())
}

pub(super) fn takes_back_what_never_confirms(bench: &Bench) -> Told {
    // It restarts by itself, without losing power.
    let restarting = Plan { behaviour: Behaviour::Restart, ..Plan::of("2.0.0") };
    let mut machine = asked(bench, &bench.workshop.image(restarting)?)?;
    machine.expect("started", &["2.0.0", "Trial"])?;
    machine.expect("started", &["1.0.0", "Reverted", "outcome=2:Reverted:2.0.0:0"])?;
    // It does nothing, until somebody pulls the plug.
    let waiting = Plan { behaviour: Behaviour::Wait, ..Plan::of("2.0.0") };
    let mut machine = asked(bench, &bench.workshop.image(waiting)?)?;
    machine.hears("waiting unconfirmed")?;
    let mut machine = machine.power_off()?.power_on()?;
    machine.expect("started", &["1.0.0", "Reverted"])?;
    machine.hears("confirmed")?;
    let mut machine = machine.power_off()?.power_on()?;
    machine.expect("started", &["1.0.0", "Again"]).map(drop)
}

pub(super) fn refuses_a_tampered_image(bench: &Bench) -> Told {
    let mut image = bench.workshop.image(Plan::of("2.0.0"))?;
    if let Some(byte) = image.get_mut(0x800) {
        *byte ^= 1;
    }
    refused(asked(bench, &image)?, "2.0.0", Refusal::WrongDigest)
}

pub(super) fn refuses_a_wrong_key(bench: &Bench) -> Told {
    let image = bench.workshop.image(Plan { pair: Pair::Stranger, ..Plan::of("2.0.0") })?;
    refused(asked(bench, &image)?, "2.0.0", Refusal::UnknownKey)
}

pub(super) fn refuses_a_rollback(bench: &Bench) -> Told {
    let image = bench.workshop.image(Plan { counter: 2, ..Plan::of("2.0.0") })?;
    let mut machine = asked(bench, &image)?;
    machine.hears("confirmed")?;
    // The counter rises when the confirmation is seen.
    let mut machine = machine.power_off()?.power_on()?;
    machine.expect("started", &["2.0.0", "Again", "floor=2"])?;
    let mut board = machine.power_off()?;
    board.ask_for(&bench.workshop.image(Plan::of("1.0.0"))?, Swap::Permanent);
    let rollback = Refusal::Rollback { counter: 1, floor: 2 }.code();
    let outcome = format!("outcome=3:Refused:1.0.0:{rollback}");
    board.power_on()?.expect("started", &["2.0.0", "Again", &outcome]).map(drop)
}

pub(super) fn replaces_a_key(bench: &Bench) -> Told {
    let handing_over = Plan { pair: Pair::Second, revokes: Some(Pair::First), ..Plan::of("2.0.0") };
    let mut machine = asked(bench, &bench.workshop.image(handing_over)?)?;
    machine.hears("confirmed")?;
    let mut machine = machine.power_off()?.power_on()?;
    machine.expect("started", &["2.0.0", "Again"])?;
    let mut board = machine.power_off()?;
    board.ask_for(&bench.workshop.image(Plan::of("3.0.0"))?, Swap::Test);
    let outcome = format!("outcome=3:Refused:3.0.0:{}", Refusal::RevokedKey.code());
    let mut machine = board.power_on()?;
    machine.expect("started", &["2.0.0", &outcome])?;
    let mut board = machine.power_off()?;
    let image = bench.workshop.image(Plan { pair: Pair::Second, ..Plan::of("3.0.0") })?;
    board.ask_for(&image, Swap::Test);
    board.power_on()?.expect("started", &["3.0.0", "Trial", "key=1"]).map(drop)
}

pub(super) fn rescues_itself(bench: &Bench) -> Told {
    let mut machine = asked(bench, &bench.workshop.image(Plan::of("2.0.0"))?)?;
    machine.hears("confirmed")?;
    let mut board = machine.power_off()?;
    board.put(MAP.first.at + 0x900, &[0; 64]);
    let mut machine = board.power_on()?;
    machine.expect("started", &["1.0.0", "Rescued"])?;
    machine.power_off()?.power_on()?.expect("started", &["1.0.0", "Again"]).map(drop)
}

pub(super) fn keeps_applications_out_of_the_bootloader(bench: &Bench) -> Told {
    let bad = Plan { behaviour: Behaviour::OverwriteTheBootloader, ..Plan::of("2.0.0") };
    let mut machine = asked(bench, &bench.workshop.image(bad)?)?;
    machine.hears("overwriting the bootloader")?;
    let after = machine.hears_one_of(&["fault", "the bootloader is overwritten"])?;
    if after != "fault" {
        return Err(Failure::Board(after));
    }
    machine.expect("started", &["1.0.0", "Reverted"]).map(drop)
}

pub(super) fn starts_nothing_that_is_not_signed(bench: &Bench) -> Told {
    let image = bench.workshop.image(Plan { pair: Pair::Stranger, ..Plan::of("1.0.0") })?;
    bench.board(&image)?.power_on()?.hears("halted: no image")?;
    let mut board = board(bench)?;
    board.put(MAP.protected.at + 20, &[0; 4]);
    board.power_on()?.hears("halted: no keys").map(drop)
}
