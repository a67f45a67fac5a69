use proptest::prelude::*;

use super::*;

fn board(number: u32) -> BoardId {
    format!("CB-{number:04}").parse().unwrap()
}

fn some(dir: &Path, count: u32) -> Targets {
    let chosen = |number| Chosen { id: padded(&board(2 * number)), label: None, runs: None };
    let boards: Vec<_> = (0..count).map(|number| (chosen(number), 0)).collect();
    Targets::create(&dir.join("1"), boards.into_iter(), UnixSeconds(5)).unwrap()
}

#[test]
fn a_rows_bytes_are_frozen() {
    let target = Target {
        board: "CB-1".parse().unwrap(),
        group: 0x0102,
        state: TargetState::Failed,
        why: Why::Reverted,
        refusal: 17,
        attempt: 3,
        changed: UnixSeconds(0x0a0b_0c0d),
        received: 0x0102_0304,
        cell: Some(0x0506_0708),
        outcome: Some(9),
    };
    let mut golden =
        b"\x01\x07\x06\x03\x02\x01\x04\x11\x0d\x0c\x0b\x0a\x04\x03\x02\x01CB-1".to_vec();
    golden.resize(48, 0);
    golden.extend(b"\x08\x07\x06\x05\x09\x00\x01");
    golden.resize(ROW, 0);
    assert_eq!(encode(&target)[..], golden);
    assert_eq!(decode(&encode(&target)), Some(target));
    let waiting = Target::waiting("CB-1".parse().unwrap(), 7, UnixSeconds(8));
    assert_eq!(encode(&waiting), encode_waiting(&padded(&waiting.board), 7, UnixSeconds(8)));
}

#[test]
fn a_file_that_is_written_anew_has_every_board_and_those_that_came_later() {
    let dir = tempfile::tempdir().unwrap();
    let (targets, path) = (some(dir.path(), 10), dir.path().join("1"));
    targets.add(&Target::waiting(board(9), 0, UnixSeconds(7))).unwrap();
    let anew = targets.rewrite(&path, |target| Target { attempt: 5, ..target }).unwrap();
    assert_eq!(anew.find(&board(9)).unwrap().unwrap().1.attempt, 5);
    assert_eq!(anew.find(&board(18)).unwrap().unwrap().1.attempt, 5);
    assert_eq!((anew.count(), fs::read_dir(dir.path()).unwrap().count()), (11, 1));
}

#[test]
fn boards_are_found_changed_and_added_also_when_it_is_opened_anew() {
    let dir = tempfile::tempdir().unwrap();
    let targets = some(dir.path(), 100);
    for number in 0..100 {
        let (at, found) = targets.find(&board(2 * number)).unwrap().unwrap();
        assert_eq!((at, found.board), (number, board(2 * number)));
        assert_eq!(targets.find(&board(2 * number + 1)).unwrap(), None);
    }
    let changed =
        Target { state: TargetState::Succeeded, ..Target::waiting(board(8), 1, UnixSeconds(6)) };
    targets.write(4, &changed).unwrap();
    let added = Target::waiting(board(9), 0, UnixSeconds(7));
    assert_eq!(targets.add(&added).unwrap(), 100);
    drop(targets);
    let targets = Targets::open(&dir.path().join("1")).unwrap();
    assert_eq!(targets.find(&board(8)).unwrap(), Some((4, changed)));
    assert_eq!(targets.find(&board(9)).unwrap(), Some((100, added)));
    assert_eq!(targets.count(), 101);
    let mut seen = 0;
    targets
        .each(0, |number, _| {
            assert_eq!(number, seen);
            seen += 1;
            true
        })
        .unwrap();
    assert_eq!(seen, 101);
}

#[test]
fn what_is_no_such_file_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    drop(some(dir.path(), 3));
    let path = dir.path().join("1");
    let good = fs::read(&path).unwrap();
    for (at, byte) in [(0, b'X'), (8, 2), (12, 4)] {
        let mut bad = good.clone();
        bad[at] = byte;
        fs::write(&path, bad).unwrap();
        assert!(Targets::open(&path).is_err());
    }
    fs::write(&path, &good[..20]).unwrap();
    assert!(Targets::open(&path).is_err());
}

#[test]
fn what_is_wrong_with_a_file_is_said_by_its_row() {
    let dir = tempfile::tempdir().unwrap();
    drop(some(dir.path(), 3));
    let path = dir.path().join("1");
    let good = fs::read(&path).unwrap();
    let said = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        Targets::open(&path).unwrap().problem(1).unwrap()
    };
    assert_eq!(said(&good), None);
    let row = |number: usize| 64 + ROW * number;
    let with = |at: usize, byte: u8| {
        let mut bad = good.clone();
        bad[at] = byte;
        bad
    };
    for (bytes, what) in [
        (with(row(1), 9), "row 1 is none that a hub has written"),
        (with(row(2) + 1, 99), "row 2 is none that a hub has written"),
        (with(row(1) + 4, 7), "row 1 names group 7, and there are 1"),
        (with(row(0) + 16, b'D'), "row 1 is not in the order of ids"),
        ([&good[..], &good[row(1)..row(2)], &good[row(1)..row(2)]].concat(), "row 4 has a board"),
        ([&good[..], &good[row(1)..row(2) - 1]].concat(), "its last row is not whole"),
        ([good.clone(), vec![0; ROW]].concat(), "row 3 is none"),
    ] {
        let said = said(&bytes).unwrap_or_default();
        assert!(said.starts_with(what), "{said}, and not {what}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_a_board_or_none(row in any::<[u8; ROW]>()) {
        if let Some(target) = decode(&row) {
            prop_assert_eq!(decode(&encode(&target)), Some(target));
        }
    }

    #[test]
    fn a_file_damaged_anywhere_is_refused_or_read_and_what_is_wrong_is_said(
        damage in proptest::collection::vec((0..64 + 9 * ROW, any::<u8>()), 1..8),
        length in 0..64 + 10 * ROW,
    ) {
        let dir = tempfile::tempdir().unwrap();
        drop(some(dir.path(), 9));
        let path = dir.path().join("1");
        let mut bytes = fs::read(&path).unwrap();
        damage.iter().for_each(|(at, byte)| bytes[*at] = *byte);
        bytes.resize(length, 0);
        fs::write(&path, &bytes).unwrap();
        let Ok(targets) = Targets::open(&path) else { return Ok(()) };
        let mut read = 0;
        targets.each(0, |number, target| {
            read += 1;
            number < 100 && target.board.as_str().len() <= ID_MAX
        }).unwrap();
        let rows = (bytes.len() - 64).div_ceil(ROW);
        let problem = targets.problem(1).unwrap();
        prop_assert!(problem.is_some() || read == rows, "{} of {} rows", read, rows);
        for number in 0..20 {
            // In what is out of order a board may not be found; what is found is it.
            if let Ok(Some((_, found))) = targets.find(&board(number)) {
                prop_assert_eq!(found.board, board(number));
            }
        }
    }
}
