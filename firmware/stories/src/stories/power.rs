//! The power goes while images change places.

use image::Swap;

use crate::bench::{Bench, Plan, Told};

/// At every tenth write of an update, and at every tenth of the return to the image before it.
pub(super) fn survives_a_power_cut_at_every_tenth_write(bench: &Bench) -> Told {
    let mut board = bench.board(&bench.workshop.image(Plan::of("1.0.0"))?)?;
    board.ask_for(&bench.workshop.image(Plan { counter: 2, ..Plan::of("2.0.0") })?, Swap::Test);
    for operations in (0..).step_by(10) {
        let mut machine = board.clone().power_on_for(operations)?;
        let said = machine.hears_one_of(&["the power is off", "started"])?;
        if said.starts_with("started") {
            return Ok(());
        }
        let mut machine = machine.power_off()?.power_on()?;
        machine.expect("started", &["2.0.0", "Trial"])?;
        machine.hears("confirmed")?;
        machine.power_off()?.power_on()?.expect("started", &["2.0.0", "floor=2"])?;
    }
    Ok(())
}
