//! What is said about firmware, frozen.

use proptest::prelude::*;
use wire::{FirmwareOffer, FirmwareReport, REPORT_MAX, UpdateState, well_formed};

fn report() -> FirmwareReport<'static> {
    FirmwareReport {
        product: "pump",
        hardware: "B",
        version: (1, 2, 3, 4),
        floor: 7,
        state: UpdateState::AwaitingBattery,
        update: Some([1, 2, 3, 4, 5, 6, 7, 8]),
        received: 4096,
        outcome: Some((2, 4, 12)),
        outcome_version: Some((1, 3, 0, 0)),
        reset_cause: 0x1_0000,
        battery_percent: Some(40),
        rsrp_dbm: Some(-110),
        fault: Some(b"oops"),
        on_trial: true,
        cell: Some(0x0123_4567),
    }
}

fn offer() -> FirmwareOffer {
    FirmwareOffer {
        digest: [0xab; 32],
        size: 100_000,
        version: (1, 4, 0, 0),
        permanent: false,
        battery_min_percent: 30,
        rsrp_min_dbm: -115,
        attempt: 1,
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn a_report_has_these_bytes() {
    let mut out = [0; REPORT_MAX];
    let length = report().encode(&mut out).unwrap();
    let expected = "af016470756d700261420384010203040407050206480102030405060708071910000883\
                    02040c098401030000 0a1a000100000b18280c386d0d446f6f70730ef50f1a01234567";
    assert_eq!(hex(&out[..length]), expected.replace(' ', ""));
    assert_eq!(FirmwareReport::decode(&out[..length]), Some(report()));
}

#[test]
fn an_offer_has_these_bytes() {
    let mut out = [0; 128];
    let length = offer().encode(&mut out).unwrap();
    let expected =
        format!("a7015820{}021a000186a003840104000004f405181e0638720701", "ab".repeat(32));
    assert_eq!(hex(&out[..length]), expected);
    assert_eq!(FirmwareOffer::decode(&out[..length]), Some(offer()));
    assert_eq!(offer().segment(), *b"abababababababab");
}

#[test]
fn what_is_not_known_yet_is_passed_over() {
    // An offer with a field 9 of any kind behind the others.
    let mut out = [0; 128];
    let length = offer().encode(&mut out).unwrap();
    out[0] = 0xa8;
    out[length..length + 5].copy_from_slice(&[0x09, 0x9f, 0x01, 0x02, 0xff]);
    assert_eq!(FirmwareOffer::decode(&out[..length + 5]), Some(offer()));
}

#[test]
fn what_is_incomplete_twice_or_out_of_order_is_refused() {
    assert_eq!(FirmwareOffer::decode(&[0xa0]), None);
    assert_eq!(FirmwareReport::decode(&[]), None);
    let mut out = [0; REPORT_MAX];
    let length = report().encode(&mut out).unwrap();
    for cut in 0..length {
        assert_eq!(FirmwareReport::decode(&out[..cut]), None, "{cut}");
    }
    // Key 4 becomes 3, which is there already.
    let at = out.windows(2).position(|pair| pair == [4, 7]).unwrap();
    out[at] = 3;
    assert_eq!(FirmwareReport::decode(&out[..length]), None);
}

proptest! {
    #[test]
    fn any_bytes_are_answered(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        if FirmwareReport::decode(&bytes).is_some() || FirmwareOffer::decode(&bytes).is_some() {
            well_formed(&bytes).unwrap();
        }
    }

    #[test]
    fn what_is_written_is_read_back(
        (version, floor, received, reset_cause) in any::<((u8, u8, u16, u32), u32, u32, u32)>(),
        (update, outcome, battery) in any::<(Option<[u8; 8]>, Option<(u16, u8, u8)>, Option<u8>)>(),
        (rsrp_dbm, size, permanent) in any::<(Option<i16>, u32, bool)>(),
        fault in proptest::option::of(proptest::collection::vec(any::<u8>(), 0..=256)),
        name in "[a-z]{0,32}",
    ) {
        let battery_percent = battery.filter(|percent| *percent <= 100);
        let report = FirmwareReport {
            product: &name,
            hardware: &name,
            version,
            floor,
            state: UpdateState::Fetching,
            update,
            received,
            outcome,
            outcome_version: outcome.map(|_| version),
            reset_cause,
            battery_percent,
            rsrp_dbm,
            fault: fault.as_deref(),
            on_trial: permanent,
            cell: outcome.map(|_| floor),
        };
        let mut out = [0; REPORT_MAX];
        let length = report.encode(&mut out).unwrap();
        prop_assert_eq!(FirmwareReport::decode(&out[..length]), Some(report));
        let offer = FirmwareOffer {
            size: size.max(1),
            permanent,
            rsrp_min_dbm: rsrp_dbm.unwrap_or(i16::MIN),
            ..offer()
        };
        let length = offer.encode(&mut out).unwrap();
        prop_assert_eq!(FirmwareOffer::decode(&out[..length]), Some(offer));
    }
}
