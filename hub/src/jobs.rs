//! Does jobs, one after the other, on a thread of its own that may wait.
//!
//! A job goes through its boards by id and notes now and then how far it is: a hub that was
//! killed goes on there, and does to a few boards what was done to them already. Invariant: a job that
//! was cancelled changes at most one more board.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use storage::{Became, BoardQuery, Job, JobId, JobState, RowsState, UnixSeconds};
use tokio::sync::Notify;

use crate::admin::{Admin, AdminError, Author};
use crate::cli::in_one_line;
use crate::http::api::boards_asked_for;

/// Boards that are looked up at once.
const PAGE: usize = 500;
/// How often it is noted how far a job is.
const NOTE_EVERY: Duration = Duration::from_secs(1);
/// How long after a failure of the store, or before lists can be made, it is tried again.
const AGAIN: Duration = Duration::from_secs(5);

/// The thread; it ends when this is dropped, after the board it is at.
pub struct Jobs {
    wanted: Arc<Wanted>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Wanted {
    changed: Notify,
    stop: AtomicBool,
}

/// Tells the thread that there is something to do; clones are the same.
#[derive(Clone)]
pub struct Bell(Arc<Wanted>);

impl Bell {
    /// There is a new job, or one was cancelled.
    pub fn ring(&self) {
        self.0.changed.notify_one();
    }
}

impl Jobs {
    /// Begins with what is to be done, also by a hub before this one.
    ///
    /// # Errors
    /// The system's, where it gives no thread.
    pub fn start(admin: Admin, now: fn() -> UnixSeconds) -> std::io::Result<Self> {
        let wanted = Arc::<Wanted>::default();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let worker = Worker { admin, now, wanted: Arc::clone(&wanted) };
        let thread = std::thread::Builder::new().name(String::from("jobs")).spawn(move || {
            runtime.block_on(worker.run());
        })?;
        Ok(Self { wanted, thread: Some(thread) })
    }

    /// What tells it that there is something to do.
    #[must_use]
    pub fn bell(&self) -> Bell {
        Bell(Arc::clone(&self.wanted))
    }
}

impl Drop for Jobs {
    fn drop(&mut self) {
        self.wanted.stop.store(true, Ordering::Relaxed);
        self.wanted.changed.notify_one();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[derive(Clone)]
struct Worker {
    admin: Admin,
    now: fn() -> UnixSeconds,
    wanted: Arc<Wanted>,
}

impl Worker {
    async fn run(self) {
        while !self.is_stopped() {
            let worker = self.clone();
            // Changes of boards wait for the disk and for the running hub.
            let worked = tokio::task::spawn_blocking(move || worker.next()).await;
            match worked {
                Ok(Ok(true)) => {}
                Ok(Ok(false)) => self.wanted.changed.notified().await,
                Ok(Err(error)) => {
                    tracing::error!(reason = %in_one_line(&error), "jobs wait");
                    let _ = tokio::time::timeout(AGAIN, self.wanted.changed.notified()).await;
                }
                Err(error) => {
                    tracing::error!(%error, "a job ended in a panic; jobs wait for a restart");
                    return;
                }
            }
        }
    }

    fn is_stopped(&self) -> bool {
        self.wanted.stop.load(Ordering::Relaxed)
    }

    /// Does the first job there is to do, and says whether there was one.
    fn next(&self) -> Result<bool, AdminError> {
        let Some(job) = self.admin.jobs()?.into_iter().find(|job| !job.state.is_over()) else {
            return Ok(false);
        };
        if self.admin.store().rows_state() != RowsState::Ready {
            return Err(storage::StoreError::ListsNotReady.into());
        }
        self.work(job).map(|()| true)
    }

    fn work(&self, mut job: Job) -> Result<(), AdminError> {
        let admin = self.admin.by(Author {
            who: format!("job:{} of {}", job.id, job.by),
            source: None,
            now: self.now,
        });
        if let JobState::Waiting = job.state {
            job.state = JobState::Running { since: (self.now)() };
        }
        let Ok(filter) = boards_asked_for(&job.filter, job.within.as_deref()) else {
            return self.end(job, "its filter is not understood any more");
        };
        tracing::info!(job = %job.id, boards = job.total, "a job goes on");
        let mut noted = Instant::now();
        self.note(&mut job)?;
        loop {
            let query = BoardQuery {
                filter: filter.clone(),
                after: job.after.as_ref().map(storage::Cursor::behind),
                limit: PAGE,
                ..BoardQuery::default()
            };
            let page = admin.store().boards().query(&query)?;
            for board in page.boards {
                if self.is_stopped() || job.state.is_over() {
                    return self.note(&mut job).map(drop);
                }
                let became = admin.work_on(&board, &job.work, (self.now)());
                if let (Became::Failed(_), Some(_)) = (&became, admin.store().failure()) {
                    // Not the board's fault; it is this one's turn after a restart.
                    return Err(storage::StoreError::ListsNotReady.into());
                }
                job.came_to(board.id, became);
                if noted.elapsed() >= NOTE_EVERY || self.is_cancelled(&job.id)? {
                    self.note(&mut job)?;
                    noted = Instant::now();
                }
            }
            match page.next {
                // Also where every board of the page was changed a moment ago.
                Some(next) => job.after = Some(next.board().clone()),
                None => break,
            }
        }
        self.end(job, "all boards")
    }

    /// Reads what is in memory, for each board.
    fn is_cancelled(&self, id: &JobId) -> Result<bool, AdminError> {
        let job = self.admin.store().jobs().find(id.as_str())?;
        Ok(job.is_none_or(|job| job.state.is_over()))
    }

    /// Writes down how far it is, and takes in whether it was cancelled.
    fn note(&self, job: &mut Job) -> Result<(), AdminError> {
        let noted = self.admin.store().jobs().change(job.id.as_str(), |kept| {
            let state = if kept.state.is_over() { kept.state } else { job.state };
            *kept = Job { state, ..job.clone() };
        })?;
        match noted {
            Some(kept) => job.state = kept.state,
            None => job.state = JobState::Cancelled { at: (self.now)() },
        }
        Ok(())
    }

    fn end(&self, mut job: Job, why: &str) -> Result<(), AdminError> {
        job.state = JobState::Done { at: (self.now)() };
        self.note(&mut job)?;
        let Job { id, done, kept, failed, .. } = &job;
        tracing::info!(job = %id, done, kept, failed, why, "a job ended");
        Ok(())
    }
}
