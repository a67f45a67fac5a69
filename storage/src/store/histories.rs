//! Boards' histories in the store, each at the place of its board's row ([`crate::history::file`]).
//!
//! Invariant: only boards that there are get one, and it goes with its board: when its row is given
//! up ([`super::rows`]), before another board can have that.

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use super::files::FOLDER;
use super::{Inner, Store};
use crate::history::file::Histories;
use crate::history::slot::SlotBytes;
use crate::rows::RowNumber;
use crate::{BoardHistory, BoardId, StoreError};

/// What they are called among the trees: in backups, and where the store is checked.
pub(crate) const TREE: &str = "boards/history";

/// Where they are in a store's folder.
pub(crate) fn path(dir: &Path) -> PathBuf {
    dir.join(FOLDER).join("history")
}

/// Opens the histories in a store's folder.
pub(crate) fn open(dir: &Path) -> Result<Histories, StoreError> {
    let unusable = |source| StoreError::Unusable { dir: path(dir), source };
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(dir.join(FOLDER));
    made.map_err(unusable)?;
    Histories::open(&path(dir)).map_err(|source| match source.kind() {
        io::ErrorKind::InvalidData => {
            let detail = "`files/history` holds no boards' histories that this hub can read; without \
                          that file they begin anew, and nothing else is lost";
            StoreError::Damaged { dir: dir.to_owned(), detail: detail.to_owned() }
        }
        _ => unusable(source),
    })
}

impl Store {
    /// What happened to the board; nothing where nothing did.
    pub fn history(&self, board: &BoardId) -> Result<Option<BoardHistory>, StoreError> {
        let Some(found) = self.inner.board_record(board.as_str().as_bytes())? else {
            return Ok(None);
        };
        let Some(row) = found.row else { return Ok(None) };
        self.inner.histories.read(row, &found.board).map_err(self.inner.unread_histories())
    }

    /// Adds what happened to boards since; those that there are not, or whose rows are still being
    /// made, are passed over. Survives the hub's death, not always the machine's.
    pub fn add_history(
        &self,
        happened: impl IntoIterator<Item = BoardHistory>,
    ) -> Result<(), StoreError> {
        for later in happened {
            // A board is removed whole: before this, or with what this writes.
            let _writer = self.inner.writer();
            let found = self.inner.board_record(later.board.as_str().as_bytes())?;
            let Some((row, board)) = found.and_then(|it| Some((it.row?, it.board))) else {
                continue;
            };
            let added = self.inner.histories.add(row, &board, later);
            added.map_err(|source| self.inner.health.not_durable(source))?;
        }
        Ok(())
    }
}

impl Inner {
    /// Gives every slot that is not empty to `take`, until it fails.
    pub(crate) fn each_history<E: From<StoreError>>(
        &self,
        take: impl FnMut(RowNumber, &SlotBytes) -> Result<(), E>,
    ) -> Result<(), E> {
        let unread = self.unread_histories();
        self.histories.each(|source| unread(source).into(), take)
    }

    /// How many boards have one.
    pub(crate) fn count_histories(&self) -> Result<u64, StoreError> {
        let mut count = 0;
        self.each_history(|_, _| {
            count += 1;
            Ok::<_, StoreError>(())
        })?;
        Ok(count)
    }

    fn unread_histories(&self) -> impl Fn(std::io::Error) -> StoreError {
        let dir = path(&self.dir);
        move |source| StoreError::Unusable { dir: dir.clone(), source }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{FileExt as _, MetadataExt as _};

    use super::*;
    use crate::*;

    fn with_tenant() -> (tempfile::TempDir, Store) {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let acme = Tenant {
            id: "acme".parse().unwrap(),
            name: String::new(),
            state: TenantState::Active,
            created: UnixSeconds(0),
            issuer: None,
            quota: Quota::default(),
        };
        store.tenants().put(&acme).unwrap();
        (dir, store)
    }

    fn board(id: &str) -> Board {
        Board::new(id.parse().unwrap(), "acme".parse().unwrap(), UnixSeconds(1))
    }

    fn begun(id: &str) -> BoardHistory {
        let mut history = BoardHistory::new(id.parse().unwrap());
        let source = ([192, 0, 2, 1], 1).into();
        let what = SessionTurn::Begun;
        history.add_session(SessionEvent { at: UnixSeconds(1), source, what });
        history
    }

    fn sessions(store: &Store, id: &str) -> usize {
        let history = store.history(&id.parse().unwrap()).unwrap();
        history.map_or(0, |history| history.sessions.len())
    }

    fn row(store: &Store, id: &str) -> u32 {
        store.inner.board_record(id.as_bytes()).unwrap().unwrap().row.unwrap().number()
    }

    #[test]
    fn a_history_is_of_a_board_there_is_and_goes_with_it() {
        let (_dir, store) = with_tenant();
        store.add_history([begun("CB-1")]).unwrap();
        assert_eq!(store.history(&"CB-1".parse().unwrap()).unwrap(), None, "no such board");
        store.boards().put(&board("CB-1")).unwrap();
        store.add_history([begun("CB-1"), begun("CB-1")]).unwrap();
        assert_eq!(sessions(&store, "CB-1"), 2);
        store.boards().remove(&"CB-1".parse().unwrap()).unwrap();
        store.boards().put(&board("CB-1")).unwrap();
        assert_eq!(sessions(&store, "CB-1"), 0, "of the one before");
    }

    #[test]
    fn who_is_given_a_row_again_has_nothing_of_who_had_it() {
        let (_dir, store) = with_tenant();
        store.boards().put(&board("CB-1")).unwrap();
        store.add_history([begun("CB-1")]).unwrap();
        let had = row(&store, "CB-1");
        store.boards().remove(&"CB-1".parse().unwrap()).unwrap();
        let number = RowNumber::new(had).unwrap();
        assert_eq!(store.inner.count_histories().unwrap(), 0);
        // As if the machine had failed before the slot was cleared.
        store.inner.histories.add(number, &board("CB-1"), begun("CB-1")).unwrap();
        let again = (2..8192).map(|n| format!("CB-{n}")).find(|id| {
            store.boards().put(&board(id)).unwrap();
            row(&store, id) == had
        });
        let again = again.expect("the row is used again");
        assert_eq!(sessions(&store, &again), 0);
        store.add_history([begun(&again)]).unwrap();
        assert_eq!(sessions(&store, &again), 1);
    }

    #[test]
    fn a_torn_slot_is_an_empty_history_that_a_check_names_and_an_event_mends() {
        let (dir, store) = with_tenant();
        for id in ["CB-1", "CB-2"] {
            store.boards().put(&board(id)).unwrap();
            store.add_history([begun(id)]).unwrap();
        }
        let file = fs::File::options().write(true).open(path(dir.path())).unwrap();
        file.write_all_at(&[0xff; 16], 4096 + 672 * u64::from(row(&store, "CB-1")) + 40).unwrap();
        assert_eq!((sessions(&store, "CB-1"), sessions(&store, "CB-2")), (0, 1));
        let report = store.check(|_| {}).unwrap();
        let of_histories = &report.trees[TREE];
        assert_eq!((of_histories.records, of_histories.problems), (2, 1), "{report:?}");
        store.add_history([begun("CB-1")]).unwrap();
        assert_eq!(sessions(&store, "CB-1"), 1);
        assert_eq!(store.check(|_| {}).unwrap().problems_total, 0);
    }

    #[test]
    fn boards_that_nothing_happened_to_cost_no_disk() {
        let (dir, store) = with_tenant();
        let boards: Vec<_> = (0..4000).map(|n| board(&format!("CB-{n:04}"))).collect();
        let last = boards.last().unwrap().id.clone();
        store.boards().put_many(boards).unwrap();
        store.add_history([begun(last.as_str())]).unwrap();
        let about = fs::metadata(path(dir.path())).unwrap();
        let at = u64::from(row(&store, last.as_str()));
        assert_eq!(about.len(), 4096 + 672 * (at + 1));
        assert!(about.blocks() * 512 < 64 * 1024, "{} blocks", about.blocks());
        drop(store);
        let store = Store::open(dir.path()).unwrap();
        assert_eq!(sessions(&store, last.as_str()), 1, "over a restart");
    }

    #[test]
    fn a_backup_has_the_histories() {
        let (dir, store) = with_tenant();
        for id in ["CB-1", "CB-2"] {
            store.boards().put(&board(id)).unwrap();
        }
        store.add_history([begun("CB-2")]).unwrap();
        let file = dir.path().join("backup");
        let to = fs::File::create(&file).unwrap();
        let contents = store.backup(UnixSeconds(1), "1", to, |_| {}).unwrap();
        assert_eq!(contents.records, store.count_for_backup().unwrap());
        let restored = dir.path().join("restored");
        crate::backup::restore(&file, &restored, None, |_| {}).unwrap();
        let restored = Store::open(&restored).unwrap();
        assert_eq!((sessions(&restored, "CB-1"), sessions(&restored, "CB-2")), (0, 1));
        assert_eq!(restored.check(|_| {}).unwrap().problems_total, 0);
    }

    #[test]
    fn a_file_of_another_kind_is_refused_and_left_as_it_is() {
        let (dir, store) = with_tenant();
        drop(store);
        fs::write(path(dir.path()), b"hubhis\0\x02later").unwrap();
        let error = Store::open(dir.path()).unwrap_err();
        assert!(error.to_string().contains("history"), "{error}");
        assert_eq!(fs::read(path(dir.path())).unwrap(), b"hubhis\0\x02later");
    }
}
