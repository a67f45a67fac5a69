//! Work on many boards: wanted, ended, and done to one board after the other; and lists that people
//! keep.
//!
//! Invariant: each board is changed as if somebody had asked for it alone, and written down so.

use serde_json::json;
use storage::{Became, Board, Job, JobId, JobState, SavedView, UnixSeconds, UserName, Work};

use super::{Admin, AdminError, refused, unknown};

/// Jobs that are kept; the oldest that are over go.
const KEPT_MAX: usize = 200;
/// Jobs that wait for their turn.
const WAITING_MAX: usize = 20;
/// Lists of one person.
const VIEWS_MAX: usize = 100;

impl Admin {
    /// Keeps a job, under an id of its own, to be done when it is its turn.
    ///
    /// # Errors
    /// [`AdminError::Refused`] while too many wait.
    pub fn add_job(&self, mut job: Job) -> Result<Job, AdminError> {
        let _changing = self.changing();
        let known = self.jobs()?;
        if known.iter().filter(|known| !known.state.is_over()).count() >= WAITING_MAX {
            return Err(refused(
                "too many jobs wait; come again when some are done, or cancel some",
            ));
        }
        let surplus = (known.len() + 1).saturating_sub(KEPT_MAX);
        for old in known.iter().filter(|known| known.state.is_over()).take(surplus) {
            self.store.jobs().remove(old.id.as_str())?;
        }
        job.id = JobId::next(known.last().map(|last| &last.id), job.created);
        self.store.jobs().put(job.id.as_str(), &job)?;
        let Job { id, work, filter, within, total, .. } = &job;
        let detail = json!({ "work": work, "filter": filter, "within": within, "boards": total });
        self.record("job.add", id, detail)?;
        Ok(job)
    }

    /// All jobs that are kept, in the order in which they were made.
    ///
    /// # Errors
    /// Those of the store.
    pub fn jobs(&self) -> Result<Vec<Job>, AdminError> {
        self.store.jobs().list(None).map(|job| Ok(job?.1)).collect()
    }

    /// The job.
    ///
    /// # Errors
    /// [`AdminError::Unknown`].
    pub fn job(&self, id: &JobId) -> Result<Job, AdminError> {
        let found = self.store.jobs().find(id.as_str())?;
        found.ok_or_else(|| unknown("job", id, "GET /api/v1/jobs shows all"))
    }

    /// Ends a job; the boards that it has come to stay as they are.
    ///
    /// # Errors
    /// [`AdminError::Refused`] for one that is over.
    pub fn cancel_job(&self, id: &JobId, now: UnixSeconds) -> Result<Job, AdminError> {
        let _changing = self.changing();
        if self.job(id)?.state.is_over() {
            return Err(refused(format!("job {id} is over")));
        }
        let cancelled = self.store.jobs().change(id.as_str(), |job| {
            // It may have come to its end a moment ago.
            if !job.state.is_over() {
                job.state = JobState::Cancelled { at: now };
            }
        })?;
        let job = cancelled.ok_or_else(|| refused("the job is gone"))?;
        self.record("job.cancel", id, json!({ "done": job.done, "boards": job.total }))?;
        Ok(job)
    }

    /// Does a job's work to one board.
    #[must_use]
    pub fn work_on(&self, board: &Board, work: &Work, now: UnixSeconds) -> Became {
        let done = match work {
            Work::Block { reason } => self.block(&board.id, reason, now).map(drop),
            Work::Unblock => self.unblock(&board.id).map(drop),
            Work::Revoke { reason } => self.revoke(&board.id, reason, now).map(drop),
            Work::Label { set, remove } => {
                let relabelled = self.relabel::<AdminError>(&board.id, |board| {
                    let mut labels = board.labels.clone();
                    labels.retain(|key, _| !remove.contains(key));
                    labels.extend(set.clone());
                    Ok(labels)
                });
                relabelled.map(drop)
            }
        };
        match done {
            Ok(()) => Became::Changed,
            Err(error @ (AdminError::Refused(_) | AdminError::Unknown { .. })) => {
                Became::Kept(error.to_string())
            }
            Err(error) => Became::Failed(crate::cli::in_one_line(&error)),
        }
    }

    /// The lists that somebody keeps, by name.
    ///
    /// # Errors
    /// Those of the store.
    pub fn views(&self, owner: &UserName) -> Result<Vec<SavedView>, AdminError> {
        let (mut views, before) = (Vec::new(), SavedView::key(owner, ""));
        for entry in self.store.views().list(Some(before.as_str())) {
            let (key, view) = entry?;
            if !key.starts_with(before.as_bytes()) {
                break;
            }
            views.push(view);
        }
        Ok(views)
    }

    /// Keeps a list, in place of the one of its name.
    ///
    /// # Errors
    /// [`AdminError::Refused`] for one too many.
    pub fn put_view(&self, view: &SavedView) -> Result<(), AdminError> {
        let _changing = self.changing();
        let known = self.views(&view.owner)?;
        if known.len() >= VIEWS_MAX && known.iter().all(|known| known.name != view.name) {
            return Err(refused(format!("{VIEWS_MAX} lists are kept; remove some first")));
        }
        let key = SavedView::key(&view.owner, view.name.as_str());
        self.store.views().put(&key, view)?;
        self.record("view.put", &view.name, json!({ "query": view.query }))
    }

    /// Forgets a list.
    ///
    /// # Errors
    /// [`AdminError::Unknown`].
    pub fn remove_view(&self, owner: &UserName, name: &str) -> Result<(), AdminError> {
        let _changing = self.changing();
        match self.store.views().remove(&SavedView::key(owner, name))? {
            true => self.record("view.remove", &name, json!({})),
            false => Err(unknown("view", &name, "GET /api/v1/views shows all")),
        }
    }
}
