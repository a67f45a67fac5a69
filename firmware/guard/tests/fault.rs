//! A fault, from the memory that it was left in.

use guard::{Fault, FaultKind, Faults, TEXT_MAX};
use proptest::prelude::*;

#[test]
fn the_last_fault_and_how_many_there_were_outlive_a_restart() {
    let fault = Fault::new(FaultKind::Panic, format_args!("src/main.rs:{}: no more heap", 12));
    assert_eq!(fault.text(), "panic: src/main.rs:12: no more heap");
    let faults = Faults::default().with(fault).with(fault);
    assert_eq!(Faults::parse(&faults.to_bytes()), faults);
    assert_eq!(faults.in_a_row, 2);
}

#[test]
fn the_layout_in_memory_is_the_one_of_the_first_release() {
    let fault = Fault::new(FaultKind::Modem, format_args!("1"));
    let bytes = Faults { in_a_row: 3, last: Some(fault) }.to_bytes();
    assert_eq!(bytes[..8], *b"CHF\x01\x03\x04\x0e\x00");
    assert_eq!(bytes[8..22], *b"modem fault: 1");
    assert!(bytes[22..172].iter().all(|byte| *byte == 0));
    assert_eq!(bytes[172..], image::digest(&bytes[..172])[..8]);
}

#[test]
fn a_board_that_fails_again_and_again_waits_longer_and_an_hour_at_most() {
    let pause = |in_a_row| Faults { in_a_row, last: None }.pause_s();
    assert_eq!([0, 1, 2, 3, 4].map(pause), [0, 0, 10, 20, 40]);
    assert_eq!([10, 11, 255].map(pause), [2_560, 3_600, 3_600]);
}

proptest! {
    #[test]
    fn memory_that_nobody_wrote_holds_no_fault(bytes: Vec<u8>, flipped in 0..Faults::LENGTH) {
        let mut memory = [0; Faults::LENGTH];
        memory.iter_mut().zip(&bytes).for_each(|(place, byte)| *place = *byte);
        prop_assert_eq!(Faults::parse(&memory), Faults::default());
        let mut written = Faults { in_a_row: 1, last: None }.to_bytes();
        written[flipped] ^= 1;
        prop_assert_eq!(Faults::parse(&written), Faults::default());
    }

    #[test]
    fn any_words_fit(words in "\\PC{0,300}") {
        let fault = Fault::new(FaultKind::Stuck, format_args!("{words}"));
        prop_assert!(fault.text().len() <= TEXT_MAX && fault.text().is_ascii());
        let faults = Faults { in_a_row: 255, last: Some(fault) };
        prop_assert_eq!(Faults::parse(&faults.with(fault).to_bytes()).last.unwrap(), fault);
    }
}
