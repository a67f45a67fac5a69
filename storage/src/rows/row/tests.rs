use super::*;
use crate::FirmwareVersion;

fn board() -> Board {
    let mut board =
        Board::new("CB-1".parse().unwrap(), "acme".parse().unwrap(), UnixSeconds(0x6553_f100));
    board.labels.insert("site".into(), "roof".into());
    board.first_seen = Some(UnixSeconds(250));
    board.last_seen = Some(UnixSeconds(u64::MAX));
    board
}

/// A row of a board that has said nothing of its firmware.
fn unsaid(of_record: [u8; RUNS]) -> [u8; ROW_LEN] {
    let mut row = [0; ROW_LEN];
    put(&mut row, 0, &of_record);
    row
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn a_rows_bytes_are_frozen() {
    let row = encode(&board(), 0x0102);
    let head = "0110040100000000" /* layout, active, 4 bytes of id, 1 label */;
    let stamp = "0201000000000000";
    let tenant = "822b33ad87c148a0";
    let times = ["00f15365", "00000000", "fa000000", "ffffffff"].concat();
    let id = format!("{}{}", hex(b"CB-1"), "00".repeat(28));
    let label = ["fbae041b", "6481ab0e"].concat();
    let golden = [head, stamp, tenant, &times, &id, &label, &"00".repeat(7 * 8)].concat();
    assert_eq!(hex(&row), golden);
    let mut issued = board();
    issued.issuer = AuthorityNumber::new(0x0203);
    issued.not_after = Some(UnixSeconds(0x6553_f101));
    issued.state = BoardState::Held { reason: String::new(), since: UnixSeconds(1) };
    let row = unsaid(encode(&issued, 0x0102));
    assert_eq!(hex(&row[..8]), "0113040103020000", "held, and whose its certificate is");
    assert_eq!(hex(&row[24..32]), "00f1536501f15365", "and when that ends");
    assert_eq!(
        (Row(&row).issuer(), Row(&row).kind()),
        (issued.issuer, Kind::Board(StateKind::Held))
    );
    let freed = named(Kind::Freed, &board().id, 3);
    assert_eq!(hex(&freed[..16]), "01020400000000000300000000000000");
    assert_eq!(hex(&freed[40..44]), hex(b"CB-1"));
}

#[test]
fn what_a_row_says_of_firmware_is_frozen_and_none_where_nothing_was_said() {
    let version = FirmwareVersion { major: 1, minor: 2, revision: 0x0304, build: 0x0506_0708 };
    let (product, hardware) = (key_hash("valve"), key_hash("A"));
    let runs = Runs { version, product, hardware };
    assert_eq!(hex(&runs.encode()), "0102040308070605c9af477d559aead001");
    let mut row = unsaid(encode(&board(), 7));
    assert_eq!(Row(&row).runs(), None);
    put(&mut row, RUNS, &runs.encode());
    assert_eq!(Row(&row).runs(), Some(runs));
    assert!(Row(&row).tells(&board()), "it is not its record's to say");
    put(&mut row, STAMP, &[0; 8]);
    assert_eq!(row, whole(&board(), Some(runs)));
}

#[test]
fn a_row_tells_its_board_and_no_other() {
    let row = unsaid(encode(&board(), 7));
    assert!(Row(&row).tells(&board()));
    let others: [fn(&mut Board); 7] = [
        |board| board.issuer = Some(AuthorityNumber::FIRST),
        |board| board.not_after = Some(UnixSeconds(1)),
        |board| board.tenant = "other".parse().unwrap(),
        |board| board.state = BoardState::Blocked { reason: String::new(), since: UnixSeconds(1) },
        |board| drop(board.labels.insert("site".into(), "cellar".into())),
        |board| drop(board.labels.insert("x".into(), String::new())),
        |board| board.created = UnixSeconds(1),
    ];
    for change in others {
        let mut other = board();
        change(&mut other);
        assert!(!Row(&row).tells(&other), "{other:?}");
    }
    // The record may have been set back, and never the row.
    let heard = |at| Board { last_seen: at, ..board() };
    let row = unsaid(encode(&heard(Some(UnixSeconds(9))), 7));
    for (at, tells) in [(None, true), (Some(8), true), (Some(9), true), (Some(10), false)] {
        assert_eq!(Row(&row).tells(&heard(at.map(UnixSeconds))), tells);
    }
}

#[test]
fn any_bytes_are_a_row() {
    for byte in 0..=u8::MAX {
        let row = Row(&[byte; ROW_LEN]);
        let _ = (row.kind(), row.id().len(), row.labels().count(), row.stamp());
        let _ = (row.runs(), row.tells(&board()));
    }
}

#[test]
fn moments_are_kept_in_four_bytes_and_none_is_lost() {
    let shorts = [None, Some(0), Some(1), Some(u64::from(u32::MAX)), Some(u64::MAX)];
    let shorts = shorts.map(|at| short(at.map(UnixSeconds)));
    assert_eq!(shorts, [0, 1, 1, u32::MAX, u32::MAX]);
}
