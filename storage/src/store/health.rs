//! Whether the database can still be trusted, and what keeps its panics inside the store.
//!
//! sled 0.34 panics, instead of giving an error, where a torn or corrupt file contradicts what it
//! takes for granted: on the caller's thread while it opens or reads a page, and on threads of its
//! own. Every call into it therefore goes through [`Health::contain`]. The panics on the caller's
//! thread become errors; one on a thread of sled's makes the store failed, because whoever waits
//! for that thread may wait for ever. The process's panic hook stays what it was for all others.
//!
//! Invariant: a store that failed stays failed until it is opened anew: sled keeps its first
//! write error and refuses every write after it.

use std::cell::{Cell, RefCell};
use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, Once, OnceLock, PoisonError, Weak};

use crate::StoreError;

/// What to do about a database that is damaged.
pub(crate) const WAY_OUT: &str = "stop the hub, look with `cellular-hub store check`, and go back \
                                  to a backup with `cellular-hub restore FILE --replace`";

type Listener = Box<dyn Fn(&str) + Send + Sync>;

/// One store's health, shared by its trees.
pub(crate) struct Health {
    dir: PathBuf,
    failure: OnceLock<String>,
    listener: OnceLock<Listener>,
    /// Held while a failure and a listener find each other, so that it is told exactly once.
    telling: Mutex<()>,
}

impl Health {
    pub(crate) fn new(dir: &Path) -> Arc<Self> {
        install_hook();
        let health = Arc::new(Self {
            dir: dir.to_owned(),
            failure: OnceLock::new(),
            listener: OnceLock::new(),
            telling: Mutex::new(()),
        });
        let mut watching = WATCHING.lock().unwrap_or_else(PoisonError::into_inner);
        watching.retain(|other| other.strong_count() > 0);
        watching.push(Arc::downgrade(&health));
        health
    }

    /// Why the store failed, and what to do; nothing while it is sound.
    pub(crate) fn failure(&self) -> Option<&str> {
        self.failure.get().map(String::as_str)
    }

    /// Calls `listener` once, when the store fails or at once when it has.
    pub(crate) fn on_failure(&self, listener: Listener) {
        let telling = self.telling.lock().unwrap_or_else(PoisonError::into_inner);
        let is_first = self.listener.set(listener).is_ok();
        drop(telling);
        if let (true, Some(failure), Some(listener)) =
            (is_first, self.failure(), self.listener.get())
        {
            listener(failure);
        }
    }

    /// Runs a call into the database; whatever goes wrong there is an error of ours, and known
    /// from then on.
    pub(crate) fn contain<T>(
        &self,
        call: impl FnOnce() -> Result<T, sled::Error>,
    ) -> Result<T, StoreError> {
        match quietly(call) {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(error)) => Err(self.broken(error)),
            Err(panic) => Err(self.damaged(panic)),
        }
    }

    /// What an error of the database's means for the store.
    pub(crate) fn broken(&self, error: sled::Error) -> StoreError {
        let error = understand(error, &self.dir);
        self.fail(&error);
        error
    }

    /// The written data did not reach the disk.
    pub(crate) fn not_durable(&self, source: io::Error) -> StoreError {
        let error = match is_full(&source) {
            true => StoreError::NoSpace { dir: self.dir.clone() },
            false => StoreError::NotDurable(source),
        };
        self.fail(&error);
        error
    }

    fn damaged(&self, detail: String) -> StoreError {
        let error = StoreError::Damaged { dir: self.dir.clone(), detail };
        self.fail(&error);
        error
    }

    fn fail(&self, error: &StoreError) {
        let mut reason = error.to_string();
        let mut cause = std::error::Error::source(error);
        while let Some(error) = cause {
            reason = format!("{reason}: {error}");
            cause = error.source();
        }
        if !matches!(error, StoreError::Damaged { .. } | StoreError::NoSpace { .. }) {
            reason.push_str("; see that its disk is well, then restart the hub");
        }
        let telling = self.telling.lock().unwrap_or_else(PoisonError::into_inner);
        let is_first = self.failure.set(reason).is_ok();
        drop(telling);
        if let (true, Some(failure), Some(listener)) =
            (is_first, self.failure(), self.listener.get())
        {
            listener(failure);
        }
    }
}

/// An error of the database's in the store's words.
pub(crate) fn understand(error: sled::Error, dir: &Path) -> StoreError {
    let damaged = |detail: String| StoreError::Damaged { dir: dir.to_owned(), detail };
    match error {
        sled::Error::Io(source) if is_full(&source) => StoreError::NoSpace { dir: dir.to_owned() },
        // sled's own complaints about what it read; the system's have a number, or had one.
        sled::Error::Io(source)
            if matches!(
                source.kind(),
                io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData | io::ErrorKind::Other
            ) && source.raw_os_error().is_none() =>
        {
            damaged(source.to_string())
        }
        sled::Error::Corruption { at: Some(at), .. } => damaged(format!("a page at {at}")),
        sled::Error::Corruption { at: None, .. } => {
            damaged(String::from("its log or snapshot does not add up"))
        }
        sled::Error::Unsupported(why) | sled::Error::ReportableBug(why) => damaged(why),
        sled::Error::CollectionNotFound(_) | sled::Error::Io(_) => StoreError::Database(error),
    }
}

/// Whether there is no room for more: disk, quota or the largest file allowed.
fn is_full(error: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge)
}

thread_local! {
    /// How deep this thread is in calls into the database.
    static INSIDE: Cell<u32> = const { Cell::new(0) };
    /// What the last panic in there said.
    static SAID: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// The stores of this process; a panic on a thread of sled's is nobody's in particular.
static WATCHING: Mutex<Vec<Weak<Health>>> = Mutex::new(Vec::new());

/// Runs `call` and gives what a panic in it said, without the hook's page of text.
///
/// sled's locks are not poisoned by a panic and guard nothing of ours.
pub(crate) fn quietly<T>(call: impl FnOnce() -> T) -> Result<T, String> {
    INSIDE.with(|inside| inside.set(inside.get() + 1));
    let done = panic::catch_unwind(AssertUnwindSafe(call));
    INSIDE.with(|inside| inside.set(inside.get() - 1));
    done.map_err(|_| {
        let said = SAID.with_borrow_mut(Option::take);
        said.unwrap_or_else(|| String::from("the database gave up"))
    })
}

/// Wraps the panic hook once: panics in the database are kept for the error they become.
fn install_hook() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            let thread = std::thread::current();
            let is_of_sled = thread.name().is_some_and(|name| {
                name.starts_with("sled-io-") || name.starts_with("log flusher")
            });
            if is_of_sled {
                let detail = format!("a thread of the database's ended: {}", first_line(panic));
                for health in watching() {
                    health.damaged(detail.clone());
                }
            } else if INSIDE.with(Cell::get) > 0 {
                SAID.with_borrow_mut(|said| *said = Some(first_line(panic)));
            } else {
                before(panic);
            }
        }));
    });
}

fn watching() -> Vec<Arc<Health>> {
    let watching = WATCHING.lock().unwrap_or_else(PoisonError::into_inner);
    watching.iter().filter_map(Weak::upgrade).collect()
}

/// The panic's message up to its first line's end, and not without measure: some print a page table.
fn first_line(panic: &panic::PanicHookInfo<'_>) -> String {
    let said = panic.payload_as_str().unwrap_or("the database gave up");
    said.lines().next().unwrap_or_default().chars().take(200).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[test]
    fn a_panic_inside_becomes_an_error_and_is_told_once() {
        let health = Health::new(Path::new("/store"));
        let told = Arc::new(AtomicU32::new(0));
        let count = Arc::clone(&told);
        health.on_failure(Box::new(move |reason| {
            assert!(reason.contains("torn page") && reason.contains("restore FILE"), "{reason}");
            count.fetch_add(1, Ordering::SeqCst);
        }));
        for _ in 0..2 {
            let error = health.contain::<()>(|| panic!("torn page\nand more")).unwrap_err();
            assert!(
                matches!(&error, StoreError::Damaged { detail, .. } if detail == "torn page"),
                "{error}"
            );
        }
        assert_eq!(told.load(Ordering::SeqCst), 1);
        assert!(health.failure().is_some());
    }

    #[test]
    fn a_full_disk_says_what_to_do_even_to_who_asks_later() {
        let health = Health::new(Path::new("/store"));
        let full = || Err(sled::Error::Io(io::Error::from(io::ErrorKind::StorageFull)));
        let error = health.contain::<()>(full).unwrap_err();
        assert!(matches!(error, StoreError::NoSpace { .. }));
        let (tell, told) = std::sync::mpsc::channel();
        health.on_failure(Box::new(move |reason| tell.send(reason.to_owned()).unwrap()));
        let reason = told.recv().unwrap();
        assert!(reason.contains("/store") && reason.contains("free space"), "{reason}");
    }

    #[test]
    fn a_panic_on_a_thread_of_the_databases_fails_the_store() {
        let health = Health::new(Path::new("/store"));
        let thread = std::thread::Builder::new().name(String::from("sled-io-0"));
        thread.spawn(|| panic!("no segment")).unwrap().join().unwrap_err();
        assert!(health.failure().unwrap().contains("no segment"));
    }
}
