//! A modem that is told to attach, in a network that is there or not.

use board::Millis;
use board::modem::{Attach, AttachSettings, Coverage};
use proptest::prelude::*;

const ATTACHED: &str = "+CEREG: 1,\"002F\",\"0012BEEF\",7,,,\"00001000\",\"00111000\"";

/// Sends all commands there are, each of them well; returns them.
fn obey(attach: &mut Attach, now: Millis) -> Vec<String> {
    let mut sent = Vec::new();
    while let Some(command) = attach.poll_command() {
        assert_eq!(attach.poll_command(), None, "one at a time");
        attach.handle_answer(now, "OK\r\n");
        sent.push(command);
    }
    sent
}

fn searching() -> Attach {
    let mut attach = Attach::new(AttachSettings::default(), 7);
    assert_eq!(obey(&mut attach, 0).last().unwrap(), "AT+CFUN=1");
    attach
}

#[test]
fn a_board_asks_for_what_its_product_wants_and_attaches() {
    let settings = AttachSettings {
        access_point: Some("iot.example".to_owned()),
        power_saving: Some((3_600, 16)),
        paging_cycle_s: Some(81),
        ..AttachSettings::default()
    };
    let mut attach = Attach::new(settings, 7);
    let sent = obey(&mut attach, 0);
    assert_eq!(
        sent,
        [
            "AT+CEREG=5",
            "AT+CGDCONT=0,\"IPV4V6\",\"iot.example\"",
            "AT+CPSMS=1,,,\"00000110\",\"00001000\"",
            "AT+CEDRXS=2,4,\"0101\"",
            "AT+CEDRXS=2,5,\"0101\"",
            "AT%CESQ=1",
            "AT%RAI=1",
            "AT+CFUN=1"
        ]
    );
    attach.handle_notification(1_000, "%CESQ: 53,2,20,3");
    attach.handle_notification(2_000, ATTACHED);
    assert_eq!(attach.coverage(), Coverage::Attached { cell: Some(0x12_beef) });
    assert_eq!((attach.rsrp_dbm(), attach.poll_timeout()), (Some(-88), None));
}

#[test]
fn what_a_modem_does_not_have_keeps_no_board_from_its_network() {
    let mut attach = Attach::new(AttachSettings::default(), 7);
    while let Some(command) = attach.poll_command() {
        let is_needed = ["AT+CEREG=5", "AT+CFUN=1"].contains(&command.as_str());
        attach.handle_answer(0, if is_needed { "OK\r\n" } else { "+CME ERROR: 50\r\n" });
    }
    attach.handle_notification(1_000, ATTACHED);
    assert_eq!(attach.coverage(), Coverage::Attached { cell: Some(0x12_beef) });
}

#[test]
fn a_board_without_coverage_rests_longer_each_time_and_never_gives_up() {
    let mut attach = searching();
    let (mut now, mut searched, mut rests) = (0, 0, Vec::new());
    while rests.len() < 12 {
        let due = attach.poll_timeout().unwrap();
        match attach.coverage() {
            Coverage::Searching => searched += due - now,
            Coverage::Off => rests.push(due - now),
            Coverage::Attached { .. } => panic!("there is no network"),
        }
        now = due;
        attach.handle_timeout(now);
        obey(&mut attach, now);
    }
    assert!((30_000..=60_000).contains(&rests[0]), "{rests:?}");
    assert!(rests.iter().all(|rest| *rest <= 21_600_000), "{rests:?}");
    assert!(rests.iter().skip(9).all(|rest| *rest >= 10_800_000), "{rests:?}");
    assert!(searched * 10 < now, "searched for {searched} of {now} ms");
    attach.handle_notification(now, ATTACHED);
    assert_eq!(attach.coverage(), Coverage::Attached { cell: Some(0x12_beef) });
}

#[test]
fn a_network_that_refuses_is_not_asked_again_for_hours() {
    for line in ["+CEREG: 3", "+CEREG: 90"] {
        let mut attach = searching();
        attach.handle_notification(1_000, line);
        assert_eq!(obey(&mut attach, 1_000), ["AT+CFUN=4"]);
        assert!(attach.poll_timeout().unwrap() >= 10_800_000);
    }
}

#[test]
fn a_network_that_is_lost_is_searched_for() {
    let mut attach = searching();
    attach.handle_notification(1_000, ATTACHED);
    attach.handle_notification(9_000, "+CEREG: 2");
    assert_eq!(attach.coverage(), Coverage::Searching);
    assert_eq!(attach.poll_timeout(), Some(609_000));
}

#[test]
fn a_modem_that_does_nothing_it_is_told_is_stuck() {
    let mut attach = Attach::new(AttachSettings::default(), 7);
    let mut now = 0;
    while !attach.is_stuck() {
        assert_eq!(attach.poll_command().unwrap(), "AT+CEREG=5");
        attach.handle_answer(now, "ERROR\r\n");
        now = attach.poll_timeout().unwrap();
        attach.handle_timeout(now);
    }
    assert_eq!(now, 5 * 60_000);
}

#[test]
fn a_paused_modem_stays_off_until_it_is_resumed() {
    let mut attach = searching();
    attach.handle_notification(1_000, ATTACHED);
    attach.pause();
    assert!(!attach.is_paused());
    assert_eq!(obey(&mut attach, 2_000), ["AT+CFUN=4"]);
    assert!(attach.is_paused());
    attach.handle_notification(3_000, ATTACHED);
    attach.handle_timeout(Millis::MAX);
    assert_eq!((attach.coverage(), attach.poll_timeout()), (Coverage::Off, None));
    attach.resume();
    assert_eq!(obey(&mut attach, 4_000).last().unwrap(), "AT+CFUN=1");
}

proptest! {
    #[test]
    fn whatever_a_modem_says_there_is_a_next_step(
        happenings in prop::collection::vec((0..7_u8, 0..2_000_000_u64), 0..200),
    ) {
        let mut attach = Attach::new(AttachSettings::default(), 7);
        let (mut now, mut is_waiting) = (0, false);
        for (what, later) in happenings {
            now += later;
            match what {
                0 => attach.handle_timeout(now),
                1 => attach.handle_notification(now, ATTACHED),
                2 => attach.handle_notification(now, "+CEREG: 2"),
                3 => attach.handle_notification(now, "+CEREG: 3"),
                4 if is_waiting => attach.handle_answer(now, "ERROR\r\n"),
                5 => attach.pause(),
                6 => attach.resume(),
                _ if is_waiting => attach.handle_answer(now, "OK\r\n"),
                _ => {}
            }
            is_waiting = is_waiting && what != 4 && what < 7;
            let command = attach.poll_command();
            prop_assert!(command.is_none() || !is_waiting);
            is_waiting |= command.is_some();
        }
        if is_waiting {
            attach.handle_answer(now, "OK\r\n");
        }
        obey(&mut attach, now);
        let is_at_rest = attach.is_paused() || attach.coverage() != Coverage::Searching;
        prop_assert!(is_at_rest || attach.poll_timeout().is_some());
    }
}
