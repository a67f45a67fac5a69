use super::*;

const BOOT: BootId = BootId([1; 16]);
const NAME: RowsName = [7; 16];

fn opening() -> Opening {
    Opening { name: Some(NAME), boot: BOOT, acknowledged: 5, flushes: 5, new_name: NAME }
}

fn board(number: u32) -> Board {
    let id = format!("CB-{number}").parse().unwrap();
    Board::new(id, "acme".parse().unwrap(), UnixSeconds(1))
}

/// A file with three boards that wait for flushes 4, 5 and 6.
fn filled(path: &Path) -> Rows {
    let _ = std::fs::remove_file(path);
    let (rows, past) = Rows::open(path, &opening()).unwrap();
    assert!(matches!(past, Past::Lost(None)));
    let mut changing = rows.change();
    assert_eq!(changing.claim(&board(0).id, 4, 0).unwrap(), None, "nobody knows what is free");
    changing.has_read().unwrap();
    changing.is_complete().unwrap();
    for number in 0..3 {
        let (board, stamp) = (board(number), u64::from(number) + 4);
        let row = changing.claim(&board.id, stamp, 0).unwrap().unwrap();
        assert_eq!(row, RowNumber(number));
        changing.write(row, &board, stamp).unwrap();
    }
    drop(changing);
    rows
}

fn listed(rows: &Rows) -> Vec<String> {
    let mut ids = Vec::new();
    let each = rows.each_board(std::convert::identity, |_, row| {
        ids.push(String::from_utf8_lossy(row.id()).into_owned());
        Ok(())
    });
    each.unwrap();
    ids
}

/// What is believed of the file when it is opened so.
fn believed(path: &Path, opening: &Opening) -> Option<Vec<RowNumber>> {
    match Rows::open(path, opening).unwrap().1 {
        Past::Known(suspects) => Some(suspects),
        Past::Lost(_) => None,
    }
}

#[test]
fn after_a_kill_all_is_believed_but_what_waited_for_a_flush() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("rows");
    drop(filled(&path));
    assert_eq!(believed(&path, &opening()), Some(vec![RowNumber(2)]));
    let (rows, _) = Rows::open(&path, &opening()).unwrap();
    assert_eq!((rows.boards(), listed(&rows).len()), (2, 3), "what is not believed is not counted");
    rows.change().repair(RowNumber(2), &board(2).id, Some(&board(2)), 5).unwrap();
    assert_eq!((rows.boards(), listed(&rows).len()), (3, 3));
    drop(rows);
    let (rows, _) = Rows::open(&path, &Opening { acknowledged: 4, ..opening() }).unwrap();
    for row in 1..3 {
        rows.change().repair(RowNumber(row), &board(row).id, None, 5).unwrap();
    }
    assert_eq!((rows.boards(), listed(&rows).len()), (1, 1));
}

#[test]
fn after_a_failure_of_the_machine_in_a_copy_and_under_another_database_nothing_is_believed() {
    let dir = tempfile::tempdir().unwrap();
    let (path, copy) = (dir.path().join("rows"), dir.path().join("copy"));
    drop(filled(&path));
    std::fs::copy(&path, &copy).unwrap();
    assert_eq!(believed(&copy, &opening()), None);
    for other in [
        Opening { boot: BootId([2; 16]), ..opening() },
        Opening { name: Some([8; 16]), ..opening() },
        Opening { name: None, ..opening() },
    ] {
        filled(&path);
        assert_eq!(believed(&path, &other), None, "{other:?}");
        assert_eq!(std::fs::metadata(&path).unwrap().len(), 4096, "it is emptied");
        assert_eq!(believed(&path, &opening()), None, "nor before it is made anew");
    }
    std::fs::write(&path, vec![b'x'; 10_000]).unwrap();
    assert_eq!(believed(&path, &opening()), None);
}

#[test]
fn once_closed_all_is_believed_after_any_boot_until_the_next_change() {
    let dir = tempfile::tempdir().unwrap();
    let (path, copy) = (dir.path().join("rows"), dir.path().join("copy"));
    let rows = filled(&path);
    assert!(rows.is_changed());
    rows.close(9).unwrap();
    std::fs::copy(&path, &copy).unwrap();
    assert!(!rows.is_changed());
    let rebooted = Opening { boot: BootId([2; 16]), flushes: 9, ..opening() };
    assert_eq!(believed(&copy, &rebooted), Some(vec![]));
    let (rows, _) = Rows::open(&path, &rebooted).unwrap();
    assert_eq!((rows.boards(), listed(&rows).len()), (3, 3));
    // A hub that changed nothing was killed.
    let later = Opening { flushes: 12, ..rebooted };
    assert_eq!(believed(&path, &later), Some(vec![]));
    // And one after the machine failed; its database is of another time than the file.
    assert_eq!(believed(&path, &Opening { boot: BootId([3; 16]), flushes: 13, ..opening() }), None);

    let rows = filled(&path);
    rows.close(9).unwrap();
    let (rows, _) = Rows::open(&path, &rebooted).unwrap();
    rows.change().mark_seen(RowNumber(1), None, Some(UnixSeconds(5))).unwrap();
    drop(rows);
    assert_eq!(believed(&path, &Opening { boot: BootId([3; 16]), ..rebooted }), None);
}

#[test]
fn a_row_that_was_given_up_rests_until_its_flush_has_ended() {
    let dir = tempfile::tempdir().unwrap();
    let rows = filled(&dir.path().join("rows"));
    let mut changing = rows.change();
    changing.free(RowNumber(1), &board(1).id, 8).unwrap();
    assert_eq!(changing.named(RowNumber(1)).unwrap().as_deref(), Some(&b"CB-1"[..]));
    changing.state.cursor = 0;
    let next = changing.claim(&board(3).id, 8, 7).unwrap().unwrap();
    assert_eq!(next, RowNumber(3));
    changing.state.cursor = 0;
    assert_eq!(changing.claim(&board(4).id, 9, 8).unwrap(), Some(RowNumber(1)));
    drop(changing);
    // One that is being added is in no list.
    assert_eq!(listed(&rows), ["CB-0", "CB-2"]);
    assert_eq!(rows.boards(), 4);
}

#[test]
fn a_file_that_is_full_grows_and_is_searched_again_after_a_flush() {
    let dir = tempfile::tempdir().unwrap();
    let rows = filled(&dir.path().join("rows"));
    let mut changing = rows.change();
    for number in 3..GROW {
        let row = changing.claim(&board(number).id, 6, 5).unwrap().unwrap();
        assert_eq!(row, RowNumber(number));
    }
    changing.free(RowNumber(9), &board(9).id, 7).unwrap();
    assert_eq!(changing.claim(&board(GROW).id, 7, 6).unwrap(), Some(RowNumber(GROW)));
    assert_eq!(changing.state.room, 2 * GROW);
    changing.state.cursor = 2 * GROW;
    assert_eq!(changing.claim(&board(GROW + 1).id, 8, 7).unwrap(), Some(RowNumber(9)));
}

#[test]
fn rows_beyond_one_piece_are_all_read() {
    let dir = tempfile::tempdir().unwrap();
    let rows = filled(&dir.path().join("rows"));
    let mut changing = rows.change();
    for number in 3..2 * PIECE {
        let board = board(number);
        let row = changing.claim(&board.id, 6, 5).unwrap().unwrap();
        changing.write(row, &board, 6).unwrap();
    }
    drop(changing);
    assert_eq!(listed(&rows).len(), 2 * PIECE as usize);
}
